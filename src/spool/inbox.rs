//! `inbox/`: answers and signals for running jobs, pauses and resumes for the runner.
//!
//! A file is the request of a user. Its name says for whom it is. Files are published without replacing others, so of
//! two answers to one prompt the kernel accepts only the first.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::atomic;
use super::atomic::{Durability, Published};
use super::error::{Error, Result};
use super::id::JobId;
use super::layout::{FILE, Spool};
use super::open;
use super::open::{Checked, INBOX_LIMIT};
use super::request::json_line;
use super::room;
use super::strict;
use super::submitter::TrustedSubmitters;

/// The longest answer, in bytes.
pub const ANSWER_LIMIT: usize = 4000;

/// Stands in place of the answer to a sensitive prompt, wherever people see that somebody answered.
pub const HIDDEN: &str = "•••";

/// `N.response.I.json`: an answer to prompt I of job N.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The user who answers.
    pub user: String,
    /// The answer, without a newline.
    pub response: String,
}

/// A way to stop a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobSignal {
    /// SIGINT to the process group.
    Interrupt,
    /// SIGKILL to the process group and to every descendant.
    Kill,
}

impl JobSignal {
    /// Its word in files and paths.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Interrupt => "interrupt",
            Self::Kill => "kill",
        }
    }

    /// The past participle for messages: the job was "interrupted" or "killed".
    #[must_use]
    pub fn done(self) -> &'static str {
        match self {
            Self::Interrupt => "interrupted",
            Self::Kill => "killed",
        }
    }
}

/// `N.signal.X.json`: stop job N.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalRequest {
    /// The user who asks.
    pub user: String,
    /// The way to stop it.
    pub signal: JobSignal,
}

/// `runner.pause.X.json` and `runner.resume.X.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunnerRequest {
    /// The user who asks.
    pub user: String,
    /// The reason. It is shown on every page while the runner is paused.
    #[serde(default)]
    pub reason: String,
}

/// The purpose of a name in the inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Stop the job.
    Signal,
    /// Answer this prompt of the job.
    Response(u32),
}

/// The recipient of a letter, as its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recipient {
    /// A job.
    Job(JobId, Purpose),
    /// The runner: pause.
    Pause,
    /// The runner: resume.
    Resume,
}

impl Recipient {
    /// The recipient of a name. `None` for a name that the layout does not know.
    #[must_use]
    pub fn of(name: &OsStr) -> Option<Self> {
        let mut parts = name.to_str()?.strip_suffix(".json")?.split('.');
        let (Some(whom), Some(what), Some(which), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return None;
        };
        if which.is_empty() {
            return None;
        }
        match (whom, what) {
            ("runner", "pause") => Some(Self::Pause),
            ("runner", "resume") => Some(Self::Resume),
            (job, "signal") => Some(Self::Job(job.parse().ok()?, Purpose::Signal)),
            // A prompt's number has no leading zeros, like a job's, so that an answer to one prompt has one name only.
            (job, "response") => {
                let prompt: JobId = which.parse().ok()?;
                Some(Self::Job(job.parse().ok()?, Purpose::Response(prompt.get())))
            }
            _ => None,
        }
    }

    /// The job, if the letter is for one.
    #[must_use]
    pub fn job(self) -> Option<JobId> {
        match self {
            Self::Job(id, _) => Some(id),
            Self::Pause | Self::Resume => None,
        }
    }
}

/// A file in the inbox that was not opened yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Letter {
    /// The recipient.
    pub recipient: Recipient,
    /// The file's name.
    pub name: OsString,
}

impl Letter {
    /// The file's path.
    #[must_use]
    pub fn path(&self, spool: &Spool) -> PathBuf {
        spool.inbox().join(&self.name)
    }

    /// The time when the file was put there or changed, in seconds since the epoch and nanoseconds. `None` if it is
    /// gone.
    #[must_use]
    pub fn changed(&self, spool: &Spool) -> Option<(i64, i64)> {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = std::fs::symlink_metadata(self.path(spool)).ok()?;
        Some((metadata.ctime(), metadata.ctime_nsec()))
    }

    /// The time since the file was put there or changed, in seconds. `None` if it is gone.
    #[must_use]
    pub fn age(&self, spool: &Spool) -> Option<i64> {
        self.changed(spool).map(|(seconds, _)| super::queue::age_in_seconds(seconds))
    }

    /// Removes the file after it was processed.
    ///
    /// # Errors
    /// The file cannot be removed.
    pub fn remove(&self, spool: &Spool) -> Result<()> {
        atomic::remove(&self.path(spool))
    }
}

/// Lists the inbox: the letters, for each job the signals before the answers, and the names that the layout does not
/// know. Ignores names that begin with a dot.
///
/// # Errors
/// The directory cannot be read.
pub fn list(spool: &Spool) -> Result<(Vec<Letter>, Vec<OsString>)> {
    let mut letters = Vec::new();
    let mut others = Vec::new();
    let inbox = spool.inbox();
    let wrap = |error| Error::io("list", &inbox, error);
    for entry in std::fs::read_dir(&inbox).map_err(wrap)? {
        let entry = entry.map_err(wrap)?;
        let name = entry.file_name();
        // A directory cannot be read and removed as a letter.
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        match Recipient::of(&name).filter(|_| !is_directory) {
            Some(recipient) => letters.push(Letter { recipient, name }),
            None if name.as_encoded_bytes().starts_with(b".") => {}
            None => others.push(name),
        }
    }
    letters.sort_unstable();
    Ok((letters, others))
}

/// The letters for one job.
///
/// # Errors
/// The directory cannot be read.
pub fn for_job(spool: &Spool, id: JobId) -> Result<Vec<Letter>> {
    let mut letters = list(spool)?.0;
    letters.retain(|letter| letter.recipient.job() == Some(id));
    Ok(letters)
}

/// A request that names its user.
pub trait NamesUser {
    /// The user.
    fn user(&self) -> &str;
}

macro_rules! names_user {
    ($($document:ty),*) => { $(impl NamesUser for $document {
        fn user(&self) -> &str { &self.user }
    })* };
}
names_user!(Answer, SignalRequest, RunnerRequest);

/// The result of opening a letter.
#[derive(Debug)]
pub enum Reading<T> {
    /// The request. Its user has been checked.
    Valid(T),
    /// The file is gone.
    Gone,
    /// The writer has not finished the file yet. Read it again later.
    Unfinished,
    /// The file is not acceptable.
    Refused {
        /// The login name of the file's owner.
        user: String,
        /// The reason, for the sender.
        reason: String,
    },
}

/// Reads a letter and checks whether its owner may act for its user.
///
/// # Errors
/// The system cannot open or read the file, for a reason that is not the sender's fault.
pub fn read<T>(spool: &Spool, letter: &Letter, trusted: &TrustedSubmitters) -> Result<Reading<T>>
where
    T: DeserializeOwned + NamesUser,
{
    let path = letter.path(spool);
    let refused = |reason: String| Ok(Reading::Refused { user: owner(&path), reason });
    let opened = match open::read_checked(&path, INBOX_LIMIT) {
        Ok(Checked::File(opened)) => opened,
        Ok(Checked::Gone) => return Ok(Reading::Gone),
        Ok(Checked::Refused(reason)) => return refused(reason),
        // The runner may read its own directory, so the file has the wrong mode. If it stayed, nobody could answer its
        // prompt.
        Err(error) if error.kind() == Some(std::io::ErrorKind::PermissionDenied) => {
            return refused("the runner's account cannot read it; use mode 0640 and the spool's group".into());
        }
        Err(error) => return Err(error),
    };
    if opened.links > 1 && !super::queue::finish_torn_publication(spool, &opened)? {
        if super::queue::age_in_seconds(opened.changed) < super::queue::HARD_LINK_PATIENCE {
            return Ok(Reading::Unfinished);
        }
        return refused("it has several names (hard links); publish it by rename".into());
    }
    let owner = name_of(opened.owner);
    let request: T = match strict::from_slice(&opened.bytes) {
        Ok(request) => request,
        Err(error) => return Ok(Reading::Refused { user: owner, reason: format!("it is not valid: {error}") }),
    };
    match trusted.resolve(opened.owner, request.user()) {
        Ok(_) => Ok(Reading::Valid(request)),
        Err(reason) => Ok(Reading::Refused { user: owner, reason }),
    }
}

/// The owner of a letter that cannot be opened.
fn owner(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::symlink_metadata(path).map_or_else(|_| "unknown".to_owned(), |metadata| name_of(metadata.uid()))
}

fn name_of(uid: u32) -> String {
    super::submitter::login_name(uid).unwrap_or_else(|| format!("uid {uid}"))
}

/// The result of sending an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Answered {
    /// It is the first answer, and survives a power cut.
    First,
    /// The prompt has an answer already.
    TooLate,
}

/// Puts an answer into the inbox, durably. The first answer to a prompt wins.
///
/// ```
/// use spiderpig::spool::inbox::{self, Answer, Answered};
/// use spiderpig::spool::{JobId, Spool};
///
/// let directory = tempfile::tempdir()?;
/// let spool = Spool::lay_out(&directory.path().join("spool"))?;
/// let job = JobId::try_from(7)?;
/// let yes = Answer { user: "alice".into(), response: "y".into() };
/// let no = Answer { user: "bob".into(), response: "n".into() };
/// assert_eq!(inbox::answer(&spool, job, 1, &yes)?, Answered::First);
/// assert_eq!(inbox::answer(&spool, job, 1, &no)?, Answered::TooLate);
/// assert_eq!(inbox::pending_answer(&spool, job, 1), Some(yes));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The file cannot be written.
pub fn answer(spool: &Spool, id: JobId, interaction: u32, answer: &Answer) -> Result<Answered> {
    let path = response_path(spool, id, interaction);
    Ok(match room::publish(spool, &path, &json_line(answer))? {
        Published::New => Answered::First,
        Published::Exists => Answered::TooLate,
    })
}

/// Replaces the answer in a delivered letter by [`HIDDEN`], and keeps its user. The file exists at every moment, so a
/// second answer to the prompt is refused.
///
/// # Errors
/// The file cannot be replaced.
pub fn hide_answer(spool: &Spool, letter: &Letter, user: &str) -> Result<()> {
    let answer = Answer { user: user.to_owned(), response: HIDDEN.to_owned() };
    atomic::replace(&letter.path(spool), &json_line(&answer), FILE, Durability::Synced)
}

/// The answer to a prompt in the inbox. `None` if there is none or it cannot be read.
#[must_use]
pub fn pending_answer(spool: &Spool, id: JobId, interaction: u32) -> Option<Answer> {
    match open::read_checked(&response_path(spool, id, interaction), INBOX_LIMIT) {
        Ok(Checked::File(opened)) => strict::from_slice(&opened.bytes).ok(),
        _ => None,
    }
}

fn response_path(spool: &Spool, id: JobId, interaction: u32) -> PathBuf {
    spool.inbox().join(format!("{id}.response.{interaction}.json"))
}

/// Puts a signal for a job into the inbox, durably. `word` must be unique among the signals for that job.
///
/// # Errors
/// The file cannot be written.
pub fn signal(spool: &Spool, id: JobId, word: &str, request: &SignalRequest) -> Result<()> {
    let path = spool.inbox().join(format!("{id}.signal.{word}.json"));
    room::publish(spool, &path, &json_line(request)).map(|_| ())
}

/// Asks the runner, durably, to start no new job. `word` must be unique among such requests.
///
/// # Errors
/// The file cannot be written.
pub fn pause(spool: &Spool, word: &str, request: &RunnerRequest) -> Result<()> {
    ask_runner(spool, "pause", word, request)
}

/// Asks the runner, durably, to start jobs again. `word` must be unique among such requests.
///
/// # Errors
/// The file cannot be written.
pub fn resume(spool: &Spool, word: &str, request: &RunnerRequest) -> Result<()> {
    ask_runner(spool, "resume", word, request)
}

fn ask_runner(spool: &Spool, what: &str, word: &str, request: &RunnerRequest) -> Result<()> {
    let path = spool.inbox().join(format!("runner.{what}.{word}.json"));
    room::publish(spool, &path, &json_line(request)).map(|_| ())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests prepare files by hand")]
mod tests {
    use super::*;

    fn id(number: u64) -> JobId {
        JobId::try_from(number).unwrap()
    }

    #[test]
    fn names_mean_what_the_layout_says() {
        let of = |name: &str| Recipient::of(OsStr::new(name));
        assert_eq!(of("7.response.2.json"), Some(Recipient::Job(id(7), Purpose::Response(2))));
        assert_eq!(of("7.signal.a-b_1.json"), Some(Recipient::Job(id(7), Purpose::Signal)));
        assert_eq!(of("runner.pause.x.json"), Some(Recipient::Pause));
        assert_eq!(of("runner.resume.x.json"), Some(Recipient::Resume));
        for bad in [
            "7.response.02.json",
            "7.response.0.json",
            "07.signal.x.json",
            "7.signal..json",
            "7.signal.json",
            "7.signal.a.b.json",
            "runner.stop.x.json",
            "7.response.2",
            "x.signal.y.json",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_first_answer_wins_and_can_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(directory.path()).unwrap();
        let by = |user: &str| Answer { user: user.into(), response: "y".into() };
        assert_eq!(answer(&spool, id(1), 1, &by("alice")).unwrap(), Answered::First);
        assert_eq!(answer(&spool, id(1), 1, &by("bob")).unwrap(), Answered::TooLate);
        assert_eq!(pending_answer(&spool, id(1), 1), Some(by("alice")));
        assert_eq!(pending_answer(&spool, id(1), 2), None);
        assert!(crate::spool::layout::names(&spool.incoming()).unwrap().is_empty());
    }

    #[test]
    fn signals_come_before_answers() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(directory.path()).unwrap();
        for name in ["2.response.1.json", "1.response.1.json", "1.signal.z.json", "junk", ".hidden"] {
            std::fs::write(spool.inbox().join(name), "{}").unwrap();
        }
        let (letters, others) = list(&spool).unwrap();
        assert_eq!(others, ["junk"]);
        let names: Vec<_> = letters.iter().map(|letter| letter.name.to_str().unwrap()).collect();
        assert_eq!(names, ["1.signal.z.json", "1.response.1.json", "2.response.1.json"]);
        assert_eq!(for_job(&spool, id(1)).unwrap().len(), 2);
    }

    #[test]
    fn a_malformed_letter_is_refused_in_the_name_of_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(directory.path()).unwrap();
        let path = spool.inbox().join("1.response.1.json");
        let own = crate::spool::submitter::login_name(rustix::process::getuid().as_raw()).unwrap();
        let letter = Letter { recipient: Recipient::Pause, name: "1.response.1.json".into() };
        let trusted = TrustedSubmitters::from_names(&[]);
        for (text, expected) in [
            ("", "EOF"),
            (r#"{"user":"alice"}"#, "missing field `response`"),
            (r#"{"user":"alice","response":"y","x":1}"#, "unknown field `x`"),
            (r#"{"user":"alice","response":"y","response":"n"}"#, "comes twice"),
        ] {
            std::fs::write(&path, text).unwrap();
            let Reading::Refused { user, reason } = read::<Answer>(&spool, &letter, &trusted).unwrap() else {
                panic!()
            };
            assert_eq!(user, own);
            assert!(reason.contains(expected), "{reason}");
        }
        std::fs::write(&path, r#"{"user":"alice","response":"y"}"#).unwrap();
        assert!(
            matches!(read::<Answer>(&spool, &letter, &trusted).unwrap(), Reading::Valid(answer) if answer.user == "alice")
        );
    }
}
