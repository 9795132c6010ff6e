//! The cookie that names a session: a random secret and a signature, so that a forged one costs no look at the sessions.

use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderValue};
use sha2::Sha256;

use crate::api::error::ApiError;
use crate::api::state_directory::StateDirectory;
use crate::digest;
use crate::spool::atomic;
use crate::spool::layout::SECRET_FILE;
use crate::spool::{Error, Result, open};

/// Its name.
const NAME: &str = "session";

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
    pub fn verify(&self, headers: &HeaderMap) -> Option<Secret> {
        values(headers).find_map(|value| {
            let (secret, signature) = value.split_once('.')?;
            let signature = digest::bytes(signature)?;
            // It compares in constant time.
            self.mac(secret).verify_slice(&signature).ok()?;
            Some(Secret(secret.to_owned()))
        })
    }
}

/// The values of our cookie: a browser may have one of another path or domain beside it.
fn values(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
    let pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == NAME).map(|(_, value)| value)
}

/// Whether a request has a cookie that should name a session.
#[must_use]
pub fn is_there(headers: &HeaderMap) -> bool {
    values(headers).next().is_some()
}

impl Cookies {
    /// The field that gives a browser its session, for so many seconds.
    ///
    /// # Errors
    /// None that can happen.
    pub fn set(self, key: &Key, secret: &Secret, seconds: i64) -> Result<HeaderValue, ApiError> {
        self.field(&key.sign(secret), seconds)
    }

    /// The field that takes it away.
    ///
    /// # Errors
    /// None that can happen.
    pub fn remove(self) -> Result<HeaderValue, ApiError> {
        self.field("", 0)
    }

    fn field(self, value: &str, seconds: i64) -> Result<HeaderValue, ApiError> {
        let secure = if self.secure { "; Secure" } else { "" };
        let field = format!("{NAME}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
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

    fn asked(fields: &[&str]) -> HeaderMap {
        fields.iter().map(|field| (COOKIE, HeaderValue::from_str(field).unwrap())).collect()
    }

    #[test]
    fn a_cookie_is_believed_only_with_our_signature() {
        let secret = Secret::fresh().unwrap();
        let signed = key().sign(&secret);
        let found = |value: &str| key().verify(&asked(&[&format!("session={value}")])).map(|found| found.0);
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
            assert!(key().verify(&asked(fields)).is_some(), "{fields:?}");
        }
        assert!(!is_there(&asked(&["mysession=1; session2=1"])) && is_there(&asked(&["a=b; session=x"])));
    }

    #[test]
    fn browsers_keep_it_from_scripts_and_other_sites() {
        let secret = Secret::fresh().unwrap();
        let field = |secure| Cookies { secure }.set(&key(), &secret, 60).unwrap().to_str().unwrap().to_owned();
        assert!(field(true).ends_with("; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"));
        assert!(!field(false).contains("Secure"));
        let removed = Cookies { secure: false }.remove().unwrap();
        assert_eq!(removed, "session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn all_processes_have_one_key() {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::new(directory.path());
        let signed = Key::open(&state).unwrap().sign(&Secret::fresh().unwrap());
        assert!(Key::open(&state).unwrap().verify(&asked(&[&format!("session={signed}")])).is_some());
        crate::spool::atomic::replace(&state.join("cookie.key"), b"short", 0o600, atomic::Durability::Ordered).unwrap();
        assert!(Key::open(&state).unwrap_err().to_string().contains("Remove it"));
    }
}
