//! Setting up a second factor, and what belongs to it.

use std::sync::Arc;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::second_step::{checked, refused};
use super::set_cookie;
use crate::api::app::App;
use crate::api::record::AuditRecord;
use crate::api::request;
use crate::api::request::Request;
use crate::audit::Event;
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;

/// `GET /api/2fa`: how this user stands with the second factor.
///
/// # Errors
/// 404 where nobody signs in.
pub async fn state(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let status = app.auth.guard()?.second_factor_status(&request.user);
    let state = json!({
        "enrolled": status.enrolled,
        "required": status.required,
        "recovery_codes_left": status.recovery_codes_left,
    });
    response::json(StatusCode::OK, &state)
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    code: Option<String>,
}

/// `POST /api/2fa/enrol`: makes a seed, which counts once it is confirmed. Who has a second factor shows that it is theirs.
///
/// # Errors
/// 401 and 400 for that; 503 if the files cannot be written.
pub async fn enrol(app: Arc<App>, mut request: Request) -> Result<Response, ApiError> {
    let body = request.bytes().await?;
    let Wanted { code } = if body.is_empty() { Wanted::default() } else { request::parse_object(&body)? };
    let guard = app.auth.guard()?;
    let enrolment = match guard.begin_enrolment(&request.user, code.unwrap_or_default()).await? {
        Ok(enrolment) => enrolment,
        Err(refusal) => return Err(refused(&app, &request.user, &request.client, refusal).await?),
    };
    // What is not told is known to nobody, and leads to nothing.
    changed(&request, "begun").record(&app).await?;
    let shown = json!({ "secret": enrolment.secret, "uri": enrolment.uri, "qr": enrolment.qr });
    response::json(StatusCode::OK, &shown)
}

/// `POST /api/2fa/confirm`: a code of the new seed makes it the second factor. All other sessions of the user end.
///
/// # Errors
/// 400 if the code is wrong, or there is nothing to confirm; 429 after too many of those; 503 if the files cannot be
/// written.
pub async fn confirm(app: Arc<App>, mut request: Request) -> Result<Response, ApiError> {
    let code = request.text().await?;
    let guard = app.auth.guard()?;
    let codes = match guard.confirm_enrolment(&request.user, code).await? {
        Ok(codes) => codes,
        Err(refusal) => return Err(refused(&app, &request.user, &request.client, refusal).await?),
    };
    // That it was begun is recorded; what is done now cannot be undone.
    changed(&request, "enrolled").note(&app).await;
    guard.end_sessions_of(&request.user, request.identity.session()).await?;
    let answer = json!({ "message": "Your second factor is set up", "recovery_codes": codes });
    let cookie = guard.complete_session(&request.identity).await?;
    set_cookie(response::json(StatusCode::OK, &answer)?, &cookie)
}

/// `POST /api/2fa/recovery-codes`: new ones instead of all old ones, for a code of the second factor.
///
/// # Errors
/// 400 if the code is wrong; 429 after too many of those; 503 if the files cannot be written.
pub async fn renew_recovery_codes(app: Arc<App>, mut request: Request) -> Result<Response, ApiError> {
    show_again(&app, &mut request).await?;
    changed(&request, "recovery_codes").record(&app).await?;
    let codes = app.auth.guard()?.renew_recovery_codes(&request.user).await?;
    let answer = json!({ "message": "The old recovery codes are no longer valid", "recovery_codes": codes });
    response::json(StatusCode::OK, &answer)
}

/// `POST /api/2fa/remove`: goes on without a second factor, where it is not required.
///
/// # Errors
/// 400 if it is, or if the code is wrong; 429 after too many of those; 503 if the files cannot be written.
pub async fn remove(app: Arc<App>, mut request: Request) -> Result<Response, ApiError> {
    let guard = app.auth.guard()?;
    guard.may_remove_second_factor()?;
    show_again(&app, &mut request).await?;
    changed(&request, "removed").record(&app).await?;
    guard.remove_second_factor(&request.user).await?;
    response::json(StatusCode::OK, &json!({ "message": "Your second factor is removed" }))
}

/// Takes a code from the body: somebody who sits at a page that another left open must not change what guards it.
async fn show_again(app: &App, request: &mut Request) -> Result<(), ApiError> {
    let code = request.text().await?;
    checked(app, app.auth.guard()?, &request.user, &request.client, code).await?;
    Ok(())
}

fn changed<'a>(request: &'a Request, what: &str) -> AuditRecord<'a> {
    AuditRecord::of(request, Event::SecondFactorChanged, json!({ "what": what }))
}
