//! The file of one key.
//!
//! It has two lines of JSON. The first says what was asked for; it is synced before the job is submitted. The second has
//! the number of the job. It may be missing after a crash: then the job is looked for in the spool.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{DAY, Key};
use crate::spool::layout::SECRET_FILE;
use crate::spool::{Error, JobId, Result, Spool, Time, atomic, lock, open, queue, sequence};
use crate::submit::SubmitError;

/// How long a request waits for another one with the same key, which waits at most as long for its number.
const PATIENCE: Duration = sequence::PATIENCE;

/// The record of a key. Only this process holds it.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
    file: File,
    begun: Option<Begun>,
    job: Option<JobId>,
}

/// A job is about to be submitted.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    at: Time,
    fingerprint: String,
    /// The last number handed out before.
    since: u64,
}

/// It was submitted.
#[derive(Debug, Serialize, Deserialize)]
struct Done {
    job: JobId,
}

impl Record {
    /// Locks a record, and creates it if there is none. `None` if another request holds it for too long.
    pub(crate) fn lock(path: PathBuf) -> Result<Option<Self>> {
        loop {
            let file = atomic::open_lock(&path, SECRET_FILE)?;
            if !lock::exclusive_within(&file, &path, PATIENCE)? {
                return Ok(None);
            }
            // A sweep may have removed the file before it was locked.
            if lock::is_at(&path, &file)? {
                return Self::read(path, file).map(Some);
            }
        }
    }

    fn read(path: PathBuf, mut file: File) -> Result<Self> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| Error::io("read", &path, error))?;
        let mut lines = bytes.split(|byte| *byte == b'\n');
        // A line that cannot be read was not written to its end, so what would have followed it did not happen.
        let begun = lines.next().and_then(|line| serde_json::from_slice::<Begun>(line).ok()).filter(Begun::is_known);
        let done = lines.next().filter(|_| begun.is_some()).and_then(|line| serde_json::from_slice::<Done>(line).ok());
        Ok(Self { path, file, begun, job: done.map(|done| done.job) })
    }

    /// The job that was submitted with the key.
    #[must_use]
    pub fn job(&self) -> Option<JobId> {
        self.job
    }

    /// Whether the key was used for this very request.
    pub(crate) fn is_of(&self, key: &Key) -> bool {
        self.begun.as_ref().is_some_and(|begun| begun.fingerprint == key.fingerprint())
    }

    /// The job that was submitted with the key, also if its number was not noted because of a crash.
    pub(crate) fn look_for_job(&mut self, spool: &Spool, key: &Key) -> Result<Option<JobId>> {
        if let (None, Some(begun)) = (self.job, &self.begun)
            && let Some(job) = queue::find(spool, key.hash(), begun.since)?
        {
            tracing::info!(%job, "found the job of a request that was cut off");
            self.finish(job);
        }
        Ok(self.job)
    }

    /// Notes, durably, that a job will be submitted.
    ///
    /// # Errors
    /// That cannot be written, or the spool has no numbers.
    pub fn begin(&mut self, spool: &Spool, key: &Key) -> std::result::Result<(), SubmitError> {
        let since = sequence::last(spool)?;
        let begun = Begun { at: Time::now(), fingerprint: key.fingerprint().to_owned(), since };
        self.write_begun(&begun).map_err(SubmitError::StateDirectory)?;
        self.begun = Some(begun);
        Ok(())
    }

    fn write_begun(&self, begun: &Begun) -> Result<()> {
        atomic::rewrite(&self.file, &self.path, &line(begun, &self.path)?)?;
        atomic::sync_directory(self.path.parent().unwrap_or(&self.path))
    }

    /// Notes the job. If that fails, the next request looks for it in the spool.
    pub fn finish(&mut self, job: JobId) {
        self.job = Some(job);
        let noted = line(&Done { job }, &self.path).and_then(|line| atomic::append(&self.file, &self.path, &line));
        if let Err(error) = noted {
            tracing::warn!(%job, %error, "cannot note the job of an idempotency key");
        }
    }

    /// Removes the record at a path if it is old and no request holds it.
    pub(crate) fn remove_if_old(path: &Path) -> Result<()> {
        let is_old = || -> Result<bool> {
            let metadata = path.symlink_metadata().map_err(|error| Error::io("look at", path, error))?;
            let changed = metadata.modified().map_err(|error| Error::io("look at", path, error))?;
            Ok(metadata.is_file() && changed.elapsed().is_ok_and(|age| age > DAY))
        };
        if is_old()? {
            let file = open::read_only(path)?;
            let is_ours = lock::exclusive_within(&file, path, Duration::ZERO)? && lock::is_at(path, &file)?;
            if is_ours && is_old()? {
                atomic::remove(path)?;
            }
        }
        Ok(())
    }
}

impl Begun {
    /// Whether the key is still known. A clock that was set back makes no key forgotten.
    fn is_known(&self) -> bool {
        let age = Time::now().as_milliseconds().saturating_sub(self.at.as_milliseconds());
        u128::try_from(age).unwrap_or_default() <= DAY.as_millis()
    }
}

fn line(document: &impl Serialize, path: &Path) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(document).map_err(|error| Error::invalid(path, error.to_string()))?;
    line.push(b'\n');
    Ok(line)
}
