//! Who a request comes from, as far as they have shown it, and by what.

use std::sync::Arc;

use super::role::Role;
use super::tokens::Scope;

/// Who asks.
#[derive(Clone, Debug)]
pub enum Identity {
    /// It is not known who asks.
    Nobody(Unknown),
    /// Somebody who still has to show their second factor.
    PendingSecondFactor(PendingSecondFactor),
    /// Somebody who has shown all that they must.
    Authenticated(Caller),
}

/// Why it is not known who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Nothing was shown.
    NotSignedIn,
    /// The session has ended: by its time, by its user or an administrator, or with its account.
    Ended,
    /// What groups the user is in was asked too long ago, and only the single sign-on knows.
    Stale,
    /// The token is not known.
    Token,
}

/// Somebody whose password or ticket was right, and who still has to show their second factor.
#[derive(Clone, Debug)]
pub struct PendingSecondFactor {
    /// Who they say they are, and have shown by password or ticket.
    pub user: Arc<str>,
    /// What groups they are in.
    pub groups: Arc<[String]>,
    /// The key of their session.
    pub session: Arc<str>,
}

/// Somebody who is let in.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who it is.
    pub user: Arc<str>,
    /// What groups they are in.
    pub groups: Arc<[String]>,
    /// What they may do.
    pub role: Role,
    /// By what they have shown it.
    pub proof: Proof,
}

/// By what somebody has shown who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By nothing: nobody has to.
    Nothing,
    /// By the session of this key.
    Session(Arc<str>),
    /// By a token.
    Token {
        /// Its name in lists.
        id: Arc<str>,
        /// What it is for.
        scopes: Arc<[Scope]>,
    },
}

impl Unknown {
    /// The text that tells them.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::NotSignedIn => "Sign in first",
            Self::Ended => "Your session has ended. Sign in again",
            Self::Stale => "Your groups must be read again from the single sign-on. Sign in again",
            Self::Token => "This token is unknown or has expired, or its user may no longer sign in",
        }
    }
}

impl Identity {
    /// Who it is, with the second factor or without.
    #[must_use]
    pub fn user(&self) -> Option<&Arc<str>> {
        match self {
            Self::Nobody(_) => None,
            Self::PendingSecondFactor(pending) => Some(&pending.user),
            Self::Authenticated(caller) => Some(&caller.user),
        }
    }

    /// The id of the token, if it is a script that asks.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        match self {
            Self::Authenticated(Caller { proof: Proof::Token { id, .. }, .. }) => Some(id),
            _ => None,
        }
    }

    /// The key of the session, if it is a browser that asks.
    #[must_use]
    pub fn session(&self) -> Option<&Arc<str>> {
        match self {
            Self::PendingSecondFactor(pending) => Some(&pending.session),
            Self::Authenticated(Caller { proof: Proof::Session(key), .. }) => Some(key),
            _ => None,
        }
    }
}
