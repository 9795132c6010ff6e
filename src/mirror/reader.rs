//! Reading `history.jsonl` on: what was appended, or all of it if it is another file now.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::spool::history::HistoryFile;
use crate::spool::outcome;
use crate::spool::outcome::Outcome;
use crate::spool::status::State;
use crate::spool::{Error, JobId, Result, Spool};

use super::history;
use super::history::{Finished, History, Origin, Origins, Render};

/// How much of what was read is compared with the file before it is read on, in bytes: more than a short line has, so
/// that an operator who writes the file anew is noticed whatever the length.
const TAIL: u64 = 1024;
/// From this size on, in bytes, a history is read by two threads; and what was appended is not read by itself.
const LARGE: u64 = 4 << 20;

/// A place in the history: what comes after it was not read yet.
#[derive(Debug)]
pub struct HistoryReader {
    render: Render,
    file: Option<Arc<HistoryFile>>,
    offset: u64,
    /// What the file has before the offset.
    tail: Vec<u8>,
}

/// What a look at the history comes to.
#[derive(Debug)]
pub enum News {
    /// These lines were appended, each with its offset.
    Appended(Vec<(u64, Vec<u8>)>),
    /// The file is another one than at the last look, or was cut or written anew: this is in it.
    Anew(Box<History>),
}

/// What is needed of each line.
#[derive(Deserialize)]
struct Line<'a> {
    id: JobId,
    #[serde(rename = "type", borrow)]
    job_type: Cow<'a, str>,
    #[serde(borrow)]
    user: Cow<'a, str>,
    state: State,
    #[serde(default, deserialize_with = "outcome::if_known")]
    outcome: Option<Outcome>,
    #[serde(default)]
    retry_of: Option<JobId>,
}

impl HistoryReader {
    /// Nothing was read yet.
    #[must_use]
    pub fn new(render: Render) -> Self {
        Self { render, file: None, offset: 0, tail: Vec::new() }
    }

    /// The job of a line as clients see it, if it is short enough to be kept so.
    pub fn shown(&self, line: &[u8]) -> Option<Arc<RawValue>> {
        history::shown(line, self.render)
    }

    /// Reads on to the end, leaving out what is damaged. An unfinished last line is left for the next look.
    ///
    /// # Errors
    /// The file cannot be read. One that is not there is an empty history.
    pub fn look(&mut self, spool: &Spool) -> Result<News> {
        let Some(found) = HistoryFile::open(spool)? else {
            let was_there = std::mem::replace(self, Self::new(self.render)).file.is_some();
            return Ok(if was_there { News::Anew(Box::default()) } else { News::Appended(Vec::new()) });
        };
        match self.file.clone().filter(|file| file.is(&found)) {
            Some(file) if self.goes_on(&file)? => {
                let mut lines = Vec::new();
                let end =
                    file.for_each_line(self.offset..u64::MAX, |offset, line| lines.push((offset, line.to_vec())))?;
                self.remember(file, end)?;
                Ok(News::Appended(lines))
            }
            _ => {
                let file = Arc::new(found);
                let (history, end) = load(&file, self.render)?;
                self.remember(file, end)?;
                Ok(News::Anew(Box::new(history)))
            }
        }
    }

    /// Whether the file is the one that was read, with not too much behind it.
    fn goes_on(&self, file: &HistoryFile) -> Result<bool> {
        if file.length()?.checked_sub(self.offset).is_none_or(|more| more > LARGE) {
            return Ok(false);
        }
        let mut tail = vec![0; self.tail.len()];
        file.read(&mut tail, self.offset - self.tail.len() as u64)?;
        Ok(tail == self.tail)
    }

    fn remember(&mut self, file: Arc<HistoryFile>, end: u64) -> Result<()> {
        let begin = end.saturating_sub(TAIL);
        let mut tail = vec![0; usize::try_from(end - begin).unwrap_or_default()];
        file.read(&mut tail, begin)?;
        *self = Self { file: Some(file), offset: end, tail, ..Self::new(self.render) };
        Ok(())
    }
}

/// Finds the job of a line, and the one that it tried again. `None` if it is damaged, or says that the job is not final,
/// and so is none of ours.
pub fn parse(line: &[u8], offset: u64, origin: impl FnOnce(&str, &str) -> Origin) -> Option<(Finished, Option<JobId>)> {
    let length = u32::try_from(line.len()).ok()?;
    let Line { id, job_type, user, state, outcome, retry_of } = serde_json::from_slice(line).ok()?;
    if !state.is_final() || state == State::Rejected {
        return None;
    }
    let origin = origin(&job_type, &user);
    Some((Finished { id, state, outcome, origin, offset, length }, retry_of))
}

/// Reads a whole history. Returns where its last whole line ends.
fn load(file: &Arc<HistoryFile>, render: Render) -> Result<(History, u64)> {
    let middle = match file.length()? {
        length @ LARGE.. => file.line_behind(length / 2)?,
        _ => u64::MAX,
    };
    let (first, second) = std::thread::scope(|scope| {
        let second = (middle < u64::MAX).then(|| scope.spawn(move || Part::read(file, middle..u64::MAX)));
        let first = Part::read(file, 0..middle);
        (first, second.map(std::thread::ScopedJoinHandle::join))
    });
    let mut history = History::of(Some(Arc::clone(file)));
    let mut end = first?.join(&mut history);
    // An unfinished line may reach over the middle.
    if let Some(second) = second.filter(|_| end == middle) {
        let panicked = |_| Error::invalid(Path::new("history.jsonl"), "a part of this program that reads it failed");
        end = second.map_err(panicked)??.join(&mut history);
    }
    history.make_ready(render)?;
    Ok((history, end))
}

/// What one thread has read.
struct Part {
    jobs: Vec<Finished>,
    /// The job that was tried again, and the one that did.
    retries: Vec<(JobId, JobId)>,
    origins: Origins,
    end: u64,
}

impl Part {
    fn read(file: &HistoryFile, range: Range<u64>) -> Result<Self> {
        let (mut jobs, mut retries, mut origins) = (Vec::new(), Vec::new(), Origins::default());
        let end = file.for_each_line(range, |offset, line| {
            let parsed = parse(line, offset, |job_type, user| origins.number(job_type, user));
            if let Some((job, retry_of)) = parsed {
                jobs.push(job);
                retries.extend(retry_of.map(|original| (original, job.id)));
            }
        })?;
        Ok(Self { jobs, retries, origins, end })
    }

    /// Puts the jobs into the history, behind those that are in it. Returns where they end in the file.
    fn join(self, history: &mut History) -> u64 {
        let origins: Vec<_> = self.origins.iter().map(|(job_type, user)| history.origin(job_type, user)).collect();
        for job in self.jobs {
            let origin = origins.get(job.origin.index()).copied().unwrap_or(job.origin);
            history.insert(Finished { origin, ..job }, None);
        }
        for (original, retry) in self.retries {
            history.add_retry(original, retry);
        }
        self.end
    }
}
