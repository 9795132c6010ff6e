//! The record of what somebody did, and how a handler gets it into the audit trail, off the event loop.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Map, Value};

use super::app::App;
use super::request::Request;
use crate::audit::{Entry, Event};
use crate::blocking;
use crate::http::client::Client;
use crate::http::error::ApiError;
use crate::spool;
use crate::spool::atomic::Durability;

/// How long an answer waits for its record, once the thing is done.
const PATIENCE: Duration = Duration::from_secs(1);

/// What somebody did, or tried.
#[derive(Clone, Debug)]
pub struct AuditRecord<'a> {
    /// What it was.
    pub event: Event,
    /// Who it was, if that is known.
    pub user: Option<&'a str>,
    /// Where it came from.
    pub client: &'a Client,
    /// What else there is to tell: a JSON object.
    pub details: Value,
}

impl<'a> AuditRecord<'a> {
    /// What the user of a request did. If a script did it, the details name its token.
    pub fn of(request: &'a Request, event: Event, mut details: Value) -> Self {
        if let Some(token) = request.identity.token() {
            details["token"] = token.into();
        }
        Self { event, user: Some(&request.user), client: &request.client, details }
    }

    fn entry(self) -> Entry {
        let Self { event, user, client, details } = self;
        let details = if let Value::Object(details) = details { details } else { Map::new() };
        Entry {
            event,
            user: user.map(str::to_owned),
            address: client.address.to_string(),
            request: Some(client.request_id.as_str().to_owned()),
            details,
        }
    }

    /// Records it, durably, before it is done. This is for sign-ins, and for changes of who may sign in.
    ///
    /// # Errors
    /// 503 if it cannot be recorded; then it must not be done.
    pub async fn record(self, app: &App) -> Result<(), ApiError> {
        append(app, self.entry(), Durability::Synced).await?.map_err(|error| {
            let message = "Nothing was done, because it could not be recorded: the audit trail in the API's state \
                           directory cannot be written. What to do about it says: spiderpig-api check";
            ApiError::failed(StatusCode::SERVICE_UNAVAILABLE, message, error)
        })
    }

    /// Records it after it was done. This is for what the files of a job tell too, and for what takes a right away from
    /// somebody: a full disk keeps nobody from stopping a deployment, or a thief.
    pub async fn note(self, app: &App) {
        let entry = self.entry();
        let (event, user) = (entry.event, entry.user.clone());
        match tokio::time::timeout(PATIENCE, append(app, entry, Durability::Ordered)).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::error!(?event, user, %error, "this is missing in the audit trail"),
            Ok(Err(error)) => tracing::error!(?event, user, %error, "this is missing in the audit trail"),
            // Once begun, it is done to its end.
            Err(_) => tracing::error!(?event, user, "the audit trail is slow, and may miss this"),
        }
    }
}

async fn append(app: &App, entry: Entry, durability: Durability) -> Result<spool::Result<()>, blocking::Error> {
    let audit = Arc::clone(&app.audit);
    blocking::run(move || audit.append(&entry, durability)).await
}
