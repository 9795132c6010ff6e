//! What administrators see to: the sign-ins of others.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::own;
use crate::accounts::guard::people::KnownUser;
use crate::api::app::App;
use crate::api::record::AuditRecord;
use crate::api::request::Request;
use crate::audit::Event;
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;
use crate::spool::Time;

/// `GET /api/users`: who has an account, a second factor or a session.
///
/// # Errors
/// 404 where nobody signs in.
pub async fn users(app: Arc<App>, _: Request) -> Result<Response, ApiError> {
    let users: Vec<Value> = app.auth.guard()?.known_users(Time::now()).iter().map(show).collect();
    response::json(StatusCode::OK, &json!({ "users": users }))
}

fn show(known: &KnownUser) -> Value {
    json!({
        "user": known.user,
        "groups": known.groups,
        "disabled": known.disabled,
        "enrolled": known.enrolled,
        "recovery_codes_left": known.recovery_codes_left,
        "sessions": known.sessions,
        "last_seen": known.last_seen.map(Time::as_seconds_f64),
    })
}

/// `POST /api/users/{user}/reset-second-factor`: takes somebody's second factor away, and ends their sessions. They set up
/// another one when they sign in.
///
/// # Errors
/// 404 if they have none, 503 if the files cannot be written.
pub async fn reset_second_factor(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let user = request.path.text("user")?;
    let guard = app.auth.guard()?;
    if !guard.second_factor_status(user).enrolled {
        let message = "This user has no second factor";
        return Err(ApiError::refused(StatusCode::NOT_FOUND, message).with("user", user));
    }
    let details = json!({ "what": "reset", "of": user });
    AuditRecord::of(&request, Event::SecondFactorChanged, details).record(&app).await?;
    guard.reset_second_factor(user).await?;
    let message = "The second factor is reset, and the sessions have ended. Another one is set up at the next sign-in";
    response::json(StatusCode::OK, &json!({ "message": message }))
}

/// `GET /api/users/tokens`: by which scripts sign in, and as whom.
///
/// # Errors
/// 404 where nobody signs in.
pub async fn tokens(app: Arc<App>, _: Request) -> Result<Response, ApiError> {
    own::show_tokens(&app.auth.guard()?.tokens_of(None))
}

/// `POST /api/users/{user}/tokens/{id}/revoke`: revokes a token of another user.
///
/// # Errors
/// 404 if they have none of this id, 503 if the files cannot be written.
pub async fn revoke_token(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let user = request.path.text("user")?;
    own::revoke(&app, &request, user, "This user has no such token. It may have been revoked").await
}

/// `POST /api/users/{user}/end-sessions`: signs somebody out everywhere.
///
/// # Errors
/// 503 if the files cannot be written.
pub async fn end_sessions(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let user = request.path.text("user")?;
    let ended = app.auth.guard()?.end_sessions_of(user, None).await?;
    own::tell_ended(&app, &request, user, ended).await
}
