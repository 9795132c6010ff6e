//! The one module that writes, renames and removes below the spool. clippy forbids it everywhere else.
//!
//! A new name appears whole or not at all: content goes to a temporary file on the same filesystem, then a rename
//! publishes it. A rename alone is atomic but not durable; [`Durability::Synced`] adds the two syncs that make it so.

use std::ffi::OsStr;
use std::fs::{File, Metadata, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Gid, IFlags, Mode, OFlags, RenameFlags, Uid};
use rustix::io::Errno;

use super::error::{Action, Error, Missing as _, Result};
use super::fault;
use super::lock::RunnerLock;

/// Whether a write is waited for until it would survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Readers see the old content or the new; after a power cut either may be there.
    Ordered,
    /// On return the new content survives a power cut.
    Synced,
}

/// Whether a name that had to be new was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The name is there now, and it was not before.
    New,
    /// Somebody else has the name; nothing was changed.
    Exists,
}

/// Creates a directory with exactly this mode, whatever the umask. The set-group-id bit may come from the directory that
/// it is in: some accounts and services may not set it (systemd's `RestrictSUIDSGID`), and need not where it is there.
///
/// # Errors
/// Any failure to create it or to give it its mode, "already exists" included.
pub fn create_directory(path: &Path, mode: u32) -> Result<()> {
    let wrap = |error| Error::io("create directory", path, error);
    fault::point().map_err(wrap)?;
    make_directory(path, mode)?;
    if mode_of(path)? == mode {
        return Ok(());
    }
    let set = set_mode(path, mode);
    if mode_of(path)? == mode {
        return Ok(());
    }
    if mode & SET_GROUP_ID == 0 {
        return set;
    }
    // To set the other bits takes the inherited one away, so it is made with all of them.
    rustix::fs::rmdir(path).map_err(|error| wrap(error.into()))?;
    let umask = rustix::process::umask(Mode::empty());
    let again = make_directory(path, mode);
    rustix::process::umask(umask);
    again?;
    if mode_of(path)? == mode {
        return Ok(());
    }
    Err(Error::invalid(
        path,
        "the set-group-id bit can be neither set nor inherited, so files made here would get another group; give the \
         parent directory the spool's group and mode 2750",
    ))
}

const SET_GROUP_ID: u32 = 0o2000;

fn make_directory(path: &Path, mode: u32) -> Result<()> {
    rustix::fs::mkdir(path, Mode::from_raw_mode(mode & 0o1777))
        .map_err(|error| Error::io("create directory", path, error))
}

fn mode_of(path: &Path) -> Result<u32> {
    let metadata = path.symlink_metadata().map_err(|error| Error::io("examine", path, error))?;
    Ok(metadata.mode() & 0o7777)
}

/// Sets the mode of a file or directory.
///
/// # Errors
/// Any failure to set it.
pub fn set_mode(path: &Path, mode: u32) -> Result<()> {
    rustix::fs::chmod(path, Mode::from_raw_mode(mode)).map_err(|error| Error::io("set the mode of", path, error))
}

/// Gives a file or directory to another group. Needs to be root, or its owner and in that group.
///
/// # Errors
/// Any failure to set it.
pub fn set_group(path: &Path, group: u32) -> Result<()> {
    rustix::fs::chown(path, None, Some(Gid::from_raw(group)))
        .map_err(|error| Error::io("set the group of", path, error))
}

/// Gives a file or directory to another account and group. Needs to be root.
///
/// # Errors
/// Any failure to set them.
pub fn set_owner(path: &Path, owner: u32, group: u32) -> Result<()> {
    rustix::fs::chown(path, Some(Uid::from_raw(owner)), Some(Gid::from_raw(group)))
        .map_err(|error| Error::io("change the owner of", path, error))
}

/// Gives a file to the owner of its directory: a file that root makes is for the account that uses it.
///
/// # Errors
/// Any failure to look at the two, or to give it away, which only root may.
pub fn give_to_owner_of_directory(file: &File, path: &Path) -> Result<()> {
    let directory = parent(path).metadata().map_err(|error| Error::io("examine", parent(path), error))?;
    let own = file.metadata().map_err(|error| Error::io("examine", path, error))?;
    if own.uid() == directory.uid() {
        return Ok(());
    }
    let (owner, group) = (Uid::from_raw(directory.uid()), Gid::from_raw(directory.gid()));
    rustix::fs::fchown(file, Some(owner), Some(group)).map_err(|error| Error::io("change the owner of", path, error))
}

/// Creates a file that must not exist yet, for directories that no reader looks at before they are complete.
/// It is neither synced nor published.
///
/// # Errors
/// Any failure to create or to write it.
pub fn create_file(path: &Path, bytes: &[u8], mode: u32) -> Result<File> {
    let mut file = create_empty(path, mode)?;
    file.write_all(bytes).map_err(|error| Error::io("create", path, error))?;
    Ok(file)
}

fn create_empty(path: &Path, mode: u32) -> Result<File> {
    let wrap = |error| Error::io("create", path, error);
    fault::point().map_err(wrap)?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = File::from(rustix::fs::open(path, flags, Mode::RUSR).map_err(|error| wrap(error.into()))?);
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(|error| wrap(error.into()))?;
    Ok(file)
}

/// Creates a file, which must not exist yet, of spaces: room that [`overwrite`] finds also when the disk is full. It is
/// not synced. What could not be written whole is removed.
///
/// # Errors
/// Any failure to create or to write it.
pub fn set_aside(path: &Path, size: usize, mode: u32) -> Result<File> {
    let mut file = create_empty(path, mode)?;
    // Where each write goes to new blocks (btrfs) this one file is to keep its own, which can be said only while it is
    // empty. Other filesystems do not know the flag, and need none.
    let _ = rustix::fs::ioctl_setflags(&file, IFlags::NOCOW);
    file.write_all(&vec![b' '; size]).map_err(|error| {
        let _ = remove(path);
        Error::io("create", path, error)
    })?;
    Ok(file)
}

/// Writes over a file that was [set aside](set_aside), durably and within its own blocks. Its length stays, filled with
/// spaces, which mean nothing behind a JSON document.
///
/// # Errors
/// Any failure to write or to sync it; [`Error::is_disk_full`] also if it is too short.
pub fn overwrite(file: &File, path: &Path, bytes: &[u8]) -> Result<()> {
    let wrap = |error| Error::io("write", path, error);
    fault::point().map_err(wrap)?;
    let room = usize::try_from(file.metadata().map_err(wrap)?.len()).unwrap_or(usize::MAX);
    if bytes.len() > room {
        return Err(wrap(std::io::ErrorKind::StorageFull.into()));
    }
    let mut padded = bytes.to_vec();
    padded.resize(room, b' ');
    file.write_all_at(&padded, 0).and_then(|()| file.sync_all()).map_err(wrap)
}

/// Tests whether a file can be made in a directory and written to, which neither the modes nor the flags of a filesystem
/// tell: a quota or an error of the disk refuses everything, a full disk takes nothing more. Nothing is left of it, and
/// where the kernel makes files without a name, nobody sees it.
///
/// # Errors
/// Why nothing can be written there.
pub fn try_writing(directory: &Path) -> Result<()> {
    // Its own text would name the temporary file.
    let wrap = |error: std::io::Error| Error::io("write to", directory, error.kind());
    fault::point().map_err(wrap)?;
    let mut file = tempfile::tempfile_in(directory).map_err(wrap)?;
    file.write_all(&[b' '; 4096]).map_err(wrap)
}

/// Opens a file for appending, creating it with this mode if it is not there. Refuses symbolic links.
///
/// # Errors
/// Any failure to open or to create it.
pub fn open_append(path: &Path, mode: u32) -> Result<File> {
    open_writable(path, OFlags::APPEND | OFlags::RDWR, Some(mode))
}

/// Opens an existing file for writing in place. Refuses symbolic links.
///
/// # Errors
/// Any failure to open it.
pub fn open_update(path: &Path) -> Result<File> {
    open_writable(path, OFlags::RDWR, None)
}

/// Opens a lock file, creating it empty with this mode if it is not there. Refuses symbolic links.
///
/// # Errors
/// Any failure to open or to create it.
pub fn open_lock(path: &Path, mode: u32) -> Result<File> {
    open_writable(path, OFlags::RDWR, Some(mode))
}

fn open_writable(path: &Path, flags: OFlags, create: Option<u32>) -> Result<File> {
    let wrap = |error: std::io::Error| Error::io("open for writing", path, error);
    fault::point().map_err(wrap)?;
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    match rustix::fs::open(path, flags, Mode::empty()) {
        Err(rustix::io::Errno::NOENT) => {}
        opened => return opened.map(File::from).map_err(|error| wrap(error.into())),
    }
    let Some(mode) = create else { return Err(wrap(rustix::io::Errno::NOENT.into())) };
    let file = rustix::fs::open(path, flags | OFlags::CREATE, Mode::RUSR | Mode::WUSR)
        .map(File::from)
        .map_err(|error| wrap(error.into()))?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(|error| wrap(error.into()))?;
    Ok(file)
}

/// Replaces the content of an open file in place, durably. For files that are locked: a rename would take the file away
/// from those who wait for its lock. After a crash it may be empty or damaged.
///
/// # Errors
/// Any failure to write or to sync it.
pub fn rewrite(file: &File, path: &Path, bytes: &[u8]) -> Result<()> {
    let wrap = |error| Error::io("write", path, error);
    fault::point().map_err(wrap)?;
    file.set_len(0).and_then(|()| file.write_all_at(bytes, 0)).map_err(wrap)?;
    fault::point().and_then(|()| file.sync_all()).map_err(|error| Error::io(Action::Sync, path, error))
}

/// Adds to the end of an open file that nobody else writes to. It is not waited for.
///
/// # Errors
/// Any failure to write.
pub fn append(file: &File, path: &Path, bytes: &[u8]) -> Result<()> {
    let wrap = |error| Error::io("write", path, error);
    fault::point().map_err(wrap)?;
    let end = file.metadata().map_err(wrap)?.len();
    file.write_all_at(bytes, end).map_err(wrap)
}

/// Replaces a file, or creates it, so that a reader sees the old content or the new, never a mixture.
///
/// # Errors
/// Any failure to write, sync or rename; the old content is then untouched.
pub fn replace(path: &Path, bytes: &[u8], mode: u32, durability: Durability) -> Result<()> {
    let staged = stage(parent(path), path, bytes, mode, durability)?;
    put(staged, path, durability)
}

/// Replaces a file as [`replace`] does, durably, by one with the owner, group and mode that it had.
///
/// # Errors
/// Any failure to write, sync or rename, or to give the new file to the owner of the old; the old one is then untouched.
pub fn replace_in_kind(path: &Path, bytes: &[u8], old: &Metadata) -> Result<()> {
    let wrap = |error: rustix::io::Errno| Error::io("keep the owner of", path, error);
    let staged = stage(parent(path), path, bytes, old.mode() & 0o7777, Durability::Synced)?;
    let new = staged.as_file().metadata().map_err(|error| Error::io("examine", path, error))?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        let owner = (Uid::from_raw(old.uid()), Gid::from_raw(old.gid()));
        rustix::fs::fchown(staged.as_file(), Some(owner.0), Some(owner.1)).map_err(wrap)?;
    }
    put(staged, path, Durability::Synced)
}

fn put(staged: tempfile::NamedTempFile, path: &Path, durability: Durability) -> Result<()> {
    fault::point().map_err(|error| Error::io("rename into place", path, error))?;
    staged.persist(path).map_err(|error| Error::io("rename into place", path, error.error))?;
    if durability == Durability::Synced { sync_directory(parent(path)) } else { Ok(()) }
}

/// Publishes a new file durably: written and synced in `staging`, renamed to `path` without replacing anything,
/// and the directory synced. After `New` it survives a power cut.
///
/// # Errors
/// Any failure to write, sync or rename.
pub fn publish(staging: &Path, path: &Path, bytes: &[u8], mode: u32) -> Result<Published> {
    let staged = stage(staging, path, bytes, mode, Durability::Synced)?;
    let published = rename_new(staged.path(), path)?;
    if published == Published::New {
        // The temporary name is gone; dropping its guard would only fail to remove it.
        let _ = staged.into_temp_path().keep();
        sync_directory(parent(path))?;
    }
    Ok(published)
}

fn stage(
    directory: &Path,
    target: &Path,
    bytes: &[u8],
    mode: u32,
    durability: Durability,
) -> Result<tempfile::NamedTempFile> {
    let wrap = |error| Error::io("write", target, error);
    fault::point().map_err(wrap)?;
    let prefix = target.file_name().unwrap_or(OsStr::new("file"));
    let mut prefix_hidden = std::ffi::OsString::from(".");
    prefix_hidden.push(prefix);
    prefix_hidden.push(".");
    let mut staged = tempfile::Builder::new()
        .prefix(&prefix_hidden)
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(directory)
        // Its own text would name the temporary file, and so be another text each time.
        .map_err(|error| wrap(error.kind().into()))?;
    rustix::fs::fchmod(staged.as_file(), Mode::from_raw_mode(mode)).map_err(|error| wrap(error.into()))?;
    staged.as_file_mut().write_all(bytes).map_err(wrap)?;
    if durability == Durability::Synced {
        staged.as_file().sync_all().map_err(|error| Error::io(Action::Sync, target, error))?;
    }
    Ok(staged)
}

/// Renames, replacing what is there.
///
/// # Errors
/// Any failure to rename.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    let wrap = |error| Error::io("rename into place", to, error);
    fault::point().map_err(wrap)?;
    rustix::fs::rename(from, to).map_err(|error| wrap(error.into()))
}

/// Gives a file a name that must be new, in place of the one it has: by `renameat2` with `RENAME_NOREPLACE`, or, where the
/// filesystem does not know that, by a link and a removal. After a crash between these two it has both names.
///
/// # Errors
/// Any failure to rename but "already exists".
pub fn rename_new(from: &Path, to: &Path) -> Result<Published> {
    if let Some(published) = try_rename_new(from, to)? {
        return Ok(published);
    }
    let published = link_new(from, to)?;
    if published == Published::New {
        // It has its name, so this has succeeded. A first name that stays is found, and removed, by the runner.
        let _ = remove(from);
    }
    Ok(published)
}

/// The same for directories too, in directories where only the runner gives names: where the filesystem knows no
/// `RENAME_NOREPLACE` the lock is what keeps others from taking the name between the look and the rename.
///
/// # Errors
/// Any failure to rename but "already exists".
pub fn rename_new_as_runner(_runner: &RunnerLock, from: &Path, to: &Path) -> Result<Published> {
    if let Some(published) = try_rename_new(from, to)? {
        return Ok(published);
    }
    match to.symlink_metadata() {
        Ok(_) => Ok(Published::Exists),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => rename(from, to).map(|()| Published::New),
        Err(error) => Err(Error::io("examine", to, error)),
    }
}

/// `None` if the filesystem does not know such renames. It says so only of names that are free.
fn try_rename_new(from: &Path, to: &Path) -> Result<Option<Published>> {
    let wrap = |error| Error::io("rename into place", to, error);
    fault::point().map_err(wrap)?;
    let renamed = if fault::refuses_renames() && to.symlink_metadata().is_err() {
        Err(Errno::INVAL)
    } else {
        rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)
    };
    match renamed {
        Ok(()) => Ok(Some(Published::New)),
        Err(Errno::EXIST) => Ok(Some(Published::Exists)),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(None),
        Err(error) => Err(wrap(error.into())),
    }
}

/// Tests whether a file in a directory can be given a new name without replacing anything: without that no job can be
/// taken safely. Nothing is left of it.
///
/// # Errors
/// The filesystem can do it in no way that is known here. Another failure, as of a full disk, is none.
pub fn try_new_names(directory: &Path) -> Result<()> {
    let Ok(file) = tempfile::Builder::new().prefix(".name.").tempfile_in(directory) else { return Ok(()) };
    let mut name = file.path().as_os_str().to_owned();
    name.push(".new");
    match rename_new(file.path(), Path::new(&name)) {
        Ok(_) => remove(Path::new(&name)),
        Err(error) if error.kind().is_some_and(cannot) => Err(Error::invalid(
            directory,
            "its filesystem supports neither renames without replacement nor hard links, so one job could replace \
             another; move the spool to another filesystem",
        )),
        Err(_) => Ok(()),
    }
}

fn cannot(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    matches!(kind, InvalidInput | PermissionDenied | Unsupported)
}

/// Exchanges what two names stand for: nobody sees one of them missing.
///
/// # Errors
/// One of them is missing, or the filesystem cannot do it.
pub fn exchange(one: &Path, other: &Path) -> Result<()> {
    let wrap = |error| Error::io("rename into place", other, error);
    fault::point().map_err(wrap)?;
    rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).map_err(|error| wrap(error.into()))
}

/// Gives a file, or a symbolic link itself, a second name, which must be new.
///
/// # Errors
/// Any failure to link but "already exists".
pub fn link_new(from: &Path, to: &Path) -> Result<Published> {
    let wrap = |error| Error::io("link", to, error);
    fault::point().map_err(wrap)?;
    if fault::refuses_links() {
        return Err(wrap(Errno::PERM.into()));
    }
    match rustix::fs::linkat(CWD, from, CWD, to, AtFlags::empty()) {
        Ok(()) => Ok(Published::New),
        Err(rustix::io::Errno::EXIST) => Ok(Published::Exists),
        Err(error) => Err(wrap(error.into())),
    }
}

/// Makes a symbolic link, replacing one that is there.
///
/// # Errors
/// Any failure to make it.
pub fn symlink(target: &Path, link: &Path) -> Result<()> {
    let wrap = |error: rustix::io::Errno| Error::io("link", link, error);
    fault::point().map_err(|error| Error::io("link", link, error))?;
    match rustix::fs::symlink(target, link) {
        Err(rustix::io::Errno::EXIST) => {
            remove(link)?;
            rustix::fs::symlink(target, link).map_err(wrap)
        }
        made => made.map_err(wrap),
    }
}

/// Removes a file or symbolic link. One that is not there is no error.
///
/// # Errors
/// Any other failure to remove it.
pub fn remove(path: &Path) -> Result<()> {
    let wrap = |error| Error::io("remove", path, error);
    fault::point().map_err(wrap)?;
    rustix::fs::unlink(path).map_err(|error| wrap(error.into())).missing_is_none().map(|_| ())
}

/// Removes a directory with all that is in it. One that is not there is no error. Follows no symbolic link.
///
/// # Errors
/// Any other failure to remove it.
pub fn remove_tree(path: &Path) -> Result<()> {
    let wrap = |error| Error::io("remove", path, error);
    fault::point().map_err(wrap)?;
    #[expect(clippy::disallowed_methods, reason = "this is the module that removes")]
    std::fs::remove_dir_all(path).map_err(wrap).missing_is_none().map(|_| ())
}

/// Makes a file's content durable.
///
/// # Errors
/// Any failure to open or to sync it.
pub fn sync_file(path: &Path) -> Result<()> {
    sync(path, OFlags::empty())
}

/// Makes the names in a directory durable.
///
/// # Errors
/// Any failure to open or to sync it.
pub fn sync_directory(path: &Path) -> Result<()> {
    sync(path, OFlags::DIRECTORY)
}

fn sync(path: &Path, flags: OFlags) -> Result<()> {
    let wrap = |error| Error::io(Action::Sync, path, error);
    fault::point().map_err(wrap)?;
    let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| wrap(error.into()))?;
    rustix::fs::fsync(file).map_err(|error| wrap(error.into()))
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    #[test]
    fn replace_sets_mode_and_leaves_no_temporary_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("status.json");
        replace(&path, b"one", 0o640, Durability::Ordered).unwrap();
        replace(&path, b"two", 0o640, Durability::Synced).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn publish_never_replaces() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("1.json");
        assert_eq!(publish(directory.path(), &path, b"first", 0o640).unwrap(), Published::New);
        assert_eq!(publish(directory.path(), &path, b"second", 0o640).unwrap(), Published::Exists);
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "the loser's temporary file is gone");
    }

    #[test]
    fn what_root_makes_belongs_to_the_owner_of_the_directory() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(directory.path(), Some(65_534), Some(65_533)).unwrap();
        let path = directory.path().join("audit.jsonl");
        let file = open_append(&path, 0o600).unwrap();
        give_to_owner_of_directory(&file, &path).unwrap();
        let metadata = path.metadata().unwrap();
        assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o777), (65_534, 65_533, 0o600));
    }

    #[test]
    fn an_error_names_the_path() {
        let error = replace(Path::new("/nowhere/at/all"), b"", 0o640, Durability::Ordered).unwrap_err();
        assert!(error.to_string().starts_with("cannot write /nowhere/at/all: "), "{error}");
    }

    #[test]
    fn writing_through_a_symbolic_link_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        symlink(Path::new("/etc/passwd"), &link).unwrap();
        assert!(open_append(&link, 0o640).is_err());
        assert!(open_update(&link).is_err());
    }
}
