//! `env_file`: secrets for the environment of a job. Neither the API nor `ps` sees them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use thiserror::Error;

use super::names;

/// The largest file that is read, in bytes.
const MAX_SIZE: u64 = 1024 * 1024;

/// An environment file that cannot be used. The messages contain no part of the file's content.
#[derive(Debug, Error)]
pub enum EnvFileError {
    /// The file could not be read.
    #[error("cannot read the environment file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is a directory, a pipe or a device.
    #[error("the environment file {} is not a regular file", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Other accounts can read or change the file.
    #[error(
        "the environment file {path} is open to group or others (mode {mode:03o}); run: chmod 600 {path}",
        path = path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is too large for settings.
    #[error("the environment file {} is larger than 1 MiB", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A line of the file is not a setting.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The mistake in it.
        problem: String,
    },
}

/// Reads `NAME=value` lines.
///
/// The value is everything after the first `=`, with spaces and quotes. Variables are not expanded. Empty lines and
/// lines that begin with `#` are skipped.
///
/// # Errors
///
/// [`EnvFileError`] if the file is not a regular file, if group or others may read or write it, if it is larger than 1
/// MiB, or if one of its lines has another form.
pub fn read_env_file(path: &Path) -> Result<BTreeMap<String, String>, EnvFileError> {
    let unreadable = |source| EnvFileError::Read { path: path.to_owned(), source };
    // Non-blocking: to open a pipe would otherwise wait for a writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let descriptor = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| unreadable(errno.into()))?;
    let file = File::from(descriptor);
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(EnvFileError::NotAFile { path: path.to_owned() });
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o066 != 0 {
        return Err(EnvFileError::Exposed { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(EnvFileError::TooLarge { path: path.to_owned() });
    }
    parse(&bytes).map_err(|(line, problem)| EnvFileError::Line { path: path.to_owned(), line, problem })
}

/// The settings in a file. The error is the first line that is not a setting, and the reason.
fn parse(bytes: &[u8]) -> Result<BTreeMap<String, String>, (usize, String)> {
    let mut variables = BTreeMap::new();
    for (index, bytes) in bytes.split(|&byte| byte == b'\n').enumerate() {
        let wrong = |problem: &str| (index + 1, problem.to_owned());
        let line = str::from_utf8(bytes).map_err(|_| wrong("not UTF-8 text"))?;
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').ok_or_else(|| wrong("not a line of the form NAME=value"))?;
        names::check_variable(name).map_err(|problem| wrong(&format!("the name before `=` {problem}")))?;
        if value.contains('\0') {
            return Err(wrong("the value contains a NUL"));
        }
        if variables.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(wrong("the name before `=` is set a second time"));
        }
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tempfile::NamedTempFile;

    use super::*;

    /// A file that only its owner can read, as temporary files are.
    fn file(content: &[u8]) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        file
    }

    /// The message about a file, without its path.
    fn error(path: &Path) -> String {
        read_env_file(path).unwrap_err().to_string().replace(&path.display().to_string(), "FILE")
    }

    #[test]
    fn everything_after_the_first_equals_sign_is_the_value() {
        let file = file(b"# secrets\n\n  # more\nTOKEN=a=b c \r\n_EMPTY=\nQUOTED=\"x\"\nLAST=\xc3\xa9");
        let expected = [("LAST", "é"), ("QUOTED", "\"x\""), ("TOKEN", "a=b c "), ("_EMPTY", "")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read_env_file(file.path()).unwrap(), BTreeMap::from(expected));
    }

    #[test]
    fn a_line_that_is_no_setting_is_named_but_not_quoted() {
        for (content, expected) in [
            (&b"A=1\nsecret"[..], "FILE:2: not a line of the form NAME=value"),
            (b"=1", "FILE:1: the name before `=` must be letters, digits or `_`, and not begin with a digit"),
            (b"export A=1", "FILE:1: the name before `=` must be letters, digits or `_`, and not begin with a digit"),
            (b"SPIDERPIG_IO_KEY=1", "FILE:1: the name before `=` must not begin with `SPIDERPIG_`, which is reserved"),
            (b"A=1\nA=2", "FILE:2: the name before `=` is set a second time"),
            (b"A=a\0b", "FILE:1: the value contains a NUL"),
            (b"#\n#\nA=\xff", "FILE:3: not UTF-8 text"),
        ] {
            assert_eq!(error(file(content).path()), expected);
        }
    }

    #[test]
    fn a_file_that_others_can_read_or_write_is_refused() {
        for mode in [0o640, 0o604, 0o620, 0o602, 0o644] {
            let file = file(b"A=1");
            file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
            let expected =
                format!("the environment file FILE is open to group or others (mode {mode:03o}); run: chmod 600 FILE");
            assert_eq!(error(file.path()), expected);
        }
    }

    #[test]
    fn only_small_regular_files_are_read() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(error(directory.path()), "the environment file FILE is not a regular file");
        let pipe = directory.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR).unwrap();
        assert_eq!(error(&pipe), "the environment file FILE is not a regular file");
        let missing = directory.path().join("missing");
        assert_eq!(error(&missing), "cannot read the environment file FILE: No such file or directory (os error 2)");
        let comment = |size: u64| file(&vec![b'#'; usize::try_from(size).unwrap()]);
        assert_eq!(read_env_file(comment(MAX_SIZE).path()).unwrap(), BTreeMap::new());
        assert_eq!(error(comment(MAX_SIZE + 1).path()), "the environment file FILE is larger than 1 MiB");
    }

    #[test]
    fn a_link_is_followed() {
        let target = file(b"A=1");
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        rustix::fs::symlink(target.path(), &link).unwrap();
        assert_eq!(read_env_file(&link).unwrap().len(), 1);
    }
}
