//! The floors: what this machine needs for the two things that every job is made of.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Result;
use super::samples::Samples;
use super::table::Row;

/// Variable that names another place for the temporary spools, such as the disk of the real one.
const DIRECTORY: &str = "SPIDERPIG_BENCH_DIRECTORY";
const COUNT: usize = 200;

/// Writes the floors down.
pub fn measure(root: &Path) -> Result<Vec<Row>> {
    let drop = durable_drop(root)?.to_string();
    Ok(vec![
        Row::new("durable drop: write, sync, rename, sync the directory; median / p99", drop),
        Row::new("a process: spawn and wait; median / p99", spawn()?.to_string()),
    ])
}

/// The place for everything that the suite writes, on the disk that is measured: that of `target/`, or the one that a
/// variable names.
///
/// An ext4 without a journal hesitates to use the inode of a file that was removed in the last minutes, and looks at every
/// one of these nearby before it makes a new file: after a large build that takes longer than the sync. So spools are put
/// where there is room, as those of a service are, and are removed together when the suite ends.
pub fn root() -> Result<tempfile::TempDir> {
    let parent = std::env::var_os(DIRECTORY).unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    let root = tempfile::tempdir_in(parent)?;
    // The attribute T spreads the directories in it over the disk; other filesystems do not know it and do not need it.
    let _ = Command::new("chattr").arg("+T").arg(root.path()).stderr(Stdio::null()).status();
    Ok(root)
}

/// A fresh directory below the suite's own.
pub fn directory(root: &Path) -> Result<PathBuf> {
    Ok(tempfile::Builder::new().disable_cleanup(true).tempdir_in(root)?.keep())
}

/// What a submission costs at least, with two syncs.
pub fn durable_drop(root: &Path) -> Result<Samples> {
    let directory = directory(root)?;
    let mut number = 0;
    Samples::collect(COUNT, || {
        number += 1;
        let begun = Instant::now();
        drop_file(&directory, number)?;
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
pub fn print_to_file(root: &Path, program: &str, arguments: &[&str]) -> Result<Duration> {
    let file = File::create(directory(root)?.join("output"))?;
    let begun = Instant::now();
    Command::new(program).args(arguments).stdin(Stdio::null()).stdout(file).status()?;
    Ok(begun.elapsed())
}
