//! `rejected/`: files that were no valid jobs, each with its reason beside it. Files there are never replaced.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use super::atomic;
use super::atomic::{Durability, Published};
use super::error::{Error, Result};
use super::layout::{FILE, Spool};
use super::lock::RunnerLock;
use super::printable::printable;
use super::queue::is_same_file;

/// How much of a name is kept, in bytes. Filesystems allow 255, and the temporary name of the reason needs some of
/// them.
const LONGEST_STEM: usize = 200;

/// Moves a file of `queue/` to `rejected/`, with the reason, durably. Returns its name there.
///
/// The file gets its new name before it loses the old one. After a crash in between, the next call finishes the same
/// file and does not give it another number.
///
/// # Errors
/// The file cannot be linked, moved or removed.
pub fn reject(spool: &Spool, runner: &RunnerLock, name: &OsStr, reason: &str) -> Result<OsString> {
    move_to_rejected(spool, runner, &spool.queue().join(name), reason)
}

/// Does the same with a file or directory of any directory into which other accounts write. The runner cannot move
/// some, such as another account's directory. It renames those to a hidden name in their old place, which is ignored.
///
/// # Errors
/// As for [`reject`].
pub fn move_to_rejected(spool: &Spool, runner: &RunnerLock, from: &Path, reason: &str) -> Result<OsString> {
    let name = from.file_name().unwrap_or_default();
    let (kept, linked) = match move_file(spool, runner, name, from) {
        Err(error) if error.kind() == Some(std::io::ErrorKind::PermissionDenied) => {
            return rename_in_place(spool, runner, from, reason);
        }
        kept => kept?,
    };
    let reason_path = spool.rejected().join(reason_name(&kept));
    if !reason_path.exists() {
        atomic::replace(&reason_path, format!("{}\n", printable(reason)).as_bytes(), FILE, Durability::Ordered)?;
        atomic::sync_file(&reason_path)?;
    }
    if linked {
        // The new name must be durable before the old one is removed, also if an earlier attempt wrote the reason.
        atomic::sync_directory(&spool.rejected())?;
        atomic::remove(from)?;
    }
    Ok(kept)
}

/// Renames a directory to a hidden name in its old place. Moving it to another directory would need the right to write
/// to it, and a rename in place does not.
fn rename_in_place(spool: &Spool, runner: &RunnerLock, from: &Path, reason: &str) -> Result<OsString> {
    let name = from.file_name().unwrap_or_default();
    let mut attempt = 0;
    loop {
        attempt += 1;
        let kept = numbered(name, attempt);
        let hidden = OsString::from_vec([b".", kept.as_bytes(), b".aside"].concat());
        let reason_path = spool.rejected().join(reason_name(&kept));
        if reason_path.symlink_metadata().is_ok()
            || atomic::rename_new_as_runner(runner, from, &from.with_file_name(&hidden))? == Published::Exists
        {
            continue;
        }
        let place = hidden.display();
        let reason = format!("{reason}; the runner cannot move it here. It is in its old directory, as {place}\n");
        atomic::replace(&reason_path, reason.as_bytes(), FILE, Durability::Ordered)?;
        return Ok(kept);
    }
}

/// Gives the file a name in `rejected/`: by a link if the system allows one, otherwise by a move. Returns the name, and
/// whether the old name still exists.
fn move_file(spool: &Spool, runner: &RunnerLock, name: &OsStr, from: &Path) -> Result<(OsString, bool)> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::symlink_metadata(from).map_err(|error| Error::io("examine", from, error))?;
    let identity = (metadata.dev(), metadata.ino());
    let mut attempt = 1;
    loop {
        let kept = numbered(name, attempt);
        let to = spool.rejected().join(&kept);
        if is_same_file(&to, identity) {
            return Ok((kept, true));
        }
        // `7` and `7.json` would share one reason file.
        if spool.rejected().join(reason_name(&kept)).symlink_metadata().is_ok() {
            attempt += 1;
            continue;
        }
        // The kernel refuses links to directories and to files of other accounts. The owner of queue/ may still move
        // them.
        let (published, linked) = match atomic::link_new(from, &to) {
            Ok(published) => (published, true),
            Err(error) if error.kind() == Some(std::io::ErrorKind::PermissionDenied) => {
                (atomic::rename_new_as_runner(runner, from, &to)?, false)
            }
            Err(error) => return Err(error),
        };
        if published == Published::New {
            return Ok((kept, linked));
        }
        attempt += 1;
    }
}

/// Makes the name for an attempt: `42.json`, then `42.2.json`, `42.3.json`… It cuts off the end of a very long name, so
/// that the number and `.reason` have room, and writes control characters as text.
fn numbered(name: &OsStr, attempt: u64) -> OsString {
    // Names without control characters stay as they are, also if they are not UTF-8.
    let shown = name.to_string_lossy();
    let shown = if shown.contains(char::is_control) { OsString::from(printable(&shown)) } else { name.to_owned() };
    let name = shown.as_os_str();
    let number = if attempt == 1 { String::new() } else { format!(".{attempt}") };
    let (stem, suffix) = match name.as_bytes().strip_suffix(b".json") {
        Some(stem) => (stem, ".json"),
        None => (name.as_bytes(), ""),
    };
    OsString::from_vec([&stem[..stem.len().min(LONGEST_STEM)], number.as_bytes(), suffix.as_bytes()].concat())
}

/// The name of the reason file: `42.json` → `42.reason`. Other names get `.reason` at their end.
#[must_use]
pub fn reason_name(kept: &OsStr) -> OsString {
    let name = kept.as_bytes();
    OsString::from_vec([name.strip_suffix(b".json").unwrap_or(name), b".reason"].concat())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests prepare files by hand")]
mod tests {
    use std::fs;

    use super::*;
    use crate::spool::layout;

    #[test]
    fn files_are_kept_with_their_reasons_and_never_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(directory.path()).unwrap();
        let runner = RunnerLock::take(&spool).unwrap();
        for content in ["one", "two"] {
            fs::write(spool.queue().join("7.json"), content).unwrap();
            reject(&spool, &runner, OsStr::new("7.json"), content).unwrap();
        }
        fs::write(spool.queue().join("7"), "three").unwrap();
        assert_eq!(reject(&spool, &runner, OsStr::new("7"), "three").unwrap(), "7.3");
        fs::create_dir(spool.queue().join("folder")).unwrap();
        reject(&spool, &runner, OsStr::new("folder"), "a folder").unwrap();
        let read = |name: &str| fs::read_to_string(spool.rejected().join(name)).unwrap();
        assert_eq!((read("7.json"), read("7.reason")), ("one".into(), "one\n".into()));
        assert_eq!((read("7.2.json"), read("7.2.reason")), ("two".into(), "two\n".into()));
        assert_eq!(read("folder.reason"), "a folder\n");
        assert!(layout::names(&spool.queue()).unwrap().is_empty());
    }

    #[test]
    fn names_and_reasons_have_no_control_characters() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(directory.path()).unwrap();
        let runner = RunnerLock::take(&spool).unwrap();
        let name = "7.\u{1b}]0;owned\u{7}\u{9b}2J.json";
        fs::write(spool.queue().join(name), "one").unwrap();
        let reason = "unknown field `\u{1b}[2J\nall is well`";
        assert_eq!(
            reject(&spool, &runner, OsStr::new(name), reason).unwrap(),
            "7.\\u001b]0;owned\\u0007\\u009b2J.json"
        );
        for kept in layout::names(&spool.rejected()).unwrap() {
            assert!(!kept.to_str().unwrap().contains(char::is_control), "{kept:?}");
        }
        let told = spool.rejected().join("7.\\u001b]0;owned\\u0007\\u009b2J.reason");
        assert_eq!(fs::read_to_string(told).unwrap(), "unknown field `\\u001b[2J\\u000aall is well`\n");
    }

    #[test]
    fn an_interrupted_rejection_is_finished_and_not_repeated() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(directory.path()).unwrap();
        let runner = RunnerLock::take(&spool).unwrap();
        fs::write(spool.queue().join("7.json"), "one").unwrap();
        fs::hard_link(spool.queue().join("7.json"), spool.rejected().join("7.json")).unwrap();
        assert_eq!(reject(&spool, &runner, OsStr::new("7.json"), "why").unwrap(), "7.json");
        assert_eq!(layout::names(&spool.rejected()).unwrap().len(), 2);
        assert!(layout::names(&spool.queue()).unwrap().is_empty());
    }
}
