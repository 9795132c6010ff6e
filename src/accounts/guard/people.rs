//! What administrators see and do: everybody who has an account, a second factor or a session.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Guard, Source};
use crate::accounts::error::Result;
use crate::accounts::sessions::Session;
use crate::spool::Time;

/// What administrators see of somebody who signs in.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownUser {
    /// The name.
    pub user: String,
    /// The groups: those of the account; where there is none, those of the latest session.
    pub groups: Vec<String>,
    /// Whether the account is disabled; none if there is no account here.
    pub disabled: Option<bool>,
    /// Whether they have a second factor.
    pub enrolled: bool,
    /// How many recovery codes they have left.
    pub recovery_codes_left: usize,
    /// How many sessions they have.
    pub sessions: usize,
    /// When they have used one of them last.
    pub last_seen: Option<Time>,
}

impl Guard {
    /// Everybody who has an account, a second factor or a session, by name.
    #[must_use]
    pub fn known_users(&self, now: Time) -> Vec<KnownUser> {
        let sessions = self.sessions_of(None, now);
        let mut names: BTreeSet<String> = sessions.iter().map(|(_, session)| session.user.clone()).collect();
        names.extend(self.second_factors.enrolled());
        if let Source::Local(users) = &self.source {
            names.extend(users.all().keys().cloned());
        }
        names.into_iter().map(|name| self.known_user(name, &sessions)).collect()
    }

    fn known_user(&self, user: String, sessions: &[(String, Session)]) -> KnownUser {
        let own = || sessions.iter().map(|(_, session)| session).filter(|session| session.user == user);
        let account = self.source.account(&user);
        let latest = own().max_by_key(|session| session.last_seen);
        let groups = account.as_ref().map(|account| account.groups.clone());
        let groups = groups.or_else(|| latest.map(|session| session.groups.clone())).unwrap_or_default();
        KnownUser {
            groups,
            disabled: account.map(|account| account.disabled),
            enrolled: self.second_factors.is_enrolled(&user),
            recovery_codes_left: self.second_factors.recovery_codes_left(&user),
            sessions: own().count(),
            last_seen: latest.map(|session| session.last_seen),
            user,
        }
    }

    /// Takes somebody's second factor away, and ends their sessions. They set up another one when they sign in.
    ///
    /// # Errors
    /// The files cannot be changed.
    pub async fn reset_second_factor(self: &Arc<Self>, user: &str) -> Result<()> {
        let user = user.to_owned();
        self.on_thread(move |guard| {
            // Sessions first: after a failure in between, the user only has to sign in again.
            guard.sessions.end(|_, session| session.user == user)?;
            guard.second_factors.remove(&user)
        })
        .await?;
        self.tell();
        Ok(())
    }
}
