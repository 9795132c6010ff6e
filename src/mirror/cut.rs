//! What is kept in memory, and told in lists and streams, of a job that is large.
//!
//! Parameters and data may have a megabyte, and lists and streams tell many people of many jobs at once. Of a job that has
//! more than [`WHOLE`] they have the beginning of what is long. All of it is in the job's files, for who asks for this one.

use serde_json::{Map, Value};

use crate::spool::history::HistoryLine;
use crate::spool::request::JobRequest;

/// What has no more than this, in bytes, is kept and told as it is: parameters with data, and a command.
const WHOLE: usize = 64 << 10;
/// How much stays of a text in what has more, in bytes.
const TEXT: usize = 1 << 10;
/// Stands where a text was cut.
const MARK: char = '…';

/// Cuts what was asked for, if it is large. Returns whether it was.
pub fn request(request: &mut JobRequest) -> bool {
    params_and_data(&mut request.params, request.data.as_mut())
}

/// Cuts a line of the history, if it is large. Returns whether it was.
pub fn line(line: &mut HistoryLine) -> bool {
    let is_cut = params_and_data(&mut line.params, line.data.as_mut());
    command(&mut line.command) || is_cut
}

/// Cuts an argument vector, if it is large. Returns whether it was.
pub fn command(command: &mut Vec<String>) -> bool {
    let is_large = command.iter().map(|argument| argument.len() + OVERHEAD).sum::<usize>() > WHOLE;
    if is_large {
        let mut room = WHOLE;
        command.retain_mut(|argument| {
            let fits = room > 0;
            cut_text(argument);
            room = room.saturating_sub(argument.len() + OVERHEAD);
            fits
        });
        command.shrink_to_fit();
    }
    is_large
}

/// What a value takes beside its text, about, in bytes.
const OVERHEAD: usize = 8;

fn params_and_data(params: &mut Map<String, Value>, data: Option<&mut Map<String, Value>>) -> bool {
    let weight = weight_of(params) + data.as_deref().map_or(0, weight_of);
    if weight > WHOLE {
        for members in std::iter::once(params).chain(data) {
            cut(members, &mut (WHOLE / 2));
        }
    }
    weight > WHOLE
}

fn weight_of(members: &Map<String, Value>) -> usize {
    members.iter().map(|(name, value)| name.len() + weight(value)).sum()
}

fn weight(value: &Value) -> usize {
    OVERHEAD
        + match value {
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(weight).sum(),
            Value::Object(members) => weight_of(members),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
}

/// Leaves out what comes when there is no room any more.
fn cut(members: &mut Map<String, Value>, room: &mut usize) {
    members.retain(|name, value| {
        let fits = *room > 0 && name.len() <= TEXT;
        if fits {
            *room = room.saturating_sub(name.len());
            cut_value(value, room);
        }
        fits
    });
}

fn cut_value(value: &mut Value, room: &mut usize) {
    *room = room.saturating_sub(OVERHEAD);
    match value {
        Value::String(text) => {
            cut_text(text);
            *room = room.saturating_sub(text.len());
        }
        Value::Array(values) => {
            values.retain_mut(|value| {
                let fits = *room > 0;
                if fits {
                    cut_value(value, room);
                }
                fits
            });
            values.shrink_to_fit();
        }
        Value::Object(members) => cut(members, room),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn cut_text(text: &mut String) {
    if text.len() > TEXT {
        text.truncate(text.floor_char_boundary(TEXT));
        text.push(MARK);
        text.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cut_members(value: Value) -> (Value, bool) {
        let Value::Object(mut params) = value else { panic!() };
        let is_cut = params_and_data(&mut params, None);
        (params.into(), is_cut)
    }

    #[test]
    fn what_is_not_large_stays_as_it_is() {
        for value in
            [json!({}), json!({ "text": "x".repeat(WHOLE - 100) }), json!({ "many": vec!["0123456789"; 3000] })]
        {
            assert_eq!(cut_members(value.clone()), (value, false));
        }
    }

    #[test]
    fn of_what_is_large_the_beginning_stays_and_its_form() {
        let long = "é".repeat(WHOLE);
        let (cut, is_cut) = cut_members(json!({ "a": long, "short": "x", "list": [long, { "b": long, "n": 7 }] }));
        let text = format!("{}…", "é".repeat(TEXT / 2));
        assert!(is_cut);
        assert_eq!(cut, json!({ "a": text, "short": "x", "list": [text, { "b": text, "n": 7 }] }));
    }

    #[test]
    fn whatever_it_is_little_is_left() {
        let members: Map<String, Value> = (0..100_000).map(|n| (format!("{n}"), json!([{}, [], n]))).collect();
        let name = "x".repeat(WHOLE);
        for large in [
            json!({ "many": vec![json!({ "x": [1] }); 100_000] }),
            json!({ "text": vec!["x".repeat(TEXT); 1000] }),
            json!({ "empty": vec![json!({}); 1_000_000] }),
            Value::Object(members),
            json!({ name: 1, "short": 2 }),
        ] {
            let (cut, is_cut) = cut_members(large);
            assert!(is_cut && cut.to_string().len() < 2 * WHOLE, "{}", cut.to_string().len());
        }
        let mut arguments = vec!["x".repeat(TEXT * 2); 1000];
        arguments[0] = "true".into();
        assert!(command(&mut arguments));
        assert!(arguments[0] == "true" && arguments.concat().len() < 2 * WHOLE);
        assert!(!command(&mut vec!["true".into(), "x".repeat(WHOLE / 2)]));
    }
}
