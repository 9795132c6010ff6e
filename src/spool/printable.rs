//! Makes text of other people safe for terminals, because `grep` and `jq -r` print a file's bytes as they are.

use std::fmt::Write as _;

/// Replaces each control character, also line feeds, by its escape as in JSON. So a line stays one line, and cannot
/// send commands to a terminal.
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
