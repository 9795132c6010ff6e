//! `plan.json`: how a job is executed, frozen when it is claimed, so that a later change of the configuration does not
//! reach a job that runs. It may hold secrets from an `env_file` and is readable by the runner's account only.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::id::JobId;
use super::lock::LockIdentity;
use super::outcome::OutcomeRule;
use super::request::json_line;
use super::submitter::TrustedSubmitters;

/// The version of `plan.json` that this program writes.
pub const VERSION: u32 = 1;

/// Everything that a supervisor must know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Always [`VERSION`].
    pub version: u32,
    /// The job.
    pub id: JobId,
    /// Who asked for it.
    pub user: String,
    /// The argument vector, as execve gets it.
    pub arguments: Vec<String>,
    /// The whole environment but for what is drawn or known at the start.
    pub environment: BTreeMap<String, String>,
    /// Value of `SPIDERPIG_JOB_MARKER` in that environment: by it everything that belongs to the job is known.
    pub marker: String,
    /// Where the command starts.
    pub working_directory: PathBuf,
    /// The file mode creation mask of the command.
    pub umask: u32,
    /// How long the command may run, in milliseconds.
    pub time_limit_ms: Option<u64>,
    /// Between the interrupt and the kill when the time limit is reached, in milliseconds.
    pub stop_grace_ms: u64,
    /// How many bytes of log are kept.
    pub max_log: u64,
    /// Whether what remains of the descendants after the end is stopped.
    pub stop_leftovers: bool,
    /// The control group that its supervisor makes for it, if such groups can be made.
    #[serde(default)]
    pub cgroup: Option<PathBuf>,
    /// What tells how it ended, the first that holds. A plan of an earlier version has none.
    #[serde(default)]
    pub outcomes: Vec<OutcomeRule>,
    /// After so long without output people are warned, in milliseconds.
    #[serde(default)]
    pub quiet_after_ms: Option<u64>,
    /// The lane.
    pub lane: String,
    /// The slot of the lane, from 1. None for a job that is claimed only to be cancelled.
    pub slot: Option<u32>,
    /// The file that is the job's lock where it was claimed. A plan of an earlier version does not tell it.
    #[serde(default)]
    pub lock: Option<LockIdentity>,
    /// Whose inbox files may name another user.
    pub trusted_submitters: TrustedSubmitters,
    /// The parameters as people may see them.
    pub shown_params: Map<String, Value>,
    /// Whether the supervisor watches the inbox, or only looks into it now and then.
    pub watch: bool,
    /// How often it looks at least, in milliseconds.
    pub rescan_ms: u64,
}

impl Plan {
    /// The bytes of the file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        json_line(self)
    }
}
