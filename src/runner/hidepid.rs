//! Checks whether `/proc` hides the processes of other accounts. The mount option `hidepid` (proc(5)) does it, and
//! systemd sets it for units with `ProtectProc=`.

use std::path::Path;

/// How `/proc` is mounted, if it hides processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HidePid {
    /// The value, such as `invisible` or `2`.
    pub value: String,
    /// Members of this group see all processes.
    pub group: u32,
}

impl HidePid {
    /// The mount of `/proc` for this process. `None` if it shows all processes.
    #[must_use]
    pub fn mounted() -> Option<Self> {
        Self::parse(&std::fs::read_to_string("/proc/self/mountinfo").ok()?)
    }

    fn parse(mountinfo: &str) -> Option<Self> {
        // If several mounts have the same place, only the last is visible.
        let (mount, system) = mountinfo
            .lines()
            .filter_map(|line| line.split_once(" - "))
            .rfind(|(mount, _)| mount.split(' ').nth(4) == Some("/proc"))?;
        let options: Vec<&str> = [mount.split(' ').nth(5), system.rsplit(' ').next()]
            .into_iter()
            .flatten()
            .flat_map(|o| o.split(','))
            .collect();
        let option = |name: &str| options.iter().rev().find_map(|option| option.strip_prefix(name));
        let value = option("hidepid=").filter(|value| !matches!(*value, "0" | "off"))?;
        Some(Self { value: value.to_owned(), group: option("gid=").and_then(|gid| gid.parse().ok()).unwrap_or(0) })
    }

    /// Whether the mount hides other accounts' processes from an account with these groups.
    #[must_use]
    pub fn hides_from(&self, uid: u32, is_member: impl Fn(u32) -> bool) -> bool {
        uid != 0 && !is_member(self.group)
    }
}

/// Whether `/proc` hides processes of other accounts from this process.
#[must_use]
pub fn hides_from_this_process() -> bool {
    let groups: Vec<u32> = rustix::process::getgroups()
        .unwrap_or_default()
        .into_iter()
        .chain([rustix::process::getegid()])
        .map(rustix::process::Gid::as_raw)
        .collect();
    let uid = rustix::process::geteuid().as_raw();
    HidePid::mounted().is_some_and(|hidepid| hidepid.hides_from(uid, |group| groups.contains(&group)))
        && !sees_another(uid)
}

/// Whether this process sees process 1, which belongs to another account.
fn sees_another(uid: u32) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let first = Path::new("/proc/1");
    std::fs::read(first.join("stat")).is_ok() && first.metadata().is_ok_and(|metadata| metadata.uid() != uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mount_at_proc_counts() {
        let open = "22 27 0:21 / /proc rw,relatime - proc proc rw\n";
        let other = "23 27 0:22 / /elsewhere/proc rw - proc proc rw,hidepid=2\n";
        assert_eq!(HidePid::parse(&format!("{open}{other}")), None);
        assert_eq!(HidePid::parse(&format!("{open}24 22 0:21 / /proc rw - proc proc rw,hidepid=0\n")), None);
        let hidden =
            HidePid::parse(&format!("{open}24 22 0:39 / /proc rw,nosuid - proc proc rw,gid=7,hidepid=invisible\n"));
        let hidden = hidden.unwrap();
        assert_eq!(hidden, HidePid { value: "invisible".into(), group: 7 });
        assert!(hidden.hides_from(1000, |_| false));
        assert!(!hidden.hides_from(1000, |group| group == 7));
        assert!(!hidden.hides_from(0, |_| false));
    }
}
