//! The jobs in `queue/`, as the daemon last saw them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::spool::JobId;

/// What is known of the files in the queue. A file that was not examined yet is in none of the tables.
#[derive(Debug)]
pub(super) struct Queue {
    /// Valid jobs, and the lane that each waits for.
    waiting: BTreeMap<JobId, String>,
    /// Files that a person must look at first, and why.
    held: BTreeMap<JobId, String>,
    /// Files that were there when this runner started: they may have been accepted under another configuration.
    inherited: BTreeSet<JobId>,
}

impl Queue {
    /// A queue in which these files are when the runner starts.
    pub(super) fn new(inherited: impl IntoIterator<Item = JobId>) -> Self {
        Self { waiting: BTreeMap::new(), held: BTreeMap::new(), inherited: inherited.into_iter().collect() }
    }

    /// Forgets jobs whose files are gone, and every hold: whoever lists the files examines held ones again.
    ///
    /// The files are those that are in the queue now, in order.
    pub(super) fn listed(&mut self, files: &[JobId]) {
        self.waiting.retain(|id, _| files.binary_search(id).is_ok());
        self.inherited.retain(|id| files.binary_search(id).is_ok());
        self.held.clear();
    }

    /// The job is valid and waits for a lane.
    pub(super) fn admit(&mut self, id: JobId, lane: String) {
        self.waiting.insert(id, lane);
    }

    /// A person must look at the file before it can be admitted.
    pub(super) fn hold(&mut self, id: JobId, why: String) {
        self.held.insert(id, why);
    }

    /// The job waits no longer: it was claimed or rejected, or its file is gone.
    pub(super) fn remove(&mut self, id: JobId) {
        self.waiting.remove(&id);
    }

    /// Ends a hold, and returns why there was one.
    pub(super) fn release(&mut self, id: JobId) -> Option<String> {
        self.held.remove(&id)
    }

    /// Whether the job waits for a lane.
    pub(super) fn is_waiting(&self, id: JobId) -> bool {
        self.waiting.contains_key(&id)
    }

    /// Whether the file was there when this runner started.
    pub(super) fn is_inherited(&self, id: JobId) -> bool {
        self.inherited.contains(&id)
    }

    /// The lane that a job waits for.
    pub(super) fn lane(&self, id: JobId) -> Option<&str> {
        self.waiting.get(&id).map(String::as_str)
    }

    /// Why a person must look at a file.
    pub(super) fn why_held(&self, id: JobId) -> Option<&str> {
        self.held.get(&id).map(String::as_str)
    }

    /// All files that a person must look at, and why.
    pub(super) fn held(&self) -> &BTreeMap<JobId, String> {
        &self.held
    }

    /// The waiting jobs in their order, and the lane of each.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (JobId, &str)> {
        self.waiting.iter().map(|(id, lane)| (*id, lane.as_str()))
    }

    /// How many jobs wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The first waiting job behind `last` whose lane is not in `busy`.
    pub(super) fn next(&self, last: Option<JobId>, busy: &BTreeSet<String>) -> Option<(JobId, String)> {
        let after = last.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.waiting.range((after, Bound::Unbounded));
        rest.find(|(_, lane)| !busy.contains(*lane)).map(|(id, lane)| (*id, lane.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> JobId {
        JobId::try_from(number).unwrap()
    }

    #[test]
    fn the_next_job_is_the_first_whose_lane_may_have_room() {
        let mut queue = Queue::new([]);
        for (number, lane) in [(3, "scap"), (1, "scap"), (2, "tests")] {
            queue.admit(id(number), lane.to_owned());
        }
        let none = BTreeSet::new();
        assert_eq!(queue.next(None, &none), Some((id(1), "scap".to_owned())));
        assert_eq!(queue.next(Some(id(1)), &none), Some((id(2), "tests".to_owned())));
        let busy = BTreeSet::from(["scap".to_owned()]);
        assert_eq!(queue.next(Some(id(2)), &busy), None);
    }

    #[test]
    fn a_listing_forgets_jobs_whose_files_are_gone_and_all_holds() {
        let mut queue = Queue::new([id(1), id(2)]);
        queue.admit(id(1), "scap".to_owned());
        queue.hold(id(2), "the job type is not declared".to_owned());
        queue.listed(&[id(2)]);
        assert!(!queue.is_waiting(id(1)) && !queue.is_inherited(id(1)));
        assert!(queue.is_inherited(id(2)));
        assert_eq!(queue.why_held(id(2)), None);
    }
}
