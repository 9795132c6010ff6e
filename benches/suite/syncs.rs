//! Counts how often the programs wait for the disk, with strace(1).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::stage::{Stage, wait_for};
use super::table::Row;
use super::{Result, job};

/// The counted calls, each with the paths of its descriptors.
const TRACE: [&str; 6] = ["-D", "-f", "-qq", "-y", "-e", "trace=execve,fsync,fdatasync,sync_file_range"];

/// Traces one submission and one job. Informational.
pub fn measure(root: &Path) -> Result<Vec<Row>> {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return Ok(vec![Row::new("syncs", "not counted: there is no strace")]);
    }
    let mut stage = Stage::without_runner(root)?;
    let trace = stage.root().with_extension("strace");
    let mut command = traced(&trace, env!("CARGO_BIN_EXE_spiderpig-runner"));
    command.args(stage.program("").get_args());
    stage.start_runner(&mut command)?;
    let before = fs::read_to_string(&trace)?.len();
    job::submit(&stage.spool()?, "noop")?;
    stage.wait_finished(1)?;
    wait_for("the view is empty", || Ok(fs::read_dir(stage.spool()?.running())?.next().is_none().then_some(())))?;
    let job = of_job(&fs::read_to_string(&trace)?[before..]);

    let trace = stage.root().with_extension("submit");
    let own = std::env::current_exe()?;
    let mut command = traced(&trace, &own.to_string_lossy());
    command.args(["job", "submit"]).arg(stage.root()).arg("noop").status()?;
    stage.wait_finished(2)?;
    let text = fs::read_to_string(&trace)?;
    let (number, file): (Vec<&str>, Vec<&str>) =
        text.lines().filter(|line| is_sync(line)).partition(|line| line.contains("/sequence"));

    let mut rows = vec![
        Row::new("syncs: a submission's number", number.len().to_string()).goal("1", number.len() == 1),
        Row::new("syncs: a submission's drop", file.len().to_string()).goal("2", file.len() == 2),
    ];
    let count = |part| job.get(&part).copied().unwrap_or(0);
    rows.push(
        Row::new("syncs: a job's start group", count(Part::Start).to_string()).goal("5", count(Part::Start) == 5),
    );
    rows.push(Row::new("syncs: a job's end (log, final status, its name)", count(Part::End).to_string()));
    rows.push(Row::new("syncs: by the runner, claim and tidying", count(Part::Runner).to_string()));
    rows.push(Row::new("syncs: a job in all", job.values().sum::<usize>().to_string()));
    Ok(rows)
}

fn traced(trace: &Path, program: &str) -> Command {
    let mut command = Command::new("strace");
    command.args(TRACE).arg("-o").arg(trace).arg(program);
    command
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Runner,
    Start,
    End,
}

/// Counts the syncs in the part of a runner's trace that is about one job. Each line begins with a process number.
fn of_job(text: &str) -> BTreeMap<Part, usize> {
    let mut counts = BTreeMap::new();
    let (mut supervisor, mut part) = (None, Part::Start);
    for line in text.lines() {
        let pid = line.split(' ').next();
        if line.contains("execve(") && line.contains("\"supervise\"") {
            supervisor = pid;
        } else if line.contains("execve(") && supervisor.is_some() {
            part = Part::End;
        } else if is_sync(line) {
            let part = if supervisor.is_some() && pid == supervisor { part } else { Part::Runner };
            *counts.entry(part).or_default() += 1;
        }
    }
    counts
}

fn is_sync(line: &str) -> bool {
    line.contains("sync(") || line.contains("sync_file_range(")
}
