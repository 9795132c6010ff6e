//! Finds the mount of a path and its options, in `/proc/self/mountinfo` (proc(5)). On btrfs and overlay, `stat` gives
//! another device number than the kernel uses itself.

use std::path::Path;

use rustix::fs::{AtFlags, CWD, StatxFlags};

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The device as in `/proc/locks`: major and minor number, in hexadecimal.
    pub device: String,
    /// The type of the filesystem.
    pub kind: String,
    /// The options of the mount and of the filesystem.
    options: Vec<String>,
}

impl Mount {
    /// Finds the mount of a path. `None` if the system does not tell.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let found = rustix::fs::statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::MNT_ID).ok()?;
        if found.stx_mask & StatxFlags::MNT_ID.bits() == 0 {
            return None;
        }
        Self::find(&std::fs::read_to_string("/proc/self/mountinfo").ok()?, found.stx_mnt_id)
    }

    /// Finds the mount with a number in the text of the file.
    fn find(text: &str, number: u64) -> Option<Self> {
        let number = number.to_string();
        let fields: Vec<&str> =
            text.lines().map(|line| line.split(' ').collect()).find(|fields: &Vec<_>| fields[0] == number)?;
        let (major, minor) = fields.get(2)?.split_once(':')?;
        let rest = fields.iter().position(|field| *field == "-")? + 1;
        let options = fields.get(5)?.split(',').chain(fields.get(rest + 2)?.split(','));
        Some(Self {
            device: format!("{:02x}:{:02x}", major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?),
            kind: (*fields.get(rest)?).to_owned(),
            options: options.map(str::to_owned).collect(),
        })
    }

    /// Whether the mount or its filesystem has an option.
    #[must_use]
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|own| own == option)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
24 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro,emergency_ro
36 24 0:52 /spool /srv/spool rw,nosuid - overlay overlay rw,lowerdir=/a,upperdir=/b,workdir=/c,volatile
37 24 0:300 / /data rw shared:7 master:2 - btrfs /dev/vdb rw
";

    #[test]
    fn a_mount_is_read_with_its_device_and_its_options() {
        let root = Mount::find(TEXT, 24).unwrap();
        assert_eq!((&*root.device, &*root.kind), ("fe:00", "ext4"));
        assert!(root.has("emergency_ro") && root.has("relatime") && !root.has("volatile"));
        let overlay = Mount::find(TEXT, 36).unwrap();
        assert!(overlay.kind == "overlay" && overlay.has("volatile") && overlay.device == "00:34");
        assert_eq!(Mount::find(TEXT, 37).unwrap().device, "00:12c");
        assert_eq!(Mount::find(TEXT, 3), None);
        assert_eq!(Mount::find("24\n", 24), None);
    }

    #[test]
    fn the_mount_of_a_path_is_known() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Mount::of(directory.path()).is_some());
    }
}
