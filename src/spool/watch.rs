//! Watches the spool for changes. It gives hints only: the receiver of a hint must read the files itself.

use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use super::error::{Error, Result};
use super::layout::RUNNER_LOCK;
use crate::shortage;

/// A hint about a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// The file or directory with this path was created, changed or removed.
    Changed(PathBuf),
    /// Hints were lost, so any file may have changed.
    Rescan,
}

/// A set of watched directories and files (inotify). It gives hints only of changes after [`Watch::add`]. So add the
/// path first, and then read it.
#[derive(Debug)]
pub struct Watch {
    watcher: RecommendedWatcher,
}

impl Watch {
    /// Makes an empty set. `tell` is called on a thread of the watcher, and must not block.
    ///
    /// # Errors
    /// The account has too many watchers already (`fs.inotify.max_user_instances`).
    pub fn new(tell: impl Fn(Hint) + Send + 'static) -> Result<Self> {
        let handler = move |event: notify::Result<notify::Event>| match event {
            Ok(event) if event.need_rescan() => tell(Hint::Rescan),
            Ok(event) if is_change(event.kind) || is_end_of_runner(&event) => {
                event.paths.into_iter().map(Hint::Changed).for_each(&tell);
            }
            Ok(_) => {}
            Err(_) => tell(Hint::Rescan),
        };
        // The crate assumes that its thread starts, and panics later if it did not. So this is tested first.
        shortage::check_for_thread().map_err(|error| Error::io("start a thread for", Path::new("inotify"), error))?;
        let watcher = notify::recommended_watcher(handler).map_err(|error| wrap(Path::new("inotify"), error))?;
        Ok(Self { watcher })
    }

    /// Adds a file, or a directory without the content of its subdirectories.
    ///
    /// # Errors
    /// The path cannot be watched.
    pub fn add(&mut self, path: &Path) -> Result<()> {
        self.watcher.watch(path, RecursiveMode::NonRecursive).map_err(|error| wrap(path, error))
    }

    /// Removes a path from the set. A path that no longer exists, and so is not watched any more, is not an error.
    pub fn remove(&mut self, path: &Path) {
        let _ = self.watcher.unwatch(path);
    }
}

/// Whether an event is a change. Opening and reading are not: otherwise each read would cause a hint, and so the next
/// read, for ever.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Modify(ModifyKind::Name(mode)) => mode != RenameMode::Both,
        EventKind::Modify(ModifyKind::Metadata(_)) | EventKind::Access(_) => false,
        _ => true,
    }
}

/// Whether an event is the end of the runner. Any end closes the lock file, which the runner has open for writing.
/// Other programs open it only for reading. The event comes a moment before the lock is free.
fn is_end_of_runner(event: &notify::Event) -> bool {
    event.kind == EventKind::Access(AccessKind::Close(AccessMode::Write))
        && event.paths.iter().any(|path| path.file_name().is_some_and(|name| name == RUNNER_LOCK))
}

fn wrap(path: &Path, error: notify::Error) -> Error {
    let source = match error.kind {
        notify::ErrorKind::Io(source) => source,
        notify::ErrorKind::MaxFilesWatch => std::io::Error::other("no watches left (fs.inotify.max_user_watches)"),
        kind => std::io::Error::other(notify::Error::new(kind).to_string()),
    };
    Error::io("watch", path, source)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make files by hand")]
mod tests {
    use std::fs;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_rename_gives_a_hint_and_reading_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let (sender, hints) = mpsc::channel();
        let mut watch = Watch::new(move |hint| sender.send(hint).unwrap()).unwrap();
        fs::write(directory.path().join("before"), "").unwrap();
        let inbox = directory.path().join("inbox");
        fs::create_dir(&inbox).unwrap();
        watch.add(&inbox).unwrap();
        fs::rename(directory.path().join("before"), inbox.join("first")).unwrap();
        let next = || hints.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(next(), Hint::Changed(inbox.join("first")));
        fs::read(inbox.join("first")).unwrap();
        fs::read_dir(&inbox).unwrap().count();
        fs::hard_link(inbox.join("first"), inbox.join("second")).unwrap();
        assert_eq!(next(), Hint::Changed(inbox.join("second")), "reading in between was not told");
    }

    #[test]
    fn the_end_of_the_runner_gives_a_hint_and_reading_its_lock_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let (lock, other) = (directory.path().join(RUNNER_LOCK), directory.path().join("other"));
        fs::write(&lock, "").unwrap();
        fs::write(&other, "").unwrap();
        let open = |path: &Path| fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
        let holder = open(&lock);
        let (sender, hints) = mpsc::channel();
        let mut watch = Watch::new(move |hint| sender.send(hint).unwrap()).unwrap();
        watch.add(directory.path()).unwrap();
        fs::read(&lock).unwrap();
        drop(open(&other));
        drop(holder);
        assert_eq!(hints.recv_timeout(Duration::from_secs(10)).unwrap(), Hint::Changed(lock));
    }
}
