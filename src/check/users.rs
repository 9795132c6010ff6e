//! The users file: the API's account must be able to read it, and others must not.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::accounts::users::{Accounts, Users};
use crate::config::{AuthMode, Config};
use crate::spool::Error;
use crate::spool::layout::FILE;

use super::account::{Account, READ};
use super::finding::{Finding, Findings};
use super::shell::quote;
use super::writable::Writable;

/// The mode bits that the users file must not have: the group may only read, and others have no rights.
const TOO_OPEN: u32 = 0o037;

/// Checks the users file for the account that runs the API, if people sign in by it.
pub(super) fn check(config: &Config, account: &Account, writable: &mut Writable, findings: &mut Findings) {
    if config.auth.mode != AuthMode::Local {
        return;
    }
    let path = &config.auth.users_file;
    writable.check_way(path, "the users file", findings);
    let mut add = |problem: String, fix: String| findings.add(Finding::new(quote(path), problem, fix));
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return add("does not exist, so nobody can sign in".to_owned(), first_user(config));
        }
        Err(error) => {
            return add(
                format!("cannot be examined: {error}"),
                format!("see what is in the way: namei -l {}", quote(path)),
            );
        }
    };
    if !metadata.is_file() {
        return add("is not a regular file".to_owned(), format!("move it away, then: {}", first_user(config)));
    }
    if let Some((problem, fix)) = unreadable(path, &metadata, account) {
        add(problem, fix);
    }
    let mode = metadata.mode() & 0o7777;
    if mode & TOO_OPEN != 0 {
        let problem = format!("can be read or written by other accounts (mode {mode:04o})");
        return add(problem, format!("chmod {FILE:04o} {}", quote(path)));
    }
    match Users::open(path.clone()) {
        Ok(users) => {
            if let Some((problem, fix)) = missing(config, &users.all()) {
                add(problem, fix);
            }
        }
        // Reported above, unless the check runs as a third account.
        Err(Error::Io { .. }) => {}
        Err(Error::Invalid { reason, .. }) => add(
            format!("is damaged: {reason}"),
            "correct it with an \
                                                           editor"
                .to_owned(),
        ),
        Err(error) => add(error.to_string(), "check again".to_owned()),
    }
}

/// Why the account cannot read the file, and the fix.
fn unreadable(path: &Path, metadata: &Metadata, account: &Account) -> Option<(String, String)> {
    let (name, file) = (account.name(), quote(path));
    match account.obstacle(path, READ) {
        Ok(None) => None,
        Ok(Some(obstacle)) if obstacle.metadata().is_ok_and(|there| there.ino() != metadata.ino()) => {
            let obstacle = quote(obstacle);
            let problem = format!("cannot be reached by the account {name}, because {obstacle} does not let it pass");
            Some((problem, format!("chmod o+x {obstacle}")))
        }
        Ok(Some(_)) => {
            let fix = format!("chgrp \"$(id -gn {})\" {file} && chmod {FILE:04o} {file}", quote(&name));
            Some((format!("cannot be read by the account {name}"), fix))
        }
        Err(error) => {
            Some((format!("cannot be examined: {error}"), format!("see what is in the way: namei -l {file}")))
        }
    }
}

/// Reports that the file has no enabled user, or no admin.
fn missing(config: &Config, accounts: &Accounts) -> Option<(String, String)> {
    let admins = &config.auth.admin_groups;
    let is_admin = |groups: &[String]| groups.iter().any(|group| admins.contains(group));
    let enabled = || accounts.values().filter(|account| !account.disabled);
    if enabled().next().is_none() {
        return Some(("has no enabled user, so nobody can sign in".to_owned(), first_user(config)));
    }
    let first = admins.first()?;
    if enabled().any(|account| is_admin(&account.groups)) {
        return None;
    }
    let admins = admins.join(", ");
    let problem = format!("has no enabled user in an admin group ({admins}), so nobody can administer SpiderPig");
    Some((problem, format!("{} groups NAME {}, with all groups of the user", command(config), quote(first))))
}

/// The command that adds the first user: an admin, who can add and help others.
fn first_user(config: &Config) -> String {
    let groups = config.auth.admin_groups.first().or_else(|| config.auth.user_groups.first());
    let group = groups.map_or_else(String::new, |group| format!(" --group {}", quote(group)));
    format!("{} add NAME{group}", command(config))
}

fn command(config: &Config) -> String {
    format!("spiderpig-api --config {} user", quote(&config.path))
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{Scene, is_root};
    use crate::spool::atomic;
    use crate::spool::atomic::{Durability, replace, set_mode};

    use super::*;

    const ADMIN: &str = "[users.alice]\n\
        password = \"$argon2id$v=19$m=64,t=3,p=2$c29tZXNhbHQ$FBb/p4qXE/ESXaMMYj3l+C3R8QhwViyO\"\n\
        groups = [\"admins\"]\n";
    const FIRST: &str = "fix: spiderpig-api --config /etc/spiderpig/spiderpig.toml user add NAME --group admins";

    fn write(config: &Config, text: &str) {
        replace(&config.auth.users_file, text.as_bytes(), FILE, Durability::Ordered).unwrap();
    }

    fn findings(config: &Config, account: &Account) -> String {
        let mut findings = Findings::default();
        check(config, account, &mut Writable::by_others_than(&[account.uid()]), &mut findings);
        let texts: Vec<String> = findings.into_vec().iter().map(ToString::to_string).collect();
        texts.join("\n").replace(&config.auth.users_file.display().to_string(), "USERS")
    }

    #[test]
    fn where_nobody_can_sign_in_the_way_to_the_first_user_is_named() {
        let scene = Scene::new();
        let (config, own) = (&scene.config, Account::current());
        assert_eq!(findings(config, &own), format!("USERS: does not exist, so nobody can sign in\n  {FIRST}"));
        let nobody = format!("USERS: has no enabled user, so nobody can sign in\n  {FIRST}");
        write(config, "");
        assert_eq!(findings(config, &own), nobody);
        write(config, &format!("{ADMIN}disabled = true\n"));
        assert_eq!(findings(config, &own), nobody);
        write(config, ADMIN);
        assert_eq!(findings(config, &own), "");
    }

    #[test]
    fn somebody_is_an_admin() {
        let scene = Scene::new();
        let own = Account::current();
        write(&scene.config, &ADMIN.replace("admins", "deployers"));
        assert_eq!(
            findings(&scene.config, &own),
            "USERS: has no enabled user in an admin group (admins), so nobody can administer SpiderPig\n  fix: \
             spiderpig-api \
             --config /etc/spiderpig/spiderpig.toml user groups NAME admins, with all groups of the user"
        );
        let scene = scene.with_config("[auth]\nadmin_groups = []");
        assert_eq!(findings(&scene.config, &own), "", "nobody is meant to be one");
    }

    #[test]
    fn what_is_wrong_with_the_file_is_named() {
        let scene = Scene::new();
        let (config, own) = (&scene.config, Account::current());
        write(config, &format!("{ADMIN}group = []\n"));
        assert_eq!(
            findings(config, &own),
            "USERS: is damaged: line 4: unknown key `group` in [users.alice]; known: `password`, `groups`, \
             `disabled`\n  \
             fix: correct it with an editor"
        );
        for mode in [0o644, 0o660, 0o642] {
            set_mode(&config.auth.users_file, mode).unwrap();
            let problem = format!("can be read or written by other accounts (mode {mode:04o})");
            assert_eq!(findings(config, &own), format!("USERS: {problem}\n  fix: chmod 0640 USERS"));
        }
        let path = &config.auth.users_file;
        atomic::remove(path).unwrap();
        atomic::symlink(Path::new("/etc/hostname"), path).unwrap();
        assert_eq!(
            findings(config, &own),
            format!("USERS: is not a regular file\n  {}", FIRST.replace("fix: ", "fix: move it away, then: "))
        );
    }

    #[test]
    fn accounts_are_of_no_interest_to_other_modes() {
        for auth in ["mode = 'none'", "mode = 'cas'\n[auth.cas]\nserver_url = 'https://idp.example.org'"] {
            let scene = Scene::new().with_config(&format!("[auth]\n{auth}"));
            assert_eq!(findings(&scene.config, &Account::current()), "", "{auth}");
        }
    }

    #[test]
    fn the_account_of_the_api_can_read_it() {
        if !is_root() {
            return;
        }
        let scene = Scene::new();
        let config = &scene.config;
        let nobody = Account::of(uzers::get_user_by_name("nobody").unwrap().uid());
        write(config, ADMIN);
        assert_eq!(
            findings(config, &nobody),
            "USERS: cannot be read by the account nobody\n  fix: chgrp \"$(id -gn nobody)\" USERS && chmod 0640 USERS"
        );
        let group = uzers::get_user_by_name("nobody").unwrap().primary_group_id();
        atomic::set_group(&config.auth.users_file, group).unwrap();
        assert_eq!(findings(config, &nobody), "");
        let parent = config.auth.users_file.parent().unwrap();
        set_mode(parent, 0o700).unwrap();
        let parent = parent.display();
        assert_eq!(
            findings(config, &nobody),
            format!(
                "USERS: cannot be reached by the account nobody, because {parent} does not let it pass\n  fix: chmod \
                 o+x {parent}"
            )
        );
    }
}
