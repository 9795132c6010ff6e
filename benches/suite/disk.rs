//! The floors: what this machine needs for the two things that every job is made of.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Result;
use super::samples::Samples;
use super::table::Row;

/// Variable that names another place for the temporary spools, such as the disk of the real one.
const DIRECTORY: &str = "SPIDERPIG_BENCH_DIRECTORY";
const COUNT: usize = 200;

/// Writes the floors down.
pub fn measure() -> Result<Vec<Row>> {
    Ok(vec![
        Row::new("durable drop: write, sync, rename, sync the directory; median / p99", durable_drop()?.to_string()),
        Row::new("a process: spawn and wait; median / p99", spawn()?.to_string()),
    ])
}

/// A directory on the disk that is measured: that of `target/`, or the one that a variable names.
pub fn directory() -> Result<tempfile::TempDir> {
    let parent = std::env::var_os(DIRECTORY).unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    Ok(tempfile::tempdir_in(parent)?)
}

/// What a submission costs at least, with two syncs.
pub fn durable_drop() -> Result<Samples> {
    let directory = directory()?;
    let mut number = 0;
    Samples::collect(COUNT, || {
        number += 1;
        let begun = Instant::now();
        drop_file(directory.path(), number)?;
        Ok(begun.elapsed())
    })
}

fn drop_file(directory: &Path, number: usize) -> Result<()> {
    let temporary = directory.join("new");
    let mut file = File::create(&temporary)?;
    file.write_all(&[b'x'; 300])?;
    file.sync_all()?;
    fs::rename(&temporary, directory.join(number.to_string()))?;
    File::open(directory)?.sync_all()?;
    Ok(())
}

/// What a process costs at least.
pub fn spawn() -> Result<Samples> {
    Samples::collect(COUNT, || {
        let begun = Instant::now();
        Command::new("/bin/true").stdin(Stdio::null()).status()?;
        Ok(begun.elapsed())
    })
}

/// How long a command takes that prints into a plain file.
pub fn print_to_file(program: &str, arguments: &[&str]) -> Result<Duration> {
    let directory = directory()?;
    let file = File::create(directory.path().join("output"))?;
    let begun = Instant::now();
    Command::new(program).args(arguments).stdin(Stdio::null()).stdout(file).status()?;
    Ok(begun.elapsed())
}
