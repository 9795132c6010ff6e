//! How it is noted that a session is used, so that it does not end for want of use.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::Guard;
use crate::accounts::identity::Identity;
use crate::accounts::sessions::Sessions;
use crate::spool::Time;

/// The use of a session that has to be noted in its file.
#[derive(Debug)]
pub struct SessionUse {
    guard: Arc<Guard>,
    key: Arc<str>,
    now: Time,
    _turn: OwnedSemaphorePermit,
}

impl SessionUse {
    /// Notes it. The session ends earlier if that cannot be written. This may wait for the disk.
    pub fn note(self) {
        if let Err(error) = self.guard.sessions.note_use(&self.key, self.now) {
            tracing::warn!(%error, "cannot note that a session is used");
        }
    }
}

impl Guard {
    /// The use of somebody's session, if it has to be noted. There is none if one was noted lately, or another one is just
    /// being noted: if the file is slow, a later request will do.
    #[must_use]
    pub fn session_use(self: &Arc<Self>, identity: &Identity, now: Time) -> Option<SessionUse> {
        let key = Arc::clone(identity.session()?);
        let session = self.sessions.get(&key, now)?;
        if !Sessions::is_to_be_noted(&session, now) {
            return None;
        }
        let turn = Arc::clone(&self.noting).try_acquire_owned().ok()?;
        Some(SessionUse { guard: Arc::clone(self), key, now, _turn: turn })
    }
}
