//! Finds the lines that look like errors to people who scan a log.
//!
//! A line looks like an error if a part of it is red, or if it has one of the [`WORDS`], alone and in any case. It does
//! not if the words stand with a count of zero: `0 errors`, `no errors`, `errors: 0`, `failed=0`.

use super::colours;
use super::colours::Colours;

/// The words, in lower case.
const WORDS: [&str; 12] = [
    "error",
    "errors",
    "fatal",
    "critical",
    "exception",
    "exceptions",
    "traceback",
    "panicked",
    "fail",
    "failed",
    "failure",
    "failures",
];

/// Every line that looks like an error contains one of these, as it is stored and in lower case.
pub const TRACES: [&str; 8] =
    [colours::STORED, "error", "fatal", "critical", "exception", "traceback", "panicked", "fail"];

/// Whether a text, with its colours, looks like an error.
#[must_use]
pub fn looks_like_an_error(text: &str) -> bool {
    if !text.contains('\x1b') {
        return names_an_error(text);
    }
    let mut shown = String::new();
    Colours::default().strip(text, &mut shown);
    is_red(text) || names_an_error(&shown)
}

/// Whether a part of a text is written in red: ECMA-48 SGR, with the colours of xterm.
fn is_red(text: &str) -> bool {
    text.split("\x1b[").skip(1).any(|sequence| {
        let end = sequence.find(|c| !('\x30'..='\x3f').contains(&c)).unwrap_or(sequence.len());
        sequence[end..].starts_with('m') && makes_red(&sequence[..end])
    })
}

fn makes_red(parameters: &str) -> bool {
    let mut parameters = parameters.split(';');
    while let Some(parameter) = parameters.next() {
        match parameter {
            "31" | "91" => return true,
            // A colour of text, background or underline: from the palette, or by its components.
            "38" | "48" | "58" => match parameters.next() {
                Some("5") => {
                    let is_red = matches!(parameters.next(), Some("1" | "9" | "160" | "196"));
                    if is_red && parameter == "38" {
                        return true;
                    }
                }
                Some("2") => {
                    parameters.nth(2);
                }
                _ => {}
            },
            _ => {}
        }
    }
    false
}

fn names_an_error(text: &str) -> bool {
    let mut words = words(text).peekable();
    let mut none_before = false;
    while let Some(word) = words.next() {
        if !word.is_error_word() {
            none_before = word.is_none();
            continue;
        }
        let is_denied = none_before && word.follows_on();
        none_before = false;
        // "No fatal errors": a count applies to all error words in a row.
        let mut end = word.end;
        while let Some(next) = words.next_if(|next| next.is_error_word() && next.follows_on()) {
            end = next.end;
        }
        if !is_denied && !is_counted_as_none(&text[end..]) {
            return true;
        }
    }
    false
}

/// A word or a number in a text.
struct Word<'a> {
    /// The text between it and the word before.
    gap: &'a str,
    text: &'a str,
    /// Its end in the text.
    end: usize,
}

fn is_word_character(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let begin = at + text[at..].find(is_word_character)?;
        let length = text[begin..].find(|c| !is_word_character(c)).unwrap_or(text.len() - begin);
        let gap = &text[at..begin];
        at = begin + length;
        Some(Word { gap, text: &text[begin..at], end: at })
    })
}

impl Word<'_> {
    fn is_error_word(&self) -> bool {
        WORDS.iter().any(|word| word.eq_ignore_ascii_case(self.text))
    }

    /// Whether only space is between it and the word before.
    fn follows_on(&self) -> bool {
        self.gap.trim().is_empty()
    }

    /// Whether it says that the count of the next words is zero. The end of a fraction does not.
    fn is_none(&self) -> bool {
        self.text.eq_ignore_ascii_case("no") || self.text == "0" && !self.gap.ends_with(['.', ','])
    }
}

/// Whether the text after a word is its count, and that is zero.
fn is_counted_as_none(behind: &str) -> bool {
    let count = behind.trim_start_matches(['"', '\'']).trim_start().strip_prefix([':', '=']);
    let Some(more) = count.and_then(|count| count.trim_start().strip_prefix('0')) else { return false };
    let is_fraction = more.strip_prefix(['.', ',']).is_some_and(|more| more.starts_with(|c: char| c.is_ascii_digit()));
    !is_fraction && !more.starts_with(is_word_character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_all(texts: &[&str], expected: bool) {
        for text in texts {
            assert_eq!(looks_like_an_error(text), expected, "{text:?}");
            let stored = serde_json::to_string(text).unwrap().to_lowercase();
            assert!(!expected || TRACES.iter().any(|trace| stored.contains(trace)), "{text:?} has no trace");
        }
    }

    #[test]
    fn every_word_is_a_sign_alone_and_in_whatever_case() {
        for word in WORDS {
            let upper = word.to_uppercase();
            assert_all(&[word, &upper, &format!("a {word}: b"), &format!("[{upper}]"), &format!("é({word})")], true);
            assert_all(&[&format!("x{word}"), &format!("{word}x"), &format!("{word}_1"), &format!("é{word}")], false);
        }
        assert_all(&["", " ", "all is well", "errored", "an errand", "no", "0", ":0"], false);
    }

    #[test]
    fn counts_of_none_are_no_sign() {
        assert_all(
            &[
                "0 errors",
                "found 0  Errors.",
                "no errors",
                "No error",
                "finished with no failures, 0 exceptions and 0 failed",
                "errors: 0",
                "Errors:0, failed : 0",
                "ok: 10; fail: 0; left: 0",
                "ok=3 changed=0 failed=0",
                r#"{"errors": 0}"#,
                "errors: 0.",
                "errors: 0%",
                "no fatal errors",
                "0 critical errors",
                "critical errors: 0",
                "\x1b[32m0\x1b[0m errors",
            ],
            false,
        );
    }

    #[test]
    fn other_counts_are_a_sign() {
        assert_all(
            &[
                "10 errors",
                "1.0 errors",
                "0,0 errors",
                "x0 errors",
                "0 warnings, 3 errors",
                "0: errors",
                "no, errors",
                "no errors, but failed",
                "errors: 0, failed: 3",
                "errors: 10",
                "errors: 01",
                "failed: 0.5",
                "errors: 0x1f",
                "error 0",
                "errors: none",
            ],
            true,
        );
    }

    #[test]
    fn red_text_is_a_sign() {
        for red in ["31", "91", "1;31", "31;1", "0;1;91", "38;5;1", "38;5;9", "38;5;160", "1;38;5;196", "48;5;2;31"] {
            assert_all(&[&format!("\x1b[{red}mtext\x1b[0m"), &format!("a \x1b[0m\x1b[{red}m")], true);
        }
        for other in
            ["", "0", "32", "41", "131", "310", "38;5;2", "38;5;31", "48;5;31", "48;5;1", "38;2;31;91;31", "58;5;9"]
        {
            assert_all(&[&format!("\x1b[{other}mtext\x1b[0m")], false);
        }
        assert_all(&["\x1b[31Ktext", "\x1b[31", "\x1b[", "\x1b", "[31m", "\x1b]31m"], false);
        assert_all(&["\x1b[1mEr\x1b[0mror\x1b[K"], true);
    }
}
