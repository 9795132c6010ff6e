//! How far a connection is, and until when its client has to do its part.
//!
//! Only the connection's own task changes this: when bytes arrive, when a request begins, when its response begins and
//! ends, and when the kernel has taken everything. There is one deadline at a time, and so one timer a connection.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::access_log::{AccessLine, Ending};
use super::limits::Limits;

/// How long a connection that is closed waits for its client to stop writing. Closed at once, it would be reset, and
/// the client could lose the answer.
const LINGER: Duration = Duration::from_secs(1);

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It waits for a request.
    Idle,
    /// A part of a request's head has arrived.
    Head,
    /// A request is answered.
    Answering,
    /// The response is made, and its last bytes wait for the client to take them.
    Flushing,
    /// Nothing more will be answered.
    Closing,
}

/// The progress of one connection.
pub struct Progress {
    limits: Limits,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    deadline: Option<Instant>,
    is_timed_out: bool,
    /// Requests whose responses are made, but not yet taken by the kernel. Several, if the client sends requests ahead.
    unsent: Vec<(AccessLine, Ending)>,
}

impl Progress {
    /// Of a connection that was just accepted.
    pub fn new(limits: Limits) -> Self {
        let deadline = Some(Instant::now() + limits.idle);
        let state = State { phase: Phase::Idle, deadline, is_timed_out: false, unsent: Vec::new() };
        Self { limits, state: Mutex::new(state) }
    }

    /// Bytes have arrived.
    pub fn received(&self) {
        let mut state = self.state();
        if state.phase == Phase::Idle {
            state.enter(Phase::Head, Some(self.limits.head_read));
        }
    }

    /// A head is complete. How long the body may take, its reader decides.
    pub fn begin_request(&self) {
        self.state().enter(Phase::Answering, None);
    }

    /// A response begins. A stream may take as long as it likes, as its client may read slowly for a good reason.
    pub fn begin_response(&self, has_known_length: bool) {
        self.state().enter(Phase::Answering, has_known_length.then_some(self.limits.response));
    }

    /// A response was given to the connection completely.
    pub fn end_response(&self, line: AccessLine, ending: Ending) {
        let mut state = self.state();
        state.unsent.push((line, ending));
        if state.phase != Phase::Closing {
            let deadline = state.deadline;
            state.enter(Phase::Flushing, Some(self.limits.response));
            state.deadline = deadline.or(state.deadline);
        }
    }

    /// The kernel has taken everything that there was to send.
    pub fn flushed(&self) {
        let mut state = self.state();
        if state.phase == Phase::Flushing {
            state.enter(Phase::Idle, Some(self.limits.idle));
        }
        let sent = std::mem::take(&mut state.unsent);
        drop(state);
        for (line, ending) in sent {
            line.end(ending);
        }
    }

    /// The last bytes are sent, and the client is told so.
    pub fn begin_closing(&self) {
        self.state().enter(Phase::Closing, Some(LINGER));
    }

    /// The deadline has passed. Returns what was waited for.
    pub fn time_out(&self) -> Phase {
        let mut state = self.state();
        state.is_timed_out = true;
        let phase = state.phase;
        let unsent = std::mem::take(&mut state.unsent);
        drop(state);
        for (line, _) in unsent {
            line.end(Ending::TimedOut);
        }
        phase
    }

    /// Whether the deadline has passed.
    pub fn is_timed_out(&self) -> bool {
        self.state().is_timed_out
    }

    /// Until when the client has to do its part, if it is its turn.
    pub fn deadline(&self) -> Option<Instant> {
        self.state().deadline
    }

    /// Whether no request is open: what has come of the next is not one yet.
    pub fn awaits_request(&self) -> bool {
        matches!(self.state().phase, Phase::Idle | Phase::Head)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enter(&mut self, phase: Phase, limit: Option<Duration>) {
        self.phase = phase;
        self.deadline = limit.map(|limit| Instant::now() + limit);
    }
}
