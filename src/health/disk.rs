//! The disks of the spool and of the state directory: room, rights, and whether they take a file at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Access, AtFlags, CWD};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use super::problems;
use super::shared_look::SharedLook;
use crate::mirror::{Mirror, Runner};
use crate::spool::error::Missing as _;
use crate::spool::space::Space;
use crate::spool::{Spool, atomic, sequence, stall};

/// Between two looks for the page of the runner.
const INTERVAL: Duration = Duration::from_secs(10);

/// What the disk of the spool says.
#[derive(Clone, Debug)]
pub struct Disk {
    /// The room that is left, or why that cannot be told.
    pub space: Result<Space, Errno>,
    /// What this account must be able to write and cannot, by its name in the spool, and why.
    pub unwritable: Vec<(&'static str, Errno)>,
    /// Why a file could not be made, though the modes allow it: the disk is full, or has failed.
    pub refused: Option<Refusal>,
    /// Why no job number can be taken.
    pub no_number: Option<String>,
    /// What the runner and the supervisors leave undone.
    pub stalls: Vec<stall::Stall>,
}

/// Why a file could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no room, at least for this account.
    Full,
    /// It may only be read.
    ReadOnly,
    /// Anything else.
    Other(std::io::ErrorKind),
}

/// The disks of the spool and of the API's state directory. If one hangs, one thread hangs with it, and callers wait no
/// longer than they say.
#[derive(Debug)]
pub struct Disks {
    spool: Spool,
    mirror: Arc<Mirror>,
    state_directory: PathBuf,
    pub(crate) of_spool: SharedLook<Disk>,
    of_state: SharedLook<Result<(), Refusal>>,
}

impl Disks {
    /// Asks no disk yet.
    #[must_use]
    pub fn new(spool: Spool, mirror: Arc<Mirror>, state_directory: PathBuf) -> Self {
        Self { spool, mirror, state_directory, of_spool: SharedLook::default(), of_state: SharedLook::default() }
    }

    /// Asks the spool's disk. `None` if it does not answer within `patience`.
    pub async fn spool(&self, patience: Duration) -> Option<Disk> {
        let spool = self.spool.clone();
        let runner = Arc::clone(&self.mirror.view().runner);
        self.of_spool.look(patience, move || Disk::look(&spool, &runner)).await
    }

    /// Attempts to write to the state directory, which the API processes of a spool share. `None` if its disk does not answer
    /// within `patience`. A missing directory is no problem: it is created when it is needed.
    pub async fn state(&self, patience: Duration) -> Option<Result<(), Refusal>> {
        let directory = self.state_directory.clone();
        self.of_state.look(patience, move || refusal(&directory).map_or(Ok(()), Err)).await
    }

    /// Tells the mirror regularly what is wrong with the spool's disk, until the shutdown. So the page learns of it without
    /// asking.
    pub async fn watch(&self, patience: Duration, shutdown: CancellationToken) {
        while shutdown.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
            self.mirror.tell_trouble(problems::of_spool(self.spool(patience).await.as_ref()));
        }
    }
}

impl Disk {
    fn look(spool: &Spool, runner: &Runner) -> Self {
        let unwritable = unwritable(spool);
        let has = |name: &str| unwritable.iter().all(|(other, _)| *other != name);
        let refused = if has("incoming/") { refusal(&spool.incoming()) } else { None };
        let number = if has("sequence") { sequence::last(spool).missing_is_none() } else { Ok(None) };
        let living = runner.state.as_ref().filter(|_| runner.up);
        // A directory that cannot be read is told of by whoever reads it.
        let stalls = living.and_then(|state| stall::find(spool, state).ok()).unwrap_or_default();
        let no_number = number.err().map(|error| error.to_string());
        Self { space: Space::of(spool.root()), unwritable, refused, no_number, stalls }
    }
}

fn refusal(directory: &Path) -> Option<Refusal> {
    let error = atomic::check_writable(directory).missing_is_none().err()?;
    Some(match error.kind()? {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Refusal::Full,
        std::io::ErrorKind::ReadOnlyFilesystem => Refusal::ReadOnly,
        kind => Refusal::Other(kind),
    })
}

/// What handlers write, as far as they cannot.
fn unwritable(spool: &Spool) -> Vec<(&'static str, Errno)> {
    let directory = Access::WRITE_OK | Access::EXEC_OK;
    let needed: [(&'static str, PathBuf, Access); 4] = [
        ("incoming/", spool.incoming(), directory),
        ("queue/", spool.queue(), directory),
        ("inbox/", spool.inbox(), directory),
        ("sequence", spool.sequence(), Access::WRITE_OK),
    ];
    let refused = needed.into_iter().filter_map(|(name, path, access)| {
        // With the rights that a write would be tried with.
        let refusal = rustix::fs::accessat(CWD, &path, access, AtFlags::EACCESS).err()?;
        Some((name, refusal))
    });
    refused.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::Bench;

    #[test]
    fn what_cannot_be_written_is_named() {
        let bench = Bench::new();
        assert_eq!(unwritable(&bench.spool), []);
        crate::spool::atomic::remove(&bench.spool.sequence()).unwrap();
        assert_eq!(unwritable(&bench.spool), [("sequence", Errno::NOENT)]);
    }
}
