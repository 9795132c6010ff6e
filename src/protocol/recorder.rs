//! A sink for tests, which keeps everything.

use std::time::Instant;

use super::decoder::Limits;
use super::{Decoder, IoKey, Message, Piece, Sink};

pub(super) const KEY: &str = "0x0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde0";

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    /// The text, and the names of its flags.
    Piece(String, Vec<&'static str>),
    Message(Message),
}

#[derive(Default)]
pub(super) struct Recorder {
    pub seen: Vec<Seen>,
}

impl Sink for Recorder {
    fn piece(&mut self, piece: Piece<'_>) {
        let flags = [
            (piece.sensitive, "sensitive"),
            (piece.continued, "continued"),
            (piece.partial, "partial"),
            (piece.continues, "continues"),
            (piece.rewrites, "rewrites"),
        ];
        let flags = flags.into_iter().filter_map(|(set, name)| set.then_some(name)).collect();
        self.seen.push(Seen::Piece(piece.text.to_owned(), flags));
    }

    fn message(&mut self, message: Message) {
        self.seen.push(Seen::Message(message));
    }
}

pub(super) fn piece(text: &str, flags: &[&'static str]) -> Seen {
    Seen::Piece(text.to_owned(), flags.to_vec())
}

pub(super) fn line(text: &str) -> Seen {
    piece(text, &[])
}

pub(super) fn status(text: &str) -> Seen {
    Seen::Message(Message::Status(Some(text.to_owned())))
}

/// Decodes the reads, all at the same time.
pub(super) fn decode<'a>(limits: Limits, reads: impl IntoIterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut decoder = Decoder::with_limits(IoKey::from_text(KEY), limits);
    let mut recorder = Recorder::default();
    let now = Instant::now();
    for read in reads {
        decoder.feed(read, now, &mut recorder);
    }
    decoder.finish(&mut recorder);
    recorder.seen
}
