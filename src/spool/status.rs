//! `status.json`: the state of a job.

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

/// The state of a job's command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The job waits in `queue/`.
    Queued,
    /// The job is claimed. Its command was not executed yet.
    Starting,
    /// The command runs.
    Running,
    /// The command runs, and a prompt is open.
    Waiting,
    /// A signal was delivered. The command has not ended yet.
    Stopping,
    /// The command ended with status 0.
    Succeeded,
    /// The command ended with another status or by a signal, or could not be executed.
    Failed,
    /// Somebody stopped the job before its command started.
    Cancelled,
    /// The supervisor died, so the end of the command is unknown.
    Lost,
    /// The file was not a valid job.
    Rejected,
}

impl State {
    /// All states, in the order of a job's life.
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

    /// Whether the job has ended.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled | Self::Lost | Self::Rejected)
    }

    /// Whether the command may have been executed, and its end was not recorded yet.
    #[must_use]
    pub fn is_started(self) -> bool {
        matches!(self, Self::Running | Self::Waiting | Self::Stopping)
    }

    /// Its word in the files.
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

/// The kind of answer to a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InteractionKind {
    /// One of the choices, by its code.
    Choices,
    /// A line of text.
    InputLine,
}

/// An open prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interaction {
    /// The prompt's number within the job, from 1.
    pub id: u32,
    /// The kind of answer.
    pub kind: InteractionKind,
    /// The question.
    pub prompt: String,
    /// Label → code, in the order of the job. Empty for an input line.
    pub choices: IndexMap<String, String>,
    /// The code that an empty answer stands for.
    pub default: Option<String>,
    /// Whether the answer is hidden from people and stored nowhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
    /// The time when it was opened.
    pub asked_at: Time,
}

/// Identifies a process within a boot, also if a later process gets the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The process number.
    pub pid: i32,
    /// The time when it started, in clock ticks since boot: field 22 of `/proc/PID/stat` (proc(5)).
    pub start_time: u64,
}

/// The content of `status.json`. The file is replaced at every change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Always [`VERSION`].
    pub version: u32,
    /// The job.
    pub id: JobId,
    /// Its type.
    #[serde(rename = "type")]
    pub job_type: String,
    /// The user who asked for it.
    pub user: String,
    /// The lane it runs in.
    pub lane: String,
    /// The state.
    pub state: State,
    /// The time when it was submitted.
    pub queued_at: Time,
    /// The time just before its command was executed.
    pub started_at: Option<Time>,
    /// The time when it ended, or when the runner found that it had ended.
    pub finished_at: Option<Time>,
    /// The argument vector. Sensitive parameters are shown as `•••`.
    pub command: Vec<String>,
    /// The status text that the job has set.
    pub message: Option<String>,
    /// The progress that the job has reported.
    pub progress: Option<Map<String, Value>>,
    /// The open prompt.
    pub interaction: Option<Interaction>,
    /// The number of the last prompt whose answer the job got.
    #[serde(default)]
    pub answered: Option<u32>,
    /// The exit status of the command.
    pub exit_status: Option<i32>,
    /// The signal that killed the command.
    pub signal: Option<i32>,
    /// The reason why it failed, was cancelled or lost, and who did it.
    pub reason: Option<String>,
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
    /// The user who stopped it before its command started.
    #[serde(default)]
    pub cancelled_by: Option<String>,
    /// The time of its last output, if that is longer ago than the `quiet_after` of its type and no prompt is open.
    #[serde(default)]
    pub quiet_since: Option<Time>,
    /// A warning about a running job, as a sentence for people: the job has asked something that cannot be shown.
    #[serde(default)]
    pub warning: Option<String>,
    /// The reason why the last stop did not reach all processes of the job, and what to do, as a sentence for people.
    #[serde(default)]
    pub stop_refused: Option<String>,
    /// The most memory that it used at a time, in bytes, if the kernel counted that for its control group.
    #[serde(default)]
    pub memory_peak: Option<u64>,
    /// The processor time that it used in all, in seconds, if it had a control group.
    #[serde(default)]
    pub cpu_seconds: Option<f64>,
    /// The number of records in the log when this was written.
    pub log_records: u64,
    /// The number of bytes of output that were dropped.
    pub dropped_bytes: u64,
    /// The value of `SPIDERPIG_JOB_MARKER` in the environment of all processes of the job.
    pub marker: Option<String>,
    /// The boot to which the processes below belong.
    pub boot_id: Option<String>,
    /// The control group in which the command was started.
    #[serde(default)]
    pub cgroup: Option<PathBuf>,
    /// The process of the command. It leads its session and process group.
    pub process: Option<ProcessIdentity>,
    /// The process of the supervisor.
    pub supervisor: Option<ProcessIdentity>,
}

impl Status {
    /// The content of the file.
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

    /// Whether the command was executed and its end was recorded.
    #[must_use]
    pub fn has_run(&self) -> bool {
        self.exit_status.is_some() || self.signal.is_some()
    }

    /// Ends the job now, in this state.
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
