//! Searching a job's log.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use memchr::memmem::Finder;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::lines::{Line, Lines};
use super::note_sensitive;
use crate::api::app::App;
use crate::api::blocking;
use crate::api::error::{ApiError, Invalid};
use crate::api::jobs::{id_in_path, no_such_job};
use crate::api::mirror::Ending;
use crate::api::request::Request;
use crate::api::response::{self, Response};
use crate::api::routes::{Argument, ArgumentKind};
use crate::spool::Result as SpoolResult;
use crate::spool::log::LogReader;

/// What [`search`] understands.
pub const ARGUMENTS: &[Argument] = &[
    Argument { name: "q", kind: ArgumentKind::Text, help: "What to look for, whatever its case; at most 1,000 bytes" },
    super::INCLUDE_SENSITIVE,
];

/// The longest text that is looked for, in bytes.
const TEXT_LIMIT: usize = 1000;

/// A search ends after so many matches.
const MATCH_LIMIT: u64 = 10_000;

/// How many chunks of the log are searched before the client is told of what was found in them.
const CHUNKS: usize = 16;

/// `GET /api/jobs/{id}/log/search`: JSON lines: a `match` for each line that has the text, with the number of its first
/// record; then `end`, which says whether the log was searched to its end as it was then.
///
/// # Errors
/// 404 if there is no such job, 422 without a text and for arguments of the wrong kind.
pub async fn search(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let id = id_in_path(&request)?;
    let query = request.query()?;
    let include_sensitive = query.flag("include_sensitive")?;
    let text = query.get("q").unwrap_or_default();
    if text.is_empty() || text.len() > TEXT_LIMIT {
        return Err(no_text(text));
    }
    if app.mirror.view().ending(id) == Ending::NoSuchJob {
        return Err(no_such_job(id));
    }
    note_sensitive(id, include_sensitive);
    let search = Search {
        reader: LogReader::open(&app.spool.job(id)).map_err(ApiError::internal)?,
        matcher: Matcher::new(text),
        lines: Lines::default(),
        include_sensitive,
        found: Found::default(),
    };
    let (sender, response) = response::stream("application/octet-stream", app.shutdown.clone());
    tokio::spawn(async move {
        if let Err(error) = run(app, search, sender).await {
            tracing::error!(job = %id, ?error, "a search broke off");
        }
    });
    Ok(response)
}

fn no_text(text: &str) -> ApiError {
    ApiError::invalid(Invalid {
        kind: "value_error",
        location: vec!["query".into(), "q".into()],
        message: format!("A search needs a text of 1 to {TEXT_LIMIT} bytes"),
        input: text.into(),
    })
}

/// Searches until the end of the log, of the time, or of the client's patience.
async fn run(app: Arc<App>, mut search: Search, sender: mpsc::Sender<Bytes>) -> Result<(), ApiError> {
    // Others search: the client may have left before it is its turn.
    let Ok(_turn) = app.searches.acquire().await else { return Ok(()) };
    let deadline = Instant::now() + app.limits.search;
    loop {
        let (step, searched) = blocking::run(move || (search.step(), search)).await?;
        search = searched;
        let more = step.map_err(ApiError::internal)?;
        let is_late = Instant::now() >= deadline;
        let told = search.found.take();
        if !told.is_empty() && !send(&sender, told, deadline).await {
            return Ok(());
        }
        if !more || is_late || search.found.matches >= MATCH_LIMIT || sender.is_closed() {
            let end = search.end(!more);
            send(&sender, end, deadline + Duration::from_secs(1)).await;
            return Ok(());
        }
    }
}

/// Returns whether the client took it in time.
async fn send(sender: &mpsc::Sender<Bytes>, told: Vec<u8>, deadline: Instant) -> bool {
    matches!(tokio::time::timeout_at(deadline, sender.send(told.into())).await, Ok(Ok(())))
}

/// A search and how far it has come. It goes to another thread for each step and comes back.
struct Search {
    /// None if there is no log.
    reader: Option<LogReader>,
    matcher: Matcher,
    lines: Lines,
    include_sensitive: bool,
    found: Found,
}

/// What was found.
#[derive(Default)]
struct Found {
    matches: u64,
    hidden: u64,
    told: Vec<u8>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Told {
    Match {
        recno: u64,
    },
    End {
        matches: u64,
        /// How many records were searched.
        records: u64,
        /// How many lines were not searched, because they are sensitive.
        hidden: u64,
        complete: bool,
    },
}

impl Search {
    /// Searches some more. Returns whether there may be more after it.
    fn step(&mut self) -> SpoolResult<bool> {
        let Self { reader: Some(reader), matcher, lines, include_sensitive, found } = self else { return Ok(false) };
        for _ in 0..CHUNKS {
            let first = reader.records() + 1;
            let Some(chunk) = reader.read()? else {
                lines.finish(&mut |line| found.look_at(line, matcher, *include_sensitive));
                return Ok(false);
            };
            lines.read(first, chunk, &mut |line| found.look_at(line, matcher, *include_sensitive));
            if found.matches >= MATCH_LIMIT {
                break;
            }
        }
        Ok(true)
    }

    fn end(&mut self, complete: bool) -> Vec<u8> {
        let Found { matches, hidden, .. } = self.found;
        let records = self.reader.as_ref().map_or(0, LogReader::records);
        let complete = complete && matches < MATCH_LIMIT;
        self.found.tell(&Told::End { matches, records, hidden, complete });
        self.found.take()
    }
}

impl Found {
    fn look_at(&mut self, line: &Line, matcher: &mut Matcher, include_sensitive: bool) {
        if line.sensitive && !include_sensitive {
            self.hidden += 1;
        } else if self.matches < MATCH_LIMIT && matcher.is_in(line.text) {
            self.matches += 1;
            self.tell(&Told::Match { recno: line.first });
        }
    }

    fn tell(&mut self, told: &Told) {
        // Serialising numbers to memory cannot fail.
        let _ = serde_json::to_writer(&mut self.told, told);
        self.told.push(b'\n');
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.told)
    }
}

/// Looks for a text, whatever its case.
struct Matcher {
    finder: Finder<'static>,
    /// The line without colours and in lower case.
    folded: String,
}

impl Matcher {
    fn new(text: &str) -> Self {
        Self { finder: Finder::new(&text.to_lowercase()).into_owned(), folded: String::new() }
    }

    fn is_in(&mut self, text: &str) -> bool {
        self.folded.clear();
        let mut rest = text;
        while let Some((before, escape)) = rest.split_once('\x1b') {
            fold(before, &mut self.folded);
            rest = behind_escape(escape);
        }
        fold(rest, &mut self.folded);
        self.finder.find(self.folded.as_bytes()).is_some()
    }
}

fn fold(text: &str, folded: &mut String) {
    if text.is_ascii() {
        let begin = folded.len();
        folded.push_str(text);
        folded[begin..].make_ascii_lowercase();
    } else {
        folded.push_str(&text.to_lowercase());
    }
}

/// What follows the rest of an escape sequence, which begins behind the escape character: a control sequence of
/// ECMA-48 as colours are, or an operating system command as links are. Of others one character is left out.
fn behind_escape(escape: &str) -> &str {
    if let Some(sequence) = escape.strip_prefix('[') {
        let end = sequence.find(|c: char| ('@'..='~').contains(&c));
        return end.map_or("", |end| &sequence[end + 1..]);
    }
    if let Some(command) = escape.strip_prefix(']') {
        let end = command.find(['\x07', '\x1b']);
        return end.map_or("", |end| command[end..].trim_start_matches(['\x07', '\x1b', '\\']));
    }
    let mut characters = escape.chars();
    characters.next();
    characters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in(text: &str, line: &str) -> bool {
        Matcher::new(text).is_in(line)
    }

    #[test]
    fn case_does_not_matter_in_any_script() {
        assert!(is_in("error", "An ERROR came"));
        assert!(is_in("ÄRGER", "viel ärger"));
        assert!(!is_in("error", "terro"));
    }

    #[test]
    fn colours_and_links_do_not_hide_a_text() {
        assert!(is_in("all ok now", "\x1b[1;32mall \x1b[0mok\x1b[m now"));
        assert!(is_in("see this", "see \x1b]8;;http://x\x07this\x1b]8;;\x07"));
        assert!(is_in("see this", "see \x1b]8;;http://x\x1b\\this"));
        assert!(!is_in("32m", "\x1b[32mgreen"));
        assert!(!is_in("x", "\x1b[1"), "a sequence that is cut off is no text");
    }
}
