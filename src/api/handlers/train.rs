//! The status of the train.

use std::collections::HashSet;
use std::sync::Arc;

use hyper::StatusCode;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::api::app::App;
use crate::api::request::Request;
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;
use crate::mirror::Monitored;
use crate::spool::monitoring::Train;

/// How many wikis without a version are named in a warning.
const MOST_NAMED: usize = 5;

/// `GET /api/train/status`.
///
/// # Errors
/// 503 if nobody has told where the train is.
pub async fn status(app: Arc<App>, _: Request) -> Result<Response, ApiError> {
    let monitoring = Arc::clone(&app.mirror.view().monitoring);
    match TrainStatus::new(&monitoring.train) {
        Some(status) => response::json(StatusCode::OK, &status),
        None => Err(ApiError::refused(StatusCode::SERVICE_UNAVAILABLE, unknown(&monitoring.train))),
    }
}

fn unknown(train: &Monitored<Train>) -> String {
    match &train.problem {
        Some(problem) => format!("The position of the train is unknown: {problem}"),
        None => "The position of the train is unknown: there is no monitoring/train.json in the spool. \
                 spool-layout.md says what is to be in it, and examples/monitoring/ how a timer writes it"
            .to_owned(),
    }
}

/// The train as clients see it: the facts of `monitoring/train.json`, and what follows from them.
///
/// A client sends it back with a promotion, so that everybody sees the same while the train moves.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrainStatus {
    groups: Vec<TrainGroup>,
    version: String,
    old_version: Option<String>,
    /// The last group all of whose wikis run the version; none if the train has not left.
    at_group: Option<String>,
    wiki_versions: IndexMap<String, String>,
    #[serde(default)]
    wiki_count: usize,
    task: Option<String>,
    /// Where the task is.
    pub task_url: Option<String>,
    task_status: Option<String>,
    task_release_date: Option<String>,
    task_version: Option<String>,
    warnings: Vec<String>,
    /// When it was so, in seconds since the epoch.
    time: Option<f64>,
}

/// One stop of the train.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TrainGroup {
    name: String,
    /// What its wikis run, the oldest first.
    versions: Vec<String>,
    wikis: Vec<String>,
    /// The wikis that a promotion takes along: all of them, until somebody excludes some.
    #[serde(default)]
    selected_wikis: Vec<String>,
    /// Whether the train has been here, or is here.
    #[serde(default)]
    has_rolled: bool,
}

impl TrainStatus {
    /// The train as it is known now, if it is.
    #[must_use]
    pub fn new(known: &Monitored<Train>) -> Option<Self> {
        let train = known.content.as_deref()?;
        let mut status = Self {
            groups: groups(train),
            version: train.version.clone(),
            old_version: train.old_version.clone(),
            at_group: None,
            wiki_versions: train.wiki_versions.clone(),
            wiki_count: train.wiki_versions.len(),
            task: train.task.clone(),
            task_url: train.task_url.clone(),
            task_status: train.task_status.clone(),
            task_release_date: train.task_release_date.clone(),
            task_version: train.task_version.clone(),
            warnings: train.warnings.clone(),
            time: Some(train.time.as_seconds_f64()),
        };
        let is_there = |group: &TrainGroup| group.versions == [train.version.as_str()];
        if let Some(at) = status.groups.iter().rposition(is_there) {
            status.groups[..=at].iter_mut().for_each(|group| group.has_rolled = true);
            status.at_group = Some(status.groups[at].name.clone());
        }
        status.warnings.extend(train.groups.iter().filter_map(|(name, wikis)| without_version(train, name, wikis)));
        status.warnings.extend(known.problem.as_ref().map(|problem| format!("This may be old: {problem}")));
        Some(status)
    }
}

/// A wiki counts for the first group that has it: the test wikis are a part of group0 too, and go ahead of it.
fn groups(train: &Train) -> Vec<TrainGroup> {
    let mut counted = HashSet::new();
    let mut groups = Vec::new();
    for (name, wikis) in &train.groups {
        let own = wikis.iter().filter(|wiki| counted.insert(wiki.as_str()));
        let mut versions: Vec<String> = own.filter_map(|wiki| train.wiki_versions.get(wiki)).cloned().collect();
        versions.sort_by(|one, other| age(one).cmp(&age(other)));
        versions.dedup();
        groups.push(TrainGroup {
            name: name.clone(),
            versions,
            wikis: wikis.clone(),
            selected_wikis: wikis.clone(),
            has_rolled: false,
        });
    }
    groups
}

/// What versions are ordered by: their numbers as numbers, and words after all of them.
fn age(version: &str) -> Vec<Result<u64, &str>> {
    version.split(['.', '-']).map(|part| part.parse().map_err(|_| part)).collect()
}

fn without_version(train: &Train, group: &str, wikis: &[String]) -> Option<String> {
    let missing: Vec<&str> =
        wikis.iter().map(String::as_str).filter(|wiki| !train.wiki_versions.contains_key(*wiki)).collect();
    let named = missing.get(..MOST_NAMED).unwrap_or(&missing).join(", ");
    match missing.len() {
        0 => None,
        1 => Some(format!("The version of {named} of {group} is unknown")),
        count @ ..=MOST_NAMED => Some(format!("The version of {count} wikis of {group} is unknown: {named}")),
        count => Some(format!("The version of {count} wikis of {group} is unknown: {named}, …")),
    }
}

#[cfg(test)]
mod tests;
