//! The changes of a job that is about to be started: looked up now, and stored with it.

use std::collections::BTreeSet;

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use crate::api::app::App;
use crate::api::request::Request;
use crate::changes::gerrit::{Gerrit, Lookup, MOST_CHANGES, Missing, change_infos, look_up};
use crate::changes::preflight::report::examine;
use crate::config::JobType;
use crate::http::error::ApiError;

/// The member of a job's data that has its changes.
const CHANGE_INFOS: &str = "change_infos";

/// The member that says who started it though something spoke against it, and what.
const STARTED_ANYWAY: &str = "started_anyway";

/// Who starts a job with changes, and how sure they are.
#[derive(Debug, Clone, Copy)]
pub struct Starter<'a> {
    /// Their request.
    pub request: &'a Request,
    /// Whether to start it also if Gerrit cannot be asked, or does not know a change.
    pub anyway: bool,
}

/// The data of a job that is to be started with these parameters: what it had before, if it is tried again, and its
/// changes as they are now. A job without changes has none, and without a Gerrit nothing is looked up.
///
/// # Errors
/// 502 if Gerrit does not answer, 400 if it does not know a change; neither, if the job is started anyway. 400 for too
/// many changes.
pub async fn data(
    app: &App,
    job_type: &JobType,
    params: &Map<String, Value>,
    before: Option<Map<String, Value>>,
    starter: Starter<'_>,
) -> Result<Option<Map<String, Value>>, ApiError> {
    let mut data = before.unwrap_or_default();
    data.shift_remove(STARTED_ANYWAY);
    if let Some(gerrit) = &app.gerrit {
        data.shift_remove(CHANGE_INFOS);
        let changes = job_type.changes(params);
        if !changes.is_empty() {
            data.extend(look_up_all(app, gerrit, changes, starter).await?);
        }
    }
    Ok(Some(data).filter(|data| !data.is_empty()))
}

async fn look_up_all(
    app: &App,
    gerrit: &Gerrit,
    changes: Vec<String>,
    starter: Starter<'_>,
) -> Result<Map<String, Value>, ApiError> {
    if changes.len() > MOST_CHANGES {
        let message = format!("A job has at most {MOST_CHANGES} changes. Start several jobs");
        return Err(ApiError::refused(StatusCode::BAD_REQUEST, message));
    }
    let lookups = look_up(gerrit, changes).await;
    let mut data = Map::new();
    if starter.anyway {
        let problems = examine(gerrit, &app.mirror, &app.config, &lookups).await.problems();
        if !problems.is_empty() {
            tracing::info!(?problems, "started anyway");
            data.insert(STARTED_ANYWAY.to_owned(), json!({ "by": &*starter.request.user, "problems": problems }));
        }
    } else {
        refuse_missing(&lookups)?;
    }
    let found = lookups.iter().filter_map(|lookup| lookup.found.as_ref().ok());
    data.insert(CHANGE_INFOS.to_owned(), change_infos(found, &gerrit.url, &app.config.phorge.url));
    Ok(data)
}

/// A person can overcome these.
fn refuse_missing(lookups: &[Lookup]) -> Result<(), ApiError> {
    let missing: Vec<(&str, &Missing)> =
        lookups.iter().filter_map(|lookup| Some((lookup.input.as_str(), lookup.found.as_ref().err()?))).collect();
    let refuse = |status, problem: &str| {
        let message = format!("Nothing was started: {problem}. Try again, or start it anyway");
        ApiError::refused(status, message).with("anyway", true)
    };
    if let Some((_, error)) = missing.iter().find(|(_, missing)| matches!(missing, Missing::Unanswered(_))) {
        return Err(refuse(StatusCode::BAD_GATEWAY, &error.to_string()));
    }
    if missing.is_empty() {
        return Ok(());
    }
    let problems: BTreeSet<String> = missing.iter().map(|(_, missing)| missing.to_string()).collect();
    let problems = problems.into_iter().collect::<Vec<_>>().join("; ");
    let unknown: Vec<&str> = missing.iter().map(|(input, _)| *input).collect();
    Err(refuse(StatusCode::BAD_REQUEST, &problems).with("baddies", unknown))
}
