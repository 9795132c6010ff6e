//! The API's state directory: only the API's account may use it and its files. It has the keys of second factors, with
//! which one person could sign in as another.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::config::Config;

use super::account::{Account, EXECUTE, READ, WRITE};
use super::finding::{Finding, Findings};
use super::shell::quote;

/// Checks the state directory for the account that runs the API. It may be missing, if its parent lets the API create
/// it.
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
                add(format!("does not exist, and the account {name} cannot create it"), make);
            }
            return;
        }
        Err(error) => return add(format!("cannot be examined: {error}"), make),
    };
    if !metadata.is_dir() {
        return add("is not a directory".to_owned(), format!("move it away, then: {make}"));
    }
    match account.obstacle(path, READ | WRITE | EXECUTE) {
        Ok(None) => {}
        Ok(Some(obstacle)) if obstacle.metadata().is_ok_and(|there| there.ino() != metadata.ino()) => {
            let obstacle = quote(&obstacle);
            let problem = format!("cannot be reached by the account {name}, because {obstacle} does not let it pass");
            add(problem, format!("chmod o+x {obstacle}"));
        }
        Ok(Some(_)) => add(format!("cannot be used by the account {name}"), make),
        Err(error) => add(format!("cannot be examined: {error}"), make),
    }
    if metadata.mode() & 0o077 != 0 {
        let problem = format!("is open to other accounts (mode {:04o})", metadata.mode() & 0o7777);
        add(problem, format!("chmod 0700 {}", quote(path)));
    }
    check_content(path, account, findings);
}

/// Checks the files too: others could read an open file before the directory was closed.
fn check_content(directory: &Path, account: &Account, findings: &mut Findings) {
    // A directory that cannot be listed has its finding already.
    let entries = directory.read_dir().into_iter().flatten().filter_map(Result::ok);
    for (path, metadata) in entries.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?))) {
        let mut add = |problem: String, fix: String| findings.add(Finding::new(quote(&path), problem, fix));
        if metadata.is_symlink() {
            add(
                "is a symbolic link, which the API does not follow".to_owned(),
                "replace it with the file itself".to_owned(),
            );
            continue;
        }
        let (mode, wanted) = if metadata.is_dir() { ("0700", READ | WRITE | EXECUTE) } else { ("0600", READ | WRITE) };
        if metadata.mode() & 0o077 != 0 {
            let problem = format!("is open to other accounts (mode {:04o})", metadata.mode() & 0o7777);
            add(problem, format!("chmod {mode} {}", quote(&path)));
        }
        if !account.may(&metadata, wanted) {
            let name = account.name();
            let fix = format!("chown {0} {1} && chmod {mode} {1}", quote(&name), quote(&path));
            add(format!("cannot be used by the account {name}"), fix);
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests damage files by hand")]
mod tests {
    use crate::check::testing::{Scene, is_root};
    use crate::spool::atomic::{create_directory, create_file, set_mode};

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
    fn what_is_in_it_is_private_too() {
        let scene = Scene::new();
        let own = Account::current();
        let state = &scene.config.api.state_directory;
        create_directory(state, 0o700).unwrap();
        for (name, mode) in [("second_factors.json", 0o600), ("sessions.json", 0o640), ("cookie.key", 0o604)] {
            create_file(&state.join(name), b"{}", mode).unwrap();
        }
        create_directory(&state.join("idempotency"), 0o750).unwrap();
        let listed = |findings: String| {
            let mut lines: Vec<String> = findings.replace("\n  fix:", " fix:").lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let expected = [
            "STATE/cookie.key: is open to other accounts (mode 0604) fix: chmod 0600 STATE/cookie.key",
            "STATE/idempotency: is open to other accounts (mode 0750) fix: chmod 0700 STATE/idempotency",
            "STATE/sessions.json: is open to other accounts (mode 0640) fix: chmod 0600 STATE/sessions.json",
        ];
        assert_eq!(listed(findings(&scene.config, &own)), expected);
        set_mode(&state.join("second_factors.json"), 0o644).unwrap();
        let problem = "STATE/second_factors.json: is open to other accounts (mode 0644)\n  fix: chmod 0600 ";
        assert!(findings(&scene.config, &own).contains(problem));
        std::fs::remove_dir_all(state).unwrap();
        create_directory(state, 0o700).unwrap();
        std::os::unix::fs::symlink("elsewhere", state.join("tokens.json")).unwrap();
        let problem = "STATE/tokens.json: is a symbolic link, which the API does not follow\n  fix: replace it with \
                       the file itself";
        assert_eq!(findings(&scene.config, &own), problem);
    }

    #[test]
    fn another_account_cannot_use_it() {
        if !is_root() {
            return;
        }
        let scene = Scene::new();
        let nobody = Account::of(uzers::get_user_by_name("nobody").unwrap().uid());
        let make = "fix: install -d -m 0700 -o nobody STATE";
        let expected = format!("STATE: does not exist, and the account nobody cannot create it\n  {make}");
        assert_eq!(findings(&scene.config, &nobody), expected);
        let state = &scene.config.api.state_directory;
        create_directory(state, 0o700).unwrap();
        let expected = format!("STATE: cannot be used by the account nobody\n  {make}");
        assert_eq!(findings(&scene.config, &nobody), expected);
        std::os::unix::fs::chown(state, Some(nobody.uid()), None).unwrap();
        create_file(&state.join("second_factors.json"), b"{}", 0o600).unwrap();
        let file = "STATE/second_factors.json";
        let expected =
            format!("{file}: cannot be used by the account nobody\n  fix: chown nobody {file} && chmod 0600 {file}");
        assert_eq!(findings(&scene.config, &nobody), expected, "as root left it");
        let parent = state.parent().unwrap();
        set_mode(parent, 0o700).unwrap();
        assert!(findings(&scene.config, &nobody).contains(&format!("chmod o+x {}", parent.display())));
    }
}
