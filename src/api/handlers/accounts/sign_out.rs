//! Signing out.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::SET_COOKIE;
use serde_json::json;

use crate::accounts::Auth;
use crate::accounts::guard::Source;
use crate::api::app::App;
use crate::api::record::AuditRecord;
use crate::api::request::Request;
use crate::audit::Event;
use crate::blocking;
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;

/// `POST /api/logout`: ends the session, here and in the browser, and says where else to sign out. Who has none, or does
/// not need one, gets the same answer.
///
/// # Errors
/// 503 if the files cannot be written.
pub async fn sign_out(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let Auth::Guarded(guard) = &app.auth else { return signed_out(&app) };
    // Also a session that would not be let in any more: nothing of it is left.
    if let Some(secret) = guard.secret(&request.headers) {
        let (ending, key) = (Arc::clone(guard), secret.key());
        blocking::run(move || ending.sessions.end(|other, _| other == key)).await??;
        guard.tell();
        if request.identity.user().is_some() {
            AuditRecord::of(&request, Event::SignOut, json!({})).note(&app).await;
        }
    }
    signed_out(&app)
}

/// `POST /api/logoutAll`: ends the sessions of everybody. Tokens of scripts stay.
///
/// # Errors
/// 503 if the files cannot be written.
pub async fn sign_everybody_out(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    if let Auth::Guarded(guard) = &app.auth {
        let ending = Arc::clone(guard);
        blocking::run(move || ending.sessions.end(|_, _| true)).await??;
        guard.tell();
        AuditRecord::of(&request, Event::SessionsEnded, json!({ "of": null })).note(&app).await;
    }
    signed_out(&app)
}

fn signed_out(app: &App) -> Result<Response, ApiError> {
    let elsewhere = match &app.auth {
        Auth::Guarded(guard) => match &guard.source {
            Source::Cas(cas) => cas.sign_out_url(),
            Source::Local(_) => "/".to_owned(),
        },
        Auth::Open(_) => "/".to_owned(),
    };
    let mut response = response::json(StatusCode::OK, &json!({ "message": "Logged out", "SSOLogoutUrl": elsewhere }))?;
    if let Auth::Guarded(guard) = &app.auth {
        response.headers_mut().append(SET_COOKIE, guard.cookies.remove()?);
    }
    Ok(response)
}
