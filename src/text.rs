//! A text to search for, in any case.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A text to search for in the values of parameters and data.
#[derive(Clone, Debug)]
pub struct Text {
    /// In lower case.
    lower: String,
    /// Its longest part that JSON writes unchanged, in lower case and ASCII. A line without it need not be parsed.
    anchor: Vec<u8>,
}

/// The searched part of a history line.
#[derive(Deserialize)]
struct Searched {
    params: Map<String, Value>,
    data: Option<Map<String, Value>>,
}

impl Text {
    /// The text as typed. `None` if it is empty, because an empty text is in every value.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let lower = text.to_lowercase();
        let is_plain =
            |letter: char| letter.is_ascii() && !letter.is_ascii_control() && !['"', '\\', '/'].contains(&letter);
        let anchor = lower.split(|letter| !is_plain(letter)).max_by_key(|part| part.len()).unwrap_or_default();
        let anchor = anchor.as_bytes().to_vec();
        (!lower.is_empty()).then_some(Self { lower, anchor })
    }

    /// Whether it is in one of the values, or in a value inside them.
    pub fn is_in_any<'a>(&self, values: impl IntoIterator<Item = &'a Value>) -> bool {
        values.into_iter().any(|value| self.is_in(value))
    }

    fn is_in(&self, value: &Value) -> bool {
        match value {
            Value::Null => false,
            Value::String(text) => self.is_in_text(text),
            Value::Bool(_) | Value::Number(_) => self.is_in_text(&value.to_string()),
            Value::Array(values) => self.is_in_any(values),
            Value::Object(members) => self.is_in_any(members.values()),
        }
    }

    /// Whether it is in another text.
    #[must_use]
    pub fn is_in_text(&self, text: &str) -> bool {
        let lower = if text.is_ascii() { text.to_ascii_lowercase() } else { text.to_lowercase() };
        lower.contains(&self.lower)
    }

    /// Whether it is in the parameters or the data of a history line.
    #[must_use]
    pub fn is_in_line(&self, line: &[u8]) -> bool {
        // An escape can stand for any letter.
        if !contains_ignoring_case(line, &self.anchor) && memchr::memmem::find(line, br"\u").is_none() {
            return false;
        }
        serde_json::from_slice(line).is_ok_and(|Searched { params, data }| {
            self.is_in_any(params.values()) || data.is_some_and(|data| self.is_in_any(data.values()))
        })
    }
}

/// Whether an ASCII text in lower case is in another, in any case.
fn contains_ignoring_case(text: &[u8], lower: &[u8]) -> bool {
    let Some((first, rest)) = lower.split_first() else { return true };
    let begins = |at: usize| text.get(at + 1..at + lower.len()).is_some_and(|found| found.eq_ignore_ascii_case(rest));
    memchr::memchr2_iter(*first, first.to_ascii_uppercase(), text).any(begins)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(params: &Value, data: &Value) -> Vec<u8> {
        let line = json!({ "id": 1, "user": "fixme", "reason": "fixme", "params": params, "data": data });
        line.to_string().into_bytes()
    }

    #[test]
    fn it_is_found_in_values_of_any_depth_and_case() {
        let params = json!({ "change_url": ["https://Gerrit.example/c/4711"], "count": 12, "fixme": null });
        let data = json!({ "changes": [{ "subject": "Größe: say \"Hi\"\n", "number": 815 }] });
        let line = line(&params, &data);
        for found in
            ["gerrit.EXAMPLE", "4711", "12", "GRÖSSE", "größe", "say \"hi\"", "hi\"\n", "815", "c/47", "\"", "ö"]
        {
            // The upper case of ß is two letters, and lower case does not restore them.
            let is_there = found != "GRÖSSE";
            assert_eq!(Text::new(found).unwrap().is_in_line(&line), is_there, "{found}");
        }
        for absent in ["fixme", "subject", "alice", "null", "gerritexample", "12,"] {
            assert!(!Text::new(absent).unwrap().is_in_line(&line), "{absent}");
        }
        assert!(Text::new("").is_none());
    }

    #[test]
    fn escapes_hide_nothing_and_damage_is_passed_over() {
        let escaped = br#"{"id":1,"params":{"name":"\u0057orld"},"data":null}"#;
        assert!(Text::new("world").unwrap().is_in_line(escaped));
        assert!(!Text::new("world").unwrap().is_in_line(&escaped[..40]));
        let without = br#"{"id":1,"params":{"name":"World"}}"#;
        assert!(Text::new("world").unwrap().is_in_line(without));
    }
}
