//! What names a request: in its response, in the log, and in errors.

use std::fmt;
use std::sync::Arc;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use uuid::Uuid;

/// The header field that carries it, in both directions.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest one that is taken from a proxy.
const MAX_LENGTH: usize = 64;

/// What names a request: a UUID of our own, or what a trusted proxy calls it. Letters, digits, `.`, `_` and `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// A name that no other request has.
    #[must_use]
    pub fn fresh() -> Self {
        let mut buffer = Uuid::encode_buffer();
        Self((&*Uuid::new_v4().hyphenated().encode_lower(&mut buffer)).into())
    }

    /// The name that a trusted proxy has given in exactly one field; a fresh one if what it gave is none.
    #[must_use]
    pub fn from_proxy(headers: &HeaderMap) -> Self {
        let mut fields = headers.get_all(X_REQUEST_ID).iter();
        match (fields.next().and_then(|field| field.to_str().ok()), fields.next()) {
            (Some(name), None) if is_name(name) => Self(name.into()),
            _ => Self::fresh(),
        }
    }

    /// The value of [`X_REQUEST_ID`].
    #[must_use]
    #[expect(
        clippy::expect_used,
        clippy::missing_panics_doc,
        reason = "a request id is of letters, digits, `.`, `_` and `-`"
    )]
    pub fn to_header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("a request id is a header value")
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

fn is_name(text: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(is_fit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(names: &[&str]) -> RequestId {
        let field = |name: &&str| (X_REQUEST_ID, HeaderValue::from_str(name).unwrap());
        RequestId::from_proxy(&names.iter().map(field).collect())
    }

    #[test]
    fn a_fresh_one_is_a_uuid_like_no_other() {
        let id = RequestId::fresh();
        assert_eq!(id.as_str().parse::<Uuid>().unwrap().get_version_num(), 4);
        assert_ne!(id, RequestId::fresh());
        assert_eq!(id.to_header(), id.as_str());
    }

    #[test]
    fn a_well_formed_name_is_taken_from_a_proxy() {
        let longest = "x".repeat(MAX_LENGTH);
        for name in ["1", "0e9d3c1a-4b7f-4e0e-9a6b-2a6f1f0c7d11", "req_A.7", &longest] {
            assert_eq!(given(&[name]).as_str(), name);
        }
    }

    #[test]
    fn anything_else_from_a_proxy_is_replaced() {
        let too_long = "x".repeat(MAX_LENGTH + 1);
        for names in [&[][..], &[""], &[&too_long], &["a b"], &["a\"b"], &["a,b"], &["é"], &["a", "b"]] {
            assert!(given(names).as_str().parse::<Uuid>().is_ok(), "{names:?}");
        }
    }
}
