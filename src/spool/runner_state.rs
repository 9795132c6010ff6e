//! `runner.json`: what the daemon is doing, for people and for the API.

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

/// The state of the daemon, replaced as a whole when it changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunnerState {
    /// Always [`VERSION`].
    pub version: u32,
    /// The daemon's process.
    pub pid: u32,
    /// The same, so that it is not mistaken for a later one of that number. An earlier version did not tell it.
    #[serde(default)]
    pub process: Option<ProcessIdentity>,
    /// When it started.
    pub started_at: Time,
    /// The version of the program.
    pub program: String,
    /// SHA-256 of the configuration file that it read.
    pub configuration: String,
    /// SHA-256 of what of it the API must have read as well. An earlier version did not tell it.
    #[serde(default)]
    pub shared_configuration: String,
    /// Whether it watches for new files, or looks every second.
    pub watching: bool,
    /// The job types that it knows.
    pub job_types: Vec<String>,
    /// Why no new job starts, if none does.
    pub paused: Option<String>,
    /// Where the control groups of jobs are made, if they get any.
    #[serde(default)]
    pub cgroup: Option<PathBuf>,
    /// The running and waiting jobs of each lane.
    pub lanes: BTreeMap<String, LaneState>,
    /// Jobs in the queue that wait for a person and not for a lane → why, in words.
    #[serde(default)]
    pub held: BTreeMap<JobId, String>,
    /// Jobs that could not be started, and how often; kept over restarts.
    pub failed_starts: BTreeMap<u32, u32>,
    /// The problems that a person should look at.
    pub problems: Vec<String>,
}

/// One lane.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneState {
    /// How many jobs may run in it at once.
    pub concurrency: u32,
    /// The jobs that hold a slot.
    pub holders: Vec<Holder>,
    /// Waiting jobs in their order → why each waits, in words.
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
    /// Reads `runner.json`; `None` if no daemon has run yet.
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
