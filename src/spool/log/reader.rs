//! Reading `log.jsonl` from any record on, while it grows.

use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use memchr::memchr_iter;

use super::index::{Checkpoint, Index};
use super::record::{Record, RecordKind};
use crate::spool::error::{Error, Missing as _, Result};
use crate::spool::open;

/// The size of one read, in bytes. It is small, because the server keeps the data while a slow client reads it, and
/// there may be many clients. A larger size would hardly be faster.
const CHUNK: usize = 32 * 1024;
/// The longest line of a log, in bytes. A longer one is damage: no supervisor writes it.
const LINE_LIMIT: usize = 16 << 20;

/// Reads a log. It has a position: the records before it were read or skipped.
///
/// ```
/// use spiderpig::spool::log::{LogReader, RecordKind};
///
/// let job = tempfile::tempdir()?;
/// let log = concat!(
///     r#"{"time":"2026-11-23T15:38:46.748Z","type":"line","line":"Checking out 1"}"#, "\n",
///     r#"{"time":"2026-11-23T15:38:52.440Z","type":"exit","status":0,"signal":null}"#, "\n",
/// );
/// std::fs::write(job.path().join("log.jsonl"), log)?;
/// let mut reader = LogReader::open(job.path())?.expect("there is a log");
/// let mut lines = Vec::new();
/// reader.for_each(|number, record| {
///     if let RecordKind::Line(line) = record.kind {
///         lines.push((number, line.line));
///     }
/// })?;
/// assert_eq!(lines, [(1, "Checking out 1".to_owned())]);
/// assert_eq!(reader.records(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LogReader {
    path: PathBuf,
    file: File,
    /// The next record to be read.
    at: Checkpoint,
    buffer: Vec<u8>,
}

impl LogReader {
    /// Opens the log of a job directory at its first record. `None` if there is no log yet.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(directory: &Path) -> Result<Option<Self>> {
        let path = directory.join("log.jsonl");
        let file = open::read_only(&path).missing_is_none()?;
        Ok(file.map(|file| Self { path, file, at: Checkpoint::START, buffer: Vec::new() }))
    }

    /// The number of records before the position.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.at.record - 1
    }

    /// The position, in bytes.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.at.offset
    }

    /// Goes behind the first `records` records, with the help of the index. Stops at the end of the log if there are
    /// fewer.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn skip_to(&mut self, records: u64) -> Result<()> {
        let mut index = Index::load(self)?;
        self.skip_to_with(&mut index, records)
    }

    /// Does the same with an index that the caller keeps.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn skip_to_with(&mut self, index: &mut Index, records: u64) -> Result<()> {
        let place = index.find(self, records.saturating_add(1))?;
        self.go_to(place);
        while self.records() < records {
            if self.read_at_most(records - self.records())?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Goes to the end of the log as it is now.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn skip_to_end(&mut self) -> Result<()> {
        self.skip_to(u64::MAX - 1)
    }

    /// Goes to a record at a known place.
    pub(super) fn go_to(&mut self, place: Checkpoint) {
        self.at = place;
    }

    /// Reads the whole lines within the `limit` bytes before the position.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn read_before(&self, limit: u64) -> Result<Vec<u8>> {
        let begin = self.at.offset.saturating_sub(limit);
        let mut lines = vec![0; usize::try_from(self.at.offset - begin).unwrap_or_default()];
        self.file.read_exact_at(&mut lines, begin).map_err(|error| Error::io("read", &self.path, error))?;
        if begin > 0 {
            let first = memchr::memchr(b'\n', &lines).map_or(lines.len(), |newline| newline + 1);
            lines.drain(..first);
        }
        Ok(lines)
    }

    /// Frees the memory of the buffer. Many readers may wait for output, each for hours.
    pub fn free_buffer(&mut self) {
        self.buffer = Vec::new();
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// The present length of the log, in bytes, with an unfinished last line.
    pub(super) fn length(&self) -> Result<u64> {
        Ok(self.metadata()?.len())
    }

    /// Device and inode. They tell whether another file has the same name now.
    pub(super) fn file_id(&self) -> Result<(u64, u64)> {
        let metadata = self.metadata()?;
        Ok((metadata.dev(), metadata.ino()))
    }

    fn metadata(&self) -> Result<Metadata> {
        self.file.metadata().map_err(|error| Error::io("examine", &self.path, error))
    }

    /// Reads the next finished lines, at least one, with their newlines, and goes behind them. `None` if there are no
    /// more finished lines. The number of the first line is `records() + 1`, as it was before the call.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn read(&mut self) -> Result<Option<&[u8]>> {
        self.read_at_most(u64::MAX)
    }

    /// Does the same with at most `limit` lines.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn read_at_most(&mut self, limit: u64) -> Result<Option<&[u8]>> {
        let length = self.length()?;
        let left = usize::try_from(length.saturating_sub(self.at.offset)).unwrap_or(usize::MAX);
        let mut wanted = left.min(CHUNK);
        loop {
            self.buffer.resize(wanted, 0);
            let length = self.fill()?;
            let mut lines = 0;
            let mut end = 0;
            for newline in memchr_iter(b'\n', &self.buffer[..length]) {
                lines += 1;
                end = newline + 1;
                if lines == limit {
                    break;
                }
            }
            if lines > 0 {
                self.at.record += lines;
                self.at.offset += end as u64;
                return Ok(Some(&self.buffer[..end]));
            }
            if wanted == left || length < wanted {
                self.free_buffer();
                return Ok(None);
            }
            if wanted >= LINE_LIMIT {
                // Damage, such as zeros after a power cut. The rest of the log is not to be trusted.
                return Ok(None);
            }
            wanted = left.min(wanted * 4);
        }
    }

    /// Fills the buffer from the position on. Returns the number of bytes.
    fn fill(&mut self) -> Result<usize> {
        let mut filled = 0;
        while filled < self.buffer.len() {
            let offset = self.at.offset + filled as u64;
            match self.file.read_at(&mut self.buffer[filled..], offset) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("read", &self.path, error)),
            }
        }
        Ok(filled)
    }

    /// Reads to the end and parses only the records of these types. It is fast if they are rare, because it does not
    /// parse the other lines.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn for_each_of(&mut self, types: &[&str], mut visit: impl FnMut(RecordKind)) -> Result<()> {
        let marks: Vec<String> = types.iter().map(|name| format!("\"type\":\"{name}\"")).collect();
        let finders: Vec<_> = marks.iter().map(|mark| memchr::memmem::Finder::new(mark.as_bytes())).collect();
        while let Some(lines) = self.read()? {
            if finders.iter().all(|finder| finder.find(lines).is_none()) {
                continue;
            }
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                if finders.iter().any(|finder| finder.find(line).is_some())
                    && let Ok(record) = serde_json::from_slice::<Record>(line)
                {
                    visit(record.kind);
                }
            }
        }
        Ok(())
    }

    /// Reads to the end and parses the records. Leaves out lines that are not records.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn for_each(&mut self, mut visit: impl FnMut(u64, Record)) -> Result<()> {
        loop {
            let mut number = self.records();
            let Some(lines) = self.read()? else { return Ok(()) };
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                number += 1;
                if let Ok(record) = serde_json::from_slice(line) {
                    visit(number, record);
                }
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests prepare files by hand")]
mod tests {
    use std::fmt::Write as _;
    use std::io::Write as _;

    use super::*;

    fn log(lines: usize) -> (tempfile::TempDir, Vec<u64>) {
        let directory = tempfile::tempdir().unwrap();
        let mut text = String::new();
        let mut offsets = Vec::new();
        for line in 1..=lines {
            offsets.push(text.len() as u64);
            writeln!(text, "{{\"line\":{line}}}").unwrap();
        }
        std::fs::write(directory.path().join("log.jsonl"), text).unwrap();
        (directory, offsets)
    }

    fn write_index(directory: &Path, entries: &[(u64, u64)]) {
        let lines = entries.iter().map(|&(record, offset)| Checkpoint { record, offset }.to_line());
        std::fs::write(directory.join("log.index"), lines.collect::<String>()).unwrap();
    }

    fn first_line_after(directory: &Path, records: u64) -> Option<String> {
        let mut reader = LogReader::open(directory).unwrap().unwrap();
        reader.skip_to(records).unwrap();
        let lines = reader.read().unwrap()?;
        Some(String::from_utf8_lossy(lines).lines().next().unwrap().to_owned())
    }

    #[test]
    fn a_good_index_a_bad_one_and_none_lead_to_the_same_record() {
        let (directory, offsets) = log(3500);
        let path = directory.path();
        let good = [(1001, offsets[1000]), (2001, offsets[2000]), (3001, offsets[3000])];
        let indexes: [&[(u64, u64)]; 8] = [
            &[],
            &good,
            &[(1001, offsets[1000]), (2001, offsets[2000] + 1), (3001, offsets[3000])],
            &[(1001, 5), (2001, offsets[2000])],
            &[(2001, offsets[2000])],
            &[(1001, u64::MAX), (2001, 0)],
            &[(1001, offsets[999]), (2001, offsets[2000])],
            &[(1001, offsets[1000]), (2001, offsets[1999]), (3001, u64::MAX)],
        ];
        for entries in indexes {
            write_index(path, entries);
            for records in [0, 1, 999, 1000, 1001, 2000, 3499] {
                let expected = format!("{{\"line\":{}}}", records + 1);
                assert_eq!(first_line_after(path, records), Some(expected), "{entries:?}");
            }
            assert_eq!(first_line_after(path, 3500), None);
            assert_eq!(first_line_after(path, 9999), None);
        }
    }

    #[test]
    fn a_kept_index_grows_with_the_log_and_notices_another_log() {
        let (directory, offsets) = log(2500);
        write_index(directory.path(), &[(1001, offsets[1000])]);
        let open = || LogReader::open(directory.path()).unwrap().unwrap();
        let mut reader = open();
        let mut index = Index::load(&reader).unwrap();
        assert_eq!(index.count(&mut reader).unwrap(), 2500);
        let path = directory.path().join("log.jsonl");
        let mut file = std::fs::File::options().append(true).open(&path).unwrap();
        file.write_all("{}\n".repeat(2500).as_bytes()).unwrap();
        file.write_all(b"{").unwrap();
        let mut reader = open();
        assert!(index.is_of(&reader).unwrap());
        assert_eq!(index.count(&mut reader).unwrap(), 5000);
        assert_eq!(index.find(&mut reader, 2001).unwrap(), Checkpoint { record: 2001, offset: offsets[2000] });
        assert_eq!(index.find(&mut reader, 9999).unwrap().record, 5001);
        reader.skip_to_with(&mut index, 4999).unwrap();
        assert_eq!(reader.read().unwrap(), Some(&b"{}\n"[..]));

        std::fs::write(&path, "{}\n").unwrap();
        assert!(!index.is_of(&open()).unwrap(), "it is shorter");
        std::fs::rename(&path, directory.path().join("old")).unwrap();
        std::fs::write(&path, "{}\n".repeat(99_999)).unwrap();
        assert!(!index.is_of(&open()).unwrap(), "it is another file");
    }

    #[test]
    fn an_unfinished_line_is_read_once_it_is_finished() {
        let (directory, _) = log(1);
        let path = directory.path().join("log.jsonl");
        let mut file = std::fs::File::options().append(true).open(path).unwrap();
        file.write_all(b"{\"line\":").unwrap();
        let mut reader = LogReader::open(directory.path()).unwrap().unwrap();
        assert_eq!(reader.read().unwrap(), Some(&b"{\"line\":1}\n"[..]));
        assert_eq!(reader.read().unwrap(), None);
        file.write_all(b"2}\n").unwrap();
        assert_eq!(reader.read().unwrap(), Some(&b"{\"line\":2}\n"[..]));
        assert_eq!(reader.records(), 2);
    }

    #[test]
    fn read_before_returns_whole_lines_before_the_position() {
        let (directory, offsets) = log(20);
        let mut reader = LogReader::open(directory.path()).unwrap().unwrap();
        assert!(reader.read_before(99).unwrap().is_empty());
        reader.skip_to_end().unwrap();
        let back = |limit| String::from_utf8(reader.read_before(limit).unwrap()).unwrap();
        assert_eq!(back(u64::MAX).lines().count(), 20);
        assert_eq!(back(reader.offset() - offsets[18]), "{\"line\":20}\n", "the line at the limit may be a torn one");
        assert_eq!(back(reader.offset() - offsets[18] + 1), "{\"line\":19}\n{\"line\":20}\n");
        assert_eq!(back(3), "");
    }

    #[test]
    fn lines_longer_than_a_chunk_are_read_whole() {
        let directory = tempfile::tempdir().unwrap();
        let long = "x".repeat(3 * CHUNK);
        std::fs::write(directory.path().join("log.jsonl"), format!("a\n{long}\nb\n")).unwrap();
        let mut reader = LogReader::open(directory.path()).unwrap().unwrap();
        assert_eq!(reader.read().unwrap().map(<[u8]>::len), Some(2));
        assert_eq!(reader.read().unwrap().map(<[u8]>::len), Some(long.len() + 3));
        assert_eq!(reader.records(), 3);
    }
}
