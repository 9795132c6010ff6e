//! The prompts of a job: at most one is open, and no number is used twice.
//!
//! Questions come by two ways, and an answer goes back by the way of its question. Those that the job prints are its
//! own: there is one at a time, as one standard input takes the answers, and the next closes the one before. Those of
//! helpers have a connection each, so that any number of them can wait: they open in the order in which they came, each
//! when nothing else is asked. A printed question waits for them as they wait for it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::protocol::{Prompt, PromptKind};
use crate::spool::status::{Interaction, InteractionKind};
use crate::spool::time::Time;

/// How long after a signal a job may take to ask again before its question is asked for it.
const REOPEN_AFTER: Duration = Duration::from_secs(2);

/// Of how many unanswered prompts it is known why they closed.
const REMEMBERED: usize = 1000;

/// Names one connection of a helper for the whole life of the job.
pub type HelperId = u64;

/// The source of a question, which gets the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The job, on its output: the answer goes to its standard input.
    Job,
    /// A helper: the answer goes to its connection.
    Helper(HelperId),
}

/// A question that is open or waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who asks it.
    pub asker: Asker,
    /// The prompt.
    pub prompt: Prompt,
}

/// A question that a later one of the job's own has taken the place of.
#[derive(Debug, PartialEq, Eq)]
pub enum Replaced {
    /// It was open under this number, and nobody has answered it.
    Open(u32),
    /// It waited for a helper's question, and nobody has seen it.
    Unseen(Prompt),
}

/// After a signal, earlier questions wait for a while, because whoever asked them may be about to end.
#[derive(Debug)]
struct Held {
    until: Instant,
    /// The question that was open.
    closed: Option<Question>,
}

/// Why a prompt closed without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    Replaced,
    Withdrawn,
}

/// The prompts so far.
#[derive(Debug, Default)]
pub struct Prompts {
    /// The number of the last prompt that was opened.
    last: u32,
    open: Option<Question>,
    /// The questions that wait, the first in front.
    waiting: VecDeque<Question>,
    held: Option<Held>,
    /// Those whose answer was given to the job. Their files stay in the inbox until the end, so that nobody can answer
    /// the same prompt again: the name is taken.
    delivered: BTreeSet<u32>,
    unanswered: BTreeMap<u32, Closing>,
}

impl Prompts {
    /// Takes a question, to be opened by [`Prompts::open_next`] when its turn has come.
    ///
    /// Who asks after a signal has heard it. So that goes first, and what the signal closed is not asked again, unless
    /// a helper still waits for it.
    pub fn ask(&mut self, question: Question) -> Option<Replaced> {
        let replaced = match question.asker {
            Asker::Job => self.replace(),
            Asker::Helper(_) => None,
        };
        match self.held.take() {
            Some(Held { closed, .. }) => {
                let closed = closed.filter(|closed| closed.asker != Asker::Job);
                [closed, Some(question)].into_iter().flatten().for_each(|first| self.waiting.push_front(first));
            }
            None => self.waiting.push_back(question),
        }
        replaced
    }

    /// Takes the job's own question away, as it asks another one.
    fn replace(&mut self) -> Option<Replaced> {
        if self.open.take_if(|open| open.asker == Asker::Job).is_some() {
            self.close_unanswered(Closing::Replaced);
            return Some(Replaced::Open(self.last));
        }
        let place = self.waiting.iter().position(|waiting| waiting.asker == Asker::Job)?;
        self.waiting.remove(place).map(|question| Replaced::Unseen(question.prompt))
    }

    fn close_unanswered(&mut self, closing: Closing) {
        self.unanswered.insert(self.last, closing);
        if self.unanswered.len() > REMEMBERED {
            self.unanswered.pop_first();
        }
    }

    /// The question whose turn has come.
    #[must_use]
    pub fn next(&self) -> Option<&Prompt> {
        let is_free = self.open.is_none() && self.held.is_none();
        self.waiting.front().filter(|_| is_free).map(|question| &question.prompt)
    }

    /// Opens the question whose turn has come, under the next number.
    pub fn open_next(&mut self) -> Option<Interaction> {
        self.next()?;
        let question = self.waiting.pop_front()?;
        self.last += 1;
        let prompt = &question.prompt;
        let (kind, choices, default) = match &prompt.kind {
            PromptKind::Choices { choices, default } => (InteractionKind::Choices, choices.clone(), default.clone()),
            PromptKind::InputLine => (InteractionKind::InputLine, indexmap::IndexMap::new(), None),
        };
        let interaction = Interaction {
            id: self.last,
            kind,
            prompt: prompt.prompt.clone(),
            choices,
            default,
            sensitive: prompt.sensitive,
            asked_at: Time::now(),
        };
        self.open = Some(question);
        Some(interaction)
    }

    /// The open question if it has this number; else why it cannot be answered.
    ///
    /// # Errors
    /// A text for people.
    pub fn expect(&self, number: u32) -> Result<&Question, String> {
        match &self.open {
            Some(question) if number == self.last => Ok(question),
            _ if number > self.last => Err(format!("prompt {number} has not been asked yet")),
            _ => Err(self.why_closed(number)),
        }
    }

    /// Why an answer that lies there when the next prompt is about to be opened is for none.
    #[must_use]
    pub fn why_not_next(&self, number: u32) -> String {
        if number > self.last {
            format!("it was there before prompt {number} was asked")
        } else {
            self.why_closed(number)
        }
    }

    fn why_closed(&self, number: u32) -> String {
        match self.unanswered.get(&number) {
            Some(Closing::Replaced) => format!("prompt {number} is closed: the job has asked something else"),
            Some(Closing::Withdrawn) => format!("prompt {number} is closed: the helper that asked has ended"),
            None => format!("prompt {number} is closed"),
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

    /// The helper has gone, and its question with it. Returns the number under which that was open.
    pub fn withdraw(&mut self, helper: HelperId) -> Option<u32> {
        let is_its = |question: &Question| question.asker == Asker::Helper(helper);
        self.waiting.retain(|waiting| !is_its(waiting));
        if let Some(held) = &mut self.held {
            held.closed.take_if(|closed| is_its(closed));
        }
        self.open.take_if(|open| is_its(open))?;
        self.close_unanswered(Closing::Withdrawn);
        Some(self.last)
    }

    /// A signal was delivered. Returns whether that closed a prompt.
    pub fn interrupt(&mut self, now: Instant) -> bool {
        let Some(question) = self.open.take() else { return false };
        self.held = Some(Held { until: now + REOPEN_AFTER, closed: Some(question) });
        true
    }

    /// When a question that a signal closed is asked again.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.held.as_ref().map(|held| held.until)
    }

    /// Goes on after a signal, with what it closed, if it is time. Returns whether it was.
    pub fn go_on(&mut self, now: Instant) -> bool {
        let Some(Held { closed, .. }) = self.held.take_if(|held| held.until <= now) else { return false };
        if let Some(question) = closed {
            self.waiting.push_front(question);
        }
        true
    }

    /// The job has ended: nothing is open, and nothing will be. Returns what it asked itself and nobody has seen.
    pub fn close(&mut self) -> Option<Prompt> {
        self.open = None;
        self.held = None;
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_iter().find(|question| question.asker == Asker::Job).map(|question| question.prompt)
    }

    /// Whether a prompt is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }
}

#[cfg(test)]
mod tests;
