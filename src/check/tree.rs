//! The spool except for jobs: the layout must know each name, with its kind, owner and mode.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::spool::error::Missing as _;
use crate::spool::layout;
use crate::spool::layout::{DIRECTORIES, FILE};
use crate::spool::{Error, JobId, Result, Spool};

use super::finding::{Finding, Findings};
use super::jobs;
use super::monitoring;
use super::root::Root;
use super::shape::{FILES, Owner, Shape};
use super::shell::quote;

/// Checks all names below the spool.
pub(super) fn check(spool: &Spool, root: &Root, findings: &mut Findings) {
    let owner = root.owner();
    check_root(spool, owner, findings);
    for (name, mode) in DIRECTORIES {
        let shape = Shape { directory: true, mode, owner };
        let path = spool.root().join(name);
        match look(&path, findings) {
            Some(metadata) => {
                shape.check(&path, &metadata, findings);
                check_device(&path, &metadata, root, findings);
            }
            None => findings.add(Finding::new(
                quote(&path),
                "is missing",
                format!("install -d -m {mode:04o} -o {} {}", install_owner(owner), quote(&path)),
            )),
        }
    }
    check_lanes(spool, owner, findings);
    check_running(spool, findings);
    monitoring::check(spool, owner, findings);
    jobs::check(spool, owner, findings);
}

fn install_owner(owner: Owner) -> String {
    owner.to_string().replace(':', " -g ")
}

fn check_root(spool: &Spool, owner: Owner, findings: &mut Findings) {
    for (name, mode, required) in FILES {
        let path = spool.root().join(name);
        match look(&path, findings) {
            Some(metadata) => Shape { directory: false, mode, owner }.check(&path, &metadata, findings),
            None if required => findings.add(Finding::new(
                quote(&path),
                "is missing",
                "restart spiderpig-runner, which creates it: systemctl restart spiderpig-runner",
            )),
            None => {}
        }
    }
    for name in names(spool.root(), findings) {
        let known =
            FILES.iter().any(|(known, ..)| name == *known) || DIRECTORIES.iter().any(|(known, _)| name == *known);
        if !known && !is_hidden(&name) {
            findings.add(unknown(&spool.root().join(name)));
        }
    }
}

/// The runner moves jobs by rename, which does not work across filesystems.
fn check_device(path: &Path, metadata: &Metadata, root: &Root, findings: &mut Findings) {
    if metadata.is_dir() && metadata.dev() != root.device() {
        findings.add(Finding::new(
            quote(path),
            "is on another filesystem than the spool, so files cannot be renamed into it",
            format!("stop spiderpig-runner, then: umount {}", quote(path)),
        ));
    }
}

fn check_lanes(spool: &Spool, owner: Owner, findings: &mut Findings) {
    let lanes = spool.root().join("lanes");
    for name in names(&lanes, findings) {
        let path = lanes.join(&name);
        if !is_slot(&name) {
            findings.add(unknown(&path));
        } else if let Some(metadata) = look(&path, findings) {
            Shape { directory: false, mode: FILE, owner }.check(&path, &metadata, findings);
        }
    }
}

/// `NAME.I.lock`.
fn is_slot(name: &OsStr) -> bool {
    let parts = name.to_str().and_then(|name| name.strip_suffix(".lock")?.rsplit_once('.'));
    // The number of a slot has the form of a job's.
    parts.is_some_and(|(lane, slot)| !lane.is_empty() && slot.parse::<JobId>().is_ok())
}

fn check_running(spool: &Spool, findings: &mut Findings) {
    for name in names(&spool.running(), findings) {
        let path = spool.running().join(&name);
        let Some(id) = name.to_str().and_then(|name| name.parse::<JobId>().ok()) else {
            findings.add(unknown(&path));
            continue;
        };
        let right = std::fs::read_link(&path).is_ok_and(|target| target == Path::new("../jobs").join(&name));
        // The runner removes the link before the job. A link without a job is left over.
        if (!right || !spool.job(id).exists()) && path.symlink_metadata().is_ok() {
            let problem = if right {
                "leads to a job that does not exist"
            } else {
                "is not a symbolic link to the job \
                                      with its number"
            };
            let fix = format!("rm {}; spiderpig-runner makes the link of a running job again", quote(&path));
            findings.add(Finding::new(quote(&path), problem, fix));
        }
    }
}

/// A path that the layout has no name for.
pub(super) fn unknown(path: &Path) -> Finding {
    Finding::new(
        quote(path),
        "is not part of the spool layout",
        format!("see what it is, then move it away: mv -n {} /var/tmp/", quote(path)),
    )
}

/// Files that are being written have hidden names until they are published.
pub(super) fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// The names in a directory, sorted. A missing directory has none; other checks report it.
pub(super) fn names(directory: &Path, findings: &mut Findings) -> Vec<OsString> {
    let mut names = report(directory, layout::names(directory).missing_is_none(), findings).unwrap_or_default();
    names.sort_unstable();
    names
}

/// The metadata of a path, without following links; `None` if it does not exist.
pub(super) fn look(path: &Path, findings: &mut Findings) -> Option<Metadata> {
    let metadata = path.symlink_metadata().map_err(|error| Error::io("examine", path, error));
    report(path, metadata.missing_is_none(), findings)
}

fn report<T>(path: &Path, result: Result<Option<T>>, findings: &mut Findings) -> Option<T> {
    result.unwrap_or_else(|error| {
        let problem = match &error {
            Error::Io { action, source, .. } => format!("cannot {action} it: {source}"),
            Error::Invalid { .. } | Error::Locked { .. } => error.to_string(),
        };
        findings.add(Finding::new(quote(path), problem, "run the check as root, or as the owner of the spool"));
        None
    })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests damage files by hand")]
mod tests {
    use std::os::unix::fs::symlink;

    use crate::check::Account;
    use crate::check::testing::{Scene, is_root};
    use crate::spool::atomic::set_mode;

    use super::*;

    const MOVE: &str = "is not part of the spool layout\n  fix: see what it is, then move it away: mv -n";

    #[test]
    fn owners_and_modes_are_named_with_the_command_that_sets_them() {
        let scene = Scene::new();
        set_mode(&scene.path("queue"), 0o755).unwrap();
        set_mode(&scene.path("sequence"), 0o666).unwrap();
        assert_eq!(
            scene.findings(),
            "SPOOL/sequence: has mode 0666, but must have mode 0660\n  fix: chmod 0660 SPOOL/sequence\n\
             SPOOL/queue: has mode 0755, but must have mode 3770\n  fix: chmod 3770 SPOOL/queue"
        );
    }

    #[test]
    fn a_stranger_as_owner_is_named() {
        if !is_root() {
            return;
        }
        let scene = Scene::new();
        let nobody = uzers::get_user_by_name("nobody").unwrap().uid();
        std::os::unix::fs::chown(scene.path("jobs"), Some(nobody), None).unwrap();
        assert_eq!(
            scene.findings(),
            "SPOOL/jobs: belongs to nobody:root, but must belong to OWNER:GROUP\n  \
             fix: chown OWNER:GROUP SPOOL/jobs && chmod 2750 SPOOL/jobs"
        );
    }

    #[test]
    fn what_is_missing_is_made_anew() {
        let scene = Scene::new();
        std::fs::remove_dir(scene.path("inbox")).unwrap();
        std::fs::remove_file(scene.path("sequence")).unwrap();
        let (user, group) =
            (Account::current().name(), Owner::of(&scene.spool.root().metadata().unwrap()).group_name());
        assert_eq!(
            scene.findings(),
            format!(
                "SPOOL/sequence: is missing\n  \
             fix: restart spiderpig-runner, which creates it: systemctl restart spiderpig-runner\n\
             SPOOL/inbox: is missing\n  fix: install -d -m 3770 -o {user} -g {group} SPOOL/inbox"
            )
        );
    }

    #[test]
    fn a_link_is_no_directory_and_a_directory_no_file() {
        let scene = Scene::new();
        std::fs::rename(scene.path("rejected"), scene.path("../rejected")).unwrap();
        symlink("../rejected", scene.path("rejected")).unwrap();
        std::fs::create_dir(scene.path("history.jsonl")).unwrap();
        let fix = |kind: &str| format!("fix: stop spiderpig-runner, put {kind} in its place, and check again");
        let history = "SPOOL/history.jsonl: is a directory, but must be a regular file";
        let findings = scene.findings();
        let expected = [
            format!("{history}\n  {}", fix("a regular file")),
            format!("SPOOL/rejected: is a symbolic link, but must be a directory\n  {}", fix("a directory")),
        ];
        assert!(findings.starts_with(&expected.join("\n")), "{findings}");
    }

    #[test]
    fn unknown_names_are_reported_and_those_of_unfinished_writes_are_not() {
        let scene = Scene::new();
        for name in ["note to self", ".runner.json.x1", "lanes/default.0.lock", "queue/.7.json.swp", "rejected/x"] {
            std::fs::write(scene.path(name), "").unwrap();
        }
        drop(crate::spool::lock::SlotLock::try_take(&scene.spool, "a.b", 1).unwrap());
        assert_eq!(
            scene.findings(),
            format!(
                "'SPOOL/note to self': {MOVE} 'SPOOL/note to self' /var/tmp/\n\
                 SPOOL/lanes/default.0.lock: {MOVE} SPOOL/lanes/default.0.lock /var/tmp/"
            )
        );
    }

    #[test]
    fn a_running_link_leads_to_its_job() {
        let scene = Scene::new().with_job(1).with_job(2);
        for (name, target) in [("1", "../jobs/1"), ("2", "../jobs/1"), ("3", "../jobs/3"), ("x", "../jobs/1")] {
            symlink(target, scene.spool.running().join(name)).unwrap();
        }
        let fix =
            |id: u32| format!("fix: rm SPOOL/running/{id}; spiderpig-runner makes the link of a running job again");
        assert_eq!(
            scene.findings(),
            format!(
                "SPOOL/running/2: is not a symbolic link to the job with its number\n  {}\n\
                 SPOOL/running/3: leads to a job that does not exist\n  {}\n\
                 SPOOL/running/x: {MOVE} SPOOL/running/x /var/tmp/",
                fix(2),
                fix(3)
            )
        );
    }
}
