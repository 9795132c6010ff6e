//! The audit trail: `audit.jsonl` in the state directory, a line for each thing that somebody did, or tried to do.
//!
//! It only grows. Several API processes and commands append to it at once, each under the file's `flock`. Each line has
//! the hash of the line before, so that a later change of the file shows: [`Audit::verify`] says where.
//!
//! | question | file |
//! |---|---|
//! | Which events are there? | [`event`] |
//! | How does a line look? | [`mod@line`] |
//! | How is a page of entries found? | [`page`], [`reader`] |
//! | Is the trail what it was? | [`mod@verify`] |
//! | Which refusals get a line? | [`refusals`] |

mod event;
mod line;
mod page;
mod reader;
pub mod refusals;
#[cfg(test)]
mod tests;
mod verify;

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

pub use self::event::Event;
pub use self::line::Line;
pub use self::page::{Filter, Page};
use self::reader::{Backwards, digest_of};
pub use self::verify::{Break, Fragments, Head, Reason, Verdict, verify};
use crate::spool::atomic;
use crate::spool::atomic::Durability;
use crate::spool::error::Missing as _;
use crate::spool::layout::SECRET_FILE;
use crate::spool::{Error, Result, Time, lock, open};
use crate::state::StateDirectory;

/// Its name in the state directory.
const NAME: &str = "audit.jsonl";

/// How long an entry waits for those before it.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the first line has instead of the hash of the one before.
const NOTHING_BEFORE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The audit trail of a state directory.
#[derive(Debug)]
pub struct Audit {
    directory: StateDirectory,
    path: PathBuf,
    problem: Mutex<Option<String>>,
}

/// What somebody did, or tried to do.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it was.
    pub event: Event,
    /// Who it was, if that is known; for a refused sign-in who they said they are.
    pub user: Option<String>,
    /// Where they were: an IP address, `unix` for those who came by a socket without telling more, or `host` for commands.
    pub address: String,
    /// The identifier of the request.
    pub request: Option<String>,
    /// The rest, by the kind of event. It may be anything that people have typed, but no secret. Long texts are cut, and
    /// end with `…` then.
    pub details: Map<String, Value>,
}

impl Audit {
    /// The audit trail of a state directory; both need not be there yet.
    #[must_use]
    pub fn new(directory: StateDirectory) -> Self {
        Self { path: directory.join(NAME), directory, problem: Mutex::default() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why the last entry is not there, if that is so.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Adds an entry. It reads only what it needs of the end of the file, and blocks for others who append.
    ///
    /// # Errors
    /// The file cannot be locked, read, written or synced. An entry that could not be written whole is passed over by
    /// the next one.
    pub fn append(&self, entry: &Entry, durability: Durability) -> Result<()> {
        let added = self.add(entry, durability);
        let problem = added.as_ref().err().map(ToString::to_string);
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
        added
    }

    fn add(&self, entry: &Entry, durability: Durability) -> Result<()> {
        self.directory.make()?;
        let file = self.lock()?;
        let end = self.size(&file)?;
        if end == 0 {
            atomic::give_to_owner_of_directory(&file, &self.path)?;
        }
        let tail = self.tail(&file, end)?;
        let mut bytes = if tail.is_ended { Vec::new() } else { vec![b'\n'] };
        // The clock is read under the lock, so that the times are in order.
        bytes.extend(Line::new(tail.n.saturating_add(1), Time::now(), entry, tail.digest).into_bytes());
        bytes.push(b'\n');
        atomic::append(&file, &self.path, &bytes)?;
        if durability == Durability::Synced {
            atomic::sync_file(&self.path)?;
            if end == 0 {
                atomic::sync_directory(self.directory.path())?;
            }
        }
        Ok(())
    }

    /// The newest entries that pass a filter, and are before line `before`: at most `limit`. It reads from the end, and
    /// only so much at once; the page says where to go on.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn page(&self, filter: &Filter, before: Option<u64>, limit: usize) -> Result<Page> {
        let Some(file) = open::read_only(&self.path).missing_is_none()? else { return Ok(Page::default()) };
        page::read(&file, &self.path, filter, before, limit)
    }

    /// Reads the whole file as it is now, and follows the chain.
    ///
    /// # Errors
    /// The file cannot be read, or an entry that is being written does not end.
    pub fn verify(&self) -> Result<Verdict> {
        Ok(verify(&self.path)?.unwrap_or_default())
    }

    /// The file that is at the path once it is locked: somebody may move it away to begin another one.
    fn lock(&self) -> Result<File> {
        loop {
            let file = atomic::open_append(&self.path, SECRET_FILE)?;
            take_lock(&file, &self.path)?;
            if lock::is_at(&self.path, &file)? {
                return Ok(file);
            }
        }
    }

    fn size(&self, file: &File) -> Result<u64> {
        file.metadata().map(|metadata| metadata.size()).map_err(|error| Error::io("look at", &self.path, error))
    }

    /// What the next entry has to know of those before.
    fn tail(&self, file: &File, end: u64) -> Result<Tail> {
        let mut lines = Backwards::new(file, &self.path, end)?;
        // From the beginning of the last entry to the end of the last line.
        let (mut last, mut n) = (None::<Range<u64>>, 0_u64);
        while let Some(place) = lines.next_place()? {
            last = Some(place.start..last.map_or(place.end, |last| last.end));
            let entry = lines.entry(&place)?;
            n = n.saturating_add(entry.as_ref().map_or(1, |line| line.n));
            if entry.is_some() {
                break;
            }
        }
        let Some(last) = last else {
            return Ok(Tail { n: 0, digest: NOTHING_BEFORE.to_owned(), is_ended: true });
        };
        Ok(Tail { n, is_ended: last.end < end, digest: digest_of(file, &self.path, last)? })
    }
}

fn take_lock(file: &File, path: &Path) -> Result<()> {
    if lock::exclusive_within(file, path, PATIENCE)? {
        return Ok(());
    }
    let holder = "another process writes to it; `fuser` on the file names it".to_owned();
    Err(Error::Locked { path: path.to_owned(), holder })
}

/// The end of the file.
#[derive(Debug)]
struct Tail {
    /// The number of the last line.
    n: u64,
    /// What the next line has as `previous`.
    digest: String,
    /// Whether the last line has its newline.
    is_ended: bool,
}
