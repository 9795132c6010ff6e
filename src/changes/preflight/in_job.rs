//! Changes that are in a job already which has not finished.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::finding::Finding;
use crate::changes::gerrit::Gerrit;
use crate::config::Config;
use crate::mirror::{Entry, View};
use crate::spool::JobId;
use crate::spool::request::JobRequest;
use crate::spool::status::State;

/// A job that has not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    id: JobId,
    user: String,
    is_queued: bool,
}

impl Open {
    /// The finding that this job has a change.
    #[must_use]
    pub fn finding(&self, change: u32) -> Finding {
        let Self { id, user, is_queued } = self;
        let state = if *is_queued { "waits" } else { "runs" };
        let message = format!("Change {change} is in job {id} of {user} already, which {state}");
        Finding { job: Some(*id), ..Finding::new("in_job", message) }
    }
}

/// The changes of all jobs that have not finished, each with the oldest of them that has it.
#[must_use]
pub fn all(view: &View, config: &Config, gerrit: &Gerrit) -> BTreeMap<u32, Open> {
    let mut changes = BTreeMap::new();
    for (id, entry) in view.open().filter(|(_, entry)| !entry.is_final()) {
        let request = match entry {
            Entry::Queued(queued) => &queued.request,
            Entry::Claimed(claimed) => match &claimed.request {
                Some(request) => request,
                None => continue,
            },
            Entry::Finished(_) | Entry::Rejected(_) => continue,
        };
        for number in changes_of(request, config, gerrit) {
            let open = || Open { id, user: request.user.clone(), is_queued: entry.state() == State::Queued };
            changes.entry(number).or_insert_with(open);
        }
    }
    changes
}

/// What a job was started with, as its parameters name it and as it was looked up then.
fn changes_of(request: &JobRequest, config: &Config, gerrit: &Gerrit) -> Vec<u32> {
    let named = config.job_type(&request.job_type).map(|job_type| job_type.changes(&request.params));
    let named = named.into_iter().flatten().filter_map(|text| gerrit.url.change_number(&text));
    named.chain(request.data.as_ref().map(looked_up).unwrap_or_default()).collect()
}

fn looked_up(data: &Map<String, Value>) -> Vec<u32> {
    let infos = data.get("change_infos").and_then(Value::as_array).into_iter().flatten();
    infos.filter_map(|info| info.get("number")?.as_u64()?.try_into().ok()).collect()
}
