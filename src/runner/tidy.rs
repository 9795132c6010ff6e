//! After the end: the letters that nobody read, the line in the history, the view.

use serde_json::Map;
use tracing::info;

use super::daemon::Daemon;
use crate::spool::error::Result;
use crate::spool::history::{self, HistoryLine};
use crate::spool::inbox::{self, Answer, Letter, Purpose, Reading, Recipient, SignalRequest};
use crate::spool::job::LockedJob;
use crate::spool::log::{LogReader, RecordKind};
use crate::spool::status::Status;
use crate::spool::{JobId, atomic};

impl Daemon {
    /// Tidies up after a job whose status is final, under its lock. Doing it twice changes nothing.
    pub(super) fn tidy(&mut self, job: &LockedJob, status: &Status) -> Result<()> {
        let id = job.id();
        job.make_durable(&self.spool)?;
        self.note_letters(job)?;
        if !self.finished.contains(id) {
            let params = job.plan().map_or_else(|_| Map::new(), |plan| plan.shown_params);
            let line = HistoryLine::new(status, job.request().ok().as_ref(), params);
            history::append(&self.spool, &self.lock, &line)?;
            self.finished.insert(id);
            info!(job = %id, state = status.state.word(), "finished");
        }
        atomic::remove(&self.spool.running_link(id))?;
        self.jobs.remove(&id);
        self.lanes.release(id);
        self.failed_starts.remove(&id);
        Ok(())
    }

    /// Notes in the log every letter for the job that has no record yet, then removes the letters. One that cannot be
    /// read or removed is told as a problem, and then passed over as long as it is there.
    pub(super) fn note_letters(&mut self, job: &LockedJob) -> Result<()> {
        let mut letters = inbox::for_job(&self.spool, job.id())?;
        letters.retain(|letter| !self.problems.contains_key(&about(letter)));
        if letters.is_empty() {
            return Ok(());
        }
        let recorded = Recorded::read(job)?;
        let mut log = job.log_writer()?;
        let mut noted = Vec::new();
        for letter in letters {
            match self.remark(&letter, &recorded) {
                Ok(Remark::Say(note)) => log.note(note),
                Ok(Remark::Known) => {}
                Ok(Remark::NotYet) => continue,
                Err(error) => {
                    self.note_problem(&about(&letter), Err(error));
                    continue;
                }
            }
            noted.push(letter);
        }
        log.sync()?;
        for letter in noted {
            let removed = letter.remove(&self.spool);
            self.note_problem(&about(&letter), removed);
        }
        Ok(())
    }

    /// What is to be said of a letter that came too late.
    fn remark(&self, letter: &Letter, recorded: &Recorded) -> Result<Remark> {
        let Recipient::Job(_, purpose) = letter.recipient else { return Ok(Remark::Known) };
        let (what, known) = match purpose {
            Purpose::Response(prompt) => {
                let (user, known) = match inbox::read::<Answer>(&self.spool, letter, &self.trusted)? {
                    Reading::Valid(Answer { user, response }) => {
                        let known = recorded.answers.contains(&(prompt, user.clone(), response));
                        (user, known)
                    }
                    Reading::Refused { user, .. } => (user, false),
                    Reading::Gone => return Ok(Remark::Known),
                    Reading::Later => return Ok(Remark::NotYet),
                };
                (format!("answer of {user} to prompt {prompt}"), known)
            }
            Purpose::Signal => match inbox::read::<SignalRequest>(&self.spool, letter, &self.trusted)? {
                Reading::Valid(SignalRequest { user, signal }) => {
                    let what = format!("{} of {user}", signal.word());
                    (what, recorded.signals.contains(&(user, signal.word().to_owned())))
                }
                Reading::Refused { user, .. } => (format!("signal of {user}"), false),
                Reading::Gone => return Ok(Remark::Known),
                Reading::Later => return Ok(Remark::NotYet),
            },
        };
        Ok(if known { Remark::Known } else { Remark::Say(format!("{what} refused: the job had ended")) })
    }

    /// A letter for a job that is in the history came too late.
    pub(super) fn refuse_late_letter(&mut self, id: JobId, letter: &Letter) -> Result<()> {
        if self.spool.job(id).is_dir() {
            // Somebody may look at the lock for a moment; the next look meets the letter again.
            let noted =
                LockedJob::try_lock(&self.spool, id).and_then(|job| job.map_or(Ok(()), |job| self.note_letters(&job)));
            self.note_problem(&format!("jobs/{id}"), noted);
            return Ok(());
        }
        letter.remove(&self.spool)?;
        tracing::warn!(job = %id, letter = %letter.name.display(), "removed: the job is long finished");
        Ok(())
    }
}

/// What a problem with a letter is about.
pub(super) fn about(letter: &Letter) -> String {
    format!("inbox/{}", letter.name.display())
}

/// What is to be said of a letter that nobody read in time.
enum Remark {
    Say(String),
    /// Nothing: the log tells of it already, or it is gone.
    Known,
    /// Nothing before its writer is done with it.
    NotYet,
}

/// Answers and signals that the log tells of.
#[derive(Debug, Default)]
struct Recorded {
    answers: Vec<(u32, String, String)>,
    signals: Vec<(String, String)>,
}

impl Recorded {
    fn read(job: &LockedJob) -> Result<Self> {
        let mut recorded = Self::default();
        if let Some(mut reader) = LogReader::open(job.directory())? {
            reader.for_each_of(&["response", "signal"], |kind| match kind {
                RecordKind::Response { user, response, interaction } => {
                    recorded.answers.push((interaction, user, response));
                }
                RecordKind::Signal { user, signal } => recorded.signals.push((user, signal)),
                _ => {}
            })?;
        }
        Ok(recorded)
    }
}
