//! Measured durations and their statistics.

use std::fmt;
use std::time::Duration;

/// The durations of one thing, measured many times.
#[derive(Debug)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// Measures a closure this many times.
    pub fn collect(count: usize, mut measure: impl FnMut() -> crate::Result<Duration>) -> crate::Result<Self> {
        (0..count).map(|_| measure()).collect::<crate::Result<Vec<_>>>().map(Self::from)
    }

    /// The median.
    pub fn median(&self) -> Duration {
        self.percentile(50)
    }

    /// The 99th percentile.
    pub fn p99(&self) -> Duration {
        self.percentile(99)
    }

    fn percentile(&self, percent: usize) -> Duration {
        self.0.get((self.0.len() * percent / 100).min(self.0.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

impl From<Vec<Duration>> for Samples {
    fn from(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        Self(durations)
    }
}

impl fmt::Display for Samples {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} / {}", milliseconds(self.median()), milliseconds(self.p99()))
    }
}

/// Formats a duration for people.
pub fn milliseconds(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1000.0)
}
