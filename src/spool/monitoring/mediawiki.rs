//! `monitoring/mediawiki.json`: the errors that MediaWiki logs at present.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Document, time_with_offset};
use crate::spool::Time;

/// The errors of the last while; how long that is, is the writer's business.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct MediaWikiErrors {
    /// When it was so.
    #[serde(deserialize_with = "time_with_offset")]
    pub time: Time,
    /// Each message, and how often it was logged.
    pub log: IndexMap<String, Occurrences>,
    /// How many errors there are in all, if `log` does not have every one.
    pub total: Option<u64>,
}

/// How often a message was logged, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrences {
    /// How often.
    pub count: u64,
    /// The versions of MediaWiki that did.
    pub versions: Vec<String>,
}

impl MediaWikiErrors {
    /// How many errors there are in all.
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
