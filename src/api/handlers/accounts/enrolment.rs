//! Setting up a second factor, and what belongs to it.

use std::sync::Arc;

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::second_step::{checked, complete, refused};
use crate::accounts::guard::Guard;
use crate::accounts::identity::Identity;
use crate::api::app::App;
use crate::api::record::AuditRecord;
use crate::api::request;
use crate::api::request::Request;
use crate::audit::Event;
use crate::blocking;
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;
use crate::spool::Time;

/// `GET /api/2fa`: how this user stands with the second factor.
///
/// # Errors
/// 404 where nobody signs in.
pub async fn state(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let guard = app.auth.guard()?;
    let factors = &guard.second_factors;
    let state = json!({
        "enrolled": factors.is_enrolled(&request.user),
        "required": guard.config.two_factor,
        "recovery_codes_left": factors.recovery_codes_left(&request.user),
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
    let guard = Arc::clone(app.auth.guard()?);
    let user = Arc::clone(&request.user);
    let code = code.unwrap_or_default();
    let begun = blocking::run(move || guard.second_factors.begin(&user, code.trim(), Time::now())).await??;
    let enrolment = match begun {
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
    let guard = Arc::clone(app.auth.guard()?);
    let (confirming, user) = (Arc::clone(&guard), Arc::clone(&request.user));
    let confirmed = blocking::run(move || confirming.second_factors.confirm(&user, code.trim(), Time::now()));
    let codes = match confirmed.await?? {
        Ok(codes) => codes,
        Err(refusal) => return Err(refused(&app, &request.user, &request.client, refusal).await?),
    };
    // That it was begun is recorded; what is done now cannot be undone.
    changed(&request, "enrolled").note(&app).await;
    end_others(&guard, &request).await?;
    let answer = json!({ "message": "Your second factor is set up", "recovery_codes": codes });
    complete(&guard, &request, response::json(StatusCode::OK, &answer)?).await
}

/// `POST /api/2fa/recovery-codes`: new ones instead of all old ones, for a code of the second factor.
///
/// # Errors
/// 400 if the code is wrong; 429 after too many of those; 503 if the files cannot be written.
pub async fn renew_recovery_codes(app: Arc<App>, mut request: Request) -> Result<Response, ApiError> {
    let guard = shown_again(&app, &mut request).await?;
    changed(&request, "recovery_codes").record(&app).await?;
    let user = Arc::clone(&request.user);
    let codes = blocking::run(move || guard.second_factors.renew_recovery_codes(&user)).await??;
    let answer = json!({ "message": "The old recovery codes are worth nothing now", "recovery_codes": codes });
    response::json(StatusCode::OK, &answer)
}

/// `POST /api/2fa/remove`: goes on without a second factor, where it is not required.
///
/// # Errors
/// 400 if it is, or if the code is wrong; 429 after too many of those; 503 if the files cannot be written.
pub async fn remove(app: Arc<App>, mut request: Request) -> Result<Response, ApiError> {
    if app.auth.guard()?.config.two_factor {
        let message = "Everybody needs a second factor here. You can set up another one instead";
        return Err(ApiError::refused(StatusCode::BAD_REQUEST, message));
    }
    let guard = shown_again(&app, &mut request).await?;
    changed(&request, "removed").record(&app).await?;
    let (removing, user) = (Arc::clone(&guard), Arc::clone(&request.user));
    blocking::run(move || removing.second_factors.remove(&user)).await??;
    guard.tell();
    response::json(StatusCode::OK, &json!({ "message": "Your second factor is removed" }))
}

/// Whoever sits at an open page must not change what guards it.
async fn shown_again(app: &App, request: &mut Request) -> Result<Arc<Guard>, ApiError> {
    let code = request.text().await?;
    let guard = Arc::clone(app.auth.guard()?);
    checked(app, &guard, &request.user, &request.client, code).await?;
    Ok(guard)
}

fn changed<'a>(request: &'a Request, what: &str) -> AuditRecord<'a> {
    AuditRecord::of(request, Event::SecondFactorChanged, json!({ "what": what }))
}

async fn end_others(guard: &Arc<Guard>, request: &Request) -> Result<(), ApiError> {
    let (ending, user, key) = (Arc::clone(guard), Arc::clone(&request.user), session(&request.identity));
    blocking::run(move || ending.sessions.end(|other, session| *session.user == *user && other != key)).await??;
    Ok(())
}

fn session(identity: &Identity) -> String {
    identity.session().map(ToString::to_string).unwrap_or_default()
}
