//! The rules of `output.log`: the log as plain text, as a terminal would show it.

use super::record::RecordKind;
use crate::protocol::Piece;

/// Makes plain text from records. It leaves out sensitive lines. It shows a line that rewrites itself in its last
/// state, and actions of people in brackets.
#[derive(Debug, Default)]
pub struct PlainText {
    /// The text ends in the middle of a line.
    line_is_open: bool,
}

impl PlainText {
    /// Adds a line, or a piece of one, unless it is sensitive.
    pub fn piece(&mut self, piece: Piece<'_>, text: &mut Vec<u8>) {
        let unfinished_rewrite = piece.rewrites && piece.partial;
        if piece.sensitive || unfinished_rewrite {
            return;
        }
        if !piece.continues || piece.rewrites {
            self.end_line(text);
        }
        text.extend_from_slice(piece.text.as_bytes());
        self.line_is_open = true;
        if !piece.continued && !piece.partial {
            self.end_line(text);
        }
    }

    /// Adds a record of another type, if readers of the text need it: an answer, a signal or a note.
    pub fn record(&mut self, kind: &RecordKind, text: &mut Vec<u8>) {
        let remark = match kind {
            RecordKind::Response { user, response, .. } => format!("[{user} answered: {response}]\n"),
            RecordKind::Signal { user, signal } => format!("[{user} sent: {signal}]\n"),
            RecordKind::Note { note, .. } => format!("[{note}]\n"),
            _ => return,
        };
        self.end_line(text);
        text.extend_from_slice(remark.as_bytes());
    }

    /// Ends a line that is open.
    pub fn end_line(&mut self, text: &mut Vec<u8>) {
        if std::mem::take(&mut self.line_is_open) {
            text.push(b'\n');
        }
    }
}
