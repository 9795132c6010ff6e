//! An error as a client sees it (status and JSON), and as the log has it (with its cause).

use std::fmt::Display;

use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Map, Value, json};

use super::body;
use super::request_id::RequestId;
use super::response::{Response, uncached};

/// Why a request is not answered as asked.
///
/// The client gets the status and the detail. The cause goes to the log only; the request id joins the two.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    detail: Detail,
    cause: Option<String>,
    /// In seconds.
    retry_after: Option<u32>,
}

/// What stands under `detail` in the body.
#[derive(Debug)]
enum Detail {
    NotFound,
    MethodNotAllowed { allow: String },
    Invalid(Vec<Invalid>),
    Explained(Box<Map<String, Value>>),
}

/// An argument that breaks its rule.
#[derive(Debug)]
pub struct Invalid {
    /// The broken rule, for programs: `int_parsing`.
    pub kind: &'static str,
    /// Where the argument stands, outermost first: `["query", "limit"]`.
    pub location: Vec<String>,
    /// The broken rule, for people.
    pub message: String,
    /// The argument as it came.
    pub input: Value,
}

impl ApiError {
    /// The client asked for something that it cannot have; `message` says why and what to do about it.
    pub fn refused(status: StatusCode, message: impl Into<String>) -> Self {
        let message = Value::String(message.into());
        let fields = Map::from_iter([("message".to_owned(), message)]);
        Self::of(status, Detail::Explained(Box::new(fields)))
    }

    /// The service, or one that it needs, failed: `message` is for the client, `cause` for the log.
    pub fn failed(status: StatusCode, message: impl Into<String>, cause: impl Display) -> Self {
        let refused = Self::refused(status, message);
        Self { cause: Some(cause.to_string()), ..refused }
    }

    /// 500: something broke that the client can do nothing about and learns nothing of.
    pub fn internal(cause: impl Display) -> Self {
        Self::failed(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something went wrong in SpiderPig; its log says more under this request id",
            cause,
        )
    }

    /// 422: an argument breaks its rule.
    #[must_use]
    pub fn invalid(invalid: Invalid) -> Self {
        Self::all_invalid(vec![invalid])
    }

    /// 422: several arguments break their rules.
    #[must_use]
    pub fn all_invalid(invalid: Vec<Invalid>) -> Self {
        Self::of(StatusCode::UNPROCESSABLE_ENTITY, Detail::Invalid(invalid))
    }

    /// 404: there is no such route. A thing that is not there is [`refused`](Self::refused) and named.
    #[must_use]
    pub fn no_such_route() -> Self {
        Self::of(StatusCode::NOT_FOUND, Detail::NotFound)
    }

    /// 405: the path exists, but only for the methods in `allow` (`GET, HEAD`).
    #[must_use]
    pub fn method_not_allowed(allow: String) -> Self {
        Self::of(StatusCode::METHOD_NOT_ALLOWED, Detail::MethodNotAllowed { allow })
    }

    /// Adds a field for programs beside the message; without effect on an error that has no message field.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        if let Detail::Explained(fields) = &mut self.detail {
            fields.insert(field.to_owned(), value.into());
        }
        self
    }

    /// Tells the client to try again, after so many seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    fn of(status: StatusCode, detail: Detail) -> Self {
        Self { status, detail, cause: None, retry_after: None }
    }

    /// The status that the client gets.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// By which programs know what is wrong, if there is such a word.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.field("code")
    }

    /// What is wrong, in words, if somebody wrote some.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.field("message")
    }

    fn field(&self, name: &str) -> Option<&str> {
        match &self.detail {
            Detail::Explained(fields) => fields.get(name)?.as_str(),
            Detail::NotFound | Detail::MethodNotAllowed { .. } | Detail::Invalid(_) => None,
        }
    }

    /// Writes the cause to the log and makes the response. The log line gets the request id from the current span.
    #[must_use]
    pub fn into_response(self, request_id: &RequestId) -> Response {
        if let Some(cause) = &self.cause {
            tracing::error!(status = self.status.as_u16(), cause, "request failed");
        }
        let error = if self.status.is_server_error() { self.with("request_id", request_id.as_str()) } else { self };
        let text = json!({ "detail": error.detail.to_json() }).to_string();
        let mut response = uncached(error.status, "application/json", body::full(text));
        if error.status == StatusCode::UNAUTHORIZED {
            // What scripts can do about it. Browsers open no dialog for this scheme (RFC 6750).
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = error.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if let Detail::MethodNotAllowed { allow } = error.detail
            && let Ok(allow) = HeaderValue::try_from(allow)
        {
            response.headers_mut().insert(ALLOW, allow);
        }
        response
    }
}

impl Invalid {
    fn to_json(&self) -> Value {
        json!({ "type": self.kind, "loc": self.location, "msg": self.message, "input": self.input })
    }
}

impl Detail {
    fn to_json(&self) -> Value {
        match self {
            Self::NotFound => "Not Found".into(),
            Self::MethodNotAllowed { .. } => "Method Not Allowed".into(),
            Self::Invalid(invalid) => invalid.iter().map(Invalid::to_json).collect(),
            Self::Explained(fields) => Value::Object((**fields).clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn body_of(response: Response) -> Value {
        let body = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&body).unwrap()
    }

    #[tokio::test]
    async fn a_refusal_has_its_message_and_fields_and_no_request_id() {
        let error = ApiError::refused(StatusCode::NOT_FOUND, "No such job").with("job_id", 7);
        let response = error.into_response(&RequestId::fresh());
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["cache-control"], "no-cache");
        let expected = json!({"detail": {"message": "No such job", "job_id": 7}});
        assert_eq!(body_of(response).await, expected);
    }

    #[tokio::test]
    async fn a_failure_shows_the_request_id_but_not_its_cause() {
        let error = ApiError::internal("/var/spool: disk on fire");
        let id = RequestId::fresh();
        let body = body_of(error.into_response(&id)).await;
        assert_eq!(body["detail"]["request_id"], id.as_str());
        assert!(!body.to_string().contains("disk on fire"));
    }

    #[tokio::test]
    async fn a_wrong_argument_is_a_list() {
        let error = ApiError::invalid(Invalid {
            kind: "int_parsing",
            location: vec!["query".into(), "limit".into()],
            message: "Input should be a whole number".into(),
            input: "ten".into(),
        });
        let response = error.into_response(&RequestId::fresh());
        assert_eq!(response.status(), 422);
        let expected = json!({"detail": [{
            "type": "int_parsing",
            "loc": ["query", "limit"],
            "msg": "Input should be a whole number",
            "input": "ten",
        }]});
        assert_eq!(body_of(response).await, expected);
    }
}
