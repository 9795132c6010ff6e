//! The output of the decoder: pieces of lines, and the receiver of pieces and messages.

use super::message::Message;

/// One future `line` record of the log.
///
/// Most pieces are whole lines. A line that is too long, or that takes too long, comes in several pieces, and the flags
/// say how they belong together. A piece is `continued` or `partial` if its line goes on. The next piece of the line
/// `continues` it. If none follows, the line ended there.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "they are the independent members of a log record")]
pub struct Piece<'a> {
    /// The text without its newline, at most 64 KiB. It never contains the job's key.
    pub text: &'a str,
    /// Hidden from people unless they ask for it.
    pub sensitive: bool,
    /// The line was too long for one record. More of it follows.
    pub continued: bool,
    /// The line had not ended when this was shown.
    pub partial: bool,
    /// Belongs to the same line as the piece before.
    pub continues: bool,
    /// Replaces the whole line as shown so far: the job returned to its beginning with `\r`.
    pub rewrites: bool,
}

/// Receives the results of the decoder, in the order of the stream.
pub trait Sink {
    /// Text for the log.
    fn piece(&mut self, piece: Piece<'_>);
    /// A message to act on.
    fn message(&mut self, message: Message);
}
