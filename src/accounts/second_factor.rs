//! The second factor of users: `second_factors.json`. Its codes come from an authenticator app ([`totp`]), or are recovery
//! codes ([`recovery`]).
//!
//! The file is changed under its lock: [`record`] is what it has of one user. So a code works once, and failures count
//! ([`failures`]), whichever API process or command a code is given to. Nothing of the file is ever in a message, a log or a
//! `Debug`.

mod enrolment;
mod failures;
mod host_code;
pub mod qr;
mod record;
mod recovery;
pub mod state;
#[cfg(test)]
mod tests;
mod totp;

use std::collections::BTreeMap;
use std::path::Path;

pub use self::enrolment::Enrolment;
pub use self::host_code::{AllUsed, Code, HostCode};
use self::record::{Factor, Pending, Record, typed};
use self::recovery::RecoveryCodes;
pub(crate) use self::totp::Seed;
#[cfg(test)]
pub(crate) use self::totp::step_at;
use super::attempts::minutes;
use crate::spool::{Error, Result, Time};
use crate::state::StateDirectory;
use crate::state::document::Document;

/// The name of the file in the state directory.
const FILE: &str = "second_factors.json";

/// The second factors of all users.
#[derive(Debug)]
pub struct SecondFactors {
    directory: StateDirectory,
    document: Document<Records>,
}

/// What is known of each user, by name.
type Records = BTreeMap<String, Record>;

/// What was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// A code of the authenticator app.
    Totp,
    /// A recovery code.
    Recovery {
        /// How many are left.
        left: usize,
    },
}

/// Why a code was not accepted. The texts are for whoever gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is wrong, too old, or was used before.
    #[error("Wrong code, or a code that was used before. Wait for the next one")]
    Invalid,
    /// There were too many failures; nothing is accepted, not even the right code.
    #[error("Too many attempts. Try again in {}", minutes(*.seconds))]
    Locked {
        /// How many seconds that lasts.
        seconds: u32,
        /// Whether this was the failure that locked it.
        is_new: bool,
    },
    /// The user has no second factor.
    #[error("You have no second factor yet. Set one up first")]
    NotEnrolled,
    /// There is no enrolment to confirm, or it is too old.
    #[error("The set-up has expired. Begin again")]
    NothingPending,
}

impl SecondFactors {
    /// Reads the second factors of a state directory.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn open(directory: &StateDirectory) -> Result<Self> {
        Ok(Self { directory: directory.clone(), document: Document::open_lasting(directory.join(FILE))? })
    }

    /// Reads the file again if another process has changed it. Returns whether it has.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged; what was known stays.
    pub fn refresh(&self) -> Result<bool> {
        self.document.refresh()
    }

    /// Whether a user has a second factor, as far as this process knows.
    pub fn is_enrolled(&self, user: &str) -> bool {
        self.document.get().get(user).is_some_and(|record| record.factor.is_some())
    }

    /// Who has a second factor, as far as this process knows.
    pub fn enrolled(&self) -> Vec<String> {
        let records = self.document.get();
        records.iter().filter(|(_, record)| record.factor.is_some()).map(|(user, _)| user.clone()).collect()
    }

    /// How many recovery codes a user has left, as far as this process knows.
    pub fn recovery_codes_left(&self, user: &str) -> usize {
        let records = self.document.get();
        records.get(user).and_then(|record| record.factor.as_ref()).map_or(0, |factor| factor.recovery_codes.left())
    }

    /// Begins to give a user a new factor, in place of one that was begun earlier. A user who has a factor must show it by a
    /// code, and it stays in use until the new one is confirmed, for which there are 15 minutes.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub fn begin(&self, user: &str, code: &str, now: Time) -> Result<Result<Enrolment, Refusal>> {
        let seed = Seed::generate()?;
        let enrolment = Enrolment::of(user, &seed);
        self.change(|records| {
            let record = records.entry(user.to_owned()).or_default();
            let replaces = record.factor.as_ref().map(Factor::digest);
            if replaces.is_some() {
                record.attempt(now, |factor| factor?.take(user, code, now))?;
            }
            record.pending = Some(Pending { seed, begun: now, replaces });
            Ok(enrolment)
        })
    }

    /// Takes the new factor into use, if the code is one of its own. Returns fresh recovery codes, which are shown once.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub fn confirm(&self, user: &str, code: &str, now: Time) -> Result<Result<Vec<String>, Refusal>> {
        let (codes, recovery_codes) = RecoveryCodes::generate(user)?;
        self.change(|records| {
            let record = records.get_mut(user).ok_or(Refusal::NothingPending)?;
            let Pending { seed, replaces, .. } = record.pending(now).ok_or(Refusal::NothingPending)?;
            // Somebody else was first, perhaps the user: whoever began this one has not shown the factor that is in use.
            if replaces != record.factor.as_ref().map(Factor::digest) {
                return Err(Refusal::NothingPending);
            }
            let step = record.attempt(now, |_| seed.find(&typed(code), None, now))?;
            record.factor = Some(Factor { seed, used: Some(step), recovery_codes });
            record.pending = None;
            Ok(codes)
        })
    }

    /// Takes a code of the factor in use, or a recovery code. Neither works a second time.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub fn check(&self, user: &str, code: &str, now: Time) -> Result<Result<Passed, Refusal>> {
        self.change(|records| {
            let record = records.get_mut(user).filter(|record| record.factor.is_some()).ok_or(Refusal::NotEnrolled)?;
            record.attempt(now, |factor| factor?.take(user, code, now))
        })
    }

    /// Gives a user fresh recovery codes in place of those that are left; none if they have no second factor.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub fn renew_recovery_codes(&self, user: &str) -> Result<Vec<String>> {
        let (codes, recovery_codes) = RecoveryCodes::generate(user)?;
        self.change(|records| {
            let Some(factor) = records.get_mut(user).and_then(|record| record.factor.as_mut()) else {
                return Vec::new();
            };
            factor.recovery_codes = recovery_codes;
            codes
        })
    }

    /// Takes everything away from a user: the factor, one that was begun, a lock. Returns whether they had a factor.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub fn remove(&self, user: &str) -> Result<bool> {
        self.change(|records| records.remove(user).is_some_and(|record| record.factor.is_some()))
    }

    /// A code that is accepted now, for a user whom the host knows. A user without a factor gets one.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub fn code_now(&self, user: &str, now: Time) -> Result<HostCode> {
        let fresh = Seed::generate()?;
        self.change(|records| {
            let record = records.entry(user.to_owned()).or_default();
            let made = record.factor.is_none();
            if made {
                // Whoever began another one is not known to be the user.
                record.pending = None;
            }
            let factor = record.factor.get_or_insert_with(|| Factor::of(fresh));
            HostCode { code: factor.code_now(now), made, enrolment: Enrolment::of(user, &factor.seed) }
        })
    }

    fn change<R>(&self, change: impl FnOnce(&mut Records) -> R) -> Result<R> {
        self.directory.make()?;
        self.document.change(change)
    }
}

/// Random bytes from the kernel.
fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::io("read", Path::new("/dev/urandom"), std::io::Error::other(error.to_string())))?;
    Ok(bytes)
}
