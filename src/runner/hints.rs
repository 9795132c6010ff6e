//! Hints as something that can be waited for together with other descriptors.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::EventfdFlags;

use crate::spool::error::{Error, Result};
use crate::spool::watch::{Hint, Watch};

/// How often one looks who is not told: by configuration, or because the account has no watches left.
pub const UNWATCHED_RESCAN: Duration = Duration::from_secs(1);

/// Hints that a look may be worth while. Readable (poll(2)) from a hint until [`Hints::clear`].
#[derive(Debug)]
pub struct Hints {
    event: Arc<OwnedFd>,
    watch: Option<Watch>,
    /// Why nothing is watched, where that was not asked for.
    trouble: Option<Error>,
}

impl Hints {
    /// Watches directories, and gives a hint for each path that `interesting` says is worth it.
    ///
    /// # Errors
    /// The system gives no descriptor. Directories that cannot be watched are no error: see [`Hints::trouble`].
    pub fn new(
        directories: &[&Path],
        enabled: bool,
        interesting: impl Fn(&Path) -> bool + Send + 'static,
    ) -> Result<Self> {
        let event = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| Error::io("make", Path::new("eventfd"), error))?;
        let event = Arc::new(event);
        let mut hints = Self { event: Arc::clone(&event), watch: None, trouble: None };
        if !enabled {
            return Ok(hints);
        }
        let watch = Watch::new(move |hint| {
            let worth_it = match &hint {
                Hint::Changed(path) => interesting(path),
                Hint::LookEverywhere => true,
            };
            if worth_it {
                // The counter is full only if nobody has looked at 2^64 hints; then there is a hint already.
                let _ = rustix::io::write(&event, &1_u64.to_ne_bytes());
            }
        });
        match watch.and_then(|mut watch| directories.iter().try_for_each(|path| watch.add(path)).map(|()| watch)) {
            Ok(watch) => hints.watch = Some(watch),
            Err(error) => hints.trouble = Some(error),
        }
        Ok(hints)
    }

    /// Forgets the hints so far, because the look that follows sees all they were about. Returns whether there were any.
    #[must_use = "a hint that is cleared has to be followed by a look"]
    pub fn clear(&self) -> bool {
        rustix::io::read(&self.event, &mut [0; 8]).is_ok()
    }

    /// Whether anything is watched.
    #[must_use]
    pub fn watching(&self) -> bool {
        self.watch.is_some()
    }

    /// Why nothing is watched, where that was not asked for.
    #[must_use]
    pub fn trouble(&self) -> Option<&Error> {
        self.trouble.as_ref()
    }

    /// How often to look without a hint.
    #[must_use]
    pub fn rescan(&self, watched: Duration) -> Duration {
        if self.watching() { watched } else { watched.min(UNWATCHED_RESCAN) }
    }
}

impl AsFd for Hints {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

impl AsRawFd for Hints {
    fn as_raw_fd(&self) -> RawFd {
        self.event.as_raw_fd()
    }
}
