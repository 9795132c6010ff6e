//! What the file has of one user: the factor in use, one that is being set up, and failures.

use serde::{Deserialize, Serialize};

use super::failures::Failures;
use super::host_code::{AllUsed, Code};
use super::recovery::RecoveryCodes;
use super::totp::Seed;
use super::{Passed, Refusal, totp};
use crate::digest;
use crate::spool::Time;

/// How long an enrolment can be confirmed, in milliseconds.
const PENDING: u64 = 15 * 60 * 1000;

/// What is known of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<Factor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    #[serde(default, skip_serializing_if = "Failures::is_empty")]
    failures: Failures,
}

/// A factor in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Factor {
    pub seed: Seed,
    /// The step of the last code that was accepted. None up to it is accepted again.
    pub used: Option<u64>,
    pub recovery_codes: RecoveryCodes,
}

/// A factor that its owner has not confirmed yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    pub seed: Seed,
    pub begun: Time,
    /// The digest of the factor whose place it takes, which its owner has shown to have; none if they had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

impl Record {
    /// The enrolment that can be confirmed. Clocks may differ a little, so it may also lie a little ahead.
    pub fn pending(&self, now: Time) -> Option<Pending> {
        let age = |begun: Time| now.as_milliseconds().abs_diff(begun.as_milliseconds());
        self.pending.clone().filter(|pending| age(pending.begun) < PENDING)
    }

    /// Attempts something, and counts a failure. A success makes all failures forgotten.
    pub fn attempt<T>(
        &mut self,
        now: Time,
        passes: impl FnOnce(Option<&mut Factor>) -> Option<T>,
    ) -> Result<T, Refusal> {
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
    /// A factor that nobody has used yet, without recovery codes.
    pub fn of(seed: Seed) -> Self {
        Self { seed, used: None, recovery_codes: RecoveryCodes::default() }
    }

    /// Names the factor without telling it.
    pub fn digest(&self) -> String {
        digest::sha256(self.seed.key())
    }

    /// Takes a code of the app, or a recovery code. Neither works again.
    pub fn take(&mut self, user: &str, code: &str, now: Time) -> Option<Passed> {
        if let Some(step) = self.seed.find(&typed(code), self.used, now) {
            self.used = Some(step);
            return Some(Passed::Totp);
        }
        self.recovery_codes.take(user, code).then(|| Passed::Recovery { left: self.recovery_codes.left() })
    }

    /// The code of now. If it was used, the code of the next step, which is accepted already.
    pub fn code_now(&self, now: Time) -> Result<Code, AllUsed> {
        let step = self.used.map_or(0, |used| used.saturating_add(1)).max(totp::step_at(now));
        match totp::accepted_in(step, now) {
            0 => Ok(Code { digits: self.seed.code(step), seconds: totp::accepted_for(step, now) }),
            seconds => Err(AllUsed { seconds }),
        }
    }
}

/// A code without the blanks that apps show in it.
pub fn typed(code: &str) -> String {
    code.chars().filter(|letter| !letter.is_whitespace()).collect()
}
