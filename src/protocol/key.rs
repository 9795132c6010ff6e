//! The key of a job: the secret that makes a line of output a message.

use std::borrow::Cow;
use std::fmt;

use memchr::memmem::Finder;

/// The replacement for the key in stored text.
const REMOVED: &str = "[key removed]";

/// The secret of one job. A message with it comes from the job or one of its children.
#[derive(Clone)]
pub struct IoKey {
    text: String,
    finder: Finder<'static>,
}

impl IoKey {
    /// A fresh key: `0x` and 64 hex digits, 256 random bits.
    ///
    /// # Errors
    /// The kernel has no random bytes.
    pub fn generate() -> Result<Self, getrandom::Error> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut secret = [0_u8; 32];
        getrandom::fill(&mut secret)?;
        let mut text = String::from("0x");
        for byte in secret {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        Ok(Self::from_text(text))
    }

    /// The key that another process generated, as in `SPIDERPIG_IO_KEY`. An empty key matches nothing.
    pub fn from_text(text: impl Into<String>) -> Self {
        let text = text.into();
        let finder = Finder::new(text.as_bytes()).into_owned();
        Self { text, finder }
    }

    /// The secret as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first place of the key in `bytes`.
    pub(super) fn find(&self, bytes: &[u8]) -> Option<usize> {
        if self.text.is_empty() { None } else { self.finder.find(bytes) }
    }

    pub(super) fn is_in(&self, text: &str) -> bool {
        self.find(text.as_bytes()).is_some()
    }

    /// The text without the key.
    pub(super) fn redact<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        if self.is_in(&text) { Cow::Owned(text.replace(&self.text, REMOVED)) } else { text }
    }

    /// The length of the end of `bytes` that may be the beginning of an incomplete key.
    pub(super) fn partial_key_length(&self, bytes: &[u8]) -> usize {
        // A whole key may end in the way that it begins ("…0"). Only the bytes after it can begin another.
        let mut after_keys = bytes;
        while let Some(at) = self.find(after_keys) {
            after_keys = &after_keys[at + self.text.len()..];
        }
        let key = self.text.as_bytes();
        (1..key.len()).rev().find(|&length| after_keys.ends_with(&key[..length])).unwrap_or(0)
    }
}

impl fmt::Debug for IoKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("IoKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_is_0x_and_64_hex_digits_and_never_the_same() {
        let key = IoKey::generate().unwrap();
        let digits = key.as_str().strip_prefix("0x").unwrap();
        assert_eq!(digits.len(), 64);
        assert!(digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        assert_ne!(key.as_str(), IoKey::generate().unwrap().as_str());
    }

    #[test]
    fn debug_output_hides_the_key() {
        assert_eq!(format!("{:?}", IoKey::from_text("0xabc")), "IoKey(hidden)");
    }

    #[test]
    fn the_longest_beginning_at_the_end_counts() {
        let key = IoKey::from_text("0x0x12");
        assert_eq!(key.partial_key_length(b"text 0x0x1"), 5);
        assert_eq!(key.partial_key_length(b"text 0x"), 2);
        assert_eq!(key.partial_key_length(b"text"), 0);
    }

    #[test]
    fn a_whole_key_at_the_end_begins_no_other() {
        let key = IoKey::from_text("0xab0");
        assert_eq!(key.partial_key_length(b"0xab0"), 0);
        assert_eq!(key.partial_key_length(b"0xab00x"), 2);
    }

    #[test]
    fn an_empty_key_is_nowhere() {
        let key = IoKey::from_text("");
        assert!(!key.is_in("text"));
        assert_eq!(key.redact("text".into()), "text");
        assert_eq!(key.partial_key_length(b"text"), 0);
    }
}
