//! How attempts to sign in are counted.

use std::sync::Arc;

use super::{Guard, Source};
use crate::accounts::attempts::{AttemptOutcome, AttemptSubject};
use crate::accounts::error::{AccountsError, Result};
use crate::accounts::sessions::Session;
use crate::config::ClientAddress;
use crate::spool;
use crate::spool::Time;

impl Guard {
    /// Counts an attempt, and returns whether it is the last one that is allowed. `user` is none for a ticket. Those who have
    /// tried too often wait for nothing and cost nothing; only a few of the others wait for the file at once.
    pub(super) async fn begin_attempt(self: &Arc<Self>, user: Option<&str>, address: ClientAddress) -> Result<bool> {
        let subject = self.attempt_subject(user, address);
        if let Some(seconds) = self.attempts.locked(subject, address, Time::now()) {
            return Err(AccountsError::TooManyAttempts { seconds });
        }
        let begin = move |guard: &Self, subject: AttemptSubject| guard.attempts.begin(subject, address, Time::now());
        match self.attempting(user, address, begin).await? {
            AttemptOutcome::Allowed => Ok(false),
            AttemptOutcome::Last => Ok(true),
            AttemptOutcome::Locked(seconds) => Err(AccountsError::TooManyAttempts { seconds }),
        }
    }

    /// Takes back an attempt that came to nothing, which is nobody's fault.
    pub(super) async fn take_back_attempt(self: &Arc<Self>, user: Option<&str>, address: ClientAddress) -> Result<()> {
        let take_back = move |guard: &Self, subject: AttemptSubject| guard.attempts.take_back(subject, address);
        self.attempting(user, address, take_back).await
    }

    /// Forgives the attempts of a user whose password was right.
    pub(super) async fn forgive_attempts(self: &Arc<Self>, user: &str, address: ClientAddress) -> Result<()> {
        let forgive = move |guard: &Self, subject: AttemptSubject| guard.attempts.forgive(subject, address);
        self.attempting(Some(user), address, forgive).await
    }

    async fn attempting<T: Send + 'static>(
        self: &Arc<Self>,
        user: Option<&str>,
        address: ClientAddress,
        work: impl FnOnce(&Self, AttemptSubject) -> spool::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (guard, user) = (Arc::clone(self), user.map(str::to_owned));
        let work = move || work(&guard, guard.attempt_subject(user.as_deref(), address));
        Ok(self.attempting.run(work).await??)
    }

    pub(super) fn attempt_subject<'a>(&self, user: Option<&'a str>, address: ClientAddress) -> AttemptSubject<'a> {
        let (Some(user), Source::Local(users)) = (user, &self.source) else { return AttemptSubject::Ticket };
        if users.get(user).is_none() {
            return AttemptSubject::Stranger(user);
        }
        let address = address.to_string();
        let is_known = |session: &Session| session.address == address && self.is_complete(session);
        let sessions = self.sessions.list(Some(user), Time::now());
        if sessions.iter().any(|(_, session)| is_known(session)) {
            AttemptSubject::AccountFromKnownAddress(user)
        } else {
            AttemptSubject::Account(user)
        }
    }
}
