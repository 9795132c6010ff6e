//! Text of strangers on its way to a terminal: `grep` and `jq -r` print what is in a file as it is.

use std::fmt::Write as _;

/// The text with each control character, line feeds included, as the escape by which Rust and JSON write it. So a line
/// stays one, and nobody who looks at it has their terminal told anything.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for symbol in text.chars() {
        if symbol.is_control() {
            // Writing to memory cannot fail.
            let _ = write!(shown, "\\u{:04x}", u32::from(symbol));
        } else {
            shown.push(symbol);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_not_sent() {
        assert_eq!(printable("a\u{1b}[2J\u{9b}1m\nb\tü “x”"), r"a\u001b[2J\u009b1m\u000ab\u0009ü “x”");
    }
}
