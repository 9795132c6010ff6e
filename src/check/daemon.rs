//! The problems that a running runner reports, and signs that it does nothing.

use crate::spool::runner_state::RunnerState;
use crate::spool::{Spool, lock, stall};

use super::finding::{Finding, Findings};
use super::shell::quote;

/// Checks the runner, if one is running.
pub(super) fn check(spool: &Spool, findings: &mut Findings) {
    if !lock::is_held(&spool.runner_lock()).unwrap_or(false) {
        return;
    }
    // The runner repairs a damaged file at its next change. Other checks report missing rights.
    let Ok(Some(state)) = RunnerState::read(spool) else { return };
    let path = quote(spool.runner_state());
    for problem in &state.problems {
        findings.add(Finding::new(
            path.clone(),
            format!("the runner reports a problem: {problem}"),
            "solve the problem; spiderpig-runner notices within 30 s",
        ));
    }
    for stall in stall::find(spool, &state).unwrap_or_default() {
        let problem = stall.to_string();
        let (problem, fix) = problem.split_once(". ").unwrap_or((&problem, "see what the process does"));
        findings.add(Finding::new(path.clone(), problem, fix));
    }
}
