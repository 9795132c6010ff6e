//! What administrators see to: the sign-ins of others.

use std::collections::BTreeSet;
use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::own;
use crate::accounts::guard::{Guard, Source};
use crate::accounts::sessions::Session;
use crate::api::app::App;
use crate::api::record::AuditRecord;
use crate::api::request::Request;
use crate::audit::Event;
use crate::blocking;
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;
use crate::spool::Time;

/// `GET /api/users`: who has an account, a second factor or a session.
///
/// # Errors
/// 404 where nobody signs in.
pub async fn users(app: Arc<App>, _: Request) -> Result<Response, ApiError> {
    let guard = app.auth.guard()?;
    let sessions = guard.sessions_of(None, Time::now());
    let users: Vec<Value> = names(guard, &sessions).iter().map(|name| show(guard, name, &sessions)).collect();
    response::json(StatusCode::OK, &json!({ "users": users }))
}

fn names(guard: &Guard, sessions: &[(String, Session)]) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = sessions.iter().map(|(_, session)| session.user.clone()).collect();
    names.extend(guard.second_factors.enrolled());
    if let Source::Local(users) = &guard.source {
        names.extend(users.all().keys().cloned());
    }
    names
}

fn show(guard: &Guard, name: &str, sessions: &[(String, Session)]) -> Value {
    let own = || sessions.iter().map(|(_, session)| session).filter(|session| session.user == name);
    let account = match &guard.source {
        Source::Local(users) => users.get(name),
        Source::Cas(_) => None,
    };
    let latest = own().max_by_key(|session| session.last_seen);
    let groups = account.as_ref().map(|account| account.groups.clone());
    let groups = groups.or_else(|| latest.map(|session| session.groups.clone()));
    json!({
        "user": name,
        "groups": groups.unwrap_or_default(),
        "disabled": account.map(|account| account.disabled),
        "enrolled": guard.second_factors.is_enrolled(name),
        "recovery_codes_left": guard.second_factors.recovery_codes_left(name),
        "sessions": own().count(),
        "last_seen": latest.map(|session| session.last_seen.as_seconds_f64()),
    })
}

/// `POST /api/users/{user}/reset-second-factor`: takes somebody's second factor away, and ends their sessions. They set up
/// another one when they sign in.
///
/// # Errors
/// 404 if they have none, 503 if the files cannot be written.
pub async fn reset_second_factor(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let user = request.path.text("user")?.to_owned();
    let guard = Arc::clone(app.auth.guard()?);
    if !guard.second_factors.is_enrolled(&user) {
        let message = "This user has no second factor";
        return Err(ApiError::refused(StatusCode::NOT_FOUND, message).with("user", user));
    }
    let details = json!({ "what": "reset", "of": user });
    AuditRecord::of(&request, Event::SecondFactorChanged, details).record(&app).await?;
    let resetting = Arc::clone(&guard);
    blocking::run(move || {
        // Sessions first: what is left of a failure in between is somebody who signs in again.
        resetting.sessions.end(|_, session| session.user == user)?;
        resetting.second_factors.remove(&user)
    })
    .await??;
    guard.tell();
    let message = "The second factor is reset, and the sessions have ended. Another one is set up at the next sign-in";
    response::json(StatusCode::OK, &json!({ "message": message }))
}

/// `GET /api/users/tokens`: by which scripts sign in, and as whom.
///
/// # Errors
/// 404 where nobody signs in.
pub async fn tokens(app: Arc<App>, _: Request) -> Result<Response, ApiError> {
    let tokens: Vec<Value> = app.auth.guard()?.tokens.all().iter().map(own::show_token).collect();
    response::json(StatusCode::OK, &json!({ "tokens": tokens }))
}

/// `POST /api/users/{user}/tokens/{id}/revoke`: makes a token of somebody worth nothing.
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
    let user = request.path.text("user")?.to_owned();
    let guard = Arc::clone(app.auth.guard()?);
    own::end(&app, &guard, &request, &user.clone(), move |_, session| session.user == user).await
}
