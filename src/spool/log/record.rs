//! One line of `log.jsonl`.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::spool::status::InteractionKind;
use crate::spool::time::Time;

/// A record: its time, and the event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When the supervisor wrote it.
    pub time: Time,
    /// The event.
    #[serde(flatten)]
    pub kind: RecordKind,
}

/// The event that a record is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum RecordKind {
    /// A line of output, or a piece of one.
    Line(Line),
    /// The job's status text changed.
    Status {
        /// The text. `None` clears it.
        status: Option<String>,
    },
    /// The job's progress changed.
    Progress {
        /// The progress, as the job sent it.
        progress: Map<String, Value>,
    },
    /// A prompt was opened.
    Interaction {
        /// Its number within the job.
        id: u32,
        /// How people answer it.
        kind: InteractionKind,
        /// The question.
        prompt: String,
        /// Label → code.
        choices: IndexMap<String, String>,
        /// The code that an empty answer stands for.
        default: Option<String>,
        /// The answer is hidden.
        #[serde(default, skip_serializing_if = "is_false")]
        sensitive: bool,
    },
    /// Somebody answered a prompt, and the job got the answer.
    Response {
        /// The user who answered.
        user: String,
        /// The answer, or [`HIDDEN`](crate::spool::inbox::HIDDEN) if the prompt was sensitive.
        response: String,
        /// The prompt's number.
        interaction: u32,
    },
    /// Somebody stopped the job.
    Signal {
        /// The user who stopped it.
        user: String,
        /// `interrupt` or `kill`.
        signal: String,
    },
    /// A remark of the supervisor or the runner.
    Note {
        /// The remark.
        note: String,
        /// The cause in a form for programs, if it decides how the job ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<Cause>,
    },
    /// The command ended.
    Exit(Exit),
}

/// A cause of a job's end that is neither a person nor the job itself, or a refusal of a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The job reached its time limit. The supervisor stops it.
    TimeLimit,
    /// The command could not be executed. The note says why.
    NotStarted,
    /// The last recorded signal, or the stop at the time limit, reached no process of the job.
    StopRefused,
    /// The last recorded signal, or the stop at the time limit, did not reach all processes of the job.
    StopPartlyRefused,
}

/// Output: a line, or a piece of a line that is too long or not yet finished.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the record has these members, each with its own meaning")]
pub struct Line {
    /// The text, without the newline at its end.
    pub line: String,
    /// The text is hidden unless a user asks for it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub sensitive: bool,
    /// The line continues in a later record, because it is too long for one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub continued: bool,
    /// The line is not finished yet.
    #[serde(default, skip_serializing_if = "is_false")]
    pub partial: bool,
    /// This piece continues the piece before.
    #[serde(default, skip_serializing_if = "is_false")]
    pub continues: bool,
    /// This piece replaces the text that the line had before (carriage return).
    #[serde(default, skip_serializing_if = "is_false")]
    pub rewrites: bool,
}

/// How a command ended. Exactly one of the two members is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The exit status of the command.
    pub status: Option<i32>,
    /// The signal that killed the command.
    pub signal: Option<i32>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde's skip_serializing_if calls")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_documented_members() {
        let time = Time::from_milliseconds(0);
        let text = |kind| serde_json::to_string(&Record { time, kind }).unwrap();
        let line = Line { line: "a\"b".into(), sensitive: true, ..Line::default() };
        assert_eq!(
            text(RecordKind::Line(line)),
            r#"{"time":"1970-01-01T00:00:00.000Z","type":"line","line":"a\"b","sensitive":true}"#
        );
        assert_eq!(
            text(RecordKind::Exit(Exit { status: None, signal: Some(9) })),
            r#"{"time":"1970-01-01T00:00:00.000Z","type":"exit","status":null,"signal":9}"#
        );
        assert_eq!(
            text(RecordKind::Note { note: "late".into(), cause: Some(Cause::TimeLimit) }),
            r#"{"time":"1970-01-01T00:00:00.000Z","type":"note","note":"late","cause":"time_limit"}"#
        );
        assert_eq!(
            text(RecordKind::Note { note: "so".into(), cause: None }),
            r#"{"time":"1970-01-01T00:00:00.000Z","type":"note","note":"so"}"#
        );
    }
}
