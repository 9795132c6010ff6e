//! Colours in output.

/// The beginning of a colour, as it is stored in a log.
pub const STORED: &str = "\\u001b[";

/// Removes colours and other control sequences (ECMA-48 CSI) from a text that arrives in pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    /// Outside a sequence.
    #[default]
    Outside,
    /// After the escape character.
    Escape,
    /// Before the final byte.
    Inside,
}

impl Colours {
    /// Appends a piece without its sequences.
    pub fn strip(&mut self, piece: &str, text: &mut String) {
        if *self == Self::Outside && memchr::memchr(0x1b, piece.as_bytes()).is_none() {
            text.push_str(piece);
            return;
        }
        for character in piece.chars() {
            *self = match (*self, character) {
                (_, '\x1b') => Self::Escape,
                (Self::Escape, '[') | (Self::Inside, '\x20'..='\x3f') => Self::Inside,
                (Self::Inside, '\x40'..='\x7e') => Self::Outside,
                (_, other) => {
                    text.push(other);
                    Self::Outside
                }
            };
        }
    }
}
