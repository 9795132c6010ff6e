//! Measures lists of jobs, with a long history.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use spiderpig::spool::history::HistoryLine;
use spiderpig::spool::outcome::Outcome;
use spiderpig::spool::status::State;
use spiderpig::spool::{JobId, Spool, Time};

use super::Result;
use super::http::{Client, Repeater};
use super::idle::resident_megabytes;
use super::samples::{Samples, milliseconds};
use super::stage::Stage;
use super::table::Row;

const PAGE: &str = "/api/jobs?limit=10";
const PAGE_TIME: Duration = Duration::from_millis(5);
const PAGES: usize = 200;
const MEGABYTES: u32 = 150;

const CONNECTIONS: usize = 8;
const REQUESTS: u32 = 100_000;
/// The goal: this many pages a second.
pub const REQUESTS_PER_SECOND: u32 = 15_000;

/// Measures the start, the pages and their rate, and the memory.
pub fn measure(root: &Path) -> Result<Vec<Row>> {
    let mut rows = with_history(root, 100_000, Duration::from_secs(1))?;
    rows.extend(with_history(root, 1_000_000, Duration::from_secs(2))?);
    Ok(rows)
}

fn with_history(root: &Path, count: u32, ready: Duration) -> Result<Vec<Row>> {
    let mut stage = Stage::without_runner(root)?;
    write_history(&Spool::lay_out(&stage.root())?, count)?;
    let begun = Instant::now();
    let (pid, port) = stage.start_api()?;
    let mut client = Client::connect(port)?;
    let page = client.get(PAGE)?;
    let started = begun.elapsed();
    if !page.contains(&format!("\"id\":{count},")) || !page.contains(&format!("\"total\":{count},")) {
        return Err(format!("the first page is not that of {count} jobs: {page}").into());
    }
    let what = |what: &str| format!("{} finished jobs: {what}", thousands(count));
    let mut rows =
        vec![Row::new(what("start → first page"), milliseconds(started)).goal(milliseconds(ready), started <= ready)];
    let deep = count / 10 * 9;
    let pages = [
        ("first page; median / p99", PAGE.to_owned(), PAGES, Some(PAGE_TIME)),
        ("page behind nine tenths (skip)", format!("{PAGE}&skip={deep}"), PAGES, Some(PAGE_TIME)),
        ("page below a number (before)", format!("{PAGE}&before={}", count / 10), PAGES, Some(PAGE_TIME)),
        ("page of 500, old", format!("/api/jobs?limit=500&skip={deep}"), PAGES, None),
        ("page of one state", format!("{PAGE}&state=failed"), PAGES, None),
        ("page of a text in three jobs (q)", format!("{PAGE}&q=Needle"), 5, None),
    ];
    for (name, path, times, goal) in pages {
        let samples = Samples::collect(times, || {
            let begun = Instant::now();
            client.get(&path)?;
            Ok(begun.elapsed())
        })?;
        let row = Row::new(what(name), samples.to_string());
        rows.push(match goal {
            Some(goal) => row.goal(milliseconds(goal), samples.median() <= goal),
            None => row,
        });
    }
    let rate = rate(port, "")?;
    rows.push(
        Row::new(what("GET /api/jobs?limit=10, 8 connections"), format!("{rate:.0}/s"))
            .goal(format!("{REQUESTS_PER_SECOND}/s"), rate >= f64::from(REQUESTS_PER_SECOND)),
    );
    let megabytes = resident_megabytes(pid)?;
    rows.push(
        Row::new(what("resident memory of the API"), format!("{megabytes:.1} MB"))
            .goal(format!("{MEGABYTES} MB"), megabytes <= f64::from(MEGABYTES)),
    );
    Ok(rows)
}

fn thousands(count: u32) -> String {
    if count.is_multiple_of(1_000_000) {
        format!("{},000,000", count / 1_000_000)
    } else {
        format!("{},000", count / 1000)
    }
}

/// Measures pages a second. One thread keeps a request on its way on all connections all the time. `fields` are more
/// header fields.
pub fn rate(port: u16, fields: &str) -> Result<f64> {
    let mut connections: Vec<Repeater> =
        (0..CONNECTIONS).map(|_| Repeater::connect(port, PAGE, fields)).collect::<Result<_>>()?;
    let rounds = REQUESTS / u32::try_from(CONNECTIONS)?;
    let begun = Instant::now();
    connections.iter_mut().try_for_each(Repeater::ask)?;
    for _ in 1..rounds {
        for connection in &mut connections {
            connection.wait()?;
            connection.ask()?;
        }
    }
    connections.iter_mut().try_for_each(Repeater::wait)?;
    Ok(f64::from(REQUESTS) / begun.elapsed().as_secs_f64())
}

/// A history like that of years of deployments.
fn write_history(spool: &Spool, count: u32) -> Result<()> {
    let mut file = BufWriter::new(File::create(spool.history())?);
    for number in 1..=count {
        serde_json::to_writer(&mut file, &line(number, count)?)?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    Ok(())
}

fn line(number: u32, count: u32) -> Result<HistoryLine> {
    let change = format!("https://gerrit.wikimedia.org/r/c/mediawiki/core/+/{}", 1_000_000 + number);
    let time = |second: u32| {
        Time::from_milliseconds(1_700_000_000_000 + i64::from(number) * 60_000 + i64::from(second) * 1000)
    };
    let (state, status) = if number.is_multiple_of(50) { (State::Failed, 1) } else { (State::Succeeded, 0) };
    let subject = if number.is_multiple_of(count / 3) { "The needle in the haystack" } else { "Fix the thing" };
    let data =
        json!({ "change_infos": [{ "number": 1_000_000 + number, "project": "mediawiki/core", "subject": subject }] });
    let params = json!({ "change_url": [change] });
    Ok(HistoryLine {
        id: JobId::try_from(u64::from(number))?,
        job_type: "backport".into(),
        user: format!("deployer{}", number % 40),
        lane: "mediawiki".into(),
        state,
        outcome: Outcome::of_word(state.word()),
        outcome_by: None,
        phase: None,
        last_error: None,
        queued_at: time(0),
        started_at: Some(time(1)),
        finished_at: Some(time(50)),
        exit_status: Some(status),
        signal: None,
        reason: None,
        cancelled_by: None,
        memory_peak: None,
        cpu_seconds: None,
        command: vec!["scap".into(), "backport".into(), change],
        params: params.as_object().cloned().unwrap_or_default(),
        data: data.as_object().cloned(),
        retry_of: None,
        log_records: 120,
    })
}
