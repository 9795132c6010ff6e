//! Everything that changes, as one stream of server-sent events: what a page needs to be right without asking again.
//!
//! A client gets a `snapshot`, and then a `job` for each job that changed, a `removed` for one that was taken away, a
//! `runner`, and a `monitoring`. Each is the state at that time: a client that is slow, or comes back, is told of every
//! thing once, as it is then. The data of a job never change and may be large, so of a job that runs they are told once
//! in a stream. For each job that it names, a `log` tells how long its log is, at the beginning and when it has
//! grown: one stream may feed many pages, each with the log of another job. The format is that of the HTML standard, section 9.2.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use futures_util::future;
use hyper::HeaderMap;
use serde::Serialize;
use serde_json::{Value, json};

use super::app::App;
use super::blocking;
use super::body::{CutOff, Manner, Pieces};
use super::error::{ApiError, Invalid};
use super::jobs::job_id;
use super::jobs::log::length::{Follower, Length};
use super::jobs::log::must_exist;
use super::jobs::show::{Show, Shown};
use super::mirror::{Entry, Thing, View};
use super::monitoring::Summary;
use super::query::Query;
use super::request::Request;
use super::response::{self, Response};
use super::routes::{Argument, ArgumentKind, Header};
use super::runner::RunnerStatus;
use crate::config::Config;
use crate::spool::JobId;

/// How many of the newest jobs a snapshot has, beside those that have not ended.
const NEWEST: usize = 50;

/// After so many milliseconds a browser comes back that lost the stream.
const RETRY: u32 = 2000;

/// How many logs one stream tells of at most.
const MOST_LOGS: usize = 100;

const LAST_EVENT_ID: &str = "last-event-id";

/// What [`events`] understands.
pub const ARGUMENTS: &[Argument] = &[Argument {
    name: "log",
    kind: ArgumentKind::Numbers,
    help: "The jobs whose logs are on pages, at most 100: how many records each has is told as it grows",
}];

/// What [`events`] heeds.
pub const HEADERS: &[Header] =
    &[Header { name: "Last-Event-ID", help: "The event that the client got last: it is told what came after" }];

/// `GET /api/events`. With the `Last-Event-ID` of this process it goes on from there, else it begins with a snapshot.
///
/// # Errors
/// 404 if there is no job that is a `log`, 422 if that is no number, or if there are too many.
pub async fn events(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let logs = logs(&app, &request.query()?)?;
    let resume = last_event(&request.headers, app.mirror.view().changes.instance());
    let open = app.metrics.stream("events");
    let logs = logs.into_iter().map(|id| Follower::new(&app, id)).collect();
    let stream = Stream { app: Arc::clone(&app), seen: resume, known: HashSet::new(), logs };
    let manner = Manner { heartbeat: Some(app.heartbeat(": nothing new\n\n")), ..app.stream(&request.identity) };
    Ok(response::produce("text/event-stream", manner, |pieces| async move {
        let _open = open;
        stream.send(pieces).await;
        Err(CutOff)
    }))
}

/// The jobs whose logs are followed, each once.
fn logs(app: &App, query: &Query) -> Result<BTreeSet<JobId>, ApiError> {
    let logs: BTreeSet<JobId> = query.numbers("log")?.into_iter().map(job_id).collect::<Result<_, _>>()?;
    if logs.len() > MOST_LOGS {
        return Err(ApiError::invalid(Invalid {
            kind: "too_long",
            location: vec!["query".into(), "log".into()],
            message: format!("At most {MOST_LOGS} logs are followed at once"),
            input: Value::Null,
        }));
    }
    logs.iter().try_for_each(|id| must_exist(app, *id))?;
    Ok(logs)
}

/// The number of the last event that a client got, if it is one of `instance`.
fn last_event(headers: &HeaderMap, instance: &str) -> Option<u64> {
    let id = headers.get(LAST_EVENT_ID)?.to_str().ok()?;
    let (of, number) = id.split_once('-')?;
    (of == instance).then(|| number.parse().ok())?
}

/// One client.
struct Stream {
    app: Arc<App>,
    /// The change that it was told of last. None: of nothing.
    seen: Option<u64>,
    /// The running jobs whose data it was told.
    known: HashSet<JobId>,
    /// The logs that its pages show.
    logs: Vec<Follower>,
}

impl Stream {
    /// Sends for as long as the client takes it: who is slow gets what is right when there is room.
    async fn send(mut self, mut pieces: Pieces) {
        let mut changes = self.app.mirror.view().changes.subscribe();
        let mut told = format!("retry: {RETRY}\n\n");
        loop {
            changes.mark_unchanged();
            match self.news().await {
                Ok(news) => {
                    (self.seen, self.known) = (Some(news.seen), news.known);
                    told.push_str(&news.text);
                }
                Err(error) => {
                    tracing::error!(?error, "a stream of events broke off");
                    return;
                }
            }
            if !told.is_empty() {
                pieces.send(std::mem::take(&mut told).into()).await;
            }
            tokio::select! {
                _ = changes.changed() => {}
                length = next_length(&mut self.logs) => match length {
                    Some(length) => told.push_str(&log_event(length)),
                    None => return,
                },
            }
        }
    }

    async fn news(&self) -> Result<News, ApiError> {
        let Self { app, seen, known, .. } = self;
        if let Some(news) = News::new(&app.mirror.view(), &app.config, *seen, known, Read::Nothing)? {
            return Ok(news);
        }
        let (app, seen, known) = (Arc::clone(app), *seen, known.clone());
        let read = move || News::new(&app.mirror.snapshot(), &app.config, seen, &known, Read::Disk);
        let news = blocking::run(read).await??;
        news.ok_or_else(|| ApiError::internal("a job cannot be told of"))
    }
}

/// The next length of any log that is followed. `None` if one cannot be told any more.
async fn next_length(logs: &mut [Follower]) -> Option<Length> {
    if logs.is_empty() {
        return std::future::pending().await;
    }
    let (length, ..) = future::select_all(logs.iter_mut().map(|log| Box::pin(log.next()))).await;
    length
}

/// It has no id: a client that comes back is told of a log anew, and of the changes what it missed.
fn log_event(length: Length) -> String {
    format!("event: log\ndata: {}\n\n", json!(length))
}

/// What may be read for the news.
#[derive(Clone, Copy)]
enum Read {
    /// Only what is in memory.
    Nothing,
    /// The history on the disk.
    Disk,
}

/// What a client has not been told of.
struct News {
    text: String,
    /// The change that it is told of last.
    seen: u64,
    /// The running jobs whose data it has then been told.
    known: HashSet<JobId>,
}

impl News {
    /// `None` if more has to be read for it.
    fn new(
        view: &View,
        config: &Config,
        seen: Option<u64>,
        known: &HashSet<JobId>,
        read: Read,
    ) -> Result<Option<Self>, ApiError> {
        let latest = view.changes.latest();
        let mut news = Self { text: String::new(), seen: latest, known: known.clone() };
        let Some(changes) = seen.and_then(|seen| view.changes.since(seen)) else {
            let beginning = beginning(view);
            let Some(snapshot) = Snapshot::new(view, config, &beginning, read) else { return Ok(None) };
            news.event(view, latest, "snapshot", &snapshot)?;
            news.known = beginning.iter().filter(|entry| is_running(entry)).map(Entry::id).collect();
            return Ok(Some(news));
        };
        let show = Show::new(view, config);
        for (number, thing) in changes {
            match thing {
                Thing::Runner => news.event(view, number, "runner", &RunnerStatus::new(view, config))?,
                Thing::Monitoring => news.event(view, number, "monitoring", &Summary::new(&view.monitoring))?,
                Thing::Job(id) => match view.get(id) {
                    None => news.event(view, number, "removed", &json!({ "id": id }))?,
                    Some(entry) => {
                        let Some(job) = read.job(&show, &entry) else { return Ok(None) };
                        let was_known = news.known.remove(&id);
                        if is_running(&entry) {
                            news.known.insert(id);
                        }
                        let job = if was_known { job.without_data() } else { job };
                        news.event(view, number, "job", &job)?;
                    }
                },
            }
        }
        Ok(Some(news))
    }

    /// JSON has no line ends but escaped ones, and so is one line of data.
    fn event(&mut self, view: &View, number: u64, name: &str, data: &impl Serialize) -> Result<(), ApiError> {
        let data = serde_json::to_string(data).map_err(ApiError::internal)?;
        let instance = view.changes.instance();
        // Writing to memory cannot fail.
        let _ = write!(self.text, "id: {instance}-{number}\nevent: {name}\ndata: {data}\n\n");
        Ok(())
    }
}

impl Read {
    fn job<'a>(self, show: &Show<'a>, entry: &'a Entry) -> Option<Shown<'a>> {
        match self {
            Self::Nothing => show.ready(entry),
            Self::Disk => Some(show.job(entry)),
        }
    }
}

fn is_running(entry: &Entry) -> bool {
    matches!(entry, Entry::Claimed(_))
}

/// The newest jobs, and those that have not ended; the newest first.
fn beginning(view: &View) -> Vec<Entry> {
    let newest = view.newest(u64::MAX).take(NEWEST);
    let mut entries: Vec<Entry> = newest.chain(view.open().map(|(_, entry)| entry.clone())).collect();
    entries.sort_by_key(|entry| Reverse(entry.id()));
    entries.dedup_by_key(|entry| entry.id());
    entries
}

/// All that a page begins with.
#[derive(Serialize)]
struct Snapshot<'a> {
    runner: RunnerStatus<'a>,
    monitoring: Summary,
    jobs: Vec<Shown<'a>>,
    /// How many there are in all.
    total: usize,
}

impl<'a> Snapshot<'a> {
    fn new(view: &'a View, config: &'a Config, entries: &'a [Entry], read: Read) -> Option<Self> {
        let show = Show::new(view, config);
        let jobs = entries.iter().map(|entry| read.job(&show, entry)).collect::<Option<_>>()?;
        let (runner, monitoring) = (RunnerStatus::new(view, config), Summary::new(&view.monitoring));
        Some(Self { runner, monitoring, jobs, total: view.count() })
    }
}

#[cfg(test)]
mod tests;
