//! Percent-encoding, read strictly: what is not well-formed is refused, never guessed at.

use percent_encoding::percent_decode_str;

/// Decodes `%41` to `A`. None if an escape is malformed or the result is not UTF-8.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let escapes_are_whole = text.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    if !escapes_are_whole {
        return None;
    }
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn only_whole_escapes_of_utf8_are_decoded() {
        assert_eq!(decode("a%20b%2Fc").as_deref(), Some("a b/c"));
        assert_eq!(decode("%C3%A9+").as_deref(), Some("é+"));
        for bad in ["%", "a%2", "%zz", "%ff", "%C3", "%é9"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
