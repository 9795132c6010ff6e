//! The last line of a log that looks like an error.

use std::path::Path;

use super::words;
use crate::output::errors::looks_like_an_error;
use crate::spool::Result;
use crate::spool::log::{LogReader, Record, RecordKind};
use crate::spool::outcome::LastError;

/// How much of the end of the log is searched, in bytes.
const REACH: u64 = 1 << 20;
/// How much of the line is kept, in bytes.
const LIMIT: usize = 500;

/// Finds the last line near the end of a job's log that looks like an error and is not sensitive.
///
/// # Errors
/// The log cannot be read.
pub fn find(job: &Path) -> Result<Option<LastError>> {
    let Some(mut log) = LogReader::open(job)? else { return Ok(None) };
    log.skip_to_end()?;
    let lines = log.read_before(REACH)?;
    let backwards = lines.strip_suffix(b"\n").unwrap_or(&lines).rsplit(|byte| *byte == b'\n');
    let mut numbered = (1..=log.records()).rev().zip(backwards);
    Ok(numbered.find_map(|(record, line)| Some(LastError { record, line: error_in(line)? })))
}

fn error_in(line: &[u8]) -> Option<String> {
    match serde_json::from_slice::<Record>(line).ok()?.kind {
        RecordKind::Line(line) if !line.sensitive && looks_like_an_error(&line.line) => {
            Some(words::line_of_at_most(LIMIT, &line.line)).filter(|line| !line.is_empty())
        }
        _ => None,
    }
}
