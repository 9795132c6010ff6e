//! `history.jsonl`: one line per finished job, for lists and searches. The last line of a number counts.

use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::atomic;
use super::error::{Error, Missing as _, Result};
use super::fault;
use super::id::{JobId, JobIdSet};
use super::job::end_last_line;
use super::layout::{FILE, Spool};
use super::lock::RunnerLock;
use super::open;
use super::request::{JobRequest, json_line};
use super::status::{State, Status};
use super::time::Time;

/// A finished job in one line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryLine {
    /// The job. It stands first, so that `grep '^{"id":42,'` finds it.
    pub id: JobId,
    /// Its type.
    #[serde(rename = "type")]
    pub job_type: String,
    /// Who asked for it.
    pub user: String,
    /// Its lane.
    pub lane: String,
    /// Its final state.
    pub state: State,
    /// How it ended, in one word.
    pub outcome: Option<String>,
    /// When it was submitted.
    pub queued_at: Time,
    /// When its command was executed.
    pub started_at: Option<Time>,
    /// When it ended.
    pub finished_at: Option<Time>,
    /// The exit status of the command.
    pub exit_status: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
    /// Why it failed, was cancelled or lost.
    pub reason: Option<String>,
    /// The argument vector as people may see it.
    pub command: Vec<String>,
    /// The parameters as people may see them.
    pub params: Map<String, Value>,
    /// What was shown to people beside the parameters.
    pub data: Option<Map<String, Value>>,
    /// The job that it tried again.
    pub retry_of: Option<JobId>,
    /// How many records its log has.
    pub log_records: u64,
}

impl HistoryLine {
    /// The line of a job from its documents.
    #[must_use]
    pub fn new(status: &Status, request: Option<&JobRequest>, params: Map<String, Value>) -> Self {
        Self {
            id: status.id,
            job_type: status.job_type.clone(),
            user: status.user.clone(),
            lane: status.lane.clone(),
            state: status.state,
            outcome: status.outcome.clone(),
            queued_at: status.queued_at,
            started_at: status.started_at,
            finished_at: status.finished_at,
            exit_status: status.exit_status,
            signal: status.signal,
            reason: status.reason.clone(),
            command: status.command.clone(),
            params,
            data: request.and_then(|request| request.data.clone()),
            retry_of: request.and_then(|request| request.retry_of),
            log_records: status.log_records,
        }
    }
}

/// Appends a line, first ending one that a crash left unfinished. Not synced: it can be made again.
///
/// # Errors
/// The file cannot be written.
pub fn append(spool: &Spool, _runner: &RunnerLock, line: &HistoryLine) -> Result<()> {
    let path = spool.history();
    let mut file = atomic::open_append(&path, FILE)?;
    end_last_line(&mut file, &path)?;
    fault::point().and_then(|()| file.write_all(&json_line(line))).map_err(|error| Error::io("write", &path, error))
}

/// A place in the history: what comes after it was not read yet.
#[derive(Debug, Default)]
pub struct Cursor {
    /// Device and inode: which file the offset is for.
    identity: (u64, u64),
    offset: u64,
}

impl Cursor {
    /// Reads on to the end, leaving out damaged lines. An unfinished last line is left for the next time. A file that
    /// was replaced or cut since the last time is read from its start.
    ///
    /// # Errors
    /// The file cannot be read. One that is not there is an empty history.
    pub fn read_on<T: for<'de> Deserialize<'de>>(&mut self, spool: &Spool, mut visit: impl FnMut(T)) -> Result<()> {
        let path = spool.history();
        let wrap = |error| Error::io("read", &path, error);
        let Some(mut file) = open::read_only(&path).missing_is_none()? else { return Ok(()) };
        let metadata = file.metadata().map_err(wrap)?;
        let identity = (metadata.dev(), metadata.ino());
        if identity != self.identity || metadata.len() < self.offset {
            *self = Self { identity, offset: 0 };
        }
        file.seek(SeekFrom::Start(self.offset)).map_err(wrap)?;
        let mut reader = BufReader::with_capacity(1 << 18, file);
        let mut line = Vec::new();
        loop {
            line.clear();
            let length = reader.read_until(b'\n', &mut line).map_err(wrap)?;
            if !line.ends_with(b"\n") {
                return Ok(());
            }
            self.offset += length as u64;
            if let Ok(parsed) = serde_json::from_slice(&line) {
                visit(parsed);
            }
        }
    }
}

/// Reads the history from its start, leaving out lines that are unfinished or damaged.
///
/// # Errors
/// The file cannot be read. One that is not there is an empty history.
pub fn for_each<T: for<'de> Deserialize<'de>>(spool: &Spool, visit: impl FnMut(T)) -> Result<()> {
    Cursor::default().read_on(spool, visit)
}

/// The numbers of all jobs in the history.
///
/// # Errors
/// The file cannot be read.
pub fn ids(spool: &Spool) -> Result<JobIdSet> {
    #[derive(Deserialize)]
    struct OnlyId {
        id: JobId,
    }
    let mut ids = JobIdSet::default();
    for_each(spool, |line: OnlyId| {
        ids.insert(line.id);
    })?;
    Ok(ids)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests damage files by hand")]
mod tests {
    use super::*;

    fn line(number: u64) -> HistoryLine {
        HistoryLine {
            id: JobId::try_from(number).unwrap(),
            job_type: "noop".into(),
            user: "alice".into(),
            lane: "default".into(),
            state: State::Succeeded,
            outcome: None,
            queued_at: Time::from_milliseconds(0),
            started_at: None,
            finished_at: None,
            exit_status: Some(0),
            signal: None,
            reason: None,
            command: vec![],
            params: Map::new(),
            data: None,
            retry_of: None,
            log_records: 1,
        }
    }

    #[test]
    fn a_torn_last_line_is_ended_and_its_job_is_missing() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(directory.path()).unwrap();
        let runner = RunnerLock::take(&spool).unwrap();
        assert_eq!(ids(&spool).unwrap(), JobIdSet::default());
        append(&spool, &runner, &line(1)).unwrap();
        append(&spool, &runner, &line(2)).unwrap();
        let text = std::fs::read_to_string(spool.history()).unwrap();
        assert!(text.starts_with("{\"id\":1,"), "{text}");
        std::fs::write(spool.history(), &text[..text.len() - 20]).unwrap();
        append(&spool, &runner, &line(3)).unwrap();
        let ids = ids(&spool).unwrap();
        let found: Vec<bool> = (1..=3).map(|number| ids.contains(JobId::try_from(number).unwrap())).collect();
        assert_eq!(found, [true, false, true]);
    }

    #[test]
    fn a_cursor_reads_each_line_once_and_a_new_file_from_its_start() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(directory.path()).unwrap();
        let runner = RunnerLock::take(&spool).unwrap();
        let mut cursor = Cursor::default();
        let mut new = || {
            let mut ids = Vec::new();
            cursor.read_on(&spool, |line: HistoryLine| ids.push(line.id.get())).unwrap();
            ids
        };
        assert!(new().is_empty());
        append(&spool, &runner, &line(1)).unwrap();
        assert_eq!(new(), [1]);
        let whole = std::fs::read(spool.history()).unwrap();
        std::fs::write(spool.history(), [&whole[..], b"{\"id\":2,"].concat()).unwrap();
        assert!(new().is_empty(), "the unfinished line waits");
        append(&spool, &runner, &line(3)).unwrap();
        assert_eq!(new(), [3], "what was unfinished is ended, and damaged");
        std::fs::write(directory.path().join("rebuilt"), &whole).unwrap();
        std::fs::rename(directory.path().join("rebuilt"), spool.history()).unwrap();
        assert_eq!(new(), [1]);
    }
}
