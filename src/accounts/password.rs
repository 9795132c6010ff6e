//! Passwords of local accounts: hashed with argon2id (RFC 9106), stored as a PHC string.
//!
//! New hashes take 19 MiB, two passes and one lane: the least that the OWASP Password Storage Cheat Sheet recommends. More
//! would be safer against somebody who has stolen the hashes. But each attempt takes that memory, also that of a stranger
//! who guesses, so strangers can make the API use 19 MiB times [`AT_ONCE`]. Twelve characters and the limits on failures do
//! the rest.
//!
//! Hashes with other parameters, made elsewhere or by another version, are verified with their own. That takes another time
//! than for a user who does not exist. So until such a user has a new password, somebody who measures can tell that they
//! exist.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use argon2::password_hash::phc;
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, PasswordHasher as _, Version};
use subtle::ConstantTimeEq as _;

use crate::digest;

/// The fewest characters of a new password.
const LEAST_CHARACTERS: usize = 12;
/// The most bytes of a new password.
const MOST_BYTES: usize = 1024;

/// The most memory that verifying a hash may take, in KiB: 256 MiB. RFC 9106 recommends 64 MiB where memory is scarce.
const MOST_MEMORY: u32 = 256 << 10;
/// The most passes over that memory.
const MOST_PASSES: u32 = 16;
/// The most lanes, which are worked on one after the other.
const MOST_LANES: u32 = 16;
/// The shortest output that a hash may have, in bytes. A shorter one is guessed too easily.
const LEAST_OUTPUT: usize = 16;

/// The most passwords that are looked at at once: each takes 19 MiB and a processor for a while.
pub const AT_ONCE: usize = 2;
/// The most memory that is kept to be used again, in blocks of 1 KiB: 64 MiB. Only a hash from elsewhere needs more.
const MOST_KEPT: usize = 64 << 10;

/// Memory for looking at passwords, kept to be used again. Otherwise the allocator would keep some for each thread that ever
/// looked at a password, and strangers could make that grow to gigabytes.
static MEMORY: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

/// Why a text cannot be a new password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordPolicyError {
    /// It is guessed too easily.
    #[error("a password must have at least {LEAST_CHARACTERS} characters; several words are easy to remember")]
    TooShort,
    /// No person types so much.
    #[error("a password may have at most {MOST_BYTES} bytes")]
    TooLong,
    /// Not every page can send it, and not every terminal takes it.
    #[error("a password must not have control characters")]
    ControlCharacter,
    /// The system gave no random bytes, or no memory.
    #[error("the password cannot be hashed: {0}")]
    Machine(argon2::password_hash::Error),
}

/// Why a text is not taken as a hash: it is no argon2id PHC string, or takes too much work. The words tell nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadHash(&'static str);

/// The hash of a password, with all that is needed to verify one.
#[derive(Clone)]
pub struct PasswordHash {
    params: Params,
    salt: Vec<u8>,
    output: Vec<u8>,
    fingerprint: String,
}

impl PasswordHash {
    /// Reads a PHC string.
    ///
    /// # Errors
    /// It is no PHC string of argon2id in version 1.3, or would take more memory or time than a sign-in may.
    pub fn parse(text: &str) -> Result<Self, BadHash> {
        let parts = phc::PasswordHash::new(text).map_err(|_| BadHash("is not the hash of a password"))?;
        if parts.algorithm != ARGON2ID_IDENT || parts.version != Some(Version::V0x13.into()) {
            return Err(BadHash("is not an argon2id hash of version 19"));
        }
        let params = Params::try_from(&parts).map_err(|_| BadHash("has parameters that argon2id does not have"))?;
        if params.m_cost() > MOST_MEMORY || params.t_cost() > MOST_PASSES || params.p_cost() > MOST_LANES {
            return Err(BadHash("takes too much to verify: at most m=262144, t=16, p=16"));
        }
        match (parts.salt, parts.hash) {
            (Some(salt), Some(output)) if output.len() >= LEAST_OUTPUT => Ok(Self {
                params,
                salt: salt.to_vec(),
                output: output.as_bytes().to_vec(),
                fingerprint: digest::sha256(text).chars().take(16).collect(),
            }),
            _ => Err(BadHash("is cut off")),
        }
    }

    /// A hash of no known password. It takes as much work as a new hash.
    fn decoy() -> Self {
        let output = vec![0; Params::DEFAULT_OUTPUT_LEN];
        let params = Params::DEFAULT;
        Self { params, salt: vec![0; argon2::RECOMMENDED_SALT_LEN], output, fingerprint: String::new() }
    }

    /// Names the hash without telling it: 16 hexadecimal digits, which differ from hash to hash.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn is_of(&self, password: &str) -> bool {
        let mut output = vec![0; self.output.len()];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        let hashed = memory_of(self.params.block_count()).and_then(|mut memory| {
            let hashed =
                argon2.hash_password_into_with_memory(password.as_bytes(), &self.salt, &mut output, &mut memory);
            keep(memory);
            hashed
        });
        match hashed {
            Ok(()) => output.ct_eq(&self.output).into(),
            Err(error) => {
                tracing::error!(%error, "a password cannot be verified");
                false
            }
        }
    }
}

/// Memory of at least so many blocks. Its content does not matter.
fn memory_of(blocks: usize) -> argon2::Result<Vec<Block>> {
    let kept = MEMORY.lock().unwrap_or_else(PoisonError::into_inner).pop();
    if let Some(kept) = kept.filter(|kept| kept.len() >= blocks) {
        return Ok(kept);
    }
    let mut memory = Vec::new();
    memory.try_reserve_exact(blocks).map_err(|_| argon2::Error::OutOfMemory)?;
    memory.resize(blocks, Block::default());
    Ok(memory)
}

fn keep(memory: Vec<Block>) {
    let mut kept = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() < AT_ONCE && memory.len() <= MOST_KEPT {
        kept.push(memory);
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordHash(…)")
    }
}

/// Hashes a new password. Takes a moment and 19 MiB.
///
/// # Errors
/// [`PasswordPolicyError`].
pub fn hash(password: &str) -> Result<String, PasswordPolicyError> {
    if password.chars().any(char::is_control) {
        return Err(PasswordPolicyError::ControlCharacter);
    }
    if password.len() > MOST_BYTES {
        return Err(PasswordPolicyError::TooLong);
    }
    if password.chars().count() < LEAST_CHARACTERS {
        return Err(PasswordPolicyError::TooShort);
    }
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT);
    argon2.hash_password(password.as_bytes()).map(|hash| hash.to_string()).map_err(PasswordPolicyError::Machine)
}

/// Whether a password is the one of this hash. Without a hash, as for a user who does not exist, the same work is done in
/// vain. Blocks for tens of milliseconds.
#[must_use]
pub fn verify(password: &str, hash: Option<&PasswordHash>) -> bool {
    let matches = match hash {
        Some(hash) => hash.is_of(password),
        None => PasswordHash::decoy().is_of(password),
    };
    matches && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference implementation made it of "correct horse battery".
    const OTHER: &str = "$argon2id$v=19$m=64,t=3,p=2$c29tZXNhbHQ$FBb/p4qXE/ESXaMMYj3l+C3R8QhwViyO";

    fn parse(text: &str) -> Result<PasswordHash, &'static str> {
        PasswordHash::parse(text).map_err(|BadHash(problem)| problem)
    }

    #[test]
    fn a_password_is_verified_by_its_hash_and_no_other_is() {
        let text = hash("correct horse battery").unwrap();
        assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
        let hash = PasswordHash::parse(&text).unwrap();
        assert!(verify("correct horse battery", Some(&hash)));
        assert!(!verify("correct horse batterz", Some(&hash)) && !verify("", Some(&hash)));
        assert!(!verify("correct horse battery", None));
        assert_ne!(text, super::hash("correct horse battery").unwrap(), "each has a salt of its own");
    }

    #[test]
    fn the_work_for_nobody_is_that_for_a_new_password() {
        let new = PasswordHash::parse(&hash("correct horse battery").unwrap()).unwrap();
        let decoy = PasswordHash::decoy();
        let work = |hash: &PasswordHash| {
            (hash.params.m_cost(), hash.params.t_cost(), hash.params.p_cost(), hash.salt.len(), hash.output.len())
        };
        assert_eq!(work(&decoy), work(&new));
    }

    #[test]
    fn hashes_with_other_parameters_are_verified_by_theirs() {
        let hash = parse(OTHER).unwrap();
        assert!(verify("correct horse battery", Some(&hash)));
        assert!(!verify("correct horse batteries", Some(&hash)));
    }

    #[test]
    fn memory_that_is_used_again_makes_no_difference() {
        let new = parse(&hash("correct horse battery").unwrap()).unwrap();
        let other = parse(OTHER).unwrap();
        for _ in 0..2 {
            for hash in [&new, &other] {
                assert!(verify("correct horse battery", Some(hash)) && !verify("correct horse batterz", Some(hash)));
            }
            assert!(!verify("correct horse battery", None));
        }
    }

    #[test]
    fn what_is_no_hash_or_beyond_reason_is_refused() {
        let with = |parameters: &str| OTHER.replace("m=64,t=3,p=2", parameters);
        assert!(parse(&with("m=262144,t=16,p=16")).is_ok());
        let absurd = "takes too much to verify: at most m=262144, t=16, p=16";
        for (text, problem) in [
            (with("m=262145,t=3,p=2"), absurd),
            (with("m=4294967295,t=1,p=1"), absurd),
            (with("m=64,t=17,p=2"), absurd),
            (with("m=262144,t=1,p=17"), absurd),
            (with("m=8,t=1,p=2"), "has parameters that argon2id does not have"),
            (with("m=64,t=0,p=2"), "has parameters that argon2id does not have"),
            (with("m=64,t=3,p=2,x=1"), "has parameters that argon2id does not have"),
            (with("m=99999999999,t=3,p=2"), "has parameters that argon2id does not have"),
            (OTHER.replace("argon2id", "argon2i"), "is not an argon2id hash of version 19"),
            (OTHER.replace("v=19", "v=16"), "is not an argon2id hash of version 19"),
            (OTHER.replace("$v=19", ""), "is not an argon2id hash of version 19"),
            (OTHER[..OTHER.rfind('$').unwrap()].to_owned(), "is cut off"),
            (OTHER[..OTHER.rfind('$').unwrap() + 17].to_owned(), "is cut off"),
            (OTHER.replace("c29tZXNhbHQ", "c29t"), "is not the hash of a password"),
            ("correct horse battery".to_owned(), "is not the hash of a password"),
            (String::new(), "is not the hash of a password"),
            (format!("{OTHER}$"), "is not the hash of a password"),
        ] {
            assert_eq!(parse(&text).unwrap_err(), problem, "{text}");
        }
    }

    #[test]
    fn passwords_are_long_enough_for_nobody_to_guess_and_short_enough_to_send() {
        assert_eq!(hash("elevenchars").unwrap_err(), PasswordPolicyError::TooShort);
        assert_eq!(hash("").unwrap_err(), PasswordPolicyError::TooShort);
        assert_eq!(hash("ééééééééééé").unwrap_err(), PasswordPolicyError::TooShort, "characters count, not bytes");
        assert_eq!(hash(&"x".repeat(1025)).unwrap_err(), PasswordPolicyError::TooLong);
        assert_eq!(hash("with a tab\tin it").unwrap_err(), PasswordPolicyError::ControlCharacter);
        for password in ["twelve chars", "äöüäöüäöüäöü", &"x".repeat(1024)] {
            let hash = PasswordHash::parse(&hash(password).unwrap()).unwrap();
            assert!(verify(password, Some(&hash)), "{password}");
        }
    }

    #[test]
    fn a_fingerprint_tells_hashes_apart_and_nothing_shows_them() {
        let [one, other] = [parse(OTHER).unwrap(), parse(&hash("correct horse battery").unwrap()).unwrap()];
        assert_eq!(one.fingerprint().len(), 16);
        assert_eq!(one.fingerprint(), parse(OTHER).unwrap().fingerprint());
        assert_ne!(one.fingerprint(), other.fingerprint());
        assert_eq!(format!("{one:?}"), "PasswordHash(…)");
    }
}
