//! Jobs of the mirror as clients see them.

use std::cell::OnceCell;
use std::collections::HashMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::api::job::{Job, Wait};
use crate::api::mirror::{Entry, View, waiting_for};
use crate::config::Config;
use crate::spool::JobId;
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
    /// Serialised when it finished.
    Finished(&'a RawValue),
    /// To be serialised.
    Live(Box<Job<'a>>),
}

impl<'a> Show<'a> {
    pub fn new(view: &'a View, config: &'a Config) -> Self {
        Self { view, config, positions: OnceCell::new() }
    }

    pub fn job(&self, entry: &'a Entry) -> Shown<'a> {
        Shown::Live(Box::new(match entry {
            Entry::Finished(finished) => return Shown::Finished(&finished.shown),
            Entry::Queued(request) => Job::queued(request, self.config, self.wait(request.id)),
            Entry::Claimed(claimed) => Job::claimed(claimed, self.config),
            Entry::Rejected(rejected) => Job::rejected(rejected, self.config),
        }))
    }

    fn wait(&self, id: JobId) -> Wait<'a> {
        let positions = self.positions.get_or_init(|| self.positions());
        Wait { position: positions.get(&id).copied(), waiting_for: waiting_for(&self.view.runner, id) }
    }

    fn positions(&self) -> HashMap<JobId, usize> {
        let mut waiting: HashMap<&str, usize> = HashMap::new();
        let queued = self.view.open().filter_map(|(id, entry)| match entry {
            Entry::Queued(request) => Some((id, self.lane(request))),
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
