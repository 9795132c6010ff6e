//! The lines of a log, whole: what was written in pieces is put together.

use serde::Deserialize;

use crate::spool::log::{Record, RecordKind};

/// Something that can be read as a line.
pub struct Line<'a> {
    /// The number of its first record.
    pub first: u64,
    /// What it says, without the newline at its end.
    pub text: &'a str,
    /// It is shown only to those who ask for it.
    pub sensitive: bool,
}

/// Puts lines together from records that are given chunk by chunk.
#[derive(Default)]
pub struct Lines {
    /// A line whose end was not seen yet.
    unfinished: Option<Unfinished>,
}

struct Unfinished {
    first: u64,
    text: String,
    sensitive: bool,
}

/// A record of output, borrowed where it can be, because there are millions of them.
#[derive(Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "these are the members that the record has")]
struct Stored<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow, default)]
    line: std::borrow::Cow<'a, str>,
    #[serde(default)]
    sensitive: bool,
    #[serde(default)]
    continued: bool,
    #[serde(default)]
    partial: bool,
    #[serde(default)]
    continues: bool,
    #[serde(default)]
    rewrites: bool,
}

impl Lines {
    /// Reads a chunk of whole records, the first of which has the number `first`, and visits the lines that end in it.
    pub fn read(&mut self, first: u64, chunk: &[u8], visit: &mut impl FnMut(&Line)) {
        for (record, recno) in chunk.split_inclusive(|byte| *byte == b'\n').zip(first..) {
            // What is no record is nothing that could be read.
            let Ok(stored) = serde_json::from_slice::<Stored>(record) else { continue };
            if stored.kind == "line" {
                self.piece(recno, &stored, visit);
            } else if let Some(text) = text_of(record) {
                visit(&Line { first: recno, text: &text, sensitive: false });
            }
        }
    }

    /// There is nothing more: a line without an end is as complete as it will ever be.
    pub fn finish(&mut self, visit: &mut impl FnMut(&Line)) {
        if let Some(line) = self.unfinished.take() {
            visit(&Line { first: line.first, text: &line.text, sensitive: line.sensitive });
        }
    }

    fn piece(&mut self, recno: u64, piece: &Stored, visit: &mut impl FnMut(&Line)) {
        let is_end = !piece.continued && !piece.partial;
        if !piece.continues && !piece.rewrites {
            self.finish(visit);
            if is_end {
                visit(&Line { first: recno, text: &piece.line, sensitive: piece.sensitive });
                return;
            }
        }
        let new = || Unfinished { first: recno, text: String::new(), sensitive: false };
        let line = self.unfinished.get_or_insert_with(new);
        if piece.rewrites {
            line.text.clear();
        }
        line.text.push_str(&piece.line);
        line.sensitive |= piece.sensitive;
        if is_end {
            self.finish(visit);
        }
    }
}

/// What other records say to people.
fn text_of(record: &[u8]) -> Option<String> {
    match serde_json::from_slice::<Record>(record).ok()?.kind {
        RecordKind::Note { note } => Some(note),
        RecordKind::Interaction { prompt, .. } => Some(prompt),
        RecordKind::Response { user, response, .. } => Some(format!("{user}: {response}")),
        RecordKind::Status { status } => status,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[&str]]) -> Vec<(u64, String, bool)> {
        let mut found = Vec::new();
        let mut visit = |line: &Line| found.push((line.first, line.text.to_owned(), line.sensitive));
        let mut lines = Lines::default();
        let mut first = 1;
        for chunk in chunks {
            let text = chunk.join("\n") + "\n";
            lines.read(first, text.as_bytes(), &mut visit);
            first += chunk.len() as u64;
        }
        lines.finish(&mut visit);
        found
    }

    #[test]
    fn pieces_become_one_line_with_the_number_of_the_first_across_chunks() {
        let found = lines(&[
            &[r#"{"type":"line","line":"plain"}"#, r#"{"type":"line","line":"one \"","continued":true}"#],
            &[
                r#"{"type":"line","line":"two","continues":true,"continued":true,"sensitive":true}"#,
                r#"{"type":"line","line":"three","continues":true}"#,
                r#"{"type":"line","line":"10 %","partial":true}"#,
                r#"{"type":"line","line":"20 %","partial":true,"rewrites":true}"#,
                r#"{"type":"line","line":"next"}"#,
                "damage",
                r#"{"type":"line","line":"open","partial":true}"#,
            ],
        ]);
        let expected = [
            (1, "plain", false),
            (2, "one \"twothree", true),
            (5, "20 %", false),
            (7, "next", false),
            (9, "open", false),
        ];
        assert_eq!(found, expected.map(|(first, text, sensitive)| (first, text.to_owned(), sensitive)));
    }

    #[test]
    fn what_people_said_and_were_asked_is_text_too() {
        let found = lines(&[&[
            r#"{"time":"2026-11-24T06:00:00.000Z","type":"note","note":"a note"}"#,
            r#"{"time":"2026-11-24T06:00:00.000Z","type":"response","user":"bob","response":"y","interaction":1}"#,
            r#"{"time":"2026-11-24T06:00:00.000Z","type":"exit","status":0,"signal":null}"#,
        ]]);
        assert_eq!(found, [(1, "a note".to_owned(), false), (2, "bob: y".to_owned(), false)]);
    }
}
