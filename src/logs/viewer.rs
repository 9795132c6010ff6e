//! Clients that watch a log.
//!
//! Each viewer reads the log by itself up to the end. There it joins the [`Tail`], which reads each new record once and
//! formats it once, for all viewers of the same form. [`live`](super::live) decides what comes next for each of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::{Notify, watch};

use super::live::{Joining, Known, Live, Look, Next};
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
    /// How many records the client has received.
    told: u64,
    changes: watch::Receiver<u64>,
    tail: Arc<Tail>,
    /// Reads for this viewer alone. None after it has joined the tail.
    own: Option<Rendering>,
    /// The client has the beginning of the stream.
    has_begun: bool,
    /// The client knows that there is no log yet.
    said_waiting: bool,
    /// The client has all of the log.
    is_complete: bool,
}

/// What comes next in a log that is watched.
#[derive(Debug)]
pub enum Update {
    /// The next piece of the log.
    Piece(Bytes),
    /// The end: the job has ended, and the client has all of its log.
    Complete,
    /// The job no longer exists.
    Gone,
}

impl Logs {
    /// Watches the log of a job for a client that has received the first `told` records.
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

    /// Waits for what comes next.
    ///
    /// # Errors
    /// The log cannot be read. Then the stream of the client must end early.
    pub async fn next(&mut self) -> Result<Update, LogError> {
        if !std::mem::replace(&mut self.has_begun, true) {
            let connected = self.form.connected(self.told);
            if !connected.is_empty() {
                return Ok(Update::Piece(connected));
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
                Next::Nothing if ending == Ending::NoSuchJob => return Ok(Update::Gone),
                Next::Nothing => {
                    let has_log = self.own.as_ref().is_none_or(Rendering::has_log);
                    let waiting = if has_log || std::mem::replace(&mut self.said_waiting, true) {
                        Bytes::new()
                    } else {
                        self.form.waiting(self.told)
                    };
                    if waiting.is_empty() && self.changes.changed().await.is_err() {
                        return Ok(Update::Gone);
                    }
                    waiting
                }
            };
            if !text.is_empty() {
                return Ok(Update::Piece(text));
            }
        }
        Ok(Update::Complete)
    }

    async fn look(&mut self, known: Known) -> Result<Next, LogError> {
        let Some(own) = self.own.take() else { return self.tail.next(self.told, known).await };
        let mut limit = u64::MAX;
        if own.has_caught_up() && !known.has_ended {
            match self.tail.joining(own.told()) {
                Joining::Now => return self.tail.next(own.told(), known).await,
                Joining::After(records) => limit = records - own.told(),
                Joining::Ahead => {}
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

/// The tails of all logs that have viewers.
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

/// The end of one log in one form. It has no thread or task of its own: the first viewer that needs new records reads them
/// for all.
#[derive(Debug, Default)]
struct Tail {
    live: Mutex<Live<Rendering>>,
    /// Wakes the viewers that wait for a read.
    done: Notify,
}

impl Tail {
    /// Whether a viewer that has received so many records can join.
    fn joining(&self, told: u64) -> Joining {
        self.live().joining(told)
    }

    /// Takes over the reading of a viewer at the end of the log, if it is ahead of all others. Returns whether it did. If it
    /// did not, the others have read on, and there are new records for this viewer.
    async fn lead(&self, own: &mut Option<Rendering>) -> bool {
        let told = own.as_ref().map_or(0, Rendering::told);
        loop {
            let done = self.done.notified();
            {
                let mut live = self.live();
                if live.joining(told) != Joining::Ahead {
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

    /// What comes after so many records, for a viewer that knew this before it asked.
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

/// One read for all viewers of a tail. When it is dropped they all go on, also if the read failed.
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
