//! `[runner]`: how the runner behaves.

use std::path::PathBuf;
use std::time::Duration;

use super::error::Fault;
use super::node::{Node, Section};
use super::units;

pub(super) const KEYS: &[&str] = &["trusted_submitters", "stop_grace", "watch", "rescan", "cgroup"];

/// How the runner behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerConfig {
    /// The accounts whose files may name another user as the one who asked; the runner's own is always one.
    pub trusted_submitters: Vec<String>,
    /// How long a job that reached its time limit has between the interrupt and the kill.
    pub stop_grace: Duration,
    /// Whether the kernel is asked to tell about new files; `false` leaves the rescan alone.
    pub watch: bool,
    /// How often the spool is read again even if nothing seems to have happened, at least a second.
    pub rescan: Duration,
    /// The control group in which each job gets one of its own. None: the one that was delegated to the runner's unit.
    pub cgroup: Option<PathBuf>,
}

impl RunnerConfig {
    pub(super) fn read(section: &Section) -> Result<Self, Fault> {
        let api_account = || vec!["spiderpig-api".to_owned()];
        Ok(Self {
            trusted_submitters: section.read("trusted_submitters", units::names)?.unwrap_or_else(api_account),
            stop_grace: section.read("stop_grace", units::duration)?.unwrap_or(Duration::from_secs(10)),
            watch: section.read("watch", Node::boolean)?.unwrap_or(true),
            rescan: section.read("rescan", units::interval)?.unwrap_or(Duration::from_secs(30)),
            cgroup: section.read("cgroup", units::absolute_path)?,
        })
    }
}
