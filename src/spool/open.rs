//! Opens files that another account wrote, safely.
//!
//! It opens the file without following links and without blocking on a pipe, examines it through the descriptor, and
//! reads it once, up to a limit. All later checks use the bytes that were read.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::error::{Error, Result};

/// The largest job file: 1 MiB.
pub const JOB_LIMIT: u64 = 1 << 20;
/// The largest inbox file: 64 KiB, enough for an answer of 4,000 bytes however it is escaped.
pub const INBOX_LIMIT: u64 = 1 << 16;
/// The largest file of `monitoring/`: 4 MiB, enough for tens of thousands of wikis.
pub const MONITORING_LIMIT: u64 = 4 << 20;

/// A file of another account, as it was when it was opened.
#[derive(Debug)]
pub struct Opened {
    /// The content.
    pub bytes: Vec<u8>,
    /// The account that owns it, and so wrote it.
    pub owner: u32,
    /// Device and inode. They identify the file under any name.
    pub identity: (u64, u64),
    /// The number of its names (hard links).
    pub links: u64,
    /// The time when its inode was last changed, in seconds since the epoch.
    pub changed: i64,
}

/// The result of reading a file of another account.
#[derive(Debug)]
pub enum Checked {
    /// An acceptable file.
    File(Opened),
    /// The file is gone: its owner or another process has removed it.
    Gone,
    /// The file is not acceptable, whatever its content is. The reason is for its owner.
    Refused(String),
}

/// Opens, checks and reads a file of `queue/`, `inbox/` or `monitoring/`.
///
/// # Errors
/// The system cannot open or read the file, for a reason that is not the owner's fault.
pub fn read_checked(path: &Path, limit: u64) -> Result<Checked> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        Err(rustix::io::Errno::NOENT) => return Ok(Checked::Gone),
        Err(rustix::io::Errno::LOOP) => return Ok(Checked::Refused("it is a symbolic link".into())),
        Err(rustix::io::Errno::NXIO | rustix::io::Errno::NODEV) => {
            return Ok(Checked::Refused("it is not a regular file".into()));
        }
        Err(error) => return Err(Error::io("open", path, error)),
    };
    let metadata = file.metadata().map_err(|error| Error::io("examine", path, error))?;
    if !metadata.is_file() {
        return Ok(Checked::Refused("it is not a regular file".into()));
    }
    if metadata.mode() & 0o022 != 0 {
        return Ok(Checked::Refused(format!(
            "it can be written by group or others (mode {:04o}); use mode 0640",
            metadata.mode() & 0o7777
        )));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| Error::io("read", path, error))?;
    if bytes.len() as u64 > limit {
        return Ok(Checked::Refused(format!("it has more than {limit} bytes")));
    }
    Ok(Checked::File(Opened {
        bytes,
        owner: metadata.uid(),
        identity: (metadata.dev(), metadata.ino()),
        links: metadata.nlink(),
        changed: metadata.ctime(),
    }))
}

/// Opens a file of the spool for reading. Refuses symbolic links.
///
/// # Errors
/// Any failure to open it.
pub fn read_only(path: &Path) -> Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map(File::from).map_err(|error| Error::io("open", path, error))
}

/// Reads a whole file of the spool. Refuses symbolic links.
///
/// # Errors
/// Any failure to open or to read it.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_only(path)?.read_to_end(&mut bytes).map_err(|error| Error::io("read", path, error))?;
    Ok(bytes)
}

/// Reads a JSON document that SpiderPig wrote.
///
/// # Errors
/// The file cannot be read, or its content is not the expected document.
pub fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_slice(&read(path)?)
        .map_err(|error| Error::invalid(path, format!("not the expected JSON: {error}")))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests prepare files by hand")]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn refusal(path: &Path) -> String {
        match read_checked(path, 10).unwrap() {
            Checked::Refused(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_small_regular_private_files_are_accepted() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::write(path("good"), "0123456789").unwrap();
        std::fs::write(path("long"), "0123456789+").unwrap();
        std::fs::write(path("open"), "x").unwrap();
        std::fs::set_permissions(path("open"), std::fs::Permissions::from_mode(0o660)).unwrap();
        symlink("good", path("link")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();

        assert!(matches!(read_checked(&path("good"), 10).unwrap(), Checked::File(file) if file.bytes.len() == 10));
        assert!(matches!(read_checked(&path("none"), 10).unwrap(), Checked::Gone));
        assert_eq!(refusal(&path("long")), "it has more than 10 bytes");
        assert_eq!(refusal(&path("open")), "it can be written by group or others (mode 0660); use mode 0640");
        assert_eq!(refusal(&path("link")), "it is a symbolic link");
        assert_eq!(refusal(&path("pipe")), "it is not a regular file");
        assert_eq!(refusal(directory.path()), "it is not a regular file");
    }
}
