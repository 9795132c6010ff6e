//! Being told that something in the spool may have changed. A hint, never the truth: whoever is told looks for himself.

use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use super::error::{Error, Result};
use super::layout::RUNNER_LOCK;
use crate::shortage;

/// What a hint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Something appeared, grew or vanished under this path.
    Changed(PathBuf),
    /// Hints were lost; anything may have changed.
    LookEverywhere,
}

/// A set of watched directories and files (inotify). Nobody is told of anything that happened before [`Watch::add`],
/// so: first watch, then look.
#[derive(Debug)]
pub struct Watch {
    watcher: RecommendedWatcher,
}

impl Watch {
    /// Starts watching nothing. `tell` is called on a thread of the watcher's own; it must not block.
    ///
    /// # Errors
    /// The system gives this account no more watchers (`fs.inotify.max_user_instances`).
    pub fn new(tell: impl Fn(Hint) + Send + 'static) -> Result<Self> {
        let handler = move |event: notify::Result<notify::Event>| match event {
            Ok(event) if event.need_rescan() => tell(Hint::LookEverywhere),
            Ok(event) if is_news(event.kind) || is_end_of_runner(&event) => {
                event.paths.into_iter().map(Hint::Changed).for_each(&tell);
            }
            Ok(_) => {}
            Err(_) => tell(Hint::LookEverywhere),
        };
        // The crate takes for granted that its thread starts, and panics later if it did not.
        shortage::ask_for_thread().map_err(|error| Error::io("start a thread for", Path::new("inotify"), error))?;
        let watcher = notify::recommended_watcher(handler).map_err(|error| wrap(Path::new("inotify"), error))?;
        Ok(Self { watcher })
    }

    /// Watches a directory, without what is below its subdirectories, or a file.
    ///
    /// # Errors
    /// The path cannot be watched.
    pub fn add(&mut self, path: &Path) -> Result<()> {
        self.watcher.watch(path, RecursiveMode::NonRecursive).map_err(|error| wrap(path, error))
    }

    /// Stops watching a path. One that is gone, and so is not watched any more, is no error.
    pub fn remove(&mut self, path: &Path) {
        let _ = self.watcher.unwatch(path);
    }
}

/// Reading must not count: the watcher hears of opens too, and a look would cause the next look, for ever.
fn is_news(kind: EventKind) -> bool {
    match kind {
        EventKind::Modify(ModifyKind::Name(mode)) => mode != RenameMode::Both,
        EventKind::Modify(ModifyKind::Metadata(_)) | EventKind::Access(_) => false,
        _ => true,
    }
}

/// The end of the runner, however it comes, closes its lock, which is open for writing; nobody who only looks at a lock
/// opens it so. The kernel tells a moment before the lock is free.
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
    fn a_rename_into_place_is_told_and_reading_is_not() {
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
    fn the_end_of_the_runner_is_told_and_a_look_at_its_lock_is_not() {
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
