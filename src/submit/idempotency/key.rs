//! The key, and the request that it came with.

use crate::digest;

/// The longest key, in bytes.
const LIMIT: usize = 255;

/// A user's key, and the request that it came with.
#[derive(Clone, Debug)]
pub struct Key {
    hash: String,
    fingerprint: String,
}

/// An `Idempotency-Key` is empty, too long or not plain ASCII, or there are two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("An Idempotency-Key comes once, and has 1 to {LIMIT} characters of visible ASCII, such as a UUID")]
pub struct MalformedKey;

impl Key {
    /// The key of a request to `path`, if it has one: `values` are those of its header field. The draft of the IETF has
    /// a key in quotation marks; here the whole value is the key, with or without them.
    ///
    /// # Errors
    /// [`MalformedKey`].
    pub fn of<'a>(
        values: impl IntoIterator<Item = &'a [u8]>,
        user: &str,
        path: &str,
        body: &[u8],
    ) -> Result<Option<Self>, MalformedKey> {
        let mut values = values.into_iter();
        let key = match (values.next(), values.next()) {
            (None, _) => return Ok(None),
            (Some(value), None) => check(value).ok_or(MalformedKey)?,
            (Some(_), Some(_)) => return Err(MalformedKey),
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

fn check(value: &[u8]) -> Option<&str> {
    let is_visible = value.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let key = str::from_utf8(value).ok().filter(|key| is_visible && key.len() <= LIMIT)?;
    (!key.trim_matches(['"', ' ']).is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(values: &[&[u8]]) -> Result<Option<Key>, MalformedKey> {
        Key::of(values.iter().copied(), "alice", "/api/jobs", b"{}")
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
            assert_eq!(key(bad).unwrap_err(), MalformedKey, "{bad:?}");
        }
    }

    #[test]
    fn users_do_not_share_keys_and_requests_are_told_apart() {
        let key = |user, path, body: &str| Key::of([&b"k"[..]], user, path, body.as_bytes()).unwrap().unwrap();
        let (first, other) = (key("alice", "/a", "1"), key("bob", "/a", "1"));
        assert!(first.hash != other.hash && first.fingerprint == other.fingerprint);
        let others = [key("alice", "/a", "2"), key("alice", "/b", "1")];
        assert!(others.iter().all(|other| other.hash == first.hash && other.fingerprint != first.fingerprint));
        assert!(!first.hash.contains('k') && first.hash.len() == 64);
    }
}
