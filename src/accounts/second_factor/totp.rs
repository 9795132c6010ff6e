//! Codes that follow from a seed and the time: TOTP (RFC 6238) with SHA-1, six digits and a step of 30 seconds, as all
//! authenticator apps have it.

use std::fmt;

use base32::Alphabet;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use totp_rs::{Builder, Totp};

use crate::spool::{Result, Time};

/// How long a step is, in seconds.
pub const STEP: u64 = 30;

/// How many steps a code may be off: clocks differ, and people type slowly.
const SKEW: u64 = 1;

/// The name that an authenticator app shows beside that of the user.
const ISSUER: &str = "SpiderPig";

const BASE32: Alphabet = Alphabet::Rfc4648 { padding: false };

/// The secret that an authenticator app shares with us: 160 bits, as RFC 4226 recommends.
///
/// Two seeds are only compared to see whether a file has changed. Nothing that a client sends is compared with one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Seed([u8; 20]);

impl Seed {
    /// A fresh seed.
    ///
    /// # Errors
    /// The kernel gives no random bytes.
    pub fn generate() -> Result<Self> {
        super::random().map(Self)
    }

    /// The code of a step.
    #[must_use]
    pub fn code(&self, step: u64) -> String {
        self.totp().generate(step.saturating_mul(STEP)).to_string()
    }

    /// The step of a code, if it can be accepted: the step of now or its neighbour, and later than the last one used.
    #[must_use]
    pub fn find(&self, code: &str, used: Option<u64>, now: Time) -> Option<u64> {
        let totp = self.totp();
        let now = step_at(now);
        let mut steps = now.saturating_sub(SKEW)..=now + SKEW;
        // The library compares in constant time. The number of steps that are tried tells only when a code was used.
        steps.find(|step| used < Some(*step) && totp.check(code, step * STEP).is_some())
    }

    /// The seed to type: base 32.
    #[must_use]
    pub fn key(&self) -> String {
        base32::encode(BASE32, &self.0)
    }

    /// The seed to scan, in the "Key URI Format" of Google Authenticator. What all apps assume is left out: one of
    /// them may refuse what another one needs.
    #[must_use]
    pub fn uri(&self, user: &str) -> String {
        let user = utf8_percent_encode(user, NON_ALPHANUMERIC);
        format!("otpauth://totp/{ISSUER}:{user}?secret={}&issuer={ISSUER}", self.key())
    }

    /// The library looks at one step at a time: it does not know which were used.
    fn totp(&self) -> Totp {
        Builder::new().with_secret(self.0.as_slice()).with_step_duration(STEP).with_skew(0).build_noncompliant()
    }
}

/// The number of the step at a time. A time before the epoch is in the first.
#[must_use]
pub fn step_at(time: Time) -> u64 {
    seconds(time) / STEP
}

/// In how many seconds a code of the step is accepted.
#[must_use]
pub fn accepted_in(step: u64, now: Time) -> u64 {
    step.saturating_sub(SKEW).saturating_mul(STEP).saturating_sub(seconds(now))
}

/// For how many seconds a code of the step is accepted.
#[must_use]
pub fn accepted_for(step: u64, now: Time) -> u64 {
    step.saturating_add(SKEW + 1).saturating_mul(STEP).saturating_sub(seconds(now))
}

fn seconds(time: Time) -> u64 {
    u64::try_from(time.as_milliseconds()).unwrap_or_default() / 1000
}

impl From<Seed> for String {
    fn from(seed: Seed) -> Self {
        seed.key()
    }
}

impl TryFrom<String> for Seed {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let bytes = base32::decode(BASE32, &text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or("a seed is 20 bytes in base 32")
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Seed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seed of the examples in RFC 6238 and RFC 4226.
    const SEED: Seed = Seed(*b"12345678901234567890");

    fn at(seconds: i64) -> Time {
        Time::from_milliseconds(seconds * 1000)
    }

    #[test]
    fn codes_are_those_of_the_rfcs() {
        // RFC 6238, appendix B: eight digits there, of which ours are the last six.
        let vectors = [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ];
        for (seconds, code) in vectors {
            assert_eq!(SEED.code(step_at(at(seconds))), code[2..], "{seconds}");
            assert_eq!(SEED.find(&code[2..], None, at(seconds)), Some(step_at(at(seconds))));
        }
        // RFC 4226, appendix D: the same by the number of the step.
        let codes =
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        for (step, code) in (0..).zip(codes) {
            assert_eq!(SEED.code(step), code);
        }
    }

    #[test]
    fn a_code_may_be_one_step_off_and_must_be_later_than_the_last() {
        let now = at(100 * 30 + 7);
        let found = |step: u64, used| SEED.find(&SEED.code(step), used, now);
        assert_eq!([98, 99, 100, 101, 102].map(|step| found(step, None)), [None, Some(99), Some(100), Some(101), None]);
        assert_eq!([99, 100, 101].map(|step| found(step, Some(100))), [None, None, Some(101)]);
        assert_eq!([99, 100, 101].map(|step| found(step, Some(u64::MAX))), [None; 3]);
        for bad in ["", "75522", "7552244", "+55224", "75522a", "٧٥٥٢٢٤"] {
            assert_eq!(SEED.find(bad, None, at(0)), None, "{bad}");
        }
        assert_eq!(SEED.find("755224", None, at(-1)), Some(0), "a clock before the epoch");
    }

    #[test]
    fn it_is_told_how_long_a_code_is_accepted() {
        let now = at(100 * 30 + 7);
        assert_eq!([99, 100, 101].map(|step| accepted_for(step, now)), [23, 53, 83]);
        assert_eq!([99, 100, 101, 102].map(|step| accepted_in(step, now)), [0, 0, 0, 23]);
        for (step, end) in [(99, 23), (101, 83)] {
            let code = SEED.code(step);
            let find = |seconds: i64| SEED.find(&code, None, at(100 * 30 + 7 + seconds));
            assert_eq!((find(end - 1), find(end)), (Some(step), None));
        }
        assert!(accepted_for(u64::MAX, now) > 0 && accepted_in(u64::MAX, now) > 0);
    }

    #[test]
    fn a_seed_is_random_and_shown_to_nobody_but_its_owner() {
        let seed = Seed::generate().unwrap();
        assert!(seed != Seed::generate().unwrap());
        assert_eq!((SEED.key().as_str(), format!("{SEED:?}").as_str()), ("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "Seed"));
        let uri = "otpauth://totp/SpiderPig:a%2Db%3A%C3%A9?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=SpiderPig";
        assert_eq!(SEED.uri("a-b:é"), uri);
        let json = serde_json::to_string(&seed).unwrap();
        assert!(serde_json::from_str::<Seed>(&json).unwrap() == seed);
        let error = serde_json::from_str::<Seed>("\"GEZDGNBV\"").unwrap_err().to_string();
        assert!(error.contains("20 bytes in base 32") && !error.contains("GEZDGNBV"), "{error}");
    }
}
