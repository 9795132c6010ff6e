//! One look at something that may hang, for all who ask at the same time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

/// A look at something that may hang. Never more than one thread does it: who asks meanwhile shares what it finds.
#[derive(Debug)]
pub struct SharedLook<T> {
    found: watch::Sender<Option<T>>,
    turn: Arc<Semaphore>,
}

impl<T> Default for SharedLook<T> {
    fn default() -> Self {
        Self { found: watch::Sender::new(None), turn: Arc::new(Semaphore::new(1)) }
    }
}

impl<T: Clone + Send + Sync + 'static> SharedLook<T> {
    /// Looks on a thread where that may block, or joins the look that is under way. `None` if nothing is found within
    /// `patience`; the look goes on.
    pub async fn look(&self, patience: Duration, look: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let mut found = self.found.subscribe();
        if let Ok(turn) = Arc::clone(&self.turn).try_acquire_owned() {
            let tell = self.found.clone();
            tokio::task::spawn_blocking(move || {
                let seen = look();
                // First this: whoever subscribes after the news must find that nobody looks.
                drop(turn);
                tell.send_replace(Some(seen));
            });
        }
        tokio::time::timeout(patience, found.changed()).await.ok()?.ok()?;
        found.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::api::testing::{DEADLINE, until};

    #[tokio::test]
    async fn a_look_that_hangs_is_given_up_and_keeps_one_thread() {
        let looks = SharedLook::default();
        let (release, hang) = mpsc::channel();
        let hanging = looks.look(Duration::from_millis(1), move || hang.recv().unwrap());
        assert_eq!(hanging.await, None);
        for _ in 0..100 {
            let another = looks.look(Duration::from_millis(1), || unreachable!("one look is under way"));
            assert_eq!(another.await, None);
        }
        let sharing = looks.look(DEADLINE, || unreachable!("one look is under way"));
        let (shared, ()) = tokio::join!(sharing, async { release.send(7).unwrap() });
        assert_eq!(shared, Some(7));
        assert_eq!(looks.look(DEADLINE, || 8).await, Some(8), "nothing is kept of an earlier look");
    }

    #[tokio::test]
    async fn a_look_that_panics_does_not_end_all_looking() {
        let looks = SharedLook::default();
        assert_eq!(looks.look(Duration::from_millis(1), || panic!("as asked")).await, None);
        until(|| looks.turn.available_permits() == 1).await;
        assert_eq!(looks.look(DEADLINE, || 1).await, Some(1));
    }
}
