//! Keeps room for letters, so that people can answer and stop jobs also when the disk is full.
//!
//! Each account that sends letters for others keeps a few files in `inbox/` that have their blocks on the disk already.
//! If there is no other room, a letter is written over one of them, and the file is renamed to the letter's name.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use fs2::FileExt as _;

use super::atomic;
use super::atomic::Published;
use super::error::{Missing as _, Result};
use super::layout::{FILE, Spool};
use super::lock;

/// The number of letters for which room is kept.
const FILES: u32 = 16;

/// The room for one letter, in bytes: enough for an answer of 4,000 bytes, unless most of it must be escaped.
const SIZE: usize = 8 << 10;

/// Creates the files that are missing. If they all exist, it only examines each.
///
/// # Errors
/// The disk is full, or the inbox cannot be written.
pub fn set_aside(spool: &Spool) -> Result<()> {
    for number in 1..=FILES {
        let path = path(spool, number);
        match size(&path) {
            None => atomic::set_aside(&path, SIZE, FILE).map(|_| ())?,
            Some(size) if size == SIZE as u64 => {}
            // The process that made it died, or the disk was full. The next call makes it again.
            Some(_) => atomic::remove(&path)?,
        }
    }
    Ok(())
}

/// Publishes a letter, durably and without replacing a file. If the disk is full, it uses the room that was set aside.
///
/// # Errors
/// Any failure to write, sync or rename. "Disk full" means that there is no room left that was set aside.
pub(super) fn publish(spool: &Spool, path: &Path, bytes: &[u8]) -> Result<Published> {
    match atomic::publish(&spool.incoming(), path, bytes, FILE) {
        Err(error) if error.is_disk_full() && bytes.len() <= SIZE => publish_in_room(spool, path, bytes)?.ok_or(error),
        published => published,
    }
}

/// Publishes a letter in the room that was set aside. `None` if that is used up.
fn publish_in_room(spool: &Spool, path: &Path, bytes: &[u8]) -> Result<Option<Published>> {
    for number in 1..=FILES {
        let room = self::path(spool, number);
        // The lock is held until the letter has its name, because another process of this account may want the same
        // file.
        let Some(file) = take(&room)? else { continue };
        atomic::overwrite(&file, &room, bytes)?;
        let published = atomic::rename_new(&room, path)?;
        atomic::sync_directory(&spool.inbox())?;
        return Ok(Some(published));
    }
    Ok(None)
}

/// Opens and locks a file that was set aside. `None` if it is missing, in use, or not a file of this account as it was
/// made.
fn take(room: &Path) -> Result<Option<File>> {
    let Some(file) = atomic::open_update(room).missing_is_none()? else { return Ok(None) };
    let locked = file.try_lock_exclusive().is_ok() && lock::is_at(room, &file)?;
    let is_ours = file.metadata().is_ok_and(|there| {
        there.uid() == rustix::process::geteuid().as_raw() && there.nlink() == 1 && there.len() == SIZE as u64
    });
    Ok((locked && is_ours).then_some(file))
}

fn path(spool: &Spool, number: u32) -> PathBuf {
    let account = rustix::process::geteuid().as_raw();
    spool.inbox().join(format!(".room.{account}.{number}"))
}

fn size(path: &Path) -> Option<u64> {
    path.symlink_metadata().ok().map(|metadata| metadata.len())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests prepare files by hand")]
mod tests {
    use super::*;
    use crate::spool::layout;

    #[test]
    fn a_letter_in_reserved_room_is_readable_and_uses_the_room_up() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(directory.path()).unwrap();
        let letter = |name: &str| spool.inbox().join(name);
        assert_eq!(publish_in_room(&spool, &letter("1.response.1.json"), b"{}").unwrap(), None, "none was set aside");
        set_aside(&spool).unwrap();
        std::fs::write(path(&spool, 1), "short").unwrap();
        let publish = |name: &str, text: &[u8]| publish_in_room(&spool, &letter(name), text).unwrap();
        assert_eq!(publish("1.response.1.json", b"{\"a\":1}"), Some(Published::New));
        assert_eq!(publish("1.response.1.json", b"{\"a\":2}"), Some(Published::Exists));
        let text = std::fs::read(letter("1.response.1.json")).unwrap();
        assert_eq!(crate::spool::strict::from_slice::<serde_json::Value>(&text).unwrap()["a"], 1);
        for number in 3..=FILES {
            assert_eq!(publish(&format!("1.signal.{number}.json"), b"{}"), Some(Published::New));
        }
        assert_eq!(publish("1.signal.more.json", b"{}"), None, "each room is used once");

        set_aside(&spool).unwrap();
        set_aside(&spool).unwrap();
        let rooms = layout::names(&spool.inbox()).unwrap();
        assert_eq!(rooms.iter().filter(|name| name.as_encoded_bytes().starts_with(b".")).count(), FILES as usize);
    }

    #[test]
    fn reserved_room_with_a_second_name_or_in_use_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(directory.path()).unwrap();
        set_aside(&spool).unwrap();
        std::fs::hard_link(path(&spool, 1), spool.inbox().join("1.signal.trap.json")).unwrap();
        let busy = atomic::open_update(&path(&spool, 2)).unwrap();
        busy.try_lock_exclusive().unwrap();
        publish_in_room(&spool, &spool.inbox().join("1.signal.x.json"), b"{}").unwrap().unwrap();
        assert!(path(&spool, 1).exists() && path(&spool, 2).exists() && !path(&spool, 3).exists());
    }
}
