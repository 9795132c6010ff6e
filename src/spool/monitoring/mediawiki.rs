//! `monitoring/mediawiki.json`: the recent errors of MediaWiki.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Document, time_with_offset};
use crate::spool::Time;

/// The recent errors. The writer of the file chooses the period.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MediaWikiErrors {
    /// The time of the report.
    #[serde(deserialize_with = "time_with_offset")]
    pub time: Time,
    /// Message → how often it was logged.
    pub log: IndexMap<String, Occurrences>,
    /// The number of all errors, if `log` does not have all of them.
    pub total: Option<u64>,
}

/// How often a message was logged, and by which versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrences {
    /// The number of times.
    pub count: u64,
    /// The versions of MediaWiki that logged it.
    pub versions: Vec<String>,
}

impl MediaWikiErrors {
    /// The number of all errors.
    #[must_use]
    pub fn total(&self) -> u64 {
        let counted = self.log.values().fold(0, |sum: u64, message| sum.saturating_add(message.count));
        self.total.unwrap_or(counted)
    }
}

impl Document for MediaWikiErrors {
    const NAME: &'static str = "mediawiki.json";

    fn time(&self) -> Time {
        self.time
    }

    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}
