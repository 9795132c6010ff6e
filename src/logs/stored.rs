//! A record as it stands in the file, looked into no further than needed.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::protocol::Piece;

/// A record, if it is a line: borrowed, and its text as it stands, because there are millions of them.
#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "these are the members that the record has")]
pub struct Stored<'a> {
    #[serde(rename = "type", borrow)]
    pub(crate) kind: Cow<'a, str>,
    /// When it was written, as it stands.
    #[serde(borrow)]
    pub time: Option<&'a RawValue>,
    #[serde(borrow)]
    line: Option<&'a RawValue>,
    #[serde(default)]
    pub(crate) sensitive: bool,
    #[serde(default)]
    pub(crate) continued: bool,
    #[serde(default)]
    pub(crate) partial: bool,
    #[serde(default)]
    pub(crate) continues: bool,
    #[serde(default)]
    pub(crate) rewrites: bool,
}

impl<'a> Stored<'a> {
    /// The record in a line of the log. `None` if it is none.
    #[must_use]
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        serde_json::from_str(std::str::from_utf8(line).ok()?).ok()
    }

    /// The text of a line of output, as it stands between the quotes of a JSON string.
    #[must_use]
    pub fn escaped(&self) -> Option<&'a str> {
        self.line?.get().strip_prefix('"')?.strip_suffix('"')
    }

    /// The same, decoded.
    pub fn text(&self) -> Option<Cow<'a, str>> {
        let escaped = self.escaped()?;
        if memchr::memchr(b'\\', escaped.as_bytes()).is_none() {
            return Some(Cow::Borrowed(escaped));
        }
        serde_json::from_str(self.line?.get()).ok().map(Cow::Owned)
    }

    /// The line of output, or piece of one, with its text decoded.
    #[must_use]
    pub fn piece<'t>(&self, text: &'t str) -> Piece<'t> {
        let Self { sensitive, continued, partial, continues, rewrites, .. } = *self;
        Piece { text, sensitive, continued, partial, continues, rewrites }
    }
}

/// Each line of a portion of a log, without its newline.
pub fn lines(portion: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut begin = 0;
    memchr::memchr_iter(b'\n', portion)
        .map(move |newline| &portion[std::mem::replace(&mut begin, newline + 1)..newline])
}
