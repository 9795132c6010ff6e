//! Going through the records of a log.
//!
//! Most of them are not looked into: a whole portion is searched for what a record with the text must contain, at the
//! speed of memory. Only what has that, a colour or a flag in it is parsed.

use memchr::memmem::Finder;

use super::super::stored::Stored;
use super::needle::{Colours, Needle, fold};
use crate::spool::log::{Record, RecordKind};

/// What a record has in it that hides its text (an escape character), or that is not a line by itself (a flag).
const SPECIAL: [&[u8]; 2] = [b"\\u001b", b"\":true"];

/// A search through a log.
pub struct Scan {
    needle: Needle,
    special: [Finder<'static>; 2],
    include_sensitive: bool,
    /// The number of the last record that was looked at.
    records: u64,
    line: Line,
    found: Vec<u64>,
    /// How many lines were left out because they are sensitive.
    hidden: u64,
    /// The portion in lower case.
    lowered: Vec<u8>,
}

/// The line of output that is being put together.
#[derive(Default)]
struct Line {
    /// The number of its first record. None if there is no such line.
    first: Option<u64>,
    sensitive: bool,
    is_match: bool,
    colours: Colours,
    /// The end of its text, folded: a match may begin there.
    text: String,
}

impl Scan {
    /// From the beginning of a log.
    pub fn new(needle: Needle, include_sensitive: bool) -> Self {
        Self {
            needle,
            special: SPECIAL.map(Finder::new),
            include_sensitive,
            records: 0,
            line: Line::default(),
            found: Vec::new(),
            hidden: 0,
            lowered: Vec::new(),
        }
    }

    /// How many records were searched.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// How many lines were left out because they are sensitive.
    pub fn hidden(&self) -> u64 {
        self.hidden
    }

    /// The numbers that were found and not taken.
    pub fn found(&self) -> &[u64] {
        &self.found
    }

    /// Takes what was found first, at most so many.
    pub fn take(&mut self, count: usize) -> Vec<u64> {
        let count = count.min(self.found.len());
        self.found.drain(..count).collect()
    }

    /// The log is complete.
    pub fn end(&mut self) {
        self.end_line();
    }

    /// Searches the next lines of the log.
    pub fn portion(&mut self, lines: &[u8]) {
        let mut at = 0;
        let mut places = self.places(lines).into_iter().peekable();
        while at < lines.len() {
            let place = if self.line.first.is_some() {
                at
            } else {
                while places.next_if(|place| *place < at).is_some() {}
                places.peek().copied().unwrap_or(lines.len())
            };
            // What lies before the line with the next place is only counted.
            let begin = memchr::memrchr(b'\n', &lines[at..place]).map_or(at, |newline| at + newline + 1);
            self.records += memchr::memchr_iter(b'\n', &lines[at..begin]).count() as u64;
            let Some(length) = memchr::memchr(b'\n', &lines[begin..]) else { break };
            self.record(&lines[begin..begin + length]);
            at = begin + length + 1;
        }
    }

    /// Where something is that must be looked into, in order.
    fn places(&mut self, lines: &[u8]) -> Vec<usize> {
        self.lowered.clear();
        self.lowered.extend_from_slice(lines);
        self.lowered.make_ascii_lowercase();
        let mut places: Vec<usize> = match self.needle.trace() {
            Some(trace) => trace.find_iter(&self.lowered).collect(),
            None => std::iter::once(0).chain(memchr::memchr_iter(b'\n', lines).map(|newline| newline + 1)).collect(),
        };
        for special in &self.special {
            places.extend(special.find_iter(lines));
        }
        places.sort_unstable();
        places
    }

    fn record(&mut self, record: &[u8]) {
        self.records += 1;
        let Some(stored) = Stored::parse(record) else { return };
        if stored.kind == "line" {
            self.line(&stored);
        } else if let Ok(record) = serde_json::from_slice::<Record>(record)
            && texts_of(&record.kind).into_iter().any(|text| self.needle.is_in(&fold(text)))
        {
            self.found.push(self.records);
        }
    }

    fn line(&mut self, stored: &Stored) {
        let Some(text) = stored.text() else { return };
        if !stored.continues && !stored.rewrites {
            self.end_line();
        }
        let line = &mut self.line;
        line.first.get_or_insert(self.records);
        line.sensitive |= stored.sensitive;
        if stored.rewrites {
            line.is_match = false;
            line.colours = Colours::default();
            line.text.clear();
        }
        if !line.is_match {
            let mut shown = String::new();
            line.colours.strip(&text, &mut shown);
            line.text.push_str(&fold(&shown));
            line.is_match = self.needle.is_in(&line.text);
            line.forget_all_but(self.needle.length() - 1);
        }
        if !stored.continued && !stored.partial {
            self.end_line();
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let Some(first) = line.first else { return };
        if line.sensitive && !self.include_sensitive {
            self.hidden += 1;
        } else if line.is_match {
            self.found.push(first);
        }
    }
}

impl Line {
    /// Keeps so many bytes of the end, or a little more.
    fn forget_all_but(&mut self, bytes: usize) {
        let mut place = self.text.len().saturating_sub(bytes);
        while !self.text.is_char_boundary(place) {
            place -= 1;
        }
        self.text.drain(..place);
    }
}

/// What a person sees of a record that is no line of output.
fn texts_of(kind: &RecordKind) -> Vec<&str> {
    match kind {
        RecordKind::Status { status } => status.as_deref().into_iter().collect(),
        RecordKind::Interaction { prompt, .. } => vec![prompt],
        RecordKind::Response { user, response, .. } => vec![user, response],
        RecordKind::Signal { user, signal } => vec![user, signal],
        RecordKind::Note { note } => vec![note],
        RecordKind::Line(_) | RecordKind::Progress { .. } | RecordKind::Exit(_) => Vec::new(),
    }
}
