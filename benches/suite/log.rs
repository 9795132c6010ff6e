//! Measures logs: how fast they grow, and how soon a client sees a line.

use std::path::Path;
use std::time::Duration;

use spiderpig::spool::JobId;
use spiderpig::spool::log::{LogReader, RecordKind};

use super::http::Client;
use super::samples::{Samples, milliseconds};
use super::stage::Stage;
use super::table::Row;
use super::{Result, disk, job};

const LINES: u32 = 2_000_000;
const LINES_PER_SECOND: f64 = 700_000.0;
const MEDIAN: Duration = Duration::from_millis(3);
/// The number of lines whose way to the client is measured.
const SEEN: usize = 300;

/// Measures one job that prints as fast as it can.
pub fn measure_rate(root: &Path) -> Result<Vec<Row>> {
    let stage = Stage::new(root)?;
    job::submit(&stage.spool()?, "seq")?;
    stage.wait_finished(1)?;
    let id = JobId::try_from(1_u64)?;
    let status = stage.job(id)?.status()?.ok_or("the job has no status")?;
    let (Some(begun), Some(ended)) = (status.started_at, status.finished_at) else {
        return Err("the job has no beginning or no end".into());
    };
    check(&stage, id)?;
    let rate = f64::from(LINES) / (ended.as_seconds_f64() - begun.as_seconds_f64());
    let plain = disk::print_to_file(root, "seq", &["1", &LINES.to_string()])?;
    let floor = f64::from(LINES) / plain.as_secs_f64();
    Ok(vec![
        Row::new("lines logged from `seq 1 2000000`", per_second(rate))
            .goal("0.7 million lines/s", rate >= LINES_PER_SECOND)
            .floor(format!("{} into a plain file", per_second(floor)), floor / rate),
    ])
}

fn per_second(lines: f64) -> String {
    format!("{:.1} million lines/s", lines / 1e6)
}

/// Checks that every line is there, and that the last is the last.
fn check(stage: &Stage, id: JobId) -> Result<()> {
    let job = stage.job(id)?;
    let bytes = std::fs::read(job.directory().join("log.jsonl"))?;
    let records = memchr::memchr_iter(b'\n', &bytes).count();
    let mut reader = LogReader::open(job.directory())?.ok_or("the job has no log")?;
    reader.skip_to(u64::from(LINES) - 1)?;
    let mut rest = Vec::new();
    reader.for_each(|_, record| rest.push(record.kind))?;
    match &rest[..] {
        [RecordKind::Line(last), RecordKind::Exit(_)]
            if records == LINES as usize + 1 && last.line == LINES.to_string() =>
        {
            Ok(())
        }
        rest => Err(format!("the log has {records} records and ends with {rest:?}").into()),
    }
}

/// Measures a job that prints the time every few milliseconds, and a client that follows its log.
pub fn measure_latency(root: &Path) -> Result<Vec<Row>> {
    let mut stage = Stage::new(root)?;
    let (_, port) = stage.start_api()?;
    let id = Client::connect(port)?.submit("ticks")?;
    stage.wait_running(id)?;
    let mut stream = Client::connect(port)?.follow(id)?;
    let followed_since = job::now()?;
    let mut latencies = Vec::new();
    while let Some(lines) = stream.next_lines()? {
        for line in lines {
            let printed: u64 = line.parse()?;
            if printed > followed_since {
                latencies.push(job::since(printed)?);
            }
        }
    }
    if latencies.len() < SEEN {
        return Err(format!("the client received only {} lines", latencies.len()).into());
    }
    let samples = Samples::from(latencies);
    Ok(vec![
        Row::new("line printed → received by a client; median / p99", samples.to_string())
            .goal(format!("{} median", milliseconds(MEDIAN)), samples.median() <= MEDIAN),
    ])
}
