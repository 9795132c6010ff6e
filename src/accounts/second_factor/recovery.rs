//! Recovery codes, for users who have lost their authenticator app. They are written down, and each works once.

use std::fmt;

use base32::Alphabet;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::digest;
use crate::spool::Result;

/// How many codes a user gets.
const COUNT: usize = 10;

/// The number of letters and digits of a code: 60 bits, because each has five in base 32.
const LENGTH: usize = 12;

/// Fingerprints of the codes that are left.
///
/// A plain SHA-256 is enough for 60 random bits: no list of likely ones exists, and a code is only worth something while
/// the file has the seed beside it, which cannot be hashed at all. The user is in it, so that a fingerprint is worth
/// nothing in another user's place.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecoveryCodes(Vec<String>);

impl RecoveryCodes {
    /// Fresh codes like `k7mq-3xwp-9dha`, to be shown once, and what is kept of them.
    ///
    /// # Errors
    /// The kernel gives no random bytes.
    pub fn generate(user: &str) -> Result<(Vec<String>, Self)> {
        let codes: Vec<String> = (0..COUNT).map(|_| generate()).collect::<Result<_>>()?;
        let kept = codes.iter().map(|code| fingerprint(user, &canonical(code))).collect();
        Ok((codes, Self(kept)))
    }

    /// Takes a code, which does not work again. Returns whether it was one of them.
    pub fn take(&mut self, user: &str, code: &str) -> bool {
        let code = canonical(code);
        if code.len() != LENGTH {
            return false;
        }
        let given = fingerprint(user, &code);
        let place = self.0.iter().position(|kept| kept.as_bytes().ct_eq(given.as_bytes()).into());
        place.map(|place| self.0.remove(place)).is_some()
    }

    /// How many are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for RecoveryCodes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} recovery codes", self.left())
    }
}

fn generate() -> Result<String> {
    let bytes: [u8; 8] = super::random()?;
    let mut code = base32::encode(Alphabet::Crockford, &bytes).to_ascii_lowercase();
    code.truncate(LENGTH);
    code.insert(8, '-');
    code.insert(4, '-');
    Ok(code)
}

/// A code as it was made, however it is typed: with dashes or without, in upper or lower case. Crockford's alphabet has no
/// I, L and O, so these stand for a 1 or a 0 that was read wrong.
fn canonical(code: &str) -> String {
    let letters = code.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase());
    letters
        .map(|letter| match letter {
            'i' | 'l' => '1',
            'o' => '0',
            other => other,
        })
        .collect()
}

fn fingerprint(user: &str, code: &str) -> String {
    digest::sha256(format!("{user}\n{code}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_code_is_another_and_works_once() {
        let (codes, mut kept) = RecoveryCodes::generate("alice").unwrap();
        assert_eq!((codes.len(), kept.left(), codes.iter().collect::<BTreeSet<_>>().len()), (10, 10, 10));
        for code in &codes {
            let shape = |(place, letter): (usize, char)| match place {
                4 | 9 => letter == '-',
                _ => letter.is_ascii_digit() || letter.is_ascii_lowercase() && !"ilou".contains(letter),
            };
            assert!(code.len() == 14 && code.chars().enumerate().all(shape), "{code}");
        }
        assert!(kept.take("alice", &codes[3]) && !kept.take("alice", &codes[3]));
        assert!(kept.take("alice", &codes[9]) && !kept.take("bob", &codes[0]));
        assert_eq!((kept.left(), format!("{kept:?}").as_str()), (8, "8 recovery codes"));
        let file = serde_json::to_string(&kept).unwrap();
        assert!(codes.iter().all(|code| !file.contains(code) && !file.contains(&canonical(code))));
    }

    #[test]
    fn a_code_is_typed_as_people_do_it() {
        for typed in ["k0mq-1xwp-9dh1", "K0MQ1XWP9DH1", " komq ixwp 9dhl\n", "kOmq–lxwp.9DHI"] {
            assert_eq!(canonical(typed), "k0mq1xwp9dh1", "{typed}");
            assert!(RecoveryCodes(vec![fingerprint("alice", "k0mq1xwp9dh1")]).take("alice", typed));
        }
        let mut kept = RecoveryCodes(vec![fingerprint("alice", "")]);
        assert!(!kept.take("alice", "") && !kept.take("alice", "k0mq-1xwp-9dh"));
    }
}
