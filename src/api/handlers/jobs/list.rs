//! Lists of jobs, and one job.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::filter::{Filter, OUTCOMES, STATES};
use super::show::{Show, Shown};
use super::{id_in_path, no_such_job};
use crate::api::app::App;
use crate::api::job::{Interaction, pending_interaction};
use crate::api::request::Request;
use crate::blocking;
use crate::config::Config;
use crate::http::describe::{Argument, ArgumentKind};
use crate::http::error::ApiError;
use crate::http::query::Query;
use crate::http::response;
use crate::http::response::Response;
use crate::mirror::{Entry, READY, View, whole};
use crate::spool::{JobId, Spool};

#[derive(Serialize)]
struct Listed<'a> {
    jobs: Vec<Shown<'a>>,
    /// How many jobs pass the filter.
    total: usize,
    /// Whether the whole history was searched.
    complete: bool,
    /// The jobs would take more than a page may have, and the last ones are left out: they follow `before` the last one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
}

#[derive(Serialize)]
struct One<'a> {
    job: Shown<'a>,
    pending_interaction: Option<Interaction<'a>>,
}

/// What [`list`] understands.
pub const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "limit",
        kind: ArgumentKind::Number,
        help: "The maximum number of jobs: 10 by default, at most 500",
    },
    Argument { name: "skip", kind: ArgumentKind::Number, help: "The number of the newest jobs to leave out" },
    Argument { name: "before", kind: ArgumentKind::Number, help: "Only jobs with a lower number than this" },
    Argument { name: "state", kind: ArgumentKind::Choices(STATES), help: "Only jobs in one of these states" },
    Argument { name: "outcome", kind: ArgumentKind::Choices(OUTCOMES), help: "Only jobs with one of these outcomes" },
    Argument { name: "user", kind: ArgumentKind::Texts, help: "Only jobs of one of these users" },
    Argument { name: "type", kind: ArgumentKind::Texts, help: "Only jobs of one of these types" },
    Argument { name: "q", kind: ArgumentKind::Text, help: "Only jobs with this text in their parameters or data" },
];

const DEFAULT_LIMIT: usize = 10;
const MAX_LIMIT: usize = 500;
/// The most that the jobs of a page take, in bytes, unless it is only one.
const MAX_PAGE: usize = 1 << 20;

/// From this on, in bytes, a line of the history makes a response that counts as large.
const LARGE: u32 = 64 << 10;
/// How long a large response waits for those before it.
const LARGE_PATIENCE: Duration = Duration::from_secs(10);

/// A search reads the whole history: one at a time, so that it takes at most one of the processors.
static SEARCHES: Semaphore = Semaphore::const_new(1);
/// How long a search may take. What it has found by then is sent, and that it is not all.
const SEARCH_TIME: Duration = Duration::from_secs(3);
/// How long a search waits for those before it.
const SEARCH_PATIENCE: Duration = Duration::from_secs(10);

/// `GET /api/jobs`: the newest `limit` jobs that pass the filter and are below `before`, but the first `skip`. `total`
/// counts all that pass the filter. Of a job that is large the beginning is told (`truncated`), and of jobs that are large
/// together the first (`cut`).
///
/// # Errors
/// 422 for arguments that are no numbers, no states or no outcomes; 503 for a search while there are too many.
pub async fn list(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let page = Page::of(&request.query()?)?;
    if let Some(ready) = page.ready(&app.mirror.view(), &app.config) {
        return ready;
    }
    let _turn = if page.filter.is_search() { Some(search_turn().await?) } else { None };
    blocking::run(move || page.find(&app.mirror.snapshot(), &app.config, &app.spool)).await?
}

async fn search_turn() -> Result<SemaphorePermit<'static>, ApiError> {
    match tokio::time::timeout(SEARCH_PATIENCE, SEARCHES.acquire()).await {
        Ok(turn) => turn.map_err(ApiError::internal),
        Err(_) => Err(ApiError::refused(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many people search at the same time. Try again in a moment, or without `q`",
        )),
    }
}

/// `GET /api/jobs/{id}`: all of it, however large it is.
///
/// # Errors
/// 404 if there is no such job; 503 for a large one, while there are too many of those.
pub async fn one(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let id = id_in_path(&request)?;
    if let Some(ready) = one_ready(&app.mirror.view(), &app.config, id)? {
        return ready;
    }
    let is_large = app.mirror.view().get(id).is_some_and(|entry| match entry {
        Entry::Finished(finished) => finished.length() > LARGE,
        entry => entry.is_cut(),
    });
    let turn = if is_large { Some(large_turn(&app).await?) } else { None };
    blocking::run(move || {
        let view = app.mirror.snapshot();
        let entry = view.get(id).ok_or_else(|| no_such_job(id))?;
        let entry = whole(&app.spool, &entry).unwrap_or(entry);
        let job = Show::new(&view, &app.config).whole(&entry);
        response::json_holding(turn, &One { job, pending_interaction: pending(&entry) })
    })
    .await?
}

async fn large_turn(app: &App) -> Result<OwnedSemaphorePermit, ApiError> {
    let Ok(turn) = tokio::time::timeout(LARGE_PATIENCE, Arc::clone(&app.large).acquire_owned()).await else {
        let message = "Too many large answers are being sent to slow clients. Try again in a moment";
        return Err(ApiError::refused(StatusCode::SERVICE_UNAVAILABLE, message).retry_after(5));
    };
    turn.map_err(ApiError::internal)
}

/// The prompt that a job waits at.
fn pending(entry: &Entry) -> Option<Interaction<'_>> {
    match entry {
        Entry::Claimed(claimed) => pending_interaction(claimed),
        _ => None,
    }
}

/// A job, unless the disk has to be read for it.
fn one_ready(view: &View, config: &Config, id: JobId) -> Result<Option<Result<Response, ApiError>>, ApiError> {
    let entry = view.get(id).ok_or_else(|| no_such_job(id))?;
    let job = if entry.is_cut() { None } else { Show::new(view, config).ready(&entry) };
    Ok(job.map(|job| response::json(StatusCode::OK, &One { job, pending_interaction: pending(&entry) })))
}

/// What part of which jobs is asked for.
#[derive(Debug)]
struct Page {
    limit: usize,
    skip: usize,
    before: u64,
    filter: Filter,
}

impl Page {
    fn of(query: &Query) -> Result<Self, ApiError> {
        Ok(Self {
            limit: query.number("limit")?.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT),
            skip: query.number("skip")?.unwrap_or(0),
            before: query.number("before")?.unwrap_or(u64::MAX),
            filter: Filter::of(query)?,
        })
    }

    /// The page, if it is all in memory: that of somebody who looks at the newest jobs.
    fn ready(&self, view: &View, config: &Config) -> Option<Result<Response, ApiError>> {
        if !self.filter.is_open() || self.skip > READY {
            return None;
        }
        let (jobs, show) = (self.of_all(view), Show::new(view, config));
        let listed = match fitting(&jobs, |entry| show.ready(entry)) {
            Ok(fitting) => fitting.map(|(jobs, cut)| Listed { jobs, total: view.count(), complete: true, cut }),
            Err(error) => return Some(Err(error)),
        };
        listed.map(|listed| response::json(StatusCode::OK, &listed))
    }

    /// The page, whatever has to be read for it.
    fn find(&self, view: &View, config: &Config, spool: &Spool) -> Result<Response, ApiError> {
        let (mut jobs, mut total, mut complete, mut below) = (Vec::new(), 0, true, 0);
        if self.filter.is_open() {
            (jobs, total) = (self.of_all(view), view.count());
        } else {
            let meet = |entry: Entry| {
                total += 1;
                if u64::from(entry.id()) < self.before {
                    below += 1;
                    if below > self.skip && jobs.len() < self.limit {
                        jobs.push(entry);
                    }
                }
            };
            let deadline = Instant::now() + SEARCH_TIME;
            complete = self.filter.find(view, config, spool, deadline, meet).map_err(history_changed)?;
        }
        let show = Show::new(view, config);
        let (jobs, cut) = fitting(&jobs, |entry| Some(show.job(entry)))?.unwrap_or_default();
        response::json(StatusCode::OK, &Listed { jobs, total, complete, cut })
    }

    /// The page of a list without a filter.
    fn of_all(&self, view: &View) -> Vec<Entry> {
        let mut newest = view.newest(self.before);
        newest.pass_over(self.skip);
        newest.take(self.limit).collect()
    }
}

/// As many of the jobs as fit into a page, and whether that is not all. `None` if one is not to be had.
fn fitting<'a>(
    entries: &'a [Entry],
    show: impl Fn(&'a Entry) -> Option<Shown<'a>>,
) -> Result<Option<(Vec<Shown<'a>>, bool)>, ApiError> {
    let (mut jobs, mut size) = (Vec::with_capacity(entries.len()), 0);
    for entry in entries {
        let Some(job) = show(entry) else { return Ok(None) };
        let (job, length) = job.serialised()?;
        size += length;
        if size > MAX_PAGE && !jobs.is_empty() {
            return Ok(Some((jobs, true)));
        }
        jobs.push(job);
    }
    Ok(Some((jobs, false)))
}

/// Somebody has cut the file, or its disk is broken; the first is known in a moment.
fn history_changed(error: crate::spool::Error) -> ApiError {
    let message = "The history could not be searched: its file was changed, or cannot be read. Try again in a moment";
    ApiError::failed(StatusCode::SERVICE_UNAVAILABLE, message, error)
}

#[cfg(test)]
mod tests;
