//! Who is signed in where: `sessions.json`.
//!
//! The key of a session is the digest of a secret that only its browser has. Whenever a session may do more it gets another
//! secret, so that a cookie that somebody planted is not valid afterwards. An operator signs people out by removing
//! their entries, or the file.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cookie::key::Secret;
use crate::spool::{Result, Time};
use crate::state::StateDirectory;
use crate::state::document::Document;

/// How long a session lasts in any case.
pub const LONGEST: Duration = Duration::from_hours(14 * 24);

/// How long it lasts while nobody uses it. An open page that only listens does not use it.
pub const IDLE: Duration = Duration::from_hours(24);

/// How long it lasts while its second factor is missing.
pub const PENDING_SECOND_FACTOR: Duration = Duration::from_mins(10);

/// How long the groups count that the single sign-on has told. Then it is asked again.
pub const STALE: Duration = Duration::from_hours(1);

/// How old the noted use of a session is when another one is noted.
const NOTED: Duration = Duration::from_mins(5);

/// The most by which the clocks of hosts that share a state directory differ.
const CLOCKS_DIFFER: Duration = Duration::from_mins(5);

/// The most sessions of one user. The session that was used longest ago makes room, but those without a second factor go
/// first: somebody who knows only the password must not end the sessions of somebody who has both.
const MOST: usize = 20;

/// How much is kept of what a browser says that it is, in characters.
const MOST_USER_AGENT: usize = 300;

/// How many characters of its key are the id of a session in lists. They are of no use without the secret.
const ID: usize = 16;

/// One sign-in of one browser.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The user.
    pub user: String,
    /// The groups that the single sign-on has told of.
    #[serde(default)]
    pub groups: Vec<String>,
    /// When the password or ticket was shown.
    pub created: Time,
    /// When groups and ticket were checked.
    pub checked: Time,
    /// When it was used last.
    pub last_seen: Time,
    /// Whether the second factor was shown.
    pub second_factor: bool,
    /// Names the password that was shown: see [`Account::stamp`](super::users::Account::stamp).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The digest of the ticket that began it: by the ticket the single sign-on tells that somebody has signed out there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The address where it was begun.
    pub address: String,
    /// What the browser says that it is.
    pub user_agent: String,
}

type Content = BTreeMap<String, Session>;

/// All sessions.
#[derive(Debug)]
pub struct Sessions {
    file: Document<Content>,
}

impl Session {
    /// A session that begins now.
    #[must_use]
    pub fn new(user: &str, address: String, user_agent: &str, now: Time) -> Self {
        Self {
            user: user.to_owned(),
            groups: Vec::new(),
            created: now,
            checked: now,
            last_seen: now,
            second_factor: false,
            password: None,
            ticket: None,
            address,
            user_agent: user_agent.chars().filter(|letter| !letter.is_control()).take(MOST_USER_AGENT).collect(),
        }
    }

    /// When it ends if it is not used any more. `is_pending` says that its second factor is missing.
    #[must_use]
    pub fn end(&self, is_pending: bool) -> Time {
        if is_pending {
            after(self.checked, PENDING_SECOND_FACTOR)
        } else {
            self.longest_end().min(after(self.last_seen, IDLE))
        }
    }

    /// When it ends in any case.
    #[must_use]
    pub fn longest_end(&self) -> Time {
        after(self.created, LONGEST)
    }

    /// Whether the single sign-on has to be asked again for its groups.
    #[must_use]
    pub fn is_stale(&self, now: Time) -> bool {
        after(self.checked, STALE) <= now
    }
}

/// The time that is `duration` after another.
#[must_use]
pub fn after(time: Time, duration: Duration) -> Time {
    let milliseconds = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    Time::from_milliseconds(time.as_milliseconds().saturating_add(milliseconds))
}

/// The id in lists of the session of this key.
#[must_use]
pub fn id(key: &str) -> &str {
    key.get(..ID).unwrap_or(key)
}

impl Sessions {
    /// Reads the sessions of a state directory.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn open(state: &StateDirectory) -> Result<Self> {
        let file = Document::open(state.join("sessions.json"))?;
        file.prepare_for_full_disk();
        Ok(Self { file })
    }

    /// Reads the file again if another process has changed it. Returns whether it has.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged; what was known stays.
    pub fn refresh(&self) -> Result<bool> {
        self.file.refresh()
    }

    /// The session of a key, if it has not ended. One whose second factor is missing may end earlier: see
    /// [`Session::end`].
    #[must_use]
    pub fn get(&self, key: &str, now: Time) -> Option<Session> {
        let session = self.file.get().get(key).cloned()?;
        let is_live = session.longest_end() > now && after(session.last_seen, IDLE) > now;
        // A session that a wrong clock has begun would last too long: its user signs in again.
        let is_past = session.created.max(session.checked) <= after(now, CLOCKS_DIFFER);
        (is_live && is_past).then_some(session)
    }

    /// The sessions of a user, or of all, with their keys.
    #[must_use]
    pub fn list(&self, user: Option<&str>, now: Time) -> Vec<(String, Session)> {
        let content = self.file.get();
        let of_user = |session: &Session| user.is_none_or(|user| session.user == user);
        let live = content.iter().filter(|(_, session)| of_user(session) && session.end(false) > now);
        live.map(|(key, session)| (key.clone(), session.clone())).collect()
    }

    /// Begins a session, and ends the one that the browser had.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub fn begin(&self, session: Session, replaced: Option<&str>) -> Result<Secret> {
        let secret = Secret::fresh()?;
        self.file.change(|content| {
            if let Some(replaced) = replaced {
                content.remove(replaced);
            }
            insert(content, secret.key(), session);
        })?;
        Ok(secret)
    }

    /// Notes that a session has shown its second factor: it goes on under another secret. `None` if it has ended meanwhile.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub fn complete(&self, key: &str, now: Time) -> Result<Option<Secret>> {
        let secret = Secret::fresh()?;
        self.file.change(|content| {
            let session = content.remove(key)?;
            let session = Session { second_factor: true, last_seen: now, ..session };
            insert(content, secret.key(), session);
            Some(secret)
        })
    }

    /// Notes that a session is used now, if that was not noted for a while.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub fn note_use(&self, key: &str, now: Time) -> Result<()> {
        self.file.change(|content| {
            // Of several requests at once the first notes it for all.
            if let Some(session) = content.get_mut(key).filter(|session| Self::is_to_be_noted(session, now)) {
                session.last_seen = now;
            }
        })
    }

    /// Whether the last use of a session has to be noted again.
    #[must_use]
    pub fn is_to_be_noted(session: &Session, now: Time) -> bool {
        after(session.last_seen, NOTED) <= now
    }

    /// Ends the session that a ticket of this digest began, and returns whose it was. For an unknown ticket nothing is
    /// written.
    ///
    /// # Errors
    /// The file cannot be read or changed.
    pub fn end_of_ticket(&self, ticket: &str) -> Result<Option<String>> {
        // Another API may have begun it just now.
        self.refresh()?;
        let is_it = |session: &Session| session.ticket.as_deref() == Some(ticket);
        let user = self.file.get().values().find(|session| is_it(session)).map(|session| session.user.clone());
        if user.is_some() {
            self.end(|_, session| is_it(session))?;
        }
        Ok(user)
    }

    /// Ends the sessions for which `which` holds; it is given key and session. Returns how many have ended.
    ///
    /// # Errors
    /// The file cannot be changed: then none has ended.
    pub fn end(&self, which: impl Fn(&str, &Session) -> bool) -> Result<usize> {
        self.file.change(|content| {
            let before = content.len();
            content.retain(|key, session| !which(key, session));
            before - content.len()
        })
    }
}

/// Adds a session, removes those that have ended, and makes room among those of its user.
fn insert(content: &mut Content, key: String, session: Session) {
    let (user, now) = (session.user.clone(), session.last_seen);
    content.retain(|_, session| session.end(false) > now);
    let mut own: Vec<(bool, Time, String)> = content
        .iter()
        .filter(|(_, other)| other.user == user)
        .map(|(key, other)| (other.second_factor, other.last_seen, key.clone()))
        .collect();
    own.sort_unstable();
    let too_many = (own.len() + 1).saturating_sub(MOST);
    for (_, _, key) in &own[..too_many] {
        content.remove(key);
    }
    content.insert(key, session);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn at(hours: i64) -> Time {
        Time::from_milliseconds(NOW + hours * 3_600_000)
    }

    fn session(user: &str, hours: i64) -> Session {
        Session::new(user, "192.0.2.1".into(), "Browser", at(hours))
    }

    fn sessions() -> (tempfile::TempDir, Sessions) {
        let directory = tempfile::tempdir().unwrap();
        let sessions = Sessions::open(&StateDirectory::new(directory.path())).unwrap();
        (directory, sessions)
    }

    #[test]
    fn a_session_ends_when_nobody_uses_it_and_after_two_weeks_in_any_case() {
        let (_directory, sessions) = sessions();
        let key = sessions.begin(session("alice", 0), None).unwrap().key();
        assert!(sessions.get(&key, at(23)).is_some() && sessions.get(&key, at(24)).is_none());
        for day in 1..=14 {
            sessions.note_use(&key, at(24 * day - 1)).unwrap();
        }
        assert!(sessions.get(&key, at(14 * 24 - 1)).is_some() && sessions.get(&key, at(14 * 24)).is_none());
    }

    #[test]
    fn a_clock_that_goes_back_makes_nothing_older() {
        let (_directory, sessions) = sessions();
        let key = sessions.begin(session("alice", 0), None).unwrap().key();
        sessions.note_use(&key, at(-5)).unwrap();
        assert_eq!(sessions.get(&key, at(0)).unwrap().last_seen, at(0));
    }

    #[test]
    fn every_change_of_what_it_may_do_gives_it_another_secret() {
        let (_directory, sessions) = sessions();
        let first = sessions.begin(session("alice", 0), None).unwrap().key();
        let second = sessions.complete(&first, at(1)).unwrap().unwrap().key();
        assert!(sessions.get(&first, at(1)).is_none() && sessions.get(&second, at(1)).unwrap().second_factor);
        assert!(sessions.complete(&first, at(1)).unwrap().is_none(), "a session that has ended cannot be completed");
        let third = sessions.begin(session("alice", 1), Some(&second)).unwrap().key();
        assert!(sessions.get(&second, at(1)).is_none() && !sessions.get(&third, at(1)).unwrap().second_factor);
    }

    #[test]
    fn the_file_does_not_have_the_secret() {
        let (directory, sessions) = sessions();
        let secret = sessions.begin(session("alice", 0), None).unwrap();
        let written = std::fs::read_to_string(directory.path().join("sessions.json")).unwrap();
        assert!(written.contains(&secret.key()) && !format!("{secret:?}").contains(&secret.key()));
        assert_eq!(id(&secret.key()).len(), ID);
    }

    #[test]
    fn who_knows_only_the_password_ends_no_session_of_who_knows_both() {
        let (_directory, sessions) = sessions();
        let half = sessions.begin(session("alice", 0), None).unwrap().key();
        let whole = sessions.complete(&half, at(0)).unwrap().unwrap().key();
        for _ in 0..2 * MOST {
            sessions.begin(session("alice", 1), None).unwrap();
        }
        assert!(sessions.get(&whole, at(1)).is_some() && sessions.list(Some("alice"), at(1)).len() == MOST);
    }

    #[test]
    fn what_a_wrong_clock_has_begun_is_begun_again() {
        let (_directory, sessions) = sessions();
        let key = sessions.begin(session("alice", 24), None).unwrap().key();
        assert!(sessions.get(&key, at(0)).is_none() && sessions.get(&key, at(24)).is_some());
    }

    #[test]
    fn a_user_has_so_many_sessions_and_the_oldest_makes_room() {
        let (_directory, sessions) = sessions();
        let other = sessions.begin(session("bob", 0), None).unwrap().key();
        let keys: Vec<String> = (0..25).map(|_| sessions.begin(session("alice", 1), None).unwrap().key()).collect();
        let oldest = sessions.begin(session("carol", -20), None).unwrap().key();
        assert_eq!(sessions.list(Some("alice"), at(1)).len(), MOST);
        assert!(sessions.get(keys.last().unwrap(), at(1)).is_some() && sessions.get(&other, at(1)).is_some());
        sessions.begin(session("bob", 5), None).unwrap();
        assert!(sessions.get(&oldest, at(-20)).is_none(), "what has ended is removed on the way");
        assert_eq!(sessions.end(|_, session| session.user == "alice").unwrap(), MOST);
        assert_eq!(sessions.list(None, at(5)).len(), 2);
    }
}
