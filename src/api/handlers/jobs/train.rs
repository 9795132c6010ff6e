//! Promoting the train, and rolling it back.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Map, Value, json};
use serde_path_to_error::Segment;

use super::submission;
use crate::api::app::App;
use crate::api::handlers::train::TrainStatus;
use crate::api::request;
use crate::api::request::Request;
use crate::config::{JobType, ParamError};
use crate::http::error::{ApiError, Invalid};
use crate::http::response;
use crate::http::response::Response;
use crate::spool::monitoring::{GROUPS, is_link, is_version, is_wiki};
use crate::spool::queue::NewJob;

/// The job type that promotes a train.
const JOB_TYPE: &str = "train";

/// To this "group" all wikis belong, those of no group too.
const ALL: &str = "all";

/// The member that the status at the start is in, in a request and in the data of a job.
const STATUS: &str = "originalTrainStatus";

/// How many wrong members are named.
const MAX_PROBLEMS: usize = 100;

/// `POST /api/jobs/train`: queues a job that takes wikis to a version, durably.
///
/// # Errors
/// 422 for a member that breaks its rule, 400 if the configuration has no job type that does it, 413 for too much of it,
/// 400, 409 or 422 for an idempotency key, 503 or 500 if the spool does not take it.
pub async fn start(app: Arc<App>, mut request: Request) -> Result<Response, ApiError> {
    let body = request.bytes().await?;
    let key = submission::key(&request, "/api/jobs/train", &body)?;
    let promotion = Promotion::parse(&body)?;
    let submitted = submission::submit(&app, &request, key, async { promotion.job(&app, &request) }).await?;
    let mut response = response::json(StatusCode::OK, &json!({ "message": "Job created", "id": submitted.id }))?;
    submission::mark(submitted, &mut response);
    Ok(response)
}

/// What somebody wants of the train.
#[derive(Debug)]
struct Promotion {
    /// `group`, `version`, `oldVersion` and `excludedWikis`, as they came.
    members: Map<String, Value>,
    /// The status that the client saw when it decided.
    status: Option<Value>,
}

impl Promotion {
    fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let mut members: Map<String, Value> = request::parse_object(body)?;
        let mut problems: Vec<Invalid> = Vec::new();
        for name in ["group", "version", "oldVersion"] {
            if !members.contains_key(name) {
                problems.push(invalid(&[name], "missing", "Field required".into(), &Value::Null));
            }
        }
        let status = members.shift_remove(STATUS).filter(|status| !status.is_null());
        problems.extend(status.as_ref().and_then(check_status));
        for (name, value) in &members {
            check_member(name, value, &mut problems);
        }
        problems.truncate(MAX_PROBLEMS);
        if problems.is_empty() { Ok(Self { members, status }) } else { Err(ApiError::all_invalid(problems)) }
    }

    /// The job: its parameters are those of the members that the job type declares.
    fn job(self, app: &App, request: &Request) -> Result<NewJob, ApiError> {
        let Some(job_type) = app.config.job_type(JOB_TYPE) else {
            return Err(refused(
                "There is no job type `train` in the configuration, so no train can be promoted. Declare \
                 [job_types.train]; examples/spiderpig.toml has one",
            ));
        };
        request.may_start(job_type)?;
        let params = self.params(job_type)?;
        submission::refuse_what_the_runner_lacks(app, JOB_TYPE)?;
        let mut data = self.members;
        data.entry("excludedWikis").or_insert_with(|| json!([]));
        let status = self.status.map_or_else(|| status_now(app), |status| Ok(Some(status)))?;
        data.extend(status.map(|status| (STATUS.to_owned(), status)));
        Ok(NewJob {
            job_type: JOB_TYPE.to_owned(),
            params,
            user: request.user.to_string(),
            data: Some(data),
            ..NewJob::default()
        })
    }

    fn params(&self, job_type: &JobType) -> Result<Map<String, Value>, ApiError> {
        let given = self.members.iter().filter(|(_, value)| value.as_array().is_none_or(|values| !values.is_empty()));
        let (declared, others): (Map<_, _>, Map<_, _>) = given
            .map(|(name, value)| (name.clone(), value.clone()))
            .partition(|(name, _)| job_type.param(name).is_some());
        // The command would promote the wikis that somebody wants to be left out.
        if others.contains_key("excludedWikis") {
            return Err(refused(
                "The job type `train` has no parameter `excludedWikis`, so no wiki can be left out. Declare it in \
                 [job_types.train]",
            ));
        }
        let (own, foreign): (Vec<ParamError>, Vec<ParamError>) =
            job_type.problems(&declared).into_iter().partition(|problem| self.members.contains_key(&problem.param));
        if let Some(problem) = foreign.first() {
            let message = format!("The job type `train` wants something that a train does not have: {problem}");
            return Err(refused(message).with("param", problem.param.as_str()));
        }
        if own.is_empty() { Ok(declared) } else { Err(ApiError::all_invalid(own.into_iter().map(of_member).collect())) }
    }
}

/// The data of a job that is tried again: a promotion begins where the train is now.
///
/// # Errors
/// 500 if the status has no JSON form.
pub(crate) fn with_status_of_now(
    app: &App,
    job_type: &str,
    mut data: Option<Map<String, Value>>,
) -> Result<Option<Map<String, Value>>, ApiError> {
    if let Some(data) = data.as_mut().filter(|_| job_type == JOB_TYPE) {
        data.extend(status_now(app)?.map(|status| (STATUS.to_owned(), status)));
    }
    Ok(data)
}

/// The status that is told at present, for the data of a job. `None` if none is.
fn status_now(app: &App) -> Result<Option<Value>, ApiError> {
    let monitoring = Arc::clone(&app.mirror.view().monitoring);
    let status = TrainStatus::new(&monitoring.train);
    status.map(|status| serde_json::to_value(status).map_err(ApiError::internal)).transpose()
}

fn check_member(name: &str, value: &Value, problems: &mut Vec<Invalid>) {
    let text = value.as_str();
    let problem = match name {
        "group" if text.is_some_and(|text| text == ALL || GROUPS.contains(&text)) => return,
        "version" | "oldVersion" if text.is_some_and(is_version) => return,
        "group" => ("enum", format!("Input should be one of {}, {ALL}", GROUPS.join(", "))),
        "version" | "oldVersion" => ("value_error", "Input should be a version such as 1.46.0-wmf.3".to_owned()),
        "excludedWikis" => return check_wikis(name, value, problems),
        _ => {
            // It may be a mistyped one, and its value anything.
            let message =
                format!("There is no such member: it takes group, version, oldVersion, excludedWikis and {STATUS}");
            return problems.push(invalid(&[name], "extra_forbidden", message, &Value::Null));
        }
    };
    problems.push(invalid(&[name], problem.0, problem.1, value));
}

fn check_wikis(name: &str, value: &Value, problems: &mut Vec<Invalid>) {
    let Some(wikis) = value.as_array() else {
        return problems.push(invalid(&[name], "list_type", "Input should be a list of wikis".into(), value));
    };
    for (place, wiki) in wikis.iter().enumerate() {
        if !wiki.as_str().is_some_and(is_wiki) {
            let message = "Input should be the name of a wiki: letters, digits, _ and -".to_owned();
            problems.push(invalid(&[name, &place.to_string()], "value_error", message, wiki));
        }
    }
}

/// Everybody is shown what is in it, so it has to be a status.
fn check_status(status: &Value) -> Option<Invalid> {
    match serde_path_to_error::deserialize::<_, TrainStatus>(status) {
        Ok(status) if status.task_url.as_deref().is_none_or(is_link) => None,
        Ok(status) => {
            let message = "Input should be an address with http:// or https://".to_owned();
            Some(invalid(&[STATUS, "taskUrl"], "value_error", message, &status.task_url.into()))
        }
        Err(error) => {
            let path: Vec<String> = error.path().iter().map(step).collect();
            let location: Vec<&str> = [STATUS].into_iter().chain(path.iter().map(String::as_str)).collect();
            Some(invalid(&location, "value_error", error.inner().to_string(), &Value::Null))
        }
    }
}

/// A place in a list is told as everywhere, without brackets.
fn step(segment: &Segment) -> String {
    match segment {
        Segment::Seq { index } => index.to_string(),
        other => other.to_string(),
    }
}

/// A parameter of the job is a member of the request.
fn of_member(error: ParamError) -> Invalid {
    invalid(&[&error.param], "value_error", error.message, &error.input)
}

fn invalid(location: &[&str], kind: &'static str, message: String, input: &Value) -> Invalid {
    let location = ["body"].iter().chain(location).map(|part| (*part).to_owned()).collect();
    Invalid { kind, location, message, input: input.clone() }
}

fn refused(why: impl Into<String>) -> ApiError {
    ApiError::refused(StatusCode::BAD_REQUEST, why)
}

#[cfg(test)]
mod tests;
