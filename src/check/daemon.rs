//! What the runner that works on the spool says of itself, and what shows that it does nothing.

use crate::spool::runner_state::RunnerState;
use crate::spool::{Spool, lock, stall};

use super::finding::{Finding, Findings};
use super::shell::quote;

/// Looks at the runner, if one is up.
pub(super) fn check(spool: &Spool, findings: &mut Findings) {
    if !lock::is_held(&spool.runner_lock()).unwrap_or(false) {
        return;
    }
    // Damage is put right at its next change; who may not read it is told so elsewhere.
    let Ok(Some(state)) = RunnerState::read(spool) else { return };
    let path = quote(spool.runner_state());
    for problem in &state.problems {
        findings.add(Finding::new(
            path.clone(),
            format!("the runner reports a problem: {problem}"),
            "put right what it names; spiderpig-runner sees that within half a minute",
        ));
    }
    for stall in stall::look(spool, &state).unwrap_or_default() {
        let problem = stall.to_string();
        let (problem, fix) = problem.split_once(". ").unwrap_or((&problem, "see what the process does"));
        findings.add(Finding::new(path.clone(), problem, fix));
    }
}
