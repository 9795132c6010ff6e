//! `spiderpig-api otp`: the second factor of who is signed in on the host, for those who would rather not scan it in a
//! browser.

use std::io::{self, Write};

use clap::Args;
use serde_json::json;

use super::{Error, Operator};
use crate::accounts::second_factor::{AllUsed, Code, Enrolment, SecondFactors, qr};
use crate::audit::Event;
use crate::config::Config;
use crate::spool::Time;

/// The longest that one waits for the next code while the clock goes forward, in seconds.
const LONGEST_WAIT: u64 = 60;

/// What to do.
#[derive(Debug, Args)]
pub struct Command {
    /// Print the code and nothing else
    #[arg(long)]
    quiet: bool,
    /// Print what an authenticator app has to be told: a QR code to scan, and the key to type
    #[arg(long, conflicts_with = "quiet")]
    qr: bool,
}

pub(super) fn run(command: &Command, config: &Config, operator: &mut Operator) -> Result<(), Error> {
    let directory = super::state_directory(config)?;
    let factors = SecondFactors::open(&directory)?;
    // Whoever has the account of the API can be anybody by this, so it must not go unseen.
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
            "{} had no second factor: now there is one. --qr shows it to an authenticator app.",
            operator.name
        )?;
    }
    writeln!(output, "{digits} (accepted once, for another {seconds} seconds)")?;
    Ok(())
}

fn show_enrolment(output: &mut dyn Write, user: &str, enrolment: &Enrolment) -> io::Result<()> {
    writeln!(output, "Scan this with an authenticator app, or type the account and the key into it:")?;
    writeln!(output, "  account  SpiderPig:{user}\n  key      {}", enrolment.secret)?;
    // At the end: a small terminal has room for this, and for no line more.
    write!(output, "{}", qr::terminal(&enrolment.qr))
}

fn why_none(AllUsed { seconds }: AllUsed) -> String {
    if seconds <= LONGEST_WAIT {
        return format!("the codes of this moment have been used; the next one works in {seconds} seconds");
    }
    format!(
        "the clock of this machine went back: the next code works in {seconds} seconds. Until then sign in with a \
         recovery code, or have an admin reset your second factor"
    )
}
