//! How a job ended, in one word for people. The [state](super::status::State) tells programs whether the command ended
//! with status 0; the outcome tells people what that meant.

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It did what it was started for.
    Succeeded,
    /// Somebody answered a question in a way that ended it before it did anything.
    CancelledAtPrompt,
    /// Somebody answered a question in a way that made it take back what it had done.
    RolledBack,
    /// The command said that it failed.
    Failed,
    /// A person stopped it, by an interrupt or a kill.
    Stopped,
    /// The command was killed by a signal that was not sent through SpiderPig.
    Killed,
    /// It was stopped at its time limit.
    TimedOut,
    /// The command could not be executed.
    NotStarted,
    /// Somebody stopped it before its command started.
    Cancelled,
    /// The supervisor died; how the command ended is unknown.
    Lost,
}

impl Outcome {
    /// All there are, in the order of their numbers.
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

    /// The word that stands in the files.
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

    /// The outcome of this word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }
}

/// A sign by which one can tell how a job ended: all that it names must be so.
///
/// Patterns are regular expressions. They are found anywhere in a text, but an answer must match as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeRule {
    /// The outcome that it stands for.
    pub outcome: Outcome,
    /// A prompt that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The answer to it: its code, or the label of that. An empty one stands for the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// A status text that the job has had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The exit status: one of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Vec<i32>>,
}

/// A line of a log that looks like an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastError {
    /// The number of its record.
    pub record: u64,
    /// Its text, without colours.
    pub line: String,
}

/// Reads an outcome; a word of a later version is as good as none.
///
/// # Errors
/// It is neither a text nor null.
pub fn if_known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Outcome>, D::Error> {
    deserializer.deserialize_option(Word)
}

/// Takes a word as it lies in the text: the API reads a million of them at its start.
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
    fn words_are_those_of_the_files_and_others_are_passed_over() {
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
