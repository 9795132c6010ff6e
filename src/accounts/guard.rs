//! All that is known of those who sign in, in one place: the guard. Requests are answered from its memory; what another
//! process changes, or a person in a file, is seen as [`follow`] says.
//!
//! Nobody else touches the files of sign-ins while the API runs. What can be done with them is in these files:
//!
//! | question | file |
//! |---|---|
//! | Who does a request come from? | `identify` |
//! | When is the use of a session noted? | [`session_use`] |
//! | Is a stream's client still let in? | [`session_watch`] |
//! | How often may somebody try to sign in? | `attempt` |
//! | How does somebody sign in with a password? | [`password_sign_in`] |
//! | How does somebody sign in with a ticket of the single sign-on? | [`ticket_sign_in`] |
//! | How is the second factor shown, set up and removed? | [`second_step`] |
//! | Which sessions are there, and how do they begin and end? | `browser_sessions` |
//! | Which tokens are there, and how are they revoked? | `script_tokens` |
//! | What do administrators see and do? | [`people`] |
//!
//! [`follow`]: super::follow

mod attempt;
mod browser_sessions;
mod identify;
pub mod password_sign_in;
pub mod people;
mod script_tokens;
pub mod second_step;
pub mod session_use;
pub mod session_watch;
#[cfg(test)]
pub(crate) mod testing;
pub mod ticket_sign_in;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use super::attempts::Attempts;
use super::cas::Cas;
use super::cookie::Cookies;
use super::cookie::key::Key;
use super::error;
use super::second_factor::SecondFactors;
use super::sessions::{Session, Sessions};
use super::tokens::Tokens;
use super::users::{Account, Users};
use crate::blocking;
use crate::blocking::WriteLimiter;
use crate::config::{AuthConfig, AuthMode, Config};
use crate::spool::{Error, Result};
use crate::state::StateDirectory;

/// The most sign-ins that wait for the file of attempts at once. The other threads are for those who are signed in.
const ATTEMPTS_AT_ONCE: usize = 4;

/// All that is known of those who sign in.
#[derive(Debug)]
pub struct Guard {
    config: AuthConfig,
    /// The groups that job types are for.
    guarding: HashSet<String>,
    source: Source,
    sessions: Sessions,
    second_factors: SecondFactors,
    tokens: Tokens,
    attempts: Attempts,
    key: Key,
    cookies: Cookies,
    /// Limits how many passwords are hashed at once.
    hashing: Arc<Semaphore>,
    /// Limits how many sign-ins wait for the file of attempts.
    attempting: WriteLimiter,
    /// Held by whoever notes that a session is used: one at a time.
    noting: Arc<Semaphore>,
    /// Told whenever somebody may have lost a right.
    changes: watch::Sender<()>,
    problems: Mutex<Vec<String>>,
}

/// What says who somebody is, and which groups they are in.
#[derive(Debug)]
enum Source {
    /// A file of users and passwords.
    Local(Users),
    /// A single sign-on.
    Cas(Cas),
}

impl Source {
    /// The account of a user, disabled or not; none where people sign in elsewhere.
    fn account(&self, user: &str) -> Option<Account> {
        match self {
            Self::Local(users) => users.get(user),
            Self::Cas(_) => None,
        }
    }
}

impl Guard {
    /// Reads all files of sign-ins. The state directory is made if it is not there.
    ///
    /// A damaged file of tokens or attempts keeps nobody out: no token works then, and attempts are counted anew. `time_limit`
    /// is how long the single sign-on may take to answer.
    ///
    /// # Errors
    /// A file cannot be read, or another file is damaged. Nobody is let in then.
    pub fn open(config: &Config, time_limit: Duration) -> Result<Self> {
        let state = StateDirectory::new(&config.api.state_directory);
        state.make()?;
        let source = match &config.auth.mode {
            AuthMode::Cas { server_url } => Source::Cas(Cas::of(server_url, &config.api.public_url, time_limit)),
            AuthMode::Local | AuthMode::None => Source::Local(Users::open(config.auth.users_file.clone())?),
        };
        let guard = Self {
            config: config.auth.clone(),
            guarding: config.job_types.values().flat_map(|job_type| job_type.groups.iter().cloned()).collect(),
            source,
            sessions: Sessions::open(&state)?,
            second_factors: SecondFactors::open(&state)?,
            tokens: match Tokens::open(&state) {
                Err(Error::Invalid { .. }) => Tokens::unread(&state),
                opened => opened?,
            },
            attempts: Attempts::open(&state)?,
            key: Key::open(&state)?,
            cookies: Cookies { secure: !is_plain_localhost(&config.api.public_url) },
            hashing: Arc::new(Semaphore::new(super::password::AT_ONCE)),
            attempting: WriteLimiter::at_most(ATTEMPTS_AT_ONCE),
            noting: Arc::new(Semaphore::new(1)),
            changes: watch::Sender::new(()),
            problems: Mutex::default(),
        };
        guard.end_sessions_of_others();
        Ok(guard)
    }

    /// Reads again what others may have changed.
    pub fn refresh(&self) {
        let users = match &self.source {
            Source::Local(users) => users.refresh(),
            Source::Cas(_) => Ok(false),
        };
        let news = [users, self.sessions.refresh(), self.second_factors.refresh(), self.tokens.refresh()];
        if matches!(news[0], Ok(true)) {
            self.end_sessions_of_others();
        }
        let is_news = news.iter().any(|news| !matches!(news, Ok(false)));
        // Nobody loses a right by an attempt, so it is no news.
        let news = news.into_iter().chain([self.attempts.refresh()]);
        let problems: Vec<String> = news.filter_map(|news| Some(news.err()?.to_string())).collect();
        let before = std::mem::replace(&mut *self.lock_problems(), problems.clone());
        for problem in problems.iter().filter(|problem| !before.contains(problem)) {
            tracing::error!(problem, "the accounts in memory are not up to date");
        }
        if is_news {
            self.tell();
        }
    }

    /// Ends the sessions of users who are gone or disabled, or have another password. If such a user is enabled again, who
    /// had one of those sessions must sign in again.
    fn end_sessions_of_others(&self) {
        let Source::Local(users) = &self.source else { return };
        let is_of_other = |session: &Session| {
            let account = users.get(&session.user).filter(|account| !account.disabled);
            account.is_none_or(|account| session.password != Some(account.stamp()))
        };
        if let Err(error) = self.sessions.end(|_, session| is_of_other(session)) {
            tracing::error!(%error, "cannot end the sessions of users who may no longer sign in");
        }
    }

    /// Why changes of others are not seen; empty while they are.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.lock_problems().clone()
    }

    fn lock_problems(&self) -> MutexGuard<'_, Vec<String>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of users and passwords; none where people sign in elsewhere.
    #[must_use]
    pub fn users_file(&self) -> Option<&Path> {
        match &self.source {
            Source::Local(users) => Some(users.path()),
            Source::Cas(_) => None,
        }
    }

    /// Makes all streams look whether their client still has its rights.
    fn tell(&self) {
        self.changes.send_replace(());
    }

    /// Does work that may wait for a disk or a lock, on a thread of its own.
    async fn on_thread<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T> + Send + 'static,
    ) -> error::Result<T> {
        let guard = Arc::clone(self);
        Ok(blocking::run(move || work(&guard)).await??)
    }
}

/// Whether browsers reach the service without TLS, on this machine only.
fn is_plain_localhost(public_url: &str) -> bool {
    let Some((scheme, rest)) = public_url.split_once("://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.rsplit_once(':') {
        // The colons inside the brackets of an IPv6 address do not begin a port.
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    };
    scheme.eq_ignore_ascii_case("http") && ["localhost", "127.0.0.1", "[::1]"].contains(&host)
}

#[cfg(test)]
mod tests;
