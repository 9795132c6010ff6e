//! The prompts of a job: at most one is open, and no number is used twice.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::protocol::{Prompt, PromptKind};
use crate::spool::status::{Interaction, InteractionKind};
use crate::spool::time::Time;

/// How long after a signal a job may take to ask again before its question is asked for it.
const REOPEN_AFTER: Duration = Duration::from_secs(2);

/// What has been asked.
#[derive(Debug, Default)]
pub struct Prompts {
    /// The number of the last prompt that was opened.
    last: u32,
    /// The question of the open one.
    open: Option<Prompt>,
    /// Those whose answer was given to the job. Their files stay in the inbox until the end, so that nobody can answer
    /// the same prompt again: the name is taken.
    delivered: BTreeSet<u32>,
    /// A question that a signal closed.
    closed_by_signal: Option<(Prompt, Instant)>,
}

impl Prompts {
    /// Opens a prompt under the next number, closing what was open.
    pub fn open(&mut self, prompt: Prompt) -> Interaction {
        self.last += 1;
        self.closed_by_signal = None;
        let (kind, choices, default) = match &prompt.kind {
            PromptKind::Choices { choices, default } => (InteractionKind::Choices, choices.clone(), default.clone()),
            PromptKind::InputLine => (InteractionKind::InputLine, indexmap::IndexMap::new(), None),
        };
        let interaction =
            Interaction { id: self.last, kind, prompt: prompt.prompt.clone(), choices, default, asked_at: Time::now() };
        self.open = Some(prompt);
        interaction
    }

    /// The open prompt if it has this number; else why it cannot be answered.
    ///
    /// # Errors
    /// A text for people.
    pub fn expect(&self, number: u32) -> Result<&Prompt, String> {
        match &self.open {
            Some(prompt) if number == self.last => Ok(prompt),
            _ if number > self.last => Err(format!("prompt {number} has not been asked yet")),
            _ => Err(format!("prompt {number} is closed")),
        }
    }

    /// The open prompt was answered.
    pub fn deliver(&mut self) {
        self.open = None;
        self.delivered.insert(self.last);
    }

    /// Whether this prompt's answer was given to the job, and its file is to stay.
    #[must_use]
    pub fn is_delivered(&self, number: u32) -> bool {
        self.delivered.contains(&number)
    }

    /// A signal was delivered. Returns whether that closed a prompt.
    pub fn interrupt(&mut self, now: Instant) -> bool {
        let Some(prompt) = self.open.take() else { return false };
        self.closed_by_signal = Some((prompt, now + REOPEN_AFTER));
        true
    }

    /// When the question that a signal closed is to be asked again.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.closed_by_signal.as_ref().map(|(_, at)| *at)
    }

    /// The question to be asked again, if it is time.
    pub fn reopen(&mut self, now: Instant) -> Option<Prompt> {
        self.closed_by_signal.take_if(|(_, at)| *at <= now).map(|(prompt, _)| prompt)
    }

    /// The job has ended: nothing is open, and nothing will be.
    pub fn close(&mut self) {
        self.open = None;
        self.closed_by_signal = None;
    }

    /// Whether a prompt is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt() -> Prompt {
        Prompt { prompt: "Name?".into(), kind: PromptKind::InputLine }
    }

    #[test]
    fn only_the_open_prompt_can_be_answered() {
        let mut prompts = Prompts::default();
        assert_eq!(prompts.expect(1).unwrap_err(), "prompt 1 has not been asked yet");
        assert_eq!(prompts.open(prompt()).id, 1);
        assert!(prompts.expect(1).is_ok());
        assert_eq!(prompts.expect(2).unwrap_err(), "prompt 2 has not been asked yet");
        prompts.deliver();
        assert_eq!(prompts.expect(1).unwrap_err(), "prompt 1 is closed");
        assert!(prompts.is_delivered(1));
        assert_eq!(prompts.open(prompt()).id, 2);
        assert_eq!(prompts.expect(1).unwrap_err(), "prompt 1 is closed");
    }

    #[test]
    fn a_question_closed_by_a_signal_comes_back_under_the_next_number_unless_another_is_asked() {
        let start = Instant::now();
        let later = start + REOPEN_AFTER;
        let mut prompts = Prompts::default();
        prompts.open(prompt());
        assert!(prompts.interrupt(start));
        assert!(!prompts.interrupt(start), "nothing was open any more");
        assert_eq!(prompts.deadline(), Some(later));
        assert_eq!(prompts.reopen(start), None);
        let again = prompts.reopen(later).unwrap();
        assert_eq!(prompts.open(again).id, 2);
        prompts.interrupt(start);
        prompts.open(prompt());
        assert_eq!(prompts.deadline(), None);
    }
}
