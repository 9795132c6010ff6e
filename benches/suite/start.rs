//! Measures the time from the answer to a POST to the first instruction of the job's command.

use std::path::Path;
use std::time::Duration;

use spiderpig::spool::JobId;
use spiderpig::spool::log::{LogReader, RecordKind};

use super::http::Client;
use super::samples::{Samples, milliseconds};
use super::stage::Stage;
use super::table::Row;
use super::{Result, disk, job};

const JOBS: usize = 200;
/// The pause after a job, until the spool is idle again.
const PAUSE: Duration = Duration::from_millis(20);
const MEDIAN: Duration = Duration::from_millis(5);
const P99: Duration = Duration::from_millis(20);

/// Measures one job after the other on a spool that is otherwise idle.
pub fn measure(root: &Path) -> Result<Vec<Row>> {
    let mut stage = Stage::new(root)?;
    let (_, port) = stage.start_api()?;
    let mut client = Client::connect(port)?;
    let mut count = 0;
    let samples = Samples::collect(JOBS, || {
        let id = client.submit("stamp")?;
        let answered = job::now()?;
        std::thread::sleep(PAUSE);
        count += 1;
        stage.wait_finished(count)?;
        std::thread::sleep(PAUSE);
        Ok(Duration::from_nanos(executed_at(&stage, id)?.saturating_sub(answered)))
    })?;
    // Five syncs, the supervisor, the command.
    let floor = disk::durable_drop(root)?.median() * 5 / 2 + disk::spawn()?.median() * 2;
    let met = samples.median() <= MEDIAN && samples.p99() <= P99;
    Ok(vec![
        Row::new("POST answered → the job's command executes, idle spool; median / p99", samples.to_string())
            .goal("5 / 20 ms", met)
            .floor(
                format!("{} (2½ drops, 2 processes)", milliseconds(floor)),
                samples.median().as_secs_f64() / floor.as_secs_f64(),
            ),
    ])
}

/// The time that the job `stamp` has printed.
fn executed_at(stage: &Stage, id: JobId) -> Result<u64> {
    let mut reader = LogReader::open(stage.job(id)?.directory())?.ok_or("the job has no log")?;
    let mut stamp = None;
    reader.for_each(|_, record| {
        if let RecordKind::Line(line) = record.kind {
            stamp = line.line.parse().ok();
        }
    })?;
    Ok(stamp.ok_or("the job has printed no time")?)
}
