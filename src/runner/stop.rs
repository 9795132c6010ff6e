//! Stopping everything that belongs to a job whose supervisor is gone.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{process, readable};
use crate::spool::status::ProcessIdentity;

/// Between two passes at most, while nothing is seen to end.
const PASS: Duration = Duration::from_secs(1);
/// Between the two passes that must find nothing: time for a fork to become visible.
const BREATH: Duration = Duration::from_millis(5);

/// Interrupts everything that belongs to the job, kills it when `grace` is over, and goes on until two passes in a row
/// find nothing. Returns how many processes there were.
///
/// # Errors
/// A process may not be signalled: a text for people.
pub async fn stop_everything(marker: &str, leader: Option<ProcessIdentity>, grace: Duration) -> Result<usize, String> {
    let kill_at = Instant::now() + grace;
    let mut seen = BTreeSet::new();
    let mut quiet_passes = 0;
    while quiet_passes < 2 {
        let found = process::belonging(marker, leader, &seen);
        if found.is_empty() {
            quiet_passes += 1;
            tokio::time::sleep(BREATH).await;
            continue;
        }
        quiet_passes = 0;
        let kill = Instant::now() >= kill_at;
        for process in &found {
            let fresh = seen.insert(*process);
            if kill {
                send(*process, Signal::KILL)?;
            } else if fresh {
                send(*process, Signal::INT)?;
                send(*process, Signal::CONT)?;
            }
        }
        let patience = if kill { PASS } else { PASS.min(kill_at.saturating_duration_since(Instant::now())) };
        if let Some(first) = found.first().and_then(|process| process::open(*process)) {
            let _ = tokio::time::timeout(patience, readable::wait(first)).await;
        }
    }
    Ok(seen.len())
}

fn send(process: ProcessIdentity, signal: Signal) -> Result<(), String> {
    process::signal(process, signal)
        .map_err(|error| format!("process {} cannot be stopped: {error}; stop it by hand", process.pid))
}
