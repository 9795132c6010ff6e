//! The error of all functions of the spool. It names the path, the action and the cause.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A result with an error that names the path.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with a path of the spool.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system reported an error.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The action that failed.
        action: Action,
        /// The path of the action.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file exists, but its content does not follow the layout.
    #[error("{}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The problem, and what to do.
        reason: String,
    },
    /// Another process holds the lock.
    #[error("{} is locked: {holder}", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The holder of the lock, as far as it is known.
        holder: String,
    },
}

/// An action on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A sync. If it fails, the data may be on the disk all the same.
    Sync,
    /// Another action, as a verb: "open", "rename into place".
    Other(&'static str),
}

impl From<&'static str> for Action {
    fn from(verb: &'static str) -> Self {
        Self::Other(verb)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sync => "sync",
            Self::Other(verb) => verb,
        })
    }
}

impl Error {
    /// Adds the action and the path to an I/O error.
    pub fn io(action: impl Into<Action>, path: &Path, source: impl Into<io::Error>) -> Self {
        let mut source = source.into();
        if source.kind() == io::ErrorKind::FileTooLarge {
            let words = "the limit of a file's size is reached (`ulimit -f`, LimitFSIZE=), or that of the filesystem";
            source = io::Error::new(io::ErrorKind::FileTooLarge, words);
        }
        Self::Io { action: action.into(), path: path.to_owned(), source }
    }

    /// Makes the error for a file with wrong content.
    pub fn invalid(path: &Path, reason: impl Into<String>) -> Self {
        Self::Invalid { path: path.to_owned(), reason: reason.into() }
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. } | Self::Invalid { path, .. } | Self::Locked { path, .. } => path,
        }
    }

    /// The kind of the I/O error behind it, if there is one.
    #[must_use]
    pub fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } => Some(source.kind()),
            Self::Invalid { .. } | Self::Locked { .. } => None,
        }
    }

    /// Whether the file or directory does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind() == Some(io::ErrorKind::NotFound)
    }

    /// Whether the disk is full, or the account's quota is used up.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self.kind(), Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }

    /// Whether the disk is full or read-only.
    #[must_use]
    pub fn is_disk_full_or_read_only(&self) -> bool {
        self.is_disk_full() || self.kind() == Some(io::ErrorKind::ReadOnlyFilesystem)
    }
}

/// Turns the error "not found" into `None`.
pub trait Missing<T> {
    /// Returns `Ok(None)` if the error is "not found".
    ///
    /// # Errors
    /// All other errors, unchanged.
    fn missing_is_none(self) -> Result<Option<T>>;
}

impl<T> Missing<T> for Result<T> {
    fn missing_is_none(self) -> Result<Option<T>> {
        match self {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}
