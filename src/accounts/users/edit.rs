//! How the users file is changed, one change at a time. Whatever people wrote into it stays, comments and all.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use toml_edit::{Array, Decor, Document, DocumentMut, Item, Table, TableLike, Value};

use crate::spool::layout::FILE;
use crate::spool::{Error, Result, atomic, lock};

use super::Accounts;
use super::file;
use super::file::UsersFile;

/// The first line of a new file.
const HEAD: &str = "# Who can sign in to SpiderPig: see `spiderpig-api user --help`.\n";

/// Changes the file, durably. A file that is not there is made, for its owner and for `group`, if one is given. Owner, group
/// and mode of the file stay as they are; only a file that belongs to root and root's group gets `group`. Returns what
/// `change` returns. `record` is told that before anything is written. If one of them fails, or `change` changes nothing,
/// nothing is written.
///
/// # Errors
/// That of `change` or `record`; or the file cannot be locked, read or written, or is damaged. Then it is as before.
pub fn change<R, E: From<Error>>(
    path: &Path,
    group: Option<u32>,
    change: impl FnOnce(&Accounts, &mut Editor) -> Result<R, E>,
    record: impl FnOnce(&R) -> Result<(), E>,
) -> Result<R, E> {
    let wrap = |error| Error::io("look at", path, error);
    let lock = lock::replaceable(path, || atomic::open_lock(path, FILE))?;
    let of_root = lock.metadata().map_err(wrap)?;
    if let Some(group) = group.filter(|_| (of_root.uid(), of_root.gid()) == (0, 0)) {
        atomic::set_group(path, group)?;
        atomic::set_mode(path, of_root.mode() & 0o7777 | 0o040)?;
    }
    let UsersFile { text, accounts } =
        file::read(path)?.unwrap_or_else(|| UsersFile { text: String::new(), accounts: Accounts::new() });
    let mut editor = Editor::of(&text, path)?;
    let result = change(&accounts, &mut editor)?;
    let changed = editor.document.to_string();
    if changed != text {
        file::parse(&changed).map_err(|fault| {
            let reason = format!("it cannot be changed as it is written ({}); use an editor", fault.problem);
            Error::invalid(path, reason)
        })?;
        record(&result)?;
        // Somebody may have changed owner or mode since the lock was taken, but not the content.
        atomic::replace_keeping_owner(path, changed.as_bytes(), &lock.metadata().map_err(wrap)?)?;
    }
    Ok(result)
}

/// The text of the file while it is changed. Each method does nothing if there is no such user.
#[derive(Debug)]
pub struct Editor {
    document: DocumentMut,
}

impl Editor {
    fn of(text: &str, path: &Path) -> Result<Self> {
        let document = Document::parse(text).map_err(|error| Error::invalid(path, error.message()))?;
        Ok(Self { document: document.into_mut() })
    }

    /// Adds a user to the end.
    pub fn add(&mut self, name: &str, password: &str, groups: &[String]) {
        let mut account = Table::new();
        account.insert("password", Item::Value(password.into()));
        account.insert("groups", Item::Value(Value::Array(groups.iter().collect())));
        account.decor_mut().set_prefix(self.take_comments().unwrap_or_else(|| "\n".to_owned()));
        let users = self.document.entry("users").or_insert_with(|| {
            let mut users = Table::new();
            users.set_implicit(true);
            Item::Table(users)
        });
        if let Some(users) = users.as_table_like_mut() {
            users.insert(name, Item::Table(account));
        }
    }

    /// Takes the comments of a file that has nothing else: they become its head.
    fn take_comments(&mut self) -> Option<String> {
        if !self.document.is_empty() {
            return None;
        }
        let comments = self.document.trailing().as_str().unwrap_or_default().trim_end();
        let head = if comments.is_empty() { HEAD.to_owned() } else { format!("{comments}\n") };
        self.document.set_trailing("");
        Some(head + "\n")
    }

    /// Sets the hash of the password of a user.
    pub fn set_password(&mut self, name: &str, password: &str) {
        self.set(name, "password", password.into());
    }

    /// Disables or enables a user.
    pub fn set_disabled(&mut self, name: &str, disabled: bool) {
        self.set(name, "disabled", disabled.into());
    }

    /// Sets the groups of a user. Groups that stay keep their places.
    pub fn set_groups(&mut self, name: &str, groups: &[String]) {
        let array = self.account(name).and_then(|account| account.get_mut("groups")?.as_array_mut());
        let Some(array) = array else { return };
        let is_in = |array: &Array, group: &str| array.iter().any(|value| value.as_str() == Some(group));
        array.retain(|value| groups.iter().any(|group| value.as_str() == Some(group)));
        for group in groups {
            if !is_in(array, group) {
                array.push(group);
            }
        }
    }

    /// Removes a user, with the comment right above. A comment above a blank line is about more than this user, and stays.
    pub fn remove(&mut self, name: &str) {
        let Some(users) = self.document.get_mut("users").and_then(Item::as_table_like_mut) else { return };
        let Some(Item::Table(removed)) = users.remove(name) else { return };
        let kept = above_blank_line(removed.decor());
        if kept.trim().is_empty() {
            return;
        }
        let behind = |table: &&mut Table| table.position() > removed.position();
        let next = users.iter_mut().filter_map(|(_, item)| item.as_table_mut()).filter(behind);
        if let Some(next) = next.min_by_key(|table| table.position()) {
            let prefix = next.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
            let prefix = kept + prefix.trim_start_matches(['\r', '\n']);
            next.decor_mut().set_prefix(prefix);
        } else {
            let trailing = kept + self.document.trailing().as_str().unwrap_or_default();
            self.document.set_trailing(trailing);
        }
    }

    fn set(&mut self, name: &str, key: &str, mut value: Value) {
        let Some(account) = self.account(name) else { return };
        if let Some(Item::Value(old)) = account.get_mut(key) {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        } else {
            account.insert(key, Item::Value(value));
        }
    }

    fn account(&mut self, name: &str) -> Option<&mut dyn TableLike> {
        let users = self.document.get_mut("users")?.as_table_like_mut()?;
        users.get_mut(name)?.as_table_like_mut()
    }
}

/// The comments before a table, up to the last blank line.
fn above_blank_line(decor: &Decor) -> String {
    let comments = decor.prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
    let lines: Vec<&str> = comments.split_inclusive('\n').collect();
    let is_blank = |line: &&str| line.ends_with('\n') && line.trim().is_empty();
    let blank = lines.iter().rposition(is_blank);
    blank.map_or_else(String::new, |blank| lines[..=blank].concat())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use crate::spool::atomic::Durability;
    use crate::spool::layout::SECRET_FILE;

    use super::*;
    use crate::accounts::testing::HASH;
    use crate::accounts::users::Users;

    struct Bench {
        directory: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            Self { directory: tempfile::tempdir().unwrap() }
        }

        fn with(text: &str) -> Self {
            let bench = Self::new();
            let bytes = text.replace("HASH", HASH);
            atomic::replace(&bench.path(), bytes.as_bytes(), FILE, Durability::Ordered).unwrap();
            bench
        }

        fn path(&self) -> PathBuf {
            self.directory.path().join("users.toml")
        }

        fn change(&self, edit: impl FnOnce(&mut Editor)) -> Result<()> {
            let edit = |_: &Accounts, editor: &mut Editor| {
                edit(editor);
                Ok(())
            };
            change(&self.path(), None, edit, |()| Ok(()))
        }

        /// The text after a change, which must be one that can be read.
        fn after(&self, edit: impl FnOnce(&mut Editor)) -> String {
            self.change(edit).unwrap();
            Users::open(self.path()).unwrap();
            std::fs::read_to_string(self.path()).unwrap().replace(HASH, "HASH")
        }
    }

    fn groups(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    const ALICE: &str = "[users.alice]\npassword = \"HASH\"\ngroups = [\"deployers\"]\n";

    #[test]
    fn a_new_file_says_what_it_is() {
        let bench = Bench::new();
        let text = bench.after(|editor| editor.add("alice", HASH, &groups(&["deployers"])));
        assert_eq!(text, format!("{HEAD}\n{ALICE}"));
        assert_eq!(bench.path().metadata().unwrap().mode() & 0o7777, 0o640);
        let text = bench.after(|editor| editor.add("b.ob", HASH, &[]));
        assert_eq!(text, format!("{HEAD}\n{ALICE}\n[users.\"b.ob\"]\npassword = \"HASH\"\ngroups = []\n"));
    }

    #[test]
    fn comments_survive_every_change() {
        let file = "# Ask Bob first.\n\n# The boss\n[users.alice] # since May\npassword = 'HASH' # long\n# many\n\
                    groups = [ # of them\n  \"a\", # one\n  \"b\",\n]\n\n[users.bob]\n  disabled = true # ill\n\
                      password = 'HASH'\n  groups = [\"a\"] # few\n# the end\n";
        let bench = Bench::with(file);
        let other = HASH.replace("FBb", "GBb");
        let text = bench.after(|editor| editor.set_password("alice", &other));
        let expected = file.replacen("'HASH' # long", &format!("\"{other}\" # long"), 1);
        assert_eq!(text, expected);
        let text = bench.after(|editor| editor.set_disabled("bob", false));
        let expected = expected.replace("disabled = true # ill", "disabled = false # ill");
        assert_eq!(text, expected);
        let text = bench.after(|editor| editor.set_groups("bob", &groups(&["c", "a", "c"])));
        let expected = expected.replace("[\"a\"] # few", "[\"a\", \"c\"] # few");
        assert_eq!(text, expected);
        let text = bench.after(|editor| editor.set_groups("alice", &groups(&["a", "c"])));
        for comment in ["# Ask Bob first.", "# The boss", "# since May", "# many", "# of them", "# the end"] {
            assert!(text.contains(comment), "{comment}: {text}");
        }
        assert_eq!(Users::open(bench.path()).unwrap().get("alice").unwrap().groups, ["a", "c"]);
        let text = bench.after(|editor| editor.set_disabled("alice", true));
        assert!(text.contains("disabled = true"), "{text}");
    }

    #[test]
    fn with_a_user_goes_only_the_comment_right_above() {
        let bob = "[users.bob]\npassword = \"HASH\"\ngroups = []\n";
        let bench = Bench::with(&format!("# Ask Bob first.\n\n# The boss\n{ALICE}\n# Bob\n{bob}\n# the end\n"));
        let text = bench.after(|editor| editor.remove("alice"));
        assert_eq!(text, format!("# Ask Bob first.\n\n# Bob\n{bob}\n# the end\n"));
        let text = bench.after(|editor| editor.remove("bob"));
        assert_eq!(text, "# Ask Bob first.\n\n\n# the end\n");
        let text = bench.after(|editor| editor.add("alice", HASH, &groups(&["deployers"])));
        assert_eq!(text, format!("# Ask Bob first.\n\n\n# the end\n\n{ALICE}"));
    }

    #[test]
    fn other_forms_of_toml_are_kept() {
        for file in [
            "users.alice = { password = 'HASH', groups = ['a'] } # boss\n",
            "[users]\nalice = { password = 'HASH', groups = ['a'] } # boss\n",
            "users = { alice = { password = 'HASH', groups = ['a'] } } # boss\n",
            "users.alice.groups = ['a']\nusers.alice.password = 'HASH' # boss\n",
        ] {
            let bench = Bench::with(file);
            let text = bench.after(|editor| {
                editor.add("bob", HASH, &groups(&["b"]));
                editor.set_groups("alice", &groups(&["c"]));
                editor.set_disabled("alice", true);
            });
            assert!(text.contains("# boss"), "{text}");
            let users = Users::open(bench.path()).unwrap();
            let (alice, bob) = (users.get("alice").unwrap(), users.get("bob").unwrap());
            assert_eq!((alice.groups, alice.disabled), (groups(&["c"]), true), "{text}");
            assert_eq!((bob.groups, bob.disabled), (groups(&["b"]), false), "{text}");
            bench.after(|editor| editor.remove("alice"));
            let users = Users::open(bench.path()).unwrap();
            assert!(users.get("alice").is_none() && users.get("bob").is_some());
        }
    }

    #[test]
    fn the_mode_stays_and_what_changes_nothing_writes_nothing() {
        let bench = Bench::with(ALICE);
        atomic::set_mode(&bench.path(), SECRET_FILE).unwrap();
        bench.after(|editor| editor.set_disabled("alice", true));
        let file = || bench.path().metadata().unwrap();
        let before = file().ino();
        assert_eq!(file().mode() & 0o7777, 0o600);
        bench.after(|editor| editor.set_disabled("alice", true));
        bench.after(|editor| editor.set_disabled("nobody", true));
        let fail = |accounts: &Accounts, editor: &mut Editor| {
            assert!(accounts.contains_key("alice"));
            editor.remove("alice");
            Err(Error::invalid(&bench.path(), "no"))
        };
        let failed: Result<()> = change(&bench.path(), None, fail, |()| panic!("nothing is changed"));
        assert!(failed.is_err());
        assert_eq!(file().ino(), before);
        assert_eq!(std::fs::read_dir(bench.directory.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn owner_and_group_stay_and_a_new_file_gets_the_group() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let bench = Bench::with(ALICE);
        std::os::unix::fs::chown(bench.path(), Some(65_533), Some(65_534)).unwrap();
        bench.after(|editor| editor.set_disabled("alice", true));
        let owner = |path: &Path| path.metadata().map(|file| (file.uid(), file.gid())).unwrap();
        assert_eq!(owner(&bench.path()), (65_533, 65_534));
        let new = bench.directory.path().join("new.toml");
        for user in ["alice", "bob"] {
            let add = |_: &Accounts, editor: &mut Editor| {
                editor.add(user, HASH, &[]);
                Ok(())
            };
            let added: Result<()> = change(&new, Some(65_533), add, |()| Ok(()));
            added.unwrap();
            assert_eq!(owner(&new), (0, 65_533));
        }
    }

    #[test]
    fn none_of_many_changes_at_once_is_lost() {
        let bench = Bench::new();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let bench = &bench;
                scope.spawn(move || {
                    for number in 0..5 {
                        bench.change(|editor| editor.add(&format!("u{thread}-{number}"), HASH, &[])).unwrap();
                    }
                });
            }
        });
        assert_eq!(Users::open(bench.path()).unwrap().all().len(), 40);
    }

    #[test]
    fn a_damaged_file_is_not_overwritten() {
        let damaged = format!("{ALICE}\n[users.bob]\ngroups = []\n");
        let bench = Bench::with(&damaged);
        let error = bench.change(|editor| editor.remove("bob")).unwrap_err().to_string();
        assert!(error.contains("users.toml: line 5: [users.bob] must have `password`"), "{error}");
        assert_eq!(std::fs::read_to_string(bench.path()).unwrap(), damaged.replace("HASH", HASH));
    }
}
