//! The outcome of a job: one word that tells people what its end means. The [state](super::status::State) tells
//! programs whether the command ended with status 0.

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

/// The outcome of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The job did its work.
    Succeeded,
    /// Somebody's answer to a prompt ended the job before it changed anything.
    CancelledAtPrompt,
    /// Somebody's answer to a prompt made the job undo its changes.
    RolledBack,
    /// The command reported a failure.
    Failed,
    /// Somebody stopped the job, by an interrupt or a kill.
    Stopped,
    /// A signal that was not sent through SpiderPig killed the command.
    Killed,
    /// The job reached its time limit and was stopped.
    TimedOut,
    /// The command could not be executed.
    NotStarted,
    /// Somebody stopped the job before its command started.
    Cancelled,
    /// The supervisor died, so the end of the command is unknown.
    Lost,
}

impl Outcome {
    /// All outcomes, in the order of their numbers.
    pub const ALL: [Self; 10] = [
        Self::Succeeded,
        Self::CancelledAtPrompt,
        Self::RolledBack,
        Self::Failed,
        Self::Stopped,
        Self::Killed,
        Self::TimedOut,
        Self::NotStarted,
        Self::Cancelled,
        Self::Lost,
    ];

    /// Its word in the files.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::CancelledAtPrompt => "cancelled_at_prompt",
            Self::RolledBack => "rolled_back",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Killed => "killed",
            Self::TimedOut => "timed_out",
            Self::NotStarted => "not_started",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }

    /// The outcome with a word. `None` if the word is unknown.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }
}

/// A rule that tells the outcome of a job. All conditions that it names must be true.
///
/// Patterns are regular expressions. They may match anywhere in a text, but an answer must match as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeRule {
    /// The outcome, if the conditions are true.
    pub outcome: Outcome,
    /// A pattern for the text of an answered prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// A pattern for the answer to it: the code, or the label of the code. An empty answer stands for the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// A pattern for a status text that the job has had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The exit statuses, of which the command's must be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Vec<i32>>,
}

/// A line of a log that looks like an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// The number of its record.
    pub record: u64,
    /// The text of the line, without colours.
    pub line: String,
}

/// Reads an outcome. An unknown word, as of a later version, becomes `None`.
///
/// # Errors
/// The value is neither a text nor null.
pub fn if_known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Outcome>, D::Error> {
    deserializer.deserialize_option(Word)
}

/// Reads a word without copying it, because the API reads a million of them at its start.
struct Word;

impl<'de> Visitor<'de> for Word {
    type Value = Option<Outcome>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an outcome or null")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }

    fn visit_str<E>(self, word: &str) -> Result<Self::Value, E> {
        Ok(Outcome::of_word(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        #[serde(default, deserialize_with = "if_known")]
        outcome: Option<Outcome>,
    }

    #[test]
    fn words_match_the_files_and_unknown_ones_are_ignored() {
        for (index, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index);
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.word());
            assert_eq!(Outcome::of_word(outcome.word()), Some(outcome));
        }
        let read = |text: &str| serde_json::from_str::<Holder>(text).map(|holder| holder.outcome).ok();
        assert_eq!(read(r#"{"outcome":"rolled_back"}"#), Some(Some(Outcome::RolledBack)));
        for other in ["{}", r#"{"outcome":null}"#, r#"{"outcome":"splendid"}"#] {
            assert_eq!(read(other), Some(None), "{other}");
        }
        assert_eq!(read(r#"{"outcome":1}"#), None);
    }
}
