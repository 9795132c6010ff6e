//! Measures many clients that follow one log.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use memchr::memmem;
use spiderpig::spool::JobId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::http::Client;
use super::idle::resident_megabytes;
use super::samples::{Samples, milliseconds};
use super::stage::Stage;
use super::table::Row;
use super::{Result, job};

/// The number of clients, and the maximum memory of the API for them in MB.
const CROWDS: [(usize, f64); 2] = [(500, 60.0), (1000, 100.0)];
/// The number of lines that the job prints, 200 a second.
const LINES: usize = 1200;
const P99: Duration = Duration::from_millis(250);

/// The number of clients that never read, and the maximum growth of the API's memory for them in MB.
const STUCK: usize = 100;
const STUCK_MEGABYTES: f64 = 10.0;

/// Measures a job that prints the time, and a crowd that follows its log.
pub fn measure(root: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (viewers, megabytes) in CROWDS {
        let mut stage = Stage::new(root)?;
        let (api, port) = stage.start_api()?;
        let id = Client::connect(port)?.submit("ticks-long")?;
        stage.wait_running(id)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (latencies, resident) = runtime.block_on(watch(viewers, id, port, api))?;
        let samples = Samples::from(latencies);
        rows.push(
            Row::new(format!("{viewers} viewers on one log, 200 lines/s; median / p99"), samples.to_string())
                .goal(format!("{} p99, all lines to all", milliseconds(P99)), samples.p99() <= P99),
        );
        rows.push(
            Row::new(format!("resident memory of the API with {viewers} viewers"), format!("{resident:.1} MB"))
                .goal(format!("{megabytes} MB"), resident <= megabytes),
        );
    }
    rows.push(stuck(root)?);
    Ok(rows)
}

async fn watch(viewers: usize, id: JobId, port: u16, api: u32) -> Result<(Vec<Duration>, f64)> {
    let mut connected = Vec::new();
    for _ in 0..viewers {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
        let request = format!("GET /api/jobs/{id}/log HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        connected.push((stream, Vec::with_capacity(16 * 1024)));
    }
    for (stream, buffer) in &mut connected {
        while memmem::find(buffer, b"connected").is_none() {
            stream.read_buf(buffer).await?;
        }
    }
    let since = job::now()?;
    let watching: Vec<_> =
        connected.into_iter().map(|(stream, buffer)| tokio::spawn(follow(stream, buffer, since))).collect();
    let mut latencies = Vec::new();
    let mut resident = 0.0_f64;
    for watching in watching {
        let seen = watching.await?.map_err(|error| error.to_string())?;
        resident = resident.max(resident_megabytes(api)?);
        latencies.extend(seen);
    }
    Ok((latencies, resident))
}

/// Follows a log to its end. Returns the delay of each line that was printed after a time.
async fn follow(mut stream: tokio::net::TcpStream, mut buffer: Vec<u8>, since: u64) -> std::io::Result<Vec<Duration>> {
    let begin = memmem::Finder::new(br#""line":""#);
    let mut latencies = Vec::new();
    let mut lines = 0;
    while memmem::find(&buffer, b"EOF").is_none() {
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(std::io::Error::other("a stream broke off"));
        }
        let now = job::now().map_err(|error| std::io::Error::other(error.to_string()))?;
        let whole = memchr::memrchr(b'\n', &buffer).map_or(0, |newline| newline + 1);
        for place in begin.find_iter(&buffer[..whole]) {
            let digits = buffer[place + 8..].iter().take_while(|byte| byte.is_ascii_digit());
            let printed = digits.fold(0, |number: u64, digit| number * 10 + u64::from(digit - b'0'));
            lines += 1;
            if printed > since {
                latencies.push(Duration::from_nanos(now.saturating_sub(printed)));
            }
        }
        if memmem::find(&buffer, b"EOF").is_none() {
            buffer.drain(..whole);
        }
    }
    if lines == LINES { Ok(latencies) } else { Err(std::io::Error::other(format!("a viewer got {lines} lines"))) }
}

/// Measures the memory for clients that request a large log and never read it.
fn stuck(root: &Path) -> Result<Row> {
    let mut stage = Stage::new(root)?;
    job::submit(&stage.spool()?, "seq")?;
    stage.wait_finished(1)?;
    let (api, port) = stage.start_api()?;
    let before = resident_megabytes(api)?;
    let mut clients = Vec::new();
    for _ in 0..STUCK {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        write!(stream, "GET /api/jobs/1/log HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n")?;
        stream.read_exact(&mut [0; 1])?;
        clients.push(stream);
    }
    // A client that reads gets its log. By then the others have got all that they will ever get.
    let read = Client::connect(port)?.get("/api/jobs/1/log")?.len();
    let growth = resident_megabytes(api)? - before;
    drop(clients);
    let what = format!("{STUCK} viewers that never read a log of {} MB: growth of the API", read / 1_000_000);
    Ok(Row::new(what, format!("{growth:.1} MB")).goal(format!("{STUCK_MEGABYTES} MB"), growth <= STUCK_MEGABYTES))
}
