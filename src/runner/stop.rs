//! Stopping everything that belongs to a job whose supervisor is gone.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::cgroup::Group;
use super::{hidepid, process, readable};
use crate::spool::status::ProcessIdentity;

/// Between two passes at most, while nothing is seen to end.
const PASS: Duration = Duration::from_secs(1);
/// Between the two passes that must find nothing: time for a fork to become visible.
const BREATH: Duration = Duration::from_millis(5);
/// Between two passes while something is there that is not seen.
const UNSEEN: Duration = Duration::from_millis(50);

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// How many processes there were.
    pub count: usize,
    /// How sure it is that none is left.
    pub proof: Proof,
}

/// How sure it is that nothing of a job is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The kernel says so: its control group is empty, or nothing can hide from root.
    Certain,
    /// All that can be known by its marker, its session and its descent is gone. What it started as another account, in
    /// another session and by parents that have ended is known by none of them.
    Likely,
    /// `/proc` hides what other accounts run.
    Hidden,
}

/// Interrupts everything that belongs to the job, kills it when `grace` is over, and goes on until two passes in a row
/// find nothing and its control group is empty.
///
/// # Errors
/// A process may not be signalled, and lives: a text for people.
pub async fn stop_everything(
    marker: &str,
    leader: Option<ProcessIdentity>,
    cgroup: Option<&Group>,
    grace: Duration,
) -> Result<Stopped, String> {
    let kill_at = Instant::now() + grace;
    let mut seen = BTreeSet::new();
    let mut quiet_passes = 0;
    while quiet_passes < 2 {
        let mut found: BTreeSet<_> = process::belonging(marker, leader, &seen).into_iter().collect();
        found.extend(cgroup.map(Group::processes).unwrap_or_default().into_iter().filter_map(process::identity));
        let kill = Instant::now() >= kill_at;
        if found.is_empty() {
            if cgroup.is_some_and(|group| group.is_populated().unwrap_or(true)) {
                kill_whole(cgroup.filter(|_| kill));
                tokio::time::sleep(UNSEEN).await;
                continue;
            }
            quiet_passes += 1;
            tokio::time::sleep(BREATH).await;
            continue;
        }
        quiet_passes = 0;
        let whole = kill_whole(cgroup.filter(|_| kill));
        let mut refused = Vec::new();
        for process in &found {
            let fresh = seen.insert(*process);
            if kill {
                let sent = process::signal(*process, Signal::KILL);
                if sent.is_err() && !whole.is_some_and(|group| group.holds(process.pid)) {
                    refused.push(process.pid);
                }
            } else if fresh {
                // One that may not be signalled is told of when it should have been killed.
                let _ = process::signal(*process, Signal::INT);
                let _ = process::signal(*process, Signal::CONT);
            }
        }
        if !refused.is_empty() {
            return Err(refusal(&refused));
        }
        let patience = if kill { PASS } else { PASS.min(kill_at.saturating_duration_since(Instant::now())) };
        if let Some(first) = found.first().and_then(|process| process::open(*process)) {
            let _ = tokio::time::timeout(patience, readable::wait(first)).await;
        }
    }
    let proof = match cgroup {
        None if hidepid::blinds_this_process() => Proof::Hidden,
        None if !rustix::process::geteuid().is_root() => Proof::Likely,
        _ => Proof::Certain,
    };
    Ok(Stopped { count: seen.len(), proof })
}

/// Kills the group. `None` if there is none that this account may kill.
fn kill_whole(cgroup: Option<&Group>) -> Option<&Group> {
    cgroup.filter(|group| group.kill().is_ok())
}

fn refusal(pids: &[i32]) -> String {
    let whom = process::list(pids.iter().copied());
    let numbers: Vec<String> = pids.iter().map(i32::to_string).collect();
    format!(
        "its supervisor died, and {whom} of it cannot be stopped, as the runner's account may not signal it; as root: \
         kill -KILL {}. Until that has ended, no other job gets its slot",
        numbers.join(" ")
    )
}
