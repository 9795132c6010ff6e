//! What a token is good for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Something that a token is good for. None of them includes another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// See jobs and all that everybody may see: `read`.
    Read,
    /// Start jobs of this type: `start:backport`.
    Start(String),
    /// Answer the questions of jobs of any type, and stop them: `answer`.
    Answer,
    /// The same of jobs of this type only: `answer:backport`.
    AnswerType(String),
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => formatter.write_str("read"),
            Self::Start(job_type) => write!(formatter, "start:{job_type}"),
            Self::Answer => formatter.write_str("answer"),
            Self::AnswerType(job_type) => write!(formatter, "answer:{job_type}"),
        }
    }
}

impl Scope {
    /// Whether it lets jobs of this type be started.
    #[must_use]
    pub fn starts(&self, job_type: &str) -> bool {
        matches!(self, Self::Start(started) if started == job_type)
    }

    /// Whether it lets jobs of this type be answered and stopped.
    #[must_use]
    pub fn answers(&self, job_type: &str) -> bool {
        match self {
            Self::Answer => true,
            Self::AnswerType(answered) => answered == job_type,
            Self::Read | Self::Start(_) => false,
        }
    }

    /// The job type that it names.
    #[must_use]
    pub fn job_type(&self) -> Option<&str> {
        match self {
            Self::Start(job_type) | Self::AnswerType(job_type) => Some(job_type),
            Self::Read | Self::Answer => None,
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "read" => Ok(Self::Read),
            None if text == "answer" => Ok(Self::Answer),
            Some(("start", job_type)) if !job_type.is_empty() => Ok(Self::Start(job_type.to_owned())),
            Some(("answer", job_type)) if !job_type.is_empty() => Ok(Self::AnswerType(job_type.to_owned())),
            _ => Err("a scope is `read`, `answer`, or `start:` or `answer:` with a job type".to_owned()),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_written_as_they_are_read() {
        for text in ["read", "answer", "start:backport", "answer:backport"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for bad in ["", "start", "start:", "answer:", "read:x", "Read", "write", "read "] {
            assert!(bad.parse::<Scope>().is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Scope>(r#""admin""#).is_err());
    }
}
