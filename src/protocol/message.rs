//! The messages of a job, and the checks that they pass.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::piece::Sink;
use super::prompt::{Prompt, PromptKind};
use super::text::emit_whole;

const MAX_STATUS: usize = 4 << 10;
const MAX_PROGRESS: usize = 8 << 10;
const MAX_PROMPT: usize = 32 << 10;
/// The maximum part of an invalid message in a note.
const MAX_NOTE: usize = 4 << 10;

/// A message of a job.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// The new status text, at most 4 KiB, or none. It also clears the progress.
    Status(Option<String>),
    /// Replaces the progress. At most 8 KiB as JSON. The members are unchanged.
    Progress(Map<String, Value>),
    /// Opens a prompt.
    Interaction(Prompt),
    /// A note for the log: a message was invalid or too long, and this was done about it.
    Note(String),
    /// A question that cannot be shown, with the reason. The job may wait for its answer forever.
    LostQuestion(String),
}

/// Passes a message on. The object no longer contains the key.
pub(super) fn deliver(object: Map<String, Value>, piece_limit: usize, sink: &mut impl Sink) {
    if let Err(problem) = act(&object, piece_limit, sink) {
        if object.get("type").and_then(Value::as_str) == Some("interaction") {
            sink.message(Message::LostQuestion(problem.clone()));
        }
        let json = Value::Object(object);
        // The mark as sensitive covers the content, even if the rest of the message is invalid.
        if matches!(json.get("sensitive"), None | Some(Value::Null | Value::Bool(false))) {
            let json = json.to_string();
            sink.message(Message::Note(format!("Message ignored, {problem}: {}", cut(&json, MAX_NOTE))));
        } else {
            sink.message(Message::Note(format!("Message ignored, {problem}; its content is sensitive")));
            emit_whole(&json.to_string(), true, piece_limit, sink);
        }
    }
}

fn act(object: &Map<String, Value>, piece_limit: usize, sink: &mut impl Sink) -> Result<(), String> {
    match object.get("type").and_then(Value::as_str) {
        Some("line") => {
            emit_whole(text(object, "line")?, is_sensitive(object)?, piece_limit, sink);
        }
        Some("status") => {
            let status = optional_text(object, "status")?;
            sink.message(Message::Status(status.map(|status| cut(status, MAX_STATUS).into_owned())));
            note_cut("status text", status.unwrap_or_default(), MAX_STATUS, sink);
        }
        Some("progress") => {
            let Some(Value::Object(progress)) = object.get("progress") else {
                return Err("“progress” is not an object".to_owned());
            };
            check_size("progress", progress, MAX_PROGRESS)?;
            sink.message(Message::Progress(progress.clone()));
        }
        Some("interaction") => {
            let question = text(object, "prompt")?;
            let kind = prompt_kind(object)?;
            let sensitive = is_sensitive(object)?;
            let prompt = cut(question, MAX_PROMPT).into_owned();
            note_cut("prompt", question, MAX_PROMPT, sink);
            sink.message(Message::Interaction(Prompt { prompt, sensitive, kind }));
        }
        Some(other) => return Err(format!("unknown type “{}”", cut(other, 80))),
        None => return Err("it has no type".to_owned()),
    }
    Ok(())
}

fn prompt_kind(object: &Map<String, Value>) -> Result<PromptKind, String> {
    match text(object, "subtype")? {
        "input_line" => Ok(PromptKind::InputLine),
        "choices" => {
            let Some(Value::Object(choices)) = object.get("choices") else {
                return Err("“choices” is not an object".to_owned());
            };
            if choices.is_empty() {
                return Err("there is nothing to choose".to_owned());
            }
            check_size("choices", choices, MAX_PROMPT)?;
            let choice = |(label, code): (&String, &Value)| Some((label.clone(), code.as_str()?.to_owned()));
            let choices = choices.iter().map(choice).collect::<Option<_>>();
            let choices = choices.ok_or_else(|| "a code in “choices” is not a text".to_owned())?;
            // A default that is no code is kept, because the job knows its meaning.
            let default = match object.get("default") {
                None => None,
                Some(_) => optional_text(object, "default")?.map(str::to_owned),
            };
            let kind = PromptKind::Choices { choices, default };
            kind.unanswerable().map_or(Ok(kind), Err)
        }
        other => Err(format!("unknown subtype “{}”", cut(other, 80))),
    }
}

fn is_sensitive(object: &Map<String, Value>) -> Result<bool, String> {
    match object.get("sensitive") {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(sensitive)) => Ok(*sensitive),
        Some(_) => Err("“sensitive” is neither true nor false".to_owned()),
    }
}

fn text<'a>(object: &'a Map<String, Value>, member: &str) -> Result<&'a str, String> {
    object.get(member).and_then(Value::as_str).ok_or_else(|| format!("“{member}” is not a text"))
}

fn optional_text<'a>(object: &'a Map<String, Value>, member: &str) -> Result<Option<&'a str>, String> {
    if object.get(member).is_some_and(Value::is_null) { Ok(None) } else { text(object, member).map(Some) }
}

fn check_size(what: &str, members: &Map<String, Value>, limit: usize) -> Result<(), String> {
    let size = serde_json::to_string(members).map_or(0, |json| json.len());
    if size > limit { Err(format!("its {what} of {size} bytes is over {limit}")) } else { Ok(()) }
}

fn note_cut(what: &str, text: &str, limit: usize, sink: &mut impl Sink) {
    if text.len() > limit {
        sink.message(Message::Note(format!("A {what} of {} bytes was cut to {limit}", text.len())));
    }
}

/// The text if it fits into `limit` bytes. Otherwise its beginning and an ellipsis, together at most that long.
fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    const ELLIPSIS: &str = "…";
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text[..text.floor_char_boundary(limit - ELLIPSIS.len())].to_owned() + ELLIPSIS)
}
