//! Everything that changes, as one stream of server-sent events: what a page needs to be right without asking again.
//!
//! A client gets a `snapshot`, and then a `job` for each job that changed, a `removed` for one that was taken away, a
//! `runner`, and a `monitoring`. Each is the state at that time: a client that is slow, or comes back, is told of every
//! thing once, as it is then. The data of a job never change and may be large, so of a job that runs they are told once
//! in a stream. For each job that it names, a `log` tells how long its log is, at the beginning and when it has
//! grown: one stream may feed many pages, each with the log of another job. The format is that of the HTML standard, section 9.2.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet, VecDeque};
use std::fmt::Write as _;
use std::sync::Arc;

use futures_util::future;
use hyper::HeaderMap;
use serde::Serialize;
use serde_json::{Value, json};

use super::jobs::job_id;
use super::jobs::show::{Show, Shown};
use super::log::must_exist;
use super::monitoring::Summary;
use super::runner::RunnerStatus;
use crate::api::app::App;
use crate::api::request::Request;
use crate::blocking;
use crate::config::Config;
use crate::health::metrics::StreamKind;
use crate::http::body::{CutOff, Manner, Pieces};
use crate::http::describe::{Argument, ArgumentKind, Header};
use crate::http::error::{ApiError, Invalid};
use crate::http::query::Query;
use crate::http::response;
use crate::http::response::Response;
use crate::logs::length::{Follower, Length};
use crate::mirror::{Entry, Thing, View};
use crate::spool::JobId;

/// How many of the newest jobs a snapshot has, beside those that have not ended.
const NEWEST: usize = 50;

/// How much is made for a client at once, about, in bytes.
const PIECE: usize = 32 << 10;

/// After so many milliseconds a browser comes back that lost the stream.
const RETRY: u32 = 2000;

/// How many logs one stream tells of at most.
const MOST_LOGS: usize = 100;

const LAST_EVENT_ID: &str = "last-event-id";

/// What [`events`] understands.
pub const ARGUMENTS: &[Argument] = &[Argument {
    name: "log",
    kind: ArgumentKind::Numbers,
    help: "The jobs whose logs a page shows, at most 100; a `log` event reports the number of records whenever a log grows",
}];

/// What [`events`] heeds.
pub const HEADERS: &[Header] =
    &[Header { name: "Last-Event-ID", help: "The last event that the client got; the stream continues after it" }];

/// `GET /api/events`. With the `Last-Event-ID` of this process it goes on from there, else it begins with a snapshot.
///
/// # Errors
/// 404 if there is no job that is a `log`, 422 if that is no number, or if there are too many; 429 for too many streams.
pub async fn events(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let logs = logs(&app, &request.query()?)?;
    let resume = last_event(&request.headers, app.mirror.view().changes.instance());
    let open = app.metrics.open_stream(StreamKind::Events);
    let logs = logs.into_iter().map(|id| app.logs.follow_length(id)).collect();
    let stream = Stream { app: Arc::clone(&app), seen: resume, news: News::default(), known: HashSet::new(), logs };
    let manner = Manner { heartbeat: Some(app.heartbeat(": nothing new\n\n")), ..app.stream(&request.identity)? };
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
    /// What it is being told.
    news: News,
    /// The running jobs whose data it was told.
    known: HashSet<JobId>,
    /// The logs that its pages show.
    logs: Vec<Follower>,
}

impl Stream {
    /// Sends for as long as the client takes it: who is slow gets what is right when there is room.
    async fn send(mut self, mut pieces: Pieces) {
        if let Err(error) = self.tell(&mut pieces).await {
            tracing::error!(?error, "a stream of events broke off");
        }
    }

    async fn tell(&mut self, pieces: &mut Pieces) -> Result<(), ApiError> {
        let mut changes = self.app.mirror.view().changes.subscribe();
        let mut told = format!("retry: {RETRY}\n\n");
        loop {
            changes.mark_unchanged();
            self.news = News::new(&self.app.mirror.view(), &self.app.config, self.seen, &self.news.ahead)?;
            if self.news.is_snapshot {
                self.known.clear();
            }
            while let Some(piece) = self.next_piece().await? {
                told.push_str(&piece);
                pieces.send(std::mem::take(&mut told).into()).await;
            }
            self.seen = Some(self.news.latest);
            if !told.is_empty() {
                pieces.send(std::mem::take(&mut told).into()).await;
            }
            tokio::select! {
                _ = changes.changed() => {}
                length = next_length(&mut self.logs) => match length {
                    Some(length) => told.push_str(&log_event(length)),
                    None => return Ok(()),
                },
            }
        }
    }

    /// The next piece of the news; `None` if all was told.
    async fn next_piece(&mut self) -> Result<Option<String>, ApiError> {
        if self.news.parts.is_empty() {
            return Ok(None);
        }
        let Self { app, news, known, .. } = self;
        let piece = news.piece(&app.mirror.view(), &app.config, known, Read::Nothing)?;
        if !piece.is_empty() || news.parts.is_empty() {
            return Ok(Some(piece));
        }
        let (app, mut news, mut known) = (Arc::clone(app), std::mem::take(news), std::mem::take(known));
        let read = move || {
            let piece = news.piece(&app.mirror.snapshot(), &app.config, &mut known, Read::Disk);
            (piece, news, known)
        };
        let (piece, news, known) = blocking::run(read).await?;
        (self.news, self.known) = (news, known);
        piece.map(Some)
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

/// What a client has not been told of. It is made into text only when the client has room for it, so that one who does
/// not read costs a number for each job.
#[derive(Default)]
struct News {
    parts: VecDeque<Part>,
    /// The change that it is told of last.
    latest: u64,
    /// It is all that a page begins with.
    is_snapshot: bool,
    /// Whether a job of the snapshot was told, so that a comma comes before the next one.
    has_job: bool,
    /// Later changes of things that were told as they are then: they need not be told again.
    ahead: HashSet<(u64, Thing)>,
}

/// A part of the news.
enum Part {
    Text(String),
    JobOfSnapshot(JobId),
    /// The number of a change, and what has changed, which is told as it is when it is told.
    Change(u64, Thing),
}

impl News {
    /// What comes after a change, but for what was told ahead.
    fn new(view: &View, config: &Config, seen: Option<u64>, ahead: &HashSet<(u64, Thing)>) -> Result<Self, ApiError> {
        let latest = view.changes.latest();
        let Some(changes) = seen.and_then(|seen| view.changes.since(seen)) else {
            return Self::snapshot(view, config, latest);
        };
        let news = changes.into_iter().filter(|change| !ahead.contains(change));
        let parts = news.map(|(number, thing)| Part::Change(number, thing)).collect();
        Ok(Self { parts, latest, ..Self::default() })
    }

    /// An object with the `runner`, what is monitored, the `jobs`, and how many there are in all (`total`).
    fn snapshot(view: &View, config: &Config, latest: u64) -> Result<Self, ApiError> {
        let runner = json(&RunnerStatus::new(view, config))?;
        let monitoring = json(&Summary::new(&view.monitoring))?;
        let begin = format!("{{\"runner\":{runner},\"monitoring\":{monitoring},\"jobs\":[");
        let head = format!("{}{begin}", event_head(view, latest, "snapshot"));
        let end = format!("],\"total\":{}}}\n\n", view.count());
        let jobs = beginning(view).into_iter().map(|Reverse(id)| Part::JobOfSnapshot(id));
        let parts = std::iter::once(Part::Text(head)).chain(jobs).chain([Part::Text(end)]).collect();
        Ok(Self { parts, latest, is_snapshot: true, ..Self::default() })
    }

    /// A thing is told as it is now, under the number of an earlier change.
    fn note_ahead(&mut self, view: &View, thing: Thing, number: u64) {
        if let Some(now) = view.changes.number_of(thing).filter(|now| *now > number) {
            self.ahead.insert((now, thing));
        }
    }

    /// As much of it as makes a piece. Nothing if more has to be read for it than may be.
    fn piece(
        &mut self,
        view: &View,
        config: &Config,
        known: &mut HashSet<JobId>,
        read: Read,
    ) -> Result<String, ApiError> {
        let show = Show::new(view, config);
        let mut text = String::new();
        while text.len() < PIECE
            && let Some(part) = self.parts.front()
        {
            match *part {
                Part::Text(ref part) => text.push_str(part),
                Part::JobOfSnapshot(id) => {
                    if let Some(entry) = view.get(id) {
                        let Some(job) = read.job(&show, &entry) else { break };
                        is_known(known, &entry);
                        text.push_str(if std::mem::replace(&mut self.has_job, true) { "," } else { "" });
                        text.push_str(&json(&job)?);
                        self.note_ahead(view, Thing::Job(id), self.latest);
                    }
                }
                Part::Change(number, thing) => {
                    let (name, data) = match thing {
                        Thing::Runner => ("runner", json(&RunnerStatus::new(view, config))?),
                        Thing::Monitoring => ("monitoring", json(&Summary::new(&view.monitoring))?),
                        Thing::Job(id) => match view.get(id) {
                            None => ("removed", json(&json!({ "id": id }))?),
                            Some(entry) => {
                                let Some(job) = read.job(&show, &entry) else { break };
                                let job = if is_known(known, &entry) { job.without_data() } else { job };
                                ("job", json(&job)?)
                            }
                        },
                    };
                    // Writing to memory cannot fail.
                    let _ = write!(text, "{}{data}\n\n", event_head(view, number, name));
                    self.note_ahead(view, thing, number);
                }
            }
            self.parts.pop_front();
        }
        Ok(text)
    }
}

/// Whether the data of a job were told before; from now on they are, as long as it runs.
fn is_known(known: &mut HashSet<JobId>, entry: &Entry) -> bool {
    let was_known = known.remove(&entry.id());
    if matches!(entry, Entry::Claimed(_)) {
        known.insert(entry.id());
    }
    was_known
}

/// JSON has no line ends but escaped ones, and so is one line of data.
fn event_head(view: &View, number: u64, name: &str) -> String {
    format!("id: {}-{number}\nevent: {name}\ndata: ", view.changes.instance())
}

fn json(data: &impl Serialize) -> Result<String, ApiError> {
    serde_json::to_string(data).map_err(ApiError::internal)
}

impl Read {
    fn job<'a>(self, show: &Show<'a>, entry: &'a Entry) -> Option<Shown<'a>> {
        match self {
            Self::Nothing => show.ready(entry),
            Self::Disk => Some(show.job(entry)),
        }
    }
}

/// The newest jobs, and those that have not ended; the newest first.
fn beginning(view: &View) -> BTreeSet<Reverse<JobId>> {
    let newest = view.newest(u64::MAX).take(NEWEST).map(|entry| entry.id());
    newest.chain(view.open().map(|(id, _)| id)).map(Reverse).collect()
}

#[cfg(test)]
mod tests;
