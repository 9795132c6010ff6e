//! A file that several processes change: the API processes of a spool, and the commands of `spiderpig-api`.
//!
//! The file is JSON, and never empty: an empty file is one that was cut off. Whoever changes it holds its `flock`, reads it
//! anew, and replaces it as a whole. Requests are answered from memory, which follows when it is told that there may be
//! news.
//!
//! Beside the file is a spare, a file of spaces that really takes its room. On a full disk the next content is written into
//! the spare, and the two files change places. A change that takes a right away from somebody makes the content smaller, so
//! it always fits.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::spool::atomic;
use crate::spool::atomic::Durability;
use crate::spool::error::Missing as _;
use crate::spool::layout::SECRET_FILE;
use crate::spool::{Error, Result, lock, open};

/// The least room that is set aside for a full disk, in bytes.
const SPARE: usize = 64 << 10;

/// A file of the state directory, and its content when it was read last.
#[derive(Debug)]
pub struct Document<T> {
    path: PathBuf,
    /// Whether nobody removes it on purpose.
    is_lasting: bool,
    memory: RwLock<Memory<T>>,
}

#[derive(Debug)]
struct Memory<T> {
    content: Arc<T>,
    version: Option<Version>,
}

/// Which version of a file it is: each change makes another file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl<T: Default + Serialize + DeserializeOwned> Document<T> {
    /// Reads a file; one that is not there is a default, and is made by the first change. Who removes it later wants all
    /// that was in it forgotten.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn open(path: PathBuf) -> Result<Self> {
        let document = Self::unread(path);
        document.refresh()?;
        Ok(document)
    }

    /// As [`open`](Self::open), but nobody removes this file on purpose: if it was there and is not any more, that is an
    /// error, and what was known stays.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn open_lasting(path: PathBuf) -> Result<Self> {
        Ok(Self { is_lasting: true, ..Self::open(path)? })
    }

    /// As [`open`](Self::open), for what one can do without: a damaged file gets `.damaged` behind its name, and what was
    /// in it is forgotten.
    ///
    /// # Errors
    /// It cannot be read, or not be moved.
    pub fn open_or_move_aside(path: PathBuf) -> Result<Self> {
        let document = Self::unread(path);
        if let Err(Error::Invalid { .. }) = document.refresh() {
            document.move_aside()?;
            document.refresh()?;
        }
        Ok(document)
    }

    /// One that was not read yet: as far as this process knows, it is a default.
    #[must_use]
    pub fn unread(path: PathBuf) -> Self {
        let memory = RwLock::new(Memory { content: Arc::default(), version: None });
        Self { path, is_lasting: false, memory }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its content, as far as this process knows. It is never waited for.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.memory.read().unwrap_or_else(PoisonError::into_inner).content)
    }

    /// Reads it again if it is not what it was. Returns whether that is so.
    ///
    /// # Errors
    /// It cannot be read, or is damaged; what was known stays.
    pub fn refresh(&self) -> Result<bool> {
        let version = match self.path.metadata() {
            Ok(metadata) => Some(Version::from(&metadata)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Error::io("look at", &self.path, error)),
        };
        let known = self.memory.read().unwrap_or_else(PoisonError::into_inner).version;
        if version == known {
            return Ok(false);
        }
        let (content, version) = if version.is_none() {
            self.refuse_if_lost()?;
            (T::default(), None)
        } else {
            let file = open::read_only(&self.path)?;
            (self.read(&file)?, Some(version_of(&file, &self.path)?))
        };
        let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
        // A change of this process meanwhile is newer than what was read.
        if memory.version == known {
            *memory = Memory { content: Arc::new(content), version };
        }
        Ok(true)
    }

    /// Changes the file, durably, with all that others have changed meanwhile. Returns what `change` returns. If `change`
    /// changes nothing, nothing is written.
    ///
    /// # Errors
    /// It cannot be locked, read or written, or is damaged: then it is as before.
    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> Result<R>
    where
        T: Clone + PartialEq,
    {
        let file = self.lock()?;
        let before = self.read(&file)?;
        let mut content = before.clone();
        let result = change(&mut content);
        let version = if content == before {
            version_of(&file, &self.path)?
        } else {
            self.put(&self.bytes(&content)?)?;
            // The lock is still held: whoever waits for the old file sees that it was replaced, and takes this one.
            version_of(&open::read_only(&self.path)?, &self.path)?
        };
        self.remember(content, Some(version));
        Ok(result)
    }

    fn put(&self, bytes: &[u8]) -> Result<()> {
        match atomic::replace(&self.path, bytes, SECRET_FILE, Durability::Synced) {
            Err(error) if error.is_disk_full() => {
                let spared = self.put_into_spare(bytes);
                spared.inspect_err(|reason| tracing::error!(%reason, "what was set aside for a full disk is of no use"))
            }
            put => {
                put?;
                self.set_room_aside(bytes.len());
                Ok(())
            }
        }
    }

    /// Writes without new room. The next time needs none either: the file of now is the spare then, and the content is
    /// shorter.
    fn put_into_spare(&self, bytes: &[u8]) -> Result<()> {
        let spare = self.spare();
        atomic::overwrite(&atomic::open_update(&spare)?, &spare, bytes)?;
        // Where two names cannot be exchanged there is room for this time only.
        atomic::exchange(&spare, &self.path).or_else(|_| atomic::rename(&spare, &self.path))?;
        atomic::sync_directory(self.path.parent().unwrap_or(&self.path))
    }

    /// Sets room aside for a content of this size, if that was not done. A failure matters only once the disk is full.
    fn set_room_aside(&self, size: usize) {
        let spare = self.spare();
        let wanted = size.max(SPARE);
        if spare.metadata().is_ok_and(|metadata| usize::try_from(metadata.len()).is_ok_and(|there| there >= wanted)) {
            return;
        }
        let fresh = self.path.with_extension("json.spare.new");
        let set_aside = atomic::remove(&fresh)
            .and_then(|()| atomic::set_aside(&fresh, 2 * wanted, SECRET_FILE))
            .and_then(|_| atomic::rename(&fresh, &spare));
        if let Err(error) = set_aside {
            tracing::warn!(%error, "no room is set aside: on a full disk nobody could be signed out");
        }
    }

    /// Sets room aside for the content of now: the disk may be full before the first change of this process.
    pub fn prepare_for_full_disk(&self) {
        if let Ok(metadata) = self.path.metadata() {
            self.set_room_aside(usize::try_from(metadata.len()).unwrap_or(usize::MAX / 2));
        }
    }

    fn spare(&self) -> PathBuf {
        self.path.with_extension("json.spare")
    }

    fn lock(&self) -> Result<File> {
        lock::replaceable(&self.path, || {
            loop {
                if let Some(file) = atomic::open_update(&self.path).missing_is_none()? {
                    return Ok(file);
                }
                self.refuse_if_lost()?;
                // It is published whole, so that a crash leaves no empty file, which would be taken for a damaged one.
                let directory = self.path.parent().unwrap_or(&self.path);
                atomic::publish(directory, &self.path, &self.bytes(&T::default())?, SECRET_FILE)?;
            }
        })
    }

    fn move_aside(&self) -> Result<()> {
        let file = self.lock()?;
        // Another process may have done it meanwhile.
        if let Err(problem @ Error::Invalid { .. }) = self.read(&file) {
            let aside = self.path.with_extension("json.damaged");
            atomic::rename(&self.path, &aside)?;
            tracing::error!(%problem, aside = %aside.display(), "what was in this file is forgotten; it was moved aside");
        }
        Ok(())
    }

    /// # Errors
    /// The file is not there, and was.
    fn refuse_if_lost(&self) -> Result<()> {
        let was_there = self.memory.read().unwrap_or_else(PoisonError::into_inner).version.is_some();
        if self.is_lasting && was_there {
            let reason = "it is not there any more. Put it back from a backup, or restart the API if all that was in it is \
                          to be forgotten";
            return Err(Error::invalid(&self.path, reason));
        }
        Ok(())
    }

    fn bytes(&self, content: &T) -> Result<Vec<u8>> {
        let mut bytes =
            serde_json::to_vec_pretty(content).map_err(|error| Error::invalid(&self.path, error.to_string()))?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    fn read(&self, mut file: &File) -> Result<T> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| Error::io("read", &self.path, error))?;
        serde_json::from_slice(&bytes).map_err(|error| {
            // The error's own text may quote the content, which may be a secret.
            let place = format!("line {}, column {}", error.line(), error.column());
            Error::invalid(&self.path, format!("it is damaged ({place}). Mend it, or move it away"))
        })
    }

    fn remember(&self, content: T, version: Option<Version>) {
        let memory = Memory { content: Arc::new(content), version };
        *self.memory.write().unwrap_or_else(PoisonError::into_inner) = memory;
    }
}

fn version_of(file: &File, path: &Path) -> Result<Version> {
    let metadata = file.metadata().map_err(|error| Error::io("look at", path, error))?;
    Ok(Version::from(&metadata))
}

impl From<&std::fs::Metadata> for Version {
    fn from(metadata: &std::fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests damage files by hand")]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::state::testing::SmallDisk;

    type Counts = BTreeMap<String, u32>;

    #[test]
    fn on_a_full_disk_what_takes_something_away_is_written_again_and_again() {
        let directory = tempfile::tempdir().unwrap();
        let Some(disk) = SmallDisk::at(directory.path()) else { return };
        let path = directory.path().join("counts.json");
        let document: Document<Counts> = Document::open(path.clone()).unwrap();
        let names: Vec<String> = (0..20).map(|n| format!("name{n}")).collect();
        for name in &names {
            assert_eq!(add(&document, name), 1);
        }
        disk.fill();
        let other: Document<Counts> = Document::open(path.clone()).unwrap();
        for (removed, name) in names.iter().enumerate() {
            let (remover, follower) = if removed % 2 == 0 { (&document, &other) } else { (&other, &document) };
            remover.change(|counts| counts.remove(name)).unwrap().unwrap();
            assert!(follower.refresh().unwrap(), "{name}");
            assert_eq!((follower.get().len(), follower.get().contains_key(name)), (19 - removed, false));
        }
        let grown = document.change(|counts| {
            counts.extend((0..20_000).map(|n| (format!("another{n}"), n)));
        });
        assert!(grown.unwrap_err().is_disk_full());
        assert_eq!(Document::<Counts>::open(path.clone()).unwrap().get().len(), 0, "it is as before");
        disk.empty();
        add(&document, "alice");
        let spare = path.with_extension("json.spare").metadata().unwrap();
        assert_eq!((spare.len(), spare.mode() & 0o777), (2 * SPARE as u64, 0o600), "room is set aside again");
    }

    fn add(document: &Document<Counts>, name: &str) -> u32 {
        let added = document.change(|counts| {
            let count = counts.entry(name.to_owned()).or_default();
            *count += 1;
            *count
        });
        added.unwrap()
    }

    #[test]
    fn what_one_process_changes_another_has_when_it_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("counts.json");
        let open = || Document::<Counts>::open(path.clone()).unwrap();
        let (one, other) = (open(), open());
        assert_eq!(add(&one, "a"), 1);
        assert!(other.get().is_empty() && other.refresh().unwrap());
        assert_eq!((other.get()["a"], other.refresh().unwrap()), (1, false));
        assert_eq!((add(&other, "a"), add(&one, "a")), (2, 3), "none is lost, told or not");
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        std::fs::remove_file(&path).unwrap();
        assert!(one.refresh().unwrap() && one.get().is_empty());
    }

    #[test]
    fn none_of_many_changes_at_once_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("counts.json");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let document = Document::open(path.clone()).unwrap();
                    (0..10).for_each(|_| _ = add(&document, "a"));
                });
            }
        });
        assert_eq!(Document::<Counts>::open(path).unwrap().get()["a"], 80);
    }

    #[test]
    fn a_damaged_file_is_neither_believed_nor_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("counts.json");
        let document = Document::open(path.clone()).unwrap();
        add(&document, "a");
        std::fs::write(&path, "{\"a\":").unwrap();
        assert!(document.refresh().is_err() && document.get()["a"] == 1);
        assert!(document.change(BTreeMap::clear).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"{\"a\":");
        assert!(Document::<Counts>::open(path).unwrap_err().to_string().contains("it is damaged"));
    }

    #[test]
    fn an_empty_file_is_one_that_was_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("counts.json");
        let document = Document::open(path.clone()).unwrap();
        add(&document, "a");
        std::fs::write(&path, "").unwrap();
        assert!(document.refresh().is_err() && document.get()["a"] == 1);
        assert!(document.change(BTreeMap::clear).is_err() && Document::<Counts>::open(path).is_err());
    }

    #[test]
    fn a_change_that_comes_to_nothing_leaves_no_empty_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("counts.json");
        // As a crash does: the file is there and locked, and nothing was written yet.
        Document::<Counts>::open(path.clone()).unwrap().change(|_| ()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"{}\n");
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(add(&Document::open(path).unwrap(), "a"), 1);
    }

    #[test]
    fn who_removes_a_lasting_file_makes_nothing_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("counts.json");
        let document = Document::open_lasting(path.clone()).unwrap();
        assert_eq!((add(&document, "a"), document.refresh().unwrap()), (1, false), "it need not be there at first");
        let backup = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let error = document.refresh().unwrap_err().to_string();
        assert!(error.contains("not there any more") && document.get()["a"] == 1, "{error}");
        assert!(document.change(BTreeMap::clear).is_err() && !path.exists());
        std::fs::write(&path, backup).unwrap();
        assert!(document.refresh().unwrap());
        assert_eq!(add(&document, "a"), 2);
    }

    #[test]
    fn a_damaged_file_is_moved_aside_where_one_can_do_without() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("counts.json");
        for damaged in ["{\"a\":", ""] {
            std::fs::write(&path, damaged).unwrap();
            let open = || Document::<Counts>::open_or_move_aside(path.clone()).unwrap();
            assert_eq!((add(&open(), "a"), add(&open(), "a")), (1, 2), "only what is damaged is moved");
            assert_eq!(std::fs::read_to_string(directory.path().join("counts.json.damaged")).unwrap(), damaged);
        }
    }
}
