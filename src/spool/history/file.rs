//! Reads `history.jsonl`: all lines, or one at a known place.

use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::PathBuf;

use crate::spool::error::{Error, Missing as _, Result};
use crate::spool::layout::Spool;
use crate::spool::open;

/// The size of one read, in bytes. The buffer grows if a line is longer.
const BLOCK: usize = 1 << 18;

/// The open history. Another file may have its name by now.
#[derive(Debug)]
pub struct HistoryFile {
    file: File,
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl HistoryFile {
    /// Opens the history. `None` if there is none yet.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(spool: &Spool) -> Result<Option<Self>> {
        let path = spool.history();
        let Some(file) = open::read_only(&path).missing_is_none()? else { return Ok(None) };
        let metadata = file.metadata().map_err(|error| Error::io("examine", &path, error))?;
        Ok(Some(Self { file, path, identity: (metadata.dev(), metadata.ino()) }))
    }

    /// Whether both are the same file.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.identity == other.identity
    }

    /// The present length of the file, in bytes.
    ///
    /// # Errors
    /// The file cannot be examined.
    pub fn length(&self) -> Result<u64> {
        self.file.metadata().map(|metadata| metadata.len()).map_err(|error| self.wrap(error))
    }

    /// Visits each line of a range, with its offset and without its newline. The range must begin at the beginning of a
    /// line. Returns the end of the last whole line. A line that the range or the file cuts off is not visited.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn for_each_line(&self, range: Range<u64>, mut visit: impl FnMut(u64, &[u8])) -> Result<u64> {
        let mut buffer = vec![0; BLOCK];
        // The buffer has `filled` bytes of the file, from `offset` on, where a line begins.
        let (mut offset, mut filled) = (range.start, 0);
        loop {
            if filled == buffer.len() {
                buffer.resize(2 * filled, 0);
            }
            let left = usize::try_from(range.end.saturating_sub(offset + filled as u64)).unwrap_or(usize::MAX);
            let room = (buffer.len() - filled).min(left);
            let read = self.read_some(&mut buffer[filled..filled + room], offset + filled as u64)?;
            if read == 0 {
                return Ok(offset);
            }
            let mut begin = 0;
            for newline in memchr::memchr_iter(b'\n', &buffer[filled..filled + read]).map(|at| filled + at) {
                visit(offset + begin as u64, &buffer[begin..newline]);
                begin = newline + 1;
            }
            filled += read;
            buffer.copy_within(begin..filled, 0);
            filled -= begin;
            offset += begin as u64;
        }
    }

    /// The beginning of the first line that begins behind `offset`. The end of the file if there is none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn line_behind(&self, mut offset: u64) -> Result<u64> {
        let mut buffer = vec![0; 1 << 12];
        loop {
            let read = self.read_some(&mut buffer, offset)?;
            match memchr::memchr(b'\n', &buffer[..read]) {
                Some(newline) => return Ok(offset + newline as u64 + 1),
                None if read == 0 => return Ok(offset),
                None => offset += read as u64,
            }
        }
    }

    /// Fills the buffer from an offset of the file.
    ///
    /// # Errors
    /// The file cannot be read, or is too short.
    pub fn read(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.file.read_exact_at(buffer, offset).map_err(|error| self.wrap(error))
    }

    fn read_some(&self, buffer: &mut [u8], offset: u64) -> Result<usize> {
        loop {
            match self.file.read_at(buffer, offset) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result.map_err(|error| self.wrap(error)),
            }
        }
    }

    fn wrap(&self, error: std::io::Error) -> Error {
        Error::io("read", &self.path, error)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make files by hand")]
mod tests {
    use super::*;

    fn lines(file: &HistoryFile, range: Range<u64>) -> (Vec<(u64, String)>, u64) {
        let mut lines = Vec::new();
        let end = file.for_each_line(range, |offset, line| {
            lines.push((offset, String::from_utf8_lossy(line).into_owned()));
        });
        (lines, end.unwrap())
    }

    #[test]
    fn lines_of_any_length_are_found_with_their_places() {
        let directory = tempfile::tempdir().unwrap();
        let spool = Spool::lay_out(directory.path()).unwrap();
        assert!(HistoryFile::open(&spool).unwrap().is_none());
        let long = "x".repeat(3 * BLOCK);
        std::fs::write(spool.history(), format!("one\n\n{long}\nlast\nunfinished")).unwrap();
        let file = HistoryFile::open(&spool).unwrap().unwrap();
        let after_long = 6 + long.len() as u64;
        let all = [(0, "one".into()), (4, String::new()), (5, long), (after_long, "last".into())];
        assert_eq!(lines(&file, 0..u64::MAX), (all.to_vec(), after_long + 5));
        assert_eq!(lines(&file, 4..after_long), (all[1..3].to_vec(), after_long));
        assert_eq!(lines(&file, 0..5), (all[..2].to_vec(), 5));
        assert_eq!([0, 3, 4, 5].map(|near| file.line_behind(near).unwrap()), [4, 4, 5, after_long]);
        assert_eq!(file.line_behind(after_long + 6).unwrap(), file.length().unwrap());
        let mut found = [0; 3];
        file.read(&mut found, 0).unwrap();
        assert_eq!(&found, b"one");
        assert!(file.read(&mut found, file.length().unwrap() - 2).is_err(), "it ends before");
    }
}
