//! Judges the text from a `{"` on: a message, other JSON, or the torn beginning of a message.

use serde::de::IgnoredAny;
use serde_json::{Deserializer, Map, Value};

use super::key::IoKey;

/// Every message begins with this.
pub(super) const OPENING: &str = "{\"";

/// The possible first members of a message. Other JSON that does not parse is ordinary text: pretty-printed, cut, or
/// not JSON at all.
const MEMBERS: [&str; 11] = [
    "type",
    "iokey",
    "line",
    "sensitive",
    "status",
    "progress",
    "subtype",
    "prompt",
    "choices",
    "default",
    "interaction",
];

pub(super) enum Candidate {
    /// A message of this job: its members without the key, and its length in the text.
    Message { object: Map<String, Value>, length: usize },
    /// Something else. The search continues after so many bytes.
    Other { length: usize },
    /// The text begins like a message but is none: another process wrote into the middle of it.
    Torn,
}

impl Candidate {
    /// Judges a text that begins with [`OPENING`].
    pub(super) fn read(text: &str, key: &IoKey) -> Self {
        let like_message = begins_like_message(text);
        if !like_message && !key.is_in(text) {
            return Self::Other { length: OPENING.len() };
        }
        let broken = || {
            if like_message { Self::Torn } else { Self::Other { length: OPENING.len() } }
        };
        let mut values = Deserializer::from_str(text).into_iter::<IgnoredAny>();
        let Some(Ok(_)) = values.next() else {
            return broken();
        };
        let length = values.byte_offset();
        let json = &text[..length];
        if !key.is_in(json) {
            return Self::Other { length };
        }
        let Some(mut object) = parse(json) else {
            return broken();
        };
        if object.get("iokey").and_then(Value::as_str) != Some(key.as_str()) {
            // A message may be inside: two processes can write at the same time.
            return Self::Other { length: OPENING.len() };
        }
        object.shift_remove("iokey");
        Self::Message { object: redact_members(object, key), length }
    }
}

fn begins_like_message(text: &str) -> bool {
    let rest = &text[OPENING.len()..];
    MEMBERS.iter().any(|member| match rest.strip_prefix(member) {
        Some(after) => after.is_empty() || after.starts_with('"'),
        // The line ends within the name.
        None => member.starts_with(rest),
    })
}

fn parse(json: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(json).or_else(|_| serde_json::from_str(&mend_surrogates(json))).ok()
}

/// Python writes a byte of a file name that is not UTF-8 as half of a surrogate pair, which is not valid JSON text.
/// Each half becomes U+FFFD, so that no prompt is lost.
fn mend_surrogates(json: &str) -> String {
    let mut mended = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let length = match (surrogate(escape), escape.get(6..).and_then(surrogate)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(_), _) => {
                mended.push('\u{fffd}');
                rest = &escape[6..];
                continue;
            }
            (None, _) => escape.ceil_char_boundary(2),
        };
        let (whole, after) = escape.split_at(length);
        mended.push_str(whole);
        rest = after;
    }
    mended + rest
}

/// The number of the `\u` escape at the beginning of the text, if it is half of a surrogate pair.
fn surrogate(text: &str) -> Option<u16> {
    let number = u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()?;
    (0xd800..=0xdfff).contains(&number).then_some(number)
}

fn redact_members(object: Map<String, Value>, key: &IoKey) -> Map<String, Value> {
    let redact = |(name, value): (String, Value)| (key.redact(name.into()).into_owned(), redact_value(value, key));
    object.into_iter().map(redact).collect()
}

fn redact_value(value: Value, key: &IoKey) -> Value {
    match value {
        Value::String(text) => Value::String(key.redact(text.into()).into_owned()),
        Value::Array(values) => values.into_iter().map(|value| redact_value(value, key)).collect(),
        Value::Object(object) => Value::Object(redact_members(object, key)),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Candidate {
        Candidate::read(text, &IoKey::from_text("0xkey"))
    }

    #[test]
    fn the_key_is_removed_from_every_string_and_name_at_every_depth() {
        let Candidate::Message { object, length } =
            read(r#"{"a": ["0xkey", {"b0xkeyb": "\u0030xkey"}], "iokey": "0xkey"} more"#)
        else {
            panic!("is a message");
        };
        assert_eq!(length, 61);
        let json = serde_json::to_string(&object).unwrap();
        assert_eq!(json, r#"{"a":["[key removed]",{"b[key removed]b":"[key removed]"}]}"#);
    }

    #[test]
    fn only_a_known_first_member_makes_broken_json_a_torn_message() {
        assert!(matches!(read(r#"{"type": "line", "li"#), Candidate::Torn));
        assert!(matches!(read(r#"{"ty"#), Candidate::Torn));
        assert!(matches!(read(r#"{""#), Candidate::Torn));
        assert!(matches!(read(r#"{"types": "#), Candidate::Other { .. }));
        assert!(matches!(read(r#"{"level": "info","#), Candidate::Other { .. }));
        assert!(matches!(read(r#"{"type": "line"}"#), Candidate::Other { length: 16 }));
    }

    #[test]
    fn half_of_a_surrogate_pair_does_not_lose_a_message() {
        let Candidate::Message { object, .. } =
            read(r#"{"line": "\\ud800 \ud83d\ude00 \udcff \ud83d\u0041", "iokey": "0xkey"}"#)
        else {
            panic!("is a message");
        };
        assert_eq!(object["line"], "\\ud800 😀 \u{fffd} \u{fffd}A");
    }

    #[test]
    fn deep_nesting_and_torn_escapes_are_survived() {
        let deep = format!(r#"{{"type": {}1{}, "iokey": "0xkey"}}"#, "[".repeat(10_000), "]".repeat(10_000));
        assert!(matches!(read(&deep), Candidate::Torn));
        for end in 0..12 {
            mend_surrogates(&r"\ud83d\ude00"[..end]);
        }
        mend_surrogates("\\é \\");
    }
}
