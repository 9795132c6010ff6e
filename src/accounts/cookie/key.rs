//! The secrets that cookies carry, and the key that signs them: so a forged cookie costs no look at the sessions.

use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{Cookies, LENGTH, SENT, SESSION};
use crate::digest;
use crate::spool::atomic;
use crate::spool::layout::SECRET_FILE;
use crate::spool::{Error, Result, open};
use crate::state::StateDirectory;

/// The secret that a browser has, and nobody else: in the file of sessions is only its digest.
#[derive(Clone)]
pub struct Secret(pub(super) String);

/// The key that signs cookies. All API processes of a spool have the same one, and it outlives each of them.
pub struct Key([u8; LENGTH]);

impl Secret {
    /// A secret that nobody can guess.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn fresh() -> Result<Self> {
        Ok(Self(digest::hexadecimal(&random()?)))
    }

    /// The key of the session in files.
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
    /// Reads the key of a state directory. Whoever is first makes it.
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

    pub(super) fn sign(&self, secret: &Secret) -> String {
        format!("{}.{}", secret.0, digest::hexadecimal(&self.mac(&secret.0).finalize().into_bytes()))
    }

    /// The secret in the `Cookie` fields of a request, if one of the cookies is ours and signed by this key.
    #[must_use]
    pub fn verify(&self, cookies: Cookies, fields: &[&str]) -> Option<Secret> {
        cookies.values(SESSION, fields).find_map(|value| {
            let (secret, signature) = value.split_once('.')?;
            let signature = digest::bytes(signature)?;
            // It compares in constant time.
            self.mac(secret).verify_slice(&signature).ok()?;
            Some(Secret(secret.to_owned()))
        })
    }

    /// The state in the address to which a browser comes back that has this secret.
    #[must_use]
    pub fn state(&self, sent: &Secret) -> String {
        digest::hexadecimal(&self.mac(&format!("state:{}", sent.0)).finalize().into_bytes())
    }

    /// Whether the browser that sends these `Cookie` fields was sent to the single sign-on with this state.
    #[must_use]
    pub fn was_sent_with(&self, state: &str, cookies: Cookies, fields: &[&str]) -> bool {
        let Some(state) = digest::bytes(state) else { return false };
        let mut sent = cookies.values(SENT, fields);
        // It compares in constant time.
        sent.any(|secret| self.mac(&format!("state:{secret}")).verify_slice(&state).is_ok())
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
impl From<[u8; LENGTH]> for Key {
    fn from(bytes: [u8; LENGTH]) -> Self {
        Self(bytes)
    }
}
