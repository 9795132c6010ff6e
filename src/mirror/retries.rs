//! Which jobs tried which others again. Only jobs that were tried again are in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::spool::JobId;

/// The jobs that tried others again. A clone shares everything.
#[derive(Clone, Debug, Default)]
pub struct Retries(Arc<BTreeMap<JobId, Vec<JobId>>>);

impl Retries {
    /// Those that tried a job again, by number.
    #[must_use]
    pub fn of(&self, id: JobId) -> &[JobId] {
        self.0.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Notes that one job tries another again. Returns whether that is new.
    pub(crate) fn insert(&mut self, original: JobId, retry: JobId) -> bool {
        let Err(at) = self.of(original).binary_search(&retry) else { return false };
        Arc::make_mut(&mut self.0).entry(original).or_default().insert(at, retry);
        true
    }

    /// Forgets what does not try another again after all. Returns whether it was known.
    pub(crate) fn remove(&mut self, original: JobId, retry: JobId) -> bool {
        let Ok(at) = self.of(original).binary_search(&retry) else { return false };
        let retries = Arc::make_mut(&mut self.0);
        if let Some(of_original) = retries.get_mut(&original) {
            of_original.remove(at);
            if of_original.is_empty() {
                retries.remove(&original);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::job_id;

    #[test]
    fn each_is_there_once_and_in_order() {
        let mut retries = Retries::default();
        assert!(retries.insert(job_id(1), job_id(5)));
        assert!(retries.insert(job_id(1), job_id(3)));
        assert!(!retries.insert(job_id(1), job_id(5)));
        let earlier = retries.clone();
        assert!(retries.remove(job_id(1), job_id(5)));
        assert!(!retries.remove(job_id(2), job_id(5)));
        assert_eq!(retries.of(job_id(1)), [job_id(3)]);
        assert_eq!(earlier.of(job_id(1)), [job_id(3), job_id(5)]);
        assert!(retries.remove(job_id(1), job_id(3)));
        assert!(retries.0.is_empty(), "nothing is left of it");
    }
}
