//! `spiderpig-api audit`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::{Error, Operator};
use crate::audit;
use crate::audit::{Audit, Fragments, Head, Verdict};
use crate::config::Config;
use crate::state::StateDirectory;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check that nobody changed the audit trail, and name the first change
    Verify {
        /// Verify this file, instead of the current audit trail
        file: Option<PathBuf>,
    },
}

pub(super) fn run(command: Command, config: &Config, operator: &mut Operator) -> Result<(), Error> {
    let Command::Verify { file } = command;
    let (path, verdict) = if let Some(path) = file {
        let verdict = audit::verify(&path)?;
        let verdict = verdict.ok_or_else(|| Error::Refused(format!("{} is not there", path.display())))?;
        (path, verdict)
    } else {
        let audit = Audit::new(StateDirectory::new(&config.api.state_directory));
        (audit.path().to_owned(), audit.verify()?)
    };
    match verdict.broken {
        Some(broken) => Err(Error::Refused(format!("{}: {broken}", path.display()))),
        None => Ok(tell(&path, &verdict, operator.output)?),
    }
}

fn tell(path: &Path, verdict: &Verdict, output: &mut dyn Write) -> io::Result<()> {
    let Verdict { lines, span, head, fragments, .. } = verdict;
    writeln!(output, "{}: {lines} lines; the chain is unbroken", path.display())?;
    if let Some((first, last)) = span {
        writeln!(output, "from {first} to {last}")?;
    }
    if let Some(Fragments { count, first }) = fragments {
        writeln!(
            output,
            "{count} of the lines are not audit records; the first one is line {first}. A crash or a full disk can \
             cut records off. If neither happened, somebody changed these lines before the next record was written"
        )?;
    }
    let Head { line, digest } = head;
    writeln!(output, "head {line} {digest}")
}
