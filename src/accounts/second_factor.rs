//! The second factor: a code of an authenticator app, or a recovery code, that only its user can have.
//!
//! `second_factors.json` has all of it, and is changed under its lock. So a code works once, and failures count, whichever
//! API or command of the spool it is given to. Nothing of it is ever in a message, a log or a `Debug`.

mod failures;
pub mod qr;
mod recovery;
pub mod state;
#[cfg(test)]
mod tests;
mod totp;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use self::failures::Failures;
use self::recovery::RecoveryCodes;
pub(crate) use self::totp::Seed;
#[cfg(test)]
pub(crate) use self::totp::step_at;
use super::error::minutes;
use crate::digest;
use crate::spool::{Error, Result, Time};
use crate::state::StateDirectory;
use crate::state::document::Document;

/// Its name in the state directory.
const FILE: &str = "second_factors.json";

/// How long an enrolment can be confirmed, in milliseconds.
const PENDING: u64 = 15 * 60 * 1000;

/// The second factors of all users.
#[derive(Debug)]
pub struct SecondFactors {
    directory: StateDirectory,
    document: Document<Records>,
}

/// User → what is known of them.
type Records = BTreeMap<String, Record>;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    factor: Option<Factor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<Pending>,
    #[serde(default, skip_serializing_if = "Failures::is_empty")]
    failures: Failures,
}

/// A factor in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Factor {
    seed: Seed,
    /// The step of the last code that was accepted. None up to it is accepted again.
    used: Option<u64>,
    recovery_codes: RecoveryCodes,
}

/// A factor whose owner has not shown yet that they have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pending {
    seed: Seed,
    begun: Time,
    /// The factor that its owner has shown to have, by a digest; none if they had none. It takes the place of no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaces: Option<String>,
}

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
    #[error("This code is not right, or was used before. Wait for the next one")]
    Invalid,
    /// There were too many failures; nothing is accepted, not even the right code.
    #[error("Tried too often. Try again in {}", minutes(*.seconds))]
    Locked {
        /// For how long.
        seconds: u32,
        /// Whether this was the failure that locked it.
        is_new: bool,
    },
    /// The user has no second factor.
    #[error("You have no second factor yet. Set one up first")]
    NotEnrolled,
    /// There is no enrolment to confirm, or it is too old.
    #[error("There is nothing to confirm any more. Begin again")]
    NothingPending,
}

/// What an authenticator app has to be told. For its owner only.
#[derive(Serialize)]
pub struct Enrolment {
    /// The seed to be typed: base 32 in groups of four.
    pub secret: String,
    /// The seed as the address that is in the QR code.
    pub uri: String,
    /// The QR code, row by row, `1` for dark, without its quiet zone.
    pub qr: Vec<String>,
}

/// What the host tells a user who is signed in there.
pub struct HostCode {
    /// A code that is accepted now.
    pub code: Result<Code, AllUsed>,
    /// Whether there was no factor before.
    pub made: bool,
    /// What an authenticator app has to be told.
    pub enrolment: Enrolment,
}

/// A code and for how long it is accepted.
pub struct Code {
    /// Six digits.
    pub digits: String,
    /// For so many seconds, if it is not used before.
    pub seconds: u64,
}

/// The codes of now have all been used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllUsed {
    /// The next one is accepted in so many seconds. More than a minute if the clock went back.
    pub seconds: u64,
}

impl SecondFactors {
    /// Those of a state directory.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn open(directory: &StateDirectory) -> Result<Self> {
        Ok(Self { directory: directory.clone(), document: Document::open_lasting(directory.join(FILE))? })
    }

    /// Reads them again if somebody changed them, and returns whether that is so.
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

    /// Begins to give a user a new factor, in place of one that was begun earlier. Who has a factor shows it by a code. It
    /// stays in use until the new one is confirmed, for which there are 15 minutes.
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

    /// Takes the new factor into use, if the code is one of its, and returns fresh recovery codes: they are shown once.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub fn confirm(&self, user: &str, code: &str, now: Time) -> Result<Result<Vec<String>, Refusal>> {
        let (codes, recovery_codes) = RecoveryCodes::generate(user)?;
        self.change(|records| {
            let record = records.get_mut(user).ok_or(Refusal::NothingPending)?;
            let Pending { seed, replaces, .. } = record.pending(now).ok_or(Refusal::NothingPending)?;
            // Somebody else was first, who may be the user: whoever began this one has not shown to have their factor.
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

    /// A code that is accepted now, for a user whom the host knows. Who has no factor gets one.
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

impl Record {
    /// The enrolment that can be confirmed. Clocks may differ a little, so one of the future is as good as one of the past.
    fn pending(&self, now: Time) -> Option<Pending> {
        let age = |begun: Time| now.as_milliseconds().abs_diff(begun.as_milliseconds());
        self.pending.clone().filter(|pending| age(pending.begun) < PENDING)
    }

    /// Does what may fail, and counts it if it does. Success makes all failures forgotten.
    fn attempt<T>(&mut self, now: Time, passes: impl FnOnce(Option<&mut Factor>) -> Option<T>) -> Result<T, Refusal> {
        if let Some(seconds) = self.failures.locked(now) {
            return Err(Refusal::Locked { seconds, is_new: false });
        }
        if let Some(passed) = passes(self.factor.as_mut()) {
            self.failures = Failures::default();
            return Ok(passed);
        }
        Err(self.failures.add(now).map_or(Refusal::Invalid, |seconds| Refusal::Locked { seconds, is_new: true }))
    }
}

impl Factor {
    fn of(seed: Seed) -> Self {
        Self { seed, used: None, recovery_codes: RecoveryCodes::default() }
    }

    /// Names it without telling it.
    fn digest(&self) -> String {
        digest::sha256(self.seed.key())
    }

    fn take(&mut self, user: &str, code: &str, now: Time) -> Option<Passed> {
        if let Some(step) = self.seed.find(&typed(code), self.used, now) {
            self.used = Some(step);
            return Some(Passed::Totp);
        }
        self.recovery_codes.take(user, code).then(|| Passed::Recovery { left: self.recovery_codes.left() })
    }

    /// The code of now; or that of the next step, which is accepted already, if the one of now was used.
    fn code_now(&self, now: Time) -> Result<Code, AllUsed> {
        let step = self.used.map_or(0, |used| used.saturating_add(1)).max(totp::step_at(now));
        match totp::accepted_in(step, now) {
            0 => Ok(Code { digits: self.seed.code(step), seconds: totp::accepted_for(step, now) }),
            seconds => Err(AllUsed { seconds }),
        }
    }
}

impl Enrolment {
    fn of(user: &str, seed: &Seed) -> Self {
        let (mut secret, uri) = (seed.key(), seed.uri(user));
        (1..secret.len() / 4).rev().for_each(|group| secret.insert(group * 4, ' '));
        let qr = qr::rows(&uri);
        Self { secret, uri, qr }
    }
}

/// A code without the blanks that apps show in it.
fn typed(code: &str) -> String {
    code.chars().filter(|letter| !letter.is_whitespace()).collect()
}

/// Random bytes from the kernel.
fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::io("read", Path::new("/dev/urandom"), std::io::Error::other(error.to_string())))?;
    Ok(bytes)
}
