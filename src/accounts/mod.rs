//! Who signs in, and what they may do. [`Auth`] is the way in: it is either open to everybody, or has a [`Guard`].
//!
//! | question | file |
//! |---|---|
//! | Who does a request come from, by what? | [`identity`], [`presented`] |
//! | Who may use a route, and the jobs of a type? | [`access`], [`role`] |
//! | How does somebody sign in, and what can they do with their account? | [`guard`] |
//! | Why is something not done? | [`error`] |
//! | How is what other processes change seen? | [`follow`] |
//! | Who has an account, and with which password? | [`users`], [`password`] |
//! | Who is signed in where, by which cookie? | [`sessions`], [`cookie`] |
//! | Which scripts act for whom? | [`tokens`] |
//! | What are the codes of a second factor? | [`second_factor`] |
//! | Who has tried too often? | [`attempts`] |
//! | What does the single sign-on say? | [`cas`] |
//!
//! All state is in files of the state directory, which all API processes of a spool share.

pub mod access;
pub mod attempts;
pub mod cas;
pub mod cookie;
pub mod error;
pub mod follow;
pub mod guard;
pub mod identity;
pub mod password;
pub mod presented;
pub mod role;
pub mod second_factor;
pub mod sessions;
pub mod tokens;
pub mod users;

use std::sync::Arc;

use self::error::{AccountsError, Result};
use self::guard::Guard;
use self::guard::session_watch::SessionWatch;
#[cfg(test)]
pub(crate) use self::guard::testing;
use self::identity::{Caller, Identity, Proof};
use self::presented::Presented;
use self::role::Role;
use self::second_factor::state::SecondFactorState;
use crate::spool::Time;

/// The names of the files of sign-ins in the state directory. No file of a spool has one of these names.
pub const FILES: [&str; 4] = ["attempts.json", "second_factors.json", "sessions.json", "tokens.json"];

/// Whether people sign in at all.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Everybody who can connect is this caller.
    Open(Caller),
    /// Whoever wants in has to show who they are.
    Guarded(Arc<Guard>),
}

impl Auth {
    /// Lets everybody in as this user, who may do everything.
    #[must_use]
    pub fn open(user: &str) -> Self {
        Self::Open(Caller { user: user.into(), groups: Arc::new([]), role: Role::Admin, proof: Proof::Nothing })
    }

    /// Who a request comes from.
    #[must_use]
    pub fn identify(&self, presented: &Presented, now: Time) -> Identity {
        match self {
            Self::Open(caller) => Identity::Authenticated(caller.clone()),
            Self::Guarded(guard) => guard.identify(presented, now),
        }
    }

    /// What is known of those who sign in.
    ///
    /// # Errors
    /// [`NobodySignsIn`](AccountsError::NobodySignsIn).
    pub fn guard(&self) -> Result<&Arc<Guard>> {
        match self {
            Self::Guarded(guard) => Ok(guard),
            Self::Open(_) => Err(AccountsError::NobodySignsIn),
        }
    }

    /// How somebody stands with the second factor.
    #[must_use]
    pub fn second_factor(&self, identity: &Identity) -> SecondFactorState {
        let Self::Guarded(guard) = self else { return SecondFactorState::Off };
        match identity {
            Identity::PendingSecondFactor(pending) => guard.second_factor_state(&pending.user),
            _ if guard.has_shown_second_factor(identity, Time::now()) => SecondFactorState::On,
            _ => SecondFactorState::Off,
        }
    }

    /// Watches the rights of somebody who opens a stream now. Where nobody signs in, nobody loses any.
    #[must_use]
    pub fn watch(&self, identity: &Identity) -> Option<SessionWatch> {
        match (self, identity) {
            (Self::Guarded(guard), Identity::Authenticated(caller)) => Some(guard.watch(caller, Time::now())),
            _ => None,
        }
    }
}
