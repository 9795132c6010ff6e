//! The header field, and which request it stands for.

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use crate::digest;
use crate::http::error::ApiError;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest key, in bytes.
const LIMIT: usize = 255;

/// A user's key, and the request that it came with.
#[derive(Clone, Debug)]
pub struct Key {
    hash: String,
    fingerprint: String,
}

impl Key {
    /// The key in the header of a request to `path`, if it has one. The draft of the IETF has it in quotation marks; here
    /// the whole value is the key, with or without them.
    ///
    /// # Errors
    /// 400 if it is empty, too long, not plain ASCII, or there are two.
    pub fn of(headers: &HeaderMap, user: &str, path: &str, body: &[u8]) -> Result<Option<Self>, ApiError> {
        let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
        let key = match (values.next(), values.next()) {
            (None, _) => return Ok(None),
            (Some(value), None) => check(value).ok_or_else(malformed)?,
            (Some(_), Some(_)) => return Err(malformed()),
        };
        // Neither a user's name nor a path has a line end.
        let request = [path.as_bytes(), b"\n", body].concat();
        Ok(Some(Self { hash: digest::sha256(format!("{user}\n{key}")), fingerprint: digest::sha256(request) }))
    }

    /// Names the user's key without telling it.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Names what was asked for, byte for byte.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

fn check(value: &HeaderValue) -> Option<&str> {
    // `to_str` takes visible ASCII, spaces and tabs.
    let key = value.to_str().ok().filter(|key| key.len() <= LIMIT && !key.contains('\t'))?;
    (!key.trim_matches(['"', ' ']).is_empty()).then_some(key)
}

fn malformed() -> ApiError {
    ApiError::refused(
        StatusCode::BAD_REQUEST,
        format!("An Idempotency-Key comes once, and has 1 to {LIMIT} characters of visible ASCII, such as a UUID"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(values: &[&[u8]]) -> Result<Option<Key>, ApiError> {
        let values = values.iter().map(|value| HeaderValue::from_bytes(value).unwrap());
        Key::of(&values.map(|value| (IDEMPOTENCY_KEY, value)).collect(), "alice", "/api/jobs", b"{}")
    }

    #[test]
    fn a_key_is_one_short_line_of_ascii() {
        assert!(key(&[]).unwrap().is_none());
        for good in [&b"8e03978e-40d5-43e8-bc93-6894a57f9324"[..], b"\"quoted\"", b"a b", &[b'x'; 255]] {
            assert!(key(&[good]).unwrap().is_some());
        }
        for bad in
            [&[&b""[..]][..], &[b"\"\""], &[b"  "], &[&[b'x'; 256]], &[b"a\tb"], &["é".as_bytes()], &[b"a", b"a"]]
        {
            assert_eq!(key(bad).unwrap_err().status(), 400, "{bad:?}");
        }
    }

    #[test]
    fn users_do_not_share_keys_and_requests_are_told_apart() {
        let headers = HeaderMap::from_iter([(IDEMPOTENCY_KEY, HeaderValue::from_static("k"))]);
        let key = |user, path, body: &str| Key::of(&headers, user, path, body.as_bytes()).unwrap().unwrap();
        let (first, other) = (key("alice", "/a", "1"), key("bob", "/a", "1"));
        assert!(first.hash != other.hash && first.fingerprint == other.fingerprint);
        let others = [key("alice", "/a", "2"), key("alice", "/b", "1")];
        assert!(others.iter().all(|other| other.hash == first.hash && other.fingerprint != first.fingerprint));
        assert!(!first.hash.contains('k') && first.hash.len() == 64);
    }
}
