//! `check`: finds faults of the machine, the configuration and the spool, and names a fix for each.
//!
//! A check changes nothing and takes no lock. The daemons may run: temporary states that the layout allows are not
//! reported. Rights are computed from owners and modes, so an administrator can check the accounts of the daemons.
//! Access control lists are not part of the layout, and are ignored.
//!
//! Each file has one kind of finding. `writable.rs` finds out who else can change what runs.

mod access;
mod account;
mod cgroup;
mod daemon;
mod filesystem;
mod finding;
mod inotify;
mod job_types;
mod jobs;
mod limits;
mod monitoring;
mod numbers;
mod root;
mod shape;
mod shell;
mod state_directory;
mod submitters;
mod tree;
mod users;
mod writable;

#[cfg(test)]
mod testing;

pub use self::access::check_access;
pub use self::account::Account;
pub use self::finding::Finding;

use crate::config::Config;

use self::finding::Findings;
use self::root::Root;
use self::writable::Writable;

/// The options of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options<'a> {
    /// The `PATH` that jobs get unless their job type sets another.
    pub search_path: &'a str,
    /// Whether the spool may be on any kind of filesystem. The operator knows that locks work on it.
    pub any_filesystem: bool,
}

/// Checks everything that the runner relies on. The list is empty if all is well.
///
/// The runner's account is taken to be the one that owns the spool, or the one that checks if there is no spool yet.
#[must_use]
pub fn check(config: &Config, options: Options) -> Vec<Finding> {
    let mut findings = Findings::default();
    let mut runner = Account::current();
    if let Some(root) = Root::look(config, &mut findings) {
        runner = Account::of(root.owner().user);
        root.check(config, &mut findings);
        filesystem::check(root.path(), options.any_filesystem, &mut findings);
        submitters::check(config, &root, &mut findings);
        if let Some(spool) = root.open_spool(config, &mut findings) {
            tree::check(&spool, &root, &mut findings);
            numbers::check(&spool, &mut findings);
            daemon::check(&spool, &mut findings);
        }
    }
    inotify::check(config, &mut findings);
    cgroup::check(config, &runner, &mut findings);
    limits::check(&mut findings);
    let mut writable = Writable::by_others_than(&[runner.uid()]);
    writable.check_file(&config.path, "the configuration", &mut findings);
    job_types::check(config, options.search_path, &runner, &mut writable, &mut findings);
    findings.into_vec()
}

#[cfg(test)]
mod tests {
    use crate::check::testing::Scene;

    #[test]
    fn a_spool_in_order_has_no_finding() {
        assert_eq!(Scene::new().with_job(1).findings(), "");
    }
}
