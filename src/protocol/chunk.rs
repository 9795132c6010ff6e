//! The fast path: borrows whole lines of plain text from the bytes of a read.

use memchr::{memchr, memmem};

use super::candidate::OPENING;
use super::key::IoKey;

/// The bytes of one read, and the results of the searches in it so far.
///
/// Almost all output is short plain lines. One search in each read tests them together, without a copy.
pub(super) struct Chunk<'a> {
    bytes: &'a [u8],
    /// The bytes up to the first one that is not UTF-8.
    text: &'a str,
    key: Next,
    opening: Next,
    carriage_return: Next,
    /// The text before this place is plain.
    plain_until: usize,
}

/// The next place of something. It is searched again only after the reader has passed it.
#[derive(Clone, Copy)]
struct Next(Option<usize>);

impl Next {
    fn pass(&mut self, at: usize, find: impl FnOnce() -> Option<usize>) -> usize {
        if self.0.is_none_or(|place| place < at) {
            self.0 = Some(find().map_or(usize::MAX, |offset| at + offset));
        }
        self.0.unwrap_or(usize::MAX)
    }
}

impl<'a> Chunk<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let text = match str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
        };
        let unknown = Next(None);
        Self { bytes, text, key: unknown, opening: unknown, carriage_return: unknown, plain_until: 0 }
    }

    /// The line that begins at `at`, if it ends in this read, has at most `limit` bytes, and is only text.
    pub(super) fn plain_line(&mut self, at: usize, limit: usize, key: &IoKey) -> Option<&'a str> {
        let rest = self.text.get(at..)?;
        let length = memchr(b'\n', rest.as_bytes())?;
        if length > limit || at + length > self.plain_until(at, key) {
            return None;
        }
        rest.get(..length)
    }

    fn plain_until(&mut self, at: usize, key: &IoKey) -> usize {
        if at >= self.plain_until {
            let rest = &self.bytes[at..];
            let key = self.key.pass(at, || key.find(rest));
            let opening = self.opening.pass(at, || memmem::find(rest, OPENING.as_bytes()));
            let carriage_return = self.carriage_return.pass(at, || memchr(b'\r', rest));
            self.plain_until = key.min(opening).min(carriage_return);
        }
        self.plain_until
    }
}
