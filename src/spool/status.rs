//! `status.json`: what a job is doing now.

use std::path::PathBuf;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::id::JobId;
use super::outcome;
use super::outcome::{LastError, Outcome};
use super::plan::Plan;
use super::request::json_line;
use super::time::Time;

/// The version of `status.json` that this program writes.
pub const VERSION: u32 = 1;

/// Where a job is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It waits in `queue/`.
    Queued,
    /// It is claimed; its command was not executed yet.
    Starting,
    /// Its command runs.
    Running,
    /// A prompt is open.
    Waiting,
    /// A signal was delivered; the command has not ended yet.
    Stopping,
    /// The command ended with status 0.
    Succeeded,
    /// The command ended otherwise, or could not be executed.
    Failed,
    /// It was stopped before its command started.
    Cancelled,
    /// The supervisor died; how the command ended is unknown.
    Lost,
    /// It was not a valid job.
    Rejected,
}

impl State {
    /// All there are, in the order of a life.
    pub const ALL: [Self; 10] = [
        Self::Queued,
        Self::Starting,
        Self::Running,
        Self::Waiting,
        Self::Stopping,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Lost,
        Self::Rejected,
    ];

    /// Whether nothing will change any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled | Self::Lost | Self::Rejected)
    }

    /// Whether the command may have been executed and has not been seen to end.
    #[must_use]
    pub fn is_started(self) -> bool {
        matches!(self, Self::Running | Self::Waiting | Self::Stopping)
    }

    /// The word that stands in the files.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Stopping => "stopping",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
            Self::Rejected => "rejected",
        }
    }
}

/// How a prompt is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InteractionKind {
    /// By one of its codes.
    Choices,
    /// By any one line.
    InputLine,
}

/// An open prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// The prompt's number within the job, from 1.
    pub id: u32,
    /// How it is answered.
    pub kind: InteractionKind,
    /// The question.
    pub prompt: String,
    /// Label → code, in the order of the job. Empty for an input line.
    pub choices: IndexMap<String, String>,
    /// The code that an empty answer stands for.
    pub default: Option<String>,
    /// The answer is hidden from people, and kept nowhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    /// When it was asked.
    pub asked_at: Time,
}

/// A process that cannot be mistaken for a later one with the same number, given the boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Its number.
    pub pid: i32,
    /// When it started, in clock ticks since boot: field 22 of `/proc/PID/stat` (proc(5)).
    pub start_time: u64,
}

/// The state of a job, replaced as a whole at every change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Always [`VERSION`].
    pub version: u32,
    /// The job.
    pub id: JobId,
    /// Its type.
    #[serde(rename = "type")]
    pub job_type: String,
    /// Who asked for it.
    pub user: String,
    /// The lane it runs in.
    pub lane: String,
    /// Where it is in its life.
    pub state: State,
    /// When it was submitted.
    pub queued_at: Time,
    /// When its command was about to be executed.
    pub started_at: Option<Time>,
    /// When it ended, or was found to have ended.
    pub finished_at: Option<Time>,
    /// The argument vector, with sensitive parameters as `•••`.
    pub command: Vec<String>,
    /// The job's own status text.
    pub message: Option<String>,
    /// The job's own progress.
    pub progress: Option<Map<String, Value>>,
    /// The open prompt.
    pub interaction: Option<Interaction>,
    /// The number of the last prompt whose answer was given to the job.
    #[serde(default)]
    pub answered: Option<u32>,
    /// The exit status of the command.
    pub exit_status: Option<i32>,
    /// The signal that killed the command.
    pub signal: Option<i32>,
    /// Why it failed, was cancelled or lost, and by whom.
    pub reason: Option<String>,
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
    /// Who stopped it before its command started.
    #[serde(default)]
    pub cancelled_by: Option<String>,
    /// Since when it has printed nothing, if that is longer than its type's `quiet_after` and it waits for nobody.
    #[serde(default)]
    pub quiet_since: Option<Time>,
    /// What people must know of a job that runs, in a sentence: it has asked something that cannot be shown.
    #[serde(default)]
    pub warning: Option<String>,
    /// Why the last stop did not reach all of the job, and what to do: a sentence for people.
    #[serde(default)]
    pub stop_refused: Option<String>,
    /// The most memory that it had at a time, in bytes, if the kernel counted that for its control group.
    #[serde(default)]
    pub memory_peak: Option<u64>,
    /// How much time of processors it had in all, in seconds, if it had a control group.
    #[serde(default)]
    pub cpu_seconds: Option<f64>,
    /// How many records the log had when this was written.
    pub log_records: u64,
    /// How many bytes of output could not be kept.
    pub dropped_bytes: u64,
    /// Value of `SPIDERPIG_JOB_MARKER` in the environment of everything that belongs to the job.
    pub marker: Option<String>,
    /// The boot in which the processes below live.
    pub boot_id: Option<String>,
    /// The control group that the command was started in.
    #[serde(default)]
    pub cgroup: Option<PathBuf>,
    /// The command, which leads its session and process group.
    pub process: Option<ProcessIdentity>,
    /// The supervisor.
    pub supervisor: Option<ProcessIdentity>,
}

impl Status {
    /// The bytes of the file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        json_line(self)
    }

    /// The first status of a job that is being claimed.
    #[must_use]
    pub fn starting(plan: &Plan, job_type: &str, command: Vec<String>, queued_at: Time) -> Self {
        Self {
            version: VERSION,
            id: plan.id,
            job_type: job_type.to_owned(),
            user: plan.user.clone(),
            lane: plan.lane.clone(),
            state: State::Starting,
            queued_at,
            started_at: None,
            finished_at: None,
            command,
            message: None,
            progress: None,
            interaction: None,
            answered: None,
            exit_status: None,
            signal: None,
            reason: None,
            outcome: None,
            outcome_by: None,
            phase: None,
            last_error: None,
            cancelled_by: None,
            quiet_since: None,
            warning: None,
            stop_refused: None,
            memory_peak: None,
            cpu_seconds: None,
            log_records: 0,
            dropped_bytes: 0,
            marker: Some(plan.marker.clone()),
            boot_id: None,
            cgroup: None,
            process: None,
            supervisor: None,
        }
    }

    /// Whether its command was executed and has been seen to end.
    #[must_use]
    pub fn has_run(&self) -> bool {
        self.exit_status.is_some() || self.signal.is_some()
    }

    /// Ends the job in this state, now.
    pub fn finish(&mut self, state: State, outcome: Outcome, reason: Option<String>) {
        self.state = state;
        self.outcome = Some(outcome);
        self.reason = reason;
        self.interaction = None;
        self.progress = None;
        self.quiet_since = None;
        self.warning = None;
        self.stop_refused = None;
        self.finished_at = Some(Time::now());
    }
}
