//! The part of the suite that runs as the command of a job.

use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use spiderpig::spool::Spool;
use spiderpig::spool::queue::{self, NewJob};

use super::Result;

/// The time between two lines of `ticks`.
const TICK: Duration = Duration::from_millis(5);

/// The output of `flood`: this many lines in each pause are 50,000 a second, for 30 s.
const FLOOD_LINES: usize = 500;
const FLOOD_PAUSE: Duration = Duration::from_millis(10);
const FLOOD_PAUSES: usize = 3000;

/// The number of questions.
const QUESTIONS: usize = 20;

/// The wall clock in nanoseconds. All processes share it.
pub fn now() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?)
}

/// The time since this reading of the clock.
pub fn since(nanoseconds: u64) -> Result<Duration> {
    Ok(Duration::from_nanos(now()?.saturating_sub(nanoseconds)))
}

/// Runs as a job: `stamp` prints the time once, `ticks N` prints it N times, `flood` prints many lines, `questions`
/// asks with the time, `submit SPOOL TYPE` submits a job.
pub fn run(arguments: &[String]) -> Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["stamp"] => print_now(),
        ["ticks", count] => (0..count.parse::<usize>()?).try_for_each(|_| {
            std::thread::sleep(TICK);
            print_now()
        }),
        ["flood"] => flood(),
        ["questions"] => (1..=QUESTIONS).try_for_each(ask),
        ["submit", spool, job_type] => submit(&Spool::open(Path::new(spool))?, job_type),
        _ => Err("this job is not known".into()),
    }
}

fn print_now() -> Result<()> {
    let line = format!("{}\n", now()?);
    Ok(std::io::stdout().write_all(line.as_bytes())?)
}

fn flood() -> Result<()> {
    for _ in 0..FLOOD_PAUSES {
        let line = format!("flood {} and some more text, as lines have it\n", now()? / 1_000_000);
        std::io::stdout().write_all(line.repeat(FLOOD_LINES).as_bytes())?;
        std::thread::sleep(FLOOD_PAUSE);
    }
    Ok(())
}

/// Asks with the time in milliseconds, and waits for the answer.
fn ask(number: usize) -> Result<()> {
    let key = std::env::var("SPIDERPIG_IO_KEY")?;
    let asked = now()? / 1_000_000;
    let message = json!({
        "type": "interaction", "subtype": "choices", "prompt": format!("question {number} asked at {asked} ms"),
        "choices": { format!("Go {number}"): "g", "Stop": "s" }, "default": "g", "iokey": key,
    });
    std::io::stdout().write_all(format!("{message}\n").as_bytes())?;
    std::io::stdin().lock().read_line(&mut String::new())?;
    Ok(())
}

/// Submits a job without parameters, as the API does.
pub fn submit(spool: &Spool, job_type: &str) -> Result<()> {
    let new = NewJob { job_type: job_type.into(), user: "bench".into(), ..NewJob::default() };
    queue::submit(spool, new)?;
    Ok(())
}
