//! Job numbers, and sets of them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A job's number: 1 to 999,999,999, written without leading zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct JobId(u32);

/// The error for a text or number that is not a job number.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a job number (1 to 999999999 without leading zeros)")]
pub struct NotAJobId;

impl JobId {
    /// The largest number that the layout allows.
    pub const MAX: u32 = 999_999_999;

    /// The job with the highest number.
    pub const LAST: Self = Self(Self::MAX);

    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u64> for JobId {
    type Error = NotAJobId;

    fn try_from(number: u64) -> Result<Self, NotAJobId> {
        match u32::try_from(number) {
            Ok(number @ 1..=Self::MAX) => Ok(Self(number)),
            _ => Err(NotAJobId),
        }
    }
}

impl From<JobId> for u64 {
    fn from(id: JobId) -> Self {
        u64::from(id.0)
    }
}

impl FromStr for JobId {
    type Err = NotAJobId;

    fn from_str(text: &str) -> Result<Self, NotAJobId> {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || text.starts_with('0') || text.len() > 9 {
            return Err(NotAJobId);
        }
        text.parse::<u64>().map_err(|_| NotAJobId)?.try_into()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A set of job numbers. It stores ranges, so a million finished jobs without a gap take one entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobIdSet {
    /// First number of a range → its last number. There is a gap between any two ranges.
    ranges: BTreeMap<u32, u32>,
}

impl JobIdSet {
    /// Whether the number is in the set.
    #[must_use]
    pub fn contains(&self, id: JobId) -> bool {
        self.ranges.range(..=id.0).next_back().is_some_and(|(_, last)| *last >= id.0)
    }

    /// Adds a number. Returns whether it was new.
    pub fn insert(&mut self, id: JobId) -> bool {
        if self.contains(id) {
            return false;
        }
        let mut first = id.0;
        let mut last = id.0;
        if let Some((&before, &end)) = self.ranges.range(..id.0).next_back()
            && end + 1 == id.0
        {
            first = before;
        }
        if let Some(end) = self.ranges.remove(&(id.0 + 1)) {
            last = end;
        }
        self.ranges.insert(first, last);
        true
    }

    /// The highest number in the set.
    #[must_use]
    pub fn highest(&self) -> Option<JobId> {
        self.ranges.last_key_value().map(|(_, last)| JobId(*last))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_plain_numbers_are_job_numbers() {
        for good in ["1", "42", "999999999"] {
            assert_eq!(good.parse::<JobId>().map(|id| id.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "0", "01", "-1", "+1", "1 ", "1000000000", "１", "x"] {
            assert_eq!(bad.parse::<JobId>(), Err(NotAJobId), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn the_set_agrees_with_a_plain_one(numbers in proptest::collection::vec(1_u64..60, 0..80)) {
            let mut set = JobIdSet::default();
            let mut plain = BTreeSet::new();
            for number in numbers {
                let id = JobId::try_from(number).unwrap();
                prop_assert_eq!(set.insert(id), plain.insert(id));
            }
            for number in 1..62 {
                let id = JobId::try_from(number).unwrap();
                prop_assert_eq!(set.contains(id), plain.contains(&id));
            }
            prop_assert_eq!(set.highest(), plain.last().copied());
        }
    }
}
