//! A small disk for tests of what happens when there is no room left.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::spool::atomic;

/// A small filesystem, mounted over a directory, which a test can fill.
pub struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// Mounts one at `path`. `None` without the right to mount, which only root has.
    pub fn at(path: &Path) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs"]).arg(path).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self { path: path.to_owned() });
        }
        // Said past the capturing of the test's output.
        let _ = writeln!(std::io::stderr(), "SKIPPED: no filesystem can be mounted here, so none can be filled");
        None
    }

    /// Fills it: nothing more can be written.
    pub fn fill(&self) {
        let mut ballast = atomic::open_append(&self.ballast(), 0o600).unwrap();
        while ballast.write_all(&[b'x'; 4096]).is_ok() {}
    }

    /// Frees what [`fill`](Self::fill) took.
    pub fn empty(&self) {
        atomic::remove(&self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // At once out of the tree, in use or not, so that the directory around it can be removed.
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}
