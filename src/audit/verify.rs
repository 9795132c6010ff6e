//! Whether the audit trail is what it was. The file is read once, from its beginning, whatever its size and content.

use std::fmt;
use std::path::Path;

use super::reader::{Forwards, Physical, open_settled};
use super::{Line, NOTHING_BEFORE};
use crate::spool::{Result, Time};

/// What [`Audit::verify`](super::Audit::verify) finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// How many lines there are; if the chain is broken, how many come before the break.
    pub lines: u64,
    /// When the first and the last entry were written.
    pub span: Option<(Time, Time)>,
    /// The last entry.
    pub head: Head,
    /// Lines that are no entries, as a crash leaves them. They were there when the next entry was written, or are the last.
    pub fragments: Option<Fragments>,
    /// The first place that was changed.
    pub broken: Option<Break>,
}

/// The end of a chain. Kept where nobody can change it, it vouches for the whole chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the line; 0 if there is none.
    pub line: u64,
    /// The SHA-256 of that line without its newline, in hexadecimal; 64 zeros if there is none.
    pub digest: String,
}

/// Lines that are no entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragments {
    /// How many there are.
    pub count: u64,
    /// The number of the first.
    pub first: u64,
}

/// A place where the chain is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Break {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong there, as far as the lines around it tell.
    pub reason: Reason,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It was changed.
    Changed,
    /// Lines before it are gone.
    Removed {
        /// How many.
        lines: u64,
    },
    /// It was inserted, with lines behind it.
    Inserted {
        /// How many.
        lines: u64,
    },
    /// Another line belongs here, which is further down.
    Order {
        /// The number of the line that belongs here.
        found: u64,
    },
    /// Only its `n` is wrong.
    Number {
        /// Its `n`.
        n: u64,
    },
    /// It is no entry now. When the next line was written it was one, or was not there.
    NoEntry,
    /// It is the first, but says that a line comes before it.
    Beginning,
}

impl fmt::Display for Break {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line;
        match self.reason {
            Reason::Changed => write!(formatter, "line {line} was changed: the next one has the hash of another line"),
            Reason::Removed { lines: 1 } => write!(formatter, "a line was removed before line {line}"),
            Reason::Removed { lines } => write!(formatter, "{lines} lines were removed before line {line}"),
            Reason::Inserted { lines: 1 } => write!(formatter, "line {line} was inserted"),
            Reason::Inserted { lines } => {
                write!(formatter, "lines {line} to {} were inserted", line.saturating_add(lines - 1))
            }
            Reason::Order { found } => {
                write!(formatter, "line {line} is not in its place: what should be there is line {found}")
            }
            Reason::Number { n } => write!(formatter, "line {line} has the number {n}, but fits where it is"),
            Reason::NoEntry => write!(formatter, "line {line} is not an entry: it was changed or inserted"),
            Reason::Beginning => {
                write!(formatter, "line {line} does not begin a chain: its `previous` is not 64 zeros")
            }
        }
    }
}

impl Default for Verdict {
    /// The head of an empty file.
    fn default() -> Self {
        let head = Head { line: 0, digest: NOTHING_BEFORE.to_owned() };
        Self { lines: 0, span: None, head, fragments: None, broken: None }
    }
}

/// Verifies an audit trail; `None` if there is no such file.
///
/// # Errors
/// As [`Audit::verify`](super::Audit::verify).
pub fn verify(path: &Path) -> Result<Option<Verdict>> {
    let Some((file, length)) = open_settled(path)? else { return Ok(None) };
    let mut verdict = Verdict::default();
    let mut lines = Forwards::new(file, path, length);
    // The first fragment behind the head, and the `previous` that the next entry should have.
    let (mut gap, mut expected) = (None, verdict.head.digest.clone());
    while let Some(Physical { number, entry, digest, is_ended }) = lines.next_line()? {
        match entry {
            None => {
                let fragments = verdict.fragments.get_or_insert(Fragments { count: 0, first: number });
                fragments.count += 1;
                // Only the end may be torn: a newline is written by the next entry, which has it in its hash.
                if is_ended || gap.is_some() {
                    gap.get_or_insert(number);
                }
            }
            Some(line) => {
                if line.n != number || line.previous != expected {
                    let suspect = Suspect { line, number, digest, expected };
                    verdict.broken = Some(match gap {
                        Some(first) => suspect.explain_gap(first, &verdict.head),
                        None => suspect.explain(&mut lines)?,
                    });
                    return Ok(Some(verdict));
                }
                gap = None;
                verdict.head = Head { line: number, digest: digest.clone() };
                let first = verdict.span.map_or(line.time, |(first, _)| first);
                verdict.span = Some((first, line.time));
            }
        }
        verdict.lines = number;
        expected = digest;
    }
    verdict.broken = gap.map(|line| Break { line, reason: Reason::NoEntry });
    Ok(Some(verdict))
}

/// An entry that does not fit the line before it.
struct Suspect {
    line: Line,
    /// Which line it is.
    number: u64,
    digest: String,
    /// The `previous` that it should have.
    expected: String,
}

impl Suspect {
    /// Explains it if lines before it, from `first`, are no entries.
    fn explain_gap(&self, first: u64, head: &Head) -> Break {
        let is_next = self.line.n == first && self.line.previous == head.digest;
        let reason = if is_next { Reason::Inserted { lines: self.number - first } } else { Reason::NoEntry };
        Break { line: first, reason }
    }

    /// Finds out what happened, from the lines after it.
    fn explain(&self, lines: &mut Forwards) -> Result<Break> {
        let (here, n) = (self.number, self.line.n);
        let (mut next, mut found, mut behind_found) = (None, None, None);
        while let Some(Physical { number, entry, .. }) = lines.next_line()? {
            let Some(line) = entry else { continue };
            if found.is_some() {
                behind_found = Some(line.n);
                break;
            }
            if line.n == here && line.previous == self.expected {
                found = Some(number);
            }
            if number == here + 1 {
                next = Some(line);
            }
        }
        if let Some(found) = found {
            let is_swapped = (here + 1..=found).contains(&n) && behind_found.is_none_or(|n| n == found + 1);
            let reason = if is_swapped { Reason::Order { found } } else { Reason::Inserted { lines: found - here } };
            return Ok(Break { line: here, reason });
        }
        // Whether it is what it was when the next line was written, and whether that one is in its place.
        let is_confirmed = next.as_ref().is_none_or(|next| next.previous == self.digest);
        let is_in_place = next.as_ref().is_some_and(|next| next.n == here + 1);
        // Then it and those behind it belong together, and what stands before it does not.
        let is_continued = is_confirmed && next.is_some_and(|next| next.n == n.saturating_add(1));
        let (line, reason) = if n == here {
            match (here, is_confirmed) {
                (1, true) => (1, Reason::Beginning),
                (_, true) => (here - 1, Reason::Changed),
                (_, false) => (here, Reason::Changed),
            }
        } else if !is_confirmed && is_in_place {
            (here, Reason::Changed)
        } else if self.line.previous == self.expected {
            (here, Reason::Number { n })
        } else if n > here {
            (here, Reason::Removed { lines: n - here })
        } else if is_continued && n > 0 {
            (n, Reason::Inserted { lines: here - n })
        } else {
            (here, Reason::Inserted { lines: 1 })
        };
        Ok(Break { line, reason })
    }
}
