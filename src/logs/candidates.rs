//! The lines of a log that are worth a look.
//!
//! Most are not: a whole portion is searched for what a line of interest must contain, at the speed of memory. Only
//! what has that is parsed.

use std::iter::Peekable;
use std::vec::IntoIter;

use memchr::memmem::Finder;

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
