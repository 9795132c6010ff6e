//! Points in time in the form of the spool: RFC 3339, UTC, milliseconds.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time with a resolution of one millisecond, written like `2026-11-23T15:38:46.123Z` (RFC 3339).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(jiff::Timestamp);

impl Time {
    /// The present time of the system clock.
    #[must_use]
    pub fn now() -> Self {
        let now = jiff::Timestamp::now().as_millisecond();
        Self::from_milliseconds(now)
    }

    /// Makes a time from milliseconds since the Unix epoch. A value outside the calendar becomes the latest possible
    /// time.
    #[must_use]
    pub fn from_milliseconds(milliseconds: i64) -> Self {
        Self(jiff::Timestamp::from_millisecond(milliseconds).unwrap_or(jiff::Timestamp::MAX))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn as_milliseconds(self) -> i64 {
        self.0.as_millisecond()
    }

    /// Seconds since the Unix epoch, with the milliseconds as a fraction.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "milliseconds stay exact in an f64 for 285,000 years")]
    pub fn as_seconds_f64(self) -> f64 {
        self.as_milliseconds() as f64 / 1000.0
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.3}", self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        if !text.ends_with('Z') {
            return Err(de::Error::custom(format!("`{text}` is not a time in UTC such as 2026-11-23T15:38:46.123Z")));
        }
        let parsed: jiff::Timestamp =
            text.parse().map_err(|error| de::Error::custom(format!("`{text}` is not an RFC 3339 time: {error}")))?;
        Ok(Self::from_milliseconds(parsed.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_decimals_and_a_z() {
        let time = Time::from_milliseconds(1_743_230_210_070);
        assert_eq!(time.to_string(), "2025-03-29T06:36:50.070Z");
        let json = serde_json::to_string(&time).unwrap();
        assert_eq!(serde_json::from_str::<Time>(&json).unwrap(), time);
    }

    #[test]
    fn other_forms_are_refused() {
        for bad in ["\"yesterday\"", "\"2025-03-29T06:36:50+01:00\"", "12"] {
            assert!(serde_json::from_str::<Time>(bad).is_err(), "{bad}");
        }
    }
}
