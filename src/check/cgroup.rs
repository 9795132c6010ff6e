//! Control groups. The runner needs one for each job, or at least a view of all processes, to end everything that a
//! job has started, also under other accounts.

use std::path::Path;

use crate::config::Config;
use crate::runner::cgroup::parent::check_directory;
use crate::runner::hidepid::HidePid;
use crate::spool::Spool;
use crate::spool::runner_state::RunnerState;

use super::account::{Account, EXECUTE, WRITE};
use super::finding::{Finding, Findings};
use super::shell::quote;

/// Checks the configured control group. Without one, checks that the runner sees all processes.
pub(super) fn check(config: &Config, runner: &Account, findings: &mut Findings) {
    if let Some(path) = &config.runner.cgroup {
        check_configured(path, config, runner, findings);
        return;
    }
    // Only the runner in its unit knows a control group that systemd delegated.
    let state = Spool::open(&config.spool).and_then(|spool| RunnerState::read(&spool)).ok().flatten();
    if state.is_some_and(|state| state.cgroup.is_some()) {
        return;
    }
    if let Some(hidepid) = HidePid::mounted()
        && hidepid.hides_from(runner.uid(), |group| runner.is_member(group))
    {
        findings.add(hidden(&hidepid, runner));
    }
}

fn hidden(hidepid: &HidePid, runner: &Account) -> Finding {
    let (value, name) = (&hidepid.value, runner.name());
    Finding::new(
        "/proc",
        format!(
            "is mounted with hidepid={value}, so the runner ({name}) cannot see processes of jobs that run as other \
             accounts. A person must free the slot of each lost job"
        ),
        "add Delegate=yes to the runner's unit and restart it; each job then gets its own control group",
    )
}

fn check_configured(path: &Path, config: &Config, runner: &Account, findings: &mut Findings) {
    if let Err(problem) = check_directory(path) {
        let fix = format!(
            "set runner.cgroup to a control group that belongs to {}, in {}",
            runner.name(),
            quote(&config.path)
        );
        findings.add(Finding::new(quote(path), problem, fix));
        return;
    }
    for (file, wanted) in [("", WRITE | EXECUTE), ("cgroup.procs", WRITE)] {
        let path = if file.is_empty() { path.to_owned() } else { path.join(file) };
        if path.metadata().is_ok_and(|metadata| runner.may(&metadata, wanted)) {
            continue;
        }
        findings.add(Finding::new(
            quote(&path),
            format!("cannot be written by {}, which creates the control groups of jobs there", runner.name()),
            format!("chown {} {}", quote(runner.name()), quote(&path)),
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::testing::Scene;

    #[test]
    fn a_configured_group_must_be_one() {
        let scene = Scene::new().with_config("[runner]\ntrusted_submitters = []\ncgroup = '/tmp'\n");
        let name = Account::current().name();
        assert_eq!(
            scene.findings(),
            format!(
                "/tmp: is not a control group of version 2; to find control groups: findmnt -t cgroup2\n  \
                 fix: set runner.cgroup to a control group that belongs to {name}, in /etc/spiderpig/spiderpig.toml"
            )
        );
    }

    #[test]
    fn hidden_processes_are_found() {
        let finding = hidden(&HidePid { value: "invisible".into(), group: 0 }, &Account::of(4_000_000)).to_string();
        assert!(
            finding.starts_with("/proc: is mounted with hidepid=invisible, so the runner (4000000) cannot see"),
            "{finding}"
        );
    }
}
