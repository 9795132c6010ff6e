//! The state directory: files that the API processes of a spool share, and nobody else may read. [`document`] is how one
//! of them is read and changed.

pub mod document;
#[cfg(test)]
pub(crate) mod testing;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::spool::{Result, atomic};

/// The mode of the directory and of those in it: they are private to the account of the API.
const PRIVATE: u32 = 0o700;

/// The directory that `api.state_directory` names. It is made when it is first needed.
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

    /// The path of a file or directory in it.
    #[must_use]
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes the directory if it is not there, durably.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make(&self) -> Result<()> {
        make(&self.path)
    }

    /// Makes the directory, and one in it.
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
    // A directory is only as durable as the names that lead to it.
    atomic::sync_directory(path.parent().unwrap_or(path))
}
