//! The free space of a filesystem.

use std::path::Path;

use rustix::fs::StatVfsMountFlags;

const LEAST_BYTES: u64 = 1 << 30;
const LEAST_INODES: u64 = 10_000;

/// The space of a filesystem, as the system reports it.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// The free space for accounts other than root, in bytes.
    pub available: u64,
    /// The size of the filesystem, in bytes.
    pub size: u64,
    /// The number of files that can still be created.
    pub free_inodes: u64,
    /// The number of inodes. 0 if the filesystem creates them as needed.
    pub inodes: u64,
    /// Whether the filesystem is read-only.
    pub read_only: bool,
}

impl Space {
    /// Examines the filesystem of a path. It blocks while the disk hangs.
    ///
    /// # Errors
    /// The error of the system.
    pub fn of(path: &Path) -> rustix::io::Result<Self> {
        let found = rustix::fs::statvfs(path)?;
        Ok(Self {
            available: found.f_bavail.saturating_mul(found.f_frsize),
            size: found.f_blocks.saturating_mul(found.f_frsize),
            free_inodes: found.f_favail,
            inodes: found.f_files,
            read_only: found.f_flag.contains(StatVfsMountFlags::RDONLY),
        })
    }

    /// Whether less space is available than [`least_available`](Self::least_available).
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.available < self.least_available()
    }

    /// The least space that should be available, in bytes: 1 GiB, but half of a small disk, and 5 % of a large one.
    #[must_use]
    pub fn least_available(&self) -> u64 {
        LEAST_BYTES.min(self.size / 2).max(self.size / 20)
    }

    /// Whether fewer than 10,000 files can still be created.
    #[must_use]
    pub fn is_low_on_inodes(&self) -> bool {
        self.inodes > 0 && self.free_inodes < LEAST_INODES
    }
}

/// Formats a size for people. The crate `bytesize` would use a logarithm, and so load the C library's mathematics into
/// each process, also into each supervisor.
#[must_use]
pub fn bytes(number: u64) -> String {
    let tenths_of_gib = number / ((1 << 30) / 10);
    if tenths_of_gib < 10 {
        format!("{} MiB", number >> 20)
    } else {
        format!("{}.{} GiB", tenths_of_gib / 10, tenths_of_gib % 10)
    }
}
