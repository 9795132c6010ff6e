//! `jobs/N/`: one job's directory. Anyone with the permissions reads it; only the holder of its lock writes.

use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::atomic;
use super::atomic::{Durability, Published};
use super::error::{Error, Missing as _, Result};
use super::id::JobId;
use super::layout;
use super::layout::{FILE, PRIVATE_DIRECTORY, SECRET_FILE, Spool};
use super::lock::{JobLock, RunnerLock};
use super::log::LogWriter;
use super::open;
use super::plan::Plan;
use super::request::JobRequest;
use super::status::Status;

/// What is reserved on the disk for the final status, at least, in bytes.
const RESERVE: usize = 64 << 10;

/// Where a status was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// To a new file, as always while there is room.
    Anew,
    /// Over room that was set aside. Who reads the status before the last one at this very moment reads a mixture, so
    /// the next one has to wait a little.
    InRoom,
}

/// The file in a job's directory by which an operator says that nothing of it is left.
pub const NOTHING_LEFT: &str = "nothing-left";

/// A job's directory, for reading.
#[derive(Clone, Debug)]
pub struct Job {
    id: JobId,
    directory: PathBuf,
}

impl Job {
    /// The directory of a job, whether or not it is there.
    #[must_use]
    pub fn new(spool: &Spool, id: JobId) -> Self {
        Self { id, directory: spool.job(id) }
    }

    /// The job's number.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Where it is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether the directory is there.
    #[must_use]
    pub fn exists(&self) -> bool {
        std::fs::symlink_metadata(&self.directory).is_ok_and(|metadata| metadata.is_dir())
    }

    /// `status.json`; `None` if there is none yet.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn status(&self) -> Result<Option<Status>> {
        open::read_json(&self.directory.join("status.json")).missing_is_none()
    }

    /// `job.json`.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn request(&self) -> Result<JobRequest> {
        open::read_json(&self.directory.join("job.json"))
    }

    /// `job.json`, byte for byte; `None` if there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn request_bytes(&self) -> Result<Option<Vec<u8>>> {
        open::read(&self.directory.join("job.json")).missing_is_none()
    }

    /// `plan.json`.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn plan(&self) -> Result<Plan> {
        open::read_json(&self.directory.join("plan.json"))
    }
}

/// A job's directory, for its leader: the methods that write exist only while the lock is held.
#[derive(Debug)]
pub struct LockedJob {
    job: Job,
    lock: JobLock,
}

impl std::ops::Deref for LockedJob {
    type Target = Job;

    fn deref(&self) -> &Job {
        &self.job
    }
}

impl LockedJob {
    /// Claims a job: builds its directory out of sight and commits it by one rename. Nothing is synced here; the start
    /// group of [`LockedJob::make_durable`] comes before anything that relies on it.
    ///
    /// # Errors
    /// The directory exists already ([`Error::Locked`]), or cannot be built; then nothing is left of it.
    pub fn claim(spool: &Spool, runner: &RunnerLock, request: &[u8], plan: &Plan, status: &Status) -> Result<Self> {
        let hidden = spool.uncommitted_job(plan.id);
        atomic::remove_tree(&hidden)?;
        let built = Self::build(&hidden, request, plan, status).and_then(|lock| {
            let job = Job::new(spool, plan.id);
            match atomic::rename_new_as_runner(runner, &hidden, &job.directory)? {
                Published::New => Ok(Self { job, lock }),
                Published::Exists => {
                    Err(Error::Locked { path: job.directory, holder: "a job with this number exists".into() })
                }
            }
        });
        if built.is_err() {
            // What went wrong is reported; the leftovers are found and removed again by recovery.
            let _ = atomic::remove_tree(&hidden);
        }
        built
    }

    fn build(hidden: &Path, request: &[u8], plan: &Plan, status: &Status) -> Result<JobLock> {
        atomic::create_directory(hidden, PRIVATE_DIRECTORY)?;
        let lock = JobLock::create(hidden, plan.id)?;
        let plan = Plan { lock: lock.identity(), ..plan.clone() };
        let status = status.to_bytes();
        atomic::create_file(&hidden.join("job.json"), request, FILE)?;
        atomic::create_file(&hidden.join("plan.json"), &plan.to_bytes(), SECRET_FILE)?;
        for room in ["reserve", "spare"] {
            atomic::set_aside(&hidden.join(room), RESERVE + status.len(), FILE)?;
        }
        atomic::create_file(&hidden.join("status.json"), &status, FILE)?;
        Ok(lock)
    }

    /// Takes the lead of a job without a leader. `None` if it has one.
    ///
    /// # Errors
    /// The lock cannot be opened.
    pub fn try_lock(spool: &Spool, id: JobId) -> Result<Option<Self>> {
        let job = Job::new(spool, id);
        let lock = JobLock::try_take(&job.directory, id)?;
        Ok(lock.map(|lock| Self { job, lock }))
    }

    /// Takes the lead that was passed on to this process.
    #[must_use]
    pub fn inherited(spool: &Spool, lock: JobLock) -> Self {
        Self { job: Job::new(spool, lock.id()), lock }
    }

    /// Whether this directory is a copy of the one in which the job was claimed, in this boot: what belongs to the job
    /// then belongs to the job over there. In another boot there is nothing that could be mistaken for it.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        let claimed = self.plan().ok().and_then(|plan| plan.lock);
        match (claimed, self.lock.identity()) {
            (Some(claimed), Some(own)) => claimed.boot_id == own.boot_id && claimed != own,
            _ => false,
        }
    }

    /// The lock.
    #[must_use]
    pub fn lock(&self) -> &JobLock {
        &self.lock
    }

    /// Replaces `status.json`. Readers see it at once; a power cut may undo it. A full disk does not keep people from
    /// seeing what the job asks: then it is written over `spare`, and after that over `reserve`, which gets the room of
    /// the status before in exchange.
    ///
    /// # Errors
    /// It cannot be written; the old one is untouched.
    pub fn write_status(&self, status: &Status) -> Result<Written> {
        let path = self.directory.join("status.json");
        let bytes = status.to_bytes();
        let replaced =
            self.set_aside(bytes.len()).and_then(|()| atomic::replace(&path, &bytes, FILE, Durability::Ordered));
        match replaced {
            Err(error) if error.is_disk_full() => self.write_status_in_room(&path, &bytes, error),
            replaced => replaced.map(|()| Written::Anew),
        }
    }

    /// Sets the spare room aside again once it was used.
    fn set_aside(&self, status: usize) -> Result<()> {
        let spare = self.directory.join("spare");
        if spare.exists() { Ok(()) } else { atomic::set_aside(&spare, RESERVE + status, FILE).map(|_| ()) }
    }

    fn write_status_in_room(&self, path: &Path, bytes: &[u8], full: Error) -> Result<Written> {
        let spare = self.directory.join("spare");
        if let Some(file) = atomic::open_update(&spare).missing_is_none()? {
            atomic::overwrite(&file, &spare, bytes)?;
            return atomic::rename(&spare, path).map(|()| Written::InRoom);
        }
        // The present status has the room of the spare, or nothing would be left for the last one.
        let has_room = path.symlink_metadata().is_ok_and(|metadata| metadata.len() >= RESERVE as u64);
        let reserve = self.directory.join("reserve");
        match atomic::open_update(&reserve).missing_is_none()? {
            Some(file) if has_room => {
                atomic::overwrite(&file, &reserve, bytes)?;
                atomic::exchange(&reserve, path).map(|()| Written::InRoom)
            }
            _ => Err(full),
        }
    }

    /// Gives up the room for further statuses of a job that has ended, whether it is still spare or the present status
    /// has it. The last one has room of its own.
    pub fn give_up_spare(&self) {
        // What cannot be given up costs nothing but room.
        let _ = atomic::remove(&self.directory.join("spare"));
        let _ = self.cut_spaces_behind_status();
    }

    fn cut_spaces_behind_status(&self) -> Result<()> {
        let path = self.directory.join("status.json");
        let bytes = open::read(&path)?;
        let end = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
        if end == bytes.len() {
            return Ok(());
        }
        let file = atomic::open_update(&path)?;
        file.set_len(end as u64).map_err(|error| Error::io("cut", &path, error))
    }

    /// Replaces `plan.json` of a job that was not started yet: it may get another slot.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_plan(&self, plan: &Plan) -> Result<()> {
        atomic::replace(&self.directory.join("plan.json"), &plan.to_bytes(), SECRET_FILE, Durability::Ordered)
    }

    /// **The start group**: makes durable what was claimed and the names that lead to it, in five syncs. After it the
    /// command may be executed, and `queue/N.json` may go.
    ///
    /// # Errors
    /// Something cannot be synced. A file that is missing is passed over: recovery meets such jobs.
    pub fn make_durable(&self, spool: &Spool) -> Result<()> {
        for name in ["status.json", "job.json", "plan.json"] {
            atomic::sync_file(&self.directory.join(name)).missing_is_none()?;
        }
        atomic::sync_directory(&self.directory)?;
        atomic::sync_directory(&spool.jobs())
    }

    /// Writes the final status into the space that was reserved for it, and makes it durable. Every job ends this way,
    /// so that the way out of a full disk is walked every day.
    ///
    /// # Errors
    /// It cannot be written or synced.
    pub fn write_final_status(&self, status: &Status) -> Result<()> {
        self.give_up_spare();
        let path = self.directory.join("status.json");
        let reserve = self.directory.join("reserve");
        let bytes = status.to_bytes();
        let Some(file) = atomic::open_update(&reserve).missing_is_none()? else {
            return atomic::replace(&path, &bytes, FILE, Durability::Synced);
        };
        // To become shorter takes room on some filesystems; without it spaces stay behind the document.
        let _ = file.set_len(bytes.len() as u64);
        atomic::overwrite(&file, &reserve, &bytes)?;
        atomic::rename(&reserve, &path)?;
        atomic::sync_directory(&self.directory)
    }

    /// Opens the log behind its last finished record.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn log_writer(&self) -> Result<LogWriter> {
        LogWriter::open(&self.directory)
    }

    /// Removes temporary files that a leader left when it died in the middle of a write.
    ///
    /// # Errors
    /// The directory cannot be read, or a file cannot be removed.
    pub fn remove_leftovers(&self) -> Result<()> {
        for name in layout::names(&self.directory)? {
            if name.as_encoded_bytes().starts_with(b".") {
                atomic::remove(&self.directory.join(name))?;
            }
        }
        Ok(())
    }

    /// Takes back a claim that was not durable: out of sight first, so that no reader sees a half-removed job.
    ///
    /// # Errors
    /// The directory cannot be renamed or removed.
    pub fn take_back(self, spool: &Spool) -> Result<()> {
        let hidden = spool.uncommitted_job(self.id);
        atomic::remove_tree(&hidden)?;
        atomic::rename(&self.directory, &hidden)?;
        atomic::remove_tree(&hidden)
    }
}

/// Ends an append-only file whose last line is unfinished, so that the next line does not continue it.
pub(super) fn end_last_line(file: &mut std::fs::File, path: &Path) -> Result<()> {
    let wrap = |error| Error::io("read", path, error);
    let length = file.metadata().map_err(wrap)?.len();
    let mut last = [b'\n'];
    if length > 0 {
        file.read_exact_at(&mut last, length - 1).map_err(wrap)?;
    }
    if last != *b"\n" {
        file.write_all(b"\n").map_err(|error| Error::io("write", path, error))?;
    }
    Ok(())
}

/// What is in `jobs/`: the jobs, and claims that are not committed. Other names are left out.
///
/// # Errors
/// The directory cannot be read.
pub fn list(spool: &Spool) -> Result<(Vec<JobId>, Vec<JobId>)> {
    let mut jobs = Vec::new();
    let mut uncommitted = Vec::new();
    for name in layout::names(&spool.jobs())? {
        let Some(name) = name.to_str() else { continue };
        if let Ok(id) = name.parse() {
            jobs.push(id);
        } else if let Some(Ok(id)) = name.strip_prefix('.').map(str::parse) {
            uncommitted.push(id);
        }
    }
    jobs.sort_unstable();
    uncommitted.sort_unstable();
    Ok((jobs, uncommitted))
}
