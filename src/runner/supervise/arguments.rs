//! The command line of a supervisor: `supervise 42 --spool DIR --job-lock 16 --slot-lock 15`. The runner writes it and the
//! supervisor reads it, nobody else; both sides are here, and `ps` shows an operator what it says.
//!
//! It is not part of the program's declared arguments: building all of those for every job would cost time and memory.

use std::ffi::{OsStr, OsString};
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

use crate::spool::JobId;

/// The arguments of a supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// The job to lead.
    pub id: JobId,
    /// The spool directory.
    pub spool: PathBuf,
    /// The descriptor of the job's lock.
    pub job_lock: RawFd,
    /// The descriptor of the lock of its lane's slot. None for a job that is only to be cancelled.
    pub slot_lock: Option<RawFd>,
}

impl Arguments {
    /// The arguments behind the name of the program.
    #[must_use]
    pub fn to_vec(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["supervise".into(), self.id.to_string().into()];
        arguments.extend(["--spool".into(), self.spool.clone().into()]);
        arguments.extend(["--job-lock".into(), self.job_lock.to_string().into()]);
        if let Some(slot_lock) = self.slot_lock {
            arguments.extend(["--slot-lock".into(), slot_lock.to_string().into()]);
        }
        arguments
    }

    /// Reads the arguments behind the name of the program. `None` if they are not those of a supervisor.
    #[must_use]
    pub fn parse(arguments: &[OsString]) -> Option<Self> {
        let [command, id, rest @ ..] = arguments else { return None };
        let (spool, rest) = option(rest, "--spool")?;
        let (job_lock, rest) = option(rest, "--job-lock")?;
        let (slot_lock, rest) = option(rest, "--slot-lock").map_or((None, rest), |(value, rest)| (Some(value), rest));
        if command != "supervise" || !rest.is_empty() {
            return None;
        }
        Some(Self {
            id: id.to_str()?.parse().ok()?,
            spool: Path::new(spool).to_owned(),
            job_lock: number(job_lock)?,
            slot_lock: match slot_lock {
                Some(slot_lock) => Some(number(slot_lock)?),
                None => None,
            },
        })
    }
}

fn option<'a>(arguments: &'a [OsString], name: &str) -> Option<(&'a OsStr, &'a [OsString])> {
    match arguments {
        [first, value, rest @ ..] if first == name => Some((value, rest)),
        _ => None,
    }
}

fn number(text: &OsStr) -> Option<RawFd> {
    text.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let id = JobId::try_from(42_u64).unwrap();
        let told = Arguments { id, spool: "/spool with a space".into(), job_lock: 16, slot_lock: Some(15) };
        let written = told.to_vec();
        assert_eq!(Arguments::parse(&written), Some(told.clone()));
        assert_eq!(Arguments::parse(&written[..6]), Some(Arguments { slot_lock: None, ..told }));
        for length in [0, 1, 2, 3, 4, 5, 7] {
            assert_eq!(Arguments::parse(&written[..length]), None, "{length} arguments");
        }
        for at in [0, 1, 2, 4, 5, 6, 7] {
            let mut wrong = written.clone();
            wrong[at] = "x".into();
            assert_eq!(Arguments::parse(&wrong), None, "{wrong:?}");
        }
    }
}
