//! The rules of a job type: which of them the log has met so far.

use std::cell::OnceCell;

use regex::Regex;

use super::words;
use crate::spool::outcome::{Outcome, OutcomeRule};

/// An answer that was given to the job.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The question.
    pub prompt: &'a str,
    /// The text that the job read, or the default if that was empty.
    pub code: &'a str,
    /// The label that the person chose; `None` for a line of text.
    pub label: Option<&'a str>,
    /// Who answered.
    pub user: &'a str,
    /// Its place among answers and signals.
    pub at: u32,
}

/// The last answer that a rule was about, for a text.
#[derive(Debug)]
pub struct Answered {
    /// Who answered.
    pub user: String,
    /// The question, in one line.
    pub question: String,
    /// The label of the answer. Typed text is left out, because it may be secret.
    pub label: Option<String>,
    /// Its place among answers and signals.
    pub at: u32,
}

/// A rule, and which of its conditions were met.
#[derive(Debug)]
pub struct Rule {
    outcome: Outcome,
    prompt: Option<Pattern>,
    answer: Option<Pattern>,
    status: Option<Pattern>,
    exit: Option<Vec<i32>>,
    answered: Option<Answered>,
    /// The job has had such a status text.
    was_said: bool,
}

/// A regular expression, compiled when it is needed for the first time: most jobs need none.
#[derive(Debug)]
struct Pattern {
    source: String,
    /// `None` if the text is not a regular expression. The configuration was checked; a wrong expression in a plan
    /// never matches.
    compiled: OnceCell<Option<Regex>>,
}

impl Rule {
    /// A rule of which no condition was met yet.
    pub fn new(rule: &OutcomeRule) -> Self {
        let anywhere = |source: &String| Pattern { source: source.clone(), compiled: OnceCell::new() };
        let whole = |source: &String| anywhere(&format!(r"\A(?:{source})\z"));
        Self {
            outcome: rule.outcome,
            prompt: rule.prompt.as_ref().map(anywhere),
            answer: rule.answer.as_ref().map(whole),
            status: rule.status.as_ref().map(anywhere),
            exit: rule.exit.clone(),
            answered: None,
            was_said: false,
        }
    }

    /// The outcome that it stands for.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The last answer that it was about.
    pub fn answered(&self) -> Option<&Answered> {
        self.answered.as_ref()
    }

    /// The job has this status text now.
    pub fn meet_status(&mut self, text: &str) {
        if let Some(pattern) = self.status.as_ref().filter(|_| !self.was_said) {
            self.was_said = pattern.is_in(text);
        }
    }

    /// A prompt was answered.
    pub fn meet_answer(&mut self, answer: &Answer<'_>) {
        if !self.is_about_answers() {
            return;
        }
        let fits_prompt = self.prompt.as_ref().is_none_or(|pattern| pattern.is_in(answer.prompt));
        let fits_answer =
            |pattern: &Pattern| pattern.is_in(answer.code) || answer.label.is_some_and(|l| pattern.is_in(l));
        if fits_prompt && self.answer.as_ref().is_none_or(fits_answer) {
            self.answered = Some(Answered {
                user: answer.user.to_owned(),
                question: words::question(answer.prompt),
                label: answer.label.map(words::line),
                at: answer.at,
            });
        }
    }

    /// Whether all its conditions are met, for a command that exited with this status.
    pub fn holds(&self, code: i32) -> bool {
        (self.answered.is_some() || !self.is_about_answers())
            && (self.was_said || self.status.is_none())
            && self.exit.as_ref().is_none_or(|codes| codes.contains(&code))
    }

    fn is_about_answers(&self) -> bool {
        self.prompt.is_some() || self.answer.is_some()
    }
}

impl Pattern {
    fn is_in(&self, text: &str) -> bool {
        self.compiled.get_or_init(|| Regex::new(&self.source).ok()).as_ref().is_some_and(|regex| regex.is_match(text))
    }
}
