//! A connection's bytes, as they pass.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::progress::Progress;
use crate::http::listener::Stream;

/// How much is read at once of what nobody wants.
const SCRAP: usize = 4096;

/// A stream that tells the connection's [`Progress`] what happens to it, and is not closed while the client still writes.
pub struct Observed {
    stream: Stream,
    progress: Arc<Progress>,
    shutdown: CancellationToken,
    is_read_out: bool,
    is_write_closed: bool,
}

impl Observed {
    pub fn new(stream: Stream, progress: Arc<Progress>, shutdown: CancellationToken) -> Self {
        Self { stream, progress, shutdown, is_read_out: false, is_write_closed: false }
    }

    /// Throws away what still comes, until the client stops writing. The connection's deadline ends it otherwise.
    fn poll_read_out(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut scrap = [0; SCRAP];
        while !self.is_read_out {
            let mut buffer = ReadBuf::new(&mut scrap);
            let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer));
            self.is_read_out = read.is_err() || buffer.filled().is_empty();
        }
        Poll::Ready(())
    }
}

impl AsyncRead for Observed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.progress.received();
        } else {
            self.is_read_out = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Observed {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has nothing left to write.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.progress.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_write_closed {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            self.is_write_closed = true;
            self.progress.begin_closing();
        }
        if !self.shutdown.is_cancelled() {
            ready!(self.poll_read_out(context));
        }
        Poll::Ready(Ok(()))
    }
}
