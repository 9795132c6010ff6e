//! A commit message in pieces: text, and links to tasks and changes.

use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;
use serde_json::{Value, json};

use super::change::query;
use crate::config::GerritUrl;

/// A task, or a change by its Change-Id.
#[expect(clippy::unwrap_used, reason = "a test reads the expression")]
static LINKED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b(?:T[0-9]+|I[0-9a-f]{7,40})\b").unwrap());

/// A piece that leads somewhere.
#[derive(Debug, Serialize)]
struct Link<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    href: String,
    text: &'a str,
}

/// The pieces of a text in their order: strings, in which what means something in HTML is escaped, and links.
pub fn linkify(text: &str, gerrit: &GerritUrl, phorge: &str) -> Vec<Value> {
    let mut pieces = Vec::new();
    let mut rest = 0;
    let plain = |text: &str, pieces: &mut Vec<Value>| {
        if !text.is_empty() {
            pieces.push(Value::from(escape(text)));
        }
    };
    for found in LINKED.find_iter(text) {
        plain(&text[rest..found.start()], &mut pieces);
        let text = found.as_str();
        let href = if text.starts_with('T') { format!("{phorge}/{text}") } else { query(gerrit, text) };
        pieces.push(json!(Link { kind: "link", href, text }));
        rest = found.end();
    }
    plain(&text[rest..], &mut pieces);
    pieces
}

/// For the page of the original, which puts these strings into its HTML.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for symbol in text.chars() {
        match symbol {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#x27;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::testing::gerrit_url;

    fn pieces(text: &str) -> Vec<Value> {
        linkify(text, &gerrit_url(), "https://phorge.test")
    }

    fn link(href: &str, text: &str) -> Value {
        json!({ "type": "link", "href": href, "text": text })
    }

    #[test]
    fn tasks_and_changes_become_links_and_all_else_is_escaped() {
        let expected = [
            json!("Say &quot;hi&quot; &amp; &lt;b&gt;don&#x27;t&lt;/b&gt;\n\nBug: "),
            link("https://phorge.test/T123", "T123"),
            json!(", see "),
            link("https://gerrit.test/r/q/I0123abc", "I0123abc"),
            json!("."),
        ];
        assert_eq!(pieces("Say \"hi\" & <b>don't</b>\n\nBug: T123, see I0123abc."), expected);
        assert_eq!(pieces("T1"), [link("https://phorge.test/T1", "T1")]);
        assert_eq!(pieces(""), [] as [Value; 0]);
    }

    #[test]
    fn what_only_looks_like_one_is_text() {
        let long = format!("I{}", "0".repeat(41));
        for text in ["T", "Tx1", "XT1", "T1x", "I012345", "I0123abg", "It", "I0123ABC", "éT1", "_T1", &long] {
            assert_eq!(pieces(text), [json!(text)]);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_string_is_html(text in "(\\PC|T[0-9]{1,3}|[<>&'\"\n ]| I[0-9a-f]{7,8} ){0,20}") {
            let mut whole = String::new();
            for piece in pieces(&text) {
                match piece {
                    Value::String(string) => {
                        prop_assert!(!string.contains(['<', '>', '"', '\'']));
                        whole.push_str(&string);
                    }
                    link => whole.push_str(&escape(link["text"].as_str().unwrap())),
                }
            }
            prop_assert_eq!(whole, escape(&text));
        }
    }
}
