//! Who a request comes from, by what it presents.

use std::sync::Arc;

use super::{Guard, Source};
use crate::accounts::identity::{Caller, Identity, PendingSecondFactor, Proof, Unknown};
use crate::accounts::presented::Presented;
use crate::accounts::role::Role;
use crate::accounts::second_factor::state::SecondFactorState;
use crate::accounts::sessions::Session;
use crate::accounts::tokens::Token;
use crate::spool::Time;

impl Guard {
    /// Who a request comes from. A token counts more than a cookie: a script sends it on purpose.
    #[must_use]
    pub fn identify(&self, presented: &Presented, now: Time) -> Identity {
        if let Some(bearer) = presented.bearer {
            let token = self.tokens.find(bearer, now);
            return token.map_or(Identity::Nobody(Unknown::Token), |token| self.with_token(&token));
        }
        match self.session_key(presented) {
            Some(key) => self.with_session(&key, now),
            None if self.cookies.is_there(&presented.cookies) => Identity::Nobody(Unknown::Ended),
            None => Identity::Nobody(Unknown::NotSignedIn),
        }
    }

    /// The key of the session that a browser has, which may have ended.
    pub(super) fn session_key(&self, presented: &Presented) -> Option<String> {
        Some(self.key.verify(self.cookies, &presented.cookies)?.key())
    }

    /// Who has presented this proof before.
    pub(super) fn look_up(&self, proof: &Proof, now: Time) -> Identity {
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

    /// The groups that the user of a session is in now.
    fn groups(&self, session: &Session, now: Time) -> Result<Arc<[String]>, Unknown> {
        match &self.source {
            Source::Local(users) => {
                let account = users.get(&session.user).filter(|account| !account.disabled).ok_or(Unknown::Ended)?;
                // Whoever changes a password wants those out who know the old one.
                let is_same = session.password.as_ref().is_some_and(|stamp| *stamp == account.stamp());
                if is_same { Ok(account.groups.into()) } else { Err(Unknown::Ended) }
            }
            Source::Cas(_) if session.is_stale(now) => Err(Unknown::Stale),
            Source::Cas(_) => Ok(session.groups.clone().into()),
        }
    }

    /// Whether a session has shown all that its user must show.
    pub(super) fn is_complete(&self, session: &Session) -> bool {
        session.second_factor || !self.needs_second_factor(&session.user)
    }

    /// Whether a password or ticket alone is not enough: everybody needs a second factor, or this user has one by choice.
    fn needs_second_factor(&self, user: &str) -> bool {
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

    /// Whether somebody has a second factor, and their session has shown it.
    #[must_use]
    pub fn has_shown_second_factor(&self, identity: &Identity, now: Time) -> bool {
        let session = identity.session().and_then(|key| self.sessions.get(key, now));
        session.is_some_and(|session| session.second_factor && self.second_factors.is_enrolled(&session.user))
    }
}
