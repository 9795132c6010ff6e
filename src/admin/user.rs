//! `spiderpig-api user`: the accounts of authentication mode "local".
//!
//! A password is never an argument, because `ps` and the history of the shell show arguments. A change is in the file
//! when the command ends, and the APIs notice it at once.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use clap::Subcommand;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use super::{Error, Operator};
use crate::accounts::password;
use crate::accounts::users;
use crate::accounts::users::{Account, Accounts, Users, edit};
use crate::audit::Event;
use crate::config::Config;
use crate::spool;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add an account. The command asks for the password twice, or reads it from a line of standard input
    Add {
        /// The user's name
        #[arg(value_parser = user_name)]
        name: String,
        /// A group of the user; may be given several times
        #[arg(long = "group", value_name = "GROUP", value_parser = group_name)]
        groups: Vec<String>,
    },
    /// Set a new password. The command asks for it twice, or reads it from a line of standard input
    Passwd {
        /// The user's name
        #[arg(value_parser = user_name)]
        name: String,
    },
    /// Set the groups of a user; without GROUP, list them
    Groups {
        /// The user's name
        #[arg(value_parser = user_name)]
        name: String,
        /// All groups of the user
        #[arg(value_name = "GROUP", value_parser = group_name)]
        groups: Vec<String>,
    },
    /// Disable an account: sign the user out, and refuse to sign them in. The account stays
    Disable {
        /// The user's name
        #[arg(value_parser = user_name)]
        name: String,
    },
    /// Enable a disabled account
    Enable {
        /// The user's name
        #[arg(value_parser = user_name)]
        name: String,
    },
    /// Remove an account
    Remove {
        /// The user's name
        #[arg(value_parser = user_name)]
        name: String,
    },
    /// List all accounts with their state and their groups
    List,
}

pub(super) fn run(command: Command, config: &Config, operator: &mut Operator) -> Result<(), Error> {
    let users = Users::open(config.auth.users_file.clone()).map_err(explain)?;
    let mut commands = Commands { config, users, operator };
    match command {
        Command::Add { name, groups } => commands.add(&name, groups),
        Command::Passwd { name } => commands.set_password(&name),
        Command::Groups { name, groups } if groups.is_empty() => commands.show_groups(&name),
        Command::Groups { name, groups } => commands.set_groups(&name, groups),
        Command::Disable { name } => commands.set_disabled(&name, true),
        Command::Enable { name } => commands.set_disabled(&name, false),
        Command::Remove { name } => commands.remove(&name),
        Command::List => commands.list(),
    }
}

fn user_name(text: &str) -> Result<String, String> {
    users::check_name(text).map(|()| text.to_owned()).map_err(|problem| format!("a user's name {problem}"))
}

fn group_name(text: &str) -> Result<String, String> {
    users::check_group(text).map(|()| text.to_owned()).map_err(|problem| format!("a group's name {problem}"))
}

struct Commands<'a, 'o> {
    config: &'a Config,
    /// The accounts at the start, so that a command can be refused before it asks for a password.
    users: Users,
    operator: &'a mut Operator<'o>,
}

impl Commands<'_, '_> {
    fn add(&mut self, name: &str, groups: Vec<String>) -> Result<(), Error> {
        refuse_second(&self.users.all(), name)?;
        let groups = each_once(groups);
        let password = self.operator.new_password(name)?;
        let details = |(): &()| json!({ "what": "added", "of": name, "groups_after": groups });
        let add = |accounts: &Accounts, editor: &mut edit::Editor| {
            refuse_second(accounts, name)?;
            editor.add(name, &password, &groups);
            Ok(())
        };
        self.change(add, details)?;
        writeln!(self.operator.output, "`{name}` is added, {}", in_groups(&groups))?;
        self.warn_of_unknown(&groups)
    }

    fn set_password(&mut self, name: &str) -> Result<(), Error> {
        account(&self.users.all(), name)?;
        let password = self.operator.new_password(name)?;
        let set = |accounts: &Accounts, editor: &mut edit::Editor| {
            account(accounts, name)?;
            editor.set_password(name, &password);
            Ok(())
        };
        self.change(set, |()| json!({ "what": "password", "of": name }))?;
        Ok(writeln!(self.operator.output, "`{name}` has a new password")?)
    }

    fn show_groups(&mut self, name: &str) -> Result<(), Error> {
        let accounts = self.users.all();
        let groups = &account(&accounts, name)?.groups;
        Ok(groups.iter().try_for_each(|group| writeln!(self.operator.output, "{group}"))?)
    }

    fn set_groups(&mut self, name: &str, groups: Vec<String>) -> Result<(), Error> {
        account(&self.users.all(), name)?;
        let groups = each_once(groups);
        let set = |accounts: &Accounts, editor: &mut edit::Editor| {
            let before = account(accounts, name)?.groups.clone();
            editor.set_groups(name, &groups);
            Ok(before)
        };
        let details = |before: &Vec<String>| json!({ "what": "groups", "of": name, "groups_before": before, "groups_after": groups });
        self.change(set, details)?;
        writeln!(self.operator.output, "`{name}` is now {}", in_groups(&groups))?;
        self.warn_of_unknown(&groups)
    }

    fn set_disabled(&mut self, name: &str, disabled: bool) -> Result<(), Error> {
        account(&self.users.all(), name)?;
        let what = if disabled { "disabled" } else { "enabled" };
        let set = |accounts: &Accounts, editor: &mut edit::Editor| {
            let was_disabled = account(accounts, name)?.disabled;
            if was_disabled != disabled {
                editor.set_disabled(name, disabled);
            }
            Ok(was_disabled)
        };
        let was_disabled = self.change(set, |_| json!({ "what": what, "of": name }))?;
        if was_disabled == disabled {
            return Ok(writeln!(self.operator.output, "`{name}` was {what} already")?);
        }
        Ok(writeln!(self.operator.output, "`{name}` is {what}")?)
    }

    fn remove(&mut self, name: &str) -> Result<(), Error> {
        account(&self.users.all(), name)?;
        let remove = |accounts: &Accounts, editor: &mut edit::Editor| {
            let before = account(accounts, name)?.groups.clone();
            editor.remove(name);
            Ok(before)
        };
        let details = |before: &Vec<String>| json!({ "what": "removed", "of": name, "groups_before": before });
        self.change(remove, details)?;
        writeln!(self.operator.output, "`{name}` is removed")?;
        let note = "note: a later user of this name gets the tokens and the second factor, unless you revoke and reset \
                    them. To reserve the name, disable the account instead";
        Ok(writeln!(self.operator.output, "{note}")?)
    }

    /// Prints a line for each account, in columns: the name, the state, and the groups.
    fn list(&mut self) -> Result<(), Error> {
        let accounts = self.users.all();
        let width = accounts.keys().map(String::len).max().unwrap_or_default();
        for (name, account) in accounts.iter() {
            let state = if account.disabled { "disabled" } else { "enabled" };
            let line = format!("{name:width$}  {state:8}  {}", account.groups.join(", "));
            writeln!(self.operator.output, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Records the change in the audit trail, then changes the file.
    fn change<R>(
        &self,
        change: impl FnOnce(&Accounts, &mut edit::Editor) -> Result<R, Error>,
        details: impl FnOnce(&R) -> Value,
    ) -> Result<R, Error> {
        let record = |result: &R| {
            let recorded = self.operator.record(self.config, Event::AccountChanged, &details(result));
            recorded.map_err(|error| {
                Error::Refused(format!("the change was refused, because it could not be recorded: {error}"))
            })
        };
        // Only root can give the file to the group of the API's account, which must read it.
        let group = super::api_account(self.config).map(|(_, group)| group);
        let changed = edit::change(self.users.path(), group, change, record);
        changed.map_err(|error| match error {
            Error::File(error) => explain(error),
            error => error,
        })
    }

    /// Warns of groups that the configuration does not mention: a mistyped group gives no rights.
    fn warn_of_unknown(&mut self, groups: &[String]) -> Result<(), Error> {
        let auth = &self.config.auth;
        let of_types = self.config.job_types.values().flat_map(|job_type| &job_type.groups);
        let known: BTreeSet<&String> = [&auth.user_groups, &auth.admin_groups, &auth.viewer_groups]
            .into_iter()
            .flatten()
            .chain(of_types)
            .collect();
        for group in groups.iter().filter(|group| !known.contains(group)) {
            let file = self.config.path.display();
            writeln!(self.operator.output, "note: {file} does not mention the group `{group}`")?;
        }
        Ok(())
    }
}

impl Operator<'_> {
    /// Reads a new password and returns its hash. A person types it twice, because they do not see it.
    fn new_password(&mut self, name: &str) -> Result<String, Error> {
        let password = (self.read_secret)(&format!("New password of {name}"))?;
        let hash = password::hash(&password).map_err(|unfit| Error::Refused(unfit.to_string()))?;
        if self.at_terminal {
            let again = (self.read_secret)("Repeat the password")?;
            if !bool::from(password.as_bytes().ct_eq(again.as_bytes())) {
                return Err(Error::Refused("the passwords differ; the account is unchanged".to_owned()));
            }
        }
        Ok(hash)
    }
}

fn account<'a>(accounts: &'a Accounts, name: &str) -> Result<&'a Account, Error> {
    let unknown = || Error::Refused(format!("there is no user `{name}`; to list all users: spiderpig-api user list"));
    accounts.get(name).ok_or_else(unknown)
}

fn refuse_second(accounts: &Accounts, name: &str) -> Result<(), Error> {
    if accounts.contains_key(name) {
        let instead = format!("to set a new password: spiderpig-api user passwd {name}");
        return Err(Error::Refused(format!("the user `{name}` exists already; {instead}")));
    }
    Ok(())
}

/// The names in the same order, without duplicates.
fn each_once(mut names: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

fn in_groups(groups: &[String]) -> String {
    match groups {
        [] => "in no group yet, and cannot do anything".to_owned(),
        groups => format!("in {}", groups.join(", ")),
    }
}

fn explain(error: spool::Error) -> Error {
    let advice = match error.kind() {
        Some(ErrorKind::PermissionDenied) => "run this as root, or as the owner of the file",
        Some(ErrorKind::NotFound) => "create the directory first, or set `auth.users_file` to another file",
        _ => return error.into(),
    };
    Error::Refused(format!("{error}; {advice}"))
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use clap::Parser;

    use std::os::unix::fs::MetadataExt as _;

    use crate::audit::{Audit, Filter};
    use crate::spool::atomic;
    use crate::state::StateDirectory;

    use super::*;

    const PASSWORD: &str = "correct horse battery";

    #[derive(Parser)]
    struct Arguments {
        #[command(subcommand)]
        command: Command,
    }

    struct Bench {
        _directory: tempfile::TempDir,
        config: Config,
    }

    impl Bench {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let text = "[job_types.hello]\ncommand = ['true']\ngroups = ['greeters']";
            let mut config = Config::parse(Path::new("/etc/spiderpig/spiderpig.toml"), text).unwrap();
            config.auth.users_file = directory.path().join("users.toml");
            config.api.state_directory = directory.path().join("api");
            Self { _directory: directory, config }
        }

        /// What a command says, or why it does nothing. What is typed are the secrets; a script gives only the first.
        fn run(&self, line: &str, secrets: &[&str], at_terminal: bool) -> Result<String, String> {
            let arguments = Arguments::try_parse_from(["user"].into_iter().chain(line.split_whitespace()));
            let command = arguments.map_err(|error| error.to_string())?.command;
            let mut secrets = secrets.iter();
            let mut read_secret = |_: &str| {
                let secret = secrets.next().ok_or(io::ErrorKind::UnexpectedEof)?;
                Ok((*secret).to_owned())
            };
            let mut output = Vec::new();
            let mut operator =
                Operator { name: "root", output: &mut output, read_secret: &mut read_secret, at_terminal };
            let done = run(command, &self.config, &mut operator);
            assert_eq!(secrets.len(), 0, "all that was typed was asked for");
            done.map_err(|error| error.to_string())?;
            Ok(String::from_utf8(output).unwrap())
        }

        fn say(&self, line: &str) -> String {
            self.run(line, &[], false).unwrap_or_else(|error| format!("refused: {error}"))
        }

        fn account(&self, name: &str) -> Option<Account> {
            Users::open(self.config.auth.users_file.clone()).unwrap().get(name)
        }
    }

    #[test]
    fn an_account_from_its_beginning_to_its_end() {
        let bench = Bench::new();
        let added = bench.run("add alice --group deployers --group deployers --group greeters", &[PASSWORD], false);
        assert_eq!(added.unwrap(), "`alice` is added, in deployers, greeters\n");
        let first = bench.account("alice").unwrap();
        assert!(password::verify(PASSWORD, Some(&first.password)));
        assert_eq!(bench.say("groups alice"), "deployers\ngreeters\n");
        assert_eq!(bench.say("groups alice admins deployers"), "`alice` is now in admins, deployers\n");
        assert_eq!(bench.run("passwd alice", &["another long one"], false).unwrap(), "`alice` has a new password\n");
        let second = bench.account("alice").unwrap();
        assert!(password::verify("another long one", Some(&second.password)) && second.stamp() != first.stamp());
        assert_eq!(bench.say("disable alice"), "`alice` is disabled\n");
        assert_eq!(bench.say("disable alice"), "`alice` was disabled already\n");
        assert!(bench.account("alice").unwrap().disabled);
        assert_eq!(bench.say("enable alice"), "`alice` is enabled\n");
        assert_eq!(bench.say("enable alice"), "`alice` was enabled already\n");
        assert!(!bench.account("alice").unwrap().disabled);
        let removed = bench.say("remove alice");
        assert!(removed.starts_with("`alice` is removed\nnote: a later user of this name gets"), "{removed}");
        assert!(bench.account("alice").is_none());
    }

    #[test]
    fn the_list_has_no_hash() {
        let bench = Bench::new();
        assert_eq!(bench.say("list"), "");
        bench.run("add alice --group admins --group deployers", &[PASSWORD], false).unwrap();
        bench.run("add bartholomew", &[PASSWORD], false).unwrap();
        bench.say("disable bartholomew");
        assert_eq!(bench.say("list"), "alice        enabled   admins, deployers\nbartholomew  disabled\n");
    }

    #[test]
    fn who_types_a_password_does_so_twice() {
        let bench = Bench::new();
        let added = bench.run("add alice", &[PASSWORD, PASSWORD], true);
        assert_eq!(added.unwrap(), "`alice` is added, in no group yet, and cannot do anything\n");
        let stamp = bench.account("alice").unwrap().stamp();
        let differ = bench.run("passwd alice", &[PASSWORD, "correct horse batterz"], true);
        assert_eq!(differ.unwrap_err(), "the passwords differ; the account is unchanged");
        let short = bench.run("passwd alice", &["too short"], true).unwrap_err();
        assert!(short.starts_with("a password must have at least 12 characters"), "{short}");
        assert_eq!(bench.account("alice").unwrap().stamp(), stamp);
    }

    #[test]
    fn what_cannot_be_done_is_refused_before_a_password_is_asked_for() {
        let bench = Bench::new();
        let unknown = "refused: there is no user `bob`; to list all users: spiderpig-api user list";
        for command in ["passwd bob", "groups bob", "groups bob admins", "disable bob", "enable bob", "remove bob"] {
            assert_eq!(bench.say(command), unknown, "{command}");
        }
        assert!(!bench.config.auth.users_file.exists(), "nothing is made in vain");
        bench.run("add alice", &[PASSWORD], false).unwrap();
        assert_eq!(
            bench.say("add alice"),
            "refused: the user `alice` exists already; to set a new password: spiderpig-api user passwd alice"
        );
        for (command, problem) in [
            ("add Alice", "a user's name must be 1 to 64 of a-z"),
            ("add ../alice", "a user's name must be 1 to 64 of a-z"),
            ("add", "required arguments were not provided"),
            ("add bob password", "unexpected argument 'password'"),
            ("passwd alice password", "unexpected argument 'password'"),
        ] {
            assert!(bench.say(command).contains(problem), "{command}: {}", bench.say(command));
        }
    }

    #[test]
    fn what_cannot_be_recorded_is_not_done_and_a_record_has_the_groups_before_and_after() {
        let bench = Bench::new();
        bench.run("add alice --group deployers", &[PASSWORD], false).unwrap();
        bench.say("groups alice admins deployers");
        bench.say("disable alice");
        let audit = Audit::new(StateDirectory::new(&bench.config.api.state_directory));
        let lines = audit.page(&Filter::default(), None, 10).unwrap().entries;
        let told: Vec<Value> = lines.into_iter().rev().map(|line| line.details.into()).collect();
        let expected = [
            json!({ "what": "added", "of": "alice", "groups_after": ["deployers"] }),
            json!({
                "what": "groups", "of": "alice",
                "groups_before": ["deployers"], "groups_after": ["admins", "deployers"],
            }),
            json!({ "what": "disabled", "of": "alice" }),
        ];
        assert_eq!(told, expected);

        let trail = audit.path().to_owned();
        atomic::remove(&trail).unwrap();
        atomic::create_directory(&trail, 0o700).unwrap();
        let before = std::fs::read_to_string(&bench.config.auth.users_file).unwrap();
        let unrecorded = "the change was refused, because it could not be recorded: ";
        for (line, secrets) in [
            ("add bob --group admins", &[PASSWORD][..]),
            ("passwd alice", &[PASSWORD]),
            ("groups alice deployers", &[]),
            ("enable alice", &[]),
            ("remove alice", &[]),
        ] {
            let said = bench.run(line, secrets, false).unwrap_err();
            assert!(said.starts_with(unrecorded) && said.contains("audit.jsonl"), "{line}: {said}");
        }
        assert_eq!(std::fs::read_to_string(&bench.config.auth.users_file).unwrap(), before);
    }

    #[test]
    fn what_root_makes_is_for_the_account_of_the_api() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let mut bench = Bench::new();
        // An account that every system has: the runner trusts it, so it is the API's.
        bench.config.runner.trusted_submitters = vec!["no such account".into(), "nobody".into()];
        let nobody = uzers::get_user_by_name("nobody").unwrap();
        bench.run("add alice", &[PASSWORD], false).unwrap();
        let owner = |path: &Path| path.metadata().map(|file| (file.uid(), file.gid(), file.mode() & 0o777)).unwrap();
        let (uid, gid) = (nobody.uid(), nobody.primary_group_id());
        let state = &bench.config.api.state_directory;
        assert_eq!(owner(state), (uid, gid, 0o700));
        assert_eq!(owner(&state.join("audit.jsonl")), (uid, gid, 0o600));
        assert_eq!(owner(&bench.config.auth.users_file), (0, gid, 0o640));

        // One that an editor of root's made, and that nobody but root can read, is mended with the next change.
        atomic::set_owner(&bench.config.auth.users_file, 0, 0).unwrap();
        atomic::set_mode(&bench.config.auth.users_file, 0o600).unwrap();
        bench.say("disable alice");
        assert_eq!(owner(&bench.config.auth.users_file), (0, gid, 0o640));
        // What an operator has chosen stays.
        atomic::set_owner(&bench.config.auth.users_file, 0, gid + 1).unwrap();
        bench.say("enable alice");
        assert_eq!(owner(&bench.config.auth.users_file), (0, gid + 1, 0o640));
    }

    #[test]
    fn a_group_that_nothing_names_is_told_of() {
        let bench = Bench::new();
        let said = bench.run("add alice --group deployer --group greeters", &[PASSWORD], false).unwrap();
        let note = "note: /etc/spiderpig/spiderpig.toml does not mention the group `deployer`\n";
        assert_eq!(said, format!("`alice` is added, in deployer, greeters\n{note}"));
        assert_eq!(bench.say("groups alice deployer"), format!("`alice` is now in deployer\n{note}"));
    }

    #[test]
    fn a_file_in_no_directory_is_refused_with_advice() {
        let mut bench = Bench::new();
        bench.config.auth.users_file = "/nowhere/at/all/users.toml".into();
        let said = bench.run("add alice", &[PASSWORD], false).unwrap_err();
        assert!(said.contains("/nowhere/at/all/users.toml") && said.contains("create the directory first"), "{said}");
    }

    #[test]
    fn a_damaged_file_is_named_and_kept() {
        let bench = Bench::new();
        let path = &bench.config.auth.users_file;
        let text = "[users.alice]\ngroups = []\n";
        atomic::replace(path, text.as_bytes(), 0o640, atomic::Durability::Ordered).unwrap();
        for command in ["add bob", "remove alice", "list"] {
            let said = bench.say(command);
            let expected = format!("refused: {}: line 1: [users.alice] must have `password`", path.display());
            assert!(said.starts_with(&expected), "{command}: {said}");
        }
        assert_eq!(std::fs::read_to_string(path).unwrap(), text);
    }
}
