//! `history.jsonl`: one line for each finished job, for lists and searches. If a job has several lines, the last one
//! counts.

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

/// The line of a finished job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryLine {
    /// The job. It comes first, so that `grep '^{"id":42,'` finds the line.
    pub id: JobId,
    /// Its type.
    #[serde(rename = "type")]
    pub job_type: String,
    /// The user who asked for it.
    pub user: String,
    /// Its lane.
    pub lane: String,
    /// Its final state.
    pub state: State,
    /// The outcome.
    #[serde(default, deserialize_with = "outcome::if_known")]
    pub outcome: Option<Outcome>,
    /// The user who answered the prompt that decided the outcome, or who stopped or cancelled the job.
    #[serde(default)]
    pub outcome_by: Option<String>,
    /// The last status text of a job that ended badly.
    #[serde(default)]
    pub phase: Option<String>,
    /// The last line of output that looks like an error, of a job that ended badly. It is never a sensitive line.
    #[serde(default)]
    pub last_error: Option<LastError>,
    /// The time when it was submitted.
    pub queued_at: Time,
    /// The time when its command was executed.
    pub started_at: Option<Time>,
    /// The time when it ended.
    pub finished_at: Option<Time>,
    /// The exit status of the command.
    pub exit_status: Option<i32>,
    /// The signal that killed the command.
    pub signal: Option<i32>,
    /// The reason why it failed, was cancelled or lost.
    pub reason: Option<String>,
    /// The user who stopped it before its command started.
    #[serde(default)]
    pub cancelled_by: Option<String>,
    /// The most memory that it used at a time, in bytes.
    #[serde(default)]
    pub memory_peak: Option<u64>,
    /// The processor time that it used in all, in seconds.
    #[serde(default)]
    pub cpu_seconds: Option<f64>,
    /// The argument vector as people may see it.
    pub command: Vec<String>,
    /// The parameters as people may see them.
    pub params: Map<String, Value>,
    /// Data that people saw beside the parameters.
    pub data: Option<Map<String, Value>>,
    /// The job of which it was a retry.
    pub retry_of: Option<JobId>,
    /// The number of records in its log.
    pub log_records: u64,
}

impl HistoryLine {
    /// Makes the line of a job from its documents.
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

/// Appends a line, after ending one that a crash left unfinished. It does not sync, because the line can be made again.
///
/// # Errors
/// The file cannot be written.
pub fn append(spool: &Spool, _runner: &RunnerLock, line: &HistoryLine) -> Result<()> {
    let path = spool.history();
    let mut file = atomic::open_append(&path, FILE)?;
    end_last_line(&mut file, &path)?;
    fault::point().and_then(|()| file.write_all(&json_line(line))).map_err(|error| Error::io("write", &path, error))
}

/// Reads the history from its start. Leaves out unfinished and damaged lines.
///
/// # Errors
/// The file cannot be read. A missing file is an empty history.
pub fn for_each<T: for<'de> Deserialize<'de>>(spool: &Spool, mut visit: impl FnMut(T)) -> Result<()> {
    let Some(file) = HistoryFile::open(spool)? else { return Ok(()) };
    let visit = |_, line: &[u8]| {
        if let Ok(parsed) = serde_json::from_slice(line) {
            visit(parsed);
        }
    };
    file.for_each_line(0..u64::MAX, visit).map(drop)
}

/// Reads the numbers of all jobs in the history.
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
