//! `auth.users_file`: the accounts of mode "local".
//!
//! ```toml
//! [users.alice]
//! password = "$argon2id$v=19$m=19456,t=2,p=1$…"
//! groups = ["deployers"]
//! disabled = true             # may be left out: not disabled
//! ```
//!
//! The API only reads it. It is changed by `spiderpig-api user` (see [`edit`]), or by people with an editor.

pub mod edit;
mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use crate::spool::error::Missing as _;
use crate::spool::{Error, Result};

use super::password::PasswordHash;
use crate::state::document::Version;

/// The longest name of a user, in bytes.
const MOST_NAME: usize = 64;

/// Accounts by the names of their users.
pub type Accounts = BTreeMap<String, Account>;

/// What the file says of one user.
#[derive(Clone, Debug)]
pub struct Account {
    /// The groups of the user, which decide what they may do.
    pub groups: Vec<String>,
    /// Whether the user is kept out: signed out, and unable to sign in.
    pub disabled: bool,
    /// The hash of the password.
    pub password: PasswordHash,
}

impl Account {
    /// Names the password without telling it: 16 hexadecimal digits, which change with the password.
    #[must_use]
    pub fn stamp(&self) -> String {
        self.password.fingerprint().to_owned()
    }
}

/// The file, as it was when it was read last.
#[derive(Debug)]
pub struct Users {
    path: PathBuf,
    memory: RwLock<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    accounts: Arc<Accounts>,
    version: Option<Version>,
}

impl Users {
    /// Reads the file. One that is not there has no users.
    ///
    /// # Errors
    /// It cannot be read, or is damaged; then the error names the line.
    pub fn open(path: PathBuf) -> Result<Self> {
        let users = Self { path, memory: RwLock::default() };
        users.refresh()?;
        Ok(users)
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The account of a user, disabled or not, as it was when the file was read last.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Account> {
        self.all().get(name).cloned()
    }

    /// All accounts, also the disabled ones.
    #[must_use]
    pub fn all(&self) -> Arc<Accounts> {
        Arc::clone(&self.memory.read().unwrap_or_else(PoisonError::into_inner).accounts)
    }

    /// Reads the file again if it has changed. Returns whether it has.
    ///
    /// # Errors
    /// It cannot be read, or is damaged; what was known stays.
    pub fn refresh(&self) -> Result<bool> {
        // The version is taken before the file is read: a change meanwhile is another version, and read the next time.
        let metadata = self.path.symlink_metadata().map_err(|error| Error::io("look at", &self.path, error));
        let version = metadata.missing_is_none()?.as_ref().map(Version::from);
        if version == self.memory.read().unwrap_or_else(PoisonError::into_inner).version {
            return Ok(false);
        }
        let accounts = Arc::new(file::read(&self.path)?.map(|file| file.accounts).unwrap_or_default());
        *self.memory.write().unwrap_or_else(PoisonError::into_inner) = Memory { accounts, version };
        Ok(true)
    }
}

/// Checks a name of a user: the spool, file names and environments take it as it is.
///
/// # Errors
/// What is wrong with the name, in words.
pub fn check_name(name: &str) -> Result<(), &'static str> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let allowed = |byte: u8| plain(byte) || b"._-".contains(&byte);
    let begins = name.bytes().next().is_some_and(plain);
    if begins && name.len() <= MOST_NAME && name.bytes().all(allowed) {
        return Ok(());
    }
    Err("must be 1 to 64 of a-z, 0-9, `.`, `_` and `-`, and begin with a letter or digit")
}

/// Checks a name of a group.
///
/// # Errors
/// What is wrong with the name, in words.
pub fn check_group(name: &str) -> Result<(), &'static str> {
    if (1..=256).contains(&name.len()) && !name.contains(char::is_control) {
        return Ok(());
    }
    Err("must be 1 to 256 bytes without control characters")
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write files as people do")]
mod tests {
    use crate::spool::atomic;
    use crate::spool::atomic::Durability;

    use super::*;
    use crate::accounts::testing::HASH;

    fn write(path: &Path, text: &str) {
        atomic::replace(path, text.as_bytes(), 0o640, Durability::Ordered).unwrap();
    }

    fn user(name: &str, more: &str) -> String {
        format!("[users.{name}]\npassword = \"{HASH}\"\ngroups = [\"deployers\"]\n{more}\n")
    }

    #[test]
    fn a_file_that_is_not_there_has_no_users() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users.toml");
        let users = Users::open(path.clone()).unwrap();
        assert!(users.all().is_empty() && users.get("alice").is_none() && !users.refresh().unwrap());
        write(&path, &user("alice", ""));
        assert!(users.get("alice").is_none(), "it was not told yet");
        assert!(users.refresh().unwrap() && !users.refresh().unwrap());
        assert_eq!(users.get("alice").unwrap().groups, ["deployers"]);
        std::fs::remove_file(&path).unwrap();
        assert!(users.refresh().unwrap() && users.all().is_empty());
    }

    #[test]
    fn disabled_users_are_known_as_such() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users.toml");
        write(&path, &(user("alice", "") + &user("bob", "disabled = true")));
        let users = Users::open(path.clone()).unwrap();
        let (alice, bob) = (users.get("alice").unwrap(), users.get("bob").unwrap());
        assert!(!alice.disabled && bob.disabled);
        assert!(!format!("{users:?}").contains("argon2"), "{users:?}");
        write(&path, &user("alice", "").replace("FBb", "GBb"));
        users.refresh().unwrap();
        assert_ne!(users.get("alice").unwrap().stamp(), alice.stamp(), "another password");
        assert!(users.get("bob").is_none());
    }

    #[test]
    fn a_damaged_file_is_not_believed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users.toml");
        write(&path, &user("alice", ""));
        let users = Users::open(path.clone()).unwrap();
        write(&path, &user("bob", "disabled = maybe"));
        for _ in 0..2 {
            let error = users.refresh().unwrap_err().to_string();
            assert!(error.starts_with(&format!("{}: line 4: ", path.display())), "{error}");
            assert!(users.get("alice").is_some() && users.get("bob").is_none());
        }
        assert!(Users::open(path.clone()).is_err());
        write(&path, &user("bob", ""));
        assert!(users.refresh().unwrap() && users.get("bob").is_some());
    }

    #[test]
    fn names_are_those_that_the_spool_takes() {
        for name in ["a", "7", "alice", "a.b-c_d", &"x".repeat(64)] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["", ".a", "-a", "_a", "Alice", "a b", "a/b", "é", "a\n", &"x".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
        assert!(check_group("cn=ops,ou=groups,dc=example").is_ok());
        assert!(["", "a\nb", &"x".repeat(257)].iter().all(|name| check_group(name).is_err()));
    }
}
