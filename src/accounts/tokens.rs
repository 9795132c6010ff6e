//! API tokens: what scripts show instead of signing in.
//!
//! A token acts for a user, for what its scopes say, until it expires. It is shown when it is made and never again: the
//! file `tokens.json` has the SHA-256 of each, which leads to none, as a token has 256 random bits.

mod scope;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

pub use self::scope::Scope;
use crate::digest::sha256;
use crate::spool::{Error, Result, Time};
use crate::state::StateDirectory;
use crate::state::document::Document;

/// Its file in the state directory.
const FILE: &str = "tokens.json";

/// The beginning of each token, so that people and scanners of secrets know one when they see it.
const PREFIX: &str = "sp_";

/// The random bytes of an identifier. It is no secret.
const ID: usize = 5;

/// The random bytes of a secret.
const SECRET: usize = 32;

/// All tokens that nobody has revoked.
#[derive(Debug)]
pub struct Tokens {
    directory: StateDirectory,
    document: Document<Vec<Stored>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    token: Token,
    sha256: String,
}

/// What is known of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The name by which people speak of it.
    pub id: String,
    /// What it is for, in the words of whoever made it.
    pub name: String,
    /// The user that it acts for.
    pub user: String,
    /// The user's groups, where nothing else knows them without the user: with single sign-on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created: Time,
    /// When it expires.
    pub expires: Time,
}

/// A token that is to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// [`Token::name`]
    pub name: String,
    /// [`Token::user`]
    pub user: String,
    /// [`Token::groups`]
    pub groups: Option<Vec<String>>,
    /// [`Token::scopes`]
    pub scopes: Vec<Scope>,
    /// [`Token::expires`]
    pub expires: Time,
}

/// A token that was made. Nothing else has the secret.
pub struct Created {
    /// [`Token::id`]
    pub id: String,
    /// What the script sends as `Authorization: Bearer …`.
    pub secret: String,
}

impl Tokens {
    /// The tokens of a state directory.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn open(directory: &StateDirectory) -> Result<Self> {
        let document = Document::open(directory.join(FILE))?;
        document.prepare_for_full_disk();
        Ok(Self { directory: directory.clone(), document })
    }

    /// The tokens of a state directory, none of which works before [`refresh`](Self::refresh) has read the file.
    #[must_use]
    pub fn unread(directory: &StateDirectory) -> Self {
        Self { directory: directory.clone(), document: Document::unread(directory.join(FILE)) }
    }

    /// Reads the file again if it is not what it was. Returns whether that is so.
    ///
    /// # Errors
    /// It cannot be read, or is damaged; what was known stays.
    pub fn refresh(&self) -> Result<bool> {
        self.document.refresh()
    }

    /// Makes a token. Those that have expired by now are forgotten.
    ///
    /// # Errors
    /// There are no random bytes, or the file cannot be changed.
    pub fn create(&self, new: NewToken, now: Time) -> Result<Created> {
        self.create_recorded(new, now, |_| Ok::<(), Error>(()))
    }

    /// Makes a token. `record` is told its id before; if it fails, there is no such token.
    ///
    /// # Errors
    /// As [`create`](Self::create), and that of `record`.
    pub fn create_recorded<E: From<Error>>(
        &self,
        new: NewToken,
        now: Time,
        record: impl FnOnce(&str) -> std::result::Result<(), E>,
    ) -> std::result::Result<Created, E> {
        self.directory.make()?;
        let id = self.random::<ID>()?.map(|byte| format!("{byte:02x}")).concat();
        let secret = format!("{PREFIX}{id}_{}", Base64UrlUnpadded::encode_string(&self.random::<SECRET>()?));
        let NewToken { name, user, groups, scopes, expires } = new;
        let token = Token { id: id.clone(), name, user, groups, scopes, created: now, expires };
        let stored = Stored { token, sha256: sha256(&secret) };
        self.document.change(|tokens| {
            record(&id)?;
            tokens.retain(|stored| stored.token.expires > now);
            tokens.push(stored);
            Ok::<(), E>(())
        })??;
        Ok(Created { id, secret })
    }

    /// The token that a script sends, unless it has expired. It is compared with all that are known, so that the time tells
    /// nothing.
    pub fn find(&self, bearer: &str, now: Time) -> Option<Token> {
        let shown = sha256(bearer);
        let mut found = None;
        for stored in self.document.get().iter() {
            if bool::from(stored.sha256.as_bytes().ct_eq(shown.as_bytes())) {
                found = Some(stored.token.clone());
            }
        }
        found.filter(|token| token.expires > now)
    }

    /// The tokens of a user, oldest first; also those that have expired, for a while.
    pub fn of_user(&self, user: &str) -> Vec<Token> {
        self.all().into_iter().filter(|token| token.user == user).collect()
    }

    /// The token of this id, also if it has expired.
    pub fn get(&self, id: &str) -> Option<Token> {
        self.document.get().iter().find(|stored| stored.token.id == id).map(|stored| stored.token.clone())
    }

    /// All tokens, as [`Self::of_user`].
    pub fn all(&self) -> Vec<Token> {
        self.document.get().iter().map(|stored| stored.token.clone()).collect()
    }

    /// Removes the token of this id; if a user is given, only if it is theirs. Returns what it was.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub fn revoke(&self, id: &str, user: Option<&str>) -> Result<Option<Token>> {
        self.directory.make()?;
        self.document.change(|tokens| {
            let is_meant = |token: &Token| token.id == id && user.is_none_or(|user| token.user == user);
            let place = tokens.iter().position(|stored| is_meant(&stored.token))?;
            Some(tokens.remove(place).token)
        })
    }

    fn random<const BYTES: usize>(&self) -> Result<[u8; BYTES]> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|error| Error::io("get random bytes for", self.document.path(), std::io::Error::other(error)))?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_milliseconds(seconds * 1000)
    }

    fn new(user: &str) -> NewToken {
        let scopes = vec![Scope::Read, Scope::Start("backport".into())];
        NewToken { name: "nightly".into(), user: user.into(), groups: None, scopes, expires: at(100) }
    }

    struct Stage {
        tokens: Tokens,
        directory: StateDirectory,
        _temporary: tempfile::TempDir,
    }

    fn stage() -> Stage {
        let temporary = tempfile::tempdir().unwrap();
        let directory = StateDirectory::new(&temporary.path().join("state"));
        Stage { tokens: Tokens::open(&directory).unwrap(), directory, _temporary: temporary }
    }

    #[test]
    fn a_token_is_found_until_it_expires() {
        let stage = stage();
        let created = stage.tokens.create(new("alice"), at(1)).unwrap();
        let found = stage.tokens.find(&created.secret, at(99)).unwrap();
        assert_eq!((found.id.as_str(), found.user.as_str(), found.created), (created.id.as_str(), "alice", at(1)));
        assert_eq!(found.scopes, [Scope::Read, Scope::Start("backport".into())]);
        assert_eq!(stage.tokens.find(&created.secret, at(100)), None);
        assert_eq!(stage.tokens.all().len(), 1, "people still see that it was there");
        stage.tokens.create(new("bob"), at(100)).unwrap();
        assert_eq!(stage.tokens.all().iter().map(|token| token.user.as_str()).collect::<Vec<_>>(), ["bob"]);
    }

    #[test]
    fn nothing_else_is_a_token() {
        let stage = stage();
        let Created { id, secret } = stage.tokens.create(new("alice"), at(1)).unwrap();
        let other = stage.tokens.create(new("alice"), at(1)).unwrap();
        let (_, end) = other.secret.rsplit_once('_').unwrap();
        let hash = sha256(&secret);
        let wrong = [
            "",
            "sp_",
            &id,
            &format!("sp_{id}_"),
            &format!("sp_{id}_{end}"),
            &format!("{secret} "),
            &secret.to_uppercase(),
            &hash,
            &format!("sp_{id}_{hash}"),
        ];
        for bearer in wrong {
            assert_eq!(stage.tokens.find(bearer, at(2)), None, "{bearer}");
        }
    }

    #[test]
    fn a_secret_has_a_form_and_is_nowhere_else() {
        let stage = stage();
        let Created { id, secret } = stage.tokens.create(new("alice"), at(1)).unwrap();
        let end = secret.strip_prefix("sp_").and_then(|rest| rest.strip_prefix(&id)?.strip_prefix('_')).unwrap();
        assert_eq!((id.len(), end.len()), (10, 43));
        assert!(end.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{end}");
        let file = std::fs::read_to_string(stage.directory.join("tokens.json")).unwrap();
        assert!(file.contains(&id) && file.contains(&sha256(&secret)) && !file.contains(end), "{file}");
        assert!(file.contains(r#""start:backport""#) && !file.contains("groups"), "{file}");
        assert!(!format!("{:?}", stage.tokens).contains(end));
    }

    #[test]
    fn a_token_is_revoked_by_whose_it_is_or_by_an_operator() {
        let stage = stage();
        let alice = stage.tokens.create(new("alice"), at(1)).unwrap();
        let bob = stage.tokens.create(NewToken { groups: Some(vec!["ops".into()]), ..new("bob") }, at(1)).unwrap();
        assert_eq!(stage.tokens.revoke(&alice.id, Some("bob")).unwrap(), None);
        assert_eq!(stage.tokens.revoke("nothing", None).unwrap(), None);
        assert_eq!(stage.tokens.of_user("alice").len(), 1);
        assert_eq!(stage.tokens.revoke(&alice.id, Some("alice")).unwrap().unwrap().user, "alice");
        assert_eq!(stage.tokens.find(&alice.secret, at(2)), None);

        let other = Tokens::open(&stage.directory).unwrap();
        assert_eq!(other.find(&bob.secret, at(2)).unwrap().groups.unwrap(), ["ops"]);
        stage.tokens.revoke(&bob.id, None).unwrap().unwrap();
        assert!(other.refresh().unwrap() && other.find(&bob.secret, at(2)).is_none());
    }
}
