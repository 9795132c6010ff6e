//! The live end of a log, read and made into a form once for all who watch it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use super::live::{Known, Live, Look, Meeting, Next};
use super::rendering::{Form, Rendering};
use crate::blocking;
use crate::http::error::ApiError;
use crate::spool;
use crate::spool::JobId;

/// The tails that somebody watches.
#[derive(Debug, Default)]
pub struct Tails(Mutex<HashMap<(JobId, Form), Weak<Tail>>>);

impl Tails {
    /// The tail of a log in a form.
    pub fn of(&self, id: JobId, form: Form) -> Arc<Tail> {
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

/// The end of one log in one form.
///
/// Nobody is employed to read it: whoever of its viewers finds nothing left reads on for all.
#[derive(Debug, Default)]
pub struct Tail {
    live: Mutex<Live<Rendering>>,
    /// Told when somebody has read on.
    done: Notify,
}

impl Tail {
    /// How a viewer who was told of so many records stands to it.
    pub fn meet(&self, told: u64) -> Meeting {
        self.live().meet(told)
    }

    /// Takes over the reading of a viewer at the end of the log, if it is ahead of the others. Returns whether it did:
    /// if not, the others have got on, and there is something to be read.
    pub async fn lead(&self, own: &mut Option<Rendering>) -> bool {
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
    /// 500 if the log cannot be read.
    pub async fn next(self: &Arc<Self>, told: u64, known: Known) -> Result<Next, ApiError> {
        loop {
            let done = self.done.notified();
            let look = self.live().look(told, known);
            match look {
                Look::Next(next) => return Ok(next),
                Look::Read(rendering) => {
                    let reading = Reading { tail: Arc::clone(self), rendering: Some(rendering) };
                    // Done to its end for the others, should this client leave meanwhile.
                    blocking::run(move || reading.run(known)).await?.map_err(ApiError::internal)?;
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
