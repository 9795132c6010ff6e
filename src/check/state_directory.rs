//! The API's state directory: its account must be able to use it, and nobody else.

use std::os::unix::fs::MetadataExt as _;

use crate::config::Config;

use super::account::{Account, EXECUTE, READ, WRITE};
use super::finding::{Finding, Findings};
use super::shell::quote;

/// Checks the state directory for the account that runs the API. One that is not there is made by the API when it is
/// needed, if its parent allows that.
pub(super) fn check(config: &Config, account: &Account, findings: &mut Findings) {
    let path = &config.api.state_directory;
    let name = account.name();
    let make = format!("install -d -m 0700 -o {} {}", quote(&name), quote(path));
    let mut add = |problem: String, fix: String| findings.add(Finding::new(quote(path), problem, fix));
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let parent = path.parent().unwrap_or(path);
            if !matches!(account.obstacle(parent, WRITE | EXECUTE), Ok(None)) {
                add(format!("is not there, and cannot be made by the account {name}"), make);
            }
            return;
        }
        Err(error) => return add(format!("cannot be looked at: {error}"), make),
    };
    if !metadata.is_dir() {
        return add("is not a directory".to_owned(), format!("move it away, then: {make}"));
    }
    match account.obstacle(path, READ | WRITE | EXECUTE) {
        Ok(None) => {}
        Ok(Some(obstacle)) if obstacle.metadata().is_ok_and(|there| there.ino() != metadata.ino()) => {
            let problem = format!("cannot be reached by the account {name}: {} is in the way", quote(&obstacle));
            add(problem, format!("chmod o+x {}", quote(&obstacle)));
        }
        Ok(Some(_)) => add(format!("cannot be used by the account {name}"), make),
        Err(error) => add(format!("cannot be looked at: {error}"), make),
    }
    if metadata.mode() & 0o077 != 0 {
        let problem = format!("is open to other accounts (mode {:04o})", metadata.mode() & 0o7777);
        add(problem, format!("chmod 0700 {}", quote(path)));
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests damage files by hand")]
mod tests {
    use crate::check::testing::{Scene, is_root};
    use crate::spool::atomic::{create_directory, set_mode};

    use super::*;

    fn findings(config: &Config, account: &Account) -> String {
        let mut findings = Findings::default();
        check(config, account, &mut findings);
        let texts: Vec<String> = findings.into_vec().iter().map(ToString::to_string).collect();
        texts.join("\n").replace(&config.api.state_directory.display().to_string(), "STATE")
    }

    #[test]
    fn it_is_private_and_usable_or_can_be_made() {
        let scene = Scene::new();
        let (config, own) = (&scene.config, Account::current());
        let state = &config.api.state_directory;
        assert_eq!(findings(config, &own), "", "it will be made");
        create_directory(state, 0o700).unwrap();
        assert_eq!(findings(config, &own), "");
        set_mode(state, 0o2755).unwrap();
        assert_eq!(findings(config, &own), "STATE: is open to other accounts (mode 2755)\n  fix: chmod 0700 STATE");
        std::fs::remove_dir(state).unwrap();
        std::fs::write(state, "").unwrap();
        assert!(findings(config, &own).starts_with("STATE: is not a directory\n  fix: move it away"));
    }

    #[test]
    fn another_account_cannot_use_it() {
        if !is_root() {
            return;
        }
        let scene = Scene::new();
        let nobody = Account::of(uzers::get_user_by_name("nobody").unwrap().uid());
        let make = "fix: install -d -m 0700 -o nobody STATE";
        let expected = format!("STATE: is not there, and cannot be made by the account nobody\n  {make}");
        assert_eq!(findings(&scene.config, &nobody), expected);
        let state = &scene.config.api.state_directory;
        create_directory(state, 0o700).unwrap();
        let expected = format!("STATE: cannot be used by the account nobody\n  {make}");
        assert_eq!(findings(&scene.config, &nobody), expected);
        let parent = state.parent().unwrap();
        set_mode(parent, 0o700).unwrap();
        assert!(findings(&scene.config, &nobody).contains(&format!("chmod o+x {}", parent.display())));
    }
}
