//! Measures complete logs over HTTP: reading them whole, windows, searches and marks.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use spiderpig::spool::JobId;
use spiderpig::spool::log::{Checkpoint, INTERVAL};

use super::http::Client;
use super::samples::{Samples, milliseconds};
use super::stage::Stage;
use super::table::Row;
use super::{Result, job};

const STREAMED: u64 = 200_000;
const STREAMED_PER_SECOND: f64 = 1_000_000.0;
const SEARCHED: u64 = 1_000_000;
const MARKED_IN: Duration = Duration::from_millis(500);
const LARGE: u64 = 10_000_000;
/// The text in each line.
pub const TEXT: &str = "that is long enough";
/// The number of repetitions.
const COUNT: usize = 20;

/// Measures whole logs, windows and searches.
pub fn measure(root: &Path) -> Result<Vec<Row>> {
    let mut stage = Stage::new(root)?;
    let spool = stage.spool()?;
    (0..3).try_for_each(|_| job::submit(&spool, "noop"))?;
    stage.wait_finished(3)?;
    let mut rows = Vec::new();
    let (_, port) = stage.start_api()?;
    let mut client = Client::connect(port)?;

    write_log(&stage, 1, STREAMED, TEXT)?;
    for (format, path) in [("JSON lines", "/api/jobs/1/log"), ("plain text", "/api/jobs/1/log?format=text")] {
        let mut best = Duration::MAX;
        for _ in 0..COUNT {
            let begun = Instant::now();
            let lines = memchr::memchr_iter(b'\n', client.get(path)?.as_bytes()).count() as u64;
            best = best.min(begun.elapsed());
            if lines < STREAMED {
                return Err(format!("{path} gives {lines} lines").into());
            }
        }
        let rate = Duration::from_secs(STREAMED).as_secs_f64() / best.as_secs_f64();
        rows.push(
            Row::new(
                format!("a stored log of 200,000 lines as {format}"),
                format!("{:.1} million lines/s", rate / 1e6),
            )
            .goal("1 million lines/s", rate >= STREAMED_PER_SECOND),
        );
    }

    let megabytes = write_log(&stage, 2, SEARCHED, TEXT)?;
    for (what, text) in [("absent", "absent"), ("in one line", "line+999999+"), ("in 10,000", "77+of")] {
        let best = fastest(&mut client, &format!("/api/jobs/2/log/search?q={text}"))?;
        let rate = f64::from(megabytes) / best.as_secs_f64();
        rows.push(Row::new(
            format!("a search in 1,000,000 lines ({megabytes} MB), {what}"),
            format!("{} ({rate:.0} MB/s)", milliseconds(best)),
        ));
    }
    let best = fastest(&mut client, "/api/jobs/2/log/marks")?;
    rows.push(
        Row::new(format!("the marks of a log of 1,000,000 lines ({megabytes} MB)"), milliseconds(best))
            .goal("500 ms", best <= MARKED_IN),
    );
    for (what, text) in [("all in colour", "\\u001b[32mfine\\u001b[0m"), ("all with a count of errors", "0 errors")] {
        write_log(&stage, 1, SEARCHED, text)?;
        let best = fastest(&mut client, "/api/jobs/1/log/marks")?;
        rows.push(Row::new(format!("the same, {what}"), milliseconds(best)));
    }

    write_log(&stage, 3, LARGE, TEXT)?;
    for (what, query) in [("the last 100", "from=-100&count=100"), ("200 in the middle", "from=5000500")] {
        let path = format!("/api/jobs/3/log/records?{query}");
        let begun = Instant::now();
        client.get(&path)?;
        let first = milliseconds(begun.elapsed());
        let samples = Samples::collect(COUNT * 10, || {
            let begun = Instant::now();
            client.get(&path)?;
            Ok(begun.elapsed())
        })?;
        rows.push(Row::new(
            format!("a window in 10,000,000 records, {what}; first / median / p99"),
            format!("{first} / {samples}"),
        ));
    }
    fs::remove_file(stage.job(JobId::try_from(3_u64)?)?.directory().join("log.index"))?;
    drop(client);
    // This API does not know the log yet.
    let (_, port) = stage.start_api()?;
    let mut client = Client::connect(port)?;
    let begun = Instant::now();
    client.get("/api/jobs/3/log/records?from=-1")?;
    let first = milliseconds(begun.elapsed());
    let begun = Instant::now();
    client.get("/api/jobs/3/log/records?from=5000500")?;
    let measured = format!("{first} / {}", milliseconds(begun.elapsed()));
    rows.push(Row::new("windows in the same log without its index; first / second", measured));
    Ok(rows)
}

/// The shortest time of an answer.
fn fastest(client: &mut Client, path: &str) -> Result<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..COUNT / 4 {
        let begun = Instant::now();
        client.get(path)?;
        best = best.min(begun.elapsed());
    }
    Ok(best)
}

/// Replaces the log of a finished job with one that has a text in each line, as it is stored. Returns its length in MB.
pub fn write_log(stage: &Stage, id: u64, lines: u64, content: &str) -> Result<u32> {
    let job = stage.job(JobId::try_from(id)?)?;
    let (mut text, mut index) = (String::new(), String::new());
    for number in 1..=lines {
        if number > 1 && number % INTERVAL == 1 {
            index.push_str(&Checkpoint { record: number, offset: text.len() as u64 }.to_line());
        }
        writeln!(
            text,
            r#"{{"time":"2026-11-23T15:38:46.123Z","type":"line","line":"line {number} of a log {content}"}}"#
        )?;
    }
    // The log becomes a new file, because the API may know the old one already.
    for (name, text) in [("log.jsonl", &text), ("log.index", &index)] {
        let path = job.directory().join(name);
        fs::write(path.with_extension("new"), text)?;
        fs::rename(path.with_extension("new"), path)?;
    }
    Ok(u32::try_from(text.len() / 1_000_000)?)
}
