//! What becomes of connections for which there is no place.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::http::listener::Stream;
use crate::http::request_id::RequestId;

/// How long a client has to take its refusal.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many refusals are told at once. Further connections are closed without a word.
const MAX_REFUSALS: usize = 64;

/// When the client is to try again, in seconds.
const RETRY_AFTER: u32 = 5;

/// Says no, to a few at a time.
pub struct Overflow {
    places: Semaphore,
    log: Throttle,
}

impl Overflow {
    pub fn new() -> Self {
        Self { places: Semaphore::new(MAX_REFUSALS), log: Throttle::default() }
    }

    /// Answers 503, whatever is asked, and closes the connection.
    pub async fn refuse(&self, stream: Stream, limit: usize) {
        if let Some(refused) = self.log.count() {
            tracing::warn!(refused, limit, "refused connections: all places are taken");
        }
        let Ok(_place) = self.places.try_acquire() else { return };
        // A client that goes away or does not read has lost its answer by its own doing.
        let _ = tokio::time::timeout(PATIENCE, say_no(stream)).await;
    }
}

async fn say_no(mut stream: Stream) -> std::io::Result<()> {
    stream.write_all(response().as_bytes()).await?;
    stream.shutdown().await?;
    // Closed while the client writes, the connection would be reset, and the answer lost.
    let mut scrap = [0; 1024];
    while stream.read(&mut scrap).await? > 0 {}
    Ok(())
}

fn response() -> String {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let id = RequestId::fresh();
    let message = "SpiderPig has as many connections as it can serve. Try again in a moment";
    let body = json!({ "detail": { "message": message, "request_id": id.as_str() } }).to_string();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nCache-Control: no-cache\r\nX-Request-ID: {id}\r\n\
         Retry-After: {RETRY_AFTER}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Lets through one of many equal messages a second.
#[derive(Default)]
pub struct Throttle(Mutex<Option<(Instant, u64)>>);

impl Throttle {
    const PAUSE: Duration = Duration::from_secs(1);

    /// Counts an event. Returns how many there were since the last message, this one included, if it is time for one.
    pub fn count(&self) -> Option<u64> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match &mut *last {
            Some((told, untold)) if now < *told + Self::PAUSE => {
                *untold += 1;
                None
            }
            last => {
                let untold = last.map_or(0, |(_, untold)| untold);
                *last = Some((now, 0));
                Some(untold + 1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_told_once_a_second_with_its_number() {
        let throttle = Throttle::default();
        assert_eq!(throttle.count(), Some(1));
        assert_eq!((0..100).find_map(|_| throttle.count()), None);
        tokio::time::advance(Throttle::PAUSE).await;
        assert_eq!(throttle.count(), Some(101));
        assert_eq!(throttle.count(), None);
    }
}
