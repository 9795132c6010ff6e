//! Finds a runner or supervisor that hangs: it holds its lock, but it does not read its files, or the kernel reports
//! its process as stopped.
//!
//! There is no heartbeat: a late heartbeat does not prove that a process hangs, but an unread file does.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::error::Result;
use super::id::JobId;
use super::inbox;
use super::inbox::{Letter, Purpose, Recipient};
use super::job::Job;
use super::layout;
use super::layout::Spool;
use super::queue;
use super::queue::{HARD_LINK_PATIENCE, age_in_seconds};
use super::runner_state::RunnerState;
use super::status::{ProcessIdentity, Status};

/// The age from which an unread file counts as a sign of a stall, in seconds.
const PATIENCE: i64 = 10;
/// The same, in seconds, if the process that should read the file cannot be seen, for example from another container.
/// It may be dead, and the runner about to recover its job.
const PATIENCE_IF_HIDDEN: i64 = 60;
/// A runner with many waiting jobs writes `runner.json` less often. For each so many jobs it gets one more second.
const WAITING_PER_SECOND: usize = 5000;

/// A process that hangs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    /// The role of the process.
    pub role: Role,
    /// The evidence.
    pub evidence: Evidence,
    /// The state of the process in the kernel.
    pub process: Option<ProcessState>,
}

/// The role of a process that hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The runner.
    Runner,
    /// The supervisor of a job.
    Supervisor(JobId),
}

/// The sign of a stall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// The process is stopped, by a signal or a debugger.
    Stopped,
    /// The process has not read a file.
    Unread {
        /// The file's path within the spool.
        file: String,
        /// The age of the file, in seconds.
        seconds: i64,
    },
}

/// The state of a process in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessState {
    /// The process number.
    pub pid: i32,
    /// The letter of proc(5): `T` and `t` mean stopped, `D` means waiting for a device.
    pub state: char,
}

impl ProcessState {
    /// Reads the state of a process. `None` if it is gone or cannot be seen.
    fn of(process: ProcessIdentity) -> Option<Self> {
        // The command name is in parentheses, and may itself contain parentheses.
        let stat = std::fs::read(format!("/proc/{}/stat", process.pid)).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        let fields: Vec<&str> = stat[stat.rfind(')')? + 1..].split_ascii_whitespace().collect();
        let start_time: u64 = fields.get(19)?.parse().ok()?;
        let state = fields.first()?.chars().next()?;
        (start_time == process.start_time).then_some(Self { pid: process.pid, state })
    }

    fn is_stopped(self) -> bool {
        matches!(self.state, 'T' | 't')
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (who, harm) = match self.role {
            Role::Runner => ("The job runner".to_owned(), "no job starts".to_owned()),
            Role::Supervisor(id) => (
                format!("The supervisor of job {id}"),
                format!("job {id} cannot be answered or stopped, and its output is not read"),
            ),
        };
        match &self.evidence {
            Evidence::Stopped => write!(formatter, "{who} is stopped: {harm}")?,
            Evidence::Unread { file, seconds } => {
                write!(formatter, "{who} has not read {file}, which has been there for {seconds} seconds")?;
            }
        }
        match self.process {
            Some(ProcessState { pid, state: 'T' }) => {
                write!(
                    formatter,
                    ". Somebody has sent its process SIGSTOP or SIGTSTP; to continue it: kill -CONT \
                                   {pid}"
                )
            }
            Some(ProcessState { pid, state: 't' }) => {
                write!(formatter, ". A debugger holds its process {pid}; end the debugger")
            }
            Some(ProcessState { pid, state: 'D' }) => {
                write!(formatter, ". Its process {pid} waits for a device; read the kernel's messages (dmesg)")
            }
            Some(ProcessState { pid, .. }) => write!(formatter, ". Look at its process {pid} and at its log"),
            None => write!(formatter, ". Look at its process and at its log"),
        }
    }
}

/// Finds the stalls of a running runner and of the supervisors. `state` is the runner's `runner.json`.
///
/// # Errors
/// A directory of the spool cannot be read.
pub fn find(spool: &Spool, state: &RunnerState) -> Result<Vec<Stall>> {
    Search { spool, state, later: 0 }.run()
}

/// The data of one search.
struct Search<'a> {
    spool: &'a Spool,
    state: &'a RunnerState,
    /// Seconds to add to the present time, so that tests need not wait.
    later: i64,
}

impl Search<'_> {
    fn run(&self) -> Result<Vec<Stall>> {
        let Self { spool, state, .. } = *self;
        let mut stalls = Vec::new();
        let runner = state.process.and_then(ProcessState::of);
        stalls.extend(stopped(Role::Runner, runner));
        let letters = inbox::list(spool)?.0;
        if stalls.is_empty() {
            let unread = match self.unlisted_job()? {
                None => letters.iter().find_map(|letter| self.unread_by_runner(letter)),
                unread => unread,
            };
            stalls.extend(unread.map(|evidence| Stall { role: Role::Runner, evidence, process: runner }));
        }
        for name in layout::names(&spool.running())? {
            if let Some(id) = name.to_str().and_then(|name| name.parse().ok()) {
                stalls.extend(self.supervisor(id, &letters));
            }
        }
        Ok(stalls)
    }

    /// A job in the queue that is not in `runner.json`.
    fn unlisted_job(&self) -> Result<Option<Evidence>> {
        let Self { spool, state, .. } = *self;
        let waiting: usize = state.lanes.values().map(|lane| lane.waiting.len()).sum();
        let patience = PATIENCE + i64::try_from(waiting / WAITING_PER_SECOND).unwrap_or(i64::MAX - PATIENCE);
        let is_known =
            |id: &JobId| state.held.contains_key(id) || state.lanes.values().any(|lane| lane.waiting.contains_key(id));
        for id in queue::list(spool)?.0.into_iter().filter(|id| !is_known(id)) {
            // The age first, then the job's directory: a job that is claimed meanwhile has both for a while.
            let unread = self.unread(&format!("queue/{id}.json"), patience);
            if unread.is_some() && !Job::new(spool, id).exists() {
                return Ok(unread);
            }
        }
        Ok(None)
    }

    fn unread_by_runner(&self, letter: &Letter) -> Option<Evidence> {
        if letter.recipient.job().is_some() {
            return None;
        }
        self.unread(&format!("inbox/{}", letter.name.display()), PATIENCE)
    }

    /// Examines the supervisor of a running job. It should have read each signal, and the answer to the open prompt.
    /// Older answers stay in the inbox until the job ends.
    fn supervisor(&self, id: JobId, letters: &[Letter]) -> Option<Stall> {
        let status = Job::new(self.spool, id).status().ok()??;
        if status.state.is_final() {
            return None;
        }
        let role = Role::Supervisor(id);
        let process =
            status.supervisor.filter(|_| status.boot_id == super::process::boot_id()).and_then(ProcessState::of);
        if let Some(stall) = stopped(role, process) {
            return Some(stall);
        }
        let patience = if process.is_some() { PATIENCE } else { PATIENCE_IF_HIDDEN };
        letters.iter().filter(|letter| is_unread(letter, id, &status)).find_map(|letter| {
            let evidence = self.unread(&format!("inbox/{}", letter.name.display()), patience)?;
            Some(Stall { role, evidence, process })
        })
    }

    /// Whether a file is older than `patience`. It leaves out files that the runner reports as problems already. A file
    /// with several names gets more time, because the runner waits for its writer.
    fn unread(&self, file: &str, patience: i64) -> Option<Evidence> {
        let metadata = std::fs::symlink_metadata(self.spool.root().join(Path::new(file))).ok()?;
        let patience = if metadata.nlink() > 1 { patience.max(2 * HARD_LINK_PATIENCE) } else { patience };
        let seconds = age_in_seconds(metadata.ctime()) + self.later;
        if seconds < patience || self.state.problems.iter().any(|problem| problem.contains(file)) {
            return None;
        }
        Some(Evidence::Unread { file: file.to_owned(), seconds })
    }
}

fn stopped(role: Role, process: Option<ProcessState>) -> Option<Stall> {
    process.filter(|process| process.is_stopped())?;
    Some(Stall { role, evidence: Evidence::Stopped, process })
}

fn is_unread(letter: &Letter, id: JobId, status: &Status) -> bool {
    match letter.recipient {
        Recipient::Job(job, Purpose::Signal) => job == id,
        Recipient::Job(job, Purpose::Response(prompt)) => {
            job == id && status.interaction.as_ref().is_some_and(|open| open.id == prompt)
        }
        Recipient::Pause | Recipient::Resume => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::inbox::{JobSignal, RunnerRequest, SignalRequest};
    use crate::spool::lock::RunnerLock;
    use crate::spool::queue::NewJob;
    use crate::spool::sequence;

    fn spool() -> (tempfile::TempDir, Spool) {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(directory.path()).unwrap();
        sequence::repair(&spool, &RunnerLock::take(&spool).unwrap(), 0, 0).unwrap();
        (directory, spool)
    }

    fn state(change: impl FnOnce(&mut RunnerState)) -> RunnerState {
        let mut state: RunnerState = serde_json::from_value(serde_json::json!({
            "version": 1, "pid": 1, "started_at": "2026-01-01T00:00:00.000Z", "program": "test", "configuration": "",
            "watching": true, "job_types": [], "paused": null, "lanes": {}, "failed_starts": {}, "problems": []
        }))
        .unwrap();
        change(&mut state);
        state
    }

    fn found(spool: &Spool, state: &RunnerState, later: i64) -> Vec<String> {
        Search { spool, state, later }.run().unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_job_missing_in_runner_json_is_reported_after_10_seconds() {
        let (_directory, spool) = spool();
        let id = queue::submit(&spool, NewJob { job_type: "x".into(), user: "alice".into(), ..NewJob::default() });
        let id = id.unwrap().id;
        assert!(found(&spool, &state(|_| ()), PATIENCE - 5).is_empty());
        let told = found(&spool, &state(|_| ()), PATIENCE + 5);
        assert!(told[0].starts_with("The job runner has not read queue/1.json, which has been"), "{told:?}");
        for known in [
            state(|state| drop(state.held.insert(id, "why".into()))),
            state(|state| drop(state.lanes.entry("a".into()).or_default().waiting.insert(id, "why".into()))),
            state(|state| state.problems.push("cannot read /spool/queue/1.json: EIO".into())),
        ] {
            assert!(found(&spool, &known, 1000).is_empty());
        }
        crate::spool::atomic::create_directory(&spool.job(id), 0o750).unwrap();
        assert!(found(&spool, &state(|_| ()), 1000).is_empty(), "it is claimed");
    }

    #[test]
    fn an_unread_pause_is_reported() {
        let (_directory, spool) = spool();
        inbox::pause(&spool, "x", &RunnerRequest { user: "alice".into(), reason: String::new() }).unwrap();
        assert!(found(&spool, &state(|_| ()), 0).is_empty());
        assert!(found(&spool, &state(|_| ()), PATIENCE + 5)[0].contains("inbox/runner.pause.x.json"));
    }

    #[test]
    fn an_unread_signal_or_answer_to_the_open_prompt_is_reported() {
        let (_directory, spool) = spool();
        let id: JobId = "7".parse().unwrap();
        let status = serde_json::json!({
            "version": 1, "id": 7, "type": "x", "user": "alice", "lane": "a", "state": "waiting",
            "queued_at": "2026-01-01T00:00:00.000Z", "command": [], "log_records": 0, "dropped_bytes": 0,
            "boot_id": crate::spool::process::boot_id(),
            "interaction": {"id": 2, "kind": "choices", "prompt": "?", "choices": {}, "default": null,
                            "asked_at": "2026-01-01T00:00:00.000Z"}
        });
        crate::spool::atomic::create_directory(&spool.job(id), 0o750).unwrap();
        let write = |status: &serde_json::Value| {
            let path = spool.job(id).join("status.json");
            let durability = crate::spool::atomic::Durability::Ordered;
            crate::spool::atomic::replace(&path, status.to_string().as_bytes(), 0o640, durability).unwrap();
        };
        write(&status);
        crate::spool::atomic::symlink(Path::new("../jobs/7"), &spool.running_link(id)).unwrap();
        let answer = inbox::Answer { user: "alice".into(), response: "y".into() };
        inbox::answer(&spool, id, 1, &answer).unwrap();
        assert!(found(&spool, &state(|_| ()), 1000).is_empty(), "an answer that was given stays until the end");
        inbox::answer(&spool, id, 2, &answer).unwrap();
        let told = found(&spool, &state(|_| ()), PATIENCE_IF_HIDDEN + 5);
        assert!(told[0].starts_with("The supervisor of job 7 has not read inbox/7.response.2.json"), "{told:?}");
        let signal = SignalRequest { user: "alice".into(), signal: JobSignal::Kill };
        inbox::signal(&spool, id, "x", &signal).unwrap();
        assert!(found(&spool, &state(|_| ()), PATIENCE_IF_HIDDEN + 5)[0].contains("inbox/7.signal.x.json"));
        assert!(found(&spool, &state(|_| ()), PATIENCE_IF_HIDDEN - 5).is_empty());
        let mut ended = status;
        ended["state"] = "failed".into();
        write(&ended);
        assert!(found(&spool, &state(|_| ()), 1000).is_empty());
    }
}
