//! What a path of the spool must be: its kind, owner, group and mode.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::spool::layout::{FILE, SHARED_FILE};
use crate::spool::submitter;

use super::finding::{Finding, Findings};
use super::shell::quote;

/// The files at the top of the spool, each with its mode and whether the runner creates it at its first start.
pub(super) const FILES: [(&str, u32, bool); 6] = [
    ("layout", FILE, true),
    ("sequence", SHARED_FILE, true),
    ("history.jsonl", FILE, false),
    ("runner.json", FILE, false),
    ("runner.lock", FILE, false),
    ("paused", FILE, false),
];

/// The account and the group that own a path; displayed as `chown` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) user: u32,
    pub(super) group: u32,
}

impl Owner {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { user: metadata.uid(), group: metadata.gid() }
    }

    pub(super) fn group_name(self) -> String {
        let group = uzers::get_group_by_gid(self.group);
        group.map_or_else(|| self.group.to_string(), |group| group.name().to_string_lossy().into_owned())
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = submitter::login_name(self.user).unwrap_or_else(|| self.user.to_string());
        write!(formatter, "{user}:{}", self.group_name())
    }
}

/// The kind, mode and owner that a path must have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) directory: bool,
    pub(super) mode: u32,
    pub(super) owner: Owner,
}

impl Shape {
    /// Adds a finding if the path differs.
    pub(super) fn check(&self, path: &Path, metadata: &Metadata, findings: &mut Findings) {
        if metadata.is_dir() != self.directory || !(metadata.is_dir() || metadata.is_file()) {
            findings.add(self.wrong_kind(path, metadata));
            return;
        }
        let Self { mode, owner, .. } = *self;
        let (found, found_mode) = (Owner::of(metadata), metadata.mode() & 0o7777);
        let mut problems = Vec::new();
        if found != owner {
            problems.push(format!("belongs to {found}, but must belong to {owner}"));
        }
        if found_mode != mode {
            problems.push(format!("has mode {found_mode:04o}, but must have mode {mode:04o}"));
        }
        if !problems.is_empty() {
            findings.add(Finding::new(quote(path), problems.join("; "), self.restore(path, metadata)));
        }
    }

    /// The command that gives a path its owner and mode.
    pub(super) fn restore(&self, path: &Path, metadata: &Metadata) -> String {
        let Self { mode, owner, .. } = self;
        let path = quote(path);
        // A change of the owner clears bits of the mode, so the mode comes last.
        if Owner::of(metadata) == *owner {
            format!("chmod {mode:04o} {path}")
        } else {
            format!("chown {owner} {path} && chmod {mode:04o} {path}")
        }
    }

    fn wrong_kind(&self, path: &Path, metadata: &Metadata) -> Finding {
        let expected = if self.directory { "a directory" } else { "a regular file" };
        let found = match () {
            () if metadata.is_symlink() => "a symbolic link",
            () if metadata.is_dir() => "a directory",
            () if metadata.is_file() => "a regular file",
            () => "neither a file nor a directory",
        };
        Finding::new(
            quote(path),
            format!("is {found}, but must be {expected}"),
            format!("stop spiderpig-runner, put {expected} in its place, and check again"),
        )
    }
}
