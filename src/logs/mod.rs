//! A job's log: followed to its end, looked into, searched, marked.
//!
//! No reader holds more of a log than a portion at a time, however long the log is and however slow its client. Where
//! to find what:
//!
//! | question | file |
//! |---|---|
//! | Who takes turns, and what can go wrong? | this one |
//! | How does a client watch a log, and share its end with others? | [`viewer`]; what comes next is decided in [`live`] |
//! | What does it see? | [`rendering`]: plain text, or JSON lines, which [`transcript`] makes |
//! | How long is a log while it grows? | [`length`] |
//! | Where in the file is a record? | [`indexes`] |
//! | What is in a part of it? | [`window`] |
//! | Where is a text? | [`search`] |
//! | Which records say how the job went? | [`marks`] |
//! | How is a whole log gone through without keeping others waiting? | [`scan`] |
//! | What is in a stored record, and which are worth a look? | [`records`] |
//! | Whose looks at sensitive lines were recorded lately? | [`reveals`] |

pub mod indexes;
pub mod length;
pub mod live;
pub mod marks;
pub mod records;
pub mod rendering;
pub mod reveals;
pub mod scan;
pub mod search;
pub mod transcript;
pub mod viewer;
pub mod window;

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;

use self::indexes::Indexes;
use self::length::Lengths;
use self::rendering::Rendering;
use self::reveals::Reveals;
use self::viewer::Tails;
use crate::blocking;
use crate::mirror::Mirror;
use crate::spool;
use crate::spool::Spool;

/// How many portions of logs are read, and searched, at a time. The machine has better things to do too, and each takes
/// a thread; the others wait for their turn, which is short.
pub const TURNS: usize = 4;

/// The logs of a spool, and what those who read them have in common.
#[derive(Debug)]
pub struct Logs {
    /// Whose looks at sensitive lines were recorded lately.
    pub reveals: Reveals,
    spool: Spool,
    mirror: Arc<Mirror>,
    tails: Tails,
    indexes: Indexes,
    lengths: Lengths,
    turns: Arc<Semaphore>,
}

/// Why a log cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] spool::Error),
    /// The work on it panicked.
    #[error(transparent)]
    Blocking(#[from] blocking::Error),
}

impl Logs {
    /// Those of a spool. The mirror tells which jobs there are, and when something is written.
    #[must_use]
    pub fn new(spool: Spool, mirror: Arc<Mirror>) -> Self {
        Self {
            reveals: Reveals::default(),
            spool,
            mirror,
            tails: Tails::default(),
            indexes: Indexes::default(),
            lengths: Lengths::default(),
            turns: Arc::new(Semaphore::new(TURNS)),
        }
    }

    /// Does work on a log that takes a moment, on a thread where it may block, when it is its turn.
    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, LogError> {
        let turns = Arc::clone(&self.turns);
        // A task of its own: a turn must not wait for a client who got it and does not read.
        let done = tokio::spawn(async move {
            let _turn = turns.acquire_owned().await;
            blocking::run(work).await
        });
        Ok(done.await.map_err(blocking::Error::Panicked)??)
    }

    /// Reads a portion, of at most `limit` records.
    async fn read(&self, mut log: Rendering, limit: u64) -> Result<(Option<Bytes>, Rendering), LogError> {
        let (read, log) = self.run(move || (log.read(limit), log)).await?;
        Ok((read?, log))
    }
}
