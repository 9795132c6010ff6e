//! The error of everything that touches the spool: it names the path, what was tried, and the cause.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A result whose error carries the path.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with a path of the spool.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: Action,
        /// The path of the action.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is there, and its content is not what the layout says.
    #[error("{}: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The fault, and what to do.
        reason: String,
    },
    /// Another process holds a lock that is needed.
    #[error("{} is locked: {holder}", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The holder of the lock, as far as it is known.
        holder: String,
    },
}

/// What was tried on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// To make it durable. If that fails, what was written may be there all the same.
    Sync,
    /// Anything else, as a verb: "open", "rename into place".
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
    /// Wraps an I/O error with what was tried and where.
    pub fn io(action: impl Into<Action>, path: &Path, source: impl Into<io::Error>) -> Self {
        let mut source = source.into();
        if source.kind() == io::ErrorKind::FileTooLarge {
            let words = "the limit of a file's size is reached (`ulimit -f`, LimitFSIZE=), or that of the filesystem";
            source = io::Error::new(io::ErrorKind::FileTooLarge, words);
        }
        Self::Io { action: action.into(), path: path.to_owned(), source }
    }

    /// A file whose content is wrong.
    pub fn invalid(path: &Path, reason: impl Into<String>) -> Self {
        Self::Invalid { path: path.to_owned(), reason: reason.into() }
    }

    /// What it is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. } | Self::Invalid { path, .. } | Self::Locked { path, .. } => path,
        }
    }

    /// The kind of the underlying I/O error, if there is one.
    #[must_use]
    pub fn kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } => Some(source.kind()),
            Self::Invalid { .. } | Self::Locked { .. } => None,
        }
    }

    /// Whether the file or directory simply is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind() == Some(io::ErrorKind::NotFound)
    }

    /// Whether the disk, or the account's share of it, is full.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self.kind(), Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }

    /// Whether the disk accepts no writes for now: it is full, or was made read-only.
    #[must_use]
    pub fn is_for_want_of_disk(&self) -> bool {
        self.is_disk_full() || self.kind() == Some(io::ErrorKind::ReadOnlyFilesystem)
    }
}

/// Turns "it is not there" into `None`, and leaves every other error an error.
pub trait Missing<T> {
    /// `Ok(None)` where the error was "not found".
    ///
    /// # Errors
    /// Every other error, unchanged.
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
