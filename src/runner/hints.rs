//! Hints of the kernel that a file was put into a directory (inotify(7)). The daemon waits for them and for other
//! descriptors at once, without a thread.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::EventfdFlags;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

use crate::spool::error::{Error, Result};

/// The rescan interval without hints: the configuration disables them, or the account has no watches left.
pub const UNWATCHED_RESCAN: Duration = Duration::from_secs(1);

/// The events of interest: changes of names and contents. Reading must not count, or each look would cause the next.
const WATCHED_EVENTS: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// A buffer for some dozen events. An event with the longest name takes 272 bytes.
const BUFFER: usize = 4096;

/// A source of hints. Readable (poll(2)) from an event in a directory until [`Hints::clear`].
pub struct Hints {
    /// Never readable if nothing is watched.
    descriptor: OwnedFd,
    /// Watch descriptor → directory. Empty if nothing is watched.
    directories: BTreeMap<i32, PathBuf>,
    interesting: Box<dyn Fn(&Path) -> bool + Send>,
    /// The reason why no directory is watched although the configuration asks for it.
    trouble: Option<Error>,
}

impl Hints {
    /// Watches directories. A hint is an event whose path is `interesting`.
    ///
    /// # Errors
    /// The system gives no descriptor. Directories that cannot be watched are no error: see [`Hints::trouble`].
    pub fn new(
        directories: &[&Path],
        enabled: bool,
        interesting: impl Fn(&Path) -> bool + Send + 'static,
    ) -> Result<Self> {
        let interesting = Box::new(interesting);
        let trouble = match enabled.then(|| watch(directories)) {
            Some(Ok((descriptor, directories))) => {
                return Ok(Self { descriptor, directories, interesting, trouble: None });
            }
            Some(Err(error)) => Some(error),
            None => None,
        };
        let descriptor = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| Error::io("make", Path::new("eventfd"), error))?;
        Ok(Self { descriptor, directories: BTreeMap::new(), interesting, trouble })
    }

    /// Forgets the events so far, because the next look sees all changes. Returns whether one of them was a hint.
    #[must_use = "a hint that is cleared has to be followed by a look"]
    pub fn clear(&self) -> bool {
        if !self.watching() {
            return false;
        }
        let mut hinted = false;
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut events = inotify::Reader::new(&self.descriptor, &mut buffer);
        loop {
            match events.next() {
                Ok(event) => hinted |= self.is_hint(&event),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return hinted,
            }
        }
    }

    fn is_hint(&self, event: &inotify::Event<'_>) -> bool {
        // Lost events may have been hints.
        let Some(directory) = self.directories.get(&event.wd()) else {
            return event.events().contains(ReadFlags::QUEUE_OVERFLOW);
        };
        match event.file_name() {
            Some(name) => (self.interesting)(&directory.join(OsStr::from_bytes(name.to_bytes()))),
            None => true,
        }
    }

    /// Whether anything is watched.
    #[must_use]
    pub fn watching(&self) -> bool {
        !self.directories.is_empty()
    }

    /// The reason why no directory is watched although the configuration asks for it.
    #[must_use]
    pub fn trouble(&self) -> Option<&Error> {
        self.trouble.as_ref()
    }

    /// The rescan interval without a hint.
    #[must_use]
    pub fn rescan(&self, watched: Duration) -> Duration {
        if self.watching() { watched } else { watched.min(UNWATCHED_RESCAN) }
    }
}

fn watch(directories: &[&Path]) -> Result<(OwnedFd, BTreeMap<i32, PathBuf>)> {
    let instance = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
    let instance = instance.map_err(|error| Error::io("watch", Path::new("inotify"), error))?;
    let watched = directories.iter().map(|&directory| match inotify::add_watch(&instance, directory, WATCHED_EVENTS) {
        Ok(watch) => Ok((watch, directory.to_owned())),
        Err(rustix::io::Errno::NOSPC) => {
            let reason = std::io::Error::other("no watches left (fs.inotify.max_user_watches)");
            Err(Error::io("watch", directory, reason))
        }
        Err(error) => Err(Error::io("watch", directory, error)),
    });
    let watched = watched.collect::<Result<_>>()?;
    Ok((instance, watched))
}

impl std::fmt::Debug for Hints {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Hints").field("directories", &self.directories).finish_non_exhaustive()
    }
}

impl AsFd for Hints {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl AsRawFd for Hints {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make files by hand")]
mod tests {
    use std::fs;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn is_readable(hints: &Hints) -> bool {
        let mut polled = [PollFd::new(hints, PollFlags::IN)];
        poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() > 0
    }

    fn hints_of_job_4(inbox: &Path) -> Hints {
        let hints = Hints::new(&[inbox], true, |path| path.file_name().unwrap().as_bytes().starts_with(b"4.")).unwrap();
        assert!(hints.watching(), "{:?}", hints.trouble());
        hints
    }

    #[test]
    fn a_letter_of_the_own_job_is_a_hint_and_one_of_another_or_a_look_is_not() {
        let inbox = tempfile::tempdir().unwrap();
        let path = |name: &str| inbox.path().join(name);
        let hints = hints_of_job_4(inbox.path());
        assert!(!is_readable(&hints) && !hints.clear());

        fs::write(path("41.signal.a.json"), "").unwrap();
        assert!(is_readable(&hints));
        assert!(!hints.clear(), "it is about job 41");
        fs::write(path(".draft"), "").unwrap();
        fs::rename(path(".draft"), path("4.signal.a.json")).unwrap();
        assert!(hints.clear(), "a name that appears by rename");
        fs::hard_link(path("4.signal.a.json"), path("4.signal.b.json")).unwrap();
        assert!(hints.clear(), "a name that appears by link");
        fs::read(path("4.signal.a.json")).unwrap();
        fs::read_dir(inbox.path()).unwrap().count();
        assert!(!is_readable(&hints) && !hints.clear(), "looking is no news");
        fs::remove_file(path("4.signal.a.json")).unwrap();
        assert!(hints.clear(), "a name that is gone");
    }

    #[test]
    fn lost_events_are_a_hint() {
        let inbox = tempfile::tempdir().unwrap();
        let hints = hints_of_job_4(inbox.path());
        let most: usize = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse().unwrap();
        let names = [inbox.path().join("1.a"), inbox.path().join("1.b")];
        fs::write(&names[0], "").unwrap();
        // Each rename makes two events.
        for turn in 0..=most / 2 {
            fs::rename(&names[turn % 2], &names[(turn + 1) % 2]).unwrap();
        }
        assert!(hints.clear());
        assert!(!is_readable(&hints));
    }

    #[test]
    fn where_nothing_can_be_watched_one_looks_every_second_and_knows_why() {
        let nowhere = Path::new("/nonexistent/inbox");
        let hints = Hints::new(&[nowhere], true, |_| true).unwrap();
        assert_eq!(hints.trouble().unwrap().path(), nowhere);
        assert!(!hints.watching() && !is_readable(&hints) && !hints.clear());
        assert_eq!(hints.rescan(Duration::from_secs(30)), UNWATCHED_RESCAN);
        let unwanted = Hints::new(&[nowhere], false, |_| true).unwrap();
        assert!(unwanted.trouble().is_none() && !unwanted.watching());
    }
}
