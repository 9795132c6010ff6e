//! `runner.json`: the state of the runner, for people and for the API.

use std::collections::BTreeMap;
use std::path::PathBuf;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::atomic;
use super::atomic::Durability;
use super::error::{Missing as _, Result};
use super::id::JobId;
use super::layout::{FILE, Spool};
use super::lock::RunnerLock;
use super::open;
use super::request::json_line;
use super::status::ProcessIdentity;
use super::time::Time;

/// The version of `runner.json` that this program writes.
pub const VERSION: u32 = 1;

/// The content of `runner.json`. The file is replaced at every change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunnerState {
    /// Always [`VERSION`].
    pub version: u32,
    /// The process number of the runner.
    pub pid: u32,
    /// The process of the runner, identified also if a later process gets its number. Earlier versions did not write
    /// it.
    #[serde(default)]
    pub process: Option<ProcessIdentity>,
    /// The time when it started.
    pub started_at: Time,
    /// The version of the program.
    pub program: String,
    /// SHA-256 of its configuration file, as it was read.
    pub configuration: String,
    /// SHA-256 of the settings that the API must have in common with it. Earlier versions did not write it.
    #[serde(default)]
    pub shared_configuration: String,
    /// Whether it watches for new files (inotify). Otherwise it looks for them every second.
    pub watching: bool,
    /// The declared job types.
    pub job_types: Vec<String>,
    /// The reason why no new job starts. `None` if jobs start.
    pub paused: Option<String>,
    /// The control group in which those of the jobs are made, if jobs get one.
    #[serde(default)]
    pub cgroup: Option<PathBuf>,
    /// The running and waiting jobs of each lane.
    pub lanes: BTreeMap<String, LaneState>,
    /// Jobs in the queue that wait for a person and not for a lane → the reason, for people.
    #[serde(default)]
    pub held: BTreeMap<JobId, String>,
    /// Jobs that could not be started → the number of failed starts. It is kept over restarts.
    pub failed_starts: BTreeMap<u32, u32>,
    /// Problems that a person should solve.
    pub problems: Vec<String>,
}

/// The state of a lane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneState {
    /// How many jobs may run at the same time.
    pub concurrency: u32,
    /// The jobs that hold a slot.
    pub holders: Vec<Holder>,
    /// Waiting jobs in their order → the reason why each waits, for people.
    pub waiting: IndexMap<JobId, String>,
}

/// A job in a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The slot, from 1.
    pub slot: u32,
    /// The job.
    pub job: JobId,
    /// The job's user.
    pub user: String,
}

impl RunnerState {
    /// Reads `runner.json`. `None` if no runner has run yet.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn read(spool: &Spool) -> Result<Option<Self>> {
        open::read_json(&spool.runner_state()).missing_is_none()
    }

    /// Replaces `runner.json`.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, spool: &Spool, _runner: &RunnerLock) -> Result<()> {
        atomic::replace(&spool.runner_state(), &json_line(self), FILE, Durability::Ordered)
    }
}
