//! The streams that wait for a change of one job.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::spool::JobId;

/// One channel for each job that somebody follows, however many they are. A job that nobody follows costs nothing.
#[derive(Debug, Default)]
pub struct Followers(Mutex<Channels>);

#[derive(Debug, Default)]
struct Channels {
    /// The number of the latest change of any job. It only grows, so that what is known up to one change of a job is
    /// never taken for more, although channels come and go.
    change: u64,
    of_jobs: HashMap<JobId, watch::Sender<u64>>,
}

impl Followers {
    /// Follows a job, from now on. What is received is the number of its latest change: what was written before that
    /// change was told is there for whoever looks after having received it.
    pub fn follow(&self, id: JobId) -> watch::Receiver<u64> {
        let mut channels = self.channels();
        let change = channels.change;
        channels.of_jobs.entry(id).or_insert_with(|| watch::channel(change).0).subscribe()
    }

    /// Wakes those who follow a job.
    pub fn wake(&self, id: JobId) {
        let mut channels = self.channels();
        channels.change += 1;
        let change = channels.change;
        // Sending fails when the last of them has gone.
        if channels.of_jobs.get(&id).is_some_and(|channel| channel.send(change).is_err()) {
            channels.of_jobs.remove(&id);
        }
    }

    /// Wakes everybody.
    pub fn wake_all(&self) {
        let mut channels = self.channels();
        channels.change += 1;
        let change = channels.change;
        channels.of_jobs.retain(|_, channel| channel.send(change).is_ok());
    }

    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_although_followers_come_and_go() {
        let followers = Followers::default();
        let job = |number: u64| JobId::try_from(number).unwrap();
        let first = followers.follow(job(1));
        let before = *first.borrow();
        followers.wake(job(1));
        let known = *first.borrow();
        assert!(known > before);
        drop(first);
        // Nobody hears these, and the first of them removes the channel.
        followers.wake(job(1));
        followers.wake(job(1));
        let second = followers.follow(job(1));
        assert!(*second.borrow() > known, "who comes later knows of what came in between");
        followers.wake(job(2));
        assert!(!second.has_changed().unwrap());
        followers.wake_all();
        assert!(second.has_changed().unwrap());
    }
}
