//! What a job says on its standard output and hears on its standard input.
//!
//! Most of what a job prints is ordinary text. A line that is a JSON object whose member `iokey` is the job's own
//! [`IoKey`] is a message: a line for the log, a status text, progress, or a question. The [`Decoder`] tells the two
//! apart in whatever portions the bytes arrive, and hands [`Piece`]s of text and [`Message`]s to a [`Sink`], in the
//! order of the stream. It reads no file and no clock, so that every rule can be tested with plain bytes.
//!
//! The key is a secret. Nothing that comes out of the decoder contains it.
//!
//! The rules are in `decoder.rs`, questions and their answers in `prompt.rs`, the key in `key.rs`.

mod candidate;
mod chunk;
mod decoder;
pub mod encode;
mod key;
mod message;
mod piece;
mod prompt;
mod text;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod recorder;
#[cfg(test)]
mod tests;

pub use decoder::Decoder;
pub use key::IoKey;
pub use message::Message;
pub use piece::{Piece, Sink};
pub use prompt::{AnswerError, MAX_ANSWER, Prompt, PromptKind};
