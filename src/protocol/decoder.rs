//! Tells messages from ordinary output.
//!
//! A job and its children write to one pipe, and a message carries its key at the end. So:
//! - A line is judged when it is complete. From its first `{"` on it is held back until then.
//! - At every `{"` of the complete line one JSON value is read. If it has our key, it is a message; the text before it
//!   is a line of its own, and what follows is treated in the same way.
//! - What begins like a message and does not parse was torn by the output of another process. It is sensitive, and so
//!   is every line up to the one where the key turns up.
//! - A line with the key and without a message is sensitive, and stored without the key.
//! - When the key of a torn message turns up, that is noted; a question that was torn is lost, which people must know.

use std::time::{Duration, Instant};

use memchr::{memchr, memmem};

use super::candidate::{Candidate, OPENING};
use super::chunk::Chunk;
use super::key::IoKey;
use super::message;
use super::message::Message;
use super::piece::{Piece, Sink};
use super::text::{LineText, whole_characters};

/// How many `{"` of a line are looked at.
const MAX_CANDIDATES: usize = 64;

/// How long the lines after a torn message stay sensitive if the key does not turn up.
const TORN_TIME: Duration = Duration::from_secs(5);

/// What happened to a message whose parts are in several lines.
const TORN: &str = "was torn by another process writing at the same time";

/// What may have happened to one that is whole in its line.
const BROKEN: &str = "is not valid JSON, or another process has written into it";

/// Turns the output of one job into pieces of text and messages.
///
/// Times are passed in and only ever compared with each other. Memory is bounded, whatever comes: 16 MiB are held
/// back, and what is not held back is passed on 64 KiB at a time.
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
/// // Reads end wherever they like.
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
    /// The current line from its first `{"` on, or a `{` at the end of what came.
    held: Vec<u8>,
    /// The current line was too long to be held back; its rest goes out as it comes, hidden.
    spilled: Option<Spilled>,
    /// Bytes of the current line.
    length: usize,
    torn: Option<Torn>,
    /// What was torn looks like a question.
    asks: bool,
}

/// In bytes. Tests use smaller ones.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// The longest text of one piece.
    pub piece: usize,
    /// How much of a line is held back.
    pub held: usize,
    /// How much after a torn message is hidden if the key does not turn up.
    pub torn: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { piece: 64 << 10, held: 16 << 20, torn: 16 << 20 }
    }
}

/// A message that was torn; its end, with the key, is still to come.
#[derive(Clone, Copy)]
struct Torn {
    bytes_left: usize,
    /// Known at the end of the read in which it began.
    until: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Spilled {
    /// It is a message that is still to be completed.
    torn: bool,
}

impl Torn {
    /// What is left of it after a line of so many bytes.
    fn after(self, length: usize) -> Option<Self> {
        let bytes_left = self.bytes_left.checked_sub(length)?;
        Some(Self { bytes_left, ..self })
    }
}

impl Decoder {
    /// A decoder at the beginning of the output of the job that has this key.
    #[must_use]
    pub fn new(key: IoKey) -> Self {
        Self::with_limits(key, Limits::default())
    }

    pub(super) fn with_limits(key: IoKey, limits: Limits) -> Self {
        let line = LineText::new(key.clone(), limits.piece);
        Self { key, limits, line, held: Vec::new(), spilled: None, length: 0, torn: None, asks: false }
    }

    /// Takes the bytes of one read, which came at the time `now`.
    pub fn feed(&mut self, bytes: &[u8], now: Instant, sink: &mut impl Sink) {
        if self.torn.is_some_and(|torn| torn.until.is_some_and(|until| until <= now)) {
            self.torn = None;
            self.asks = false;
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
        self.line.came_at(now);
        if let Some(torn) = &mut self.torn {
            torn.until.get_or_insert(now + TORN_TIME);
        }
        self.wake(now, sink);
    }

    /// When [`Self::wake`] is due, unless more bytes come before. `None`: nothing waits for the time.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.line.deadline()
    }

    /// Shows what has waited long enough: an unfinished line after 200 ms, the state of one that rewrites itself at
    /// most once a second. Harmless at any time.
    pub fn wake(&mut self, now: Instant, sink: &mut impl Sink) {
        if self.line.deadline().is_some_and(|deadline| deadline <= now) {
            self.line.show(now, sink);
        }
    }

    /// Shows what there is of an unfinished line, as something else is about to stand behind it.
    pub fn show(&mut self, now: Instant, sink: &mut impl Sink) {
        self.line.show(now, sink);
    }

    /// The output has ended. Everything that was held back comes out.
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
        let (passed, part) = part.split_at(if self.held.is_empty() { held_from(part) } else { 0 });
        self.line.push(passed, sink);

        let room = self.limits.held.saturating_sub(self.held.len()).min(part.len());
        let (fitting, beyond) = part.split_at(room);
        self.held.extend_from_slice(fitting);
        if !beyond.is_empty() {
            self.spill(sink);
            self.line.push(beyond, sink);
        }
    }

    /// Gives up holding the line back.
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
        self.asks &= self.torn.is_some();
        self.length = 0;
        let held = std::mem::take(&mut self.held);
        if held.len() < OPENING.len() {
            self.line.push(&held, sink);
            let seen = self.line.end(sink);
            self.asks |= seen.question && (seen.key || self.torn.is_some());
            if seen.key {
                let was_torn = self.torn.take().is_some();
                self.tell_of_torn(was_torn, TORN, sink);
            } else if self.spilled.is_some_and(|spilled| spilled.torn) {
                self.tear();
            }
        } else {
            let text = String::from_utf8_lossy(&held);
            let rest = self.take_messages(&text, sink);
            self.end_text(rest, sink);
        }
        self.spilled = None;
    }

    /// Passes on the messages in a held text, and what stands before each of them. Returns what follows the last.
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
                    // Without the key no message follows, and the line cannot be more than torn.
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
        // Blanks around a message are no line.
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
        self.asks |= seen.question && (seen.key || is_part);
        if self.is_torn(rest) {
            self.tear();
        } else if seen.key {
            let how = if rest.torn_at.is_some() && self.torn.is_none() { BROKEN } else { TORN };
            if rest.torn_at.is_none() {
                self.torn = None;
            }
            self.tell_of_torn(is_part, how, sink);
        }
    }

    /// Tells that a message was torn, now that its key has turned up outside a message.
    fn tell_of_torn(&mut self, was_torn: bool, how: &str, sink: &mut impl Sink) {
        let asks = std::mem::take(&mut self.asks);
        if asks || was_torn {
            let what = if asks { "question" } else { "message" };
            sink.message(Message::Note(format!("a {what} {how}; what is left of it is among the sensitive lines")));
        }
        if asks {
            sink.message(Message::Unasked(format!("it {how}")));
        }
    }

    /// Whether a message begins in the text whose end is still to come. It ends with its key and the end of the
    /// object. With the key alone it does not: the key may have come first, and the secrets are still to come.
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

    fn tear(&mut self) {
        self.torn = Some(Torn { bytes_left: self.limits.torn, until: None });
    }
}

/// A part of a line without messages.
#[derive(Clone, Copy)]
struct Text<'t> {
    text: &'t str,
    /// Where in it a message begins that does not parse.
    torn_at: Option<usize>,
}

/// Where the text ends that needs not be held back.
fn held_from(part: &[u8]) -> usize {
    memmem::find(part, OPENING.as_bytes()).unwrap_or(part.len() - usize::from(part.ends_with(b"{")))
}
