//! Finds the place for the groups of jobs: a part of the tree of control groups that is delegated to the runner's
//! account.
//!
//! The runner enables controllers only in a group that has no processes and that no other program puts processes into.
//! A group with controllers enabled below it cannot have processes of its own. In the group of the unit, systemd could
//! then not restart the runner.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};

use super::{Group, enter};

/// The kind of the filesystem: statfs(2).
const CGROUP2: u32 = 0x6367_7270;
/// The attributes that systemd sets on the group of a unit with `Delegate=`. Everybody can read the first, which
/// exists since version 251.
const DELEGATED: [&str; 2] = ["user.delegate", "trusted.delegate"];
/// The error that the child of a probe returns on success.
const PROBE_SUCCESS: i32 = libc::ECANCELED;

/// Finds the directory for groups of jobs: the configured one, else the one that is delegated to the unit of this
/// process. `None` if there is neither. Prepares the directory as far as possible.
///
/// # Errors
/// It exists and cannot be used; a text for people.
pub fn find(configured: Option<&Path>) -> Result<Option<PathBuf>, String> {
    let own = own_group();
    let own = own.as_deref();
    let Some(parent) = configured.or_else(|| own.and_then(delegated)) else { return Ok(None) };
    let wrong =
        |reason: String| format!("jobs run without a control group of their own: {}: {reason}", parent.display());
    check_directory(parent).map_err(wrong)?;
    probe(parent).map_err(|error| wrong(format!("cannot put a process into a group there: {error}; {HINT}")))?;
    if own != Some(parent) && has_no_process(parent) {
        // Without the controller, only the memory of jobs is unknown.
        let _ = write(&parent.join("cgroup.subtree_control"), b"+memory");
    }
    Ok(Some(parent.to_owned()))
}

const HINT: &str = "the runner must be started in the same delegated part of the tree, and that must belong to its \
                    account \
                    (Delegate=yes in its systemd unit does both)";

/// Checks that groups can be made in the directory.
///
/// # Errors
/// It cannot contain groups; a text for people.
pub fn check_directory(path: &Path) -> Result<(), String> {
    let kind = rustix::fs::statfs(path).map_err(|error| format!("cannot be examined: {error}"))?.f_type;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "only 32 bits are meant")]
    let kind = kind as u32;
    if kind != CGROUP2 {
        return Err("is not a control group of version 2; to find control groups: findmnt -t cgroup2".into());
    }
    match fs::read_to_string(path.join("cgroup.type")) {
        // The root of the tree has no such file.
        Ok(text) if text.trim() != "domain" => {
            Err(format!("is a control group of type `{}`; name one of type `domain`", text.trim()))
        }
        _ => Ok(()),
    }
}

/// The directory of the group that this process is in.
fn own_group() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    directory_of(&mounts, &groups)
}

fn directory_of(mountinfo: &str, groups: &str) -> Option<PathBuf> {
    let group = Path::new(groups.lines().find_map(|line| line.strip_prefix("0::"))?);
    mountinfo.lines().rev().find_map(|line| {
        let (mount, system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, at) = (fields.next()?, fields.next()?);
        // The path of a group outside the mount begins with `/..` and is no prefix of anything.
        let below = group.strip_prefix(root).ok().filter(|_| system.starts_with("cgroup2 "))?;
        Some(Path::new(at).join(below)).filter(|_| !group.starts_with("/.."))
    })
}

/// The delegated group that this one belongs to: itself, or its parent (`DelegateSubgroup=`).
fn delegated(own: &Path) -> Option<&Path> {
    own.ancestors().take(2).find(|path| DELEGATED.iter().any(|name| attribute(path, name).as_deref() == Some(b"1")))
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = [0; 8];
    let length = rustix::fs::getxattr(path, name, &mut value).ok()?;
    Some(value[..length].to_vec())
}

fn has_no_process(path: &Path) -> bool {
    fs::read_to_string(path.join("cgroup.procs")).is_ok_and(|text| text.trim().is_empty())
}

/// Puts a process into a new group, in the same way as for a job.
fn probe(parent: &Path) -> io::Result<()> {
    let group = Group::make(&parent.join(format!("probe-{}", std::process::id())))?;
    let entered = group.entry().and_then(|entry| {
        let mut child = Command::new("/proc/self/exe");
        child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let enter =
            move || Err(enter(&entry).map_or_else(io::Error::from, |()| io::Error::from_raw_os_error(PROBE_SUCCESS)));
        #[expect(
            unsafe_code,
            reason = "between fork and exec; the closure makes only an async-signal-safe system call"
        )]
        // SAFETY: no allocation and no lock in the child. It never gets to execute anything.
        unsafe {
            child.pre_exec(enter);
        }
        match child.spawn() {
            Err(error) if error.raw_os_error() == Some(PROBE_SUCCESS) => Ok(()),
            Err(error) => Err(error),
            Ok(mut child) => child.wait().map(drop),
        }
    });
    entered.and(group.remove())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(rustix::io::write(file, bytes).map(drop)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_wherever_the_tree_is_mounted() {
        let line = |root: &str, at: &str, kind: &str| format!("31 23 0:28 {root} {at} rw,relatime - {kind} x rw\n");
        let pure = line("/", "/sys/fs/cgroup", "cgroup2");
        let hybrid = line("/", "/sys/fs/cgroup/memory", "cgroup") + &line("/", "/sys/fs/cgroup/unified", "cgroup2");
        let groups = "9:name=systemd:/x\n0::/system.slice/spiderpig-runner.service\n";
        let found = |mounts: &str, groups: &str| directory_of(mounts, groups).map(|path| path.display().to_string());
        assert_eq!(found(&pure, groups).unwrap(), "/sys/fs/cgroup/system.slice/spiderpig-runner.service");
        assert_eq!(found(&hybrid, groups).unwrap(), "/sys/fs/cgroup/unified/system.slice/spiderpig-runner.service");
        let inside = line("/docker/7", "/sys/fs/cgroup", "cgroup2");
        assert_eq!(found(&inside, "0::/docker/7/a\n").unwrap(), "/sys/fs/cgroup/a");
        assert_eq!(found(&inside, groups), None, "it is not in what is mounted here");
        assert_eq!(found(&pure, "0::/../b\n"), None);
        assert_eq!(found(&pure, "1:cpu:/\n"), None);
    }

    #[test]
    fn what_is_no_group_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let reason = find(Some(directory.path())).unwrap_err();
        assert!(reason.contains("is not a control group of version 2"), "{reason}");
        let reason = find(Some(Path::new("/nonexistent"))).unwrap_err();
        assert!(
            reason.starts_with("jobs run without a control group of their own: /nonexistent: cannot be"),
            "{reason}"
        );
    }
}
