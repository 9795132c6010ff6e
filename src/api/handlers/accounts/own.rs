//! What is one's own: sessions and tokens.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::accounts::sessions;
use crate::accounts::sessions::Session;
use crate::accounts::tokens::Token;
use crate::api::app::App;
use crate::api::record::AuditRecord;
use crate::api::request::Request;
use crate::audit::Event;
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;
use crate::spool::Time;

/// `GET /api/sessions`: where this user is signed in.
///
/// # Errors
/// 404 where nobody signs in.
pub async fn sessions(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let guard = app.auth.guard()?;
    let current = request.identity.session().map(|key| &**key);
    let mut own = guard.sessions_of(Some(&request.user), Time::now());
    own.sort_by_key(|(_, session)| std::cmp::Reverse(session.last_seen));
    let shown: Vec<Value> =
        own.iter().map(|(key, session)| show(key, session, current == Some(key.as_str()))).collect();
    response::json(StatusCode::OK, &json!({ "sessions": shown }))
}

fn show(key: &str, session: &Session, is_current: bool) -> Value {
    json!({
        "id": sessions::id(key),
        "current": is_current,
        "second_factor": session.second_factor,
        "created": session.created.as_seconds_f64(),
        "last_seen": session.last_seen.as_seconds_f64(),
        "expires": session.end(false).as_seconds_f64(),
        "address": session.address,
        "user_agent": session.user_agent,
    })
}

/// `POST /api/sessions/{id}/end`: ends one of this user's sessions.
///
/// # Errors
/// 404 if they have none of this id, 503 if the files cannot be written.
pub async fn end_session(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let id = request.path.text("id")?.to_owned();
    let ended = app.auth.guard()?.end_session(&request.user, id).await?;
    let no_such = || ApiError::refused(StatusCode::NOT_FOUND, "You have no such session. It may have ended");
    tell_ended(&app, &request, &request.user, ended.ok_or_else(no_such)?).await
}

/// `POST /api/sessions/end-others`: ends all sessions of this user but the one that asks.
///
/// # Errors
/// 503 if the files cannot be written.
pub async fn end_others(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let ended = app.auth.guard()?.end_sessions_of(&request.user, request.identity.session()).await?;
    tell_ended(&app, &request, &request.user, ended).await
}

/// Records that so many sessions of a user have ended, and says it.
pub(super) async fn tell_ended(app: &App, request: &Request, of: &str, ended: usize) -> Result<Response, ApiError> {
    AuditRecord::of(request, Event::SessionsEnded, json!({ "of": of })).note(app).await;
    let message = if ended == 1 { "1 session has ended".to_owned() } else { format!("{ended} sessions have ended") };
    response::json(StatusCode::OK, &json!({ "message": message, "ended": ended }))
}

/// `GET /api/tokens`: by which scripts may sign in as this user.
///
/// # Errors
/// 404 where nobody signs in.
pub async fn tokens(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    show_tokens(&app.auth.guard()?.tokens_of(Some(&request.user)))
}

/// Shows tokens, without what a script sends.
pub(super) fn show_tokens(tokens: &[Token]) -> Result<Response, ApiError> {
    let tokens: Vec<Value> = tokens.iter().map(show_token).collect();
    response::json(StatusCode::OK, &json!({ "tokens": tokens }))
}

fn show_token(token: &Token) -> Value {
    let scopes: Vec<String> = token.scopes.iter().map(ToString::to_string).collect();
    json!({
        "id": token.id,
        "user": token.user,
        "name": token.name,
        "scopes": scopes,
        "created": token.created.as_seconds_f64(),
        "expires": token.expires.as_seconds_f64(),
    })
}

/// `POST /api/tokens/{id}/revoke`: revokes one of this user's tokens.
///
/// # Errors
/// 404 if they have none of this id, 503 if the files cannot be written.
pub async fn revoke_token(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    revoke(&app, &request, &request.user, "You have no such token. It may have been revoked").await
}

/// Revokes the token that the path names, if it is this user's.
///
/// # Errors
/// 404 in these words if they have none of this id, 503 if the files cannot be written.
pub(super) async fn revoke(app: &App, request: &Request, of: &str, missing: &str) -> Result<Response, ApiError> {
    let id = request.path.text("id")?;
    if !app.auth.guard()?.revoke_token(of, id).await? {
        return Err(ApiError::refused(StatusCode::NOT_FOUND, missing));
    }
    let details = json!({ "what": "revoked", "token": id, "of": of });
    AuditRecord::of(request, Event::TokenChanged, details).note(app).await;
    response::json(StatusCode::OK, &json!({ "message": "Token revoked" }))
}
