//! Who has seen the sensitive lines of which job in the last hour, and from where. The audit trail gets one entry for that,
//! and not one for each window of a log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::ClientAddress;
use crate::spool::JobId;

/// After this time it is recorded again.
const AGAIN: Duration = Duration::from_hours(1);

/// How many are remembered. A forgotten one is recorded again.
const MOST: usize = 10_000;

/// Somebody sees the sensitive lines of a job.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Reveal {
    /// Who.
    pub user: Arc<str>,
    /// Of which job.
    pub job: JobId,
    /// From where.
    pub address: ClientAddress,
}

/// What was recorded in the last hour.
#[derive(Debug, Default)]
pub struct Reveals {
    recorded: Mutex<HashMap<Reveal, Instant>>,
}

impl Reveals {
    /// Whether it is in the audit trail already.
    pub fn is_recorded(&self, reveal: &Reveal) -> bool {
        self.lock().get(reveal).is_some_and(|at| at.elapsed() < AGAIN)
    }

    /// Remembers that it was recorded. Call this after the record is durable: until then the lines must not be shown.
    pub fn remember(&self, reveal: Reveal) {
        let mut recorded = self.lock();
        if recorded.len() >= MOST {
            recorded.clear();
        }
        recorded.insert(reveal, Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Reveal, Instant>> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::job_id;

    #[test]
    fn a_reveal_is_recorded_again_from_another_place_and_until_it_is() {
        let reveals = Reveals::default();
        let reveal = |user: &str, job, address: &str| Reveal {
            user: user.into(),
            job: job_id(job),
            address: address.parse().unwrap(),
        };
        assert!(!reveals.is_recorded(&reveal("alice", 1, "192.0.2.1")));
        assert!(!reveals.is_recorded(&reveal("alice", 1, "192.0.2.1")), "to ask is not to record");
        reveals.remember(reveal("alice", 1, "192.0.2.1"));
        assert!(reveals.is_recorded(&reveal("alice", 1, "192.0.2.1")));
        for other in [reveal("alice", 1, "192.0.2.2"), reveal("alice", 2, "192.0.2.1"), reveal("bob", 1, "192.0.2.1")] {
            assert!(!reveals.is_recorded(&other), "{other:?}");
        }
    }
}
