//! The problems that a person should look at. The log tells each one once; `runner.json` lists them while they last.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Display;

use tracing::warn;

use crate::spool::error::Result;
use crate::spool::{JobId, Spool};

/// The thing that has a problem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// The search for a place for the control groups of jobs.
    ControlGroups,
    /// The limit of the size of files.
    FileSize,
    /// Starting processes.
    Processes,
    /// A running job whose directory somebody removed.
    RemovedJob(JobId),
    /// A path within the spool.
    Spool(String),
    /// The start of a job.
    Start(JobId),
    /// Watching directories for new files.
    Watch,
}

impl Subject {
    /// A file or directory at the top of the spool, such as `queue`.
    pub(super) fn top(name: &str) -> Self {
        Self::Spool(name.to_owned())
    }

    /// A file of the queue that has the name of a job.
    pub(super) fn queued(id: JobId) -> Self {
        Self::Spool(format!("queue/{id}.json"))
    }

    /// A name in `queue/`.
    pub(super) fn in_queue(name: &OsStr) -> Self {
        Self::Spool(format!("queue/{}", name.display()))
    }

    /// A name in `inbox/`.
    pub(super) fn in_inbox(name: &OsStr) -> Self {
        Self::Spool(format!("inbox/{}", name.display()))
    }

    /// A name in `incoming/`.
    pub(super) fn in_incoming(name: &OsStr) -> Self {
        Self::Spool(format!("incoming/{}", name.display()))
    }

    /// The directory of a job.
    pub(super) fn job(id: JobId) -> Self {
        Self::Spool(format!("jobs/{id}"))
    }

    /// A claim that was not committed.
    pub(super) fn uncommitted(id: JobId) -> Self {
        Self::Spool(format!("jobs/.{id}"))
    }

    /// The slots of a lane.
    pub(super) fn lane(lane: &str) -> Self {
        Self::Spool(format!("lanes/{lane}"))
    }
}

/// The problems that a person should look at.
#[derive(Debug, Default)]
pub(super) struct Problems(BTreeMap<Subject, String>);

impl Problems {
    /// Tells an error, or forgets the problem if there is none.
    pub(super) fn note(&mut self, subject: Subject, result: Result<()>) {
        match result {
            Ok(()) => self.forget(&subject),
            Err(error) => self.tell(subject, &error),
        }
    }

    /// Keeps a problem, and logs it if its text is new.
    pub(super) fn tell(&mut self, subject: Subject, problem: impl Display) {
        let problem = problem.to_string();
        if self.0.get(&subject) != Some(&problem) {
            warn!("{problem}");
            self.0.insert(subject, problem);
        }
    }

    /// Keeps a problem, and logs it only if its subject had none: the text of such a problem varies.
    pub(super) fn tell_first(&mut self, subject: Subject, problem: String) {
        if !self.0.contains_key(&subject) {
            warn!("{problem}");
        }
        self.0.insert(subject, problem);
    }

    /// The problem is solved.
    pub(super) fn forget(&mut self, subject: &Subject) {
        self.0.remove(subject);
    }

    /// The problem of a subject.
    pub(super) fn of(&self, subject: &Subject) -> Option<&str> {
        self.0.get(subject).map(String::as_str)
    }

    /// All problems, in a stable order.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    /// Forgets problems of files that are gone, and of starts of jobs that `may_start` does not know.
    pub(super) fn forget_solved(&mut self, spool: &Spool, may_start: impl Fn(JobId) -> bool) {
        self.0.retain(|subject, _| match subject {
            Subject::Start(id) => may_start(*id),
            Subject::Spool(path) => {
                let is_file = matches!(path.split_once('/'), Some(("incoming" | "inbox" | "jobs" | "queue", _)));
                !is_file || spool.root().join(path).symlink_metadata().is_ok()
            }
            _ => true,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::atomic;
    use crate::spool::error::Error;

    fn id(number: u64) -> JobId {
        JobId::try_from(number).unwrap()
    }

    #[test]
    fn a_problem_lasts_until_it_is_solved() {
        let mut problems = Problems::default();
        let error = Error::invalid(std::path::Path::new("jobs/1"), "it is damaged");
        problems.note(Subject::job(id(1)), Err(error));
        assert_eq!(problems.of(&Subject::job(id(1))), Some("jobs/1: it is damaged"));
        problems.note(Subject::job(id(1)), Ok(()));
        assert_eq!(problems.texts().count(), 0);
    }

    #[test]
    fn problems_of_files_that_are_gone_are_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(&directory.path().join("spool")).unwrap();
        atomic::create_file(&spool.queued(id(1)), b"", 0o640).unwrap();
        let mut problems = Problems::default();
        for subject in [Subject::queued(id(1)), Subject::queued(id(2)), Subject::top("queue"), Subject::lane("gone")] {
            problems.tell(subject, "a text");
        }
        problems.tell(Subject::Start(id(3)), "waits");
        problems.tell(Subject::Start(id(4)), "was cancelled");
        problems.forget_solved(&spool, |job| job == id(3));
        assert_eq!(problems.of(&Subject::queued(id(2))), None);
        assert_eq!(problems.of(&Subject::Start(id(4))), None);
        assert_eq!(problems.texts().count(), 4);
    }
}
