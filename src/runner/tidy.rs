//! Tidies up after a job: unread letters, the line in the history, the link in `running/`.

use serde::de::DeserializeOwned;
use serde_json::Map;
use tracing::info;

use super::daemon::Daemon;
use crate::spool::error::Result;
use crate::spool::history;
use crate::spool::history::HistoryLine;
use crate::spool::inbox;
use crate::spool::inbox::{Answer, Letter, NamesUser, Purpose, Reading, Recipient, SignalRequest};
use crate::spool::job::LockedJob;
use crate::spool::log::{LogReader, RecordKind};
use crate::spool::status::Status;
use crate::spool::{JobId, atomic};

impl Daemon {
    /// Tidies up after a job whose status is final and durable, under its lock. Doing it twice changes nothing.
    pub(super) fn tidy(&mut self, job: &LockedJob, status: &Status) -> Result<()> {
        let id = job.id();
        self.lanes.release(id);
        // The daemon tries again with letters that cannot be noted now, as letters of a finished job.
        let noted = self.note_letters(job);
        if !self.jobs.is_finished(id) {
            let params = job.plan().map_or_else(|_| Map::new(), |plan| plan.shown_params);
            let line = HistoryLine::new(status, job.request().ok().as_ref(), params);
            history::append(&self.spool, &self.lock, &line)?;
            self.jobs.finish(id);
            info!(job = %id, state = status.state.word(), "finished");
        }
        atomic::remove(&self.spool.running_link(id))?;
        // While the job ran, a new file with its number was left to its supervisor.
        if self.spool.queued(id).symlink_metadata().is_ok() {
            self.schedule.look_at_drops();
        }
        self.jobs.remove(id);
        self.starts.forget(id);
        noted
    }

    /// Notes in the log every letter for the job that has no record yet, then removes the letters.
    pub(super) fn note_letters(&self, job: &LockedJob) -> Result<()> {
        let mut letters = inbox::for_job(&self.spool, job.id())?;
        if letters.is_empty() {
            return Ok(());
        }
        let mut recorded = Recorded::read(job)?;
        recorded.is_cut = !recorded.has_end && job.status().ok().flatten().is_some_and(|status| status.has_run());
        let mut log = job.log_writer()?;
        letters.retain(|letter| match self.remark(letter, &recorded) {
            Remark::Say(note) => {
                log.note(note);
                true
            }
            Remark::Nothing => true,
            Remark::NotYet => false,
        });
        log.sync()?;
        letters.iter().try_for_each(|letter| letter.remove(&self.spool))
    }

    /// The remark about a letter that came too late.
    fn remark(&self, letter: &Letter, recorded: &Recorded) -> Remark {
        let Recipient::Job(_, purpose) = letter.recipient else { return Remark::Nothing };
        let (what, known) = match purpose {
            Purpose::Response(prompt) => {
                let (user, known) = match self.read_late::<Answer>(letter) {
                    Reading::Valid(Answer { user, response }) => {
                        let known = recorded.has_answer(prompt, &user, &response);
                        (user, known)
                    }
                    Reading::Refused { user, .. } => (user, false),
                    Reading::Gone => return Remark::Nothing,
                    Reading::Unfinished => return Remark::NotYet,
                };
                (format!("answer of {user} to prompt {prompt}"), known)
            }
            Purpose::Signal => match self.read_late::<SignalRequest>(letter) {
                Reading::Valid(SignalRequest { user, signal }) => {
                    let what = format!("{} of {user}", signal.word());
                    (what, recorded.signals.contains(&(user, signal.word().to_owned())))
                }
                Reading::Refused { user, .. } => (format!("signal of {user}"), false),
                Reading::Gone => return Remark::Nothing,
                Reading::Unfinished => return Remark::NotYet,
            },
        };
        match known {
            true => Remark::Nothing,
            false if recorded.is_cut => Remark::Say(format!(
                "{what}: it is not known if the job received it, because the end of the log could not be written"
            )),
            false => Remark::Say(format!("{what} refused: the job had ended")),
        }
    }

    /// Reads a late letter. An unreadable one is refused like any other, so that the job can end.
    fn read_late<T: DeserializeOwned + NamesUser>(&self, letter: &Letter) -> Reading<T> {
        inbox::read(&self.spool, letter, &self.settings.trusted)
            .unwrap_or_else(|error| Reading::Refused { user: "unknown".to_owned(), reason: error.to_string() })
    }

    /// A letter for a job that is in the history came too late.
    pub(super) fn refuse_late_letter(&self, id: JobId, letter: &Letter) -> Result<()> {
        if self.spool.job(id).is_dir() {
            // Another process may hold the lock for a moment; the next look finds the letter again.
            return LockedJob::try_lock(&self.spool, id)?.map_or(Ok(()), |job| self.note_letters(&job));
        }
        tracing::warn!(job = %id, letter = %letter.name.display(), "removed: the job has finished");
        letter.remove(&self.spool)
    }
}

/// The remark about a letter that was not read in time.
enum Remark {
    Say(String),
    /// The log has it already, or it is gone.
    Nothing,
    /// Its writer has not completed it; the next look finds it again.
    NotYet,
}

/// The answers and signals in the log.
#[derive(Debug, Default)]
struct Recorded {
    answers: Vec<(u32, String, String)>,
    signals: Vec<(String, String)>,
    /// The log has the end of the command.
    has_end: bool,
    /// The log lacks the end, although it is known: the disk was full until after the end.
    is_cut: bool,
}

impl Recorded {
    fn has_answer(&self, prompt: u32, user: &str, response: &str) -> bool {
        self.answers
            .iter()
            .any(|(number, who, what)| *number == prompt && who == user && (what == response || what == inbox::HIDDEN))
    }

    fn read(job: &LockedJob) -> Result<Self> {
        let mut recorded = Self::default();
        if let Some(mut reader) = LogReader::open(job.directory())? {
            reader.for_each_of(&["response", "signal", "exit"], |kind| match kind {
                RecordKind::Response { user, response, interaction } => {
                    recorded.answers.push((interaction, user, response));
                }
                RecordKind::Signal { user, signal } => recorded.signals.push((user, signal)),
                RecordKind::Exit(_) => recorded.has_end = true,
                _ => {}
            })?;
        }
        Ok(recorded)
    }
}
