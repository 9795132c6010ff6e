//! Who waits for a job to change.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::spool::JobId;

/// One channel for each job that somebody follows, however many they are. A job that nobody follows costs nothing.
#[derive(Debug, Default)]
pub struct Followers(Mutex<HashMap<JobId, watch::Sender<()>>>);

impl Followers {
    /// Follows a job, from now on.
    pub fn follow(&self, id: JobId) -> watch::Receiver<()> {
        self.channels().entry(id).or_insert_with(|| watch::channel(()).0).subscribe()
    }

    /// Wakes those who follow a job.
    pub fn wake(&self, id: JobId) {
        let mut channels = self.channels();
        // Sending fails when the last of them has gone.
        if channels.get(&id).is_some_and(|channel| channel.send(()).is_err()) {
            channels.remove(&id);
        }
    }

    /// Wakes everybody.
    pub fn wake_all(&self) {
        self.channels().retain(|_, channel| channel.send(()).is_ok());
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<JobId, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
