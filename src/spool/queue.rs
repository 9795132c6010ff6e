//! `queue/`: the jobs that wait. Submits jobs, and examines submitted files.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use serde_json::{Map, Value};

use super::atomic;
use super::atomic::Published;
use super::error::{Error, Result};
use super::id::JobId;
use super::layout;
use super::layout::{FILE, Spool};
use super::open;
use super::open::{Checked, JOB_LIMIT, Opened};
use super::request::{JobRequest, VERSION};
use super::sequence;
use super::submitter::TrustedSubmitters;
use super::time::Time;

/// How long the runner waits for a file with several names (hard links), in seconds. Its writer may be between two
/// steps.
pub(super) const HARD_LINK_PATIENCE: i64 = 60;

/// How many numbers a submitter tries. It needs more than one only if `sequence` has lost its last numbers.
const ATTEMPTS: usize = 100;

/// A new job without its number.
#[derive(Clone, Debug, Default)]
pub struct NewJob {
    /// The name of a declared job type.
    pub job_type: String,
    /// Its parameters.
    pub params: Map<String, Value>,
    /// The user who asks for it.
    pub user: String,
    /// Data that people see beside the parameters.
    pub data: Option<Map<String, Value>>,
    /// The job of which this one is a retry.
    pub retry_of: Option<JobId>,
    /// A hash of user and idempotency key.
    pub key_hash: Option<String>,
}

impl NewJob {
    /// Whether its file would be larger than [`JOB_LIMIT`].
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.clone().numbered(JobId::LAST).to_bytes().len() as u64 > JOB_LIMIT
    }

    fn numbered(self, id: JobId) -> JobRequest {
        JobRequest {
            version: VERSION,
            id,
            job_type: self.job_type,
            params: self.params,
            user: self.user,
            submitted_at: Time::now(),
            data: self.data,
            retry_of: self.retry_of,
            key_hash: self.key_hash,
        }
    }
}

/// Submits a job. When this returns, the job survives a power cut. It makes three syncs: the number, the file, the
/// directory.
///
/// ```
/// use spiderpig::spool::Spool;
/// use spiderpig::spool::queue::{self, NewJob};
///
/// let directory = tempfile::tempdir()?;
/// let spool = Spool::lay_out(&directory.path().join("spool"))?;
/// # let runner = spiderpig::spool::lock::RunnerLock::take(&spool)?;
/// # spiderpig::spool::sequence::repair(&spool, &runner, 0, 0)?;
/// let job = NewJob { job_type: "hello".into(), user: "alice".into(), ..NewJob::default() };
/// let request = queue::submit(&spool, job)?;
/// assert_eq!(request.id.get(), 1);
/// assert!(spool.queued(request.id).exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// No number could be taken, or the file could not be made durable. Then the job does not exist.
pub fn submit(spool: &Spool, new: NewJob) -> Result<JobRequest> {
    submit_above(spool, new, 0)
}

/// Submits a job with a number above `floor`, the highest known number of a job. It skips numbers that a job, a
/// rejected file or a file in the queue has.
///
/// # Errors
/// As for [`submit`].
pub fn submit_above(spool: &Spool, new: NewJob, floor: u64) -> Result<JobRequest> {
    let is_used = |id: JobId| {
        let rejected = spool.rejected().join(format!("{id}.json"));
        [spool.queued(id), spool.job(id), rejected].iter().any(|path| path.symlink_metadata().is_ok())
    };
    let take = || sequence::take_above(spool, floor, is_used);
    let mut request = new.numbered(take()?);
    for _ in 0..ATTEMPTS {
        let path = spool.queued(request.id);
        if atomic::publish(&spool.incoming(), &path, &request.to_bytes(), FILE)? == Published::New {
            return Ok(request);
        }
        request.id = take()?;
    }
    Err(Error::invalid(
        &spool.sequence(),
        format!("{ATTEMPTS} numbers in a row are taken already; spiderpig-runner repairs the file within 30 s"),
    ))
}

/// Finds the job with this hash of user and idempotency key and a number above `since`, in the queue, in `jobs/` or in
/// `rejected/`. The job survives a power cut then, also if its submitter died before the last sync.
///
/// # Errors
/// `sequence`, or a file that may be the job's, cannot be read.
pub fn find(spool: &Spool, key_hash: &str, since: u64) -> Result<Option<JobId>> {
    let numbers = since.saturating_add(1)..=sequence::last(spool)?;
    for id in numbers.map_while(|number| JobId::try_from(number).ok()) {
        // In the order of a job's life, so that a job that moves meanwhile is found in its next place.
        if has_key_hash(&spool.queued(id), key_hash)? {
            atomic::sync_directory(&spool.queue())?;
            return Ok(Some(id));
        }
        let later = [spool.job(id).join("job.json"), spool.rejected().join(format!("{id}.json"))];
        for path in later {
            if has_key_hash(&path, key_hash)? {
                return Ok(Some(id));
            }
        }
    }
    Ok(None)
}

fn has_key_hash(path: &Path, key_hash: &str) -> Result<bool> {
    match open::read_checked(path, JOB_LIMIT) {
        Ok(Checked::File(opened)) => {
            Ok(JobRequest::parse(&opened.bytes).is_ok_and(|job| job.key_hash.as_deref() == Some(key_hash)))
        }
        Ok(Checked::Gone | Checked::Refused(_)) => Ok(false),
        // Another account's private file. The caller can read its own files.
        Err(error) if error.kind() == Some(std::io::ErrorKind::PermissionDenied) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The job number of a name in `queue/`. `None` if it is not the name of a job.
#[must_use]
pub fn number(name: &OsStr) -> Option<JobId> {
    name.to_str()?.strip_suffix(".json")?.parse().ok()
}

/// Lists `queue/`: the jobs by number, and the other names. Ignores names that begin with a dot.
///
/// # Errors
/// The directory cannot be read.
pub fn list(spool: &Spool) -> Result<(Vec<JobId>, Vec<OsString>)> {
    let mut jobs = Vec::new();
    let mut others = Vec::new();
    for name in layout::names(&spool.queue())? {
        match number(&name) {
            Some(id) => jobs.push(id),
            None if name.as_encoded_bytes().starts_with(b".") => {}
            None => others.push(name),
        }
    }
    jobs.sort_unstable();
    others.sort_unstable();
    Ok((jobs, others))
}

/// A valid job in the queue. Its job type and parameters are not checked yet.
#[derive(Debug)]
pub struct Submission {
    /// The request as it was parsed.
    pub request: JobRequest,
    /// The request, byte for byte.
    pub bytes: Vec<u8>,
    /// The submitter.
    pub user: String,
}

/// The result of examining a queued file.
#[derive(Debug)]
pub enum Verdict {
    /// A valid job.
    Job(Box<Submission>),
    /// The file is gone.
    Gone,
    /// The writer has not finished the file yet. Examine it again later.
    Unfinished,
    /// The file is not a valid job, for this reason.
    Rejected(String),
}

/// Reads and checks `queue/N.json`.
///
/// # Errors
/// The system cannot open or read the file, for a reason that is not the submitter's fault.
pub fn examine(spool: &Spool, id: JobId, trusted: &TrustedSubmitters) -> Result<Verdict> {
    let path = spool.queued(id);
    let opened = match open::read_checked(&path, JOB_LIMIT)? {
        Checked::File(opened) => opened,
        Checked::Gone => return Ok(Verdict::Gone),
        Checked::Refused(reason) => return Ok(Verdict::Rejected(reason)),
    };
    let half_rejected = opened.links > 1 && is_rejected(spool, &opened)?;
    if opened.links > 1 && !half_rejected && !finish_torn_publication(spool, &opened)? {
        if age_in_seconds(opened.changed) < HARD_LINK_PATIENCE {
            return Ok(Verdict::Unfinished);
        }
        return Ok(Verdict::Rejected("it has several names (hard links); publish it by rename".into()));
    }
    Ok(match check(id, &opened, trusted) {
        Ok(_) if half_rejected => Verdict::Rejected("it was rejected before; the reason was lost in a crash".into()),
        Ok((request, user)) => Verdict::Job(Box::new(Submission { request, bytes: opened.bytes, user })),
        Err(reason) => Verdict::Rejected(reason),
    })
}

/// The seconds since a point in time, which is in seconds since the epoch.
pub(super) fn age_in_seconds(since: i64) -> i64 {
    Time::now().as_milliseconds() / 1000 - since
}

fn check(id: JobId, opened: &Opened, trusted: &TrustedSubmitters) -> Result<(JobRequest, String), String> {
    let request = JobRequest::parse(&opened.bytes)?;
    if request.id != id {
        return Err(format!("it says that it is job {}, but its name says {id}", request.id));
    }
    let user = trusted.resolve(opened.owner, &request.user)?;
    Ok((request, user))
}

/// Whether the file is also in `rejected/`. Then a rejection was interrupted before its last step, the removal of this
/// name.
fn is_rejected(spool: &Spool, opened: &Opened) -> Result<bool> {
    let rejected = spool.rejected();
    Ok(layout::names(&rejected)?.into_iter().any(|name| is_same_file(&rejected.join(name), opened.identity)))
}

/// Removes the file's other name in `incoming/`, if it has one: a publication by a link was interrupted before that
/// step. Returns whether the file has only one name now.
pub(super) fn finish_torn_publication(spool: &Spool, opened: &Opened) -> Result<bool> {
    let incoming = spool.incoming();
    for name in layout::names(&incoming)? {
        let path = incoming.join(name);
        if is_same_file(&path, opened.identity) {
            atomic::remove(&path)?;
            return Ok(opened.links == 2);
        }
    }
    Ok(false)
}

pub(super) fn is_same_file(path: &Path, identity: (u64, u64)) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::symlink_metadata(path).is_ok_and(|metadata| (metadata.dev(), metadata.ino()) == identity)
}

/// Removes a job from the queue after its claim has become durable.
///
/// # Errors
/// The file cannot be removed.
pub fn remove(spool: &Spool, id: JobId) -> Result<()> {
    atomic::remove(&spool.queued(id))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests prepare files by hand")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::spool::lock::RunnerLock;

    fn spool() -> (tempfile::TempDir, Spool) {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(directory.path()).unwrap();
        sequence::repair(&spool, &RunnerLock::take(&spool).unwrap(), 0, 0).unwrap();
        (directory, spool)
    }

    fn new_job() -> NewJob {
        NewJob { job_type: "noop".into(), user: "alice".into(), ..NewJob::default() }
    }

    fn trusted() -> TrustedSubmitters {
        TrustedSubmitters::from_names(&[])
    }

    fn rejection(spool: &Spool, id: JobId) -> String {
        match examine(spool, id, &trusted()).unwrap() {
            Verdict::Rejected(reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_submitted_job_is_found_unchanged_in_the_queue() {
        let (_directory, spool) = spool();
        let request = submit(&spool, new_job()).unwrap();
        assert_eq!(list(&spool).unwrap(), (vec![request.id], vec![]));
        assert_eq!(layout::names(&spool.incoming()).unwrap().len(), 0);
        let Verdict::Job(submission) = examine(&spool, request.id, &trusted()).unwrap() else { panic!() };
        assert_eq!(submission.request, request);
        assert_eq!(submission.bytes, request.to_bytes());
    }

    #[test]
    fn a_job_is_found_by_its_request_among_later_numbers() {
        let (_directory, spool) = spool();
        submit(&spool, new_job()).unwrap();
        let id = submit(&spool, NewJob { key_hash: Some("abc".into()), ..new_job() }).unwrap().id;
        std::fs::write(spool.queue().join("1.json"), "not a job").unwrap();
        for (request, since, expected) in
            [("abc", 0, Some(id)), ("abc", 1, Some(id)), ("abc", 2, None), ("abc", u64::MAX, None), ("ab", 0, None)]
        {
            assert_eq!(find(&spool, request, since).unwrap(), expected, "{request} {since}");
        }
    }

    #[test]
    fn a_lost_sequence_never_overwrites_a_queued_job() {
        let (_directory, spool) = spool();
        let first = submit(&spool, new_job()).unwrap();
        std::fs::write(spool.sequence(), "00000000000000000000\n").unwrap();
        let second = submit(&spool, new_job()).unwrap();
        assert_eq!((first.id.get(), second.id.get()), (1, 2));
    }

    #[test]
    fn names_are_numbers_with_json_and_dots_are_ignored() {
        let (_directory, spool) = spool();
        for name in ["3.json", "20.json", "007.json", "1000000000.json", "notes.txt", ".3.json.swp", "3.JSON"] {
            std::fs::write(spool.queue().join(name), "").unwrap();
        }
        let (jobs, others) = list(&spool).unwrap();
        assert_eq!(jobs.iter().map(|id| id.get()).collect::<Vec<_>>(), [3, 20]);
        assert_eq!(others, ["007.json", "1000000000.json", "3.JSON", "notes.txt"]);
    }

    #[test]
    fn a_file_under_the_wrong_number_is_rejected() {
        let (_directory, spool) = spool();
        let request = submit(&spool, new_job()).unwrap();
        let other: JobId = "9".parse().unwrap();
        std::fs::rename(spool.queued(request.id), spool.queued(other)).unwrap();
        assert_eq!(rejection(&spool, other), "it says that it is job 1, but its name says 9");
    }

    #[test]
    fn a_file_with_two_names_waits_and_an_interrupted_publication_is_finished() {
        let (_directory, spool) = spool();
        let request = submit(&spool, new_job()).unwrap();
        let second_name = spool.root().join("elsewhere");
        std::fs::hard_link(spool.queued(request.id), &second_name).unwrap();
        assert!(matches!(examine(&spool, request.id, &trusted()).unwrap(), Verdict::Unfinished));
        std::fs::rename(&second_name, spool.incoming().join("torn")).unwrap();
        assert!(matches!(examine(&spool, request.id, &trusted()).unwrap(), Verdict::Job(_)));
        assert_eq!(layout::names(&spool.incoming()).unwrap().len(), 0);
    }

    #[test]
    fn a_group_writable_file_is_rejected() {
        let (_directory, spool) = spool();
        let request = submit(&spool, new_job()).unwrap();
        std::fs::set_permissions(spool.queued(request.id), std::fs::Permissions::from_mode(0o660)).unwrap();
        assert!(rejection(&spool, request.id).contains("can be written by group or others"));
    }
}
