//! The length of a log, for all who follow it while it grows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::{LogError, Logs};
use crate::mirror::Ending;
use crate::spool::log::{Index, LogReader};
use crate::spool::{JobId, Result as SpoolResult};

/// The least time between two lengths. 20 a second look smooth, and a job that prints without a pause causes no more.
const INTERVAL: Duration = Duration::from_millis(50);

/// The time until a log is counted again, after that has failed.
const RETRY: Duration = Duration::from_secs(5);

/// How long the log of a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Length {
    id: JobId,
    /// How many finished records it has; 0 if there is no log yet.
    records: u64,
    /// The job has ended, so the log no longer grows.
    complete: bool,
}

/// The logs whose length is followed.
#[derive(Debug, Default)]
pub struct Lengths(Mutex<HashMap<JobId, (Weak<Counting>, Told)>>);

/// The task that counts. It ends when its last follower is dropped.
type Counting = AbortOnDropHandle<()>;

/// None until the log is counted for the first time.
type Told = watch::Receiver<Option<Length>>;

/// Follows the length of a log.
#[derive(Debug)]
pub struct Follower {
    told: Told,
    _counting: Arc<Counting>,
}

impl Logs {
    /// Follows the length of a log. It is counted once for all who do.
    #[must_use]
    pub fn follow_length(self: &Arc<Self>, id: JobId) -> Follower {
        let mut followed = self.lengths.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = followed.get(&id).and_then(|(counting, told)| Some((counting.upgrade()?, told.clone())));
        if let Some((counting, told)) = known.filter(|(counting, _)| !counting.is_finished()) {
            return Follower { told, _counting: counting };
        }
        followed.retain(|_, (counting, _)| counting.strong_count() > 0);
        let (tell, told) = watch::channel(None);
        let counting = Arc::new(AbortOnDropHandle::new(tokio::spawn(count(Arc::clone(self), id, tell))));
        followed.insert(id, (Arc::downgrade(&counting), told.clone()));
        Follower { told, _counting: counting }
    }
}

impl Follower {
    /// Waits until the length is another one. `None` if it can no longer be counted.
    pub async fn next(&mut self) -> Option<Length> {
        self.told.changed().await.ok()?;
        *self.told.borrow_and_update()
    }
}

async fn count(logs: Arc<Logs>, id: JobId, tell: watch::Sender<Option<Length>>) {
    let _index = logs.indexes.keep(id);
    let mut changes = logs.mirror.follow(id);
    loop {
        // First what was known of the end, then the log: so an end is never told before the last record.
        changes.mark_unchanged();
        let complete = logs.mirror.view().ending(id) == Ending::Ended;
        let has_news = match records(&logs, id).await {
            Ok(records) => {
                let length = Some(Length { id, records, complete });
                tell.send_if_modified(|told| std::mem::replace(told, length) != length)
            }
            Err(error) => {
                // Who follows is told of much else, and of this when it can be counted again. No change need come for it:
                // the one of which nobody was told may be the last.
                tracing::error!(job = %id, ?error, "the records of a log cannot be counted");
                tokio::time::sleep(RETRY).await;
                continue;
            }
        };
        if has_news {
            tokio::time::sleep(INTERVAL).await;
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

async fn records(logs: &Arc<Logs>, id: JobId) -> Result<u64, LogError> {
    let counting = Arc::clone(logs);
    let count = move || -> SpoolResult<u64> {
        // Opened for a moment: there may be many who follow, and a log is a descriptor.
        let Some(mut log) = LogReader::open(&counting.spool.job(id))? else { return Ok(0) };
        counting.indexes.with(id, &mut log, Index::count)
    };
    Ok(logs.run(count).await??)
}
