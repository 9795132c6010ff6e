//! The failures of a user with codes of the second factor. A million codes are few, so whoever guesses is stopped.

use serde::{Deserialize, Serialize};

use crate::spool::Time;

/// The number of failures …
const MOST: usize = 5;
/// … within so many milliseconds …
const WINDOW: i64 = 10 * 60 * 1000;
/// … that locks for so many milliseconds.
const LOCK: i64 = 15 * 60 * 1000;

/// The failures of a user that still count.
///
/// A clock that goes back makes nothing last longer: a time ahead of it counts as just now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    times: Vec<Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locked: Option<Time>,
}

impl Failures {
    /// Whether there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty() && self.locked.is_none()
    }

    /// For how many seconds nothing is accepted; none if codes are.
    pub fn locked(&mut self, now: Time) -> Option<u32> {
        self.settle(now);
        self.locked.map(|since| seconds(LOCK - passed(since, now)))
    }

    /// Adds a failure. If it was one too many, returns for how many seconds nothing is accepted.
    pub fn add(&mut self, now: Time) -> Option<u32> {
        self.settle(now);
        self.times.push(now);
        if self.times.len() >= MOST {
            *self = Self { times: Vec::new(), locked: Some(now) };
        }
        self.locked(now)
    }

    /// Forgets what is too old.
    fn settle(&mut self, now: Time) {
        let not_ahead = |time: &mut Time| *time = now.min(*time);
        self.times.iter_mut().for_each(not_ahead);
        self.times.retain(|time| passed(*time, now) < WINDOW);
        self.locked.iter_mut().for_each(not_ahead);
        self.locked = self.locked.filter(|since| passed(*since, now) < LOCK);
    }
}

fn passed(since: Time, now: Time) -> i64 {
    now.as_milliseconds().saturating_sub(since.as_milliseconds())
}

fn seconds(milliseconds: i64) -> u32 {
    u32::try_from(milliseconds.max(0).unsigned_abs().div_ceil(1000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_milliseconds(1_800_000_000_000 + seconds * 1000)
    }

    #[test]
    fn the_fifth_within_ten_minutes_locks_for_fifteen() {
        let mut failures = Failures::default();
        assert_eq!([0, 1, 2, 600, 601, 602].map(|second| failures.add(at(second))), [None; 6], "never five at once");
        assert_eq!([603, 604].map(|second| failures.add(at(second))), [None, Some(900)]);
        assert_eq!([604, 605, 1503].map(|second| failures.locked(at(second))), [Some(900), Some(899), Some(1)]);
        let almost = Time::from_milliseconds(at(1504).as_milliseconds() - 1);
        assert_eq!((failures.locked(almost), failures.locked(at(1504))), (Some(1), None));
        assert!(failures.is_empty(), "a new window begins");
    }

    #[test]
    fn a_clock_that_goes_back_neither_forgives_nor_locks_for_long() {
        let mut failures = Failures::default();
        assert_eq!([9000, 9001, 0].map(|second| failures.add(at(second))), [None; 3]);
        assert_eq!([1, -9000].map(|second| failures.add(at(second))), [None, Some(900)]);
        assert_eq!([-10_000, -9101, -9100].map(|second| failures.locked(at(second))), [Some(900), Some(1), None]);
        let mut failures = Failures { times: vec![Time::from_milliseconds(i64::MAX)], locked: Some(at(-900)) };
        assert_eq!((failures.locked(at(0)), failures.times.len()), (None, 1));
    }
}
