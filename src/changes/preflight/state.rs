//! What a change itself says: whether it is open and finished, its branch, and its votes.

use super::finding::{Finding, Findings};
use crate::changes::gerrit::{Change, GerritError, Status};
use crate::config::GerritConfig;

/// What Gerrit said about whether a change can be merged; `None` if it was not asked.
pub type Mergeable = Option<Result<bool, GerritError>>;

/// Judges a change by itself.
#[must_use]
pub fn judge(change: &Change, mergeable: &Mergeable, config: &GerritConfig) -> Findings {
    let number = change.number;
    let mut findings = Findings::default();
    let warnings = &mut findings.warnings;
    if !config.deploys(&change.branch) {
        let branch = &change.branch;
        let message =
            format!("Change {number} is for the branch {branch}, which is not one of those that are deployed");
        warnings.push(Finding::new("branch", message));
    }
    match change.status {
        Status::Abandoned => {
            findings.blockers.push(Finding::new("abandoned", format!("Change {number} is abandoned")));
        }
        Status::Merged => warnings.push(Finding::new("merged", format!("Change {number} is merged already"))),
        Status::New => judge_open(change, mergeable, &mut findings),
    }
    findings
}

fn judge_open(change: &Change, mergeable: &Mergeable, findings: &mut Findings) {
    let Findings { blockers, warnings } = findings;
    let number = change.number;
    if change.work_in_progress {
        blockers.push(Finding::new("work_in_progress", format!("Change {number} is marked as work in progress")));
    }
    match mergeable {
        Some(Ok(false)) => {
            let message = format!("Change {number} is in conflict with {}: it must be rebased", change.branch);
            blockers.push(Finding::new("not_mergeable", message));
        }
        Some(Err(error)) => {
            let message = format!("Whether change {number} can be merged is not known: {error}");
            warnings.push(Finding::new("mergeable_unknown", message));
        }
        Some(Ok(true)) | None => {}
    }
    match (change.verified.iter().min(), change.verified.iter().max()) {
        (Some(least @ ..=-1), _) => {
            let message = format!("The tests of change {number} failed (Verified{least})");
            blockers.push(Finding::new("verified_negative", message));
        }
        (_, Some(1..)) => {}
        _ => warnings.push(Finding::new("verified_missing", format!("Change {number} was not verified"))),
    }
    match (change.code_review.iter().min(), change.code_review.iter().max()) {
        (Some(..=-2), _) => {
            let message = format!("A reviewer objects to change {number} (Code-Review-2)");
            blockers.push(Finding::new("review_negative", message));
        }
        (Some(-1), _) => {
            let message = format!("A reviewer has doubts about change {number} (Code-Review-1)");
            warnings.push(Finding::new("review_low", message));
        }
        (_, Some(1..)) => {}
        _ => warnings.push(Finding::new("review_missing", format!("Change {number} was not reviewed"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{change, config};

    fn codes(change: &Change, mergeable: &Mergeable) -> (Vec<&'static str>, Vec<&'static str>) {
        let Findings { blockers, warnings } = judge(change, mergeable, &config().gerrit);
        let codes = |findings: Vec<Finding>| findings.iter().map(|finding| finding.code).collect();
        (codes(blockers), codes(warnings))
    }

    #[test]
    fn votes_are_judged_by_the_worst_and_then_by_the_best() {
        for (verified, code_review, blockers, warnings) in [
            (&[1][..], &[1][..], &[][..], &[][..]),
            (&[0, 2], &[0, 2], &[], &[]),
            (&[2, -1], &[2, -2, -1], &["verified_negative", "review_negative"], &[]),
            (&[-2], &[2, -1], &["verified_negative"], &["review_low"]),
            (&[], &[], &[], &["verified_missing", "review_missing"]),
            (&[0], &[0], &[], &["verified_missing", "review_missing"]),
        ] {
            let change = Change { verified: verified.into(), code_review: code_review.into(), ..change(1) };
            assert_eq!(codes(&change, &Some(Ok(true))), (blockers.into(), warnings.into()), "{change:?}");
        }
    }

    #[test]
    fn of_a_closed_change_only_that_and_its_branch_matter() {
        let bad = Change { verified: vec![-1], code_review: vec![-2], work_in_progress: true, ..change(1) };
        let merged = Change { status: Status::Merged, branch: "odd".into(), ..bad.clone() };
        assert_eq!(codes(&merged, &None), (vec![], vec!["branch", "merged"]));
        assert_eq!(codes(&Change { status: Status::Abandoned, ..bad.clone() }, &None), (vec!["abandoned"], vec![]));
        let blockers = vec!["work_in_progress", "not_mergeable", "verified_negative", "review_negative"];
        assert_eq!(codes(&bad, &Some(Ok(false))), (blockers, vec![]));
    }
}
