//! `runner.trusted_submitters`: accounts that exist and can submit.

use crate::config::Config;

use super::account::Account;
use super::finding::{Finding, Findings};
use super::root::Root;
use super::shell::quote;

const KEY: &str = "runner.trusted_submitters";

/// Checks that the accounts exist and belong to the group of the spool.
pub(super) fn check(config: &Config, root: &Root, findings: &mut Findings) {
    for name in &config.runner.trusted_submitters {
        let Some(user) = uzers::get_user_by_name(name) else {
            findings.add(Finding::new(
                KEY,
                format!("there is no account {}", quote(name)),
                format!("useradd --system {}, or remove it from the list in {}", quote(name), quote(&config.path)),
            ));
            continue;
        };
        check_membership(&Account::of(user.uid()), root, KEY, findings);
    }
}

/// Checks that an account owns the spool or is in its group. Returns whether it is.
pub(super) fn check_membership(account: &Account, root: &Root, subject: &str, findings: &mut Findings) -> bool {
    let owner = root.owner();
    if account.is_root() || account.uid() == owner.user || account.is_member(owner.group) {
        return true;
    }
    let (name, group) = (account.name(), owner.group_name());
    findings.add(Finding::new(
        subject,
        format!("the account {name} is not in the group {group} of the spool"),
        format!("usermod -aG {} {}, then restart the services of that account", quote(&group), quote(&name)),
    ));
    false
}

#[cfg(test)]
mod tests {
    use crate::check::testing::{Scene, is_root};

    #[test]
    fn accounts_that_do_not_exist_or_do_not_belong_are_named() {
        if !is_root() {
            return;
        }
        let config = "[runner]\ntrusted_submitters = ['root', 'nobody', 'no one']";
        assert_eq!(
            Scene::new().with_config(config).findings(),
            "runner.trusted_submitters: the account nobody is not in the group root of the spool\n  \
             fix: usermod -aG root nobody, then restart the services of that account\n\
             runner.trusted_submitters: there is no account 'no one'\n  \
             fix: useradd --system 'no one', or remove it from the list in /etc/spiderpig/spiderpig.toml"
        );
    }
}
