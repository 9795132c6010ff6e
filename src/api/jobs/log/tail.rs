//! The live end of a log, read and made into a form once for all who watch it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use hyper::body::Bytes;
use tokio::sync::{OwnedMutexGuard, watch};

use super::rendering::{Form, Rendering};
use crate::api::blocking;
use crate::api::error::ApiError;
use crate::spool::{JobId, Result};

/// How much is kept of what was read last, for those who are a little behind: in bytes, and in portions.
const KEPT: usize = 256 * 1024;
const KEPT_PORTIONS: usize = 256;

/// The tails that somebody watches.
#[derive(Debug, Default)]
pub struct Tails(Mutex<HashMap<(JobId, Form), Weak<Tail>>>);

impl Tails {
    /// The tail of a log in a form. `changes` are those of the job.
    pub fn of(&self, id: JobId, form: Form, changes: &watch::Receiver<()>) -> Arc<Tail> {
        let mut tails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tail) = tails.get(&(id, form)).and_then(Weak::upgrade) {
            return tail;
        }
        tails.retain(|_, tail| tail.strong_count() > 0);
        let tail = Arc::new(Tail::new(changes.clone()));
        tails.insert((id, form), Arc::downgrade(&tail));
        tail
    }
}

/// The end of one log in one form.
///
/// Nobody is employed to read it: whoever of its viewers finds nothing left reads on for all. Portions have the same
/// borders for everybody, so a viewer comes in only at one of these, and from there on gets what the others get.
pub struct Tail {
    live: Arc<tokio::sync::Mutex<Live>>,
}

struct Live {
    /// At the end of what was read; given by the first viewer who got there.
    rendering: Option<Rendering>,
    recent: VecDeque<Portion>,
    /// The bytes in them.
    size: usize,
    /// Since the last read that found nothing, the job …
    changes: watch::Receiver<()>,
    /// … has not changed, if this is so as well.
    settled: bool,
    /// What the stream ends with, once the log is complete.
    ending: Option<Bytes>,
}

/// What was made of a few records.
struct Portion {
    /// How many records lie before it.
    begin: u64,
    text: Bytes,
}

/// How a viewer stands to a tail.
#[derive(Debug, PartialEq, Eq)]
pub enum Meeting {
    /// The viewer can come in.
    Here,
    /// After this many records he can.
    After(u64),
    /// He is ahead of it, or nobody has been there yet.
    Unled,
}

/// What comes next at a place of a tail.
#[derive(Debug)]
pub enum Next {
    /// This, and then the place behind so many records.
    Portion(Bytes, u64),
    /// Nothing yet.
    Nothing,
    /// The end.
    End(Bytes),
    /// This is not kept any more.
    Passed,
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tail").finish_non_exhaustive()
    }
}

impl Tail {
    fn new(changes: watch::Receiver<()>) -> Self {
        let live = Live { rendering: None, recent: VecDeque::new(), size: 0, changes, settled: false, ending: None };
        Self { live: Arc::new(tokio::sync::Mutex::new(live)) }
    }

    /// How a viewer who was told of so many records stands to it.
    pub async fn meet(&self, told: u64) -> Meeting {
        self.live.lock().await.meet(told)
    }

    /// A viewer at the end of the log hands over his own reading, if he is ahead of the others; then it goes on from
    /// there, and those behind read for themselves until they are there.
    pub async fn lead(&self, rendering: Rendering) -> std::result::Result<(), Rendering> {
        let mut live = self.live.lock().await;
        if live.meet(rendering.told()) != Meeting::Unled {
            return Err(rendering);
        }
        live.recent.clear();
        live.size = 0;
        live.settled = false;
        live.ending = None;
        live.rendering = Some(rendering);
        Ok(())
    }

    /// What comes behind so many records. If the job has ended, whatever is still to come is there.
    ///
    /// # Errors
    /// 500 if the log cannot be read.
    pub async fn next(&self, told: u64, has_ended: bool) -> std::result::Result<Next, ApiError> {
        let mut live = Arc::clone(&self.live).lock_owned().await;
        if live.end() == Some(told) && live.ending.is_none() && (has_ended || live.may_have_more()) {
            live.changes.mark_unchanged();
            // The lock goes along: should this client leave meanwhile, what was begun is done for the others.
            let read = move || {
                let read = live.read(has_ended);
                (read, live)
            };
            let done: (Result<()>, OwnedMutexGuard<Live>) = blocking::run(read).await?;
            done.0.map_err(ApiError::internal)?;
            live = done.1;
        }
        Ok(live.next(told))
    }
}

impl Live {
    fn end(&self) -> Option<u64> {
        self.rendering.as_ref().map(Rendering::told)
    }

    /// The place of a portion that begins behind so many records, or of the first behind it.
    fn place(&self, told: u64) -> usize {
        self.recent.partition_point(|portion| portion.begin < told)
    }

    fn begin(&self, place: usize) -> Option<u64> {
        self.recent.get(place).map(|portion| portion.begin).or_else(|| self.end())
    }

    fn meet(&self, told: u64) -> Meeting {
        match self.begin(self.place(told)) {
            Some(begin) if begin == told => Meeting::Here,
            Some(begin) if begin > told => Meeting::After(begin),
            _ => Meeting::Unled,
        }
    }

    fn may_have_more(&self) -> bool {
        !self.settled || self.changes.has_changed().unwrap_or(true)
    }

    fn read(&mut self, has_ended: bool) -> Result<()> {
        let Some(rendering) = &mut self.rendering else { return Ok(()) };
        let begin = rendering.told();
        let Some(text) = rendering.read(u64::MAX)? else {
            self.settled = true;
            if has_ended {
                self.ending = Some(rendering.end());
            }
            return Ok(());
        };
        self.settled = false;
        self.size += text.len();
        self.recent.push_back(Portion { begin, text });
        while (self.size > KEPT && self.recent.len() > 1) || self.recent.len() > KEPT_PORTIONS {
            self.size -= self.recent.pop_front().map_or(0, |portion| portion.text.len());
        }
        Ok(())
    }

    fn next(&self, told: u64) -> Next {
        let place = self.place(told);
        match self.recent.get(place) {
            Some(portion) if portion.begin == told => {
                let text = portion.text.clone();
                Next::Portion(text, self.begin(place + 1).unwrap_or(told))
            }
            _ if self.end() != Some(told) => Next::Passed,
            _ => self.ending.clone().map_or(Next::Nothing, Next::End),
        }
    }
}
