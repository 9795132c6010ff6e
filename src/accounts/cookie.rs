//! The two cookies: their names, and how they are read and set. [`key`] has what is in them.
//!
//! One names a session. The other is given to a browser that is sent to the single sign-on, and shows who comes back with
//! a ticket. Where browsers come by TLS the names begin with `__Host-`, so that no other host of the domain can plant one.

pub mod key;

use std::time::Duration;

use self::key::{Key, Secret};
use crate::digest;
use crate::spool::Result;

/// The beginning of the names where browsers come by TLS.
const HOST_ONLY: &str = "__Host-";

/// The name of the cookie that names a session, without [`HOST_ONLY`].
pub const SESSION: &str = "session";

/// The name of the cookie of a browser that was sent to the single sign-on, without [`HOST_ONLY`].
const SENT: &str = "sign_in";

/// How long a browser that was sent may take to come back.
const SENT_FOR: Duration = Duration::from_hours(1);

/// The length of key and secret, in bytes.
const LENGTH: usize = 32;

/// How cookies are made.
#[derive(Clone, Copy, Debug)]
pub struct Cookies {
    /// Whether browsers send them by TLS only.
    pub secure: bool,
}

impl Cookies {
    /// The values of one of our cookies in `Cookie` fields: a browser may have one of another path or domain beside it.
    fn values<'a>(self, name: &'static str, fields: &[&'a str]) -> impl Iterator<Item = &'a str> {
        let pairs = fields.iter().flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let prefix = self.prefix();
        let is_it = move |given: &str| given.strip_prefix(prefix).is_some_and(|given| given == name);
        pairs.filter(move |(given, _)| is_it(given)).map(|(_, value)| value)
    }

    fn prefix(self) -> &'static str {
        if self.secure { HOST_ONLY } else { "" }
    }

    /// Whether the `Cookie` fields of a request have a cookie that should name a session.
    #[must_use]
    pub fn is_there(self, fields: &[&str]) -> bool {
        self.values(SESSION, fields).next().is_some()
    }

    /// The secret of a browser that was sent to the single sign-on before, and has not come back; else a fresh one. So
    /// several windows of one browser may be sent at once.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn sent(self, fields: &[&str]) -> Result<Secret> {
        let is_ours = |value: &&str| digest::bytes(value).is_some_and(|bytes| bytes.len() == LENGTH);
        let before = self.values(SENT, fields).find(is_ours).map(|value| Secret(value.to_owned()));
        before.map_or_else(Secret::fresh, Ok)
    }

    /// The `Set-Cookie` field that lets a browser come back from the single sign-on.
    #[must_use]
    pub fn set_sent(self, sent: &Secret) -> String {
        self.field(SENT, &sent.0, SENT_FOR)
    }

    /// The `Set-Cookie` field that takes that away, once it has come back.
    #[must_use]
    pub fn remove_sent(self) -> String {
        self.field(SENT, "", Duration::ZERO)
    }

    /// The `Set-Cookie` field that gives a browser its session.
    #[must_use]
    pub fn set(self, key: &Key, secret: &Secret, lifetime: Duration) -> String {
        self.field(SESSION, &key.sign(secret), lifetime)
    }

    /// The `Set-Cookie` field that takes its session away.
    #[must_use]
    pub fn remove(self) -> String {
        self.field(SESSION, "", Duration::ZERO)
    }

    fn field(self, name: &str, value: &str, lifetime: Duration) -> String {
        let (prefix, seconds) = (self.prefix(), lifetime.as_secs());
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{prefix}{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::atomic;
    use crate::state::StateDirectory;

    fn key() -> Key {
        Key::from(*b"0123456789abcdef0123456789abcdef")
    }

    const PLAIN: Cookies = Cookies { secure: false };

    #[test]
    fn a_cookie_is_believed_only_with_our_signature() {
        let secret = Secret::fresh().unwrap();
        let signed = key().sign(&secret);
        let found = |value: &str| key().verify(PLAIN, &[&format!("session={value}")]).map(|found| found.0);
        assert_eq!(found(&signed), Some(secret.0.clone()));
        let mut forged = signed.clone().into_bytes();
        for index in 0..forged.len() {
            let was = forged[index];
            forged[index] = if was == b'0' { b'1' } else { b'0' };
            assert_eq!(found(std::str::from_utf8(&forged).unwrap()), None, "byte {index}");
            forged[index] = was;
        }
        let other = Key::from([7; LENGTH]).sign(&secret);
        let uppercase = signed.to_uppercase();
        for bad in ["", ".", &secret.0, &format!("{}.", secret.0), &signed[..signed.len() - 2], &other, &uppercase] {
            assert_eq!(found(bad), None, "{bad}");
        }
    }

    #[test]
    fn it_is_found_among_others_and_beside_one_that_is_not_ours() {
        let signed = key().sign(&Secret::fresh().unwrap());
        let ours = format!("session={signed}");
        for fields in [
            &[&*format!("theme=dark; {ours}")][..],
            &["theme=dark", &ours],
            &[&format!("session=planted; {ours}; x=y")],
        ] {
            assert!(key().verify(PLAIN, fields).is_some(), "{fields:?}");
        }
        assert!(!PLAIN.is_there(&["mysession=1; session2=1"]) && PLAIN.is_there(&["a=b; session=x"]));
    }

    #[test]
    fn by_tls_another_host_of_the_domain_plants_nothing() {
        let secret = Secret::fresh().unwrap();
        let by_tls = Cookies { secure: true };
        let signed = key().sign(&secret);
        let found = |field: &str| key().verify(by_tls, &[field]).is_some();
        assert!(found(&format!("__Host-session={signed}")) && !found(&format!("session={signed}")));
        assert!(key().verify(PLAIN, &[&format!("__Host-session={signed}")]).is_none());
    }

    #[test]
    fn who_comes_back_is_who_was_sent() {
        for (cookies, prefix) in [(PLAIN, ""), (Cookies { secure: true }, "__Host-")] {
            let sent = cookies.sent(&[]).unwrap();
            let state = key().state(&sent);
            let field = format!("{prefix}sign_in=planted; {prefix}sign_in={}", sent.0);
            let fields = [&*field];
            assert!(key().was_sent_with(&state, cookies, &fields));
            assert_eq!(key().state(&cookies.sent(&fields).unwrap()), state, "another window of the same browser");
            let other = cookies.sent(&[]).unwrap();
            for bad in ["", "x", &key().state(&other), &sent.0, &state[2..]] {
                assert!(!key().was_sent_with(bad, cookies, &fields), "{bad}");
            }
            assert!(!key().was_sent_with(&state, cookies, &[&format!("{prefix}sign_in={}", other.0)]));
            assert!(!key().was_sent_with(&state, cookies, &[]));
            assert!(!key().sign(&sent).ends_with(&state), "one is not good for the other");
        }
    }

    #[test]
    fn browsers_keep_it_from_scripts_and_other_sites() {
        let secret = Secret::fresh().unwrap();
        let field = |secure| Cookies { secure }.set(&key(), &secret, Duration::from_mins(1));
        assert!(field(true).ends_with("; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"));
        assert!(field(true).starts_with("__Host-session=") && field(false).starts_with("session="));
        assert!(!field(false).contains("Secure"));
        let removed = Cookies { secure: false }.remove();
        assert_eq!(removed, "session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn all_processes_have_one_key() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::new(directory.path());
        let signed = Key::open(&state).unwrap().sign(&Secret::fresh().unwrap());
        assert!(Key::open(&state).unwrap().verify(PLAIN, &[&format!("session={signed}")]).is_some());
        atomic::replace(&state.join("cookie.key"), b"short", 0o600, atomic::Durability::Ordered).unwrap();
        assert!(Key::open(&state).unwrap_err().to_string().contains("Remove it"));
    }
}
