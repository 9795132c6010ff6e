//! Whether the client of a stream still has the rights with which it was let in.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Guard, Source};
use crate::accounts::identity::{Caller, Identity, Proof};
use crate::accounts::role::Role;
use crate::accounts::sessions;
use crate::spool::Time;

/// The rights with which a stream was let in. The stream ends when its client has lost one of them.
#[derive(Clone, Debug)]
pub struct SessionWatch {
    guard: Arc<Guard>,
    proof: Proof,
    role: Role,
    /// Those of the client's groups that a job type is for.
    groups: Vec<String>,
    /// When the rights end in any case.
    end: Option<Time>,
    changes: watch::Receiver<()>,
}

impl SessionWatch {
    /// Waits until the client would not be let in as before.
    pub async fn lost(mut self) {
        let until = self.end.map_or(sessions::LONGEST, |end| {
            let left = end.as_milliseconds() - Time::now().as_milliseconds();
            Duration::from_millis(u64::try_from(left).unwrap_or_default())
        });
        // An error means that there will be no more changes: the guard is gone, and so is the service.
        let change = async { while self.holds() && self.changes.changed().await.is_ok() {} };
        // Which of the two it was makes no difference.
        let _ = tokio::time::timeout(until, change).await;
    }

    fn holds(&self) -> bool {
        match self.guard.look_up(&self.proof, Time::now()) {
            // Whoever was shown the sensitive lines of a job may not be any more: they come back, and are asked again.
            Identity::Authenticated(caller) => {
                caller.role >= self.role && self.groups.iter().all(|group| caller.groups.contains(group))
            }
            Identity::PendingSecondFactor(_) | Identity::Nobody(_) => false,
        }
    }
}

impl Guard {
    /// Watches the rights that a caller has now.
    #[must_use]
    pub fn watch(self: &Arc<Self>, caller: &Caller, now: Time) -> SessionWatch {
        let end = match &caller.proof {
            Proof::Nothing => None,
            Proof::Session(key) => self.sessions.get(key, now).map(|session| match self.source {
                Source::Local(_) => session.longest_end(),
                Source::Cas(_) => session.longest_end().min(sessions::after(session.checked, sessions::STALE)),
            }),
            Proof::Token { id, .. } => self.tokens.get(id).map(|token| token.expires),
        };
        let groups = caller.groups.iter().filter(|group| self.guarding.contains(*group)).cloned().collect();
        let changes = self.changes.subscribe();
        SessionWatch { guard: Arc::clone(self), proof: caller.proof.clone(), role: caller.role, groups, end, changes }
    }
}
