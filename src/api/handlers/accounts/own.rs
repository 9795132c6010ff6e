//! What is one's own: sessions and tokens.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::accounts::guard::Guard;
use crate::accounts::sessions;
use crate::accounts::sessions::Session;
use crate::accounts::tokens::Token;
use crate::api::app::App;
use crate::api::record::AuditRecord;
use crate::api::request::Request;
use crate::audit::Event;
use crate::blocking;
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
    let guard = Arc::clone(app.auth.guard()?);
    let is_own = guard.sessions_of(Some(&request.user), Time::now()).iter().any(|(key, _)| sessions::id(key) == id);
    if !is_own {
        return Err(ApiError::refused(StatusCode::NOT_FOUND, "You have no such session. It may have ended"));
    }
    let user = Arc::clone(&request.user);
    end(&app, &guard, &request, &user.clone(), move |key, session| *session.user == *user && sessions::id(key) == id)
        .await
}

/// `POST /api/sessions/end-others`: ends all sessions of this user but the one that asks.
///
/// # Errors
/// 503 if the files cannot be written.
pub async fn end_others(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let guard = Arc::clone(app.auth.guard()?);
    let (user, current) = (Arc::clone(&request.user), request.identity.session().cloned());
    end(&app, &guard, &request, &user.clone(), move |key, session| {
        *session.user == *user && current.as_ref().is_none_or(|current| **current != *key)
    })
    .await
}

/// Ends sessions of a user, and says how many.
///
/// # Errors
/// 503 if the files cannot be written.
pub(crate) async fn end(
    app: &App,
    guard: &Arc<Guard>,
    request: &Request,
    of: &str,
    which: impl Fn(&str, &Session) -> bool + Send + 'static,
) -> Result<Response, ApiError> {
    let ending = Arc::clone(guard);
    let ended = blocking::run(move || ending.sessions.end(which)).await??;
    guard.tell();
    AuditRecord::of(request, Event::SessionsEnded, json!({ "of": of })).note(app).await;
    let message = if ended == 1 { "1 session has ended".to_owned() } else { format!("{ended} sessions have ended") };
    response::json(StatusCode::OK, &json!({ "message": message, "ended": ended }))
}

/// `GET /api/tokens`: by which scripts may sign in as this user.
///
/// # Errors
/// 404 where nobody signs in.
pub async fn tokens(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let own = app.auth.guard()?.tokens.of_user(&request.user);
    let tokens: Vec<Value> = own.iter().map(show_token).collect();
    response::json(StatusCode::OK, &json!({ "tokens": tokens }))
}

pub(crate) fn show_token(token: &Token) -> Value {
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

/// `POST /api/tokens/{id}/revoke`: makes one of this user's tokens worth nothing.
///
/// # Errors
/// 404 if they have none of this id, 503 if the files cannot be written.
pub async fn revoke_token(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    revoke(&app, &request, &request.user, "You have no such token. It may have been revoked").await
}

/// Makes the token that the path names worth nothing, if it is this user's.
///
/// # Errors
/// 404 in these words if they have none of this id, 503 if the files cannot be written.
pub(crate) async fn revoke(app: &App, request: &Request, of: &str, missing: &str) -> Result<Response, ApiError> {
    let id = request.path.text("id")?.to_owned();
    let guard = Arc::clone(app.auth.guard()?);
    if !guard.tokens.of_user(of).iter().any(|token| token.id == id) {
        return Err(ApiError::refused(StatusCode::NOT_FOUND, missing));
    }
    let details = json!({ "what": "revoked", "token": id, "of": of });
    let (revoking, user) = (Arc::clone(&guard), of.to_owned());
    blocking::run(move || revoking.tokens.revoke(&id, Some(&user))).await??;
    guard.tell();
    AuditRecord::of(request, Event::TokenChanged, details).note(app).await;
    response::json(StatusCode::OK, &json!({ "message": "The token is worth nothing now" }))
}
