//! How many streams somebody has open: each costs some memory, and those of one person must not take that of all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The open streams of everybody who has signed in.
#[derive(Clone, Debug, Default)]
pub struct Streams(Arc<Mutex<HashMap<Arc<str>, usize>>>);

/// Counts one stream of somebody, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    streams: Streams,
    user: Arc<str>,
}

impl Streams {
    /// Counts one more, unless there are so many already.
    #[must_use]
    pub fn begin(&self, user: &Arc<str>, most: usize) -> Option<Turn> {
        let mut open = self.open();
        let count = open.entry(Arc::clone(user)).or_default();
        (*count < most).then(|| {
            *count += 1;
            Turn { streams: self.clone(), user: Arc::clone(user) }
        })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Arc<str>, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut open = self.streams.open();
        if let Some(count) = open.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_so_many_at_once() {
        let streams = Streams::default();
        let [alice, bob]: [Arc<str>; 2] = ["alice".into(), "bob".into()];
        let begin = |user| streams.begin(user, 2);
        let (first, second, other) = (begin(&alice).unwrap(), begin(&alice).unwrap(), begin(&bob).unwrap());
        assert!(begin(&alice).is_none());
        drop(first);
        let third = begin(&alice);
        assert!(third.is_some() && begin(&alice).is_none());
        drop((third, second, other));
        assert!(streams.open().is_empty());
    }
}
