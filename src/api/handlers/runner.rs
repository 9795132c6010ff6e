//! `GET /api/runner`: what the runner does, lane by lane.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::StatusCode;
use serde::Serialize;

use crate::api::app::App;
use crate::api::request::Request;
use crate::config::Config;
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;
use crate::mirror::{View, waiting_for};
use crate::spool::JobId;
use crate::spool::runner_state::{Holder, LaneState, RunnerState};

/// `GET /api/runner`.
///
/// # Errors
/// None.
pub async fn runner(app: Arc<App>, _: Request) -> Result<Response, ApiError> {
    let view = app.mirror.view();
    response::json(StatusCode::OK, &RunnerStatus::new(&view, &app.config))
}

/// Whether a runner has read what matters to both as this service has.
#[must_use]
pub fn agrees(state: &RunnerState, config: &Config) -> bool {
    state.configuration == config.hash || state.shared_configuration == config.shared_hash
}

/// The runner as clients see it. What it said last is shown also when it is gone.
#[derive(Debug, Serialize)]
pub struct RunnerStatus<'a> {
    /// Whether one lives.
    up: bool,
    /// Why no new job starts.
    paused: Option<&'a str>,
    /// When it was started, in seconds since the epoch.
    started_at: Option<f64>,
    /// The version of the program.
    program: Option<&'a str>,
    /// Whether it has read the configuration that this service has read.
    same_configuration: Option<bool>,
    /// Whether the kernel tells it of new files; otherwise it looks every second.
    watching: Option<bool>,
    lanes: BTreeMap<&'a str, Lane<'a>>,
    /// What a person should look at: what the runner says, and what this service sees of the spool.
    problems: Vec<&'a str>,
}

#[derive(Debug, Serialize)]
struct Lane<'a> {
    concurrency: u32,
    holders: &'a [Holder],
    /// In their order: the first is at position 1.
    waiting: Vec<Waiting<'a>>,
}

#[derive(Debug, Serialize)]
struct Waiting<'a> {
    job: JobId,
    waiting_for: Option<Cow<'a, str>>,
}

impl<'a> RunnerStatus<'a> {
    /// The runner as it is known now.
    #[must_use]
    pub fn new(view: &'a View, config: &Config) -> Self {
        let runner = &view.runner;
        let state = runner.state.as_ref();
        let lanes = state.into_iter().flat_map(|state| &state.lanes);
        Self {
            up: runner.up,
            paused: runner.paused.as_deref(),
            started_at: state.map(|state| state.started_at.as_seconds_f64()),
            program: state.map(|state| state.program.as_str()),
            same_configuration: state.map(|state| agrees(state, config)),
            watching: state.map(|state| state.watching),
            lanes: lanes.map(|(name, lane)| (name.as_str(), Lane::new(lane, view))).collect(),
            problems: state
                .iter()
                .flat_map(|state| &state.problems)
                .chain(&*view.trouble)
                .map(String::as_str)
                .collect(),
        }
    }
}

impl<'a> Lane<'a> {
    fn new(lane: &'a LaneState, view: &'a View) -> Self {
        let waiting =
            lane.waiting.keys().map(|job| Waiting { job: *job, waiting_for: waiting_for(&view.runner, *job) });
        Self { concurrency: lane.concurrency, holders: &lane.holders, waiting: waiting.collect() }
    }
}
