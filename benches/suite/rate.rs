//! Measures the number of jobs per second in a lane.

use std::path::Path;
use std::time::{Duration, Instant};

use super::samples::milliseconds;
use super::stage::Stage;
use super::table::Row;
use super::{Result, disk, job};

const JOBS: usize = 600;
const SUBMITTERS: usize = 4;

/// Measures jobs that do nothing, in a lane with one slot and in a lane with four.
pub fn measure(root: &Path) -> Result<Vec<Row>> {
    // The start group and the end of a job are eight syncs one after the other. A drop has two.
    let floor = disk::durable_drop(root)?.median() * 4 + disk::spawn()?.median() * 2;
    let row = |what, job_type, goal: u32| -> Result<Row> {
        let each = run(root, job_type)?;
        let rate = each.as_secs_f64().recip();
        Ok(Row::new(what, format!("{rate:.0} jobs/s")).goal(format!("{goal} jobs/s"), rate >= f64::from(goal)).floor(
            format!("{} one by one (4 drops, 2 processes)", milliseconds(floor)),
            each.as_secs_f64() / floor.as_secs_f64(),
        ))
    };
    Ok(vec![
        row("no-op jobs through a lane with one slot, all durable", "noop", 150)?,
        row("no-op jobs through a lane with four slots, all durable", "noop-four", 300)?,
    ])
}

/// The time from the first submission to the last line of the history, divided by the number of jobs.
fn run(root: &Path, job_type: &str) -> Result<Duration> {
    let stage = Stage::new(root)?;
    let spool = stage.spool()?;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let submit =
            || (0..JOBS / SUBMITTERS).try_for_each(|_| job::submit(&spool, job_type).map_err(|e| e.to_string()));
        let submitters: Vec<_> = (0..SUBMITTERS).map(|_| scope.spawn(submit)).collect();
        submitters.into_iter().try_for_each(|submitter| submitter.join().map_err(|_| "a submitter failed")?)
    })?;
    stage.wait_finished(JOBS)?;
    Ok(begun.elapsed() / u32::try_from(JOBS)?)
}
