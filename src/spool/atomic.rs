//! Writes, renames and removes files of the spool. No other module does: clippy forbids it.
//!
//! A new file appears complete or not at all: the content goes to a temporary file on the same filesystem, then a
//! rename publishes it. A rename alone is atomic but not durable. [`Durability::Synced`] adds the two syncs that make
//! it durable.

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

/// Whether a function waits until its write would survive a power cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Readers see the old content or the new; after a power cut either may be there.
    Ordered,
    /// On return the new content survives a power cut.
    Synced,
}

/// Whether a name was new, as it had to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The name was new. It exists now.
    New,
    /// The name exists already. The file behind it is unchanged.
    Exists,
}

/// Creates a directory with exactly this mode, whatever the umask. Some accounts and services may not set the
/// set-group-id bit (systemd's `RestrictSUIDSGID`). Then the directory must inherit it from its parent.
///
/// # Errors
/// The directory cannot be created or given its mode, or it exists already.
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
    // Setting the other bits later removes the inherited one. So the directory is made again, with all bits at once.
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

/// Gives a file or directory to another group. Only root may, or the owner if it is in that group.
///
/// # Errors
/// Any failure to set it.
pub fn set_group(path: &Path, group: u32) -> Result<()> {
    rustix::fs::chown(path, None, Some(Gid::from_raw(group)))
        .map_err(|error| Error::io("set the group of", path, error))
}

/// Gives a file or directory to another account and group. Only root may.
///
/// # Errors
/// Any failure to set them.
pub fn set_owner(path: &Path, owner: u32, group: u32) -> Result<()> {
    rustix::fs::chown(path, Some(Uid::from_raw(owner)), Some(Gid::from_raw(group)))
        .map_err(|error| Error::io("change the owner of", path, error))
}

/// Gives a file to the owner of its directory, so that the account of a service can use a file that root made.
///
/// # Errors
/// The file or its directory cannot be examined, or the owner cannot be changed, which only root may.
pub fn give_to_owner_of_directory(file: &File, path: &Path) -> Result<()> {
    let directory = parent(path).metadata().map_err(|error| Error::io("examine", parent(path), error))?;
    let own = file.metadata().map_err(|error| Error::io("examine", path, error))?;
    if own.uid() == directory.uid() {
        return Ok(());
    }
    let (owner, group) = (Uid::from_raw(directory.uid()), Gid::from_raw(directory.gid()));
    rustix::fs::fchown(file, Some(owner), Some(group)).map_err(|error| Error::io("change the owner of", path, error))
}

/// Creates a file, which must not exist yet, without syncing or publishing it. Use it only in directories that are
/// still hidden from readers.
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

/// Creates a file, which must not exist yet, and fills it with spaces. [`overwrite`] can use its room later, also when
/// the disk is full. The file is not synced. If it cannot be written completely, it is removed.
///
/// # Errors
/// Any failure to create or to write it.
pub fn set_aside(path: &Path, size: usize, mode: u32) -> Result<File> {
    let mut file = create_empty(path, mode)?;
    // btrfs puts each write into new blocks. This flag makes the file keep its blocks; it can be set only on an empty
    // file. Other filesystems do not know the flag, and do not need it.
    let _ = rustix::fs::ioctl_setflags(&file, IFlags::NOCOW);
    file.write_all(&vec![b' '; size]).map_err(|error| {
        let _ = remove(path);
        Error::io("create", path, error)
    })?;
    Ok(file)
}

/// Writes over a file that was [set aside](set_aside), durably and within its own blocks. The file keeps its length:
/// the rest is filled with spaces, which JSON ignores.
///
/// # Errors
/// The file cannot be written or synced. [`Error::is_disk_full`] is true also if the file is too short.
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

/// Tests whether files can be written in a directory, by writing one. Modes and mount flags do not tell: the disk may
/// be full, a quota used up, or the disk may fail. The file is removed again. Where the kernel supports files without a
/// name, it has none.
///
/// # Errors
/// The reason why files cannot be written there.
pub fn check_writable(directory: &Path) -> Result<()> {
    // Only the kind: the crate's message would name the temporary file.
    let wrap = |error: std::io::Error| Error::io("write to", directory, error.kind());
    fault::point().map_err(wrap)?;
    let mut file = tempfile::tempfile_in(directory).map_err(wrap)?;
    file.write_all(&[b' '; 4096]).map_err(wrap)
}

/// Opens a file for appending, and creates it with this mode if it is missing. Refuses symbolic links.
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

/// Opens a lock file, and creates it empty with this mode if it is missing. Refuses symbolic links.
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

/// Replaces the content of an open file in place, durably. It is for locked files: after a rename, processes that wait
/// for the lock would wait for the old file. After a crash the file may be empty or damaged.
///
/// # Errors
/// Any failure to write or to sync it.
pub fn rewrite(file: &File, path: &Path, bytes: &[u8]) -> Result<()> {
    let wrap = |error| Error::io("write", path, error);
    fault::point().map_err(wrap)?;
    file.set_len(0).and_then(|()| file.write_all_at(bytes, 0)).map_err(wrap)?;
    fault::point().and_then(|()| file.sync_all()).map_err(|error| Error::io(Action::Sync, path, error))
}

/// Adds to the end of an open file, without a sync. The caller must be its only writer.
///
/// # Errors
/// Any failure to write.
pub fn append(file: &File, path: &Path, bytes: &[u8]) -> Result<()> {
    let wrap = |error| Error::io("write", path, error);
    fault::point().map_err(wrap)?;
    let end = file.metadata().map_err(wrap)?.len();
    file.write_all_at(bytes, end).map_err(wrap)
}

/// Replaces or creates a file. A reader sees the old content or the new, never a mixture.
///
/// # Errors
/// Any failure to write, sync or rename. The file then keeps its old content.
pub fn replace(path: &Path, bytes: &[u8], mode: u32, durability: Durability) -> Result<()> {
    let staged = stage(parent(path), path, bytes, mode, durability)?;
    persist(staged, path, durability)
}

/// Replaces a file durably, as [`replace`] does. The new file has the owner, group and mode of the old one.
///
/// # Errors
/// Any failure to write, sync, rename or change the owner. The file then keeps its old content.
pub fn replace_keeping_owner(path: &Path, bytes: &[u8], old: &Metadata) -> Result<()> {
    let wrap = |error: rustix::io::Errno| Error::io("keep the owner of", path, error);
    let staged = stage(parent(path), path, bytes, old.mode() & 0o7777, Durability::Synced)?;
    let new = staged.as_file().metadata().map_err(|error| Error::io("examine", path, error))?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        let owner = (Uid::from_raw(old.uid()), Gid::from_raw(old.gid()));
        rustix::fs::fchown(staged.as_file(), Some(owner.0), Some(owner.1)).map_err(wrap)?;
    }
    persist(staged, path, Durability::Synced)
}

fn persist(staged: tempfile::NamedTempFile, path: &Path, durability: Durability) -> Result<()> {
    fault::point().map_err(|error| Error::io("rename into place", path, error))?;
    staged.persist(path).map_err(|error| Error::io("rename into place", path, error.error))?;
    if durability == Durability::Synced { sync_directory(parent(path)) } else { Ok(()) }
}

/// Publishes a new file durably: writes and syncs it in `staging`, renames it to `path` without replacing a file, and
/// syncs the directory. After `New` the file survives a power cut.
///
/// # Errors
/// Any failure to write, sync or rename.
pub fn publish(staging: &Path, path: &Path, bytes: &[u8], mode: u32) -> Result<Published> {
    let staged = stage(staging, path, bytes, mode, Durability::Synced)?;
    let published = rename_new(staged.path(), path)?;
    if published == Published::New {
        // The temporary name no longer exists, so its guard must not try to remove it.
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
        // Only the kind: the crate's message would name the temporary file, and so differ each time.
        .map_err(|error| wrap(error.kind().into()))?;
    rustix::fs::fchmod(staged.as_file(), Mode::from_raw_mode(mode)).map_err(|error| wrap(error.into()))?;
    staged.as_file_mut().write_all(bytes).map_err(wrap)?;
    if durability == Durability::Synced {
        staged.as_file().sync_all().map_err(|error| Error::io(Action::Sync, target, error))?;
    }
    Ok(staged)
}

/// Renames a file, and replaces the file at the target.
///
/// # Errors
/// Any failure to rename.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    let wrap = |error| Error::io("rename into place", to, error);
    fault::point().map_err(wrap)?;
    rustix::fs::rename(from, to).map_err(|error| wrap(error.into()))
}

/// Renames a file to a name that must be new, by `renameat2` with `RENAME_NOREPLACE`. If the filesystem does not
/// support that, it makes a link and removes the old name. After a crash between these two steps the file has both
/// names.
///
/// # Errors
/// Any failure to rename except "already exists".
pub fn rename_new(from: &Path, to: &Path) -> Result<Published> {
    if let Some(published) = try_rename_new(from, to)? {
        return Ok(published);
    }
    let published = link_new(from, to)?;
    if published == Published::New {
        // The file has its new name, so the call has succeeded. If the old name stays, the runner finds and removes it.
        let _ = remove(from);
    }
    Ok(published)
}

/// Does the same, also for directories, where only the runner creates names. If the filesystem does not support
/// `RENAME_NOREPLACE`, it checks the name first. The runner's lock prevents that another process takes the name in
/// between.
///
/// # Errors
/// Any failure to rename except "already exists".
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

/// Renames without replacing. Returns `None` if the filesystem does not support it, which it reports only for free
/// names.
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

/// Tests whether files in a directory can be renamed without replacing others. Otherwise no job can be taken safely.
/// The test file is removed again.
///
/// # Errors
/// The filesystem supports none of the ways that [`rename_new`] uses. Other failures, such as a full disk, are ignored.
pub fn check_renames(directory: &Path) -> Result<()> {
    let Ok(file) = tempfile::Builder::new().prefix(".name.").tempfile_in(directory) else { return Ok(()) };
    let mut name = file.path().as_os_str().to_owned();
    name.push(".new");
    match rename_new(file.path(), Path::new(&name)) {
        Ok(_) => remove(Path::new(&name)),
        Err(error) if error.kind().is_some_and(is_unsupported) => Err(Error::invalid(
            directory,
            "its filesystem supports neither renames without replacement nor hard links, so one job could replace \
             another; move the spool to another filesystem",
        )),
        Err(_) => Ok(()),
    }
}

fn is_unsupported(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    matches!(kind, InvalidInput | PermissionDenied | Unsupported)
}

/// Exchanges two files atomically: both names exist at every moment.
///
/// # Errors
/// One of them is missing, or the filesystem does not support exchanges.
pub fn exchange(one: &Path, other: &Path) -> Result<()> {
    let wrap = |error| Error::io("rename into place", other, error);
    fault::point().map_err(wrap)?;
    rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).map_err(|error| wrap(error.into()))
}

/// Gives a file, or a symbolic link itself, a second name, which must be new.
///
/// # Errors
/// Any failure to link except "already exists".
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

/// Makes a symbolic link, and replaces an existing one.
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

/// Removes a file or symbolic link. A missing one is not an error.
///
/// # Errors
/// Any other failure to remove it.
pub fn remove(path: &Path) -> Result<()> {
    let wrap = |error| Error::io("remove", path, error);
    fault::point().map_err(wrap)?;
    rustix::fs::unlink(path).map_err(|error| wrap(error.into())).missing_is_none().map(|_| ())
}

/// Removes a directory with its content. A missing one is not an error. Symbolic links in it are not followed.
///
/// # Errors
/// Any other failure to remove it.
pub fn remove_tree(path: &Path) -> Result<()> {
    let wrap = |error| Error::io("remove", path, error);
    fault::point().map_err(wrap)?;
    #[expect(clippy::disallowed_methods, reason = "only this module removes files")]
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
    fn a_file_that_root_makes_gets_the_owner_of_its_directory() {
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
