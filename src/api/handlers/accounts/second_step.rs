//! Showing the second factor.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;

use super::sign_in::{too_many, with_cookie};
use crate::accounts::guard::Guard;
use crate::accounts::second_factor::{Passed, Refusal};
use crate::accounts::sessions::Session;
use crate::api::app::App;
use crate::api::record::AuditRecord;
use crate::api::request::Request;
use crate::audit::Event;
use crate::blocking;
use crate::http::client::Client;
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;
use crate::spool::Time;

/// `POST /api/2fa`: with a code of the second factor, or a recovery code. The session goes on under another secret.
///
/// # Errors
/// 400 if the code is wrong, or was used before; 429 after too many of those; 401 if the session has ended meanwhile;
/// 503 if the files cannot be written.
pub async fn second_step(app: Arc<App>, mut request: Request) -> Result<Response, ApiError> {
    let code = request.text().await?;
    let guard = Arc::clone(app.auth.guard()?);
    let passed = checked(&app, &guard, &request.user, &request.client, code).await?;
    let (how, left) = match passed {
        Passed::Totp => ("code", None),
        Passed::Recovery { left } => ("recovery code", Some(left)),
    };
    let details = json!({ "by": how, "recovery_codes_left": left });
    // The code is used up, and the password or ticket before it was recorded.
    AuditRecord::of(&request, Event::SecondFactor, details).note(&app).await;
    let message = match left {
        None => "Signed in".to_owned(),
        Some(left) => format!("Signed in with a recovery code. {left} are left"),
    };
    let answer = json!({ "code": "ok", "message": message, "user": &*request.user, "recovery_codes_left": left });
    complete(&guard, &request, response::json(StatusCode::OK, &answer)?).await
}

/// Checks a code, and records a wrong one.
///
/// # Errors
/// As [`second_step`].
pub(crate) async fn checked(
    app: &App,
    guard: &Arc<Guard>,
    user: &Arc<str>,
    client: &Client,
    code: String,
) -> Result<Passed, ApiError> {
    let (checking, name) = (Arc::clone(guard), Arc::clone(user));
    let check = move || checking.second_factors.check(&name, code.trim(), Time::now());
    match blocking::run(check).await?? {
        Ok(passed) => Ok(passed),
        Err(refusal) => Err(refused(app, user, client, refusal).await?),
    }
}

/// Records that a code was refused, and says so. A lock is recorded once: who goes on trying fills no disk.
///
/// # Errors
/// 503 if it cannot be recorded.
pub(crate) async fn refused(app: &App, user: &str, client: &Client, refusal: Refusal) -> Result<ApiError, ApiError> {
    let event = match refusal {
        Refusal::Locked { is_new: true, .. } => Some(Event::Locked),
        Refusal::Locked { is_new: false, .. } => None,
        Refusal::Invalid | Refusal::NotEnrolled | Refusal::NothingPending => Some(Event::SecondFactorRefused),
    };
    if let Some(event) = event {
        let details = json!({ "what": "second factor" });
        AuditRecord { event, user: Some(user), client, details }.record(app).await?;
    }
    let invalid = |message: &str| ApiError::refused(StatusCode::BAD_REQUEST, message).with("code", "invalid");
    Ok(match refusal {
        Refusal::Invalid => invalid("This code is not right, or was used before. Wait for the next one"),
        Refusal::NotEnrolled => invalid("You have no second factor yet. Set one up first"),
        Refusal::NothingPending => invalid("There is nothing to confirm any more. Begin again"),
        Refusal::Locked { seconds, .. } => too_many(seconds),
    })
}

/// Notes that the session of a request has shown its second factor, and gives it another secret.
///
/// # Errors
/// 401 if it has ended meanwhile, 503 if the file cannot be written.
pub(crate) async fn complete(guard: &Arc<Guard>, request: &Request, response: Response) -> Result<Response, ApiError> {
    let ended = || {
        ApiError::refused(StatusCode::UNAUTHORIZED, "Your session has ended. Sign in again").with("code", "needauth")
    };
    let key = Arc::clone(request.identity.session().ok_or_else(ended)?);
    let completing = Arc::clone(guard);
    let secret = blocking::run(move || completing.sessions.complete(&key, Time::now())).await??.ok_or_else(ended)?;
    guard.tell();
    let now = Time::now();
    let session = guard.sessions.get(&secret.key(), now).ok_or_else(ended)?;
    with_cookie(response, guard, &secret, left(&session, now))
}

fn left(session: &Session, now: Time) -> std::time::Duration {
    let milliseconds = session.longest_end().as_milliseconds() - now.as_milliseconds();
    std::time::Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default())
}
