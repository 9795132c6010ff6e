//! Which answers are refusals, and how a refusal gets into the audit trail.

use std::sync::Arc;
use std::time::Instant;

use hyper::StatusCode;
use serde_json::json;

use super::app::App;
use super::record::AuditRecord;
use crate::accounts::identity::{Identity, Unknown};
use crate::audit::Event;
use crate::http::client::Client;
use crate::http::error::ApiError;

/// Whether an answer refuses somebody what they may not do. That is so for people who are signed in, and for scripts whose
/// token is not known. It is not so for people who only have to sign in first.
#[must_use]
pub fn is_refusal(error: &ApiError, identity: Option<&Identity>) -> bool {
    let is_token = matches!(identity, Some(Identity::Nobody(Unknown::Token)));
    error.status() == StatusCode::FORBIDDEN
        || error.code() == Some("forbidden")
        || (error.status() == StatusCode::UNAUTHORIZED && is_token)
}

/// Records that somebody was refused what they asked for, such as `POST /api/jobs`; `reason` is what they were told. Only
/// some of many refusals get a line: see [`RefusalLimiter`](crate::audit::refusals::RefusalLimiter).
pub async fn note(app: Arc<App>, identity: Option<Identity>, client: Client, asked: String, reason: String) {
    let user = identity.as_ref().and_then(Identity::user);
    let Some(left_out) = app.refusals.count(user.cloned(), client.address, Instant::now()) else { return };
    let mut details = json!({ "what": asked, "reason": reason });
    for (name, count) in [("left_out", left_out.own), ("left_out_of_others", left_out.of_others)] {
        if count > 0 {
            details[name] = count.into();
        }
    }
    if let Some(token) = identity.as_ref().and_then(Identity::token) {
        details["token"] = token.into();
    }
    AuditRecord { event: Event::Refused, user: user.map(|user| &**user), client: &client, details }.note(&app).await;
}
