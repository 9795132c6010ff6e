//! Why something about sign-ins is not done.

use super::attempts::minutes;
use super::second_factor::Refusal;
use crate::{blocking, spool};

/// What the methods of this room return.
pub type Result<T, E = AccountsError> = std::result::Result<T, E>;

/// Why something about sign-ins is not done. The texts are for whoever asked, save those of files and threads, which are
/// for the log.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// Authentication is switched off, so nothing is known of anybody.
    #[error("Sign-in is off: the authentication mode is \"none\", and everybody is the same user")]
    NobodySignsIn,
    /// There is no such user, or it is not their password, or they are disabled.
    #[error("Wrong user name or password")]
    WrongPassword,
    /// Too many attempts have failed.
    #[error("Too many attempts. Try again in {}", minutes(*.seconds))]
    TooManyAttempts {
        /// In so many seconds another attempt is allowed.
        seconds: u32,
    },
    /// The passwords of others are being looked at, and it takes too long.
    #[error("Too many people are signing in. Try again in a few seconds")]
    TooManySignIns,
    /// What came as the news of the single sign-on that somebody has signed out there is something else.
    #[error("This is not a logout request of the single sign-on")]
    NoLogout,
    /// The session has ended meanwhile.
    #[error("Your session has ended. Sign in again")]
    SessionEnded,
    /// The configuration requires a second factor of everybody, so nobody can remove theirs.
    #[error("A second factor is required here. You can set up another one instead")]
    SecondFactorRequired,
    /// A code of a second factor was not accepted.
    #[error(transparent)]
    Code(#[from] Refusal),
    /// A file of the state directory cannot be read or changed.
    #[error(transparent)]
    File(#[from] spool::Error),
    /// Work on a thread was not done.
    #[error(transparent)]
    Blocking(#[from] blocking::Error),
}
