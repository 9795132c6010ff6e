//! The live end of a log, read and made into a form once for all who watch it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use hyper::body::Bytes;
use tokio::sync::{Notify, watch};

use super::rendering::{Form, Rendering};
use crate::api::blocking;
use crate::api::error::ApiError;
use crate::spool::{self, JobId};

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
#[derive(Debug)]
pub struct Tail {
    live: Mutex<Live>,
    /// Told when somebody has read on.
    done: Notify,
}

#[derive(Debug)]
struct Live {
    /// None while it is used, and until the first viewer at the end of the log has given his own.
    rendering: Option<Rendering>,
    is_reading: bool,
    /// How many records were told. None if there is no rendering to read on.
    end: Option<u64>,
    recent: VecDeque<Portion>,
    /// The bytes in them.
    size: usize,
    /// Since the last read that found nothing, the job …
    changes: watch::Receiver<()>,
    /// … has not changed, if this is so as well.
    is_settled: bool,
    /// What the stream ends with, once the log is complete.
    ending: Option<Bytes>,
}

/// What was made of a few records.
#[derive(Debug)]
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

impl Tail {
    fn new(changes: watch::Receiver<()>) -> Self {
        let live = Live {
            rendering: None,
            is_reading: false,
            end: None,
            recent: VecDeque::new(),
            size: 0,
            changes,
            is_settled: false,
            ending: None,
        };
        Self { live: Mutex::new(live), done: Notify::new() }
    }

    /// How a viewer who was told of so many records stands to it.
    pub fn meet(&self, told: u64) -> Meeting {
        self.live().meet(told)
    }

    /// Takes over the reading of a viewer at the end of the log, if he is ahead of the others; then it goes on from
    /// there, and those behind read for themselves until they are there. Returns whether it did.
    pub fn lead(&self, own: &mut Option<Rendering>) -> bool {
        let mut live = self.live();
        let told = own.as_ref().map_or(0, Rendering::told);
        if live.is_reading || live.meet(told) != Meeting::Unled {
            return false;
        }
        live.recent.clear();
        live.size = 0;
        live.is_settled = false;
        live.ending = None;
        live.rendering = own.take().map(Rendering::share);
        live.end = live.rendering.as_ref().map(Rendering::told);
        true
    }

    /// What comes behind so many records. If the job has ended, whatever is still to come is there.
    ///
    /// # Errors
    /// 500 if the log cannot be read.
    pub async fn next(self: &Arc<Self>, told: u64, has_ended: bool) -> Result<Next, ApiError> {
        loop {
            let done = self.done.notified();
            let reading = {
                let mut live = self.live();
                if !live.is_to_be_read(told, has_ended) {
                    return Ok(live.next(told));
                }
                live.begin_reading().map(|rendering| Reading { tail: Arc::clone(self), rendering: Some(rendering) })
            };
            match reading {
                // Done to its end for the others, should this client leave meanwhile.
                Some(reading) => blocking::run(move || reading.run(has_ended)).await?.map_err(ApiError::internal)?,
                None => done.await,
            }
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One read for all. When it goes, everybody can go on, even if it came to nothing.
struct Reading {
    tail: Arc<Tail>,
    rendering: Option<Rendering>,
}

impl Reading {
    fn run(mut self, has_ended: bool) -> spool::Result<()> {
        let Some(mut rendering) = self.rendering.take() else { return Ok(()) };
        let begin = rendering.told();
        let read = rendering.read(u64::MAX);
        let mut live = self.tail.live();
        match &read {
            Ok(Some(text)) => live.add(begin, text.clone()),
            Ok(None) => {
                live.is_settled = true;
                live.ending = has_ended.then(|| rendering.end());
            }
            Err(_) => {}
        }
        live.end = Some(rendering.told());
        live.rendering = Some(rendering);
        read.map(|_| ())
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut live = self.tail.live();
        live.is_reading = false;
        if live.rendering.is_none() {
            live.end = None;
        }
        drop(live);
        self.tail.done.notify_waiters();
    }
}

impl Live {
    /// The place of a portion that begins behind so many records, or of the first behind it.
    fn place(&self, told: u64) -> usize {
        self.recent.partition_point(|portion| portion.begin < told)
    }

    fn begin(&self, place: usize) -> Option<u64> {
        self.recent.get(place).map(|portion| portion.begin).or(self.end)
    }

    fn meet(&self, told: u64) -> Meeting {
        match self.begin(self.place(told)) {
            Some(begin) if begin == told => Meeting::Here,
            Some(begin) if begin > told => Meeting::After(begin),
            _ => Meeting::Unled,
        }
    }

    fn is_to_be_read(&self, told: u64, has_ended: bool) -> bool {
        let may_have_more = has_ended || !self.is_settled || self.changes.has_changed().unwrap_or(true);
        self.end == Some(told) && self.ending.is_none() && may_have_more
    }

    /// Gives the rendering to whoever is to read on; nobody, if somebody does already.
    fn begin_reading(&mut self) -> Option<Rendering> {
        let rendering = self.rendering.take()?;
        self.is_reading = true;
        self.changes.mark_unchanged();
        Some(rendering)
    }

    fn add(&mut self, begin: u64, text: Bytes) {
        self.is_settled = false;
        self.size += text.len();
        self.recent.push_back(Portion { begin, text });
        while (self.size > KEPT && self.recent.len() > 1) || self.recent.len() > KEPT_PORTIONS {
            self.size -= self.recent.pop_front().map_or(0, |portion| portion.text.len());
        }
    }

    fn next(&self, told: u64) -> Next {
        let place = self.place(told);
        match self.recent.get(place) {
            Some(portion) if portion.begin == told => {
                Next::Portion(portion.text.clone(), self.begin(place + 1).unwrap_or(told))
            }
            _ if self.end != Some(told) => Next::Passed,
            _ => self.ending.clone().map_or(Next::Nothing, Next::End),
        }
    }
}
