//! `GET /api/changes` and `GET /api/searchPatch`: changes in Gerrit, while somebody types which of them to deploy.

use std::sync::Arc;

use hyper::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::app::App;
use crate::api::request::Request;
use crate::changes::gerrit::{Change, MOST_CHANGES, NO_GERRIT, Shown, look_up};
use crate::http::describe::{Argument, ArgumentKind};
use crate::http::error::{ApiError, Invalid};
use crate::http::query::Query;
use crate::http::response;
use crate::http::response::Response;

/// What `GET /api/changes` and `GET /api/preflight` take after the question mark.
pub const ARGUMENTS: &[Argument] = &[Argument {
    name: "change",
    kind: ArgumentKind::Texts,
    help: "The number of a change or its address in Gerrit; repeat the name for each change, at most 50",
}];

/// What `GET /api/searchPatch` takes after the question mark.
pub const SEARCH_ARGUMENTS: &[Argument] = &[Argument {
    name: "changeNumOrUrl",
    kind: ArgumentKind::Text,
    help: "The number of a change or its address in Gerrit",
}];

/// A change as it was typed, and what it is.
#[derive(Serialize)]
struct Found<'a> {
    input: &'a str,
    change: Option<Shown<'a>>,
    /// Why there is none, in words.
    problem: Option<String>,
}

/// `GET /api/changes`: what each of the changes is. What is wrong with one of them is told beside it.
///
/// # Errors
/// 422 for no change, or too many.
pub async fn changes(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let inputs = chosen(&request.query()?)?;
    let Some(gerrit) = &app.gerrit else {
        let without = |input| Found { input, change: None, problem: Some(NO_GERRIT.to_owned()) };
        let found: Vec<Found> = inputs.iter().map(|input| without(input.as_str())).collect();
        return response::json(StatusCode::OK, &json!({ "changes": found }));
    };
    let lookups = look_up(gerrit, inputs).await;
    let found = lookups.iter().map(|lookup| {
        let (change, problem) = match &lookup.found {
            Ok(change) => (Some(change.shown(&gerrit.url)), None),
            Err(missing) => (None, Some(missing.to_string())),
        };
        Found { input: &lookup.input, change, problem }
    });
    response::json(StatusCode::OK, &json!({ "changes": found.collect::<Vec<_>>() }))
}

/// `GET /api/searchPatch`: the same for one change, in the form of Gerrit. The page of the original takes nothing for an
/// answer when anything is wrong.
///
/// # Errors
/// 422 for a malformed query.
pub async fn search_patch(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let query = request.query()?;
    let input = query.get("changeNumOrUrl").map(str::to_owned);
    let lookups = match &app.gerrit {
        Some(gerrit) => look_up(gerrit, input).await,
        None => Vec::new(),
    };
    let found: Vec<Value> = lookups.iter().filter_map(|lookup| lookup.found.as_ref().ok()).map(as_in_gerrit).collect();
    response::json(StatusCode::OK, &found)
}

fn as_in_gerrit(change: &Change) -> Value {
    json!({
        "_number": change.number,
        "project": change.project,
        "branch": change.branch,
        "subject": change.subject,
        "status": change.status,
    })
}

/// The changes that a query names.
///
/// # Errors
/// 422 for none, or too many.
pub(crate) fn chosen(query: &Query) -> Result<Vec<String>, ApiError> {
    let chosen: Vec<String> = query.all("change").map(str::to_owned).collect();
    let (kind, message) = match chosen.len() {
        0 => ("missing", "Field required".to_owned()),
        1..=MOST_CHANGES => return Ok(chosen),
        _ => ("too_long", format!("At most {MOST_CHANGES} changes are looked up at once")),
    };
    let location = vec!["query".into(), "change".into()];
    Err(ApiError::invalid(Invalid { kind, location, message, input: Value::Null }))
}
