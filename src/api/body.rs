//! Bodies of requests and responses.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::StatusCode;
use hyper::body::{Body as HttpBody, Bytes, Frame};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::error::ApiError;

/// The largest request body that is accepted, in bytes.
pub const MAX_REQUEST_BODY: usize = 1 << 20;

/// How much of a body that is too large is read and thrown away. A client that is still writing when the connection is
/// closed gets a reset instead of the answer, so one that overshoots within reason is heard out.
const MAX_DISCARDED: usize = 8 * MAX_REQUEST_BODY;

/// Pieces that wait in a stream for a slow client. Few, so that its producer is slowed and memory is not used up.
const STREAM_CAPACITY: usize = 4;

/// The body of a response: complete, or streamed.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A body that is known completely.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

/// A body that is sent piece by piece, as the sender gives them, until the sender is dropped or `end` is cancelled.
///
/// `send` waits while the client is slow and fails once it is gone; a producer with nothing to send learns that from
/// [`closed`](mpsc::Sender::closed). When `end` is cancelled the pieces that still wait are dropped: a fast producer
/// must not be able to hold up a shutdown.
#[must_use]
pub fn stream(end: CancellationToken) -> (mpsc::Sender<Bytes>, Body) {
    let (sender, pieces) = mpsc::channel(STREAM_CAPACITY);
    let end = Box::pin(end.cancelled_owned());
    (sender, Stream { pieces, end }.boxed_unsync())
}

struct Stream {
    pieces: mpsc::Receiver<Bytes>,
    end: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl HttpBody for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        let piece = self.pieces.poll_recv(context);
        piece.map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Reads a request body to its end.
///
/// # Errors
/// 413 for more than [`MAX_REQUEST_BODY`], 408 if it takes longer than `limit`, 400 if it breaks off.
pub async fn read<B>(body: B, limit: Duration) -> Result<Bytes, ApiError>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    match tokio::time::timeout(limit, read_all(body)).await {
        Ok(result) => result,
        Err(_) => Err(ApiError::refused(StatusCode::REQUEST_TIMEOUT, "The request body did not arrive in time")),
    }
}

async fn read_all<B>(mut body: B) -> Result<Bytes, ApiError>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let mut kept = Vec::new();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(ApiError::refused(StatusCode::BAD_REQUEST, "The request body broke off"));
        };
        let Ok(data) = frame.into_data() else {
            continue; // trailers
        };
        size += data.len();
        if size <= MAX_REQUEST_BODY {
            kept.extend_from_slice(&data);
        } else if size > MAX_DISCARDED {
            break;
        }
    }
    if size > MAX_REQUEST_BODY {
        return Err(ApiError::refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The request body is larger than {MAX_REQUEST_BODY} bytes"),
        ));
    }
    Ok(kept.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_body_of_the_limit_is_read_and_one_byte_more_is_413() {
        let largest = Full::new(Bytes::from(vec![b'x'; MAX_REQUEST_BODY]));
        assert_eq!(read(largest, LONG).await.unwrap().len(), MAX_REQUEST_BODY);

        let larger = Full::new(Bytes::from(vec![b'x'; MAX_REQUEST_BODY + 1]));
        let error = read(larger, LONG).await.unwrap_err();
        assert_eq!(error.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_408_if_slow_and_413_if_fast() {
        let (silent, body) = stream(CancellationToken::new());
        let error = read(body, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(error.status(), StatusCode::REQUEST_TIMEOUT);
        drop(silent);

        let (sender, body) = stream(CancellationToken::new());
        let piece = Bytes::from(vec![b'x'; 1 << 16]);
        let writer = tokio::spawn(async move { while sender.send(piece.clone()).await.is_ok() {} });
        let error = read(body, LONG).await.unwrap_err();
        assert_eq!(error.status(), StatusCode::PAYLOAD_TOO_LARGE);
        writer.await.unwrap();
    }

    #[tokio::test]
    async fn a_stream_ends_with_its_sender_or_its_token() {
        let (sender, mut body) = stream(CancellationToken::new());
        sender.send(Bytes::from_static(b"one")).await.unwrap();
        drop(sender);
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "one");
        assert!(body.frame().await.is_none());

        let end = CancellationToken::new();
        let (sender, mut body) = stream(end.clone());
        sender.send(Bytes::from_static(b"late")).await.unwrap();
        end.cancel();
        assert!(body.frame().await.is_none());
        drop(body);
        sender.closed().await;
    }
}
