//! `spiderpig-api user`.

use clap::Subcommand;

use super::{Error, Operator};
use crate::config::Config;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {}

pub(super) fn run(command: Command, _: &Config, _: &mut Operator) -> Result<(), Error> {
    match command {}
}
