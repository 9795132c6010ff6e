//! Collects the text of one line on its way to the log.

use std::time::{Duration, Instant};

use memchr::{memchr, memmem};

use super::key::IoKey;
use super::piece::{Piece, Sink};

/// Members and values that only questions have.
const QUESTION_MEMBERS: [&[u8]; 3] = [b"\"interaction\"", b"\"input_line\"", b"\"choices\""];

/// The time after which the text of an unfinished line is shown.
const SHOW_AFTER: Duration = Duration::from_millis(200);

/// The minimum time between two shown states of a line that rewrites itself.
const REWRITE_INTERVAL: Duration = Duration::from_secs(1);

/// Collects the text of a line, which arrives in any portions, and passes it on in pieces.
///
/// A `\r` takes effect with the first character after it. So `\r\n` is an ordinary line end, and the last state of a
/// progress bar that ends in `\r` is kept.
pub(super) struct LineText {
    key: IoKey,
    piece_limit: usize,
    /// The text since the last `\r`, without the part that has been passed on for good.
    text: Vec<u8>,
    state: State,
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts, and all of them end with the line")]
struct State {
    /// The last character was a `\r`.
    returned: bool,
    /// The text is a new state of the line. Its first piece replaces the shown state.
    restarted: bool,
    /// A piece of this line has been passed on.
    shown: bool,
    /// The next pieces are sensitive.
    hidden: bool,
    /// The parts of a message in the pieces so far.
    seen: Seen,
    /// The text has changed since it was last shown. The time is set at the end of the read.
    unshown: bool,
    unshown_since: Option<Instant>,
    shown_at: Option<Instant>,
}

/// The parts of a message in the text of a line.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    /// The key.
    pub key: bool,
    /// A part of a question.
    pub question: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Reason {
    TooLong,
    TooSlow,
    End,
}

impl LineText {
    pub(super) fn new(key: IoKey, piece_limit: usize) -> Self {
        Self { key, piece_limit, text: Vec::new(), state: State::default() }
    }

    /// Whether no part of the line has arrived yet.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty() && !self.state.shown && !self.state.returned
    }

    /// Makes the rest of the line sensitive.
    pub(super) fn hide(&mut self) {
        self.state.hidden = true;
    }

    /// Adds text without `\n`.
    pub(super) fn push(&mut self, mut bytes: &[u8], sink: &mut impl Sink) {
        while let Some(&first) = bytes.first() {
            if first == b'\r' {
                self.state.returned = true;
                bytes = &bytes[1..];
                continue;
            }
            if self.state.returned {
                self.restart();
            }
            let end = memchr(b'\r', bytes).unwrap_or(bytes.len());
            self.append(&bytes[..end], sink);
            bytes = &bytes[end..];
        }
    }

    fn restart(&mut self) {
        self.state.returned = false;
        self.state.restarted |= self.state.shown || !self.text.is_empty();
        self.text.clear();
    }

    fn append(&mut self, bytes: &[u8], sink: &mut impl Sink) {
        self.state.unshown = true;
        // Portions keep the memory, and the cost of moving text to the front, independent of the length of the line.
        for portion in bytes.chunks(self.piece_limit) {
            self.text.extend_from_slice(portion);
            while self.text.len() > self.piece_limit {
                let end = self.safe_end(self.piece_limit);
                if end == 0 {
                    break;
                }
                self.emit(end, Reason::TooLong, sink);
                self.text.drain(..end);
                self.state.restarted = false;
            }
        }
    }

    /// Ends the line. Returns the parts of a message in it.
    pub(super) fn end(&mut self, sink: &mut impl Sink) -> Seen {
        if !self.text.is_empty() || !self.state.shown {
            self.emit(self.text.len(), Reason::End, sink);
        }
        let seen = self.state.seen;
        self.reset();
        seen
    }

    /// Moves to the beginning of the next line.
    pub(super) fn reset(&mut self) {
        self.text.clear();
        self.state = State::default();
    }

    /// Sets the time of everything that was pushed until now.
    pub(super) fn set_arrival(&mut self, now: Instant) {
        if self.state.unshown {
            self.state.unshown_since.get_or_insert(now);
        }
    }

    /// The time at which the unfinished line is to be shown.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let due = self.state.unshown_since? + SHOW_AFTER;
        match self.state.shown_at {
            Some(shown) if self.state.restarted => Some(due.max(shown + REWRITE_INTERVAL)),
            _ => Some(due),
        }
    }

    /// Shows the unfinished line. An end that may be the beginning of a key stays back.
    pub(super) fn show(&mut self, now: Instant, sink: &mut impl Sink) {
        self.state.unshown = false;
        self.state.unshown_since = None;
        // A state that ended with \r is complete.
        let end = if self.state.returned { self.text.len() } else { self.safe_end(self.text.len()) };
        if end == 0 {
            return;
        }
        self.emit(end, Reason::TooSlow, sink);
        self.state.shown_at = Some(now);
        // A state stays, because the last one is stored whole at the end.
        if !self.state.restarted {
            self.text.drain(..end);
        }
    }

    /// The part of the first `length` bytes that can be passed on without cutting a character or a key.
    fn safe_end(&self, length: usize) -> usize {
        let whole = whole_characters(&self.text[..length]);
        whole - self.key.partial_key_length(&self.text[..whole])
    }

    fn emit(&mut self, end: usize, reason: Reason, sink: &mut impl Sink) {
        let bytes = &self.text[..end];
        if self.key.find(bytes).is_some() {
            self.state.seen.key = true;
            self.state.hidden = true;
        }
        self.state.seen.question |= QUESTION_MEMBERS.iter().any(|part| memmem::find(bytes, part).is_some());
        let text = self.key.redact(String::from_utf8_lossy(bytes));
        sink.piece(Piece {
            text: &text,
            sensitive: self.state.hidden,
            continued: reason == Reason::TooLong,
            partial: reason == Reason::TooSlow,
            continues: self.state.shown,
            rewrites: self.state.restarted && (self.state.shown || reason == Reason::TooSlow),
        });
        self.state.shown = true;
    }
}

/// The length of `bytes` without an incomplete character at the end.
pub(super) fn whole_characters(bytes: &[u8]) -> usize {
    let first_possible = bytes.len().saturating_sub(3);
    for start in (first_possible..bytes.len()).rev() {
        let is_cut = |error: std::str::Utf8Error| error.valid_up_to() == 0 && error.error_len().is_none();
        if str::from_utf8(&bytes[start..]).is_err_and(is_cut) {
            return start;
        }
    }
    bytes.len()
}

/// Passes on a complete text, in one piece if it fits. The key must not be in it.
pub(super) fn emit_whole(text: &str, sensitive: bool, piece_limit: usize, sink: &mut impl Sink) {
    let mut rest = text;
    let mut continues = false;
    loop {
        let (text, more) = rest.split_at(rest.floor_char_boundary(piece_limit));
        sink.piece(Piece { text, sensitive, continued: !more.is_empty(), continues, ..Piece::default() });
        if more.is_empty() {
            return;
        }
        rest = more;
        continues = true;
    }
}
