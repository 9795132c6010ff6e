//! The parts of a job's log that tell how it ended.

use std::time::Duration;

use indexmap::IndexMap;

use super::end::End;
use super::rules::{Answer, Rule};
use super::words;
use crate::spool::JobId;
use crate::spool::log::{Cause, Exit, RecordKind};
use crate::spool::outcome::Outcome;
use crate::spool::plan::Plan;

/// The types of the records that an account needs, for a reader of the log.
pub const TYPES: &[&str] = &["status", "interaction", "response", "signal", "note", "exit"];

/// A summary of a job's log. Its size does not grow with the log.
#[derive(Debug, Default)]
pub struct Account {
    rules: Vec<Rule>,
    time_limit: Option<Duration>,
    /// The prompt that was asked last.
    question: Option<Question>,
    /// How many answers and signals there were.
    acts: u32,
    stop: Option<Stop>,
    /// The state before the last stop.
    before: Option<Stop>,
    /// The last status text that was not empty.
    phase: Option<String>,
    /// Why the command could not be executed.
    not_started: Option<String>,
    exit: Option<Exit>,
}

#[derive(Debug)]
struct Question {
    number: u32,
    prompt: String,
    choices: IndexMap<String, String>,
    default: Option<String>,
}

/// The job was stopped from outside.
#[derive(Clone, Debug)]
struct Stop {
    /// How many acts there were until then.
    at: u32,
    by: By,
    /// The signal did not reach all processes of the job.
    partly: bool,
}

#[derive(Clone, Debug)]
enum By {
    Person { user: String, done: &'static str },
    TimeLimit,
}

impl Account {
    /// An account of a job that is about to begin.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            rules: plan.outcomes.iter().map(Rule::new).collect(),
            time_limit: plan.time_limit_ms.map(Duration::from_millis),
            ..Self::default()
        }
    }

    /// Takes in the next record. Most records do not matter here, and cost no time.
    pub fn meet(&mut self, record: &RecordKind) {
        match record {
            RecordKind::Status { status: Some(status) } => {
                self.rules.iter_mut().for_each(|rule| rule.meet_status(status));
                self.phase = Some(status.clone());
            }
            RecordKind::Interaction { id, prompt, choices, default, .. } => {
                let (prompt, choices, default) = (prompt.clone(), choices.clone(), default.clone());
                self.question = Some(Question { number: *id, prompt, choices, default });
            }
            RecordKind::Response { user, response, interaction } => self.meet_answer(user, response, *interaction),
            RecordKind::Signal { user, signal } => self.meet_signal(user, signal),
            RecordKind::Note { cause: Some(Cause::TimeLimit), .. } => self.meet_time_limit(),
            RecordKind::Note { note, cause: Some(Cause::NotStarted) } => self.not_started = Some(note.clone()),
            // A signal that reaches no process stops none.
            RecordKind::Note { cause: Some(Cause::StopRefused), .. } => self.stop = self.before.take(),
            RecordKind::Note { cause: Some(Cause::StopPartlyRefused), .. } => {
                self.stop.iter_mut().for_each(|stop| stop.partly = true);
            }
            RecordKind::Exit(exit) => self.exit = Some(*exit),
            RecordKind::Status { status: None }
            | RecordKind::Note { cause: None, .. }
            | RecordKind::Line(_)
            | RecordKind::Progress { .. } => {}
        }
    }

    fn meet_answer(&mut self, user: &str, response: &str, number: u32) {
        let Some(question) = self.question.as_ref().filter(|question| question.number == number) else { return };
        self.acts += 1;
        let code = question.default.as_deref().filter(|_| response.is_empty()).unwrap_or(response);
        let label = question.choices.iter().find(|(_, known)| *known == code).map(|(label, _)| label.as_str());
        let answer = Answer { prompt: &question.prompt, code, label, user, at: self.acts };
        self.rules.iter_mut().for_each(|rule| rule.meet_answer(&answer));
    }

    fn meet_signal(&mut self, user: &str, signal: &str) {
        self.acts += 1;
        self.before.clone_from(&self.stop);
        // A signal after the time limit does not change who stopped the job.
        if !matches!(self.stop, Some(Stop { by: By::TimeLimit, .. })) {
            let done = if signal == "kill" { "killed" } else { "interrupted" };
            self.stop = Some(Stop { at: self.acts, by: By::Person { user: user.to_owned(), done }, partly: false });
        }
    }

    fn meet_time_limit(&mut self) {
        self.before.clone_from(&self.stop);
        // The first person who stops a job stays the one who stopped it, unless an answer has continued the job since.
        if self.stop.as_ref().is_none_or(|stop| stop.at < self.acts) {
            self.acts += 1;
            self.stop = Some(Stop { at: self.acts, by: By::TimeLimit, partly: false });
        }
    }

    /// Whether the job was told to stop.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.is_some()
    }

    /// The last status text that was not empty.
    #[must_use]
    pub fn phase(&self) -> Option<&str> {
        self.phase.as_deref()
    }

    /// How the job ended; `None` as long as its command has not.
    ///
    /// A stop decides, whatever the exit status is. But a later answer that a rule knows decides over the stop.
    #[must_use]
    pub fn end(&self, id: JobId) -> Option<End> {
        let exit = self.exit?;
        let Exit { status, signal } = exit;
        if status.is_none() && signal.is_none() {
            return Some(End::not_started(id, self.not_started.as_deref().unwrap_or("could not be executed")));
        }
        let phase = self.phase.as_deref();
        let was_partial = self.stop.as_ref().is_some_and(|stop| stop.partly);
        let partly = if was_partial { ", which did not reach all processes" } else { "" };
        let ruled = status.and_then(|code| self.rules.iter().find(|rule| self.counts(rule, code)));
        Some(match (ruled, &self.stop, signal) {
            (Some(rule), ..) => End::ruled(id, exit, phase, rule),
            (None, Some(Stop { by: By::Person { user, done }, .. }), _) => {
                End::stopped(id, exit, phase, Outcome::Stopped, &format!("{done} by {user}{partly}")).by(user)
            }
            (None, Some(Stop { by: By::TimeLimit, .. }), _) => {
                let limit = self.time_limit.map_or_else(String::new, |limit| format!(" of {}", words::duration(limit)));
                End::stopped(id, exit, phase, Outcome::TimedOut, &format!("stopped at the time limit{limit}{partly}"))
            }
            (None, None, Some(signal)) => {
                let name = words::signal(signal);
                let within = words::within(phase);
                let reason = format!("killed by {name}{within}; nobody sent it through SpiderPig");
                End::bad(id, exit, phase, Outcome::Killed, reason)
            }
            (None, None, None) => End::exited(id, exit, phase),
        })
    }

    fn counts(&self, rule: &Rule, code: i32) -> bool {
        let has_last_word = |stop: &Stop| rule.answered().is_some_and(|answered| answered.at > stop.at);
        rule.holds(code) && self.stop.as_ref().is_none_or(has_last_word)
    }
}

#[cfg(test)]
mod tests;
