//! The questions of a job: how one is shown, and how it closes without an answer.

use std::time::Instant;

use super::{Journal, Urgency};
use crate::protocol::{Piece, Prompt};
use crate::runner::supervise::prompts::{Asker, HelperId, Question, Replaced};
use crate::spool::log::RecordKind;

impl Journal {
    /// Takes a question of the job or a helper. It is shown when no other prompt is open.
    pub fn ask(&mut self, asker: Asker, prompt: Prompt) {
        if asker == Asker::Job {
            // The job did not wait for the answer to a question that could not be shown.
            self.status.warning = None;
        }
        match self.prompts.ask(Question { asker, prompt }) {
            Some(Replaced::Open(number)) => {
                self.note(format!("prompt {number} was not answered: the job has asked something else"));
                self.status.interaction = None;
            }
            Some(Replaced::Unseen(prompt)) => {
                let question = prompt.render().join("\n");
                self.note(format!("a question was not shown, because the job has asked another one: {question}"));
            }
            None => {}
        }
        self.open_next_prompt();
    }

    /// The job has asked something that cannot be shown: people must know why it waits.
    pub(super) fn warn_of_unasked(&mut self, reason: &str) {
        let warning = format!("The job has asked something that cannot be shown, and may wait for ever: {reason}");
        self.status.warning = Some(warning);
        self.changed(Urgency::Now);
    }

    /// A helper has ended: its question is withdrawn.
    pub fn withdraw(&mut self, helper: HelperId) {
        if let Some(number) = self.prompts.withdraw(helper) {
            self.note(format!("prompt {number} was withdrawn: the helper that asked has ended"));
            self.status.interaction = None;
            self.open_next_prompt();
        }
    }

    /// Asks again what a signal closed, if it is time and the job has not asked anything since.
    pub fn ask_again(&mut self, now: Instant) {
        if self.prompts.go_on(now) {
            self.open_next_prompt();
        }
    }

    /// The command has ended: no prompt is open any more.
    pub fn command_ended(&mut self) {
        self.ended = true;
        if let Some(asked) = self.status.interaction.take() {
            self.note(format!("prompt {} was not answered: the job has ended", asked.id));
        }
        let unseen = self.prompts.close();
        self.status.warning = None;
        self.refresh_state();
        if let Some(prompt) = unseen {
            self.ask(Asker::Job, prompt);
        }
    }

    /// Shows the question whose turn has come, if there is one.
    pub(super) fn open_next_prompt(&mut self) {
        if let Some(lines) = self.prompts.next().map(Prompt::render) {
            self.discard_letters_before_prompt();
            for line in lines {
                self.log.text(Piece { text: &line, ..Piece::default() });
            }
        }
        if let Some(interaction) = self.prompts.open_next() {
            self.record(&RecordKind::Interaction {
                id: interaction.id,
                kind: interaction.kind,
                prompt: interaction.prompt.clone(),
                choices: interaction.choices.clone(),
                default: interaction.default.clone(),
                sensitive: interaction.sensitive,
            });
            if self.ended {
                // The job asked just before its end: the log has the question, and it is not shown.
                self.prompts.close();
                return;
            }
            self.status.interaction = Some(interaction);
        }
        self.refresh_state();
    }
}
