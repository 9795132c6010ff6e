//! The room that is left on the filesystem of the spool.

use std::path::Path;

use rustix::fs::StatVfsMountFlags;

const LEAST_BYTES: u64 = 1 << 30;
const LEAST_INODES: u64 = 10_000;

/// What the system reports about a filesystem.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// In bytes, for others than root.
    pub available: u64,
    /// In bytes.
    pub size: u64,
    /// How many more files it takes.
    pub free_inodes: u64,
    /// 0 where inodes are made as needed.
    pub inodes: u64,
    /// The filesystem accepts no writes.
    pub read_only: bool,
}

impl Space {
    /// Asks for the filesystem that holds a path. It waits for a disk that hangs.
    ///
    /// # Errors
    /// The system's reason.
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

    /// Less is available than [`least`](Self::least).
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.available < self.least()
    }

    /// What ought to be available at least, in bytes: 1 GiB, of a small disk the half, of a large one 5 %.
    #[must_use]
    pub fn least(&self) -> u64 {
        LEAST_BYTES.min(self.size / 2).max(self.size / 20)
    }

    /// There is room for less than 10,000 files.
    #[must_use]
    pub fn is_low_on_inodes(&self) -> bool {
        self.inodes > 0 && self.free_inodes < LEAST_INODES
    }
}

/// A size for people. `bytesize` would take a logarithm for it, and with that the C library's mathematics would be loaded
/// into every process of the program, each supervisor too.
#[must_use]
pub fn bytes(number: u64) -> String {
    let tenths_of_gib = number / ((1 << 30) / 10);
    if tenths_of_gib < 10 {
        format!("{} MiB", number >> 20)
    } else {
        format!("{}.{} GiB", tenths_of_gib / 10, tenths_of_gib % 10)
    }
}
