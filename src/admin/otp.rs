//! `spiderpig-api otp`: the second factor of the operator, for people who do not want to scan it in a browser.

use std::io::{self, Write};

use clap::Args;
use serde_json::json;

use super::{Error, Operator};
use crate::accounts::second_factor::{AllUsed, Code, Enrolment, SecondFactors, qr};
use crate::audit::Event;
use crate::config::Config;
use crate::spool::Time;

/// The longest wait for the next code while the clock goes forward, in seconds.
const LONGEST_WAIT: u64 = 60;

/// What to do.
#[derive(Debug, Args)]
pub struct Command {
    /// Print the code and nothing else
    #[arg(long)]
    quiet: bool,
    /// Print the QR code and the key for an authenticator app
    #[arg(long, conflicts_with = "quiet")]
    qr: bool,
}

pub(super) fn run(command: &Command, config: &Config, operator: &mut Operator) -> Result<(), Error> {
    let directory = super::state_directory(config)?;
    let factors = SecondFactors::open(&directory)?;
    // With this command, a person who has the API's account can sign in as anybody, so the audit trail records it.
    let record = |operator: &Operator, what| {
        operator.record(config, Event::SecondFactorChanged, &json!({ "what": what, "of": operator.name }))
    };
    if !factors.is_enrolled(operator.name) {
        record(operator, "enrolled")?;
    }
    let host = factors.code_now(operator.name, Time::now())?;
    if command.qr {
        record(operator, "shown")?;
        return Ok(show_enrolment(operator.output, operator.name, &host.enrolment)?);
    }
    let Code { digits, seconds } = host.code.map_err(|used| Error::Refused(why_none(used)))?;
    record(operator, "code_told")?;
    let output = &mut operator.output;
    if command.quiet {
        return Ok(writeln!(output, "{digits}")?);
    }
    if host.made {
        writeln!(
            output,
            "Made a second factor for {}. To set up an authenticator app, run the command with --qr.",
            operator.name
        )?;
    }
    writeln!(output, "{digits} (accepted once, for another {seconds} seconds)")?;
    Ok(())
}

fn show_enrolment(output: &mut dyn Write, user: &str, enrolment: &Enrolment) -> io::Result<()> {
    writeln!(output, "Scan this with an authenticator app, or type the account and the key into it:")?;
    writeln!(output, "  account  SpiderPig:{user}\n  key      {}", enrolment.secret)?;
    // Last, because a small terminal has just enough lines for it.
    write!(output, "{}", qr::terminal(&enrolment.qr))
}

fn why_none(AllUsed { seconds }: AllUsed) -> String {
    if seconds <= LONGEST_WAIT {
        return format!("the current codes have been used; the next code works in {seconds} seconds");
    }
    format!(
        "the clock of this machine went back: the next code works in {seconds} seconds. Until then sign in with a \
         recovery code, or have an admin reset your second factor"
    )
}
