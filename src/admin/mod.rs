//! What an operator does on the host: the subcommands of `spiderpig-api`, beside `check`.
//!
//! They work on the same files as the API, under the same locks, while it runs or not. One file has one subcommand.

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
    /// Manage the tokens by which scripts sign in
    #[command(subcommand)]
    Token(token::Command),
    /// Say the code of the second factor
    Otp(otp::Command),
    /// Verify what was recorded of who did what
    #[command(subcommand)]
    Audit(audit::Command),
}

/// Who runs a command, and where.
pub struct Operator<'a> {
    /// Their login name: who became another account by `sudo` is still who they are.
    pub name: &'a str,
    /// Where the answer goes.
    pub output: &'a mut dyn Write,
    /// Reads a secret: asked for with these words at a terminal, else a line of standard input.
    pub read_secret: &'a mut dyn FnMut(&str) -> io::Result<String>,
    /// Whether somebody types there, and does not see what.
    pub at_terminal: bool,
}

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was asked for cannot be done; the words say why, and what to do.
    #[error("{0}")]
    Refused(String),
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] spool::Error),
    /// Nothing can be read or written.
    #[error("standard input or output: {0}")]
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

/// Does what a command says.
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

/// The account that runs the API, and its group, for root, who makes files for it: whose the state directory is, or as
/// long as there is none, the first account that the runner trusts. Nobody but root can give files away.
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

/// Makes the state directory if it is not there: for the account of the API, which could not use one of root's.
///
/// # Errors
/// It cannot be made, or not be given away.
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
/// It belongs to another account. What root writes there, the API's account could not read any more.
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
        // What else may be wrong is told when it is used.
        _ => Ok(StateDirectory::new(path)),
    }
}
