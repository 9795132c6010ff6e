//! `sequence`: whether it can give the next job a number that no job has.

use crate::spool::error::Missing as _;
use crate::spool::{JobId, Result, Spool, history, job, queue, sequence};

use super::finding::{Finding, Findings};
use super::shell::quote;

const RESTART: &str = "restart spiderpig-runner, which repairs it: systemctl restart spiderpig-runner";

/// The size of `sequence`: twenty digits and a newline.
const SIZE: u64 = 21;

/// Compares `sequence` with the jobs that there are.
pub(super) fn check(spool: &Spool, findings: &mut Findings) {
    // Jobs first: `sequence` only grows, so a job that is submitted in between causes no false alarm.
    let highest = match highest(spool) {
        Ok(highest) => highest,
        Err(error) => {
            findings.add(Finding::new(
                quote(spool.root()),
                format!("cannot list the job numbers in use: {error}"),
                "run the check as root, or as the owner of the spool",
            ));
            return;
        }
    };
    let path = spool.sequence();
    // Other checks report a missing file. A file of another size is not read, because members of the group write it.
    let Ok(metadata) = path.symlink_metadata() else { return };
    if !metadata.is_file() {
        return;
    }
    let last = if metadata.len() == SIZE { sequence::last(spool).ok() } else { None };
    let problem = match last {
        None => "is damaged, so nobody can submit a job: it must contain 20 digits and a newline".to_owned(),
        Some(last) if last < highest => format!("says that {last} was the last number, but there is a job {highest}"),
        Some(last) if last >= u64::from(JobId::MAX) => {
            findings.add(Finding::new(
                quote(&path),
                "says that all job numbers are used up",
                "stop spiderpig-runner, and set `spool` to an empty directory",
            ));
            return;
        }
        Some(_) => return,
    };
    findings.add(Finding::new(quote(path), problem, RESTART));
}

/// The highest number in use; 0 if there is none. Files in `rejected/` do not count: some were rejected because their
/// number was far too high.
fn highest(spool: &Spool) -> Result<u64> {
    let queued = queue::list(spool).missing_is_none()?.and_then(|(jobs, _)| jobs.last().copied());
    let claimed = job::list(spool).missing_is_none()?.and_then(|(jobs, _)| jobs.last().copied());
    let finished = history::ids(spool)?.highest();
    Ok([queued, claimed, finished].into_iter().flatten().max().map_or(0, u64::from))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests damage files by hand")]
mod tests {
    use crate::check::testing::Scene;

    const FIX: &str = "\n  fix: restart spiderpig-runner, which repairs it: systemctl restart spiderpig-runner";

    #[test]
    fn a_number_in_use_must_not_come_again() {
        let scene = Scene::new().with_job(7);
        std::fs::write(scene.path("rejected/999.json"), "").unwrap();
        assert_eq!(scene.findings(), "");
        std::fs::write(scene.path("queue/9.json"), "").unwrap();
        let expected = "SPOOL/sequence: says that 7 was the last number, but there is a job 9";
        assert_eq!(scene.findings(), format!("{expected}{FIX}"));
        std::fs::write(scene.path("history.jsonl"), "{\"id\":12}\n").unwrap();
        crate::spool::atomic::set_mode(&scene.path("history.jsonl"), 0o640).unwrap();
        let expected = "SPOOL/sequence: says that 7 was the last number, but there is a job 12";
        assert_eq!(scene.findings(), format!("{expected}{FIX}"));
    }

    #[test]
    fn damage_is_named() {
        let scene = Scene::new();
        for damage in ["", "7\n", "0000000000000000000x\n", "000000000000000000007\n"] {
            std::fs::write(scene.spool.sequence(), damage).unwrap();
            let problem = "is damaged, so nobody can submit a job: it must contain 20 digits and a newline";
            assert_eq!(scene.findings(), format!("SPOOL/sequence: {problem}{FIX}"), "{damage:?}");
        }
        std::fs::write(scene.spool.sequence(), "00000000000999999999\n").unwrap();
        assert!(scene.findings().starts_with("SPOOL/sequence: says that all job numbers are used up"));
    }
}
