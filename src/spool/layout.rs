//! The spool directory: its version, its paths, and its creation.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::atomic;
use super::error::{Error, Missing as _, Result};
use super::id::JobId;
use super::lock::RunnerLock;
use super::open;

/// The content of the file `layout`: the version that this program supports.
const VERSION: &str = "1\n";

/// Mode of directories that only the runner's account may change.
pub const PRIVATE_DIRECTORY: u32 = 0o2750;
/// Mode of directories in which members of the spool's group may create files.
pub const DROP_DIRECTORY: u32 = 0o3770;
/// Mode of ordinary files.
pub const FILE: u32 = 0o640;
/// Mode of files that only the runner's account may read.
pub const SECRET_FILE: u32 = 0o600;
/// Mode of `sequence`, which every submitter must change.
pub const SHARED_FILE: u32 = 0o660;

/// Room for the reason of a pause, in bytes.
const ROOM_FOR_PAUSE: usize = 4 << 10;

/// Name of the lock file of the running runner.
pub const RUNNER_LOCK: &str = "runner.lock";

/// The directories of the layout, each with its mode.
pub const DIRECTORIES: [(&str, u32); 8] = [
    ("incoming", DROP_DIRECTORY),
    ("queue", DROP_DIRECTORY),
    ("inbox", DROP_DIRECTORY),
    ("monitoring", DROP_DIRECTORY),
    ("jobs", PRIVATE_DIRECTORY),
    ("running", PRIVATE_DIRECTORY),
    ("rejected", PRIVATE_DIRECTORY),
    ("lanes", PRIVATE_DIRECTORY),
];

/// The problem of a spool whose path is a symbolic link.
pub const SYMLINK_PROBLEM: &str = "is a symbolic link, but must be a directory";

/// The path that a symbolic link leads to, for messages.
#[must_use]
pub fn target_of(link: &Path) -> String {
    link.canonicalize().map_or_else(|_| "the target of the link".to_owned(), |path| path.display().to_string())
}

/// Refuses a root that is a symbolic link: it could lead elsewhere tomorrow, and no file of the spool is opened through
/// a link. Links further up in the path are allowed.
fn refuse_link(root: &Path) -> Result<()> {
    if !root.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) {
        return Ok(());
    }
    let target = target_of(root);
    Err(Error::invalid(
        root,
        format!("{SYMLINK_PROBLEM}; set `spool` in the configuration to the directory itself: {target}"),
    ))
}

/// A spool directory with a supported layout version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spool {
    root: PathBuf,
}

impl Spool {
    /// Opens a spool that a runner has created.
    ///
    /// # Errors
    /// There is no spool, or this program does not know its layout version.
    pub fn open(root: &Path) -> Result<Self> {
        refuse_link(root)?;
        let spool = Self { root: root.to_owned() };
        let path = spool.layout();
        let Some(version) = open::read(&path).missing_is_none()? else {
            return Err(Error::invalid(
                root,
                "there is no spool here (no file `layout`); start spiderpig-runner, which creates the spool",
            ));
        };
        if version != VERSION.as_bytes() {
            return Err(Error::invalid(
                &path,
                format!(
                    "layout version {:?} is unknown to this program, which knows {:?}; use the program that wrote it",
                    String::from_utf8_lossy(&version),
                    VERSION
                ),
            ));
        }
        Ok(spool)
    }

    /// Opens a spool and creates its missing parts. The runner does this when it starts.
    ///
    /// # Errors
    /// The directory has other files, this program does not know its layout version, or it cannot be written.
    pub fn lay_out(root: &Path) -> Result<Self> {
        refuse_link(root)?;
        let spool = Self { root: root.to_owned() };
        if !root.exists() {
            atomic::create_directory(root, PRIVATE_DIRECTORY)?;
        }
        if spool.layout().exists() {
            Self::open(root)?;
        } else {
            spool.refuse_foreign_files()?;
        }
        for (name, mode) in DIRECTORIES {
            let path = root.join(name);
            if !path.exists() {
                atomic::create_directory(&path, mode)?;
            }
        }
        if !spool.layout().exists() {
            atomic::replace(&spool.layout(), VERSION.as_bytes(), FILE, atomic::Durability::Synced)?;
        }
        Self::open(root)
    }

    /// Refuses a directory without `layout`, unless it is empty or has only files of an interrupted first start.
    fn refuse_foreign_files(&self) -> Result<()> {
        for name in names(&self.root)? {
            let known = DIRECTORIES.iter().any(|(known, _)| name == *known);
            if !known && !name.to_string_lossy().starts_with('.') {
                return Err(Error::invalid(
                    &self.root,
                    format!(
                        "this directory is neither a spool nor empty (it has `{}`); name an empty directory",
                        name.display()
                    ),
                ));
            }
        }
        Ok(())
    }

    /// The path of the spool.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `layout`: the version.
    #[must_use]
    pub fn layout(&self) -> PathBuf {
        self.root.join("layout")
    }

    /// `sequence`: the last job number that was taken.
    #[must_use]
    pub fn sequence(&self) -> PathBuf {
        self.root.join("sequence")
    }

    /// `incoming/`: files that are being written.
    #[must_use]
    pub fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }

    /// `queue/`: the jobs that wait.
    #[must_use]
    pub fn queue(&self) -> PathBuf {
        self.root.join("queue")
    }

    /// `queue/N.json`.
    #[must_use]
    pub fn queued(&self, id: JobId) -> PathBuf {
        self.queue().join(format!("{id}.json"))
    }

    /// `inbox/`: letters for jobs and for the runner.
    #[must_use]
    pub fn inbox(&self) -> PathBuf {
        self.root.join("inbox")
    }

    /// `monitoring/`: reports of other programs about the site.
    #[must_use]
    pub fn monitoring(&self) -> PathBuf {
        self.root.join("monitoring")
    }

    /// `jobs/`: one directory per job.
    #[must_use]
    pub fn jobs(&self) -> PathBuf {
        self.root.join("jobs")
    }

    /// `jobs/N`.
    #[must_use]
    pub fn job(&self, id: JobId) -> PathBuf {
        self.jobs().join(id.to_string())
    }

    /// `jobs/.N`: a claim that is not committed, or one that is being undone.
    #[must_use]
    pub fn uncommitted_job(&self, id: JobId) -> PathBuf {
        self.jobs().join(format!(".{id}"))
    }

    /// `running/`: links to the jobs that are claimed and not tidied yet.
    #[must_use]
    pub fn running(&self) -> PathBuf {
        self.root.join("running")
    }

    /// `running/N`.
    #[must_use]
    pub fn running_link(&self, id: JobId) -> PathBuf {
        self.running().join(id.to_string())
    }

    /// `rejected/`: files that were no valid jobs.
    #[must_use]
    pub fn rejected(&self) -> PathBuf {
        self.root.join("rejected")
    }

    /// `lanes/NAME.I.lock`.
    #[must_use]
    pub fn lane_slot(&self, lane: &str, slot: u32) -> PathBuf {
        self.root.join("lanes").join(format!("{lane}.{slot}.lock"))
    }

    /// `history.jsonl`: one line per finished job.
    #[must_use]
    pub fn history(&self) -> PathBuf {
        self.root.join("history.jsonl")
    }

    /// `runner.lock`: the lock of the running runner.
    #[must_use]
    pub fn runner_lock(&self) -> PathBuf {
        self.root.join(RUNNER_LOCK)
    }

    /// `runner.json`: the state of the runner.
    #[must_use]
    pub fn runner_state(&self) -> PathBuf {
        self.root.join("runner.json")
    }

    /// `paused`: while it exists, no new job starts.
    #[must_use]
    pub fn paused(&self) -> PathBuf {
        self.root.join("paused")
    }

    /// The reason of the pause. `None` if the runner is not paused. A file that cannot be read means paused.
    #[must_use]
    pub fn pause_reason(&self) -> Option<String> {
        match open::read(&self.paused()) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).trim().to_owned()),
            Err(error) if error.is_not_found() => None,
            Err(error) => Some(format!("paused for a reason that cannot be read: {error}")),
        }
    }

    /// Pauses the runner, with a reason for people. If the disk is full, it uses the room that was
    /// [set aside](Self::set_aside_for_pause).
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn pause(&self, _runner: &RunnerLock, reason: &str) -> Result<()> {
        let text = format!("{reason}\n");
        match atomic::replace(&self.paused(), text.as_bytes(), FILE, atomic::Durability::Synced) {
            Err(error) if error.is_disk_full() => {
                let room = self.room_for_pause();
                let Some(file) = atomic::open_update(&room).missing_is_none()? else { return Err(error) };
                atomic::overwrite(&file, &room, text.as_bytes())?;
                atomic::rename(&room, &self.paused())?;
                atomic::sync_directory(&self.root)
            }
            paused => paused,
        }
    }

    /// Sets room aside for a pause on a full disk, unless that was done already.
    ///
    /// # Errors
    /// The disk is full, or the spool cannot be written.
    pub fn set_aside_for_pause(&self, _runner: &RunnerLock) -> Result<()> {
        let room = self.room_for_pause();
        if room.exists() {
            return Ok(());
        }
        atomic::set_aside(&room, ROOM_FOR_PAUSE, FILE).map(|_| ())
    }

    fn room_for_pause(&self) -> PathBuf {
        self.root.join(".room.paused")
    }

    /// Ends the pause.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn resume(&self, _runner: &RunnerLock) -> Result<()> {
        atomic::remove(&self.paused())?;
        atomic::sync_directory(&self.root)
    }
}

/// Lists the names in a directory, in no order.
///
/// # Errors
/// The directory cannot be read.
pub fn names(directory: &Path) -> Result<Vec<OsString>> {
    let mut names = Vec::new();
    for_each_name(directory, |name| names.push(name))?;
    Ok(names)
}

/// Visits the names in a directory, in no order. Use it where there may be too many to keep in memory.
///
/// # Errors
/// The directory cannot be read.
pub fn for_each_name(directory: &Path, mut visit: impl FnMut(OsString)) -> Result<()> {
    let wrap = |error| Error::io("list", directory, error);
    for entry in std::fs::read_dir(directory).map_err(wrap)? {
        visit(entry.map_err(wrap)?.file_name());
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests prepare files by hand")]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn laying_out_twice_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("spool");
        let spool = Spool::lay_out(&root).unwrap();
        assert_eq!(Spool::lay_out(&root).unwrap(), spool);
        assert_eq!(std::fs::read_to_string(root.join("layout")).unwrap(), "1\n");
        for (name, mode) in DIRECTORIES {
            assert_eq!(std::fs::metadata(root.join(name)).unwrap().mode() & 0o7777, mode, "{name}");
        }
    }

    #[test]
    fn an_unknown_version_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(directory.path()).unwrap();
        std::fs::write(spool.layout(), "2\n").unwrap();
        let error = Spool::open(directory.path()).unwrap_err().to_string();
        assert!(error.contains("layout version \"2\\n\""), "{error}");
        assert!(Spool::lay_out(directory.path()).is_err());
    }

    #[test]
    fn a_directory_with_other_files_is_refused_and_unchanged() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("thesis.tex"), "").unwrap();
        let error = Spool::lay_out(directory.path()).unwrap_err().to_string();
        assert!(error.contains("neither a spool nor empty"), "{error}");
        assert_eq!(names(directory.path()).unwrap().len(), 1);
    }
}
