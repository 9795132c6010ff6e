//! Starting a job of any declared type.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{HeaderValue, LOCATION};
use serde_json::{Map, Value, json};

use super::changes::Starter;
use super::{changes, submission};
use crate::api::app::App;
use crate::api::request;
use crate::api::request::Request;
use crate::config::{Config, JobType, ParamError};
use crate::http::describe::{Argument, ArgumentKind};
use crate::http::error::{ApiError, Invalid};
use crate::http::response;
use crate::http::response::Response;
use crate::spool::queue::NewJob;
use crate::submit::Submitted;
use crate::submit::idempotency::Key;

/// What `POST /api/jobs` takes after the question mark.
pub const ARGUMENTS: &[Argument] = &[Argument {
    name: "dry_run",
    kind: ArgumentKind::Switch,
    help: "Check everything and return the command, without starting the job",
}];

/// What somebody wants to start.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub job_type: String,
    pub params: Map<String, Value>,
    /// Also if Gerrit cannot be asked, or does not know a change.
    pub anyway: bool,
}

/// `POST /api/jobs`: queues a job, durably; or, with `dry_run`, says what would be executed.
///
/// # Errors
/// 422 for what is wrong with the type or the parameters, 413 for too many of them, 502 or 400 for changes that cannot be
/// looked up, 400, 409 or 422 for an idempotency key, 503 or 500 if the spool does not take it.
pub async fn create(app: Arc<App>, mut request: Request) -> Result<Response, ApiError> {
    let is_dry = request.query()?.flag("dry_run")?;
    let body = request.bytes().await?;
    let key = submission::key(&request, "/api/jobs", &body)?;
    let wanted = Wanted::parse(&body)?;
    if is_dry {
        return dry_run(&app, &wanted, &request);
    }
    let starter = Starter { request: &request, anyway: wanted.anyway };
    created(start(app, wanted, key, starter).await?)
}

/// Queues a job, durably, with its changes as they are now.
///
/// # Errors
/// As [`create`].
pub(crate) async fn start(
    app: Arc<App>,
    wanted: Wanted,
    key: Option<Key>,
    starter: Starter<'_>,
) -> Result<Submitted, ApiError> {
    let new = async {
        let job_type = check(&app, &wanted, starter.request)?;
        let data = changes::data(&app, job_type, &wanted.params, None, starter).await?;
        Ok(NewJob {
            job_type: wanted.job_type,
            params: wanted.params,
            user: starter.request.user.to_string(),
            data,
            ..NewJob::default()
        })
    };
    submission::submit(&app, starter.request, key, new).await
}

fn created(submitted: Submitted) -> Result<Response, ApiError> {
    let id = submitted.id;
    let mut response = response::json(StatusCode::CREATED, &json!({ "message": "Job created", "id": id }))?;
    let location = HeaderValue::try_from(format!("/api/jobs/{id}")).map_err(ApiError::internal)?;
    response.headers_mut().insert(LOCATION, location);
    submission::mark(submitted, &mut response);
    Ok(response)
}

fn dry_run(app: &App, wanted: &Wanted, request: &Request) -> Result<Response, ApiError> {
    let job_type = check(app, wanted, request)?;
    let command = job_type.render(&wanted.params).map_err(|problem| ApiError::invalid(problem.into()))?;
    let plan = json!({
        "message": "Nothing was started: this is what would be executed",
        "type": job_type.name,
        "lane": job_type.lane,
        "command": command.shown,
        "params": job_type.masked_params(&wanted.params),
        "working_directory": job_type.working_directory.to_string_lossy(),
    });
    response::json(StatusCode::OK, &plan)
}

/// The runner checks the same again, from its own configuration: this is so that people hear of it at once.
fn check<'a>(app: &'a App, wanted: &Wanted, request: &Request) -> Result<&'a JobType, ApiError> {
    let job_type = declared(&app.config, &wanted.job_type)?;
    request.may_start(job_type)?;
    let problems = job_type.problems(&wanted.params);
    if !problems.is_empty() {
        return Err(ApiError::all_invalid(problems.into_iter().map(Invalid::from).collect()));
    }
    submission::refuse_what_the_runner_lacks(app, &wanted.job_type)?;
    Ok(job_type)
}

fn declared<'a>(config: &'a Config, name: &str) -> Result<&'a JobType, ApiError> {
    config.job_type(name).ok_or_else(|| {
        ApiError::invalid(Invalid {
            kind: "unknown_job_type",
            location: vec!["body".into(), "type".into()],
            message: "No job type has this name".into(),
            input: name.into(),
        })
    })
}

impl From<ParamError> for Invalid {
    fn from(error: ParamError) -> Self {
        Self {
            kind: "value_error",
            location: vec!["body".into(), "params".into(), error.param],
            message: error.message,
            input: error.input,
        }
    }
}

impl Wanted {
    /// Reads a request. What is not as it should be is not repeated: it may be a secret in the wrong place.
    fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let mut wanted = Self::default();
        let mut problems = Vec::new();
        let members: Map<String, Value> = request::parse_object(body)?;
        if !members.contains_key("type") {
            problems.push(("type".to_owned(), "missing", "Field required"));
        }
        for (name, value) in members {
            match (name.as_str(), value) {
                ("type", Value::String(job_type)) => wanted.job_type = job_type,
                ("type", _) => problems.push((name, "string_type", "Input should be a string")),
                ("params", Value::Object(params)) => wanted.params = params,
                ("anyway", Value::Bool(anyway)) => wanted.anyway = anyway,
                ("anyway", _) => problems.push((name, "bool_type", "Input should be true or false")),
                ("params", _) => problems.push((name, "dict_type", "Input should be an object")),
                _ => problems.push((
                    name,
                    "extra_forbidden",
                    "There is no such member: it takes `type`, `params` and `anyway`",
                )),
            }
        }
        if problems.is_empty() {
            return Ok(wanted);
        }
        let invalid = problems.into_iter().map(|(name, kind, message)| Invalid {
            kind,
            location: vec!["body".into(), name],
            message: message.into(),
            input: Value::Null,
        });
        Err(ApiError::all_invalid(invalid.take(MAX_PROBLEMS).collect()))
    }
}

/// How many wrong members are named.
const MAX_PROBLEMS: usize = 100;
