//! What the decoder hands out.

use super::message::Message;

/// One future `line` record of the log.
///
/// Most pieces are whole lines. A line that is too long, or that takes too long, comes in several, and the flags say
/// how they belong together. A piece that is not the end of its line is `continued` or `partial`; the one that goes on
/// from it `continues`. If none does, the line ended there.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "they are the independent members of a log record")]
pub struct Piece<'a> {
    /// The text without its newline, never more than 64 KiB. It never contains the job's key.
    pub text: &'a str,
    /// Hidden from people unless they ask for it.
    pub sensitive: bool,
    /// The line was too long for one record; more of it follows.
    pub continued: bool,
    /// The line had not ended when this was shown.
    pub partial: bool,
    /// Belongs to the same line as the piece before.
    pub continues: bool,
    /// Replaces everything that was shown of the line so far: the job went back to its beginning with `\r`.
    pub rewrites: bool,
}

/// Takes what the decoder finds, in the order of the stream.
pub trait Sink {
    /// Text for the log.
    fn piece(&mut self, piece: Piece<'_>);
    /// Something to act upon.
    fn message(&mut self, message: Message);
}
