//! Stops all processes of a job whose supervisor is gone.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::cgroup::Group;
use super::{hidepid, process, readable};
use crate::spool::status::ProcessIdentity;

/// The longest pause between two passes, while no process ends.
const LONGEST_PASS: Duration = Duration::from_secs(1);
/// The pause between the two passes that must find no process: time for a fork to become visible.
const CONFIRMATION_PAUSE: Duration = Duration::from_millis(5);
/// The pause between two passes while the group has invisible processes.
const UNSEEN_PAUSE: Duration = Duration::from_millis(50);

/// The result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// How many processes there were.
    pub count: usize,
    /// How certain it is that none is left.
    pub proof: Proof,
}

/// How certain it is that no process of a job is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The kernel says so: the control group is empty, or root sees all processes.
    Certain,
    /// All processes that are known by marker, session or descent are gone. A process of another account, in another
    /// session and with dead parents cannot be recognised.
    Likely,
    /// `/proc` hides the processes of other accounts.
    Hidden,
}

/// Interrupts all processes of the job, kills them after `grace`, and continues until two passes in a row find none
/// and the control group is empty.
///
/// # Errors
/// A process lives and cannot be signalled: a text for people.
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
                tokio::time::sleep(UNSEEN_PAUSE).await;
                continue;
            }
            quiet_passes += 1;
            tokio::time::sleep(CONFIRMATION_PAUSE).await;
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
                // A process that cannot be signalled is reported when it should be killed.
                let _ = process::signal(*process, Signal::INT);
                let _ = process::signal(*process, Signal::CONT);
            }
        }
        if !refused.is_empty() {
            return Err(refusal(&refused));
        }
        let patience =
            if kill { LONGEST_PASS } else { LONGEST_PASS.min(kill_at.saturating_duration_since(Instant::now())) };
        if let Some(first) = found.first().and_then(|process| process::open(*process)) {
            let _ = tokio::time::timeout(patience, readable::wait(first)).await;
        }
    }
    let proof = match cgroup {
        None if hidepid::hides_from_this_process() => Proof::Hidden,
        None if !rustix::process::geteuid().is_root() => Proof::Likely,
        _ => Proof::Certain,
    };
    Ok(Stopped { count: seen.len(), proof })
}

/// Kills the group. `None` if there is no group, or this account may not kill it.
fn kill_whole(cgroup: Option<&Group>) -> Option<&Group> {
    cgroup.filter(|group| group.kill().is_ok())
}

fn refusal(pids: &[i32]) -> String {
    let whom = process::list(pids.iter().copied());
    let numbers: Vec<String> = pids.iter().map(i32::to_string).collect();
    format!(
        "its supervisor died, and the runner cannot stop {whom}, because its account may not signal them; as root: \
         kill -KILL {}. No other job gets the slot until they have ended",
        numbers.join(" ")
    )
}
