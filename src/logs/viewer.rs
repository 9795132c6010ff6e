//! Clients that watch a log: each by itself up to the end, and from there on with all the others who have got there.
//!
//! The live end of a log is read, and made into a form, once for all who watch it. What comes next for whom is decided in
//! [`live`](super::live).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::{Notify, watch};

use super::live::{Known, Live, Look, Meeting, Next};
use super::rendering::{Form, Rendering};
use super::{LogError, Logs};
use crate::blocking;
use crate::mirror::Ending;
use crate::spool;
use crate::spool::JobId;

/// One client that watches a log.
pub struct Viewer {
    logs: Arc<Logs>,
    id: JobId,
    form: Form,
    /// The client has been told of this many records.
    told: u64,
    changes: watch::Receiver<u64>,
    tail: Arc<Tail>,
    /// None once it has come to the tail.
    own: Option<Rendering>,
    /// The client was told what a stream begins with.
    has_begun: bool,
    /// It was told that there is no log yet.
    said_waiting: bool,
    /// It was told all.
    is_complete: bool,
}

/// What a viewer is told next.
#[derive(Debug)]
pub enum Told {
    /// The next piece of the log.
    Piece(Bytes),
    /// That was all of it: the job has ended.
    Complete,
    /// There is no such job any more.
    Gone,
}

impl Logs {
    /// Watches the log of a job for a client that has been told of the first `told` records.
    #[must_use]
    pub fn watch(self: &Arc<Self>, id: JobId, form: Form, told: u64) -> Viewer {
        let changes = self.mirror.follow(id);
        let tail = self.tails.of(id, form);
        let own = Some(Rendering::resumed(Arc::clone(self), id, form, told));
        let logs = Arc::clone(self);
        Viewer { logs, id, form, told, changes, tail, own, has_begun: false, said_waiting: false, is_complete: false }
    }
}

impl Viewer {
    /// The job whose log it is.
    #[must_use]
    pub fn job(&self) -> JobId {
        self.id
    }

    /// What comes next, as soon as there is something.
    ///
    /// # Errors
    /// The log cannot be read. The client can be told nothing more: its stream ends before its time.
    pub async fn next(&mut self) -> Result<Told, LogError> {
        if !std::mem::replace(&mut self.has_begun, true) {
            let connected = self.form.connected(self.told);
            if !connected.is_empty() {
                return Ok(Told::Piece(connected));
            }
        }
        while !self.is_complete {
            // First what is known of the job, then the log: so an end is never told before the last record, and of what
            // is written from now on there is another change, which wakes this viewer again.
            let change = *self.changes.borrow_and_update();
            let ending = self.logs.mirror.view().ending(self.id);
            let text = match self.look(Known { change, has_ended: ending == Ending::Ended }).await? {
                Next::Portion(text, told) => {
                    self.told = told;
                    text
                }
                Next::Passed => {
                    self.own = Some(Rendering::behind(Arc::clone(&self.logs), self.id, self.form, self.told));
                    continue;
                }
                Next::End(text) => {
                    self.is_complete = true;
                    text
                }
                Next::Nothing if ending == Ending::NoSuchJob => return Ok(Told::Gone),
                Next::Nothing => {
                    let has_log = self.own.as_ref().is_none_or(Rendering::has_log);
                    let waiting = if has_log || std::mem::replace(&mut self.said_waiting, true) {
                        Bytes::new()
                    } else {
                        self.form.waiting(self.told)
                    };
                    if waiting.is_empty() && self.changes.changed().await.is_err() {
                        return Ok(Told::Gone);
                    }
                    waiting
                }
            };
            if !text.is_empty() {
                return Ok(Told::Piece(text));
            }
        }
        Ok(Told::Complete)
    }

    async fn look(&mut self, known: Known) -> Result<Next, LogError> {
        let Some(own) = self.own.take() else { return self.tail.next(self.told, known).await };
        let mut limit = u64::MAX;
        if own.has_caught_up() && !known.has_ended {
            match self.tail.meet(own.told()) {
                Meeting::Here => return self.tail.next(own.told(), known).await,
                Meeting::After(records) => limit = records - own.told(),
                Meeting::Unled => {}
            }
        }
        let (read, mut own) = self.logs.read(own, limit).await?;
        let next = match read {
            Some(text) => Next::Portion(text, own.told()),
            None if known.has_ended => Next::End(own.end()),
            None => Next::Nothing,
        };
        let is_at_the_end = matches!(next, Next::Nothing) && own.has_caught_up();
        self.own = Some(own);
        if is_at_the_end && !self.tail.lead(&mut self.own).await {
            return Ok(Next::Portion(Bytes::new(), self.told));
        }
        Ok(next)
    }
}

/// The tails that somebody watches.
#[derive(Debug, Default)]
pub struct Tails(Mutex<HashMap<(JobId, Form), Weak<Tail>>>);

impl Tails {
    /// The tail of a log in a form.
    fn of(&self, id: JobId, form: Form) -> Arc<Tail> {
        let mut tails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tail) = tails.get(&(id, form)).and_then(Weak::upgrade) {
            return tail;
        }
        tails.retain(|_, tail| tail.strong_count() > 0);
        let tail = Arc::default();
        tails.insert((id, form), Arc::downgrade(&tail));
        tail
    }
}

/// The end of one log in one form. It has no thread or task of its own: the viewer that finds nothing left reads on for all.
#[derive(Debug, Default)]
struct Tail {
    live: Mutex<Live<Rendering>>,
    /// Told when somebody has read on.
    done: Notify,
}

impl Tail {
    /// How a viewer who was told of so many records stands to it.
    fn meet(&self, told: u64) -> Meeting {
        self.live().meet(told)
    }

    /// Takes over the reading of a viewer at the end of the log, if it is ahead of the others. Returns whether it did:
    /// if not, the others have got on, and there is something to be read.
    async fn lead(&self, own: &mut Option<Rendering>) -> bool {
        let told = own.as_ref().map_or(0, Rendering::told);
        loop {
            let done = self.done.notified();
            {
                let mut live = self.live();
                if live.meet(told) != Meeting::Unled {
                    return false;
                }
                if !live.is_being_read() {
                    if let Some(own) = own.take() {
                        live.go_on_with(own.share(), told);
                    }
                    return true;
                }
            }
            done.await;
        }
    }

    /// What comes behind so many records, for a viewer who knew this before.
    ///
    /// # Errors
    /// The log cannot be read.
    async fn next(self: &Arc<Self>, told: u64, known: Known) -> Result<Next, LogError> {
        loop {
            let done = self.done.notified();
            let look = self.live().look(told, known);
            match look {
                Look::Next(next) => return Ok(next),
                Look::Read(rendering) => {
                    let reading = Reading { tail: Arc::clone(self), rendering: Some(rendering) };
                    // Done to its end for the others, should this client leave meanwhile.
                    blocking::run(move || reading.run(known)).await??;
                }
                Look::Wait => done.await,
            }
        }
    }

    fn live(&self) -> MutexGuard<'_, Live<Rendering>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One read for all. When it goes, everybody can go on, even if it came to nothing.
struct Reading {
    tail: Arc<Tail>,
    rendering: Option<Rendering>,
}

impl Reading {
    fn run(mut self, known: Known) -> spool::Result<()> {
        let Some(mut rendering) = self.rendering.take() else { return Ok(()) };
        let begin = rendering.told();
        let read = rendering.read(u64::MAX);
        let told = rendering.told();
        let mut live = self.tail.live();
        match &read {
            Ok(Some(text)) => live.add(begin, told, text.clone()),
            Ok(None) => live.settle(known.change, known.has_ended.then(|| rendering.end())),
            Err(_) => {}
        }
        live.give_back(rendering, told);
        read.map(|_| ())
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.tail.live().end_reading();
        self.tail.done.notify_waiters();
    }
}
