//! `jobs/`: the directory of every job.

use std::path::Path;

use crate::spool::job::NOTHING_LEFT;
use crate::spool::layout::{FILE, PRIVATE_DIRECTORY, SECRET_FILE};
use crate::spool::{JobId, Spool};

use super::finding::{Finding, Findings};
use super::shape::{Owner, Shape};
use super::shell::quote;
use super::tree::{is_hidden, look, names, unknown};

/// The files in a job's directory: the name, the mode, and whether the claim creates it.
const PARTS: [(&str, u32, bool); 9] = [
    ("lock", SECRET_FILE, true),
    ("job.json", FILE, true),
    ("plan.json", SECRET_FILE, true),
    ("status.json", FILE, true),
    ("log.jsonl", FILE, false),
    ("log.index", FILE, false),
    ("output.log", FILE, false),
    ("reserve", FILE, false),
    ("spare", FILE, false),
];

/// Checks every job's directory.
pub(super) fn check(spool: &Spool, owner: Owner, findings: &mut Findings) {
    for name in names(&spool.jobs(), findings) {
        let path = spool.jobs().join(&name);
        let Some(name) = name.to_str() else {
            findings.add(unknown(&path));
            continue;
        };
        match (name.parse(), name.strip_prefix('.').map(str::parse::<JobId>)) {
            (Ok(id), _) => check_job(spool, id, owner, findings),
            // A claim in progress, or one that is being undone. The runner removes leftovers.
            (_, Some(Ok(_))) => {}
            _ => findings.add(unknown(&path)),
        }
    }
}

fn check_job(spool: &Spool, id: JobId, owner: Owner, findings: &mut Findings) {
    let directory = spool.job(id);
    let Some(metadata) = look(&directory, findings) else { return };
    Shape { directory: true, mode: PRIVATE_DIRECTORY, owner }.check(&directory, &metadata, findings);
    if !metadata.is_dir() {
        return;
    }
    for name in names(&directory, findings) {
        let path = directory.join(&name);
        match PARTS.iter().find(|(known, ..)| name == *known) {
            Some(&(_, mode, _)) => {
                // Files come and go while the job runs.
                if let Some(metadata) = look(&path, findings) {
                    Shape { directory: false, mode, owner }.check(&path, &metadata, findings);
                }
            }
            // An operator makes this file. The next rescan reads and removes it.
            None if is_hidden(&name) || name == NOTHING_LEFT => {}
            None => findings.add(unknown(&path)),
        }
    }
    for (name, ..) in PARTS.iter().filter(|(.., required)| *required) {
        let path = directory.join(name);
        if look(&path, findings).is_none() && !is_explained(spool, id, &directory) {
            findings.add(Finding::new(
                quote(&path),
                "is missing",
                format!(
                    "restore it from a backup; or, if there is none and the job does not run: mv -n {} /var/tmp/",
                    quote(&directory)
                ),
            ));
        }
    }
}

/// Whether a missing file has a harmless reason. The runner repairs claims that a power cut tore, if the queue still
/// has the job. A job that was removed meanwhile has no files.
fn is_explained(spool: &Spool, id: JobId, directory: &Path) -> bool {
    spool.queued(id).symlink_metadata().is_ok() || directory.symlink_metadata().is_err()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests damage files by hand")]
mod tests {
    use crate::check::testing::Scene;
    use crate::spool::atomic::set_mode;

    #[test]
    fn secrets_stay_secret_and_unknown_files_are_reported() {
        let scene = Scene::new().with_job(3);
        set_mode(&scene.path("jobs/3/plan.json"), 0o640).unwrap();
        for name in ["core", ".status.json.x1"] {
            std::fs::write(scene.path("jobs/3").join(name), "").unwrap();
        }
        for name in [".4", ".x", "007"] {
            std::fs::create_dir(scene.path("jobs").join(name)).unwrap();
        }
        let unknown = |path: &str| {
            format!(
                "{path}: is not part of the spool layout\n  \
                 fix: see what it is, then move it away: mv -n {path} /var/tmp/"
            )
        };
        let expected = [
            unknown("SPOOL/jobs/.x"),
            unknown("SPOOL/jobs/007"),
            unknown("SPOOL/jobs/3/core"),
            "SPOOL/jobs/3/plan.json: has mode 0640, but must have mode 0600\n  fix: chmod 0600 SPOOL/jobs/3/plan.json"
                .into(),
        ];
        assert_eq!(scene.findings(), expected.join("\n"));
    }

    #[test]
    fn a_damaged_job_is_reported_unless_the_runner_will_mend_it() {
        let scene = Scene::new().with_job(3);
        std::fs::remove_file(scene.path("jobs/3/job.json")).unwrap();
        assert_eq!(
            scene.findings(),
            "SPOOL/jobs/3/job.json: is missing\n  fix: restore it from a backup; or, if there is none and the job \
             does not run: mv -n SPOOL/jobs/3 /var/tmp/"
        );
        std::fs::write(scene.path("queue/3.json"), "{}").unwrap();
        assert_eq!(scene.findings(), "");
    }
}
