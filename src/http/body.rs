//! Bodies of requests and responses.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::StatusCode;
use hyper::body::{Body as HttpBody, Bytes, Frame, Incoming};
use thiserror::Error;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::error::ApiError;
use super::streams::Turn;

/// The largest request body that is accepted, in bytes.
pub const MAX_REQUEST_BODY: usize = 1 << 20;

/// The largest that is accepted of somebody who is not signed in, in bytes: strangers need to send a name, a password and
/// a code, and may be many.
pub const MAX_STRANGERS_BODY: usize = 16 << 10;

/// How much of a body that is too large is read and thrown away. A client that is still writing when the connection is
/// closed gets a reset instead of the answer, so one that overshoots within reason is heard out.
const MAX_DISCARDED: usize = 8 * MAX_REQUEST_BODY;

/// The body of a response: complete, or streamed.
pub type Body = UnsyncBoxBody<Bytes, CutOff>;

/// A stream has ended before it was whole. A body that fails with it lacks its last chunk, so that whoever reads it sees
/// that something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the stream was cut off")]
pub struct CutOff;

/// A body that is known completely.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// How a body is sent that is made piece by piece.
pub struct Manner {
    /// When it ends at the latest.
    pub end: End,
    /// What is sent whenever nothing was for a while, if anything is.
    pub heartbeat: Option<Heartbeat>,
    /// The pieces themselves say when they are all there. Then it ends in order also if it is cut off; else without its
    /// last chunk.
    pub marks_its_end: bool,
}

/// A sign of life of a stream that has nothing to say, for proxies, which cut what is silent.
#[derive(Debug)]
pub struct Heartbeat {
    /// For so long nothing was sent.
    pub pause: Duration,
    /// A whole piece.
    pub piece: Bytes,
}

/// When a stream ends at the latest.
pub struct End {
    /// Its cancellation ends the stream.
    pub token: CancellationToken,
    /// So does the passing of this time.
    pub lifetime: Duration,
    /// So does the completion of this future: then the client has lost its right to the stream.
    pub revoked: Option<Revoked>,
    /// Its place among the streams of its user.
    pub turn: Option<Turn>,
}

/// Completes when a client has lost its right to a stream.
pub type Revoked = Pin<Box<dyn Future<Output = ()> + Send>>;

impl End {
    async fn come(self) {
        let _turn = self.turn;
        let revoked = self.revoked.unwrap_or_else(|| Box::pin(std::future::pending()));
        tokio::select! {
            () = self.token.cancelled() => {}
            () = tokio::time::sleep(self.lifetime) => {}
            () = revoked => {}
        }
    }
}

/// A body that is made piece by piece, as fast as the client takes it, until the producer returns or its `end` comes.
/// Then it is cut off, and so it is if the producer says so.
///
/// The producer runs only when the client has room for the next piece: it is a part of the body, and is polled with it.
/// So a client that does not read costs one piece and what the producer holds meanwhile, and when it goes, the producer
/// is dropped where it stands.
pub fn produce<F>(manner: Manner, producer: impl FnOnce(Pieces) -> F) -> Body
where
    F: Future<Output = Result<(), CutOff>> + Send + 'static,
{
    let Manner { end, heartbeat, marks_its_end } = manner;
    let pieces = Pieces::default();
    let next = Arc::clone(&pieces.next);
    let made = producer(pieces).in_current_span();
    let ended = async move {
        tokio::select! {
            made = made => made,
            () = end.come() => Err(CutOff),
        }
    };
    let heartbeat = heartbeat.map(Pulse::new);
    Produced { producer: Some(Box::pin(ended)), next, heartbeat, marks_its_end }.boxed_unsync()
}

/// Where a producer puts the pieces of its body.
#[derive(Debug, Default)]
pub struct Pieces {
    next: Arc<Mutex<Option<Bytes>>>,
}

impl Pieces {
    /// Sends a piece, and returns when the client has room for another.
    pub async fn send(&mut self, piece: Bytes) {
        *lock(&self.next) = Some(piece);
        // Nobody need be woken: the body takes the piece, and polls its producer again when it wants the next.
        poll_fn(|_| if lock(&self.next).is_some() { Poll::Pending } else { Poll::Ready(()) }).await;
    }
}

/// Whoever makes a body, until it is whole or cut off.
type Producer = Pin<Box<dyn Future<Output = Result<(), CutOff>> + Send>>;

struct Produced {
    /// None once it has ended.
    producer: Option<Producer>,
    next: Arc<Mutex<Option<Bytes>>>,
    heartbeat: Option<Pulse>,
    marks_its_end: bool,
}

/// The heartbeat of one stream.
struct Pulse {
    heartbeat: Heartbeat,
    /// When something was sent last.
    sent: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Pulse {
    fn new(heartbeat: Heartbeat) -> Self {
        let timer = Box::pin(tokio::time::sleep(heartbeat.pause));
        Self { heartbeat, sent: Instant::now(), timer }
    }

    /// Pieces are many, so the timer is set anew only when it fires.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Bytes> {
        loop {
            ready!(self.timer.as_mut().poll(context));
            let (now, due) = (Instant::now(), self.sent + self.heartbeat.pause);
            if now >= due {
                self.sent = now;
                self.timer.as_mut().reset(now + self.heartbeat.pause);
                return Poll::Ready(self.heartbeat.piece.clone());
            }
            self.timer.as_mut().reset(due);
        }
    }
}

impl HttpBody for Produced {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let Some(producer) = &mut self.producer else { return Poll::Ready(None) };
        if let Poll::Ready(made) = producer.as_mut().poll(context) {
            self.producer = None;
            return Poll::Ready(made.err().filter(|_| !self.marks_its_end).map(Err));
        }
        let piece = lock(&self.next).take();
        let piece = match (piece, &mut self.heartbeat) {
            (Some(piece), heartbeat) => {
                if let Some(heartbeat) = heartbeat {
                    heartbeat.sent = Instant::now();
                }
                piece
            }
            (None, Some(heartbeat)) => ready!(heartbeat.poll(context)),
            (None, None) => return Poll::Pending,
        };
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

fn lock(next: &Mutex<Option<Bytes>>) -> MutexGuard<'_, Option<Bytes>> {
    next.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The body of a request, and how long its client may take to send it.
#[derive(Debug)]
pub struct RequestBody {
    incoming: Incoming,
    limit: Duration,
}

impl RequestBody {
    /// The body that is still to come on a connection.
    #[must_use]
    pub fn new(incoming: Incoming, limit: Duration) -> Self {
        Self { incoming, limit }
    }

    /// Reads it to its end. It is empty after it was read once.
    ///
    /// # Errors
    /// 413 for more than `most` bytes, 408 if it takes too long, 400 if it breaks off.
    pub async fn read(&mut self, most: usize) -> Result<Bytes, ApiError> {
        read(&mut self.incoming, most, self.limit).await
    }
}

async fn read<B>(body: B, most: usize, limit: Duration) -> Result<Bytes, ApiError>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    match tokio::time::timeout(limit, read_all(body, most)).await {
        Ok(result) => result,
        Err(_) => Err(ApiError::refused(StatusCode::REQUEST_TIMEOUT, "The request body did not arrive in time")),
    }
}

async fn read_all<B>(mut body: B, most: usize) -> Result<Bytes, ApiError>
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
        if size <= most {
            kept.extend_from_slice(&data);
        } else if size > MAX_DISCARDED {
            break;
        }
    }
    if size > most {
        return Err(ApiError::refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("The request body is larger than {most} bytes"),
        ));
    }
    Ok(kept.into())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    fn end_with(token: CancellationToken) -> Manner {
        end(token, LONG)
    }

    fn end(token: CancellationToken, lifetime: Duration) -> Manner {
        Manner { end: End { token, lifetime, revoked: None, turn: None }, heartbeat: None, marks_its_end: true }
    }

    /// A body that another task feeds, until the sender is dropped or its end comes.
    fn stream(manner: Manner) -> (mpsc::Sender<Bytes>, Body) {
        let (sender, mut received) = mpsc::channel(4);
        let body = produce(manner, |mut pieces| async move {
            while let Some(piece) = received.recv().await {
                pieces.send(piece).await;
            }
            Ok(())
        });
        (sender, body)
    }

    #[tokio::test]
    async fn what_does_not_mark_its_end_fails_if_it_is_cut_off() {
        let cut_off = async |made: Result<(), CutOff>, lifetime, marks_its_end| {
            let manner = Manner { marks_its_end, ..end(CancellationToken::new(), lifetime) };
            let mut body = produce(manner, |mut pieces| async move {
                if lifetime < LONG {
                    std::future::pending::<()>().await;
                }
                pieces.send(Bytes::from_static(b"piece")).await;
                made
            });
            let mut last = body.frame().await;
            while let Some(Ok(_)) = last {
                last = body.frame().await;
            }
            assert!(body.frame().await.is_none(), "nothing comes behind the end");
            last.is_some()
        };
        let short = Duration::from_millis(1);
        for (made, lifetime) in [(Ok(()), LONG), (Err(CutOff), LONG), (Ok(()), short)] {
            assert!(!cut_off(made, lifetime, true).await, "who reads it sees it by the pieces");
            assert_eq!(cut_off(made, lifetime, false).await, made.is_err() || lifetime == short);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_heart_beats_in_silence_and_only_then() {
        let (pause, begin) = (Duration::from_secs(15), Instant::now());
        let heartbeat = Some(Heartbeat { pause, piece: Bytes::from_static(b"alive") });
        let manner = Manner { heartbeat, ..end(CancellationToken::new(), Duration::from_secs(100)) };
        let mut body = produce(manner, |mut pieces| async move {
            for _ in 0..4 {
                pieces.send(Bytes::from_static(b"piece")).await;
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
            std::future::pending().await
        });
        let mut told = Vec::new();
        while let Some(frame) = body.frame().await {
            let text = String::from_utf8(frame.unwrap().into_data().unwrap().into()).unwrap();
            told.push(((Instant::now() - begin).as_secs(), text));
        }
        let expected = [0, 10, 20, 30].map(|second| (second, "piece".to_owned()));
        let beats = [45, 60, 75, 90].map(|second| (second, "alive".to_owned()));
        assert_eq!(told, [expected, beats].concat());
    }

    #[tokio::test]
    async fn a_body_of_the_limit_is_read_and_one_byte_more_is_413() {
        let largest = Full::new(Bytes::from(vec![b'x'; MAX_REQUEST_BODY]));
        assert_eq!(read(largest, MAX_REQUEST_BODY, LONG).await.unwrap().len(), MAX_REQUEST_BODY);

        let larger = Full::new(Bytes::from(vec![b'x'; MAX_REQUEST_BODY + 1]));
        let error = read(larger, MAX_REQUEST_BODY, LONG).await.unwrap_err();
        assert_eq!(error.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_408_if_slow_and_413_if_fast() {
        let (silent, body) = stream(end_with(CancellationToken::new()));
        let error = read(body, MAX_REQUEST_BODY, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(error.status(), StatusCode::REQUEST_TIMEOUT);
        drop(silent);

        let (sender, body) = stream(end_with(CancellationToken::new()));
        let piece = Bytes::from(vec![b'x'; 1 << 16]);
        let writer = tokio::spawn(async move { while sender.send(piece.clone()).await.is_ok() {} });
        let error = read(body, MAX_REQUEST_BODY, LONG).await.unwrap_err();
        assert_eq!(error.status(), StatusCode::PAYLOAD_TOO_LARGE);
        writer.await.unwrap();
    }

    #[tokio::test]
    async fn a_stream_ends_with_its_sender_or_its_token() {
        let (sender, mut body) = stream(end_with(CancellationToken::new()));
        sender.send(Bytes::from_static(b"one")).await.unwrap();
        drop(sender);
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "one");
        assert!(body.frame().await.is_none());

        let token = CancellationToken::new();
        let (sender, mut body) = stream(end_with(token.clone()));
        sender.send(Bytes::from_static(b"late")).await.unwrap();
        token.cancel();
        assert!(body.frame().await.is_none());
        sender.closed().await;
    }

    #[tokio::test]
    async fn a_producer_runs_only_while_there_is_room() {
        let (begun, count) = (Arc::new(()), Arc::new(AtomicUsize::new(0)));
        let (held, made) = (Arc::clone(&begun), Arc::clone(&count));
        let mut body = produce(end_with(CancellationToken::new()), |mut pieces| async move {
            loop {
                made.fetch_add(Arc::strong_count(&held) - 1, Ordering::Relaxed);
                pieces.send(Bytes::from_static(b"piece")).await;
            }
        });
        assert_eq!(count.load(Ordering::Relaxed), 0, "nobody has asked yet");
        for asked in 1..=10 {
            body.frame().await.unwrap().unwrap();
            assert_eq!(count.load(Ordering::Relaxed), asked);
        }
        assert_eq!(Arc::strong_count(&begun), 2);
        drop(body);
        assert_eq!(Arc::strong_count(&begun), 1, "what the producer held went with the client");
    }

    #[tokio::test]
    async fn a_stream_ends_with_its_time() {
        let (sender, mut body) = stream(end(CancellationToken::new(), Duration::from_millis(1)));
        assert!(body.frame().await.is_none());
        sender.closed().await;

        let mut endless = produce(end(CancellationToken::new(), Duration::from_millis(1)), |mut pieces| async move {
            loop {
                pieces.send(Bytes::from_static(b"piece")).await;
            }
        });
        while endless.frame().await.is_some() {
            tokio::task::yield_now().await;
        }
    }
}
