//! Pages of the audit trail, the newest entries first.

use std::fs::File;
use std::path::Path;

use serde::Serialize;

use super::Event;
use super::line::Line;
use super::reader::{BLOCK, Backwards, first_entry_behind};
use crate::spool::{Error, Result};
use crate::text::Text;

/// How much of the file is looked through for one page, in bytes. It takes a fraction of a second.
const SPAN: u64 = 32 << 20;

/// The distance in bytes below which a place is not searched by halves. It is four blocks, and an entry begins in each.
const NEAR: u64 = 4 * BLOCK as u64;

/// Which entries are asked for. Several values of one field mean any of them.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only these events; none means all.
    pub events: Vec<Event>,
    /// Only what these users did; none means all.
    pub users: Vec<String>,
    /// Only entries with this text in the event, the user, the address, the request or the details.
    pub text: Option<Text>,
}

/// A page of entries.
#[derive(Debug, Default, Serialize)]
pub struct Page {
    /// The entries, the newest first.
    pub entries: Vec<Line>,
    /// Whether there may be more before them.
    pub more: bool,
    /// The `before` that asks for those.
    pub next: Option<u64>,
}

impl Page {
    fn go_on_from(&mut self, next: Option<u64>) {
        self.more = next.is_some();
        self.next = next;
    }
}

impl Filter {
    fn passes(&self, line: &Line) -> bool {
        let is_event = self.events.is_empty() || self.events.iter().any(|event| event.word() == line.event);
        let is_user = self.users.is_empty() || line.user.as_ref().is_some_and(|user| self.users.contains(user));
        is_event && is_user && self.text.as_ref().is_none_or(|text| is_in(text, line))
    }
}

fn is_in(text: &Text, line: &Line) -> bool {
    let words = [Some(&*line.event), line.user.as_deref(), Some(&line.address), line.request.as_deref()];
    words.into_iter().flatten().any(|word| text.is_in_text(word)) || text.is_in_any(line.details.values())
}

pub(crate) fn read(file: &File, path: &Path, filter: &Filter, before: Option<u64>, limit: usize) -> Result<Page> {
    let metadata = file.metadata().map_err(|error| Error::io("look at", path, error))?;
    let before = before.unwrap_or(u64::MAX);
    let begin = end_of(file, path, before, metadata.len())?;
    let mut lines = Backwards::new(file, path, begin)?;
    let mut page = Page::default();
    // The lowest number so far. It is lower than `before`, so going on from it comes to an end, whatever the numbers are.
    let mut seen = None;
    while let Some(place) = lines.next_place()? {
        if begin - place.start > SPAN {
            page.go_on_from(seen);
            break;
        }
        let Some(line) = lines.entry(&place)? else { continue };
        if line.n >= before {
            continue;
        }
        let n = line.n;
        if filter.passes(&line) {
            if page.entries.len() >= limit {
                page.go_on_from(seen);
                break;
            }
            page.entries.push(line);
        }
        seen = Some(seen.map_or(n, |seen: u64| seen.min(n)));
    }
    Ok(page)
}

/// An offset that ends a line, a little behind the last line with a number below `before`. The numbers rise, so it is found
/// by halves. If they do not rise, or cannot be read, a page may begin anywhere.
fn end_of(file: &File, path: &Path, before: u64, length: u64) -> Result<u64> {
    let (mut low, mut high) = (0, length);
    while before <= length && high - low > NEAR {
        let Some((begin, line)) = first_entry_behind(file, path, low + (high - low) / 2)? else { break };
        if line.n < before {
            low = begin;
        } else {
            high = begin;
        }
    }
    Ok(high)
}
