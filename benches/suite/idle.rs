//! Measures the memory and the wake-ups of the programs when they are idle.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

use spiderpig::spool::JobId;

use super::stage::Stage;
use super::table::Row;
use super::{Result, job};

/// The time before the first count. Threads that were busy after the start end after 10 s without work.
const SETTLE: Duration = Duration::from_secs(12);
/// The time between the two counts of wake-ups. Together with [`SETTLE`] it is less than the slow rescan's 30 s.
const WINDOW: Duration = Duration::from_secs(15);

/// Measures resident memory and wake-ups.
pub fn measure(root: &Path) -> Result<Vec<Row>> {
    let mut stage = Stage::new(root)?;
    let (api, _) = stage.start_api()?;
    job::submit(&stage.spool()?, "sleep")?;
    let status = stage.wait_running(JobId::try_from(1_u64)?)?;
    let supervisor = u32::try_from(status.supervisor.ok_or("the job has no supervisor")?.pid)?;
    std::thread::sleep(SETTLE);
    let programs = [("runner", stage.runner()?, 8), ("API", api, 12), ("supervisor", supervisor, 4)];
    let before = programs.map(|(_, pid, _)| wake_ups(pid));
    std::thread::sleep(WINDOW);
    let mut rows = Vec::new();
    for (name, pid, megabytes) in programs {
        let (resident, anonymous) = (kilobytes(pid, "VmRSS:")?, kilobytes(pid, "RssAnon:")?);
        let measured = format!("{:.1} MB ({:.1} MB anonymous)", megabytes_of(resident), megabytes_of(anonymous));
        rows.push(
            Row::new(format!("resident memory, idle: {name}"), measured)
                .goal(format!("{megabytes} MB"), megabytes_of(resident) <= f64::from(megabytes)),
        );
    }
    for ((name, pid, _), before) in programs.into_iter().zip(before) {
        let count = since(&before?, &wake_ups(pid)?);
        rows.push(
            Row::new(format!("wake-ups in {} s, idle: {name}", WINDOW.as_secs()), count.to_string())
                .goal("0", count == 0),
        );
    }
    Ok(rows)
}

/// The resident memory of a process.
pub fn resident_megabytes(pid: u32) -> Result<f64> {
    kilobytes(pid, "VmRSS:").map(megabytes_of)
}

fn megabytes_of(kilobytes: u32) -> f64 {
    f64::from(kilobytes) / 1024.0
}

fn kilobytes(pid: u32, member: &str) -> Result<u32> {
    number(&Path::new("/proc").join(pid.to_string()).join("status"), member)
}

/// Counts how often each thread of a process has gone to sleep. It was woken as often.
fn wake_ups(pid: u32) -> Result<BTreeMap<OsString, u32>> {
    let threads = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("task"))?;
    threads
        .map(|thread| {
            let thread = thread?;
            Ok((thread.file_name(), number(&thread.path().join("status"), "voluntary_ctxt_switches:")?))
        })
        .collect()
}

/// The wake-ups between two counts. A thread that has ended was woken to do so.
fn since(before: &BTreeMap<OsString, u32>, after: &BTreeMap<OsString, u32>) -> u32 {
    let more = after.iter().map(|(thread, count)| count - before.get(thread).unwrap_or(&0)).sum::<u32>();
    let ended = before.keys().filter(|thread| !after.contains_key(*thread)).count();
    more + u32::try_from(ended).unwrap_or(u32::MAX)
}

/// The number in a line of a status file of proc(5).
fn number(path: &Path, member: &str) -> Result<u32> {
    let text = fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(member)).ok_or("the process has ended")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
