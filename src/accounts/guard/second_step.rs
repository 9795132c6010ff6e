//! Showing the second factor, setting it up, and going on without it.

use std::sync::Arc;
use std::time::Duration;

use super::Guard;
use crate::accounts::error::{AccountsError, Result};
use crate::accounts::identity::Identity;
use crate::accounts::second_factor::{Enrolment, Passed, Refusal};
use crate::spool::Time;

/// What somebody can know of their own second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondFactorStatus {
    /// Whether they have one.
    pub enrolled: bool,
    /// Whether everybody needs one.
    pub required: bool,
    /// How many recovery codes they have left.
    pub recovery_codes_left: usize,
}

impl Guard {
    /// What is known of a user's second factor.
    #[must_use]
    pub fn second_factor_status(&self, user: &str) -> SecondFactorStatus {
        SecondFactorStatus {
            enrolled: self.second_factors.is_enrolled(user),
            required: self.config.two_factor,
            recovery_codes_left: self.second_factors.recovery_codes_left(user),
        }
    }

    /// Takes a code of a user's second factor, or a recovery code. It works once.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub async fn check_code(self: &Arc<Self>, user: &Arc<str>, code: String) -> Result<Result<Passed, Refusal>> {
        let user = Arc::clone(user);
        self.on_thread(move |guard| guard.second_factors.check(&user, code.trim(), Time::now())).await
    }

    /// Notes that the session of somebody has shown the second factor: it goes on under another secret. Returns the
    /// `Set-Cookie` field that has it.
    ///
    /// # Errors
    /// [`SessionEnded`](AccountsError::SessionEnded) meanwhile; or the file cannot be changed.
    pub async fn complete_session(self: &Arc<Self>, identity: &Identity) -> Result<String> {
        let key = Arc::clone(identity.session().ok_or(AccountsError::SessionEnded)?);
        let secret = self.on_thread(move |guard| guard.sessions.complete(&key, Time::now())).await?;
        let secret = secret.ok_or(AccountsError::SessionEnded)?;
        self.tell();
        let now = Time::now();
        let session = self.sessions.get(&secret.key(), now).ok_or(AccountsError::SessionEnded)?;
        let left = session.longest_end().as_milliseconds() - now.as_milliseconds();
        Ok(self.cookies.set(&self.key, &secret, Duration::from_millis(u64::try_from(left).unwrap_or_default())))
    }

    /// Begins to give a user another second factor. If they have one, `code` must be of it.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub async fn begin_enrolment(
        self: &Arc<Self>,
        user: &Arc<str>,
        code: String,
    ) -> Result<Result<Enrolment, Refusal>> {
        let user = Arc::clone(user);
        self.on_thread(move |guard| guard.second_factors.begin(&user, code.trim(), Time::now())).await
    }

    /// Takes the second factor into use that was begun, if `code` is of it. Returns fresh recovery codes.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub async fn confirm_enrolment(
        self: &Arc<Self>,
        user: &Arc<str>,
        code: String,
    ) -> Result<Result<Vec<String>, Refusal>> {
        let user = Arc::clone(user);
        self.on_thread(move |guard| guard.second_factors.confirm(&user, code.trim(), Time::now())).await
    }

    /// Gives a user fresh recovery codes in place of those that are left.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub async fn renew_recovery_codes(self: &Arc<Self>, user: &Arc<str>) -> Result<Vec<String>> {
        let user = Arc::clone(user);
        self.on_thread(move |guard| guard.second_factors.renew_recovery_codes(&user)).await
    }

    /// Whether users may remove their second factor.
    ///
    /// # Errors
    /// [`SecondFactorRequired`](AccountsError::SecondFactorRequired).
    pub fn may_remove_second_factor(&self) -> Result<()> {
        if self.config.two_factor { Err(AccountsError::SecondFactorRequired) } else { Ok(()) }
    }

    /// Removes a user's second factor.
    ///
    /// # Errors
    /// [`SecondFactorRequired`](AccountsError::SecondFactorRequired); or the file cannot be changed.
    pub async fn remove_second_factor(self: &Arc<Self>, user: &Arc<str>) -> Result<()> {
        self.may_remove_second_factor()?;
        let user = Arc::clone(user);
        self.on_thread(move |guard| guard.second_factors.remove(&user)).await?;
        self.tell();
        Ok(())
    }
}
