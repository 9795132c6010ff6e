//! Answering the prompt of a job.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;

use super::{id_in_path, job_type_of, no_such_job};
use crate::accounts::access::Guarded;
use crate::api::app::App;
use crate::api::job::PROMPTS_PER_JOB;
use crate::api::record::AuditRecord;
use crate::api::request::Request;
use crate::audit::Event;
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;
use crate::mirror::Entry;
use crate::spool::inbox;
use crate::spool::inbox::{ANSWER_LIMIT, Answer, Answered};
use crate::spool::job::Job;
use crate::spool::log::{LogReader, RecordKind};
use crate::spool::status::{Interaction, InteractionKind};
use crate::spool::{JobId, Result as SpoolResult, Spool};

/// `POST /api/jobs/{id}/interact/{iid}`: answers a prompt, durably. The first answer wins.
///
/// # Errors
/// 400 for what the prompt does not take, or whom the job's type is not for; 404 if it is not open, 409 with the answer that was first, 503 or 500 if the
/// spool does not take it.
pub async fn interact(app: Arc<App>, mut request: Request) -> Result<Response, ApiError> {
    let id = id_in_path(&request)?;
    let interaction = request.path.number("iid")?;
    let response = request.text().await?;
    let prompt = u32::try_from(interaction % PROMPTS_PER_JOB).unwrap_or_default();
    if interaction / PROMPTS_PER_JOB != u64::from(id) || prompt == 0 {
        return Err(not_pending(id, interaction));
    }
    request.may_answer(Guarded::by(&job_type_of(&app, id)?, &app.config))?;
    let answer = Answer { user: request.user.as_ref().into(), response };
    let openness = openness(&app, id, prompt, &answer.response)?;
    let is_open = openness != Openness::Closed;
    let given = if openness == Openness::Sensitive { inbox::HIDDEN.to_owned() } else { answer.response.clone() };
    let spool = app.spool.clone();
    let first = app.inbox_writes.run(move || {
        if is_open && inbox::answer(&spool, id, prompt, &answer)? == Answered::First {
            // The name stays taken when an answer was delivered, so an answer that is in the log now is this one.
            let taken = is_taken(&spool, id, prompt) || logged_answer(&spool, id, prompt)?.is_some();
            return Ok(if taken { None } else { Some(None) });
        }
        first_answer(&spool, id, prompt).map(Some)
    });
    match first.await?? {
        None => {
            let details = json!({ "job": id, "interaction": interaction, "response": given });
            AuditRecord::of(&request, Event::Answer, details).note(&app).await;
            tracing::info!(job = %id, interaction, "answer accepted");
            let stored = json!({ "message": "Response stored", "job_id": id, "interaction_id": interaction });
            response::json(StatusCode::OK, &stored)
        }
        Some(Some(first)) => Err(ApiError::refused(StatusCode::CONFLICT, "This prompt was answered already")
            .with("job_id", u64::from(id))
            .with("interaction_id", interaction)
            .with("responded_by", first.user)
            .with("response", first.response)),
        Some(None) => Err(not_pending(id, interaction)),
    }
}

fn not_pending(id: JobId, interaction: u64) -> ApiError {
    ApiError::refused(StatusCode::NOT_FOUND, "The job is not waiting at this prompt")
        .with("job_id", u64::from(id))
        .with("interaction_id", interaction)
}

/// Whether a prompt takes answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Openness {
    Closed,
    Open,
    /// It is open, and nobody is to see the answer.
    Sensitive,
}

/// Whether the prompt is open, as far as is known.
///
/// # Errors
/// 404 if there is no such job, 400 if the open prompt does not take the answer.
fn openness(app: &App, id: JobId, prompt: u32, response: &str) -> Result<Openness, ApiError> {
    let view = app.mirror.view();
    let entry = view.get(id).ok_or_else(|| no_such_job(id))?;
    let Entry::Claimed(claimed) = entry else { return Ok(Openness::Closed) };
    let Some(open) = claimed.status.interaction.as_ref().filter(|open| open.id == prompt) else {
        return Ok(Openness::Closed);
    };
    match refusal(open, response) {
        Some(reason) => Err(ApiError::refused(StatusCode::BAD_REQUEST, reason).with("job_id", u64::from(id))),
        None if open.sensitive => Ok(Openness::Sensitive),
        None => Ok(Openness::Open),
    }
}

/// Why a prompt does not take an answer: the same rules as the job's supervisor has.
fn refusal(prompt: &Interaction, response: &str) -> Option<String> {
    if response.len() > ANSWER_LIMIT {
        return Some(format!("An answer has at most {ANSWER_LIMIT} bytes"));
    }
    if response.contains(char::is_control) {
        return Some("An answer is one line, without control characters".to_owned());
    }
    let is_default = response.is_empty() && prompt.default.is_some();
    let is_code = || prompt.choices.values().any(|code| code == response);
    if prompt.kind == InteractionKind::InputLine || is_default || is_code() {
        return None;
    }
    let codes: Vec<&str> = prompt.choices.values().map(String::as_str).collect();
    Some(format!("Not one of the choices: answer with one of {}", codes.join(", ")))
}

/// Whether the prompt is open in the file itself, or its answer was given to the job: what is in memory may be older than
/// the answer that was just published, and a prompt that a signal closed takes none.
fn is_taken(spool: &Spool, id: JobId, prompt: u32) -> bool {
    let Ok(Some(status)) = Job::new(spool, id).status() else { return false };
    status.answered == Some(prompt) || status.interaction.is_some_and(|open| open.id == prompt)
}

/// The answer that was first: in the inbox until the job has ended, and in its log for ever.
fn first_answer(spool: &Spool, id: JobId, prompt: u32) -> SpoolResult<Option<Answer>> {
    match inbox::pending_answer(spool, id, prompt) {
        // The job may not have taken it yet, and then it is still what somebody typed.
        Some(answer) if is_sensitive(spool, id, prompt)? => {
            Ok(Some(Answer { response: inbox::HIDDEN.to_owned(), ..answer }))
        }
        Some(answer) => Ok(Some(answer)),
        None => logged_answer(spool, id, prompt),
    }
}

fn is_sensitive(spool: &Spool, id: JobId, prompt: u32) -> SpoolResult<bool> {
    let mut found = false;
    if let Some(mut log) = LogReader::open(&spool.job(id))? {
        log.for_each_of(&["interaction"], |record| {
            found |= matches!(record, RecordKind::Interaction { id, sensitive: true, .. } if id == prompt);
        })?;
    }
    Ok(found)
}

fn logged_answer(spool: &Spool, id: JobId, prompt: u32) -> SpoolResult<Option<Answer>> {
    let mut answer = None;
    if let Some(mut log) = LogReader::open(&spool.job(id))? {
        log.for_each_of(&["response"], |record| match record {
            RecordKind::Response { user, response, interaction } if interaction == prompt => {
                answer = Some(Answer { user, response });
            }
            _ => {}
        })?;
    }
    Ok(answer)
}
