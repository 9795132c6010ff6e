//! `monitoring/`: reports of other programs about the site that people deploy to.
//!
//! Members of the spool's group write these files, each by one rename. SpiderPig only reads them, and no job depends on
//! them. It reads them as strictly as other files of other accounts, but ignores unknown members, because those
//! programs may report more than SpiderPig shows.

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
use super::open::{Checked, MONITORING_LIMIT};
use super::strict;
use super::time::Time;

/// The only `format` that this program supports.
const FORMAT: u64 = 1;

/// The longest text of a problem, in characters. It is limited because a wrong value may be long.
const LONGEST_PROBLEM: usize = 400;

/// A file of `monitoring/`.
pub trait Document: DeserializeOwned {
    /// The file's name.
    const NAME: &'static str;

    /// The time of the report, as its writer gives it.
    fn time(&self) -> Time;

    /// Checks the rules that the types do not express.
    ///
    /// # Errors
    /// The path of the wrong member, and its rule.
    fn check(&self) -> Result<(), String>;
}

/// The path of a file of `monitoring/`.
#[must_use]
pub fn path<T: Document>(spool: &Spool) -> PathBuf {
    spool.monitoring().join(T::NAME)
}

/// Reads a file of `monitoring/`. `None` if the file or the directory does not exist.
///
/// # Errors
/// It cannot be read, or does not follow the layout.
pub fn read<T: Document>(spool: &Spool) -> Result<Option<T>> {
    let path = path::<T>(spool);
    match open::read_checked(&path, MONITORING_LIMIT)? {
        Checked::Gone => Ok(None),
        Checked::Refused(reason) => Err(Error::invalid(&path, reason)),
        Checked::File(opened) => match parse(&opened.bytes) {
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

/// Puts the path before an error. If a member is missing, the error names it, and the path is that of its object.
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

/// Reads an RFC 3339 time with any offset, because other programs write the offsets of their libraries.
fn time_with_offset<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    let parsed: jiff::Timestamp = text.parse().map_err(|_| {
        de::Error::custom(format!("`{}` is not an RFC 3339 time such as 2026-11-23T15:38:46Z", shortened(&text)))
    })?;
    Ok(Time::from_milliseconds(parsed.as_millisecond()))
}

#[cfg(test)]
mod tests;
