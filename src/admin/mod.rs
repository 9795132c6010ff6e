//! The subcommands of `spiderpig-api` for operators on the host, except for `check`.
//!
//! They change the same files as the API, under the same locks, and work while it runs. Each file has one subcommand.

mod audit;
mod otp;
mod token;
mod user;

use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;

use clap::Subcommand;
use serde_json::Value;

use crate::audit::{Audit, Entry, Event};
use crate::check::Account;
use crate::config::Config;
use crate::spool;
use crate::spool::atomic;
use crate::spool::atomic::Durability;
use crate::state::StateDirectory;

/// A subcommand.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Manage the accounts of authentication mode "local"
    #[command(subcommand)]
    User(user::Command),
    /// Manage the tokens of scripts
    #[command(subcommand)]
    Token(token::Command),
    /// Print the code of your second factor
    Otp(otp::Command),
    /// Verify the audit trail
    #[command(subcommand)]
    Audit(audit::Command),
}

/// Who runs a command, and where.
pub struct Operator<'a> {
    /// Their login name: after `sudo`, the name of the person who called it.
    pub name: &'a str,
    /// Where the command prints.
    pub output: &'a mut dyn Write,
    /// Reads a secret: asks with these words at a terminal, or reads a line of standard input.
    pub read_secret: &'a mut dyn FnMut(&str) -> io::Result<String>,
    /// Whether a person types the secrets without seeing them.
    pub at_terminal: bool,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command cannot do this. The text says why, and what to do.
    #[error("{0}")]
    Refused(String),
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] spool::Error),
    /// Standard input or output does not work.
    #[error("cannot use standard input or output: {0}")]
    Io(#[from] io::Error),
}

impl Operator<'_> {
    /// Records in the audit trail what this operator did, durably.
    fn record(&self, config: &Config, event: Event, details: &Value) -> Result<(), Error> {
        make_state_directory(config)?;
        let directory = StateDirectory::new(&config.api.state_directory);
        let (user, address) = (Some(self.name.to_owned()), "host".to_owned());
        let details = details.as_object().cloned().unwrap_or_default();
        let entry = Entry { event, user, address, request: None, details };
        Ok(Audit::new(directory).append(&entry, Durability::Synced)?)
    }
}

/// Runs a command.
///
/// # Errors
/// [`Error`].
pub fn run(command: Command, config: &Config, operator: &mut Operator) -> Result<(), Error> {
    match command {
        Command::User(command) => user::run(command, config, operator),
        Command::Token(command) => token::run(command, config, operator),
        Command::Otp(command) => otp::run(&command, config, operator),
        Command::Audit(command) => audit::run(command, config, operator),
    }
}

/// The account that runs the API, and its group. Root makes files for this account; others cannot give files away, and
/// get `None`. It is the owner of the state directory or, before that exists, the first account that the runner trusts.
fn api_account(config: &Config) -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    if let Ok(state) = config.api.state_directory.metadata() {
        let group = uzers::get_user_by_uid(state.uid()).map_or(state.gid(), |account| account.primary_group_id());
        return Some((state.uid(), group));
    }
    let trusted = config.runner.trusted_submitters.iter().find_map(uzers::get_user_by_name)?;
    Some((trusted.uid(), trusted.primary_group_id()))
}

/// Makes the state directory if it is missing. It belongs to the API's account, which could not use one of root's.
///
/// # Errors
/// It cannot be made, or cannot be given to the API's account.
fn make_state_directory(config: &Config) -> Result<(), Error> {
    let path = &config.api.state_directory;
    if path.is_dir() {
        return Ok(());
    }
    let account = api_account(config);
    StateDirectory::new(path).make()?;
    if let Some((owner, group)) = account {
        atomic::set_owner(path, owner, group)?;
    }
    Ok(())
}

/// The state directory, for a command that changes what is in it.
///
/// # Errors
/// It belongs to another account. The API's account could not read files that root writes there.
fn state_directory(config: &Config) -> Result<StateDirectory, Error> {
    let path = &config.api.state_directory;
    make_state_directory(config)?;
    match path.metadata() {
        Ok(metadata) if metadata.uid() != rustix::process::geteuid().as_raw() => {
            let owner = Account::of(metadata.uid()).name();
            let path = path.display();
            Err(Error::Refused(format!(
                "{path} belongs to {owner}: run this as that account, with `sudo -u {owner} …`"
            )))
        }
        // Using the directory reports other faults.
        _ => Ok(StateDirectory::new(path)),
    }
}
