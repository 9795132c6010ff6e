//! `plan.json`: how a job is executed. It is written at the claim, so that later changes of the configuration do not
//! affect the job. It may contain secrets of an `env_file`, so only the runner's account may read it.

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

/// The content of `plan.json`: all that a supervisor must know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Always [`VERSION`].
    pub version: u32,
    /// The job.
    pub id: JobId,
    /// The user who asked for it.
    pub user: String,
    /// The argument vector for execve.
    pub arguments: Vec<String>,
    /// The environment, without the values that are chosen or known only at the start.
    pub environment: BTreeMap<String, String>,
    /// The value of `SPIDERPIG_JOB_MARKER` in that environment. It identifies all processes of the job.
    pub marker: String,
    /// The directory in which the command starts.
    pub working_directory: PathBuf,
    /// The file mode creation mask of the command.
    pub umask: u32,
    /// How long the command may run, in milliseconds.
    pub time_limit_ms: Option<u64>,
    /// The time between the interrupt and the kill at the time limit, in milliseconds.
    pub stop_grace_ms: u64,
    /// The largest size of the log, in bytes.
    pub max_log: u64,
    /// Whether descendants that remain after the end of the command are stopped.
    pub stop_leftovers: bool,
    /// The control group that the supervisor makes for the job, if control groups can be made.
    #[serde(default)]
    pub cgroup: Option<PathBuf>,
    /// The rules for the outcome. The first that is true counts. Plans of earlier versions have none.
    #[serde(default)]
    pub outcomes: Vec<OutcomeRule>,
    /// The time without output after which people are warned, in milliseconds.
    #[serde(default)]
    pub quiet_after_ms: Option<u64>,
    /// The lane.
    pub lane: String,
    /// The slot of the lane, from 1. `None` for a job that is claimed only to be cancelled.
    pub slot: Option<u32>,
    /// The job's lock file at the claim. Plans of earlier versions do not have it.
    #[serde(default)]
    pub lock: Option<LockIdentity>,
    /// The accounts whose inbox files may name another user.
    pub trusted_submitters: TrustedSubmitters,
    /// The parameters as people may see them.
    pub shown_params: Map<String, Value>,
    /// Whether the supervisor watches the inbox (inotify). Otherwise it only lists the inbox from time to time.
    pub watch: bool,
    /// The longest time until it lists the inbox again, in milliseconds.
    pub rescan_ms: u64,
}

impl Plan {
    /// The content of the file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        json_line(self)
    }
}
