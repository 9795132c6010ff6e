//! Finds out who else can change what runs: who can write a configuration, a program, an environment file, the users
//! file, or a directory on the way to one of them.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::finding::{Finding, Findings};
use super::shell::quote;

/// In a directory with this bit, only root and the owners of the file and the directory can replace a file.
const STICKY: u32 = 0o1000;

/// The paths that were checked, and the accounts that may own them.
#[derive(Debug)]
pub(super) struct Writable {
    trusted: Vec<u32>,
    seen: BTreeSet<PathBuf>,
}

impl Writable {
    /// A check that lets these accounts change their own files.
    pub(super) fn by_others_than(trusted: &[u32]) -> Self {
        Self { trusted: [&[0], trusted].concat(), seen: BTreeSet::new() }
    }

    /// Checks a file and all directories on the way, also through symbolic links. Findings call the file `what`. Other
    /// checks report a missing file.
    pub(super) fn check_file(&mut self, path: &Path, what: &str, findings: &mut Findings) {
        self.check_way(path, what, findings);
        let Ok(path) = path.canonicalize() else { return };
        let Ok(metadata) = path.metadata() else { return };
        if self.seen.contains(&path) || !metadata.is_file() {
            return;
        }
        if let Some(who) = writers(&metadata) {
            let problem = format!("is {what} and can be written by {who} (mode {:04o})", metadata.mode() & 0o7777);
            findings.add(Finding::new(quote(&path), problem, format!("chmod go-w {}", quote(&path))));
        }
        self.seen.insert(path);
    }

    /// Checks the directories on the way to a file, and to the targets of links on the way.
    pub(super) fn check_way(&mut self, path: &Path, what: &str, findings: &mut Findings) {
        let real = path.canonicalize().ok();
        for entry in path.ancestors().chain(real.iter().flat_map(|real| real.ancestors())) {
            let Some(directory) = entry.parent().and_then(|parent| parent.canonicalize().ok()) else { continue };
            // The entry may be a link; then nobody else may replace the link.
            let (Ok(parent), Ok(entry)) = (directory.metadata(), entry.symlink_metadata()) else { continue };
            self.check_directory(&directory, &parent, &entry, what, findings);
        }
    }

    /// Checks a directory on the way, which has the next part of the path as its entry.
    pub(super) fn check_directory(
        &mut self,
        directory: &Path,
        metadata: &Metadata,
        entry: &Metadata,
        what: &str,
        findings: &mut Findings,
    ) {
        let Some(who) = writers(metadata) else { return };
        let is_kept = metadata.mode() & STICKY != 0;
        if is_kept && [metadata.uid(), entry.uid()].iter().all(|owner| self.trusted.contains(owner)) {
            return;
        }
        if !self.seen.insert(directory.to_owned()) {
            return;
        }
        let mode = metadata.mode() & 0o7777;
        let problem = format!(
            "is on the way to {what} and can be written by {who} (mode {mode:04o}), so others can replace {what}"
        );
        let fix = if is_kept {
            format!("move {what} to a directory that others cannot write")
        } else {
            format!("chmod go-w {}", quote(directory))
        };
        findings.add(Finding::new(quote(directory), problem, fix));
    }
}

/// Who can write a file or directory besides its owner. Members of root's group count as root.
fn writers(metadata: &Metadata) -> Option<&'static str> {
    let group = metadata.mode() & 0o020 != 0 && metadata.gid() != 0;
    match (group, metadata.mode() & 0o002 != 0) {
        (_, true) => Some("everyone"),
        (true, false) => Some("its group"),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::chown;

    use crate::spool::atomic;

    use super::*;

    struct Scene {
        directory: tempfile::TempDir,
    }

    impl Scene {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            atomic::set_mode(directory.path(), 0o755).unwrap();
            let scene = Self { directory };
            for name in ["etc", "opt"] {
                atomic::create_directory(&scene.path(name), 0o755).unwrap();
            }
            atomic::create_file(&scene.path("etc/config"), b"", 0o644).unwrap();
            scene
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        fn found(&self, name: &str) -> String {
            let mut findings = Findings::default();
            let me = rustix::process::geteuid().as_raw();
            let mut writable = Writable::by_others_than(&[me]);
            writable.check_file(&self.path(name), "the configuration", &mut findings);
            writable.check_file(&self.path(name), "the configuration", &mut findings);
            let texts: Vec<String> = findings.into_vec().iter().map(ToString::to_string).collect();
            texts.join("\n").replace(&self.directory.path().display().to_string(), "TEST")
        }
    }

    const IN_PLACE: &str = "so others can replace the configuration";

    #[test]
    fn what_only_its_owner_can_write_is_in_order() {
        assert_eq!(Scene::new().found("etc/config"), "");
        assert_eq!(Scene::new().found("etc/none"), "", "that it is not there is told by others");
    }

    #[test]
    fn a_file_that_others_can_write_is_found_once() {
        let scene = Scene::new();
        atomic::set_mode(&scene.path("etc/config"), 0o646).unwrap();
        assert_eq!(
            scene.found("etc/config"),
            "TEST/etc/config: is the configuration and can be written by everyone (mode 0646)\n  \
             fix: chmod go-w TEST/etc/config"
        );
    }

    #[test]
    fn a_directory_on_the_way_that_others_can_write_is_found() {
        let scene = Scene::new();
        atomic::set_mode(&scene.path("etc"), 0o777).unwrap();
        let found = scene.found("etc/config");
        let expected = format!(
            "TEST/etc: is on the way to the configuration and can be written by everyone (mode 0777), {IN_PLACE}\n  \
             fix: chmod go-w TEST/etc"
        );
        assert_eq!(found, expected);
        // Whoever may replace the link, or what it leads to.
        atomic::symlink(&scene.path("etc/config"), &scene.path("opt/config")).unwrap();
        assert_eq!(scene.found("opt/config"), expected);
        atomic::set_mode(&scene.path("etc"), 0o755).unwrap();
        atomic::set_mode(&scene.path("opt"), 0o777).unwrap();
        assert!(scene.found("opt/config").starts_with("TEST/opt: is on the way to the configuration"));
        assert_eq!(scene.found("etc/config"), "");
    }

    #[test]
    fn in_a_sticky_directory_nobody_replaces_what_is_ones_own() {
        let scene = Scene::new();
        atomic::set_mode(&scene.path("etc"), 0o1777).unwrap();
        assert_eq!(scene.found("etc/config"), "");
        if rustix::process::geteuid().is_root() {
            chown(scene.path("etc/config"), Some(65_534), None).unwrap();
            let found = scene.found("etc/config");
            assert!(found.contains(IN_PLACE) && found.contains("move the configuration to"), "{found}");
        }
    }

    #[test]
    fn a_group_that_is_not_roots_is_others() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let scene = Scene::new();
        atomic::set_mode(&scene.path("etc"), 0o775).unwrap();
        assert_eq!(scene.found("etc/config"), "");
        chown(scene.path("etc"), None, Some(65_534)).unwrap();
        let found = scene.found("etc/config");
        assert!(found.contains("can be written by its group (mode 0775)"), "{found}");
    }
}
