//! The cookies. One names a session: a random secret and a signature, so that a forged one costs no look at the sessions.
//! The other is a browser's that was sent to the single sign-on: by it is known who comes back with a ticket.
//!
//! Where browsers come by TLS the names begin with `__Host-`: then no other host of the domain can plant one.

use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderValue};
use sha2::Sha256;

use crate::digest;
use crate::http::error::ApiError;
use crate::spool::atomic;
use crate::spool::layout::SECRET_FILE;
use crate::spool::{Error, Result, open};
use crate::state::StateDirectory;

/// What the names begin with where browsers come by TLS.
const HOST_ONLY: &str = "__Host-";

/// The name of the one for a session, without what it begins with where browsers come by TLS.
pub const SESSION: &str = "session";

/// The name of the one of who was sent to the single sign-on.
const SENT: &str = "sign_in";

/// For so long somebody who was sent may come back, in seconds.
const SENT_FOR: i64 = 3600;

/// The length of key and secret, in bytes.
const LENGTH: usize = 32;

/// The secret that a browser has, and nobody else: in the file of sessions is only its digest.
#[derive(Clone)]
pub struct Secret(String);

/// What signs cookies: the same for all API processes of a spool, and longer-lived than each of them.
pub struct Key([u8; LENGTH]);

/// How cookies are made.
#[derive(Clone, Copy, Debug)]
pub struct Cookies {
    /// Browsers send them by TLS only.
    pub secure: bool,
}

impl Secret {
    /// One that nobody can guess.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn fresh() -> Result<Self> {
        Ok(Self(digest::hexadecimal(&random()?)))
    }

    /// What names the session in files.
    #[must_use]
    pub fn key(&self) -> String {
        digest::sha256(&self.0)
    }
}

fn random() -> Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::io("read", Path::new("/dev/urandom"), std::io::Error::other(error)))?;
    Ok(bytes)
}

impl Key {
    /// The key in a state directory, which is made by whoever is first.
    ///
    /// # Errors
    /// It cannot be read or made, or is damaged.
    pub fn open(state: &StateDirectory) -> Result<Self> {
        let path = state.join("cookie.key");
        if !path.exists() {
            // Whoever loses the race takes the winner's.
            atomic::publish(state.path(), &path, &random()?, SECRET_FILE)?;
        }
        let file = open::read_only(&path)?;
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut &file, &mut bytes).map_err(|error| Error::io("read", &path, error))?;
        let key = bytes.try_into().map_err(|_| {
            let reason =
                format!("it is not {LENGTH} bytes long. Remove it: a new one is made, and everybody signs in again");
            Error::invalid(&path, reason)
        })?;
        Ok(Self(key))
    }

    fn mac(&self, secret: &str) -> Hmac<Sha256> {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("this length is taken");
        mac.chain_update(secret)
    }

    fn sign(&self, secret: &Secret) -> String {
        format!("{}.{}", secret.0, digest::hexadecimal(&self.mac(&secret.0).finalize().into_bytes()))
    }

    /// The secret in the cookies of a request, if one of them is ours and signed by this key.
    #[must_use]
    pub fn verify(&self, cookies: Cookies, headers: &HeaderMap) -> Option<Secret> {
        cookies.values(SESSION, headers).find_map(|value| {
            let (secret, signature) = value.split_once('.')?;
            let signature = digest::bytes(signature)?;
            // It compares in constant time.
            self.mac(secret).verify_slice(&signature).ok()?;
            Some(Secret(secret.to_owned()))
        })
    }

    /// What stands in the address to which a browser comes back that has this secret.
    #[must_use]
    pub fn state(&self, sent: &Secret) -> String {
        digest::hexadecimal(&self.mac(&format!("state:{}", sent.0)).finalize().into_bytes())
    }

    /// Whether the browser that a request comes from was sent with this state.
    #[must_use]
    pub fn was_sent_with(&self, state: &str, cookies: Cookies, headers: &HeaderMap) -> bool {
        let Some(state) = digest::bytes(state) else { return false };
        let mut sent = cookies.values(SENT, headers);
        // It compares in constant time.
        sent.any(|secret| self.mac(&format!("state:{secret}")).verify_slice(&state).is_ok())
    }
}

impl Cookies {
    /// The values of one of our cookies: a browser may have one of another path or domain beside it.
    fn values<'a>(self, name: &'static str, headers: &'a HeaderMap) -> impl Iterator<Item = &'a str> {
        let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
        let pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let prefix = self.prefix();
        let is_it = move |given: &str| given.strip_prefix(prefix).is_some_and(|given| given == name);
        pairs.filter(move |(given, _)| is_it(given)).map(|(_, value)| value)
    }

    fn prefix(self) -> &'static str {
        if self.secure { HOST_ONLY } else { "" }
    }

    /// Whether a request has a cookie that should name a session.
    #[must_use]
    pub fn is_there(self, headers: &HeaderMap) -> bool {
        self.values(SESSION, headers).next().is_some()
    }

    /// What a browser has that was sent to the single sign-on before, and not come back; else something fresh. So several
    /// windows of one browser may be sent at once.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn sent(self, headers: &HeaderMap) -> Result<Secret> {
        let is_ours = |value: &&str| digest::bytes(value).is_some_and(|bytes| bytes.len() == LENGTH);
        let before = self.values(SENT, headers).find(is_ours).map(|value| Secret(value.to_owned()));
        before.map_or_else(Secret::fresh, Ok)
    }

    /// The field that lets a browser come back from the single sign-on.
    ///
    /// # Errors
    /// None that can happen.
    pub fn set_sent(self, sent: &Secret) -> Result<HeaderValue, ApiError> {
        self.field(SENT, &sent.0, SENT_FOR)
    }

    /// The field that takes that away: they have come back.
    ///
    /// # Errors
    /// None that can happen.
    pub fn remove_sent(self) -> Result<HeaderValue, ApiError> {
        self.field(SENT, "", 0)
    }

    /// The field that gives a browser its session, for so many seconds.
    ///
    /// # Errors
    /// None that can happen.
    pub fn set(self, key: &Key, secret: &Secret, seconds: i64) -> Result<HeaderValue, ApiError> {
        self.field(SESSION, &key.sign(secret), seconds)
    }

    /// The field that takes it away.
    ///
    /// # Errors
    /// None that can happen.
    pub fn remove(self) -> Result<HeaderValue, ApiError> {
        self.field(SESSION, "", 0)
    }

    fn field(self, name: &str, value: &str, seconds: i64) -> Result<HeaderValue, ApiError> {
        let secure = if self.secure { "; Secure" } else { "" };
        let prefix = self.prefix();
        let field = format!("{prefix}{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::try_from(field).map_err(ApiError::internal)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key(*b"0123456789abcdef0123456789abcdef")
    }

    const PLAIN: Cookies = Cookies { secure: false };

    fn asked(fields: &[&str]) -> HeaderMap {
        fields.iter().map(|field| (COOKIE, HeaderValue::from_str(field).unwrap())).collect()
    }

    #[test]
    fn a_cookie_is_believed_only_with_our_signature() {
        let secret = Secret::fresh().unwrap();
        let signed = key().sign(&secret);
        let found = |value: &str| key().verify(PLAIN, &asked(&[&format!("session={value}")])).map(|found| found.0);
        assert_eq!(found(&signed), Some(secret.0.clone()));
        let mut forged = signed.clone().into_bytes();
        for index in 0..forged.len() {
            let was = forged[index];
            forged[index] = if was == b'0' { b'1' } else { b'0' };
            assert_eq!(found(std::str::from_utf8(&forged).unwrap()), None, "byte {index}");
            forged[index] = was;
        }
        let other = Key([7; LENGTH]).sign(&secret);
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
            assert!(key().verify(PLAIN, &asked(fields)).is_some(), "{fields:?}");
        }
        assert!(!PLAIN.is_there(&asked(&["mysession=1; session2=1"])) && PLAIN.is_there(&asked(&["a=b; session=x"])));
    }

    #[test]
    fn by_tls_another_host_of_the_domain_plants_nothing() {
        let secret = Secret::fresh().unwrap();
        let by_tls = Cookies { secure: true };
        let signed = key().sign(&secret);
        let found = |field: &str| key().verify(by_tls, &asked(&[field])).is_some();
        assert!(found(&format!("__Host-session={signed}")) && !found(&format!("session={signed}")));
        assert!(key().verify(PLAIN, &asked(&[&format!("__Host-session={signed}")])).is_none());
    }

    #[test]
    fn who_comes_back_is_who_was_sent() {
        for (cookies, prefix) in [(PLAIN, ""), (Cookies { secure: true }, "__Host-")] {
            let sent = cookies.sent(&asked(&[])).unwrap();
            let state = key().state(&sent);
            let fields = asked(&[&format!("{prefix}sign_in=planted; {prefix}sign_in={}", sent.0)]);
            assert!(key().was_sent_with(&state, cookies, &fields));
            assert_eq!(key().state(&cookies.sent(&fields).unwrap()), state, "another window of the same browser");
            let other = cookies.sent(&asked(&[])).unwrap();
            for bad in ["", "x", &key().state(&other), &sent.0, &state[2..]] {
                assert!(!key().was_sent_with(bad, cookies, &fields), "{bad}");
            }
            assert!(!key().was_sent_with(&state, cookies, &asked(&[&format!("{prefix}sign_in={}", other.0)])));
            assert!(!key().was_sent_with(&state, cookies, &asked(&[])));
            assert!(!key().sign(&sent).ends_with(&state), "one is not good for the other");
        }
    }

    #[test]
    fn browsers_keep_it_from_scripts_and_other_sites() {
        let secret = Secret::fresh().unwrap();
        let field = |secure| Cookies { secure }.set(&key(), &secret, 60).unwrap().to_str().unwrap().to_owned();
        assert!(field(true).ends_with("; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"));
        assert!(field(true).starts_with("__Host-session=") && field(false).starts_with("session="));
        assert!(!field(false).contains("Secure"));
        let removed = Cookies { secure: false }.remove().unwrap();
        assert_eq!(removed, "session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn all_processes_have_one_key() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::new(directory.path());
        let signed = Key::open(&state).unwrap().sign(&Secret::fresh().unwrap());
        assert!(Key::open(&state).unwrap().verify(PLAIN, &asked(&[&format!("session={signed}")])).is_some());
        crate::spool::atomic::replace(&state.join("cookie.key"), b"short", 0o600, atomic::Durability::Ordered).unwrap();
        assert!(Key::open(&state).unwrap_err().to_string().contains("Remove it"));
    }
}
