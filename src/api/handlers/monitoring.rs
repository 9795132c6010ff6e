//! The errors that MediaWiki logs, and when each file of `monitoring/` was made.

use std::sync::Arc;

use hyper::StatusCode;
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::json;

use crate::api::app::App;
use crate::api::request::Request;
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;
use crate::mirror::{Monitored, Monitoring};
use crate::spool::monitoring::MediaWikiErrors;

/// `GET /api/monitoring/logs/mediawiki`: each message with its count and versions. Empty if nobody has told any.
///
/// # Errors
/// None.
pub async fn mediawiki(app: Arc<App>, _: Request) -> Result<Response, ApiError> {
    let monitoring = Arc::clone(&app.mirror.view().monitoring);
    let content = monitoring.mediawiki.content.as_deref();
    let none = IndexMap::new();
    let answer = json!({
        "message": message(&monitoring.mediawiki),
        "problem": monitoring.mediawiki.problem,
        "log": content.map_or(&none, |content| &content.log),
        "total": content.map(MediaWikiErrors::total),
        "time": content.map(|content| content.time.as_seconds_f64()),
    });
    response::json(StatusCode::OK, &answer)
}

/// `GET /api/monitoring/logs/mediawiki/total`: how many errors there are, or null.
///
/// # Errors
/// None.
pub async fn total(app: Arc<App>, _: Request) -> Result<Response, ApiError> {
    let monitoring = Arc::clone(&app.mirror.view().monitoring);
    let content = monitoring.mediawiki.content.as_deref();
    let answer = json!({
        "message": message(&monitoring.mediawiki),
        "total": content.map(MediaWikiErrors::total),
        "time": content.map(|content| content.time.as_seconds_f64()),
    });
    response::json(StatusCode::OK, &answer)
}

fn message(known: &Monitored<MediaWikiErrors>) -> String {
    match (&known.content, &known.problem) {
        (Some(_), None) => "The errors that MediaWiki logs at present".to_owned(),
        (Some(_), Some(problem)) => format!("This may be old: {problem}"),
        (None, Some(problem)) => format!("The errors are unknown: {problem}"),
        (None, None) => "The errors are unknown: there is no monitoring/mediawiki.json in the spool. \
                         spool-layout.md says what is to be in it, and examples/monitoring/ how a timer writes it"
            .to_owned(),
    }
}

/// What a page has to know to ask again: when each file says that it was so.
#[derive(Debug, Serialize)]
pub struct Summary {
    train: Option<TrainSummary>,
    mediawiki: Option<MediaWikiSummary>,
}

#[derive(Debug, Serialize)]
struct TrainSummary {
    /// In seconds since the epoch.
    time: f64,
}

#[derive(Debug, Serialize)]
struct MediaWikiSummary {
    /// In seconds since the epoch.
    time: f64,
    total: u64,
}

impl Summary {
    /// What is known now.
    #[must_use]
    pub fn new(monitoring: &Monitoring) -> Self {
        let (train, mediawiki) = (&monitoring.train.content, &monitoring.mediawiki.content);
        Self {
            train: train.as_ref().map(|train| TrainSummary { time: train.time.as_seconds_f64() }),
            mediawiki: mediawiki
                .as_ref()
                .map(|errors| MediaWikiSummary { time: errors.time.as_seconds_f64(), total: errors.total() }),
        }
    }
}
