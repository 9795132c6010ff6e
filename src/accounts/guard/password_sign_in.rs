//! Signing in with a password.

use std::sync::Arc;
use std::time::Duration;

use super::{Guard, Source};
use crate::accounts::error::{AccountsError, Result};
use crate::accounts::password;
use crate::accounts::presented::Browser;
use crate::accounts::second_factor::state::SecondFactorState;
use crate::accounts::sessions::{LONGEST, Session};
use crate::accounts::users::Account;
use crate::blocking;
use crate::config::ClientAddress;

/// The longest name of a user that is looked up, in bytes.
const MOST_USER: usize = 256;

/// The longest password that is looked at, in bytes.
const MOST_PASSWORD: usize = 1024;

/// How long a password waits until it is looked at.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of a password.
#[derive(Debug)]
pub enum PasswordCheck {
    /// It is the user's.
    Right(VerifiedUser),
    /// It is not.
    Wrong(WrongPassword),
}

/// A user who has shown their password now, at an address.
#[derive(Debug)]
pub struct VerifiedUser {
    user: String,
    address: ClientAddress,
    /// See [`Account::stamp`].
    stamp: String,
}

/// An attempt with a wrong password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongPassword {
    /// Whether there is such a user. If not, what was given as a name may be a password in the wrong field.
    pub is_known_user: bool,
    /// Whether it was the last attempt for a while.
    pub is_last: bool,
}

/// A browser that has signed in with a password. It has a secret, so it has no `Debug`.
pub struct SignedIn {
    /// The `Set-Cookie` field that gives it its session.
    pub set_cookie: String,
    /// What the user has to do next.
    pub second_factor: SecondFactorState,
}

impl Guard {
    /// Checks a password. The work is the same whether there is such a user or not.
    ///
    /// # Errors
    /// [`WrongPassword`](AccountsError::WrongPassword) for what is too long to be looked at,
    /// [`TooManyAttempts`](AccountsError::TooManyAttempts), [`TooManySignIns`](AccountsError::TooManySignIns); or attempts
    /// cannot be counted.
    pub async fn check_password(
        self: &Arc<Self>,
        user: &str,
        password: String,
        address: ClientAddress,
    ) -> Result<PasswordCheck> {
        if user.len() > MOST_USER || password.len() > MOST_PASSWORD {
            return Err(AccountsError::WrongPassword);
        }
        let is_last = self.begin_attempt(Some(user), address).await?;
        if let Some(account) = self.verified(user, password, address).await? {
            let verified = VerifiedUser { user: user.to_owned(), address, stamp: account.stamp() };
            return Ok(PasswordCheck::Right(verified));
        }
        let is_known_user = self.source.account(user).is_some();
        Ok(PasswordCheck::Wrong(WrongPassword { is_known_user, is_last }))
    }

    /// The account, if the password is its own and it is not disabled.
    async fn verified(
        self: &Arc<Self>,
        user: &str,
        password: String,
        address: ClientAddress,
    ) -> Result<Option<Account>> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.hashing).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            self.take_back_attempt(Some(user), address).await?;
            return Err(AccountsError::TooManySignIns);
        };
        let (guard, user) = (Arc::clone(self), user.to_owned());
        let verify = move || {
            let _turn = turn;
            let Source::Local(users) = &guard.source else { return None };
            let account = users.get(&user);
            let is_right = password::verify(&password, account.as_ref().map(|account| &account.password));
            account.filter(|account| is_right && !account.disabled)
        };
        Ok(blocking::run(verify).await?)
    }

    /// Begins the session of a user who has shown their password, in place of the one that the browser had.
    ///
    /// # Errors
    /// The files cannot be changed.
    pub async fn sign_in(self: &Arc<Self>, verified: VerifiedUser, browser: &Browser<'_>) -> Result<SignedIn> {
        let VerifiedUser { user, address, stamp } = verified;
        self.forgive_attempts(&user, address).await?;
        let second_factor = self.second_factor_state(&user);
        let session = Session { password: Some(stamp), ..Self::new_session(&user, browser) };
        let set_cookie = self.begin_session(session, browser, LONGEST).await?;
        Ok(SignedIn { set_cookie, second_factor })
    }
}
