//! Who asks, and what they may do.
//!
//! [`guard`] knows who a request comes from, [`access`] what they may do: the route table says what each route needs, and
//! nothing else decides. How people sign in is in [`sign_in`] and [`second_step`]; what they see to themselves in
//! [`enrolment`], [`own`]; administrators in [`people`].
//!
//! All state is in files of the state directory, shared by all APIs of a spool: [`document`] changes them, [`follow`] sees
//! what others change.

pub mod access;
pub mod attempts;
pub mod cas;
pub mod cookie;
pub mod follow;
pub mod guard;
pub mod identity;
pub mod password;
pub mod role;
pub mod second_factor;
pub mod sessions;
#[cfg(test)]
pub(crate) mod testing;
pub mod tokens;
pub mod users;

use std::sync::Arc;

use hyper::{HeaderMap, StatusCode};

use self::guard::{Guard, Standing};
use self::identity::{Caller, Identity, Proof};
use self::role::Role;
use self::second_factor::state::SecondFactorState;
use crate::http::error::ApiError;
use crate::spool::Time;

/// The files of the state directory in which it stands who signs in, and how. No file of a spool has one of these names.
pub const FILES: [&str; 4] = ["attempts.json", "second_factors.json", "sessions.json", "tokens.json"];

/// Whether people sign in at all.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Everybody who can connect is this caller.
    Open(Caller),
    /// Nobody is let in who has not shown who they are.
    Guarded(Arc<Guard>),
}

impl Auth {
    /// Everybody is this user, and may do everything.
    #[must_use]
    pub fn open(user: &str) -> Self {
        Self::Open(Caller { user: user.into(), groups: Arc::new([]), role: Role::Admin, proof: Proof::Nothing })
    }

    /// Who a request comes from.
    #[must_use]
    pub fn identify(&self, headers: &HeaderMap, now: Time) -> Identity {
        match self {
            Self::Open(caller) => Identity::Authenticated(caller.clone()),
            Self::Guarded(guard) => guard.identify(headers, now),
        }
    }

    /// What is known of those who sign in.
    ///
    /// # Errors
    /// 404 where nobody does.
    pub fn guard(&self) -> Result<&Arc<Guard>, ApiError> {
        match self {
            Self::Guarded(guard) => Ok(guard),
            Self::Open(_) => Err(ApiError::refused(
                StatusCode::NOT_FOUND,
                "Nobody signs in here: the authentication mode is \"none\", and everybody is the same user",
            )),
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

    /// What a stream depends on that is let in now.
    #[must_use]
    pub fn standing(&self, identity: &Identity) -> Option<Standing> {
        match (self, identity) {
            (Self::Guarded(guard), Identity::Authenticated(caller)) => Some(guard.standing(caller, Time::now())),
            _ => None,
        }
    }
}
