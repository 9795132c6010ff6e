//! How the users file is read, and what can be wrong with it. No message has a part of the hash of a password.

use std::path::Path;

use toml_edit::{Document, Item, TableLike};

use crate::accounts::password::PasswordHash;
use crate::spool::open;
use crate::spool::open::Checked;
use crate::spool::{Error, Result};

use super::{Account, Accounts, check_group, check_name};

/// The largest file that is read, in bytes: 4 MiB, which is room for tens of thousands of users.
const LIMIT: u64 = 4 << 20;

/// A users file that was read whole, and has no fault.
#[derive(Debug)]
pub(crate) struct UsersFile {
    pub(crate) text: String,
    pub(crate) accounts: Accounts,
}

/// Reads the file; `None` if it is not there. A symbolic link is refused, and so is a file that its group or others can
/// write: whoever writes it chooses who may deploy.
pub(crate) fn read(path: &Path) -> Result<Option<UsersFile>> {
    let bytes = match open::read_checked(path, LIMIT)? {
        Checked::File(file) => file.bytes,
        Checked::Gone => return Ok(None),
        Checked::Refused(reason) => return Err(Error::invalid(path, reason)),
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = line_of(error.as_bytes(), error.utf8_error().valid_up_to());
        Error::invalid(path, format!("line {line}: not UTF-8 text"))
    })?;
    let accounts = parse(&text).map_err(|Fault { offset, problem }| {
        Error::invalid(path, format!("line {}: {problem}", line_of(text.as_bytes(), offset)))
    })?;
    Ok(Some(UsersFile { text, accounts }))
}

/// A fault at one place of the text.
#[derive(Debug)]
pub(crate) struct Fault {
    offset: usize,
    pub(crate) problem: String,
}

pub(crate) fn parse(text: &str) -> Result<Accounts, Fault> {
    let document = Document::parse(text).map_err(|error| Fault {
        offset: error.span().unwrap_or_default().start,
        problem: format!("not TOML: {}", error.message()),
    })?;
    let root = Place { label: "the file".to_owned(), table: document.as_table(), offset: 0 };
    root.refuse_other_keys(&["users"])?;
    let Some((offset, users)) = root.get("users") else { return Ok(Accounts::new()) };
    let users = Place::of(users, offset, "[users]".to_owned())?;
    let names = users.table.iter().map(|(name, _)| name);
    names.map(|name| Ok((name.to_owned(), account(&users, name)?))).collect()
}

fn account(users: &Place, name: &str) -> Result<Account, Fault> {
    let (offset, item) = users.get(name).unwrap_or((users.offset, &Item::None));
    check_name(name)
        .map_err(|problem| Fault { offset, problem: format!("the name `{}` {problem}", name.escape_debug()) })?;
    let account = Place::of(item, offset, format!("[users.{name}]"))?;
    account.refuse_other_keys(&["password", "groups", "disabled"])?;
    Ok(Account {
        password: account.required("password", "the hash that `spiderpig-api user passwd` writes", |item| {
            Some(PasswordHash::parse(item.as_str()?).map_err(|error| error.to_string()))
        })?,
        groups: account.required("groups", "a list of names", groups)?,
        disabled: account.optional("disabled", "true or false", |item| item.as_bool().map(Ok))?.unwrap_or(false),
    })
}

/// The groups of an account; `None` if the item is no list of strings.
fn groups(item: &Item) -> Option<Result<Vec<String>, String>> {
    let group = |value: &toml_edit::Value| {
        let name = value.as_str()?;
        let checked = check_group(name).map(|()| name.to_owned());
        Some(checked.map_err(|problem| format!("has a name that {problem}")))
    };
    item.as_array()?.iter().map(group).collect()
}

/// A table of the file, with the name that messages give it.
struct Place<'t> {
    label: String,
    table: &'t dyn TableLike,
    offset: usize,
}

impl<'t> Place<'t> {
    fn of(item: &'t Item, offset: usize, label: String) -> Result<Self, Fault> {
        match item.as_table_like() {
            Some(table) => Ok(Self { label, table, offset }),
            None => Err(Fault { offset, problem: format!("{label} must be a table") }),
        }
    }

    /// The value of a key, and where the key is.
    fn get(&self, key: &str) -> Option<(usize, &'t Item)> {
        let (name, item) = self.table.get_key_value(key)?;
        let span = name.span().or_else(|| item.span());
        Some((span.map_or(self.offset, |span| span.start), item))
    }

    fn refuse_other_keys(&self, known: &[&str]) -> Result<(), Fault> {
        let Some((key, _)) = self.table.iter().find(|(key, _)| !known.contains(key)) else { return Ok(()) };
        let (offset, _) = self.get(key).unwrap_or((self.offset, &Item::None));
        let start: String = key.chars().take(64).collect();
        let (key, known) = (start.escape_debug(), known.join("`, `"));
        Err(Fault { offset, problem: format!("unknown key `{key}` in {}; known: `{known}`", self.label) })
    }

    /// The value of a key as `read` takes it. If `read` returns `None`, the value is not what was expected; an error says more.
    fn optional<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&Item) -> Option<Result<T, String>>,
    ) -> Result<Option<T>, Fault> {
        let Some((offset, item)) = self.get(key) else { return Ok(None) };
        let problem = match read(item) {
            Some(Ok(value)) => return Ok(Some(value)),
            Some(Err(problem)) => problem,
            None => format!("must be {expected}"),
        };
        Err(Fault { offset, problem: format!("`{key}` in {} {problem}", self.label) })
    }

    fn required<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&Item) -> Option<Result<T, String>>,
    ) -> Result<T, Fault> {
        let missing =
            || Fault { offset: self.offset, problem: format!("{} must have `{key}`, {expected}", self.label) };
        self.optional(key, expected, read)?.ok_or_else(missing)
    }
}

/// The line, counted from 1, that holds the byte at `offset`.
fn line_of(text: &[u8], offset: usize) -> usize {
    1 + text.iter().take(offset).filter(|&&byte| byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use crate::spool::atomic;
    use crate::spool::atomic::Durability;

    use super::*;
    use crate::accounts::testing::HASH;

    fn problem(text: &str) -> String {
        let text = text.replace("HASH", HASH);
        let Fault { offset, problem } = parse(&text).unwrap_err();
        assert!(!problem.contains("argon2id$"), "{problem}");
        format!("{}: {problem}", line_of(text.as_bytes(), offset))
    }

    #[test]
    fn every_form_of_toml_will_do() {
        let entry = format!("password = '{HASH}', groups = ['a', 'b']");
        for text in [
            format!("[users.alice]\npassword = \"{HASH}\"\ngroups = [\n  \"a\", # one\n  \"b\",\n]\n"),
            format!("users.alice = {{ {entry} }}"),
            format!("[users]\nalice = {{ {entry}, disabled = false }}"),
            format!("users.alice.password = '{HASH}'\nusers.alice.groups = ['a', 'b']"),
        ] {
            let accounts = parse(&text).unwrap();
            assert_eq!(accounts["alice"].groups, ["a", "b"], "{text}");
            assert!(!accounts["alice"].disabled);
        }
        for text in ["", "# nobody yet\n", "[users]\n", "\u{feff}[users]"] {
            assert!(parse(text).unwrap().is_empty(), "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line_and_without_the_hash() {
        for (text, expected) in [
            ("[users.alice]\npassword = HASH", "2: not TOML"),
            ("[users.alice]\n[users.alice]", "2: not TOML"),
            ("# x\n[user.alice]", "2: unknown key `user` in the file; known: `users`"),
            ("users = 'HASH'", "1: [users] must be a table"),
            ("\n[[users]]", "2: [users] must be a table"),
            ("[users]\n\nalice = 'HASH'", "3: [users.alice] must be a table"),
            ("[users.Alice]", "1: the name `Alice` must be 1 to 64 of a-z, "),
            ("[users.'a\\nb']", "1: the name `a\\\\nb` must be 1 to 64 of a-z, "),
            (
                "[users.alice]\ngroups = []\npasword = 'HASH'",
                "3: unknown key `pasword` in [users.alice]; known: `password`, `groups`, `disabled`",
            ),
            (
                "\n[users.alice]\ngroups = []",
                "2: [users.alice] must have `password`, the hash that `spiderpig-api user passwd` writes",
            ),
            ("[users.alice]\npassword = 'HASH'", "1: [users.alice] must have `groups`, a list of names"),
            ("[users.alice]\npassword = ['HASH']", "2: `password` in [users.alice] must be the hash that "),
            ("[users.alice]\npassword = 'secret'", "2: `password` in [users.alice] is not the hash of a password"),
            (
                "[users.alice]\npassword = '$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$FBb/p4qXE/ESXaMMYj3l+C3R8QhwViyO'",
                "2: `password` in [users.alice] takes too much to verify: at most m=262144, t=16, p=16",
            ),
            (
                "[users.alice]\npassword = 'HASH'\ngroups = 'admins'",
                "3: `groups` in [users.alice] must be a list of names",
            ),
            ("[users.alice]\npassword = 'HASH'\ngroups = [1]", "3: `groups` in [users.alice] must be a list of names"),
            (
                "[users.alice]\npassword = 'HASH'\ngroups = ['']",
                "3: `groups` in [users.alice] has a name that must be 1 to 256 bytes without control characters",
            ),
            (
                "[users.alice]\npassword = 'HASH'\ngroups = []\ndisabled = 'yes'",
                "4: `disabled` in [users.alice] must be true or false",
            ),
        ] {
            let problem = problem(text);
            assert!(problem.starts_with(expected), "{text}: {problem}");
        }
    }

    #[test]
    fn nothing_in_a_file_makes_the_program_fail() {
        for text in ["[".repeat(100_000), "a.".repeat(100_000), format!("users = {}", "[".repeat(100_000))] {
            assert!(parse(&text).is_err());
        }
    }

    #[test]
    fn only_what_is_a_file_of_its_owner_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("users.toml");
        let refusal = |path: &Path| read(path).unwrap_err().to_string();
        let write = |bytes, mode| atomic::replace(&path, bytes, mode, Durability::Ordered).unwrap();
        assert!(read(&path).unwrap().is_none());
        write(b"", 0o660);
        assert!(refusal(&path).ends_with(": it can be written by group or others (mode 0660); use mode 0640"));
        write(b"# x\n# \xff\n", 0o640);
        assert!(refusal(&path).ends_with("users.toml: line 2: not UTF-8 text"));
        let link = directory.path().join("link");
        atomic::symlink(&path, &link).unwrap();
        assert!(refusal(&link).ends_with("link: it is a symbolic link"));
        assert!(refusal(directory.path()).ends_with("it is not a regular file"));
    }
}
