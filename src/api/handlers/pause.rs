//! Pausing the runner, and letting it go on.

use std::sync::Arc;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::api::app::App;
use crate::api::record::AuditRecord;
use crate::api::request::Request;
use crate::audit::Event;
use crate::http::error::{ApiError, Invalid};
use crate::http::response;
use crate::http::response::Response;
use crate::spool;
use crate::spool::Spool;
use crate::spool::inbox;
use crate::spool::inbox::RunnerRequest;

/// The longest reason, in bytes: it stands on every page.
const REASON_LIMIT: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    reason: String,
}

/// `POST /api/runner/pause`: asks the runner, durably, to start no new job. Running jobs continue.
///
/// # Errors
/// 422 without a reason, 503 or 500 if the spool does not take it.
pub async fn pause(app: Arc<App>, mut request: Request) -> Result<Response, ApiError> {
    let Wanted { reason } = request.json().await?;
    if let Some(problem) = problem(&reason) {
        return Err(ApiError::invalid(Invalid {
            kind: "value_error",
            location: vec!["body".into(), "reason".into()],
            message: problem,
            input: reason.into(),
        }));
    }
    let letter = RunnerRequest { user: request.user.as_ref().into(), reason: reason.trim().into() };
    tracing::info!(reason = letter.reason, "pause asked for");
    let details = json!({ "reason": letter.reason });
    let response = ask(&app, letter, inbox::pause, "Pause").await?;
    AuditRecord::of(&request, Event::Pause, details).note(&app).await;
    Ok(response)
}

/// `POST /api/runner/resume`: asks the runner, durably, to start jobs again.
///
/// # Errors
/// 503 or 500 if the spool does not take it.
pub async fn resume(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let letter = RunnerRequest { user: request.user.as_ref().into(), reason: String::new() };
    tracing::info!("resumption asked for");
    let response = ask(&app, letter, inbox::resume, "Resumption").await?;
    AuditRecord::of(&request, Event::Resume, json!({})).note(&app).await;
    Ok(response)
}

async fn ask(
    app: &Arc<App>,
    letter: RunnerRequest,
    send: fn(&Spool, &str, &RunnerRequest) -> spool::Result<()>,
    what: &str,
) -> Result<Response, ApiError> {
    let word = Uuid::new_v4().simple().to_string();
    let sending = Arc::clone(app);
    app.inbox_writes.run(move || send(&sending.spool, &word, &letter)).await??;
    let message = if app.mirror.view().runner.up {
        format!("{what} asked for: the job runner does it at once")
    } else {
        format!("{what} asked for: the job runner is not running, and does it when it is started")
    };
    response::json(StatusCode::OK, &json!({ "message": message }))
}

fn problem(reason: &str) -> Option<String> {
    if reason.trim().is_empty() {
        return Some("A pause needs a reason, which everybody will see".to_owned());
    }
    if reason.len() > REASON_LIMIT {
        return Some(format!("A reason has at most {REASON_LIMIT} bytes"));
    }
    reason.contains(char::is_control).then(|| "A reason is one line, without control characters".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::api::testing::{Bench, Client, until};
    use crate::spool::inbox::{Letter, Reading, Recipient};
    use crate::spool::submitter::TrustedSubmitters;

    fn letters(bench: &Bench) -> Vec<(Recipient, RunnerRequest)> {
        let read = |letter: Letter| match inbox::read(&bench.spool, &letter, &TrustedSubmitters::from_names(&[])) {
            Ok(Reading::Valid(request)) => (letter.recipient, request),
            other => panic!("{other:?}"),
        };
        inbox::list(&bench.spool).unwrap().0.into_iter().map(read).collect()
    }

    #[tokio::test]
    async fn a_pause_is_a_letter_to_the_runner_and_so_is_its_end() {
        let bench = Bench::new();
        let mut client = Client::connect(Bench::serve(bench.app()).await).await;
        let body = json!({ "reason": " datacenter switchover é" }).to_string();
        let reply = client.ask_with("POST /api/runner/pause", "Host: localhost\r\n", &body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(reply.json()["message"].as_str().unwrap().contains("at once"), "{}", reply.body);
        let by = |reason: &str| RunnerRequest { user: "tester".into(), reason: reason.into() };
        assert_eq!(letters(&bench), [(Recipient::Pause, by("datacenter switchover é"))]);
        let reply = client.ask("POST /api/runner/resume").await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(letters(&bench)[1], (Recipient::Resume, by("")));
    }

    #[tokio::test]
    async fn without_a_runner_it_is_said_when_it_will_be_done() {
        let bench = Bench::new();
        let spool = bench.spool.clone();
        let app = bench.app();
        drop(bench.runner);
        until(|| !app.mirror.view().runner.up).await;
        let mut client = Client::connect(Bench::serve(app).await).await;
        let reply = client.ask("POST /api/runner/resume").await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(reply.json()["message"].as_str().unwrap().contains("when it is started"), "{}", reply.body);
        assert_eq!(inbox::list(&spool).unwrap().0.len(), 1);
    }

    #[tokio::test]
    async fn a_reason_is_one_short_line() {
        let bench = Bench::new();
        let mut client = Client::connect(Bench::serve(bench.app()).await).await;
        let bad = [
            json!({ "reason": "" }),
            json!({ "reason": " \u{a0} " }),
            json!({ "reason": "x".repeat(501) }),
            json!({ "reason": "a\nb" }),
            json!({ "reason": 7 }),
            json!({ "reason": "x", "until": "noon" }),
            json!({}),
            Value::Null,
        ];
        for body in bad {
            let reply = client.ask_with("POST /api/runner/pause", "Host: localhost\r\n", &body.to_string()).await;
            assert_eq!(reply.status, 422, "{body}: {}", reply.body);
        }
        assert!(letters(&bench).is_empty());
    }
}
