//! A line of the audit trail, and how it becomes text: one line whatever is in it, never longer than [`MAX_LINE`].

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::ser::{CompactFormatter, Formatter};
use serde_json::{Map, Serializer, Value};

use super::Entry;
use crate::spool::Time;

/// The longest line, in bytes and without its newline: 16 KiB.
pub(crate) const MAX_LINE: usize = 1 << 14;

/// The mark in place of what was left out.
const MARK: &str = "…";

/// The longest name of a user, address or request id, in bytes.
const NAME_LIMIT: usize = 256;

/// The longest texts in the details, in bytes: the first of these with which the line is short enough.
const TEXT_LIMITS: [usize; 4] = [4096, 1024, 256, 64];

/// How deep details are nested at most.
const DEPTH: usize = 8;

/// An entry in its place in the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The number of the line, from 1.
    pub n: u64,
    /// When it was written.
    pub time: Time,
    /// The word of an [`Event`](super::Event), or one that only a later version knows.
    pub event: String,
    /// The user, if that is known.
    pub user: Option<String>,
    /// Where they were: an IP address, `unix` or `host`.
    pub address: String,
    /// The id of the request.
    pub request: Option<String>,
    /// What else there is to tell.
    pub details: Map<String, Value>,
    /// The SHA-256, in hexadecimal, of the line before, without its newline; 64 zeros for the first line. Fragments
    /// that a crash left behind the line before count as a part of it, with the newlines between.
    pub previous: String,
}

impl Line {
    pub(crate) fn new(n: u64, time: Time, entry: &Entry, previous: String) -> Self {
        Self {
            n,
            time,
            event: entry.event.word().to_owned(),
            user: entry.user.as_deref().map(|user| shortened(user, NAME_LIMIT)),
            address: shortened(&entry.address, NAME_LIMIT),
            request: entry.request.as_deref().map(|request| shortened(request, NAME_LIMIT)),
            details: entry.details.clone(),
            previous,
        }
    }

    /// Reads a line, which is given without its newline. `None` if this program did not write it.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_LINE {
            return None;
        }
        serde_json::from_slice(bytes).ok()
    }

    /// The text, without a newline. If it is too long, the texts in the details are shortened. If that is not enough, all
    /// details are left out, and the line says so.
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        let details = std::mem::take(&mut self.details);
        for limit in TEXT_LIMITS {
            self.details = shortened_members(&details, limit, DEPTH);
            let bytes = self.to_bytes();
            if bytes.len() <= MAX_LINE {
                return bytes;
            }
        }
        self.details = Map::from_iter([(MARK.to_owned(), Value::from("the details were too long"))]);
        self.to_bytes()
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let written = self.serialize(&mut Serializer::with_formatter(&mut bytes, Visible(CompactFormatter)));
        // Writing to memory cannot fail, and all keys are texts.
        debug_assert!(written.is_ok());
        bytes
    }
}

fn shortened_members(members: &Map<String, Value>, limit: usize, depth: usize) -> Map<String, Value> {
    members.iter().map(|(key, value)| (shortened(key, limit), shortened_value(value, limit, depth - 1))).collect()
}

fn shortened_value(value: &Value, limit: usize, depth: usize) -> Value {
    match value {
        Value::String(text) => shortened(text, limit).into(),
        Value::Array(_) | Value::Object(_) if depth == 0 => MARK.into(),
        Value::Array(values) => values.iter().map(|value| shortened_value(value, limit, depth - 1)).collect(),
        Value::Object(members) => shortened_members(members, limit, depth).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// A text of at most `limit` bytes, and a mark if it was longer.
fn shortened(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    format!("{}{MARK}", &text[..text.floor_char_boundary(limit)])
}

/// Escapes what a terminal or an editor would obey and not show, so that no name looks like another name or line.
struct Visible(CompactFormatter);

impl Formatter for Visible {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, letter)) = rest.char_indices().find(|(_, letter)| is_obeyed(*letter)) {
            self.0.write_string_fragment(writer, &rest[..at])?;
            for unit in letter.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + letter.len_utf8()..];
        }
        self.0.write_string_fragment(writer, rest)
    }
}

/// Whether a character is a control or a separator of lines or paragraphs, has no width, or turns the direction of writing.
fn is_obeyed(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}
