//! Showing the second factor.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;

use super::set_cookie;
use crate::accounts::error::AccountsError;
use crate::accounts::guard::Guard;
use crate::accounts::second_factor::{Passed, Refusal};
use crate::api::app::App;
use crate::api::record::AuditRecord;
use crate::api::request::Request;
use crate::audit::Event;
use crate::http::client::Client;
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;

/// `POST /api/2fa`: with a code of the second factor, or a recovery code. The session goes on under another secret.
///
/// # Errors
/// 400 if the code is wrong, or was used before; 429 after too many of those; 401 if the session has ended meanwhile;
/// 503 if the files cannot be written.
pub async fn second_step(app: Arc<App>, mut request: Request) -> Result<Response, ApiError> {
    let code = request.text().await?;
    let guard = app.auth.guard()?;
    let passed = checked(&app, guard, &request.user, &request.client, code).await?;
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
    let cookie = guard.complete_session(&request.identity).await?;
    set_cookie(response::json(StatusCode::OK, &answer)?, &cookie)
}

/// Checks a code, and records a wrong one.
///
/// # Errors
/// As [`second_step`].
pub(super) async fn checked(
    app: &App,
    guard: &Arc<Guard>,
    user: &Arc<str>,
    client: &Client,
    code: String,
) -> Result<Passed, ApiError> {
    match guard.check_code(user, code).await? {
        Ok(passed) => Ok(passed),
        Err(refusal) => Err(refused(app, user, client, refusal).await?),
    }
}

/// Records that a code was refused, and makes the answer. A lock is recorded once: whoever goes on trying fills no disk.
///
/// # Errors
/// 503 if it cannot be recorded.
pub(super) async fn refused(app: &App, user: &str, client: &Client, refusal: Refusal) -> Result<ApiError, ApiError> {
    let event = match refusal {
        Refusal::Locked { is_new: true, .. } => Some(Event::Locked),
        Refusal::Locked { is_new: false, .. } => None,
        Refusal::Invalid | Refusal::NotEnrolled | Refusal::NothingPending => Some(Event::SecondFactorRefused),
    };
    if let Some(event) = event {
        let details = json!({ "what": "second factor" });
        AuditRecord { event, user: Some(user), client, details }.record(app).await?;
    }
    Ok(AccountsError::from(refusal).into())
}
