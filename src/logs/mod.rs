//! A job's log: followed to its end, looked into, searched, marked.
//!
//! Nothing here holds more of a log than a portion at a time, however long it is and however slow its reader.

pub mod candidates;
pub mod indexes;
pub mod length;
pub mod live;
pub mod marks;
pub mod rendering;
pub mod reveals;
pub mod search;
pub mod stored;
pub mod survey;
pub mod tail;
pub mod text;
pub mod transcript;
pub mod viewer;

use std::sync::Arc;

use hyper::body::Bytes;
use tokio::sync::Semaphore;

use self::indexes::Indexes;
use self::length::Lengths;
use self::rendering::Rendering;
use self::reveals::Reveals;
use self::tail::Tails;
use crate::blocking;
use crate::http::error::ApiError;

/// How many portions of logs are read, and searched, at a time. The machine has better things to do too, and each takes
/// a thread; the others wait for their turn, which is short.
pub(crate) const TURNS: usize = 4;

/// What those who read logs have in common.
#[derive(Debug)]
pub struct Logs {
    pub(crate) tails: Tails,
    pub(crate) indexes: Indexes,
    pub(crate) lengths: Lengths,
    turns: Arc<Semaphore>,
    pub(crate) reveals: Reveals,
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            tails: Tails::default(),
            indexes: Indexes::default(),
            lengths: Lengths::default(),
            turns: Arc::new(Semaphore::new(TURNS)),
            reveals: Reveals::default(),
        }
    }
}

impl Logs {
    /// Does work on a log that takes a moment, on a thread where it may block, when it is its turn.
    ///
    /// # Errors
    /// 500 if the work panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let turns = Arc::clone(&self.turns);
        // A task of its own: a turn must not wait for a client who got it and does not read.
        let done = tokio::spawn(async move {
            let _turn = turns.acquire_owned().await.map_err(ApiError::internal)?;
            Ok(blocking::run(work).await?)
        });
        done.await.map_err(ApiError::internal)?
    }

    /// Reads a portion, of at most `limit` records.
    ///
    /// # Errors
    /// 500 if the log cannot be read.
    pub(crate) async fn read(&self, mut log: Rendering, limit: u64) -> Result<(Option<Bytes>, Rendering), ApiError> {
        let (read, log) = self.run(move || (log.read(limit), log)).await?;
        Ok((read.map_err(ApiError::internal)?, log))
    }
}
