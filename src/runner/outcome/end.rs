//! The texts about the end of a job.

use std::path::Path;

use super::last_error;
use super::rules::Rule;
use super::words;
use crate::spool::JobId;
use crate::spool::log::Exit;
use crate::spool::outcome::Outcome;
use crate::spool::status::{State, Status};

/// How a job ended, for its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    state: State,
    outcome: Outcome,
    by: Option<String>,
    phase: Option<String>,
    /// A sentence for people; `None` for a plain success.
    reason: Option<String>,
    message: String,
    exit: Option<Exit>,
}

impl End {
    /// The command exited by itself.
    pub(super) fn exited(id: JobId, exit: Exit, phase: Option<&str>) -> Self {
        match exit.status {
            Some(0) => Self::of_command(id, exit, Outcome::Succeeded, None),
            _ => Self::bad(id, exit, phase, Outcome::Failed, failure(exit, phase, "")),
        }
    }

    /// A rule says how the command ended.
    pub(super) fn ruled(id: JobId, exit: Exit, phase: Option<&str>, rule: &Rule) -> Self {
        let answered = rule.answered();
        let at_prompt = answered.map_or_else(String::new, |answered| {
            format!(" by {} at the prompt “{}”", answered.user, answered.question)
        });
        let end = match rule.outcome() {
            Outcome::Succeeded if exit.status == Some(0) => return Self::exited(id, exit, phase),
            Outcome::Succeeded => {
                Self::of_command(id, exit, Outcome::Succeeded, Some(format!("succeeded: {}", how(exit))))
            }
            outcome @ (Outcome::CancelledAtPrompt | Outcome::RolledBack) => {
                let done = if outcome == Outcome::RolledBack { "rolled back" } else { "cancelled" };
                Self::of_command(id, exit, outcome, Some(format!("{done}{at_prompt}")))
            }
            outcome => {
                let after = answered.map_or_else(String::new, |answered| {
                    let Some(label) = &answered.label else { return String::new() };
                    format!(" after {} answered “{label}” to “{}”", answered.user, answered.question)
                });
                Self::bad(id, exit, phase, outcome, failure(exit, phase, &after))
            }
        };
        Self { by: answered.map(|answered| answered.user.clone()), ..end }
    }

    /// The command was stopped. The text has an exit status of 0 too, because the command may have run to its end.
    pub(super) fn stopped(id: JobId, exit: Exit, phase: Option<&str>, outcome: Outcome, why: &str) -> Self {
        let succeeded = if exit.status == Some(0) { format!(", and {}", how(exit)) } else { String::new() };
        Self::bad(id, exit, phase, outcome, format!("{why}{succeeded}"))
    }

    /// The command failed.
    pub(super) fn bad(id: JobId, exit: Exit, phase: Option<&str>, outcome: Outcome, reason: String) -> Self {
        Self { phase: phase.map(str::to_owned), ..Self::of_command(id, exit, outcome, Some(reason)) }
    }

    fn of_command(id: JobId, exit: Exit, outcome: Outcome, reason: Option<String>) -> Self {
        let (state, message) = match exit {
            Exit { status: Some(0), .. } => (State::Succeeded, format!("Job {id} finished normally")),
            Exit { status: Some(code), .. } => (State::Failed, format!("Job {id} finished with status {code}")),
            Exit { signal: Some(signal), .. } => (State::Failed, format!("Job {id} terminated by signal {signal}")),
            Exit { status: None, signal: None } => (State::Failed, format!("Job {id} could not be executed")),
        };
        Self { state, outcome, by: None, phase: None, reason, message, exit: Some(exit) }
    }

    /// Names the person who decided the end.
    pub(super) fn by(self, user: &str) -> Self {
        Self { by: Some(user.to_owned()), ..self }
    }

    /// The command could not be executed.
    #[must_use]
    pub fn not_started(id: JobId, reason: &str) -> Self {
        Self::unexecuted(id, State::Failed, Outcome::NotStarted, reason.to_owned())
    }

    /// Somebody stopped the job before its command was executed.
    #[must_use]
    pub fn cancelled(id: JobId, user: &str) -> Self {
        Self::unexecuted(id, State::Cancelled, Outcome::Cancelled, format!("cancelled by {user} before it started"))
            .by(user)
    }

    fn unexecuted(id: JobId, state: State, outcome: Outcome, reason: String) -> Self {
        let message = format!("Job {id} {}: {reason}", state.word());
        Self { state, outcome, by: None, phase: None, reason: Some(reason), message, exit: None }
    }

    /// The result of the command is unknown; `rest` says which processes were left.
    #[must_use]
    pub fn lost(id: JobId, phase: Option<&str>, rest: &str) -> Self {
        Self::unknown(id, phase, format!("its supervisor died, so the result of the command is unknown; {rest}"))
    }

    /// The job was started in another directory, of which this one is a copy.
    #[must_use]
    pub fn copied(id: JobId, phase: Option<&str>) -> Self {
        let reason = "this directory is a copy of the one in which the job was started, and its end there is not \
                      known here; the runner left its processes alone";
        Self::unknown(id, phase, reason.to_owned())
    }

    fn unknown(id: JobId, phase: Option<&str>, reason: String) -> Self {
        Self {
            state: State::Lost,
            outcome: Outcome::Lost,
            by: None,
            phase: phase.map(str::to_owned),
            reason: Some(reason),
            message: format!("Job {id} was lost"),
            exit: None,
        }
    }

    /// Puts the end into the status of the job, after the log was completed.
    pub fn put_into(self, status: &mut Status, job: &Path) {
        if let Some(exit) = self.exit {
            (status.exit_status, status.signal) = (exit.status, exit.signal);
        }
        if self.is_worth_an_error() {
            // Without this line people look into the log.
            status.last_error = last_error::find(job).ok().flatten();
        }
        if self.outcome == Outcome::Cancelled {
            status.cancelled_by.clone_from(&self.by);
        }
        status.message = Some(self.message);
        status.outcome_by = self.by;
        status.phase = self.phase;
        status.finish(self.state, self.outcome, self.reason);
    }

    fn is_worth_an_error(&self) -> bool {
        matches!(self.outcome, Outcome::Failed | Outcome::Stopped | Outcome::Killed | Outcome::TimedOut | Outcome::Lost)
    }
}

fn failure(exit: Exit, phase: Option<&str>, after: &str) -> String {
    format!("failed{}{after}: {}", words::within(phase), how(exit))
}

fn how(exit: Exit) -> String {
    exit.status.map_or_else(|| "no exit status".to_owned(), |code| format!("exited with status {code}"))
}
