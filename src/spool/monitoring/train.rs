//! `monitoring/train.json`: the version of MediaWiki that each wiki runs, and the version that the train brings to all.

use indexmap::IndexMap;
use serde::Deserialize;

use super::{Document, time_with_offset};
use crate::spool::Time;

/// The groups of wikis, in the order in which a train is promoted to them.
pub const GROUPS: [&str; 4] = ["testwikis", "group0", "group1", "group2"];

/// The facts of this week's train. The page works out the rest, such as the position of the train.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Train {
    /// The time of the report.
    #[serde(deserialize_with = "time_with_offset")]
    pub time: Time,
    /// The version that the train brings.
    pub version: String,
    /// The version before it, to which a train is rolled back.
    pub old_version: Option<String>,
    /// Group → its wikis. The groups are in the order in which the train reaches them. A wiki in several groups counts
    /// for the first.
    pub groups: IndexMap<String, Vec<String>>,
    /// Wiki → the version that it runs.
    pub wiki_versions: IndexMap<String, String>,
    /// The task that tracks the train, such as `T392180`.
    pub task: Option<String>,
    /// The address of the task.
    pub task_url: Option<String>,
    /// The status of the task, in a word of the task tracker.
    pub task_status: Option<String>,
    /// The day of the train, as `2026-11-23`.
    pub task_release_date: Option<String>,
    /// The version that the task is about.
    pub task_version: Option<String>,
    /// Warnings that people should read before they go on.
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl Document for Train {
    const NAME: &'static str = "train.json";

    fn time(&self) -> Time {
        self.time
    }

    fn check(&self) -> Result<(), String> {
        let versions = [("version", Some(&self.version)), ("oldVersion", self.old_version.as_ref())];
        for (name, version) in versions {
            if let Some(version) = version.filter(|version| !is_version(version)) {
                return Err(format!("`{name}`: {version:?} is not a version such as 1.46.0-wmf.3"));
            }
        }
        for (group, wikis) in &self.groups {
            if !GROUPS.contains(&group.as_str()) {
                return Err(format!("`groups`: {group:?} is not one of {}", GROUPS.join(", ")));
            }
            check_wikis(&format!("groups.{group}"), wikis)?;
        }
        check_wikis("wikiVersions", self.wiki_versions.keys())?;
        match &self.task_url {
            Some(url) if !is_link(url) => Err(format!("`taskUrl`: {url:?} is not an address with http:// or https://")),
            _ => Ok(()),
        }
    }
}

fn check_wikis<'a>(path: &str, wikis: impl IntoIterator<Item = &'a String>) -> Result<(), String> {
    match wikis.into_iter().find(|wiki| !is_wiki(wiki)) {
        Some(wiki) => Err(format!("`{path}`: {wiki:?} is not a wiki; its name has letters, digits, _ and - only")),
        None => Ok(()),
    }
}

/// Whether a text is the version of a train, such as `1.46.0-wmf.3`.
#[must_use]
pub fn is_version(text: &str) -> bool {
    let is_number = |text: &str| (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once("-wmf.").is_some_and(|(release, branch)| {
        release.split('.').count() == 3 && release.split('.').all(is_number) && is_number(branch)
    })
}

/// Whether a text can be the name of a wiki: letters, digits, `_` and `-`.
#[must_use]
pub fn is_wiki(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Whether a page may link to an address.
#[must_use]
pub fn is_link(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}
