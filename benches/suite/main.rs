//! The benchmark suite: measures the real programs on a temporary spool, and compares the results with their goals.
//!
//! `cargo bench` prints one table. Each line has its goal, the measurement, and a floor: the minimum that this machine
//! needs for the same, measured in the same run. So a slow disk is not taken for slow software. A missed goal is no
//! error, but a failure of a program is. `cargo bench -- WORD` runs only the measurements with the word in their names.
//! `SPIDERPIG_BENCH_DIRECTORY` puts the spools on another disk than that of `target/`.

#![expect(clippy::disallowed_methods, reason = "floors are measured on plain files, without the spool's own writer")]

mod disk;
mod http;
mod idle;
mod job;
mod lists;
mod log;
mod memory;
mod page;
mod rate;
mod samples;
mod sign_in;
mod stage;
mod start;
mod stored;
mod syncs;
mod table;
mod viewers;

use std::path::Path;
use std::process::ExitCode;

use table::Row;

/// The failure, for people.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// One kind of measurement, with the word that selects it.
type Measurement = (&'static str, fn(&Path) -> Result<Vec<Row>>);

const MEASUREMENTS: [Measurement; 13] = [
    ("disk", disk::measure),
    ("start", start::measure),
    ("rate", rate::measure),
    ("log", log::measure_rate),
    ("line", log::measure_latency),
    ("lists", lists::measure),
    ("stored", stored::measure),
    ("viewers", viewers::measure),
    ("page", page::measure),
    ("idle", idle::measure),
    ("syncs", syncs::measure),
    ("sign-in", sign_in::measure),
    ("memory", memory::measure),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        // The suite is also the command of its own jobs.
        Some((first, rest)) if first == "job" => job::run(rest),
        // Cargo adds `--bench`.
        _ => run(arguments.iter().find(|argument| !argument.starts_with('-')).map_or("", String::as_str)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            #[expect(clippy::print_stderr, reason = "the suite has no other way to say what did not work")]
            {
                eprintln!("bench: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(word: &str) -> Result<()> {
    let root = disk::root()?;
    let mut rows = Vec::new();
    for (name, measure) in MEASUREMENTS {
        if name.contains(word) {
            rows.extend(measure(root.path()).map_err(|error| format!("{name}: {error}"))?);
        }
    }
    if rows.is_empty() {
        let names: Vec<&str> = MEASUREMENTS.iter().map(|(name, _)| *name).collect();
        return Err(format!("there is no `{word}`; there is {}", names.join(", ")).into());
    }
    #[expect(clippy::print_stdout, reason = "the table is what the suite is for")]
    {
        print!("{}", table::render(&rows));
    }
    Ok(())
}
