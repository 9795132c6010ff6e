//! Measures the floors: the cost on this machine of the two steps that every job needs.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Result;
use super::samples::Samples;
use super::table::Row;

/// The variable that names another place for the temporary spools, such as the disk of the real spool.
const DIRECTORY: &str = "SPIDERPIG_BENCH_DIRECTORY";
const COUNT: usize = 200;

/// Prints the floors.
pub fn measure(root: &Path) -> Result<Vec<Row>> {
    let drop = durable_drop(root)?.to_string();
    Ok(vec![
        Row::new("durable drop: write, sync, rename, sync the directory; median / p99", drop),
        Row::new("a process: spawn and wait; median / p99", spawn()?.to_string()),
    ])
}

/// The directory for all files of the suite, on the disk to measure: that of `target/`, or the one that the variable
/// names.
///
/// An ext4 without a journal avoids the inodes of files that were removed in the last minutes. It looks at all of them
/// nearby before it makes a new file. After a large build that takes longer than the sync. So the spools are on a part
/// of the disk with room, as those of a service are, and are removed together when the suite ends.
pub fn root() -> Result<tempfile::TempDir> {
    let parent = std::env::var_os(DIRECTORY).unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    let root = tempfile::tempdir_in(parent)?;
    // The attribute T spreads the directories in it over the disk. Other filesystems do not have it and do not need it.
    let _ = Command::new("chattr").arg("+T").arg(root.path()).stderr(Stdio::null()).status();
    Ok(root)
}

/// Makes a new directory in the suite's own.
pub fn directory(root: &Path) -> Result<PathBuf> {
    Ok(tempfile::Builder::new().disable_cleanup(true).tempdir_in(root)?.keep())
}

/// Measures the minimum cost of a submission, with two syncs.
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

/// Measures the minimum cost of a process.
pub fn spawn() -> Result<Samples> {
    Samples::collect(COUNT, || {
        let begun = Instant::now();
        Command::new("/bin/true").stdin(Stdio::null()).status()?;
        Ok(begun.elapsed())
    })
}

/// Measures the time of a command that prints into a plain file.
pub fn print_to_file(root: &Path, program: &str, arguments: &[&str]) -> Result<Duration> {
    let file = File::create(directory(root)?.join("output"))?;
    let begun = Instant::now();
    Command::new(program).args(arguments).stdin(Stdio::null()).stdout(file).status()?;
    Ok(begun.elapsed())
}
