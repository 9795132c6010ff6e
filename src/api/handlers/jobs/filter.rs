//! The filter of a list of jobs.

use std::collections::HashSet;
use std::time::Instant;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as Unknown;

use super::show::Show;
use crate::config::Config;
use crate::http::error::{ApiError, Invalid};
use crate::http::query::Query;
use crate::mirror::{Entry, History, View, whole};
use crate::spool::outcome::Outcome;
use crate::spool::status::State;
use crate::spool::{JobId, Result as SpoolResult, Spool};
use crate::text::Text;

/// The words that a state is named by.
pub const STATES: &[&str] =
    &["queued", "starting", "running", "waiting", "stopping", "succeeded", "failed", "cancelled", "lost", "rejected"];

/// The words that an outcome is named by.
pub const OUTCOMES: &[&str] = &[
    "succeeded",
    "cancelled_at_prompt",
    "rolled_back",
    "failed",
    "stopped",
    "killed",
    "timed_out",
    "not_started",
    "cancelled",
    "lost",
];

/// How many lines of the history are read at once.
const NEIGHBOURS: usize = 256;

/// What all jobs of a list have. An argument that is given several times means any of its values.
#[derive(Debug)]
pub struct Filter {
    states: Vec<State>,
    outcomes: Vec<Outcome>,
    users: Vec<String>,
    job_types: Vec<String>,
    text: Option<Text>,
}

impl Filter {
    /// What a query asks for.
    ///
    /// # Errors
    /// 422 for a word that is no state or no outcome.
    pub fn of(query: &Query) -> Result<Self, ApiError> {
        let all = |name| query.all(name).map(str::to_owned).collect();
        Ok(Self {
            states: query.all("state").map(state).collect::<Result<_, _>>()?,
            outcomes: query.all("outcome").map(outcome).collect::<Result<_, _>>()?,
            users: all("user"),
            job_types: all("type"),
            text: query.get("q").and_then(Text::new),
        })
    }

    /// Whether it lets every job pass.
    pub fn is_open(&self) -> bool {
        let Self { states, outcomes, users, job_types, text } = self;
        states.is_empty() && outcomes.is_empty() && users.is_empty() && job_types.is_empty() && text.is_none()
    }

    /// Whether files have to be read for it.
    pub fn is_search(&self) -> bool {
        self.text.is_some()
    }

    /// Meets all jobs that pass, the newest first; for a text it may read the whole history. Returns whether there was
    /// the time for that.
    ///
    /// # Errors
    /// The history cannot be read.
    pub fn find(
        &self,
        view: &View,
        config: &Config,
        spool: &Spool,
        deadline: Instant,
        mut meet: impl FnMut(Entry),
    ) -> SpoolResult<bool> {
        let chosen = view.history().origins().choose(|job_type, user| self.has_origin(job_type, user));
        let show = Show::new(view, config);
        let mut passing = view.newest(u64::MAX).filter(|entry| match entry {
            Entry::Finished(finished) => self.has_end(entry) && chosen.has(finished),
            entry => self.passes_open(entry, &show, spool),
        });
        let Some(text) = &self.text else {
            passing.for_each(meet);
            return Ok(true);
        };
        let mut buffer = Vec::new();
        loop {
            let piece: Vec<Entry> = passing.by_ref().take(NEIGHBOURS).collect();
            if piece.is_empty() || Instant::now() > deadline {
                return Ok(piece.is_empty());
            }
            let hits = search(text, &piece, view.history(), &mut buffer)?;
            piece.into_iter().filter(|entry| hits.contains(&entry.id())).for_each(&mut meet);
        }
    }

    fn passes_open(&self, entry: &Entry, show: &Show, spool: &Spool) -> bool {
        let (job_type, user) = match entry {
            Entry::Queued(queued) => (&*queued.request.job_type, &*queued.request.user),
            Entry::Claimed(claimed) => (&*claimed.status.job_type, &*claimed.status.user),
            Entry::Rejected(rejected) => (rejected.job_type(), rejected.user()),
            Entry::Finished(_) => return false,
        };
        self.has_end(entry)
            && self.has_origin(job_type, user)
            && self.text.as_ref().is_none_or(|text| mentions(entry, show, spool, text))
    }

    fn has_end(&self, entry: &Entry) -> bool {
        let has_outcome = |outcome: Outcome| self.outcomes.contains(&outcome);
        (self.states.is_empty() || self.states.contains(&entry.state()))
            && (self.outcomes.is_empty() || entry.outcome().is_some_and(has_outcome))
    }

    fn has_origin(&self, job_type: &str, user: &str) -> bool {
        let is_any = |wanted: &[String], is: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == is);
        is_any(&self.job_types, job_type) && is_any(&self.users, user)
    }
}

fn state(word: &str) -> Result<State, ApiError> {
    let known: Result<State, Unknown> = State::deserialize(word.into_deserializer());
    known.map_err(|_| not_one_of("state", STATES, word))
}

fn outcome(word: &str) -> Result<Outcome, ApiError> {
    Outcome::of_word(word).ok_or_else(|| not_one_of("outcome", OUTCOMES, word))
}

fn not_one_of(argument: &str, words: &[&str], word: &str) -> ApiError {
    ApiError::invalid(Invalid {
        kind: "enum",
        location: vec!["query".into(), argument.into()],
        message: format!("Input should be one of {}", words.join(", ")),
        input: word.into(),
    })
}

/// Whether a text is in a job that is not in the history: in all of it, also where only its beginning is in memory.
fn mentions(entry: &Entry, show: &Show, spool: &Spool, text: &Text) -> bool {
    let whole = entry.is_cut().then(|| whole(spool, entry)).flatten();
    let show = |entry: &Entry| show.in_memory(entry).mentions(text);
    whole.as_ref().map_or_else(|| show(entry), show)
}

/// The jobs that a text is in. Those that are not in the history were looked at before.
fn search(text: &Text, jobs: &[Entry], history: &History, buffer: &mut Vec<u8>) -> SpoolResult<HashSet<JobId>> {
    let (mut neighbours, mut hits) = (Vec::new(), HashSet::new());
    for entry in jobs {
        match entry {
            Entry::Finished(finished) => neighbours.push(*finished),
            entry => drop(hits.insert(entry.id())),
        }
    }
    history.read_all(&neighbours, buffer, |finished, line| {
        if text.is_in_line(line) {
            hits.insert(finished.id);
        }
    })?;
    Ok(hits)
}
