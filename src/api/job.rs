//! A job as clients see it.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::config::{Config, JobType, MASK};
use crate::spool::history::HistoryLine;
use crate::spool::outcome;
use crate::spool::outcome::Outcome;
use crate::spool::request::JobRequest;
use crate::spool::status;
use crate::spool::status::{InteractionKind, State};
use crate::spool::{JobId, Time};

use crate::mirror::{Claimed, Finished, History, Queued, Rejected, UNKNOWN};
use crate::text::Text;

/// In HTTP a prompt is named by job number × this + its number within the job.
pub const PROMPTS_PER_JOB: u64 = 1_000_000;

/// The status text of a job that waits for an answer.
const AWAITING: &str = "Awaiting user interaction";

/// What is said of a finished job of which no more is known.
const UNREADABLE: &str = "The line of this job in history.jsonl cannot be read; its directory in jobs/ says more";

/// A job, whatever has become of it.
#[derive(Debug, Serialize)]
pub struct Job<'a> {
    id: JobId,
    #[serde(rename = "type")]
    kind: &'a str,
    user: &'a str,
    /// The argument vector as a JSON string.
    #[serde(serialize_with = "as_json_string")]
    command: Cow<'a, [String]>,
    #[serde(flatten)]
    times: Times,
    /// Negative is the signal that killed the command.
    exit_status: Option<i32>,
    status: Doing<'a>,
    /// None for who knows them: they never change.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Cow<'a, Map<String, Value>>>,
    /// Claimed, and not final.
    running: bool,
    /// Nobody knows how it ended.
    orphaned: bool,
    interaction: Option<Interaction<'a>>,
    state: State,
    outcome: Option<Outcome>,
    /// Who answered the prompt that decided it, stopped it or cancelled it.
    outcome_by: Option<&'a str>,
    /// The status text that was in force when it ended badly.
    phase: Option<&'a str>,
    last_error: Option<LastError<'a>>,
    reason: Option<&'a str>,
    /// Who stopped it before its command started.
    cancelled_by: Option<&'a str>,
    /// Since when it has printed nothing, in seconds since the epoch, if that is worth a warning.
    quiet_since: Option<f64>,
    /// What people must know of it while it runs.
    warning: Option<&'a str>,
    /// Why the last stop did not reach all of the job, in words.
    stop_refused: Option<&'a str>,
    #[serde(flatten)]
    usage: Usage,
    /// The parameters, sensitive ones masked.
    params: Cow<'a, Map<String, Value>>,
    retry_of: Option<JobId>,
    /// The jobs that tried this one again.
    retries: &'a [JobId],
    #[serde(flatten)]
    wait: Wait<'a>,
    /// It is large, and long values of it are cut; asked for by itself it is told whole.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

/// When things happened, in seconds since the epoch.
#[derive(Debug, Default, Serialize)]
struct Times {
    /// Null only for a job of which nothing can be read.
    queued_at: Option<f64>,
    started_at: Option<f64>,
    finished_at: Option<f64>,
    /// From the start to the end.
    duration: Option<f64>,
}

/// What it took, as far as the kernel counted that.
#[derive(Debug, Default, Serialize)]
struct Usage {
    /// The most memory at a time, in bytes.
    memory_peak: Option<u64>,
    cpu_seconds: Option<f64>,
}

/// What the job says of itself while it runs.
#[derive(Debug, Default, Serialize)]
struct Doing<'a> {
    status: Option<&'a str>,
    progress: Option<&'a Map<String, Value>>,
}

/// The last line of output that looks like an error.
#[derive(Debug, Serialize)]
struct LastError<'a> {
    recno: u64,
    line: &'a str,
}

/// Where a queued job stands, and why it waits.
#[derive(Debug, Default, Serialize)]
pub struct Wait<'a> {
    /// Its place among the waiting jobs of its lane, from 1.
    pub position: Option<usize>,
    /// Why it has not started, in words.
    pub waiting_for: Option<Cow<'a, str>>,
}

/// An open prompt, as clients see it.
#[derive(Debug, Serialize)]
pub struct Interaction<'a> {
    id: u64,
    job_id: JobId,
    #[serde(rename = "type")]
    kind: InteractionKind,
    prompt: &'a str,
    choices: &'a indexmap::IndexMap<String, String>,
    default: Option<&'a str>,
    /// The answer is hidden from people.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    sensitive: bool,
    /// Always null: an answered prompt is not open any more.
    responded_by: Option<&'a str>,
    response: Option<&'a str>,
}

/// The JSON of a job of the history.
///
/// # Errors
/// None: what was read from JSON can be written as JSON.
pub fn rendered(line: &HistoryLine) -> serde_json::Result<Box<RawValue>> {
    serde_json::value::to_raw_value(&Job::finished(line))
}

impl<'a> Job<'a> {
    /// A job that waits in the queue. Its command is what would be executed now.
    #[must_use]
    pub fn queued(queued: &'a Queued, config: &'a Config, wait: Wait<'a>) -> Self {
        let Queued { request, is_cut } = queued;
        let job_type = config.job_type(&request.job_type);
        Self {
            command: job_type.map_or_else(Vec::new, |job_type| shown_command(job_type, &request.params)).into(),
            times: Times::new(request.submitted_at, None, None),
            wait,
            truncated: *is_cut,
            ..Self::requested(request, job_type, State::Queued)
        }
    }

    /// A job that was claimed.
    #[must_use]
    pub fn claimed(claimed: &'a Claimed, config: &'a Config) -> Self {
        let Claimed { status, request, is_cut } = claimed;
        let interaction = pending_interaction(claimed);
        let doing = if interaction.is_some() {
            Doing { status: Some(AWAITING), progress: None }
        } else {
            Doing { status: status.message.as_deref(), progress: status.progress.as_ref() }
        };
        let job_type = config.job_type(&status.job_type);
        Self {
            id: status.id,
            kind: &status.job_type,
            user: &status.user,
            command: Cow::Borrowed(&status.command),
            times: Times::new(status.queued_at, status.started_at, status.finished_at).complete(status.state),
            exit_status: exit_status(status.exit_status, status.signal),
            status: doing,
            data: Some(data(request.as_ref().and_then(|request| request.data.as_ref()))),
            running: !status.state.is_final(),
            orphaned: status.state == State::Lost,
            interaction,
            state: status.state,
            outcome: status.outcome,
            outcome_by: status.outcome_by.as_deref(),
            phase: status.phase.as_deref(),
            last_error: status.last_error.as_ref().map(LastError::from),
            reason: status.reason.as_deref(),
            cancelled_by: status.cancelled_by.as_deref(),
            quiet_since: status.quiet_since.map(Time::as_seconds_f64),
            warning: status.warning.as_deref(),
            stop_refused: status.stop_refused.as_deref(),
            usage: Usage { memory_peak: status.memory_peak, cpu_seconds: status.cpu_seconds },
            params: Cow::Owned(request.as_ref().map_or_else(Map::new, |request| masked(job_type, &request.params))),
            retry_of: request.as_ref().and_then(|request| request.retry_of),
            retries: &[],
            wait: Wait::default(),
            truncated: *is_cut,
        }
    }

    /// A job of the history, whose line has nothing in it that people may not see.
    #[must_use]
    pub fn finished(line: &'a HistoryLine) -> Self {
        Self {
            id: line.id,
            kind: &line.job_type,
            user: &line.user,
            command: Cow::Borrowed(&line.command),
            times: Times::new(line.queued_at, line.started_at, line.finished_at).complete(line.state),
            exit_status: exit_status(line.exit_status, line.signal),
            status: Doing::default(),
            data: Some(data(line.data.as_ref())),
            running: false,
            orphaned: line.state == State::Lost,
            interaction: None,
            state: line.state,
            outcome: line.outcome,
            outcome_by: line.outcome_by.as_deref(),
            phase: line.phase.as_deref(),
            last_error: line.last_error.as_ref().map(LastError::from),
            reason: line.reason.as_deref(),
            cancelled_by: line.cancelled_by.as_deref(),
            quiet_since: None,
            warning: None,
            stop_refused: None,
            usage: Usage { memory_peak: line.memory_peak, cpu_seconds: line.cpu_seconds },
            params: Cow::Borrowed(&line.params),
            retry_of: line.retry_of,
            retries: &[],
            wait: Wait::default(),
            truncated: false,
        }
    }

    /// A file that was no valid job: what is in it is shown as far as it can be read.
    #[must_use]
    pub fn rejected(rejected: &'a Rejected, config: &'a Config) -> Self {
        let at = Some(rejected.at);
        let job = match &rejected.request {
            Some(request) => Self {
                times: Times::new(request.submitted_at, at, at),
                ..Self::requested(request, config.job_type(&request.job_type), State::Rejected)
            },
            None => Self {
                times: Times::new(rejected.at, at, at),
                ..Self::bare(rejected.id, UNKNOWN, rejected.user(), State::Rejected)
            },
        };
        Self { id: rejected.id, reason: Some(&rejected.reason), truncated: rejected.is_cut, ..job }
    }

    /// A finished job whose line in the history cannot be read now.
    #[must_use]
    pub fn unreadable(finished: &Finished, history: &'a History) -> Self {
        let (job_type, user) = history.origins().pair(finished.origin());
        Self { reason: Some(UNREADABLE), ..Self::bare(finished.id, job_type, user, finished.state) }
    }

    /// The same job, with those that tried it again.
    #[must_use]
    pub fn tried_again_by(self, retries: &'a [JobId]) -> Self {
        Self { retries, ..self }
    }

    /// The same job, of which only the beginning is told, or all.
    #[must_use]
    pub fn truncated(self, truncated: bool) -> Self {
        Self { truncated, ..self }
    }

    /// The same for who was told of it before.
    #[must_use]
    pub fn without_data(self) -> Self {
        Self { data: None, ..self }
    }

    /// Whether a text is in the parameters or the data, as far as they are shown.
    #[must_use]
    pub fn mentions(&self, text: &Text) -> bool {
        text.is_in_any(self.params.values()) || self.data.as_ref().is_some_and(|data| text.is_in_any(data.values()))
    }

    fn requested(request: &'a JobRequest, job_type: Option<&JobType>, state: State) -> Self {
        Self {
            data: Some(data(request.data.as_ref())),
            params: Cow::Owned(masked(job_type, &request.params)),
            retry_of: request.retry_of,
            ..Self::bare(request.id, &request.job_type, &request.user, state)
        }
    }

    fn bare(id: JobId, kind: &'a str, user: &'a str, state: State) -> Self {
        Self {
            id,
            kind,
            user,
            command: Cow::default(),
            times: Times::default(),
            exit_status: None,
            status: Doing::default(),
            data: Some(Cow::default()),
            running: false,
            orphaned: false,
            interaction: None,
            state,
            outcome: None,
            outcome_by: None,
            phase: None,
            last_error: None,
            reason: None,
            cancelled_by: None,
            quiet_since: None,
            warning: None,
            stop_refused: None,
            usage: Usage::default(),
            params: Cow::default(),
            retry_of: None,
            retries: &[],
            wait: Wait::default(),
            truncated: false,
        }
    }
}

impl<'a> From<&'a outcome::LastError> for LastError<'a> {
    fn from(error: &'a outcome::LastError) -> Self {
        Self { recno: error.record, line: &error.line }
    }
}

/// The prompt that a job waits at.
#[must_use]
pub fn pending_interaction(claimed: &Claimed) -> Option<Interaction<'_>> {
    let status = &claimed.status;
    let interaction: &status::Interaction = status.interaction.as_ref()?;
    Some(Interaction {
        id: u64::from(status.id) * PROMPTS_PER_JOB + u64::from(interaction.id),
        job_id: status.id,
        kind: interaction.kind,
        prompt: &interaction.prompt,
        choices: &interaction.choices,
        default: interaction.default.as_deref(),
        sensitive: interaction.sensitive,
        responded_by: None,
        response: None,
    })
}

impl Times {
    fn new(queued: Time, started: Option<Time>, finished: Option<Time>) -> Self {
        let between = |(start, end): (Time, Time)| {
            let milliseconds = end.as_milliseconds().saturating_sub(start.as_milliseconds());
            Time::from_milliseconds(milliseconds.max(0)).as_seconds_f64()
        };
        Self {
            queued_at: Some(queued.as_seconds_f64()),
            started_at: started.map(Time::as_seconds_f64),
            finished_at: finished.map(Time::as_seconds_f64),
            duration: started.zip(finished).map(between),
        }
    }

    /// A job that was cancelled never started; the page takes a job without a start for one that waits.
    fn complete(self, state: State) -> Self {
        if state == State::Cancelled {
            return Self { started_at: self.finished_at, duration: self.finished_at.map(|_| 0.0), ..self };
        }
        self
    }
}

fn exit_status(status: Option<i32>, signal: Option<i32>) -> Option<i32> {
    signal.map(i32::wrapping_neg).or(status)
}

fn data(data: Option<&Map<String, Value>>) -> Cow<'_, Map<String, Value>> {
    data.map_or_else(Cow::default, Cow::Borrowed)
}

/// Of a type that is not declared any more nobody knows what is sensitive.
fn masked(job_type: Option<&JobType>, params: &Map<String, Value>) -> Map<String, Value> {
    match job_type {
        Some(job_type) => job_type.masked_params(params),
        None => params.keys().map(|name| (name.clone(), json!(MASK))).collect(),
    }
}

fn shown_command(job_type: &JobType, params: &Map<String, Value>) -> Vec<String> {
    // Parameters that do not fit are the runner's to reject.
    job_type.render(params).map(|command| command.shown).unwrap_or_default()
}

#[expect(clippy::ptr_arg, reason = "the form that serde's serialize_with calls")]
fn as_json_string<S: Serializer>(command: &Cow<'_, [String]>, serializer: S) -> Result<S::Ok, S::Error> {
    let text = serde_json::to_string(&**command).map_err(serde::ser::Error::custom)?;
    serializer.serialize_str(&text)
}

#[cfg(test)]
mod tests;
