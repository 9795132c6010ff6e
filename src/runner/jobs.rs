//! The claimed jobs, as the daemon last saw them, and which jobs are finished.

use std::collections::BTreeMap;
use std::fs::File;

use crate::spool::JobId;
use crate::spool::id::JobIdSet;

/// What the daemon knows of a job that is claimed and not finished.
#[derive(Debug)]
pub(super) enum Phase {
    /// A supervisor leads it. The file has what the supervisor says if it fails early.
    Led { last_words: Option<File>, ended: Ended },
    /// Its lock is held by a supervisor that has not said yet who it is.
    LedByUnknown,
    /// It was claimed and never executed; it waits for this lane.
    Startable { lane: String },
    /// Its supervisor died; the daemon stops what belongs to it.
    BeingStopped,
    /// A person must look at it.
    Damaged,
}

/// How a supervisor ended, as far as the daemon saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Unknown; or it has not ended.
    Unknown,
    /// Without an error: it has made everything durable.
    Successfully,
    /// It could not begin, because the system was short of something that it may have again later.
    ForShortage,
}

/// The claimed jobs, and the numbers of finished ones.
#[derive(Debug)]
pub(super) struct Jobs {
    phases: BTreeMap<JobId, Phase>,
    /// The supervisors that are children of this process, by their process numbers.
    supervisors: BTreeMap<JobId, i32>,
    /// Jobs that are in the history.
    finished: JobIdSet,
}

impl Jobs {
    /// No job is known but these, which are in the history.
    pub(super) fn new(finished: JobIdSet) -> Self {
        Self { phases: BTreeMap::new(), supervisors: BTreeMap::new(), finished }
    }

    /// The phase of a job that is claimed and not finished.
    pub(super) fn phase(&self, id: JobId) -> Option<&Phase> {
        self.phases.get(&id)
    }

    /// Whether the job is claimed and not finished.
    pub(super) fn contains(&self, id: JobId) -> bool {
        self.phases.contains_key(&id)
    }

    /// The jobs that are claimed and not finished, in order.
    pub(super) fn ids(&self) -> impl Iterator<Item = JobId> {
        self.phases.keys().copied()
    }

    /// The claimed jobs that wait for a lane, in order.
    pub(super) fn startable(&self) -> impl Iterator<Item = (JobId, &str)> {
        self.phases.iter().filter_map(|(id, phase)| match phase {
            Phase::Startable { lane } => Some((*id, lane.as_str())),
            _ => None,
        })
    }

    /// The jobs that a known supervisor leads.
    pub(super) fn led(&self) -> impl Iterator<Item = JobId> {
        self.phases.iter().filter(|(_, phase)| matches!(phase, Phase::Led { .. })).map(|(id, _)| *id)
    }

    /// The jobs whose supervisor has not said yet who it is.
    pub(super) fn led_by_unknown(&self) -> Vec<JobId> {
        self.phases.iter().filter(|(_, phase)| matches!(phase, Phase::LedByUnknown)).map(|(id, _)| *id).collect()
    }

    /// Whether the job's line is in the history.
    pub(super) fn is_finished(&self, id: JobId) -> bool {
        self.finished.contains(id)
    }

    /// The highest number in the history.
    pub(super) fn highest_finished(&self) -> Option<JobId> {
        self.finished.highest()
    }

    /// Whether a process is a supervisor that this daemon started.
    pub(super) fn is_supervisor(&self, pid: i32) -> bool {
        self.supervisors.values().any(|supervisor| *supervisor == pid)
    }

    /// Records the phase of a job. Returns the one before.
    pub(super) fn set(&mut self, id: JobId, phase: Phase) -> Option<Phase> {
        self.phases.insert(id, phase)
    }

    /// This daemon has started a supervisor for the job.
    pub(super) fn supervisor_started(&mut self, id: JobId, pid: i32, last_words: File) {
        self.supervisors.insert(id, pid);
        self.set(id, Phase::Led { last_words: Some(last_words), ended: Ended::Unknown });
    }

    /// The job has a supervisor that an earlier daemon started.
    pub(super) fn supervisor_adopted(&mut self, id: JobId) {
        self.set(id, Phase::Led { last_words: None, ended: Ended::Unknown });
    }

    /// The supervisor of a job has ended. Returns whether it was a child of this process.
    pub(super) fn supervisor_ended(&mut self, id: JobId, how: Ended) -> bool {
        if let Some(Phase::Led { ended, .. }) = self.phases.get_mut(&id) {
            *ended = how;
        }
        self.supervisors.remove(&id).is_some()
    }

    /// The history has the line of the job.
    pub(super) fn finish(&mut self, id: JobId) {
        self.finished.insert(id);
    }

    /// The job is claimed no longer.
    pub(super) fn remove(&mut self, id: JobId) {
        self.phases.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> JobId {
        JobId::try_from(number).unwrap()
    }

    #[test]
    fn the_end_of_a_supervisor_is_remembered_with_its_job() {
        let mut jobs = Jobs::new(JobIdSet::default());
        jobs.supervisor_started(id(1), 100, tempfile::tempfile().unwrap());
        jobs.supervisor_adopted(id(2));
        assert!(jobs.is_supervisor(100));
        assert!(jobs.supervisor_ended(id(1), Ended::Successfully));
        assert!(!jobs.supervisor_ended(id(2), Ended::Unknown));
        assert!(!jobs.is_supervisor(100));
        assert!(matches!(jobs.phase(id(1)), Some(Phase::Led { ended: Ended::Successfully, .. })));
    }

    #[test]
    fn jobs_are_listed_by_their_phase() {
        let mut jobs = Jobs::new(JobIdSet::default());
        jobs.set(id(3), Phase::Startable { lane: "scap".to_owned() });
        jobs.set(id(2), Phase::LedByUnknown);
        jobs.supervisor_adopted(id(1));
        assert_eq!(jobs.startable().collect::<Vec<_>>(), [(id(3), "scap")]);
        assert_eq!(jobs.led_by_unknown(), [id(2)]);
        assert_eq!(jobs.led().collect::<Vec<_>>(), [id(1)]);
        jobs.remove(id(2));
        assert_eq!(jobs.ids().collect::<Vec<_>>(), [id(1), id(3)]);
    }
}
