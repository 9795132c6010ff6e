//! What scap asks, and what its answers mean. It exits with 0 after most questions that were answered with "No", and
//! with 1 whether it rolled back or failed, so the exit status alone tells neither.
//!
//! These are the questions of its commands `backport`, `sync-world`, `train`, `deploy-promote`, `deploy` and others, as
//! of 2026, and those of some years before.

use crate::spool::outcome::{Outcome, OutcomeRule};

/// Answered "No", these end scap. There are others after which it goes on, such as whether to show a diff.
const CANCELLING: &str = concat!(
    r"(?:Backport the changes|Continue with (?:backport|revert) anyway|continue with (?:backport|revert)\(s\)",
    r"|Continue with (?:the )?deployment(?: \(all patches will be deployed\))?|Continue with sync",
    r"|Do you want to proceed anyway|Clear lock|Proceed|Continue)\?\s*\z",
    r"|\A(?:Promote .+ to |Set and deploy these versions:|Replay checkouts from )",
);

/// What scap asks when a step has failed.
const AFTER_FAILURE: &str = r"What do you want to do\?\s*\z";

/// What `scap deploy` asks when a group has failed, or is the last one for now.
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
        // The way back had failed as well.
        rule(Outcome::Failed, Some(AFTER_FAILURE), "Cancel and seek help"),
        rule(Outcome::RolledBack, None, "(?:No, r|R)oll back.*"),
        rule(Outcome::RolledBack, Some(ROLL_BACK), "Yes"),
        // Whoever says "No" to "Continue?" is asked this: the groups that were deployed stay so.
        rule(Outcome::Failed, Some(ROLL_BACK), "No"),
        rule(Outcome::CancelledAtPrompt, Some(CANCELLING), "No"),
        rule(Outcome::CancelledAtPrompt, Some(r"\AWhat station do you want "), "Cancel"),
        // An interrupt makes it ask; after such an answer it was not stopped.
        OutcomeRule { exit: Some(vec![0]), ..rule(Outcome::Succeeded, Some(AFTER_FAILURE), "(?:Retry|Ignore) .*") },
    ]
}
