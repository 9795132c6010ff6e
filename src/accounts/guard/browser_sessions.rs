//! The sessions of browsers: how they begin, who has which, and how they end.

use std::sync::Arc;
use std::time::Duration;

use super::Guard;
use crate::accounts::error::Result;
use crate::accounts::presented::{Browser, Presented};
use crate::accounts::sessions;
use crate::accounts::sessions::Session;
use crate::spool::Time;

impl Guard {
    /// A session of a user that begins now at a browser.
    pub(super) fn new_session(user: &str, browser: &Browser) -> Session {
        Session::new(user, browser.address.to_string(), &browser.user_agent, Time::now())
    }

    /// Begins a session, in place of the one that the browser had. Returns the `Set-Cookie` field that gives it to the
    /// browser.
    pub(super) async fn begin_session(
        self: &Arc<Self>,
        session: Session,
        browser: &Browser<'_>,
        lifetime: Duration,
    ) -> Result<String> {
        let before = self.session_key(&browser.presented);
        let secret = self.on_thread(move |guard| guard.sessions.begin(session, before.as_deref())).await?;
        self.tell();
        Ok(self.cookies.set(&self.key, &secret, lifetime))
    }

    /// The sessions of a user, or of all, with their keys. Sessions whose second factor is missing are among them for a
    /// short time.
    #[must_use]
    pub fn sessions_of(&self, user: Option<&str>, now: Time) -> Vec<(String, Session)> {
        let mut sessions = self.sessions.list(user, now);
        sessions.retain(|(_, session)| self.is_complete(session) || session.end(true) > now);
        sessions
    }

    /// Ends the session of a browser. Returns whether it had one, perhaps one that would not be let in any more.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub async fn sign_out(self: &Arc<Self>, presented: &Presented<'_>) -> Result<bool> {
        let Some(key) = self.session_key(presented) else { return Ok(false) };
        self.end_sessions(move |other, _| other == key).await?;
        Ok(true)
    }

    /// The `Set-Cookie` field that takes its session away from a browser.
    #[must_use]
    pub fn removed_cookie(&self) -> String {
        self.cookies.remove()
    }

    /// Ends the session of a user that has this id in lists. Returns how many have ended; none if there is no such session.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub async fn end_session(self: &Arc<Self>, user: &Arc<str>, id: String) -> Result<Option<usize>> {
        if !self.sessions_of(Some(user), Time::now()).iter().any(|(key, _)| sessions::id(key) == id) {
            return Ok(None);
        }
        let user = Arc::clone(user);
        let is_it = move |key: &str, session: &Session| *session.user == *user && sessions::id(key) == id;
        self.end_sessions(is_it).await.map(Some)
    }

    /// Ends the sessions of a user, except the one of the key `kept`. Returns how many have ended.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub async fn end_sessions_of(self: &Arc<Self>, user: &str, kept: Option<&Arc<str>>) -> Result<usize> {
        let (user, kept) = (user.to_owned(), kept.cloned());
        let is_meant =
            move |key: &str, session: &Session| session.user == user && kept.as_ref().is_none_or(|kept| **kept != *key);
        self.end_sessions(is_meant).await
    }

    /// Ends the sessions of everybody.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub async fn end_all_sessions(self: &Arc<Self>) -> Result<()> {
        self.end_sessions(|_, _| true).await?;
        Ok(())
    }

    async fn end_sessions(self: &Arc<Self>, which: impl Fn(&str, &Session) -> bool + Send + 'static) -> Result<usize> {
        let ended = self.on_thread(move |guard| guard.sessions.end(which)).await?;
        self.tell();
        Ok(ended)
    }
}
