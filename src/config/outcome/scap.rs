//! The questions of scap, and the meaning of the answers. Scap exits with 0 after most questions that were answered
//! with "No". It exits with 1 both after a rollback and after a failure. So the exit status alone is not enough.
//!
//! These are the questions of the commands `backport`, `sync-world`, `train`, `deploy-promote`, `deploy` and others, as
//! of 2026 and some years before.

use crate::spool::outcome::{Outcome, OutcomeRule};

/// Scap ends if these are answered with "No". It continues after others, such as whether to show a diff.
const CANCELLING: &str = concat!(
    r"(?:Backport the changes|Continue with (?:backport|revert) anyway|continue with (?:backport|revert)\(s\)",
    r"|Continue with (?:the )?deployment(?: \(all patches will be deployed\))?|Continue with sync",
    r"|Do you want to proceed anyway|Clear lock|Proceed|Continue)\?\s*\z",
    r"|\A(?:Promote .+ to |Set and deploy these versions:|Replay checkouts from )",
);

/// The question of scap after a failed step.
const AFTER_FAILURE: &str = r"What do you want to do\?\s*\z";

/// The question of `scap deploy` when a group has failed, or is the last one for now.
const ROLL_BACK: &str = r"\ARollback all deployed groups\?";

/// The rules for scap.
pub(super) fn rules() -> Vec<OutcomeRule> {
    let rule = |outcome, prompt: Option<&str>, answer: &str| OutcomeRule {
        outcome,
        prompt: prompt.map(str::to_owned),
        answer: Some(answer.to_owned()),
        status: None,
        exit: None,
    };
    vec![
        // The rollback had failed as well.
        rule(Outcome::Failed, Some(AFTER_FAILURE), "Cancel and seek help"),
        rule(Outcome::RolledBack, None, "(?:No, r|R)oll back.*"),
        rule(Outcome::RolledBack, Some(ROLL_BACK), "Yes"),
        // Scap asks this after a "No" to "Continue?". The deployed groups stay deployed.
        rule(Outcome::Failed, Some(ROLL_BACK), "No"),
        rule(Outcome::CancelledAtPrompt, Some(CANCELLING), "No"),
        rule(Outcome::CancelledAtPrompt, Some(r"\AWhat station do you want "), "Cancel"),
        // Scap also asks this after an interrupt. A job with such an answer was not stopped.
        OutcomeRule { exit: Some(vec![0]), ..rule(Outcome::Succeeded, Some(AFTER_FAILURE), "(?:Retry|Ignore) .*") },
    ]
}
