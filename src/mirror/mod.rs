//! The spool as this process last saw it, in memory.
//!
//! Handlers answer from the [`View`] and open no file. One thread, the [`feed`], keeps the view right. It sets a watch and
//! looks at the whole spool once. Then it looks at what the kernel tells of, and now and then at everything, because events
//! are hints and the scan is the truth.
//!
//! | question | file |
//! |---|---|
//! | Where does every job stand, and what does the runner do? | [`view`] |
//! | Who keeps the view right? | [`feed`]; what it has yet to look at is in [`hints`] |
//! | Which jobs have finished? | [`history`]; [`reader`] reads the file, and [`retries`] knows who tried which job again |
//! | What has changed since a client was last told? | [`changes`] |
//! | Who is woken when a job changes? | [`followers`] |
//! | How much of a large job is kept? | [`cut`] |
//! | What do other programs tell of the site? | [`monitoring`] |

mod changes;
pub mod cut;
mod feed;
mod followers;
mod hints;
mod history;
mod monitoring;
mod reader;
mod retries;
#[cfg(test)]
mod tests;
mod view;

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::watch;

use crate::spool::request::JobRequest;
use crate::spool::watch::Hint;
use crate::spool::{JobId, Result, Spool, lock};

pub use self::changes::Thing;
use self::feed::Feed;
pub use self::feed::whole;
use self::followers::Followers;
use self::hints::{Hints, Place};
pub use self::history::{Finished, History, READY, Render};
pub use self::monitoring::{Monitored, Monitoring};
pub use self::view::{Claimed, Ending, Entry, Queued, Rejected, Runner, UNKNOWN, View, waiting_for};

/// The spool in memory. Dropping it ends its thread.
#[derive(Debug)]
pub struct Mirror {
    shared: Arc<Shared>,
}

/// What the mirror's thread, the watcher's thread and the handlers have in common.
#[derive(Debug, Default)]
struct Shared {
    view: RwLock<View>,
    followers: Followers,
    hints: Hints,
}

impl Mirror {
    /// Reads the whole spool, which takes a while, and then keeps up with it in a thread of its own. With `watch` the
    /// kernel tells of changes; without, or if it refuses, everything is looked at every second. `render` says how clients
    /// see a finished job: the newest are kept so.
    ///
    /// # Errors
    /// The spool cannot be read, or there is no thread to be had.
    pub fn start(spool: Spool, watch: bool, render: Render) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        Feed::start(Arc::clone(&shared), spool, watch, render)?;
        Ok(Self { shared })
    }

    /// What is known now. Hold it briefly, and never while waiting for anything.
    pub fn view(&self) -> RwLockReadGuard<'_, View> {
        self.shared.view()
    }

    /// What is known now, for work that takes its time. It does not change any more.
    #[must_use]
    pub fn snapshot(&self) -> View {
        self.view().clone()
    }

    /// Puts in a job that this process has just queued, so that it is there before the watcher tells of it.
    pub fn insert_queued(&self, request: JobRequest) {
        self.shared.view_mut().insert_queued(request);
    }

    /// Puts in what is wrong with the spool beside what the runner says of itself.
    pub fn tell_trouble(&self, trouble: Vec<String>) {
        self.shared.view_mut().set_trouble(trouble);
    }

    /// Tells the number of every change of a job's directory from now on, and of more: it is a hint as well. Many in a
    /// row may be told as one. The numbers of a process only grow.
    #[must_use]
    pub fn follow(&self, id: JobId) -> watch::Receiver<u64> {
        self.shared.followers.follow(id)
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.shared.hints.stop();
    }
}

impl Shared {
    // A panic while the view is locked would be a bug in a few lines of map operations; what is in it is still the best
    // that is known, and the next look at everything puts it right.
    fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a hint on the watcher's thread.
    fn hear(&self, spool: &Path, hint: &Hint) {
        match hint {
            Hint::Rescan => self.hints.tell_everywhere(),
            Hint::Changed(path) => match Place::of(spool, path) {
                // Nothing of a log is in the view: whoever reads it is woken without a detour.
                Some(Place::Log(id)) => self.followers.wake(id),
                Some(place) => self.hints.tell(place),
                None => {}
            },
        }
    }
}

/// A lock that cannot be looked at is said to be free: the log says why, and people are told that no runner is seen.
fn runner_is_up(spool: &Spool) -> bool {
    lock::runner_is_up(spool).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot see whether the runner lives");
        false
    })
}
