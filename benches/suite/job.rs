//! The other end of the measurements: what the suite does as the command of a job.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use spiderpig::spool::Spool;
use spiderpig::spool::queue::{self, NewJob};

use super::Result;

/// Between two lines of `ticks`.
const TICK: Duration = Duration::from_millis(5);

/// Nanoseconds of the wall clock, which all processes share.
pub fn now() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?)
}

/// How long ago it was so late.
pub fn since(nanoseconds: u64) -> Result<Duration> {
    Ok(Duration::from_nanos(now()?.saturating_sub(nanoseconds)))
}

/// Runs as a job: `stamp` prints the time once, `ticks N` N times, `submit SPOOL TYPE` submits a job.
pub fn run(arguments: &[String]) -> Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["stamp"] => print_now(),
        ["ticks", count] => (0..count.parse::<usize>()?).try_for_each(|_| {
            std::thread::sleep(TICK);
            print_now()
        }),
        ["submit", spool, job_type] => submit(&Spool::open(Path::new(spool))?, job_type),
        _ => Err("this job is not known".into()),
    }
}

fn print_now() -> Result<()> {
    let line = format!("{}\n", now()?);
    Ok(std::io::stdout().write_all(line.as_bytes())?)
}

/// Submits a job without parameters, as the API does.
pub fn submit(spool: &Spool, job_type: &str) -> Result<()> {
    let new = NewJob { job_type: job_type.into(), user: "bench".into(), ..NewJob::default() };
    queue::submit(spool, new)?;
    Ok(())
}
