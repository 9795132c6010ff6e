//! `jobs/N/`: the directory of one job. Anyone with the permissions may read it. Only the holder of its lock may write.

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

/// The least room that is reserved for the final status, in bytes.
const RESERVE: usize = 64 << 10;

/// The place to which a status was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrittenTo {
    /// A new file, as always while the disk has room.
    NewFile,
    /// A file that was set aside. A slow reader may still have that file open, as an older status, and would see a
    /// mixture of two. So the next status has to wait a little.
    RoomSetAside,
}

/// The file in a job's directory by which an operator confirms that no process of the job is left.
pub const NOTHING_LEFT: &str = "nothing-left";

/// A job's directory, for reading.
#[derive(Clone, Debug)]
pub struct Job {
    id: JobId,
    directory: PathBuf,
}

impl Job {
    /// The directory of a job, which need not exist.
    #[must_use]
    pub fn new(spool: &Spool, id: JobId) -> Self {
        Self { id, directory: spool.job(id) }
    }

    /// The job's number.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// The path of the directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whether the directory exists.
    #[must_use]
    pub fn exists(&self) -> bool {
        std::fs::symlink_metadata(&self.directory).is_ok_and(|metadata| metadata.is_dir())
    }

    /// Reads `status.json`. `None` if there is none yet.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn status(&self) -> Result<Option<Status>> {
        open::read_json(&self.directory.join("status.json")).missing_is_none()
    }

    /// Reads `job.json`.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn request(&self) -> Result<JobRequest> {
        open::read_json(&self.directory.join("job.json"))
    }

    /// Reads `job.json` byte for byte. `None` if there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn request_bytes(&self) -> Result<Option<Vec<u8>>> {
        open::read(&self.directory.join("job.json")).missing_is_none()
    }

    /// Reads `plan.json`.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn plan(&self) -> Result<Plan> {
        open::read_json(&self.directory.join("plan.json"))
    }
}

/// A job's directory, for the holder of its lock. Only this type has methods that write.
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
    /// Claims a job: builds its directory under a hidden name and commits it by one rename. It does not sync. Call
    /// [`LockedJob::make_durable`] before anything that relies on the claim.
    ///
    /// # Errors
    /// The directory exists already ([`Error::Locked`]), or cannot be built. Then the hidden directory is removed
    /// again.
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
            // The first error is reported. If this removal fails too, recovery removes the rest.
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

    /// Takes the lock of a job. `None` if another process holds it.
    ///
    /// # Errors
    /// The lock cannot be opened.
    pub fn try_lock(spool: &Spool, id: JobId) -> Result<Option<Self>> {
        let job = Job::new(spool, id);
        let lock = JobLock::try_take(&job.directory, id)?;
        Ok(lock.map(|lock| Self { job, lock }))
    }

    /// Uses the lock that the runner passed on to this process.
    #[must_use]
    pub fn inherited(spool: &Spool, lock: JobLock) -> Self {
        Self { job: Job::new(spool, lock.id()), lock }
    }

    /// Whether this directory is a copy of the one in which the job was claimed, and the claim was in this boot. Then
    /// processes with the job's marker may belong to the original. After another boot they no longer exist.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        let claimed = self.plan().ok().and_then(|plan| plan.lock);
        match (claimed, self.lock.identity()) {
            (Some(claimed), Some(own)) => claimed.boot_id == own.boot_id && claimed != own,
            _ => false,
        }
    }

    /// The job's lock.
    #[must_use]
    pub fn lock(&self) -> &JobLock {
        &self.lock
    }

    /// Replaces `status.json`. Readers see the new one at once. A power cut may undo it. If the disk is full, it writes
    /// over `spare`, and after that over `reserve`, which then exchanges its name with `status.json`. So people see a
    /// job's prompts also on a full disk.
    ///
    /// # Errors
    /// It cannot be written. The old status stays.
    pub fn write_status(&self, status: &Status) -> Result<WrittenTo> {
        let path = self.directory.join("status.json");
        let bytes = status.to_bytes();
        let replaced =
            self.set_aside_spare(bytes.len()).and_then(|()| atomic::replace(&path, &bytes, FILE, Durability::Ordered));
        match replaced {
            Err(error) if error.is_disk_full() => self.write_status_in_room(&path, &bytes, error),
            replaced => replaced.map(|()| WrittenTo::NewFile),
        }
    }

    /// Creates `spare` again after it was used.
    fn set_aside_spare(&self, status: usize) -> Result<()> {
        let spare = self.directory.join("spare");
        if spare.exists() { Ok(()) } else { atomic::set_aside(&spare, RESERVE + status, FILE).map(|_| ()) }
    }

    fn write_status_in_room(&self, path: &Path, bytes: &[u8], full: Error) -> Result<WrittenTo> {
        let spare = self.directory.join("spare");
        if let Some(file) = atomic::open_update(&spare).missing_is_none()? {
            atomic::overwrite(&file, &spare, bytes)?;
            return atomic::rename(&spare, path).map(|()| WrittenTo::RoomSetAside);
        }
        // Only if the present status has the room of `spare`: after the exchange it becomes the room for the last
        // status.
        let has_room = path.symlink_metadata().is_ok_and(|metadata| metadata.len() >= RESERVE as u64);
        let reserve = self.directory.join("reserve");
        match atomic::open_update(&reserve).missing_is_none()? {
            Some(file) if has_room => {
                atomic::overwrite(&file, &reserve, bytes)?;
                atomic::exchange(&reserve, path).map(|()| WrittenTo::RoomSetAside)
            }
            _ => Err(full),
        }
    }

    /// Frees the room for further statuses, when a job has ended: removes `spare`, and cuts off the spaces behind the
    /// present status if that was written over `spare`. The last status has room of its own.
    pub fn release_spare(&self) {
        // A failure costs room only.
        let _ = atomic::remove(&self.directory.join("spare"));
        let _ = self.trim_status();
    }

    fn trim_status(&self) -> Result<()> {
        let path = self.directory.join("status.json");
        let bytes = open::read(&path)?;
        let end = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
        if end == bytes.len() {
            return Ok(());
        }
        let file = atomic::open_update(&path)?;
        file.set_len(end as u64).map_err(|error| Error::io("cut", &path, error))
    }

    /// Replaces `plan.json` of a job that was not started yet, because it may get another slot.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_plan(&self, plan: &Plan) -> Result<()> {
        atomic::replace(&self.directory.join("plan.json"), &plan.to_bytes(), SECRET_FILE, Durability::Ordered)
    }

    /// Makes a claim durable, in five syncs: its three documents, its directory and `jobs/`. After that the command may
    /// be executed and `queue/N.json` may be removed.
    ///
    /// # Errors
    /// A file or directory cannot be synced. A missing document is ignored, because recovery calls this for such jobs
    /// too.
    pub fn make_durable(&self, spool: &Spool) -> Result<()> {
        for name in ["status.json", "job.json", "plan.json"] {
            atomic::sync_file(&self.directory.join(name)).missing_is_none()?;
        }
        atomic::sync_directory(&self.directory)?;
        atomic::sync_directory(&spool.jobs())
    }

    /// Writes the final status into the room that was reserved for it, and makes it durable. Every job ends this way,
    /// so the code for a full disk is in use every day.
    ///
    /// # Errors
    /// It cannot be written or synced.
    pub fn write_final_status(&self, status: &Status) -> Result<()> {
        self.release_spare();
        let path = self.directory.join("status.json");
        let reserve = self.directory.join("reserve");
        let bytes = status.to_bytes();
        let Some(file) = atomic::open_update(&reserve).missing_is_none()? else {
            return atomic::replace(&path, &bytes, FILE, Durability::Synced);
        };
        // On some filesystems even a cut needs room. If it fails, spaces stay behind the document.
        let _ = file.set_len(bytes.len() as u64);
        atomic::overwrite(&file, &reserve, &bytes)?;
        atomic::rename(&reserve, &path)?;
        atomic::sync_directory(&self.directory)
    }

    /// Opens the log for writing, behind its last finished record.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn log_writer(&self) -> Result<LogWriter> {
        LogWriter::open(&self.directory)
    }

    /// Removes temporary files of a supervisor that died during a write.
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

    /// Undoes a claim that was not durable. It hides the directory first, so that no reader sees a half-removed job.
    ///
    /// # Errors
    /// The directory cannot be renamed or removed.
    pub fn undo_claim(self, spool: &Spool) -> Result<()> {
        let hidden = spool.uncommitted_job(self.id);
        atomic::remove_tree(&hidden)?;
        atomic::rename(&self.directory, &hidden)?;
        atomic::remove_tree(&hidden)
    }
}

/// Ends an unfinished last line of a file, so that the next line does not continue it.
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

/// Lists `jobs/`: the jobs, and the claims that are not committed. Leaves out other names.
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
