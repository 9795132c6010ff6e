//! Records as they stand in the file: what is in them, and which of them are worth a look.
//!
//! Few records are worth one. So a fast search finds a trace in whole portions: a text that every record of interest must
//! contain. Only records with a trace are parsed.

use std::borrow::Cow;
use std::iter::Peekable;
use std::vec::IntoIter;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::protocol::Piece;

/// A record, if it is a line: borrowed, and its text as it stands, because there are millions of them.
#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "these are the members that the record has")]
pub struct Stored<'a> {
    /// The type of the record.
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    /// When it was written, as it stands.
    #[serde(borrow)]
    pub time: Option<&'a RawValue>,
    #[serde(borrow)]
    line: Option<&'a RawValue>,
    /// The text is for those who may see sensitive lines.
    #[serde(default)]
    pub sensitive: bool,
    /// The line was too long for one record and goes on in the next.
    #[serde(default)]
    pub continued: bool,
    /// The line had no end when it was written.
    #[serde(default)]
    pub partial: bool,
    /// It goes on with the line before it.
    #[serde(default)]
    pub continues: bool,
    /// It takes the place of the line before it.
    #[serde(default)]
    pub rewrites: bool,
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

/// What stands in a stored record that is not a plain line of output: a flag.
pub const FLAG: &str = "\":true";

/// What lines of interest have in them, in whatever case.
#[derive(Debug)]
pub struct Traces {
    finders: Vec<Finder<'static>>,
    /// A portion in lower case.
    lowered: Vec<u8>,
}

impl Traces {
    /// Texts, all in lower case.
    pub fn new(texts: impl IntoIterator<Item: AsRef<str>>) -> Self {
        let finders = texts.into_iter().map(|text| Finder::new(text.as_ref()).into_owned());
        Self { finders: finders.collect(), lowered: Vec::new() }
    }

    /// Where one of them is, in order.
    pub fn places(&mut self, lines: &[u8]) -> Vec<usize> {
        self.lowered.clear();
        self.lowered.extend_from_slice(lines);
        self.lowered.make_ascii_lowercase();
        let found = self.finders.iter().flat_map(|finder| finder.find_iter(&self.lowered));
        let mut places: Vec<usize> = found.collect();
        places.sort_unstable();
        places
    }
}

/// Goes through the lines of a portion. Those that are passed over are only counted.
#[derive(Debug)]
pub struct Candidates<'a> {
    lines: &'a [u8],
    at: usize,
    places: Peekable<IntoIter<usize>>,
    number: u64,
}

impl<'a> Candidates<'a> {
    /// The lines behind so many, of which those are candidates that have one of the `places`, which are in order.
    #[must_use]
    pub fn new(before: u64, lines: &'a [u8], places: Vec<usize>) -> Self {
        Self { lines, at: 0, places: places.into_iter().peekable(), number: before }
    }

    /// The number of the line that was given last; at the end, of the last line.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The next candidate, or the next line if it is one in any case.
    pub fn next(&mut self, in_any_case: bool) -> Option<&'a [u8]> {
        let Self { lines, at, .. } = *self;
        while self.places.next_if(|place| *place < at).is_some() {}
        let place = if in_any_case { Some(at) } else { self.places.peek().copied() };
        let place = place.unwrap_or(lines.len());
        let begin = memchr::memrchr(b'\n', &lines[at..place]).map_or(at, |newline| at + newline + 1);
        self.number += memchr::memchr_iter(b'\n', &lines[at..begin]).count() as u64;
        self.at = begin;
        let length = memchr::memchr(b'\n', &lines[begin..])?;
        self.number += 1;
        self.at += length + 1;
        Some(&lines[begin..begin + length])
    }
}
