//! Reading the audit trail, from its beginning or from its end, with as little memory as a few lines need, whatever is in
//! the file.
//!
//! A line that is no entry is a *fragment*: a crash or a full disk can leave the beginning of a line. Whatever else it is,
//! the next entry counts it as a part of the line before.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _, Take};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::line::{Line, MAX_LINE};
use super::take_lock;
use crate::digest;
use crate::spool::error::Missing as _;
use crate::spool::{Error, Result, lock, open};

/// How much is read at once, in bytes: room for one line at least, and mostly for many.
pub(crate) const BLOCK: usize = 1 << 16;

/// The lines of a part of a file, from its end to its beginning.
#[derive(Debug)]
pub(crate) struct Backwards<'a> {
    file: &'a File,
    path: &'a Path,
    /// Where the next line ends; `None` once the first was given.
    end: Option<u64>,
    /// The bytes of the file at `block_at`.
    block: Vec<u8>,
    block_at: u64,
}

impl<'a> Backwards<'a> {
    /// Begins at an offset that ends a line, before or behind its newline, or lies within a line.
    pub(crate) fn new(file: &'a File, path: &'a Path, end: u64) -> Result<Self> {
        let mut lines = Self { file, path, end: None, block: Vec::new(), block_at: end };
        if end > 0 {
            lines.load(end)?;
            let has_newline = lines.block.last() == Some(&b'\n');
            lines.end = Some(end - u64::from(has_newline));
        }
        Ok(lines)
    }

    /// Where the line before is, without its newline.
    pub(crate) fn next_place(&mut self) -> Result<Option<Range<u64>>> {
        let Some(end) = self.end else { return Ok(None) };
        let mut searched = end;
        loop {
            if searched == 0 {
                self.end = None;
                return Ok(Some(0..end));
            }
            if searched <= self.block_at {
                self.load(searched)?;
            }
            let part = &self.block[..index(searched - self.block_at)];
            if let Some(newline) = memchr::memrchr(b'\n', part) {
                let newline = self.block_at + newline as u64;
                self.end = Some(newline);
                return Ok(Some(newline + 1..end));
            }
            searched = self.block_at;
        }
    }

    /// The line at the place that was given last; `None` if it is a fragment.
    pub(crate) fn entry(&self, place: &Range<u64>) -> Result<Option<Line>> {
        let length = place.end - place.start;
        if length > MAX_LINE as u64 {
            return Ok(None);
        }
        let within = place.start.checked_sub(self.block_at).map(index);
        if let Some(bytes) = within.and_then(|begin| self.block.get(begin..begin + index(length))) {
            return Ok(Line::parse(bytes));
        }
        let mut bytes = vec![0; index(length)];
        let read = self.file.read_exact_at(&mut bytes, place.start);
        read.map_err(|error| Error::io("read", self.path, error))?;
        Ok(Line::parse(&bytes))
    }

    /// Reads the block that ends at an offset.
    fn load(&mut self, end: u64) -> Result<()> {
        self.block_at = end.saturating_sub(BLOCK as u64);
        self.block.resize(index(end - self.block_at), 0);
        let read = self.file.read_exact_at(&mut self.block, self.block_at);
        read.map_err(|error| Error::io("read", self.path, error))
    }
}

/// A line of the file.
#[derive(Debug)]
pub(crate) struct Physical {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// `None` for a fragment.
    pub(crate) entry: Option<Line>,
    /// Its SHA-256; for a fragment, that of everything from the beginning of the last entry to its end.
    pub(crate) digest: String,
    /// Whether it has its newline.
    pub(crate) is_ended: bool,
}

/// The lines of the beginning of a file.
#[derive(Debug)]
pub(crate) struct Forwards<'a> {
    reader: BufReader<Take<File>>,
    path: &'a Path,
    /// The line that is being read, as long as it is short enough for an entry.
    line: Vec<u8>,
    /// How many lines were read.
    number: u64,
    /// The hash since the last entry began, up to the end of the last line.
    since_entry: Sha256,
}

impl<'a> Forwards<'a> {
    /// Reads so many bytes of a file that is at its beginning.
    pub(crate) fn new(file: File, path: &'a Path, length: u64) -> Self {
        let reader = BufReader::with_capacity(BLOCK, file.take(length));
        Self { reader, path, line: Vec::new(), number: 0, since_entry: Sha256::new() }
    }

    pub(crate) fn next_line(&mut self) -> Result<Option<Physical>> {
        self.line.clear();
        let (mut is_begun, mut is_ended, mut is_long) = (false, false, false);
        while !is_ended {
            let part = match self.reader.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                part => part.map_err(|error| Error::io("read", self.path, error))?,
            };
            if part.is_empty() {
                break;
            }
            is_begun = true;
            let newline = memchr::memchr(b'\n', part);
            is_ended = newline.is_some();
            let part = &part[..newline.unwrap_or(part.len())];
            if !is_long && self.line.len() + part.len() > MAX_LINE {
                is_long = true;
                hash_fragment(&mut self.since_entry, self.number, &self.line);
            }
            if is_long {
                self.since_entry.update(part);
            } else {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(is_ended);
            self.reader.consume(used);
        }
        if !is_begun {
            return Ok(None);
        }
        let entry = if is_long { None } else { Line::parse(&self.line) };
        if entry.is_some() {
            self.since_entry = Sha256::new_with_prefix(&self.line);
        } else if !is_long {
            hash_fragment(&mut self.since_entry, self.number, &self.line);
        }
        self.number += 1;
        let digest = digest::hexadecimal(&self.since_entry.clone().finalize());
        Ok(Some(Physical { number: self.number, entry, digest, is_ended }))
    }
}

/// A fragment goes on from the line before it, if there is one.
fn hash_fragment(hasher: &mut Sha256, lines_before: u64, bytes: &[u8]) {
    if lines_before > 0 {
        hasher.update(b"\n");
    }
    hasher.update(bytes);
}

/// Opens the file, and returns its length at a moment when nobody writes. `None` if it is not there.
pub(crate) fn open_settled(path: &Path) -> Result<Option<(File, u64)>> {
    loop {
        let Some(locked) = open::read_only(path).missing_is_none()? else { return Ok(None) };
        take_lock(&locked, path)?;
        // The lock goes with its descriptor, so a long read keeps nobody from writing.
        let Some(file) = open::read_only(path).missing_is_none()? else { return Ok(None) };
        if lock::is_at(path, &locked)? && lock::is_at(path, &file)? {
            let metadata = file.metadata().map_err(|error| Error::io("look at", path, error))?;
            return Ok(Some((file, metadata.len())));
        }
    }
}

/// The first entry that begins behind an offset, and where; `None` if there is none within a block.
pub(crate) fn first_entry_behind(file: &File, path: &Path, offset: u64) -> Result<Option<(u64, Line)>> {
    let mut block = vec![0; BLOCK];
    let read = fill(file, path, &mut block, offset)?;
    let mut begin = None;
    for newline in memchr::memchr_iter(b'\n', &block[..read]) {
        if let Some(begin) = begin
            && let Some(line) = Line::parse(&block[begin..newline])
        {
            return Ok(Some((offset + begin as u64, line)));
        }
        begin = Some(newline + 1);
    }
    Ok(None)
}

/// The SHA-256 of a part of a file, in hexadecimal.
pub(crate) fn digest_of(file: &File, path: &Path, mut place: Range<u64>) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut block = vec![0; BLOCK];
    while place.start < place.end {
        let wanted = block.len().min(index(place.end - place.start));
        let read = fill(file, path, &mut block[..wanted], place.start)?;
        if read == 0 {
            return Err(Error::io("read", path, ErrorKind::UnexpectedEof));
        }
        hasher.update(&block[..read]);
        place.start += read as u64;
    }
    Ok(digest::hexadecimal(&hasher.finalize()))
}

/// Fills a buffer from an offset. Less is read only at the end of the file.
fn fill(file: &File, path: &Path, buffer: &mut [u8], offset: u64) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io("read", path, error)),
        }
    }
    Ok(filled)
}

/// A difference as an index. It is no more than a block, or is cut to what memory can have.
fn index(difference: u64) -> usize {
    usize::try_from(difference).unwrap_or(usize::MAX)
}
