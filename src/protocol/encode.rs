//! Writes messages, for jobs that speak the protocol.
//!
//! Each message is one line with its newline. The key is last, as in the messages of scap. Write it with one call:
//! another process cannot tear a message that is shorter than a pipe's atomic 4 KiB.

use serde_json::{Map, Value, json};

use super::key::IoKey;
use super::prompt::{Prompt, PromptKind};

/// A line for the log. The text has no final newline.
#[must_use]
pub fn line(key: &IoKey, text: &str, sensitive: bool) -> String {
    message(key, json!({ "type": "line", "line": text, "sensitive": sensitive }))
}

/// The job's status text. `None` clears it.
#[must_use]
pub fn status(key: &IoKey, status: Option<&str>) -> String {
    message(key, json!({ "type": "status", "status": status }))
}

/// The progress of the job.
#[must_use]
pub fn progress(key: &IoKey, progress: &Map<String, Value>) -> String {
    message(key, json!({ "type": "progress", "progress": progress }))
}

/// A question. The answer comes as a line on standard input.
#[must_use]
pub fn interaction(key: &IoKey, prompt: &Prompt) -> String {
    let mut question = match &prompt.kind {
        PromptKind::Choices { choices, default } => json!({
            "type": "interaction",
            "subtype": "choices",
            "prompt": prompt.prompt,
            "choices": choices,
            "default": default,
        }),
        PromptKind::InputLine => json!({ "type": "interaction", "subtype": "input_line", "prompt": prompt.prompt }),
    };
    if prompt.sensitive {
        question["sensitive"] = true.into();
    }
    message(key, question)
}

fn message(key: &IoKey, mut message: Value) -> String {
    message["iokey"] = key.as_str().into();
    format!("{message}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_last() {
        let text = line(&IoKey::from_text("0xkey"), "a\n\"b\"", true);
        assert_eq!(text, concat!(r#"{"type":"line","line":"a\n\"b\"","sensitive":true,"iokey":"0xkey"}"#, "\n"));
    }
}
