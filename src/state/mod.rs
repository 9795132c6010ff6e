//! The directory of what the API processes of a spool share, and nobody else may read.

pub mod document;
#[cfg(test)]
pub(crate) mod testing;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::spool::{Result, atomic};

/// Mode of the directory and of those in it: nobody else has any business there.
const PRIVATE: u32 = 0o700;

/// `api.state_directory`. Nothing is made before it is needed.
#[derive(Clone, Debug)]
pub struct StateDirectory {
    path: PathBuf,
}

impl StateDirectory {
    /// The state directory at a path, which need not be there yet.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a file or directory in it is.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes it if it is not there, durably.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make(&self) -> Result<()> {
        make(&self.path)
    }

    /// Makes it, and a directory in it.
    ///
    /// # Errors
    /// One of them cannot be made.
    pub fn make_directory(&self, name: &str) -> Result<()> {
        self.make()?;
        make(&self.join(name))
    }
}

fn make(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    match atomic::create_directory(path, PRIVATE) {
        Err(error) if error.kind() == Some(ErrorKind::AlreadyExists) => {}
        made => made?,
    }
    // What is in it is only as durable as the names that lead to it.
    atomic::sync_directory(path.parent().unwrap_or(path))
}
