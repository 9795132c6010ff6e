//! Signing out.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;

use super::set_cookie;
use crate::accounts::Auth;
use crate::api::app::App;
use crate::api::record::AuditRecord;
use crate::api::request::Request;
use crate::audit::Event;
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;

/// `POST /api/logout`: ends the session, here and in the browser, and says where else to sign out. Who has none, or does
/// not need one, gets the same answer.
///
/// # Errors
/// 503 if the files cannot be written.
pub async fn sign_out(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    if let Auth::Guarded(guard) = &app.auth
        && guard.sign_out(&request.presented()).await?
        && request.identity.user().is_some()
    {
        AuditRecord::of(&request, Event::SignOut, json!({})).note(&app).await;
    }
    signed_out(&app)
}

/// `POST /api/logoutAll`: ends the sessions of everybody. Tokens of scripts stay.
///
/// # Errors
/// 503 if the files cannot be written.
pub async fn sign_everybody_out(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    if let Auth::Guarded(guard) = &app.auth {
        guard.end_all_sessions().await?;
        AuditRecord::of(&request, Event::SessionsEnded, json!({ "of": null })).note(&app).await;
    }
    signed_out(&app)
}

fn signed_out(app: &App) -> Result<Response, ApiError> {
    let guard = app.auth.guard().ok();
    let elsewhere = guard.and_then(|guard| guard.sign_out_url()).unwrap_or_else(|| "/".to_owned());
    let response = response::json(StatusCode::OK, &json!({ "message": "Logged out", "SSOLogoutUrl": elsewhere }))?;
    match guard {
        Some(guard) => set_cookie(response, &guard.removed_cookie()),
        None => Ok(response),
    }
}
