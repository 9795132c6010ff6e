//! The letters of a job that runs: answers and signals that others put into the inbox.
//!
//! Each has an effect once, or a note says why it has none. Its file is removed when the log has that durably.

use std::ffi::OsString;

use super::Journal;
use crate::runner::supervise::helpers::Helpers;
use crate::runner::supervise::prompts::Asker;
use crate::runner::supervise::stdin::JobInput;
use crate::spool::inbox;
use crate::spool::inbox::{Answer, Letter, Purpose, Reading, Recipient, SignalRequest};
use crate::spool::log::RecordKind;

impl Journal {
    /// Deals with the answers in the inbox. Returns the signals that are to be delivered, each recorded; their letters
    /// are removed by [`Journal::signal_delivered`].
    pub fn read_inbox(&mut self, input: &mut JobInput, helpers: &mut Helpers) -> Vec<(Letter, SignalRequest)> {
        let letters = match inbox::for_job(&self.spool, self.status.id) {
            Ok(letters) => letters,
            Err(error) => {
                self.complain(OsString::new(), &error.to_string());
                return Vec::new();
            }
        };
        let mut signals = Vec::new();
        for letter in letters {
            match letter.recipient {
                Recipient::Job(_, Purpose::Signal) => signals.extend(self.read_signal(letter)),
                // A signal that lies beside the answer closes the prompt first: somebody wants the job to stop.
                Recipient::Job(_, Purpose::Response(number))
                    if signals.is_empty() && !self.prompts.is_delivered(number) =>
                {
                    self.read_answer(&letter, number, input, helpers);
                }
                _ => {}
            }
        }
        signals
    }

    fn complain(&mut self, name: OsString, problem: &str) {
        if self.unreadable.insert(name) {
            self.note(problem);
        }
    }

    fn read_signal(&mut self, letter: Letter) -> Option<(Letter, SignalRequest)> {
        if self.acted_on.contains(&letter.name) {
            return None;
        }
        match inbox::read::<SignalRequest>(&self.spool, &letter, &self.plan.trusted_submitters) {
            Ok(Reading::Valid(request)) => return Some((letter, request)),
            Ok(Reading::Refused { user, reason }) => self.refuse(&letter, &format!("signal of {user}"), &reason),
            Ok(Reading::Gone | Reading::Unfinished) => {}
            Err(error) => self.complain(letter.name, &error.to_string()),
        }
        None
    }

    fn read_answer(&mut self, letter: &Letter, number: u32, input: &mut JobInput, helpers: &mut Helpers) {
        let what = |user: &str| format!("answer of {user} to prompt {number}");
        let answer = match inbox::read::<Answer>(&self.spool, letter, &self.plan.trusted_submitters) {
            Ok(Reading::Valid(answer)) => answer,
            Ok(Reading::Refused { user, reason }) => {
                // The error could reveal the content.
                let is_secret = self.prompts.expect(number).is_ok_and(|question| question.prompt.sensitive);
                let reason = if is_secret { "it is not valid" } else { &reason };
                return self.refuse(letter, &what(&user), reason);
            }
            Ok(Reading::Gone | Reading::Unfinished) => return,
            Err(error) => return self.complain(letter.name.clone(), &error.to_string()),
        };
        let sent = self.prompts.expect(number).and_then(|question| {
            question.prompt.check(&answer.response).map_err(|error| {
                if question.prompt.sensitive { "it is no answer to this prompt".to_owned() } else { error.to_string() }
            })?;
            match question.asker {
                Asker::Job => input.send_line(&answer.response)?,
                Asker::Helper(helper) => helpers.answer(helper, &answer.response)?,
            }
            Ok(question.prompt.sensitive)
        });
        let is_secret = match sent {
            Ok(sensitive) => sensitive,
            Err(reason) => return self.refuse(letter, &what(&answer.user), &reason),
        };
        self.prompts.deliver();
        self.status.interaction = None;
        self.status.answered = Some(number);
        let Answer { user, response } = answer;
        let response = if is_secret { inbox::HIDDEN.to_owned() } else { response };
        self.record(&RecordKind::Response { user: user.clone(), response, interaction: number });
        if is_secret {
            self.sync();
            if let Err(error) = inbox::hide_answer(&self.spool, letter, &user) {
                self.complain(letter.name.clone(), &error.to_string());
            }
        }
        self.open_next_prompt();
    }

    /// A signal was acted on: its record is made durable, then its letter is removed.
    pub fn signal_delivered(&mut self, letter: Letter) {
        self.sync();
        self.remove(&letter);
        self.acted_on.insert(letter.name);
    }

    /// Deals with the letters that come when the command has ended: all are refused.
    pub fn refuse_letters(&mut self) {
        for (letter, SignalRequest { user, signal }) in self.read_inbox(&mut JobInput::closed(), &mut Helpers::none()) {
            self.note(format!("{} of {user} refused: the command had ended", signal.word()));
            self.signal_delivered(letter);
        }
    }

    /// An answer that lies there before its prompt is shown cannot be meant for it.
    pub(super) fn discard_letters_before_prompt(&mut self) {
        for letter in inbox::for_job(&self.spool, self.status.id).unwrap_or_default() {
            if let Recipient::Job(_, Purpose::Response(number)) = letter.recipient
                && !self.prompts.is_delivered(number)
            {
                let reason = self.prompts.why_not_next(number);
                self.refuse_answer(&letter, number, &reason);
            }
        }
    }

    fn refuse_answer(&mut self, letter: &Letter, number: u32, reason: &str) {
        let user = match inbox::read::<Answer>(&self.spool, letter, &self.plan.trusted_submitters) {
            Ok(Reading::Valid(answer)) => answer.user,
            Ok(Reading::Refused { user, .. }) => user,
            Ok(Reading::Gone | Reading::Unfinished) => return,
            Err(_) => "unknown".to_owned(),
        };
        self.refuse(letter, &format!("answer of {user} to prompt {number}"), reason);
    }

    /// Notes why a letter has no effect, and only then removes it.
    fn refuse(&mut self, letter: &Letter, what: &str, reason: &str) {
        self.note(format!("{what} refused: {reason}"));
        self.sync();
        self.remove(letter);
    }

    /// A disk that cannot be synced must not stop a job from being answered or stopped.
    fn sync(&mut self) {
        let _ = self.log.sync();
    }

    fn remove(&mut self, letter: &Letter) {
        if let Err(error) = letter.remove(&self.spool)
            && self.unreadable.insert(letter.name.clone())
        {
            self.note(error.to_string());
        }
    }
}
