//! `[runner]`: the settings of the runner.

use std::path::PathBuf;
use std::time::Duration;

use super::error::Fault;
use super::node::{Node, Section};
use super::units;

pub(super) const KEYS: &[&str] = &["trusted_submitters", "stop_grace", "watch", "rescan", "cgroup"];

/// The settings of the runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerConfig {
    /// The accounts whose files may name another user as the submitter. The runner's own account is always one of them.
    pub trusted_submitters: Vec<String>,
    /// The time between the interrupt and the kill of a job that has reached its time limit.
    pub stop_grace: Duration,
    /// Whether the runner watches the spool through the kernel. With `false` it only rescans.
    pub watch: bool,
    /// The interval of the rescan, at least 1 s. The rescan happens even without any event.
    pub rescan: Duration,
    /// The parent control group, in which each job gets its own. None: the group that is delegated to the runner's
    /// unit.
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
