//! `history.jsonl`: one line per finished job, for lists and searches. The last line of a number counts.

mod file;

use std::io::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::file::HistoryFile;
use super::atomic;
use super::error::{Error, Result};
use super::fault;
use super::id::{JobId, JobIdSet};
use super::job::end_last_line;
use super::layout::{FILE, Spool};
use super::lock::RunnerLock;
use super::outcome;
use super::outcome::{LastError, Outcome};
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
    #[serde(default, deserialize_with = "outcome::if_known")]
    pub outcome: Option<Outcome>,
    /// Who answered the prompt that decided it, stopped it or cancelled it.
    #[serde(default)]
    pub outcome_by: Option<String>,
    /// The status text that was in force when it ended badly.
    #[serde(default)]
    pub phase: Option<String>,
    /// The last line of its output that looks like an error, if it ended badly. Never a sensitive one.
    #[serde(default)]
    pub last_error: Option<LastError>,
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
    /// Who stopped it before its command started.
    #[serde(default)]
    pub cancelled_by: Option<String>,
    /// The most memory that it had at a time, in bytes.
    #[serde(default)]
    pub memory_peak: Option<u64>,
    /// How much time of processors it had in all, in seconds.
    #[serde(default)]
    pub cpu_seconds: Option<f64>,
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
            outcome: status.outcome,
            outcome_by: status.outcome_by.clone(),
            phase: status.phase.clone(),
            last_error: status.last_error.clone(),
            queued_at: status.queued_at,
            started_at: status.started_at,
            finished_at: status.finished_at,
            exit_status: status.exit_status,
            signal: status.signal,
            reason: status.reason.clone(),
            cancelled_by: status.cancelled_by.clone(),
            memory_peak: status.memory_peak,
            cpu_seconds: status.cpu_seconds,
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

/// Reads the history from its start, leaving out lines that are unfinished or damaged.
///
/// # Errors
/// The file cannot be read. One that is not there is an empty history.
pub fn for_each<T: for<'de> Deserialize<'de>>(spool: &Spool, mut visit: impl FnMut(T)) -> Result<()> {
    let Some(file) = HistoryFile::open(spool)? else { return Ok(()) };
    let visit = |_, line: &[u8]| {
        if let Ok(parsed) = serde_json::from_slice(line) {
            visit(parsed);
        }
    };
    file.for_each_line(0..u64::MAX, visit).map(drop)
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
            outcome_by: None,
            phase: None,
            last_error: None,
            queued_at: Time::from_milliseconds(0),
            started_at: None,
            finished_at: None,
            exit_status: Some(0),
            signal: None,
            reason: None,
            cancelled_by: None,
            memory_peak: None,
            cpu_seconds: None,
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
}
