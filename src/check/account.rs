//! An account and its rights, computed from owners and modes as the kernel does.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::spool::submitter;

/// The right to read a file, or to list a directory.
pub(super) const READ: u32 = 0o4;
/// The right to change a file, or to make and remove names in a directory.
pub(super) const WRITE: u32 = 0o2;
/// The right to execute a file, or to reach the files in a directory.
pub(super) const EXECUTE: u32 = 0o1;

/// An account with its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    uid: u32,
    groups: Vec<u32>,
}

impl Account {
    /// The account and the groups that this process has.
    #[must_use]
    pub fn current() -> Self {
        let mut groups = vec![rustix::process::getegid().as_raw()];
        // A process can always read its own groups; without them the check would at worst be too strict.
        groups.extend(rustix::process::getgroups().unwrap_or_default().into_iter().map(rustix::fs::Gid::as_raw));
        Self { uid: rustix::process::geteuid().as_raw(), groups }
    }

    /// An account with the groups of the user database, which a daemon gets when it starts.
    #[must_use]
    pub fn of(uid: u32) -> Self {
        let groups = uzers::get_user_by_uid(uid)
            .and_then(|user| uzers::get_user_groups(user.name(), user.primary_group_id()))
            .unwrap_or_default();
        Self { uid, groups: groups.iter().map(uzers::Group::gid).collect() }
    }

    /// Its login name, or its number if it has none.
    #[must_use]
    pub fn name(&self) -> String {
        submitter::login_name(self.uid).unwrap_or_else(|| self.uid.to_string())
    }

    pub(super) fn uid(&self) -> u32 {
        self.uid
    }

    pub(super) fn is_root(&self) -> bool {
        self.uid == 0
    }

    pub(super) fn is_member(&self, group: u32) -> bool {
        self.groups.contains(&group)
    }

    /// Whether it has all `wanted` rights to a file or directory. The directories on the way are not considered.
    pub(super) fn may(&self, metadata: &Metadata, wanted: u32) -> bool {
        let mode = metadata.mode();
        if self.is_root() {
            let nobody_executes = metadata.is_file() && mode & 0o111 == 0;
            return wanted & EXECUTE == 0 || !nobody_executes;
        }
        // Only the first class that fits counts, even if a later one allows more.
        let class = if self.uid == metadata.uid() {
            mode >> 6
        } else if self.is_member(metadata.gid()) {
            mode >> 3
        } else {
            mode
        };
        class & wanted == wanted
    }

    /// The path that denies the account its `wanted` rights: the given path, or a directory on the way.
    ///
    /// # Errors
    /// The path, or the target of its link, does not exist or cannot be examined.
    pub(super) fn obstacle(&self, path: &Path, wanted: u32) -> io::Result<Option<PathBuf>> {
        let path = path.canonicalize()?;
        let mut directories: Vec<_> = path.ancestors().skip(1).collect();
        directories.reverse();
        for directory in directories {
            if !self.may(&directory.metadata()?, EXECUTE) {
                return Ok(Some(directory.to_owned()));
            }
        }
        Ok(if self.may(&path.metadata()?, wanted) { None } else { Some(path) })
    }
}

#[cfg(test)]
mod tests {
    use crate::spool::atomic;

    use super::*;

    #[test]
    fn the_first_class_that_fits_decides() {
        let directory = tempfile::tempdir().unwrap();
        atomic::set_mode(directory.path(), 0o700).unwrap();
        let path = directory.path().join("file");
        atomic::create_file(&path, b"", 0o047).unwrap();
        let metadata = path.metadata().unwrap();
        let account = |uid, group| Account { uid, groups: vec![group] };
        let (uid, gid) = (metadata.uid(), metadata.gid());
        let stranger = account(4_000_000, 4_000_000);
        assert!(stranger.may(&metadata, READ | WRITE | EXECUTE));
        assert!(account(4_000_000, gid).may(&metadata, READ));
        assert!(!account(4_000_000, gid).may(&metadata, WRITE));
        // Root is the owner where the tests run as root, and is stopped by nothing but a file without any x.
        assert_eq!(account(uid, gid).may(&metadata, READ), uid == 0);
        atomic::set_mode(&path, 0o600).unwrap();
        assert!(!account(0, 0).may(&path.metadata().unwrap(), EXECUTE));
        assert_eq!(stranger.obstacle(&path, READ).unwrap(), Some(directory.path().to_owned()));
        atomic::set_mode(directory.path(), 0o755).unwrap();
        assert_eq!(stranger.obstacle(&path, READ).unwrap(), Some(path.clone()));
        atomic::set_mode(&path, 0o604).unwrap();
        assert_eq!(stranger.obstacle(&path, READ).unwrap(), None);
    }

    #[test]
    fn the_user_database_knows_groups_and_names() {
        let root = Account::of(0);
        assert!(root.is_root() && root.is_member(0));
        assert_eq!(root.name(), "root");
        assert_eq!(Account::of(4_000_000), Account { uid: 4_000_000, groups: vec![] });
        assert_eq!(Account::of(4_000_000).name(), "4000000");
    }
}
