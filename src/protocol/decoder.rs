//! Tells messages from ordinary output.
//!
//! A job and its children write to one pipe, and a message has its key at the end. So:
//! - The decoder judges a line when it is complete. Until then it holds the line back from the first `{"` on.
//! - At every `{"` of the complete line it reads one JSON value. If the value has the key of the job, it is a message.
//!   The text before it is a line of its own. The text after it is treated in the same way.
//! - If a text begins like a message and does not parse, the output of another process has torn it. It is sensitive,
//!   and so is every line up to the one with the key.
//! - If a line has the key but no message, it is sensitive, and is stored without the key.
//! - When the key of a torn message appears, the log gets a note. A torn question is lost, and people must know that.

use std::time::{Duration, Instant};

use memchr::{memchr, memmem};

use super::candidate::{Candidate, OPENING};
use super::chunk::Chunk;
use super::key::IoKey;
use super::message;
use super::message::Message;
use super::piece::{Piece, Sink};
use super::text::{LineText, whole_characters};

/// The maximum number of `{"` in a line that the decoder looks at.
const MAX_CANDIDATES: usize = 64;

/// The lines after a torn message stay sensitive for this time if the key does not appear.
const TORN_TIME: Duration = Duration::from_secs(5);

/// The note on a message whose parts are in several lines.
const TORN: &str = "was torn by another process writing at the same time";

/// The note on a broken message within one line.
const BROKEN: &str = "is not valid JSON, or another process has written into it";

/// Turns the output of one job into pieces of text and messages.
///
/// The caller passes times in; they are only compared with each other. Memory is bounded for any output: the decoder
/// holds back at most 16 MiB, and passes the rest on in pieces of 64 KiB.
///
/// ```
/// use std::time::Instant;
/// use spiderpig::protocol::{Decoder, IoKey, Message, Piece, Sink};
///
/// #[derive(Default)]
/// struct Found(Vec<String>);
///
/// impl Sink for Found {
///     fn piece(&mut self, piece: Piece<'_>) {
///         self.0.push(format!("line: {}", piece.text));
///     }
///
///     fn message(&mut self, message: Message) {
///         self.0.push(format!("message: {message:?}"));
///     }
/// }
///
/// let mut decoder = Decoder::new(IoKey::from_text("0xsecret"));
/// let mut found = Found::default();
/// // Reads can end anywhere.
/// for read in ["Checking out\n{\"type\": \"status\", \"sta", "tus\": \"Building\", \"iokey\": \"0xsecret\"}\n"] {
///     decoder.feed(read.as_bytes(), Instant::now(), &mut found);
/// }
/// decoder.finish(&mut found);
/// assert_eq!(found.0, ["line: Checking out", "message: Status(Some(\"Building\"))"]);
/// ```
pub struct Decoder {
    key: IoKey,
    limits: Limits,
    /// The text of the current line before `held`.
    line: LineText,
    /// The current line from its first `{"` on, or a `{` at the end of the output so far.
    held: Vec<u8>,
    /// The current line was too long to hold back. Its rest is passed on at once, as sensitive.
    spilled: Option<Spilled>,
    /// The bytes of the current line so far.
    length: usize,
    torn: Option<Torn>,
    /// The torn message looks like a question.
    question_torn: bool,
}

/// Limits in bytes. Tests use smaller ones.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// The longest text of one piece.
    pub piece: usize,
    /// The maximum part of a line that is held back.
    pub held: usize,
    /// The maximum output after a torn message that is sensitive if the key does not appear.
    pub torn: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { piece: 64 << 10, held: 16 << 20, torn: 16 << 20 }
    }
}

/// A torn message. Its end, with the key, has not arrived yet.
#[derive(Clone, Copy)]
struct Torn {
    bytes_left: usize,
    /// Set at the end of the read in which it began.
    until: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Spilled {
    /// The line is a torn message.
    torn: bool,
}

impl Torn {
    /// The rest of it after a line with this many bytes.
    fn after(self, length: usize) -> Option<Self> {
        let bytes_left = self.bytes_left.checked_sub(length)?;
        Some(Self { bytes_left, ..self })
    }
}

impl Decoder {
    /// A decoder at the beginning of the output of the job with this key.
    #[must_use]
    pub fn new(key: IoKey) -> Self {
        Self::with_limits(key, Limits::default())
    }

    pub(super) fn with_limits(key: IoKey, limits: Limits) -> Self {
        let line = LineText::new(key.clone(), limits.piece);
        Self { key, limits, line, held: Vec::new(), spilled: None, length: 0, torn: None, question_torn: false }
    }

    /// Takes the bytes of one read, which arrived at the time `now`.
    pub fn feed(&mut self, bytes: &[u8], now: Instant, sink: &mut impl Sink) {
        if self.torn.is_some_and(|torn| torn.until.is_some_and(|until| until <= now)) {
            self.torn = None;
            self.question_torn = false;
        }
        let mut chunk = Chunk::new(bytes);
        let mut at = 0;
        while at < bytes.len() {
            if self.is_between_lines() {
                while let Some(text) = chunk.plain_line(at, self.limits.piece, &self.key) {
                    sink.piece(Piece { text, ..Piece::default() });
                    at += text.len() + 1;
                }
            }
            let rest = &bytes[at..];
            if let Some(length) = memchr(b'\n', rest) {
                self.push(&rest[..length], sink);
                self.end_line(sink);
                at += length + 1;
            } else {
                self.push(rest, sink);
                at = bytes.len();
            }
        }
        self.line.set_arrival(now);
        if let Some(torn) = &mut self.torn {
            torn.until.get_or_insert(now + TORN_TIME);
        }
        self.wake(now, sink);
    }

    /// The time at which [`Self::wake`] is due, unless more bytes arrive before. `None`: no text waits.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.line.deadline()
    }

    /// Shows text that has waited long enough: an unfinished line after 200 ms, and the state of a line that rewrites
    /// itself at most once a second. It can be called at any time.
    pub fn wake(&mut self, now: Instant, sink: &mut impl Sink) {
        if self.line.deadline().is_some_and(|deadline| deadline <= now) {
            self.line.show(now, sink);
        }
    }

    /// Shows the text so far of an unfinished line, because other output will follow it.
    pub fn show(&mut self, now: Instant, sink: &mut impl Sink) {
        self.line.show(now, sink);
    }

    /// Ends the output. Passes on everything that was held back.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        if !self.line.is_empty() || !self.held.is_empty() {
            self.end_line(sink);
        }
    }

    fn is_between_lines(&self) -> bool {
        self.length == 0 && self.torn.is_none()
    }

    /// Takes a part of a line.
    fn push(&mut self, part: &[u8], sink: &mut impl Sink) {
        let Some(&first) = part.first() else {
            return;
        };
        self.length += part.len();
        if self.torn.is_some() {
            self.line.hide();
        }
        if self.held == b"{" && first != b'"' {
            self.held.clear();
            self.line.push(b"{", sink);
        }
        if self.spilled.is_some() {
            self.line.push(part, sink);
            return;
        }
        let (passed, part) = part.split_at(if self.held.is_empty() { plain_length(part) } else { 0 });
        self.line.push(passed, sink);

        let room = self.limits.held.saturating_sub(self.held.len()).min(part.len());
        let (fitting, beyond) = part.split_at(room);
        self.held.extend_from_slice(fitting);
        if !beyond.is_empty() {
            self.spill(sink);
            self.line.push(beyond, sink);
        }
    }

    /// Stops holding the line back.
    fn spill(&mut self, sink: &mut impl Sink) {
        let held = std::mem::take(&mut self.held);
        let (whole, cut_character) = held.split_at(whole_characters(&held));
        let text = String::from_utf8_lossy(whole);
        let rest = self.take_messages(&text, sink);
        self.spilled = Some(Spilled { torn: self.is_torn(rest) });
        self.line.hide();
        self.line.push(rest.text.as_bytes(), sink);
        self.line.push(cut_character, sink);
    }

    fn end_line(&mut self, sink: &mut impl Sink) {
        self.torn = self.torn.and_then(|torn| torn.after(self.length));
        self.question_torn &= self.torn.is_some();
        self.length = 0;
        let held = std::mem::take(&mut self.held);
        if held.len() < OPENING.len() {
            self.line.push(&held, sink);
            let seen = self.line.end(sink);
            self.question_torn |= seen.question && (seen.key || self.torn.is_some());
            if seen.key {
                let was_torn = self.torn.take().is_some();
                self.note_torn(was_torn, TORN, sink);
            } else if self.spilled.is_some_and(|spilled| spilled.torn) {
                self.begin_torn();
            }
        } else {
            let text = String::from_utf8_lossy(&held);
            let rest = self.take_messages(&text, sink);
            self.end_text(rest, sink);
        }
        self.spilled = None;
    }

    /// Passes on the messages in a held text, and the text before each of them. Returns the text after the last.
    fn take_messages<'t>(&mut self, text: &'t str, sink: &mut impl Sink) -> Text<'t> {
        let mut rest = Text { text, torn_at: None };
        let mut at = 0;
        for _ in 0..MAX_CANDIDATES {
            let Some(found) = memmem::find(&rest.text.as_bytes()[at..], OPENING.as_bytes()) else {
                break;
            };
            at += found;
            match Candidate::read(&rest.text[at..], &self.key) {
                Candidate::Message { object, length } => {
                    let (before, message) = rest.text.split_at(at);
                    self.end_text(Text { text: before, ..rest }, sink);
                    message::deliver(object, self.limits.piece, sink);
                    rest = Text { text: &message[length..], torn_at: None };
                    at = 0;
                }
                Candidate::Other { length } => at += length,
                Candidate::Torn => {
                    rest.torn_at = Some(at);
                    at += OPENING.len();
                    // Without the key no message can follow, and the line is at least torn.
                    if !self.key.is_in(&rest.text[at..]) {
                        break;
                    }
                }
            }
        }
        rest
    }

    /// Ends a line with this text.
    fn end_text(&mut self, rest: Text<'_>, sink: &mut impl Sink) {
        // Blanks around a message are not a line.
        if self.line.is_empty() && rest.text.trim_ascii().is_empty() {
            self.line.reset();
            return;
        }
        if rest.torn_at.is_some() || self.torn.is_some() || self.key.is_in(rest.text) {
            self.line.hide();
        }
        self.line.push(rest.text.as_bytes(), sink);
        let seen = self.line.end(sink);
        let is_part = rest.torn_at.is_some() || self.torn.is_some();
        self.question_torn |= seen.question && (seen.key || is_part);
        if self.is_torn(rest) {
            self.begin_torn();
        } else if seen.key {
            let how = if rest.torn_at.is_some() && self.torn.is_none() { BROKEN } else { TORN };
            if rest.torn_at.is_none() {
                self.torn = None;
            }
            self.note_torn(is_part, how, sink);
        }
    }

    /// Notes a torn message when its key has appeared outside a message.
    fn note_torn(&mut self, was_torn: bool, how: &str, sink: &mut impl Sink) {
        let question_torn = std::mem::take(&mut self.question_torn);
        if question_torn || was_torn {
            let what = if question_torn { "question" } else { "message" };
            sink.message(Message::Note(format!("a {what} {how}; what is left of it is among the sensitive lines")));
        }
        if question_torn {
            sink.message(Message::LostQuestion(format!("it {how}")));
        }
    }

    /// Whether the text contains the beginning of a message but not its end. A message ends with its key and the end of
    /// the object. The key alone is not the end: the key may have come first, with the secrets still to come.
    fn is_torn(&self, text: Text<'_>) -> bool {
        let Some(at) = text.torn_at else {
            return false;
        };
        let Some((_, after_key)) = text.text[at..].rsplit_once(self.key.as_str()) else {
            return true;
        };
        let closed_by_key = after_key.strip_prefix('"').is_some_and(|after| after.trim_start().starts_with('}'));
        !closed_by_key && !after_key.trim_end().ends_with('}')
    }

    fn begin_torn(&mut self) {
        self.torn = Some(Torn { bytes_left: self.limits.torn, until: None });
    }
}

/// A part of a line without messages.
#[derive(Clone, Copy)]
struct Text<'t> {
    text: &'t str,
    /// The place in it of a message that does not parse.
    torn_at: Option<usize>,
}

/// The end of the text that need not be held back.
fn plain_length(part: &[u8]) -> usize {
    memmem::find(part, OPENING.as_bytes()).unwrap_or(part.len() - usize::from(part.ends_with(b"{")))
}
