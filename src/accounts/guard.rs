//! What is known of those who sign in, and who a request comes from.
//!
//! Requests are answered from memory. What another process changes, or a person in a file, is seen as [`follow`] says.
//!
//! [`follow`]: super::follow

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::header::AUTHORIZATION;
use hyper::http::uri::Scheme;
use hyper::{HeaderMap, Uri};
use tokio::sync::{Semaphore, watch};

use super::attempts::{AttemptSubject, Attempts};
use super::cas::Cas;
use super::cookie::{Cookies, Key, Secret};
use super::identity::{Caller, Identity, PendingSecondFactor, Proof, Unknown};
use super::role::Role;
use super::second_factor::SecondFactors;
use super::second_factor::state::SecondFactorState;
use super::sessions;
use super::sessions::{Session, Sessions};
use super::tokens::{Token, Tokens};
use super::users::Users;
use crate::blocking::WriteLimiter;
use crate::config::{AuthConfig, AuthMode, ClientAddress, Config};
use crate::spool::{Error, Result, Time};
use crate::state::StateDirectory;

/// So many tries are counted at once.
const TRIES_AT_ONCE: usize = 4;

/// Everything that is known of those who sign in.
#[derive(Debug)]
pub struct Guard {
    pub(crate) config: AuthConfig,
    /// The groups that job types are for.
    guarding: HashSet<String>,
    pub(crate) source: Source,
    pub(crate) sessions: Sessions,
    pub(crate) second_factors: SecondFactors,
    pub(crate) tokens: Tokens,
    pub(crate) attempts: Attempts,
    pub(crate) key: Key,
    pub(crate) cookies: Cookies,
    pub(crate) passwords: Arc<Semaphore>,
    /// The turns of those who try to sign in: the other threads are for those who are in.
    pub(crate) tries: WriteLimiter,
    /// Whose turn it is to note that a session is used: one at a time.
    pub noting: Arc<Semaphore>,
    /// Told whenever somebody may have lost what they had.
    changes: watch::Sender<()>,
    problems: Mutex<Vec<String>>,
}

/// Who says who somebody is, and what groups they are in.
#[derive(Debug)]
pub enum Source {
    /// A file of users and passwords.
    Local(Users),
    /// A single sign-on.
    Cas(Cas),
}

impl Guard {
    /// Reads all that is known. The state directory is made if it is not there.
    ///
    /// Nobody is kept out by a damaged file of tokens or attempts: then no token works, and attempts are counted anew.
    ///
    /// # Errors
    /// A file cannot be read, or another one is damaged: then nobody is let in.
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
            passwords: Arc::new(Semaphore::new(super::password::AT_ONCE)),
            tries: WriteLimiter::at_most(TRIES_AT_ONCE),
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
        // Nobody loses anything by an attempt, so it is no news.
        let news = news.into_iter().chain([self.attempts.refresh()]);
        let problems: Vec<String> = news.filter_map(|news| Some(news.err()?.to_string())).collect();
        let before = std::mem::replace(&mut *self.lock_problems(), problems.clone());
        for problem in problems.iter().filter(|problem| !before.contains(problem)) {
            tracing::error!(problem, "what is known of those who sign in is not up to date");
        }
        if is_news {
            self.tell();
        }
    }

    /// Ends the sessions of users who are gone or disabled, or have another password: enabling them again is no way back
    /// in for who had one.
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

    /// Why what others have changed is not seen, if that is so.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        self.lock_problems().clone()
    }

    fn lock_problems(&self) -> MutexGuard<'_, Vec<String>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody may have lost what they had: the streams look whether it is theirs.
    pub fn tell(&self) {
        self.changes.send_replace(());
    }

    /// Who a request comes from. A token counts more than a cookie: a script sends it on purpose.
    #[must_use]
    pub fn identify(&self, headers: &HeaderMap, now: Time) -> Identity {
        if let Some(bearer) = bearer(headers) {
            let token = self.tokens.find(bearer, now);
            return token.map_or(Identity::Nobody(Unknown::Token), |token| self.with_token(&token));
        }
        match self.secret(headers) {
            Some(secret) => self.with_session(&secret.key(), now),
            None if self.cookies.is_there(headers) => Identity::Nobody(Unknown::Ended),
            None => Identity::Nobody(Unknown::NotSignedIn),
        }
    }

    /// The secret of the session that a browser has.
    #[must_use]
    pub fn secret(&self, headers: &HeaderMap) -> Option<Secret> {
        self.key.verify(self.cookies, headers)
    }

    /// Who it is that has shown this before.
    fn look_up(&self, proof: &Proof, now: Time) -> Identity {
        match proof {
            Proof::Nothing => Identity::Nobody(Unknown::NotSignedIn),
            Proof::Session(key) => self.with_session(key, now),
            Proof::Token { id, .. } => {
                let token = self.tokens.get(id).filter(|token| token.expires > now);
                token.map_or(Identity::Nobody(Unknown::Token), |token| self.with_token(&token))
            }
        }
    }

    fn with_session(&self, key: &str, now: Time) -> Identity {
        let Some(session) = self.sessions.get(key, now) else { return Identity::Nobody(Unknown::Ended) };
        let groups = match self.groups(&session, now) {
            Ok(groups) => groups,
            Err(unknown) => return Identity::Nobody(unknown),
        };
        let user = Arc::from(&*session.user);
        if self.is_complete(&session) {
            return Identity::Authenticated(self.caller(user, groups, Proof::Session(key.into())));
        }
        if session.end(true) <= now {
            return Identity::Nobody(Unknown::Ended);
        }
        Identity::PendingSecondFactor(PendingSecondFactor { user, groups, session: key.into() })
    }

    fn with_token(&self, token: &Token) -> Identity {
        let groups = match &self.source {
            Source::Local(users) => {
                users.get(&token.user).filter(|account| !account.disabled).map(|account| account.groups)
            }
            Source::Cas(_) => token.groups.clone(),
        };
        let Some(groups) = groups else { return Identity::Nobody(Unknown::Token) };
        let proof = Proof::Token { id: (*token.id).into(), scopes: token.scopes.clone().into() };
        Identity::Authenticated(self.caller((*token.user).into(), groups.into(), proof))
    }

    fn caller(&self, user: Arc<str>, groups: Arc<[String]>, proof: Proof) -> Caller {
        let role = Role::of(&groups, &self.config);
        Caller { user, groups, role, proof }
    }

    /// What groups the user of a session is in now.
    fn groups(&self, session: &Session, now: Time) -> std::result::Result<Arc<[String]>, Unknown> {
        match &self.source {
            Source::Local(users) => {
                let account = users.get(&session.user).filter(|account| !account.disabled).ok_or(Unknown::Ended)?;
                // Who changes a password means those who know the old one.
                let is_same = session.password.as_ref().is_some_and(|stamp| *stamp == account.stamp());
                if is_same { Ok(account.groups.into()) } else { Err(Unknown::Ended) }
            }
            Source::Cas(_) if session.is_stale(now) => Err(Unknown::Stale),
            Source::Cas(_) => Ok(session.groups.clone().into()),
        }
    }

    /// Whom somebody tries to sign in as, from an address: by a ticket, or as a user.
    #[must_use]
    pub fn attempt_subject<'a>(&self, user: Option<&'a str>, address: ClientAddress) -> AttemptSubject<'a> {
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

    fn is_complete(&self, session: &Session) -> bool {
        session.second_factor || !self.needs_second_factor(&session.user)
    }

    /// The sessions of a user, or of all, with their keys. Those that wait for a second factor do so for a short time.
    #[must_use]
    pub fn sessions_of(&self, user: Option<&str>, now: Time) -> Vec<(String, Session)> {
        let mut sessions = self.sessions.list(user, now);
        sessions.retain(|(_, session)| self.is_complete(session) || session.end(true) > now);
        sessions
    }

    /// Whether a password or ticket alone is not enough: it is required of all, or this user has one by choice.
    #[must_use]
    pub fn needs_second_factor(&self, user: &str) -> bool {
        self.config.two_factor || self.second_factors.is_enrolled(user)
    }

    /// What a user has to do whose password or ticket was right.
    #[must_use]
    pub fn second_factor_state(&self, user: &str) -> SecondFactorState {
        match self.second_factors.is_enrolled(user) {
            true => SecondFactorState::Code,
            false if self.config.two_factor => SecondFactorState::Enrol,
            false => SecondFactorState::Off,
        }
    }

    /// Whether the session of somebody has shown the second factor that they have.
    #[must_use]
    pub fn has_shown_second_factor(&self, identity: &Identity, now: Time) -> bool {
        let session = identity.session().and_then(|key| self.sessions.get(key, now));
        session.is_some_and(|session| session.second_factor && self.second_factors.is_enrolled(&session.user))
    }

    /// The session, if its last use has to be noted: not every use is.
    #[must_use]
    pub fn to_be_noted(&self, identity: &Identity, now: Time) -> Option<Arc<str>> {
        let key = identity.session()?;
        let session = self.sessions.get(key, now)?;
        Sessions::is_to_be_noted(&session, now).then(|| Arc::clone(key))
    }

    /// Notes that a session is used. If that cannot be written, it ends earlier.
    pub fn note_use(&self, key: &str, now: Time) {
        if let Err(error) = self.sessions.note_use(key, now) {
            tracing::warn!(%error, "cannot note that a session is used");
        }
    }

    /// What a stream depends on that is let in now.
    #[must_use]
    pub fn standing(self: &Arc<Self>, caller: &Caller, now: Time) -> Standing {
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
        Standing { guard: Arc::clone(self), proof: caller.proof.clone(), role: caller.role, groups, end, changes }
    }
}

/// By what a stream was let in. It ends when that does not hold any more.
#[derive(Clone, Debug)]
pub struct Standing {
    guard: Arc<Guard>,
    proof: Proof,
    role: Role,
    /// Those of their groups that a job type is for.
    groups: Vec<String>,
    /// When that is certain.
    end: Option<Time>,
    changes: watch::Receiver<()>,
}

impl Standing {
    /// Waits until its client would not be let in as before.
    pub async fn lost(mut self) {
        let until = self.end.map_or(sessions::LONGEST, |end| {
            let left = end.as_milliseconds() - Time::now().as_milliseconds();
            Duration::from_millis(u64::try_from(left).unwrap_or_default())
        });
        // An error is that there will be no more changes: the guard is gone, and so is the service.
        let change = async { while self.holds() && self.changes.changed().await.is_ok() {} };
        // Which of the two it was makes no difference.
        let _ = tokio::time::timeout(until, change).await;
    }

    fn holds(&self) -> bool {
        match self.guard.look_up(&self.proof, Time::now()) {
            // Who was shown the sensitive lines of a job may not be any more: they come back, and are asked again.
            Identity::Authenticated(caller) => {
                caller.role >= self.role && self.groups.iter().all(|group| caller.groups.contains(group))
            }
            Identity::PendingSecondFactor(_) | Identity::Nobody(_) => false,
        }
    }
}

/// What stands after `Authorization: Bearer`. Other schemes are a proxy's business.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let bearer = fields.find_map(|field| {
        let (scheme, rest) = field.as_bytes().split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(rest)
    })?;
    // What is no text is no token either.
    Some(std::str::from_utf8(bearer).unwrap_or_default().trim())
}

/// Whether browsers reach the service without TLS, on this machine only.
fn is_plain_localhost(public_url: &str) -> bool {
    let Ok(url) = public_url.parse::<Uri>() else { return false };
    url.scheme() == Some(&Scheme::HTTP)
        && url.host().is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host))
}

#[cfg(test)]
mod tests;
