//! What can be known of the spool only by asking its disk.

use std::path::PathBuf;

use rustix::fs::{Access, AtFlags, CWD};
use rustix::io::Errno;

use crate::api::app::App;
use crate::spool::Spool;
use crate::spool::space::Space;

/// What the disk said of the spool.
#[derive(Clone, Debug)]
pub struct Disk {
    /// The room that is left, or why that cannot be told.
    pub space: Result<Space, Errno>,
    /// What this account must be able to write and cannot, by its name in the spool, and why.
    pub unwritable: Vec<(&'static str, Errno)>,
}

impl Disk {
    /// Asks; nothing is written. `None` if the disk does not answer in time.
    pub async fn ask(app: &App) -> Option<Self> {
        let spool = app.spool.clone();
        app.disk.look(app.limits.disk, move || Self::look(&spool)).await
    }

    fn look(spool: &Spool) -> Self {
        Self { space: Space::of(spool.root()), unwritable: unwritable(spool) }
    }
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
