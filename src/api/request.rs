//! A request, as a handler sees it.

use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, USER_AGENT};
use hyper::{HeaderMap, StatusCode, Uri};
use serde::de::DeserializeOwned;

use super::failure;
use crate::accounts::access::{Forbidden, Guarded};
use crate::accounts::identity::{Caller, Identity};
use crate::accounts::presented::{Browser, Presented};
use crate::config::JobType;
use crate::http::body;
use crate::http::body::RequestBody;
use crate::http::client::Client;
use crate::http::error::{ApiError, Invalid};
use crate::http::path::PathParams;
use crate::http::query::Query;
use crate::spool::strict;

/// A request that may be answered: it passed the access rules and found its route.
#[derive(Debug)]
pub struct Request {
    /// Where it comes from, and what names it in its response, in the log, and in errors.
    pub client: Client,
    /// Who asks, as far as they have shown it.
    pub identity: Identity,
    /// Their name; empty where a route is open and nobody has signed in.
    pub user: Arc<str>,
    /// The status for who may use this route, but not for what they ask.
    pub(crate) denial: StatusCode,
    /// What the path said.
    pub path: PathParams,
    /// The header fields.
    pub headers: HeaderMap,
    pub(crate) uri: Uri,
    pub(crate) body: RequestBody,
}

impl Request {
    /// Refuses who may not start jobs of a type.
    ///
    /// # Errors
    /// 403, or what the route has instead.
    pub fn may_start(&self, job_type: &JobType) -> Result<(), ApiError> {
        let by = Guarded { job_type: &job_type.name, groups: Some(&job_type.groups) };
        self.denied(self.caller()?.may_start(by))
    }

    /// Refuses who may not answer and stop the jobs of a type.
    ///
    /// # Errors
    /// 403, or what the route has instead.
    pub fn may_answer(&self, by: Guarded) -> Result<(), ApiError> {
        self.denied(self.caller()?.may_answer(by))
    }

    /// Refuses who may not see the sensitive lines of the jobs of a type.
    ///
    /// # Errors
    /// 403, or what the route has instead.
    pub fn may_reveal(&self, by: Guarded) -> Result<(), ApiError> {
        self.denied(self.caller()?.may_reveal(by))
    }

    fn denied(&self, may: Result<(), Forbidden>) -> Result<(), ApiError> {
        may.map_err(|forbidden| failure::accounts::forbidden(&forbidden, self.denial))
    }

    /// Whoever a route let in that is not for everybody.
    fn caller(&self) -> Result<&Caller, ApiError> {
        match &self.identity {
            Identity::Authenticated(caller) => Ok(caller),
            Identity::PendingSecondFactor(_) | Identity::Nobody(_) => {
                Err(ApiError::internal("a route that is not open let nobody in"))
            }
        }
    }

    /// What header fields present to show who a request comes from. Those that are no text count for nothing, but a token
    /// that is no text is a wrong one.
    #[must_use]
    pub fn presented_by(headers: &HeaderMap) -> Presented<'_> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok()).collect();
        // Other schemes are a proxy's business.
        let bearer = headers.get_all(AUTHORIZATION).iter().find_map(|field| {
            let (scheme, rest) = field.as_bytes().split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"bearer ").then_some(rest)
        });
        let bearer = bearer.map(|bearer| std::str::from_utf8(bearer).unwrap_or_default().trim());
        Presented { cookies, bearer }
    }

    /// What it presents to show who it comes from.
    #[must_use]
    pub fn presented(&self) -> Presented<'_> {
        Self::presented_by(&self.headers)
    }

    /// The browser that it comes from.
    #[must_use]
    pub fn browser(&self) -> Browser<'_> {
        let user_agent = self.headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let (presented, address) = (self.presented(), self.client.address);
        Browser { presented, address, user_agent: user_agent.unwrap_or_default() }
    }

    /// The query arguments; none if there is no query.
    ///
    /// # Errors
    /// 422, see [`Query::parse`].
    pub fn query(&self) -> Result<Query, ApiError> {
        Query::parse(self.uri.query().unwrap_or_default())
    }

    /// Reads the body, which is empty after it was read once.
    ///
    /// # Errors
    /// 413, 408 or 400, see [`RequestBody::read`].
    pub async fn bytes(&mut self) -> Result<Bytes, ApiError> {
        let most = match self.identity {
            Identity::Authenticated(_) => body::MAX_REQUEST_BODY,
            Identity::PendingSecondFactor(_) | Identity::Nobody(_) => body::MAX_STRANGERS_BODY,
        };
        self.body.read(most).await
    }

    /// Reads the body as a JSON object, whatever its content type.
    ///
    /// # Errors
    /// See [`parse_object`]; and as [`bytes`](Self::bytes).
    pub async fn json<T: DeserializeOwned>(&mut self) -> Result<T, ApiError> {
        parse_object(&self.bytes().await?)
    }

    /// Reads the body as text, which may be empty: the string that it encodes if its content type is JSON, else itself.
    ///
    /// # Errors
    /// 422 if it is not a JSON string or not UTF-8; and as [`bytes`](Self::bytes).
    pub async fn text(&mut self) -> Result<String, ApiError> {
        let bytes = self.bytes().await?;
        if is_json(&self.headers) { parse_json_string(&bytes) } else { parse_text(bytes) }
    }
}

/// Reads a body as a JSON object in which no member comes twice.
///
/// # Errors
/// 422 if it is not the JSON of a `T`.
pub fn parse_object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    strict::from_slice(bytes).map_err(|error| invalid_body("json_invalid", words(&error)))
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next());
    media_type.is_some_and(|name| name.trim().eq_ignore_ascii_case("application/json"))
}

fn parse_json_string(bytes: &[u8]) -> Result<String, ApiError> {
    serde_json::from_slice(bytes).map_err(|error| invalid_body("json_invalid", words(&error)))
}

/// What is wrong with some JSON. serde says first what it has found, which is left out like the input itself.
fn words(error: &serde_json::Error) -> String {
    let words = error.to_string();
    match words.rsplit_once(", expected ") {
        Some((_, expected)) if error.is_data() => format!("expected {expected}"),
        _ => words,
    }
}

fn parse_text(bytes: Bytes) -> Result<String, ApiError> {
    let text = String::from_utf8(bytes.into());
    text.map_err(|error| invalid_body("string_unicode", error.to_string()))
}

/// The input is left out: an answer to a prompt may be a secret.
fn invalid_body(kind: &'static str, message: String) -> ApiError {
    ApiError::invalid(Invalid { kind, location: vec!["body".into()], message, input: serde_json::Value::Null })
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn json_is_recognised_by_its_media_type() {
        let with = |value| HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]);
        assert!(is_json(&with("application/json")));
        assert!(is_json(&with("Application/JSON; charset=utf-8")));
        assert!(!is_json(&with("application/jsonl")));
        assert!(!is_json(&with("text/plain")));
        assert!(!is_json(&HeaderMap::new()));
    }

    #[test]
    fn what_is_wrong_with_a_body_is_told_without_what_was_in_it() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wanted {
            #[expect(dead_code, reason = "it is never there")]
            password: String,
        }
        let told = |body: &str| format!("{:?}", parse_object::<Wanted>(body.as_bytes()).unwrap_err());
        for (body, words) in [
            ("{\"password\":271828}", "expected a string"),
            ("{\"password\":[\"hunter2, expected x\"]}", "expected a string"),
            ("{\"hunter2, expected x\":1}", "expected `password`"),
            ("{}", "missing field `password`"),
        ] {
            let told = told(body);
            assert!(told.contains(words) && !told.contains("271828") && !told.contains("hunter2"), "{told}");
        }
        let told = format!("{:?}", parse_json_string(b"271828").unwrap_err());
        assert!(told.contains("expected a string at line 1 column 6") && !told.contains("271828"), "{told}");
    }

    #[test]
    fn bodies_that_are_not_text_are_422() {
        assert_eq!(parse_json_string(b"\"yes\\n\"").unwrap(), "yes\n");
        for bad in [&b""[..], b"{}", b"7", b"NaN", b"\"\\ud800\"", b"\"yes\" \"no\""] {
            assert_eq!(parse_json_string(bad).unwrap_err().status(), 422);
        }
        assert_eq!(parse_text(Bytes::new()).unwrap(), "");
        assert_eq!(parse_text(Bytes::from_static(b"\xff")).unwrap_err().status(), 422);
    }
}
