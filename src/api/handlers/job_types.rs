//! `GET /api/job-types`: the job types that a user may start. The page makes its forms of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::runner;
use crate::api::app::App;
use crate::api::request::Request;
use crate::config::{Config, GerritUrl, JobType, Param, ParamKind, Pattern};
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;
use crate::mirror::View;

/// `GET /api/job-types`: the declared job types that this user may start, in the order of the configuration.
///
/// # Errors
/// None.
pub async fn job_types(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let view = app.mirror.view();
    let own = app.config.job_types.values().filter(|job_type| request.may_start(job_type).is_ok());
    let job_types = own.map(|job_type| Shown::new(job_type, &app.config, &view)).collect();
    let gerrit_url = app.config.gerrit.url.as_ref().map(GerritUrl::as_str);
    let titles = app.config.job_types.values().map(|job_type| (&*job_type.name, &*job_type.title)).collect();
    response::json(StatusCode::OK, &List { job_types, titles, gerrit_url })
}

/// Why no job of this type can be started now: the runner was started with another configuration, and would reject the
/// job after it was accepted here.
#[must_use]
pub fn disabled_reason(job_type: &str, config: &Config, view: &View) -> Option<&'static str> {
    let state = view.runner.state.as_ref().filter(|_| view.runner.up)?;
    if runner::agrees(state, config) || state.job_types.iter().any(|known| known == job_type) {
        return None;
    }
    Some(
        "The job runner does not know this job type yet, or not any more, because the configuration has changed since it or \
         this service was started. /healthz says which of the two to restart; jobs that run go on",
    )
}

#[derive(Serialize)]
struct List<'a> {
    job_types: Vec<Shown<'a>>,
    /// What people call the job types, also those that this user may not start.
    titles: BTreeMap<&'a str, &'a str>,
    /// Whose addresses a parameter of kind `gerrit-change` takes; null if there is no Gerrit, then those of any host.
    gerrit_url: Option<&'a str>,
}

/// A job type as a form needs it. Its command and environment are nobody's business.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    title: &'a str,
    help: Option<&'a str>,
    lane: &'a str,
    retry: bool,
    disabled_reason: Option<&'static str>,
    params: Vec<Field<'a>>,
}

/// A parameter and its rules.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "these are the settings that a parameter has")]
struct Field<'a> {
    name: &'a str,
    title: &'a str,
    help: Option<&'a str>,
    kind: &'static str,
    many: bool,
    required: bool,
    sensitive: bool,
    allow_dash: bool,
    /// A sensitive one is masked: it is filled in for a job that does not mention the parameter.
    default: Option<Value>,
    #[serde(flatten)]
    rules: Rules<'a>,
}

/// The rules of one kind of parameter.
#[derive(Default, Serialize)]
struct Rules<'a> {
    pattern: Option<&'a str>,
    min: Option<i64>,
    max: Option<i64>,
    choices: Option<&'a [String]>,
}

impl<'a> Shown<'a> {
    fn new(job_type: &'a JobType, config: &Config, view: &View) -> Self {
        Self {
            name: &job_type.name,
            title: &job_type.title,
            help: job_type.help.as_deref(),
            lane: &job_type.lane,
            retry: job_type.retry,
            disabled_reason: disabled_reason(&job_type.name, config, view),
            params: job_type.params.iter().map(Field::new).collect(),
        }
    }
}

impl<'a> Field<'a> {
    fn new(param: &'a Param) -> Self {
        Self {
            name: &param.name,
            title: &param.title,
            help: param.help.as_deref(),
            kind: param.kind.name(),
            many: param.many,
            required: param.required,
            sensitive: param.sensitive,
            allow_dash: param.allow_dash,
            default: param.shown_default(),
            rules: Rules::new(&param.kind),
        }
    }
}

impl<'a> Rules<'a> {
    fn new(kind: &'a ParamKind) -> Self {
        match kind {
            ParamKind::String { pattern } => Self { pattern: pattern.as_ref().map(Pattern::as_str), ..Self::default() },
            ParamKind::Integer { min, max } => Self { min: *min, max: *max, ..Self::default() },
            ParamKind::Choice { choices } => Self { choices: Some(choices), ..Self::default() },
            ParamKind::Boolean | ParamKind::GerritChange { .. } => Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::testing::{Bench, Client};

    const CONFIG: &str = r#"
    [job_types.zebra]
    title = "Zebra"
    help = "Stripes"
    retry = false
    command = ["secret-program", "{word}", ["--n", "{n}"], ["--how", "{how}"], ["--key", "{key}"], "{more}"]
    env = { TOKEN = "secret" }
    [[job_types.zebra.params]]
    name = "word"
    kind = "string"
    title = "Word"
    help = "Any"
    pattern = "[a-z]+"
    required = true
    default = "a"
    [[job_types.zebra.params]]
    name = "n"
    kind = "integer"
    min = 1
    max = 9
    [[job_types.zebra.params]]
    name = "how"
    kind = "choice"
    choices = ["z", "a", "m"]
    [[job_types.zebra.params]]
    name = "key"
    kind = "string"
    sensitive = true
    default = "secret"
    [[job_types.zebra.params]]
    name = "more"
    kind = "string"
    many = true
    allow_dash = true
    [job_types.ant]
    command = ["true"]
    lane = "small"
    "#;

    fn param(name: &str, different: &Value) -> Value {
        let mut param = json!({
            "name": name, "title": name, "help": null, "kind": "string", "many": false, "required": false,
            "sensitive": false, "allow_dash": false, "default": null, "pattern": null, "min": null, "max": null,
            "choices": null,
        });
        for (key, value) in different.as_object().unwrap() {
            param[key] = value.clone();
        }
        param
    }

    #[tokio::test]
    async fn a_form_can_be_made_of_it_and_nothing_secret_is_in_it() {
        let bench = Bench::new();
        let config = Config::parse("test.toml".as_ref(), CONFIG).unwrap();
        let app = App { config, ..bench.app() };
        let mut client = Client::connect(Bench::serve(app).await).await;
        let reply = client.ask("GET /api/job-types").await;
        assert!(reply.status == 200 && !reply.body.contains("secret"), "{}", reply.body);
        let params = [
            param(
                "word",
                &json!({
                    "title": "Word", "help": "Any", "pattern": "[a-z]+", "required": true, "default": "a"
                }),
            ),
            param("n", &json!({ "kind": "integer", "min": 1, "max": 9 })),
            param("how", &json!({ "kind": "choice", "choices": ["z", "a", "m"] })),
            param("key", &json!({ "sensitive": true, "default": "•••" })),
            param("more", &json!({ "many": true, "allow_dash": true })),
        ];
        let expected = json!({ "job_types": [
            {
                "name": "zebra", "title": "Zebra", "help": "Stripes", "lane": "default", "retry": false,
                "disabled_reason": null, "params": params,
            },
            {
                "name": "ant", "title": "ant", "help": null, "lane": "small", "retry": true,
                "disabled_reason": null, "params": [],
            },
        ], "titles": { "ant": "ant", "zebra": "Zebra" }, "gerrit_url": "https://gerrit.wikimedia.org/r/" });
        assert_eq!(reply.json(), expected);
    }
}
