//! Measures the page in a real browser: its weight, and its speed with long and fast logs.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use spiderpig::spool::JobId;

use super::Result;
use super::http::Client;
use super::samples::{Samples, milliseconds};
use super::stage::Stage;
use super::stored::{TEXT, write_log};
use super::table::Row;

const KILOBYTES: f64 = 150.0;
const LINES: u64 = 1_000_000;
const SHOWN: Duration = Duration::from_secs(1);
const LONGEST_TASK: Duration = Duration::from_millis(100);
const MEGABYTES: f64 = 150.0;
/// The time from the job to the screen.
const PROMPT: Duration = Duration::from_millis(100);

/// Times in milliseconds.
type Milliseconds = f64;

#[derive(Deserialize)]
struct FirstPage {
    bytes: f64,
    shown: Milliseconds,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BigLog {
    shown: Milliseconds,
    longest_task: Milliseconds,
    #[serde(flatten)]
    memory: Memory,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Flood {
    answers: Vec<Milliseconds>,
    /// The age of the last visible line.
    lag: Milliseconds,
    longest_task: Milliseconds,
    #[serde(flatten)]
    memory: Memory,
}

#[derive(Deserialize)]
struct Prompts {
    delays: Vec<Milliseconds>,
}

/// Sizes in MB.
#[derive(Deserialize)]
struct Memory {
    heap: f64,
    process: f64,
}

/// Measures the weight, a long log, a fast log, and questions.
pub fn measure(root: &Path) -> Result<Vec<Row>> {
    let mut stage = Stage::new(root)?;
    let (_, port) = stage.start_api()?;
    let mut client = Client::connect(port)?;
    let finished = client.submit("noop")?;
    stage.wait_finished(1)?;
    write_log(&stage, finished.into(), LINES, TEXT)?;
    let page = |id: JobId| format!("http://127.0.0.1:{port}/jobs/{id}");

    let mut rows = first_page(&browser("first-page", &format!("http://127.0.0.1:{port}/"))?);
    rows.extend(big_log(&browser("big-log", &page(finished))?));
    let id = client.submit("flood")?;
    stage.wait_running(id)?;
    rows.extend(flood(&browser("flood", &page(id))?));
    let id = client.submit("questions")?;
    stage.wait_running(id)?;
    rows.push(questions(&browser("prompts", &page(id))?));
    Ok(rows)
}

fn first_page(measured: &FirstPage) -> Vec<Row> {
    let kilobytes = measured.bytes / 1000.0;
    vec![
        Row::new("the page: all that the first one loads", format!("{kilobytes:.0} kB"))
            .goal(format!("{KILOBYTES} kB"), kilobytes <= KILOBYTES),
        Row::new("the page: opened → its heading is shown", milliseconds(duration(measured.shown))),
    ]
}

fn big_log(measured: &BigLog) -> Vec<Row> {
    let (shown, task) = (duration(measured.shown), duration(measured.longest_task));
    vec![
        Row::new("a finished log of 1,000,000 lines: opened → its end is in view", milliseconds(shown))
            .goal(milliseconds(SHOWN), shown <= SHOWN),
        longest_task("the same: longest task while it is scrolled", task),
        memory("the same: memory of the page", &measured.memory),
    ]
}

fn flood(measured: &Flood) -> Vec<Row> {
    let answers = samples(&measured.answers);
    vec![
        Row::new("a job prints 50,000 lines/s: a key is pressed → painted; median / p99", answers.to_string())
            .goal(milliseconds(LONGEST_TASK), answers.p99() <= LONGEST_TASK),
        longest_task("the same: longest task", duration(measured.longest_task)),
        Row::new("the same: age of the last line in view", milliseconds(duration(measured.lag))),
        memory("the same: memory of the page", &measured.memory),
    ]
}

fn questions(measured: &Prompts) -> Row {
    let delays = samples(&measured.delays);
    Row::new("a job asks → the question is in view; median / p99", delays.to_string())
        .goal(milliseconds(PROMPT), delays.p99() <= PROMPT)
}

fn longest_task(what: &str, task: Duration) -> Row {
    // The browser reports no shorter ones.
    let measured = if task.is_zero() { "none above 50 ms".to_owned() } else { milliseconds(task) };
    Row::new(what, measured).goal(milliseconds(LONGEST_TASK), task <= LONGEST_TASK)
}

fn memory(what: &str, Memory { heap, process }: &Memory) -> Row {
    Row::new(what, format!("{process:.0} MB (JavaScript {heap:.0} MB)"))
        .goal(format!("{MEGABYTES} MB"), *process <= MEGABYTES)
}

fn samples(measured: &[Milliseconds]) -> Samples {
    Samples::from(measured.iter().copied().map(duration).collect::<Vec<_>>())
}

fn duration(milliseconds: Milliseconds) -> Duration {
    Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or_default()
}

/// Runs a measurement in the browser.
fn browser<T: DeserializeOwned>(scenario: &str, url: &str) -> Result<T> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/measure.mjs");
    let done = Command::new("node").arg(script).args([scenario, url]).stdin(Stdio::null()).output()?;
    if !done.status.success() {
        return Err(format!("{scenario}: {}", String::from_utf8_lossy(&done.stderr)).into());
    }
    Ok(serde_json::from_slice(&done.stdout)?)
}
