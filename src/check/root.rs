//! The spool directory itself, and the directories on the way to it.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::spool::layout::{PRIVATE_DIRECTORY, SYMLINK_PROBLEM};
use crate::spool::{Error, Spool};

use super::account::Account;
use super::finding::{Finding, Findings};
use super::shape::{Owner, Shape};
use super::shell::quote;

/// The spool directory, which exists and is no link.
#[derive(Debug)]
pub(super) struct Root {
    path: PathBuf,
    metadata: Metadata,
}

impl Root {
    /// Finds the directory that the configuration names. Adds a finding and returns no root if it does not exist.
    pub(super) fn look(config: &Config, findings: &mut Findings) -> Option<Self> {
        let path = config.spool.clone();
        let (subject, file) = (quote(&path), quote(&config.path));
        findings.add(match path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => return Some(Self { path, metadata }),
            Ok(metadata) if metadata.is_symlink() => {
                let target = path.canonicalize().map_or_else(|_| "the target of the link".to_owned(), quote);
                Finding::new(
                    subject,
                    SYMLINK_PROBLEM,
                    format!("in {file}, set `spool` to the directory itself: {target}"),
                )
            }
            Ok(_) => Finding::new(subject, "is not a directory", format!("in {file}, set `spool` to a directory")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Finding::new(
                subject.clone(),
                "there is no spool here",
                format!(
                    "install -d -m {PRIVATE_DIRECTORY:04o} -o ACCOUNT -g GROUP {subject}, with the runner's account \
                     and \
                     the group of the submitters; then start spiderpig-runner, which creates the spool"
                ),
            ),
            Err(error) => Finding::new(
                subject.clone(),
                format!("cannot be examined: {error}"),
                format!("see what is in the way: namei -l {subject}"),
            ),
        });
        None
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The runner's account and the group of the submitters. All other paths are compared with them.
    pub(super) fn owner(&self) -> Owner {
        Owner::of(&self.metadata)
    }

    pub(super) fn device(&self) -> u64 {
        self.metadata.dev()
    }

    /// Checks the directory, the way to it, and that this process can judge what is below.
    pub(super) fn check(&self, config: &Config, findings: &mut Findings) {
        let shape = Shape { directory: true, mode: PRIVATE_DIRECTORY, owner: self.owner() };
        shape.check(&self.path, &self.metadata, findings);
        self.check_checker(config, findings);
        self.check_parents(findings);
    }

    fn check_checker(&self, config: &Config, findings: &mut Findings) {
        let me = Account::current();
        let owner = Account::of(self.owner().user);
        if me.is_root() || me.uid() == owner.uid() {
            return;
        }
        let (me, owner) = (me.name(), owner.name());
        findings.add(Finding::new(
            quote(&self.path),
            format!("belongs to {owner}, but this check runs as {me}; the runner must run as {owner}"),
            format!("sudo -u {} spiderpig-runner --config {} check", quote(owner), quote(&config.path)),
        ));
    }

    /// An account that may rename a directory on the way can replace the spool.
    fn check_parents(&self, findings: &mut Findings) {
        let Ok(path) = self.path.canonicalize() else { return };
        for parent in path.ancestors().skip(1) {
            let Ok(metadata) = parent.metadata() else { continue };
            let sticky = metadata.mode() & 0o1000 != 0;
            if metadata.mode() & 0o002 != 0 && !sticky {
                findings.add(Finding::new(
                    quote(parent),
                    "is on the way to the spool and can be written by everyone, so everyone can replace the spool",
                    format!("chmod o-w {}", quote(parent)),
                ));
            }
        }
    }

    /// The spool in the directory, if this program knows its version.
    pub(super) fn open_spool(&self, config: &Config, findings: &mut Findings) -> Option<Spool> {
        let layout = self.path.join("layout");
        let finding = match Spool::open(&self.path) {
            Ok(spool) => return Some(spool),
            Err(_) if layout.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) => {
                Finding::new(
                    quote(&self.path),
                    "is not a spool: it has no file `layout`",
                    "start spiderpig-runner, which creates the spool: systemctl start spiderpig-runner",
                )
            }
            Err(Error::Invalid { path, reason }) => Finding::new(
                quote(path),
                reason,
                format!(
                    "in {}, set `spool` to another directory, or install the program that wrote the layout",
                    quote(&config.path)
                ),
            ),
            Err(error) => Finding::new(
                quote(layout),
                error.to_string(),
                "replace it with a regular file that its owner can read, and that contains \"1\" and a newline",
            ),
        };
        findings.add(finding);
        None
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests damage files by hand")]
mod tests {
    use std::os::unix::fs::symlink;

    use crate::check::testing::Scene;
    use crate::spool::atomic::set_mode;

    #[test]
    fn where_no_spool_is_the_way_to_one_is_named() {
        let mut scene = Scene::new();
        std::fs::remove_file(scene.spool.layout()).unwrap();
        assert_eq!(
            scene.findings(),
            "SPOOL: is not a spool: it has no file `layout`\n  \
             fix: start spiderpig-runner, which creates the spool: systemctl start spiderpig-runner"
        );
        scene.config.spool = scene.path("../none");
        assert_eq!(
            scene.findings(),
            "SPOOL/../none: there is no spool here\n  fix: install -d -m 2750 -o ACCOUNT -g GROUP SPOOL/../none, with \
             the runner's account and the group of the submitters; then start spiderpig-runner, which creates the spool"
        );
        scene.config.spool = scene.path("sequence");
        assert_eq!(
            scene.findings(),
            "SPOOL/sequence: is not a directory\n  fix: in /etc/spiderpig/spiderpig.toml, set `spool` to a directory"
        );
        scene.config.spool = scene.path("../link");
        symlink(scene.spool.root(), &scene.config.spool).unwrap();
        assert_eq!(
            scene.findings(),
            "SPOOL/../link: is a symbolic link, but must be a directory\n  \
             fix: in /etc/spiderpig/spiderpig.toml, set `spool` to the directory itself: SPOOL"
        );
    }

    #[test]
    fn another_version_is_left_to_its_program() {
        let scene = Scene::new();
        std::fs::write(scene.spool.layout(), "2\n").unwrap();
        assert_eq!(
            scene.findings(),
            "SPOOL/layout: layout version \"2\\n\" is unknown to this program, which knows \"1\\n\"; use the program \
             that wrote it\n  \
             fix: in /etc/spiderpig/spiderpig.toml, set `spool` to another directory, or install the program that wrote \
             the layout"
        );
    }

    #[test]
    fn a_way_that_everyone_can_change_is_named() {
        let scene = Scene::new();
        let parent = scene.spool.root().parent().unwrap();
        set_mode(parent, 0o757).unwrap();
        assert_eq!(
            scene.findings(),
            "PARENT: is on the way to the spool and can be written by everyone, so everyone can replace the spool\n  \
             fix: chmod o-w PARENT"
        );
        set_mode(parent, 0o1777).unwrap();
        set_mode(scene.spool.root(), 0o755).unwrap();
        assert_eq!(scene.findings(), "SPOOL: has mode 0755, but must have mode 2750\n  fix: chmod 2750 SPOOL");
    }
}
