//! Attempts to start jobs that failed: each job has a few, and a shortage of processes delays all.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::shortage::Shortage;
use crate::spool::JobId;

/// After so many failures to start, a job has failed.
const ATTEMPTS: u32 = 3;

/// The failed attempts of a job.
#[derive(Debug, Default)]
struct Failures {
    count: u32,
    /// What its supervisor said the last time. Empty after a restart of the runner, which remembers the count only.
    last_words: String,
}

/// The failed attempts of all jobs.
#[derive(Debug, Default)]
pub(super) struct Starts {
    failures: BTreeMap<JobId, Failures>,
    /// The system gave no process at the last attempt.
    shortage: Option<Shortage>,
}

impl Starts {
    /// Continues the counts that an earlier runner left in `runner.json`.
    pub(super) fn new(counts: &BTreeMap<u32, u32>) -> Self {
        let failures = counts.iter().filter_map(|(id, count)| {
            let id = JobId::try_from(u64::from(*id)).ok()?;
            Some((id, Failures { count: *count, last_words: String::new() }))
        });
        Self { failures: failures.collect(), shortage: None }
    }

    /// Whether a job has an attempt left.
    ///
    /// # Errors
    /// Why it has failed: a text for people.
    pub(super) fn may_start(&self, id: JobId) -> Result<(), String> {
        match self.failures.get(&id) {
            Some(Failures { count, last_words }) if *count >= ATTEMPTS => {
                let words = if last_words.is_empty() { "its supervisor gave no reason" } else { last_words };
                Err(format!("could not be started in {ATTEMPTS} attempts: {words}"))
            }
            _ => Ok(()),
        }
    }

    /// Counts a failed attempt, with what the supervisor said. Returns how many there are.
    pub(super) fn count_failure(&mut self, id: JobId, words: &str) -> u32 {
        let failures = self.failures.entry(id).or_default();
        failures.count += 1;
        words.clone_into(&mut failures.last_words);
        failures.count
    }

    /// The job is finished.
    pub(super) fn forget(&mut self, id: JobId) {
        self.failures.remove(&id);
    }

    /// The system gave no process. Returns the shortage, for people.
    pub(super) fn begin_shortage(&mut self, words: impl Into<String>) -> &Shortage {
        let shortage = Shortage::after(self.shortage.as_ref(), words);
        self.shortage.insert(shortage)
    }

    /// The system has processes again.
    pub(super) fn end_shortage(&mut self) {
        self.shortage = None;
    }

    /// Whether the next attempt must wait, because the system gave no process.
    pub(super) fn must_wait(&self) -> bool {
        self.shortage.as_ref().is_some_and(|shortage| !shortage.is_over())
    }

    /// When the next attempt after a shortage is made, if there is one.
    pub(super) fn next_attempt(&self) -> Option<Instant> {
        self.shortage.as_ref().map(Shortage::until)
    }

    /// Why a job has not started although its lane is free, in words.
    pub(super) fn why_not(&self, id: JobId) -> Option<String> {
        if let Some(shortage) = &self.shortage {
            return Some(shortage.to_string());
        }
        let Failures { count, last_words } =
            self.failures.get(&id).filter(|failures| !failures.last_words.is_empty())?;
        Some(format!("the start failed ({count} of {ATTEMPTS} attempts): {last_words}; the runner tries again"))
    }

    /// How often each job could not be started.
    pub(super) fn counts(&self) -> BTreeMap<u32, u32> {
        self.failures.iter().map(|(id, failures)| (id.get(), failures.count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_has_three_attempts_and_a_restart_keeps_their_count() {
        let id = JobId::try_from(7).unwrap();
        let mut starts = Starts::default();
        for count in 1..=2 {
            assert_eq!(starts.count_failure(id, "no room"), count);
            starts.may_start(id).unwrap();
        }
        assert_eq!(starts.why_not(id).unwrap(), "the start failed (2 of 3 attempts): no room; the runner tries again");
        let mut restarted = Starts::new(&starts.counts());
        assert_eq!(restarted.why_not(id), None);
        restarted.count_failure(id, "");
        assert_eq!(
            restarted.may_start(id).unwrap_err(),
            "could not be started in 3 attempts: its supervisor gave no reason"
        );
        restarted.forget(id);
        restarted.may_start(id).unwrap();
    }

    #[test]
    fn a_shortage_delays_every_start() {
        let id = JobId::try_from(7).unwrap();
        let mut starts = Starts::default();
        let told = starts.begin_shortage("none left").to_string();
        assert!(starts.must_wait() && starts.next_attempt().is_some());
        assert_eq!(starts.why_not(id), Some(told));
        starts.end_shortage();
        assert!(!starts.must_wait());
        assert_eq!(starts.why_not(id), None);
    }
}
