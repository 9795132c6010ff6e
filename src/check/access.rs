//! The rights of the API's account in the spool: those that it must have, and those that it must not have.

use std::io;

use crate::config::Config;
use crate::spool::layout::{DIRECTORIES, DROP_DIRECTORY, PRIVATE_DIRECTORY, SHARED_FILE};

use super::account::{Account, EXECUTE, READ, WRITE};
use super::finding::{Finding, Findings};
use super::root::Root;
use super::shape::{FILES, Shape};
use super::shell::quote;
use super::writable::Writable;
use super::{inotify, state_directory, submitters, users};

/// Checks the rights that the API relies on, for the account that runs it. The list is empty if all is well.
#[must_use]
pub fn check_access(config: &Config, account: &Account) -> Vec<Finding> {
    let mut findings = Findings::default();
    if let Some(root) = Root::look(config, &mut findings) {
        check_account(config, account, &root, &mut findings);
    }
    state_directory::check(config, account, &mut findings);
    let mut writable = Writable::by_others_than(&[account.uid()]);
    writable.check_file(&config.path, "the configuration", &mut findings);
    users::check(config, account, &mut writable, &mut findings);
    inotify::check_now(&mut findings);
    findings.into_vec()
}

fn check_account(config: &Config, account: &Account, root: &Root, findings: &mut Findings) {
    // The runner's own account has all rights. Some people run both daemons as one account on purpose.
    let is_owner = account.uid() == root.owner().user;
    if account.is_root() && !is_owner {
        findings.add(Finding::new(
            quote(root.path()),
            "can be changed by root everywhere, so a check as root says nothing about the rights of the API",
            format!(
                "run the check as the account of the API: sudo -u ACCOUNT spiderpig-api --config {} check",
                quote(&config.path)
            ),
        ));
        return;
    }
    if let Ok(Some(obstacle)) = account.obstacle(root.path(), READ | EXECUTE)
        && obstacle != root.path()
    {
        findings.add(Finding::new(
            quote(&obstacle),
            format!("is on the way to the spool, and the account {} cannot pass it", account.name()),
            format!("chmod o+x {}", quote(&obstacle)),
        ));
    }
    // An account outside the group fails every check below, so one finding is enough.
    if !submitters::check_membership(account, root, &quote(root.path()), findings) {
        return;
    }
    let expect = Expectation { account, root, is_owner };
    for (name, mode) in std::iter::once(("", PRIVATE_DIRECTORY)).chain(DIRECTORIES) {
        let shape = Shape { directory: true, mode, owner: root.owner() };
        expect.check(name, &shape, mode == DROP_DIRECTORY, true, findings);
    }
    for (name, mode, required) in FILES {
        let shape = Shape { directory: false, mode, owner: root.owner() };
        expect.check(name, &shape, mode == SHARED_FILE, required, findings);
    }
    if root.path().join("layout").metadata().is_ok_and(|metadata| account.may(&metadata, READ)) {
        // Only the check of the version matters here.
        root.open_spool(config, findings);
    }
    check_trust(config, account, is_owner, findings);
}

struct Expectation<'a> {
    account: &'a Account,
    root: &'a Root,
    is_owner: bool,
}

impl Expectation<'_> {
    fn check(&self, name: &str, shape: &Shape, writes: bool, required: bool, findings: &mut Findings) {
        let path = if name.is_empty() { self.root.path().to_owned() } else { self.root.path().join(name) };
        let metadata = match path.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !required => return,
            Err(error) => {
                findings.add(Finding::new(
                    quote(path),
                    format!("cannot be examined: {error}"),
                    "start spiderpig-runner, which creates missing files: systemctl start spiderpig-runner",
                ));
                return;
            }
        };
        let enter = if shape.directory { EXECUTE } else { 0 };
        let account = self.account.name();
        let problem = if !self.account.may(&metadata, READ | enter) {
            format!("cannot be read by the account {account}")
        } else if writes && !self.account.may(&metadata, WRITE) {
            format!("cannot be written by the account {account}, but members of the group must write it")
        } else if !writes && !self.is_owner && self.account.may(&metadata, WRITE) {
            format!("can be written by the account {account}, but must not be")
        } else {
            return;
        };
        findings.add(Finding::new(quote(&path), problem, shape.restore(&path, &metadata)));
    }
}

/// The runner accepts jobs for other users only from accounts that it trusts.
fn check_trust(config: &Config, account: &Account, is_owner: bool, findings: &mut Findings) {
    let name = account.name();
    if is_owner || config.runner.trusted_submitters.contains(&name) {
        return;
    }
    findings.add(Finding::new(
        "runner.trusted_submitters",
        format!(
            "does not contain the account {name}, so the runner rejects every job that it submits for another \
                 user"
        ),
        format!("add \"{name}\" to the list in {}, then: systemctl restart spiderpig-runner", quote(&config.path)),
    ));
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests damage files by hand")]
mod tests {
    use crate::check::testing::{Scene, is_root};
    use crate::spool::atomic::set_mode;

    use super::*;

    const TRUSTING: &str = "[runner]\ntrusted_submitters = ['nobody']";

    fn nobody() -> Account {
        Account::of(uzers::get_user_by_name("nobody").unwrap().uid())
    }

    /// A spool whose group the account `nobody` is in.
    fn scene() -> Scene {
        let scene = Scene::new().with_config(TRUSTING);
        let group = uzers::get_user_by_name("nobody").unwrap().primary_group_id();
        let root = scene.spool.root().to_owned();
        let below = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path());
        for path in below.chain([root.clone()]) {
            let mode = std::os::unix::fs::MetadataExt::mode(&path.metadata().unwrap());
            std::os::unix::fs::chown(&path, None, Some(group)).unwrap();
            set_mode(&path, mode & 0o7777).unwrap();
        }
        scene
    }

    #[test]
    fn a_member_of_the_group_has_what_the_api_needs() {
        if !is_root() {
            return;
        }
        assert_eq!(scene().access(&nobody()), "");
        assert_eq!(scene().findings(), "");
    }

    #[test]
    fn a_stranger_is_told_of_the_group_only() {
        if !is_root() {
            return;
        }
        assert_eq!(
            Scene::new().with_config(TRUSTING).access(&nobody()),
            "SPOOL: the account nobody is not in the group root of the spool\n  \
             fix: usermod -aG root nobody, then restart the services of that account"
        );
    }

    #[test]
    fn too_little_and_too_much_are_both_named() {
        if !is_root() {
            return;
        }
        let scene = scene();
        for (name, mode) in [("jobs", 0o2770), ("inbox", 0o2750), ("sequence", 0o640), ("layout", 0o600)] {
            set_mode(&scene.path(name), mode).unwrap();
        }
        assert_eq!(
            scene.access(&nobody()),
            "SPOOL/inbox: cannot be written by the account nobody, but members of the group must write it\n  \
             fix: chmod 3770 SPOOL/inbox\n\
             SPOOL/jobs: can be written by the account nobody, but must not be\n  fix: chmod 2750 SPOOL/jobs\n\
             SPOOL/layout: cannot be read by the account nobody\n  fix: chmod 0640 SPOOL/layout\n\
             SPOOL/sequence: cannot be written by the account nobody, but members of the group must write it\n  \
             fix: chmod 0660 SPOOL/sequence"
        );
    }

    #[test]
    fn the_way_to_the_spool_and_the_trust_of_the_runner_are_needed() {
        if !is_root() {
            return;
        }
        let scene = scene().with_config("[runner]\ntrusted_submitters = []");
        set_mode(scene.spool.root().parent().unwrap(), 0o700).unwrap();
        assert_eq!(
            scene.access(&nobody()),
            "PARENT: is on the way to the spool, and the account nobody cannot pass it\n  fix: chmod o+x PARENT\n\
             runner.trusted_submitters: does not contain the account nobody, so the runner rejects every job that it \
             submits for another user\n  fix: add \"nobody\" to the list in /etc/spiderpig/spiderpig.toml, then: \
             systemctl restart spiderpig-runner"
        );
    }

    #[test]
    fn a_version_that_the_api_does_not_know_is_named() {
        let scene = Scene::new();
        std::fs::write(scene.spool.layout(), "2\n").unwrap();
        let findings = scene.access(&Account::current());
        assert!(findings.starts_with("SPOOL/layout: layout version \"2\\n\" is unknown"), "{findings}");
    }

    #[test]
    fn the_runners_own_account_may_do_everything() {
        let scene = Scene::new();
        set_mode(&scene.path("jobs"), 0o2700).unwrap();
        assert_eq!(scene.access(&Account::current()), "");
    }

    #[test]
    fn root_is_no_judge_of_somebody_elses_spool() {
        if !is_root() {
            return;
        }
        let scene = Scene::new();
        std::os::unix::fs::chown(scene.spool.root(), Some(nobody().uid()), None).unwrap();
        assert_eq!(
            scene.access(&Account::of(0)),
            "SPOOL: can be changed by root everywhere, so a check as root says nothing about the rights of the API\n  \
             fix: run the check as the account of the API: sudo -u ACCOUNT spiderpig-api --config \
             /etc/spiderpig/spiderpig.toml check"
        );
    }
}
