//! `spiderpig-api otp`.

use clap::Args;

use super::{Error, Operator};
use crate::config::Config;

/// What to do.
#[derive(Debug, Args)]
pub struct Command {}

pub(super) fn run(_: Command, _: &Config, _: &mut Operator) -> Result<(), Error> {
    Err(Error::Refused("there are no second factors yet".to_owned()))
}
