//! The filesystem of the spool: it must have reliable locks and notifications, and free space.

use std::path::Path;

use crate::spool::mount::Mount;
use crate::spool::space::{Space, bytes};

use super::finding::{Finding, Findings};
use super::shell::quote;

/// Kinds whose locks may not exclude others, and which do not notify of changes that another machine made.
const REMOTE: [(u32, &str); 10] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9P"),
    (0x00C3_6400, "Ceph"),
    (0x5346_414F, "AFS"),
    (0x0BD0_0BD0, "Lustre"),
    (0x0116_1970, "GFS2"),
];

/// Kinds that are empty after a reboot.
const VOLATILE: [(u32, &str); 2] = [(0x0102_1994, "tmpfs"), (0x8584_58F6, "ramfs")];

/// What the system reports about a filesystem.
#[derive(Clone, Copy, Debug)]
struct Facts {
    kind: u32,
    space: Space,
}

/// Checks the filesystem that holds the spool.
pub(super) fn check(root: &Path, any_kind: bool, findings: &mut Findings) {
    match facts(root) {
        Ok(facts) => {
            facts.judge(&quote(root), any_kind, findings);
            if let Some(mount) = Mount::of(root) {
                judge_mount(&mount, &quote(root), findings);
            }
        }
        Err(error) => findings.add(Finding::new(
            quote(root),
            format!("the filesystem cannot be examined: {error}"),
            format!("find out why: stat -f {}", quote(root)),
        )),
    }
}

/// Checks what only the options of a mount tell.
fn judge_mount(mount: &Mount, spool: &str, findings: &mut Findings) {
    if mount.kind == "overlay" && mount.has("volatile") {
        findings.add(Finding::new(
            spool,
            "is on an overlay that is mounted `volatile`: the system does not sync it, so a power cut loses accepted \
             jobs",
            "mount it without `volatile`, or put the spool on a volume of its own",
        ));
    }
    if mount.has("emergency_ro") {
        findings.add(Finding::new(
            spool,
            "is on a filesystem that refuses all writes after an error (emergency_ro)",
            "read the kernel's messages (dmesg), check the filesystem, and mount it again",
        ));
    }
}

fn facts(root: &Path) -> rustix::io::Result<Facts> {
    let kind = rustix::fs::statfs(root)?.f_type;
    // The width and the sign of the field differ between machines; all magic numbers have 32 bits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "only 32 bits are meant")]
    let kind = kind as u32;
    Ok(Facts { kind, space: Space::of(root)? })
}

impl Facts {
    fn judge(&self, spool: &str, any_kind: bool, findings: &mut Findings) {
        let mut find = |problem: String, fix: String| findings.add(Finding::new(spool, problem, fix));
        let kind_in = |kinds: &[(u32, &'static str)]| {
            kinds.iter().find(|(kind, _)| *kind == self.kind && !any_kind).map(|(_, name)| *name)
        };
        let elsewhere = "move the spool to a local disk; if you chose this filesystem on purpose, check with \
                         --any-filesystem";
        if let Some(name) = kind_in(&REMOTE) {
            find(format!("is on {name}, whose locks are not reliable"), elsewhere.to_owned());
        }
        if let Some(name) = kind_in(&VOLATILE) {
            find(format!("is on {name}, which loses all files at a reboot"), elsewhere.to_owned());
        }
        let space = self.space;
        if space.read_only {
            find(
                "is on a filesystem that is mounted read-only".into(),
                format!("mount -o remount,rw \"$(findmnt -nT {spool} -o TARGET)\""),
            );
        }
        if space.is_low() {
            find(
                format!("has only {} free of {}", bytes(space.available), bytes(space.size)),
                format!("see what uses the space: du -xh --max-depth=2 {spool} | sort -h"),
            );
        }
        if space.is_low_on_inodes() {
            find(
                format!("has room for only {} more files", space.free_inodes),
                format!("see where the files are: du -x --inodes --max-depth=2 {spool} | sort -n"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(any_kind: bool, change: impl FnOnce(&mut Facts)) -> Vec<String> {
        let space =
            Space { available: 8 << 30, size: 100 << 30, free_inodes: 10_000, inodes: 1 << 20, read_only: false };
        let mut facts = Facts { kind: 0xEF53, space };
        change(&mut facts);
        let mut findings = Findings::default();
        facts.judge("/spool", any_kind, &mut findings);
        findings.into_vec().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_local_disk_with_room_is_fine() {
        assert_eq!(judge(false, |_| ()), [""; 0]);
        assert_eq!(judge(false, |facts| (facts.space.inodes, facts.space.free_inodes) = (0, 0)), [""; 0]);
    }

    #[test]
    fn network_and_memory_are_refused_unless_told() {
        let fix = "\n  fix: move the spool to a local disk; if you chose this filesystem on purpose, check with \
                   --any-filesystem";
        assert_eq!(
            judge(false, |facts| facts.kind = 0x6969),
            [format!("/spool: is on NFS, whose locks are not reliable{fix}")]
        );
        assert_eq!(
            judge(false, |facts| facts.kind = 0x0102_1994),
            [format!("/spool: is on tmpfs, which loses all files at a reboot{fix}")]
        );
        assert_eq!(judge(true, |facts| facts.kind = 0x6969), [""; 0]);
    }

    #[test]
    fn too_little_room_and_no_room_at_all_are_named() {
        let free = "\n  fix: see what uses the space: du -xh --max-depth=2 /spool | sort -h";
        let inodes = "\n  fix: see where the files are: du -x --inodes --max-depth=2 /spool | sort -n";
        let few =
            |bytes: u64, size: u64| move |facts: &mut Facts| (facts.space.available, facts.space.size) = (bytes, size);
        assert_eq!(judge(false, few(1 << 29, 2 << 30)), [format!("/spool: has only 512 MiB free of 2.0 GiB{free}")]);
        assert_eq!(
            judge(false, few(4 << 30, 100 << 30)),
            [format!("/spool: has only 4.0 GiB free of 100.0 GiB{free}")]
        );
        assert_eq!(
            judge(false, |facts| facts.space.free_inodes = 9_999),
            [format!("/spool: has room for only 9999 more files{inodes}")]
        );
        assert_eq!(
            judge(false, |facts| facts.space.read_only = true),
            ["/spool: is on a filesystem that is mounted read-only\n  \
             fix: mount -o remount,rw \"$(findmnt -nT /spool -o TARGET)\""]
        );
    }
}
