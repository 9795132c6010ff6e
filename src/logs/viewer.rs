//! One client that watches a log.

use std::sync::Arc;

use hyper::body::Bytes;
use tokio::sync::watch;

use super::live::{Known, Meeting, Next};
use super::rendering::{Form, Rendering};
use super::tail::Tail;
use crate::api::app::App;
use crate::http::body::Pieces;
use crate::http::error::ApiError;
use crate::mirror::Ending;
use crate::spool::JobId;

/// Reads for itself up to the end of the log, and from there on with all the others who have got there.
pub struct Viewer {
    app: Arc<App>,
    id: JobId,
    form: Form,
    /// The client has been told of this many records.
    told: u64,
    changes: watch::Receiver<u64>,
    tail: Arc<Tail>,
    /// None once it has come to the tail.
    own: Option<Rendering>,
}

impl Viewer {
    /// A client that has been told of the first `told` records.
    pub fn new(app: Arc<App>, id: JobId, form: Form, told: u64) -> Self {
        let changes = app.mirror.follow(id);
        let tail = app.logs.tails.of(id, form);
        let own = Some(Rendering::resumed(Arc::clone(&app), id, form, told));
        Self { app, id, form, told, changes, tail, own }
    }

    /// Sends the log. Returns whether that was all of it; if not, there is no such job any more.
    ///
    /// # Errors
    /// 500 if the log cannot be read. Nobody can be told any more: the stream ends before its time.
    pub async fn watch(mut self, pieces: &mut Pieces) -> Result<bool, ApiError> {
        send(pieces, self.form.connected(self.told)).await;
        let mut said_waiting = false;
        loop {
            // First what is known of the job, then the log: so an end is never told before the last record, and of what
            // is written from now on there is another change, which wakes this viewer again.
            let change = *self.changes.borrow_and_update();
            let ending = self.app.mirror.view().ending(self.id);
            match self.next(Known { change, has_ended: ending == Ending::Ended }).await? {
                Next::Portion(text, told) => {
                    self.told = told;
                    send(pieces, text).await;
                }
                Next::Passed => {
                    self.own = Some(Rendering::behind(Arc::clone(&self.app), self.id, self.form, self.told));
                }
                Next::End(text) => {
                    send(pieces, text).await;
                    return Ok(true);
                }
                Next::Nothing if ending == Ending::NoSuchJob => return Ok(false),
                Next::Nothing => {
                    let has_log = self.own.as_ref().is_none_or(Rendering::has_log);
                    if !has_log && !std::mem::replace(&mut said_waiting, true) {
                        send(pieces, self.form.waiting(self.told)).await;
                    }
                    if self.changes.changed().await.is_err() {
                        return Ok(false);
                    }
                }
            }
        }
    }

    async fn next(&mut self, known: Known) -> Result<Next, ApiError> {
        let Some(own) = self.own.take() else { return self.tail.next(self.told, known).await };
        let mut limit = u64::MAX;
        if own.has_caught_up() && !known.has_ended {
            match self.tail.meet(own.told()) {
                Meeting::Here => return self.tail.next(own.told(), known).await,
                Meeting::After(records) => limit = records - own.told(),
                Meeting::Unled => {}
            }
        }
        let (read, mut own) = self.app.logs.read(own, limit).await?;
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

async fn send(pieces: &mut Pieces, text: Bytes) {
    if !text.is_empty() {
        pieces.send(text).await;
    }
}
