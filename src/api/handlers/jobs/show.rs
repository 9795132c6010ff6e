//! Jobs of the mirror as clients see them.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::api::job::{Job, Wait};
use crate::config::Config;
use crate::http::error::ApiError;
use crate::mirror::{Entry, Finished, View, cut, waiting_for};
use crate::spool::JobId;
use crate::spool::history::HistoryLine;
use crate::spool::request::JobRequest;

/// Turns the entries of a view into what is sent.
pub struct Show<'a> {
    view: &'a View,
    config: &'a Config,
    /// The place of every queued job in its lane. Made only if one is shown.
    positions: OnceCell<HashMap<JobId, usize>>,
}

/// A job, ready to be serialised.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Shown<'a> {
    /// Serialised already.
    #[serde(serialize_with = "as_it_is")]
    Ready(Arc<RawValue>),
    /// To be serialised.
    Live(Box<Job<'a>>),
}

impl Shown<'_> {
    /// The same, serialised, and how much that is in bytes.
    ///
    /// # Errors
    /// 500 if it has no JSON form.
    pub fn serialised(self) -> Result<(Self, usize), ApiError> {
        let ready = match self {
            Self::Ready(ready) => ready,
            Self::Live(job) => Arc::from(serde_json::value::to_raw_value(&job).map_err(ApiError::internal)?),
        };
        let length = ready.get().len();
        Ok((Self::Ready(ready), length))
    }

    /// The same for who was told of the job before, while it ran.
    #[must_use]
    pub fn without_data(self) -> Self {
        match self {
            Self::Live(job) => Self::Live(Box::new(job.without_data())),
            ready @ Self::Ready(_) => ready,
        }
    }
}

impl<'a> Show<'a> {
    pub(crate) fn new(view: &'a View, config: &'a Config) -> Self {
        Self { view, config, positions: OnceCell::new() }
    }

    /// A job, unless it is one that has to be read from the disk.
    pub fn ready(&self, entry: &'a Entry) -> Option<Shown<'a>> {
        match entry {
            Entry::Finished(finished) => self.view.history().ready(finished.id).map(Shown::Ready),
            entry => Some(Shown::Live(Box::new(self.in_memory(entry)))),
        }
    }

    /// A job, whatever it takes, for lists: of one that is large the beginning. It may read the disk.
    pub fn job(&self, entry: &'a Entry) -> Shown<'a> {
        self.job_with(entry, cut::line)
    }

    /// All of a job, as far as it is in its entry. It may read the disk.
    pub fn whole(&self, entry: &'a Entry) -> Shown<'a> {
        self.job_with(entry, |_| false)
    }

    fn job_with(&self, entry: &'a Entry, cut: impl Fn(&mut HistoryLine) -> bool) -> Shown<'a> {
        let read = || match entry {
            Entry::Finished(finished) => self.read(finished, cut).map(Shown::Ready),
            _ => None,
        };
        let found = self.ready(entry).or_else(read);
        found.unwrap_or_else(|| Shown::Live(Box::new(self.in_memory(entry))))
    }

    /// A job, as much of it as is in memory: all, unless it is finished.
    pub fn in_memory(&self, entry: &'a Entry) -> Job<'a> {
        let job = match entry {
            Entry::Queued(queued) => Job::queued(queued, self.config, self.wait(queued.request.id)),
            Entry::Claimed(claimed) => Job::claimed(claimed, self.config),
            Entry::Finished(finished) => Job::unreadable(finished, self.view.history()),
            Entry::Rejected(rejected) => Job::rejected(rejected, self.config),
        };
        job.tried_again_by(self.retries(entry.id()))
    }

    fn read(&self, finished: &Finished, cut: impl Fn(&mut HistoryLine) -> bool) -> Option<Arc<RawValue>> {
        let read = self.view.history().read(finished);
        let read = read.inspect_err(|error| tracing::warn!(job = %finished.id, %error, "cannot read a finished job"));
        let mut line: HistoryLine = serde_json::from_slice(&read.ok()?).ok()?;
        let is_cut = cut(&mut line);
        // The file may be another one by now.
        let job = Job::finished(&line).truncated(is_cut).tried_again_by(self.retries(finished.id));
        let shown = (line.id == finished.id).then(|| serde_json::value::to_raw_value(&job).ok());
        shown.flatten().map(Arc::from)
    }

    fn retries(&self, id: JobId) -> &'a [JobId] {
        self.view.history().retries().of(id)
    }

    fn wait(&self, id: JobId) -> Wait<'a> {
        let positions = self.positions.get_or_init(|| self.positions());
        Wait { position: positions.get(&id).copied(), waiting_for: waiting_for(&self.view.runner, id) }
    }

    fn positions(&self) -> HashMap<JobId, usize> {
        let mut waiting: HashMap<&str, usize> = HashMap::new();
        let queued = self.view.open().filter_map(|(id, entry)| match entry {
            Entry::Queued(queued) => Some((id, self.lane(&queued.request))),
            _ => None,
        });
        let place = |(id, lane)| {
            let place = waiting.entry(lane).or_default();
            *place += 1;
            (id, *place)
        };
        queued.map(place).collect()
    }

    /// A type that is not declared has no lane: it will be rejected.
    fn lane(&self, request: &JobRequest) -> &'a str {
        self.config.job_type(&request.job_type).map_or("", |job_type| &job_type.lane)
    }
}

fn as_it_is<S: Serializer>(shown: &Arc<RawValue>, serializer: S) -> Result<S::Ok, S::Error> {
    shown.as_ref().serialize(serializer)
}
