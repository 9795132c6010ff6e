//! `monitoring/`: what other programs tell of the site that people deploy to.
//!
//! Any member of the spool's group writes these files, each by one rename. Nobody here writes them, and nothing that
//! the spool promises about jobs depends on them. They are read as strictly as everything that others put there, but
//! for members that are not known: the programs that write them may tell more than is shown.

mod mediawiki;
mod train;

use std::borrow::Cow;
use std::path::PathBuf;

use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

pub use self::mediawiki::{MediaWikiErrors, Occurrences};
pub use self::train::{GROUPS, Train, is_link, is_version, is_wiki};
use super::error::{Error, Result};
use super::layout::Spool;
use super::open;
use super::open::{Look, MONITORING_LIMIT};
use super::strict;
use super::time::Time;

/// The only `format` that this program knows.
const FORMAT: u64 = 1;

/// The most of a problem that is told, in characters: a value that is wrong may be long.
const LONGEST_PROBLEM: usize = 400;

/// A file of `monitoring/`.
pub trait Document: DeserializeOwned {
    /// The file's name.
    const NAME: &'static str;

    /// When the writer says that it was so.
    fn time(&self) -> Time;

    /// Checks what the types do not say.
    ///
    /// # Errors
    /// The path of the member, and its rule.
    fn check(&self) -> Result<(), String>;
}

/// Where a file of `monitoring/` is.
#[must_use]
pub fn path<T: Document>(spool: &Spool) -> PathBuf {
    spool.monitoring().join(T::NAME)
}

/// Reads a file of `monitoring/`; `None` if nobody has written it, or there is no such directory.
///
/// # Errors
/// It cannot be read, or is not what the layout says.
pub fn read<T: Document>(spool: &Spool) -> Result<Option<T>> {
    let path = path::<T>(spool);
    match open::look(&path, MONITORING_LIMIT)? {
        Look::Gone => Ok(None),
        Look::Refused(reason) => Err(Error::invalid(&path, reason)),
        Look::File(opened) => match parse(&opened.bytes) {
            Ok(document) => Ok(Some(document)),
            Err(reason) => Err(Error::invalid(&path, shortened(&reason))),
        },
    }
}

fn parse<T: Document>(bytes: &[u8]) -> Result<T, String> {
    let document: Value = strict::from_slice(bytes).map_err(|error| format!("it is not valid JSON: {error}"))?;
    match document.get("format") {
        Some(format) if format.as_u64() == Some(FORMAT) => {}
        Some(format) => return Err(format!("its `format` is {format}, and this program knows {FORMAT}")),
        None => return Err(format!("it has no `format`, and this program knows {FORMAT}")),
    }
    let document: T = serde_path_to_error::deserialize(document).map_err(|error| at_path(&error))?;
    document.check()?;
    Ok(document)
}

/// A missing member is named by the error itself, and its path is that of the object.
fn at_path(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    match error.path().to_string().as_str() {
        "." => error.inner().to_string(),
        path => format!("`{path}`: {}", error.inner()),
    }
}

fn shortened(reason: &str) -> Cow<'_, str> {
    match reason.char_indices().nth(LONGEST_PROBLEM) {
        Some((end, _)) => format!("{}…", &reason[..end]).into(),
        None => reason.into(),
    }
}

/// RFC 3339 with any offset: programs of others write what their libraries give them.
fn time_with_offset<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    let parsed: jiff::Timestamp = text.parse().map_err(|_| {
        de::Error::custom(format!("`{}` is not an RFC 3339 time such as 2026-11-23T15:38:46Z", shortened(&text)))
    })?;
    Ok(Time::from_milliseconds(parsed.as_millisecond()))
}

#[cfg(test)]
mod tests;
