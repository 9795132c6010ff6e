//! The errors of a configuration file, and of the parameters of a job.

use std::path::PathBuf;

use serde_json::Value;
use thiserror::Error;

use super::names::quoted;

/// A configuration file that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file has a mistake.
    #[error("{}:{line}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The mistake, the key, and the correct form.
        message: String,
    },
}

/// Parameters that the job type refuses.
///
/// The message never quotes the value. It is stored with the job and shown to people, and the value may be secret.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{message}")]
pub struct ParamError {
    /// The parameter's name as it was given.
    pub param: String,
    /// A sentence that names the parameter, the rule and, for a mistyped name, the nearest one.
    pub message: String,
    /// The refused value, or `null` if there was none. It is [`MASK`](super::MASK) unless the parameter is known not to
    /// be sensitive.
    pub input: Value,
}

/// A mistake at one place of the file's text. [`Config::parse`](super::Config::parse) turns the place into a line.
#[derive(Debug)]
pub(super) struct Fault {
    /// The place, in bytes from the start of the text.
    pub(super) offset: usize,
    pub(super) message: String,
}

impl Fault {
    /// The mistake in a text that is not TOML.
    pub(super) fn from_toml(error: &toml::de::Error, text: &str) -> Self {
        let span = error.span().unwrap_or_default();
        let place = text.get(span.clone()).and_then(|place| place.lines().next()).filter(|place| !place.is_empty());
        let at = place.map_or_else(String::new, |place| format!(" at {}", quoted(place)));
        Self { offset: span.start, message: format!("not TOML: {}{at}", error.message()) }
    }
}
