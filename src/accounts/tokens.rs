//! API tokens: what scripts show instead of signing in.
//!
//! A token acts for a user, for what its scopes say, until it expires. It is shown when it is made and never again: the
//! file `tokens.json` has the SHA-256 of each, which leads to none, as a token has 256 random bits.

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::digest::sha256;
use crate::spool::{Error, Result, Time};
use crate::state::StateDirectory;
use crate::state::document::Document;

/// Its file in the state directory.
const FILE: &str = "tokens.json";

/// What each token begins with, so that people and scanners of secrets know one when they see it.
const PREFIX: &str = "sp_";

/// The random bytes of an identifier. It is no secret.
const ID: usize = 5;

/// The random bytes of a secret.
const SECRET: usize = 32;

/// Those that nobody has revoked.
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
    /// By which people name it.
    pub id: String,
    /// What it is for, in the words of who made it.
    pub name: String,
    /// Who acts.
    pub user: String,
    /// The user's groups, where nothing else knows them without the user: with single sign-on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created: Time,
    /// From when on it is good for nothing.
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

/// Something that a token is good for. None of them includes another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// See jobs and all that everybody may see: `read`.
    Read,
    /// Start jobs of this type: `start:backport`.
    Start(String),
    /// Answer the questions of jobs of any type, and stop them: `answer`.
    Answer,
    /// The same of jobs of this type only: `answer:backport`.
    AnswerType(String),
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

    /// The same, of which `record` is told before: that a token of this identifier is made.
    ///
    /// # Errors
    /// The same, and that of `record`: then there is no such token.
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

    /// The token that somebody shows; `None` if it is none, or none any more. All that are known are looked through, so
    /// that the time tells nothing.
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

    /// The one of this id, also if it has expired.
    pub fn get(&self, id: &str) -> Option<Token> {
        self.document.get().iter().find(|stored| stored.token.id == id).map(|stored| stored.token.clone())
    }

    /// All tokens, as [`Self::of_user`].
    pub fn all(&self) -> Vec<Token> {
        self.document.get().iter().map(|stored| stored.token.clone()).collect()
    }

    /// Makes a token good for nothing, if there is one and, where a user is named, it is theirs. Returns what it was.
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

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => formatter.write_str("read"),
            Self::Start(job_type) => write!(formatter, "start:{job_type}"),
            Self::Answer => formatter.write_str("answer"),
            Self::AnswerType(job_type) => write!(formatter, "answer:{job_type}"),
        }
    }
}

impl Scope {
    /// Whether it lets jobs of this type be started.
    #[must_use]
    pub fn starts(&self, job_type: &str) -> bool {
        matches!(self, Self::Start(started) if started == job_type)
    }

    /// Whether it lets jobs of this type be answered and stopped.
    #[must_use]
    pub fn answers(&self, job_type: &str) -> bool {
        match self {
            Self::Answer => true,
            Self::AnswerType(answered) => answered == job_type,
            Self::Read | Self::Start(_) => false,
        }
    }

    /// The job type that it names.
    #[must_use]
    pub fn job_type(&self) -> Option<&str> {
        match self {
            Self::Start(job_type) | Self::AnswerType(job_type) => Some(job_type),
            Self::Read | Self::Answer => None,
        }
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "read" => Ok(Self::Read),
            None if text == "answer" => Ok(Self::Answer),
            Some(("start", job_type)) if !job_type.is_empty() => Ok(Self::Start(job_type.to_owned())),
            Some(("answer", job_type)) if !job_type.is_empty() => Ok(Self::AnswerType(job_type.to_owned())),
            _ => Err("a scope is `read`, `answer`, or `start:` or `answer:` with a job type".to_owned()),
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
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

    #[test]
    fn scopes_are_written_as_they_are_read() {
        for text in ["read", "answer", "start:backport", "answer:backport"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for bad in ["", "start", "start:", "answer:", "read:x", "Read", "write", "read "] {
            assert!(bad.parse::<Scope>().is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Scope>(r#""admin""#).is_err());
    }
}
