//! Appends to a job's log, in batches.
//!
//! Records gather in memory and reach the file in one write, always whole lines. If the disk is full, the rest waits in
//! memory for the next attempt. Beyond a limit, output is dropped and counted.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::index::{Checkpoint, INTERVAL};
use super::plain::PlainText;
use super::reader::LogReader;
use super::record::{Line, RecordKind};
use crate::protocol::Piece;
use crate::spool::atomic;
use crate::spool::error::{Action, Error, Result};
use crate::spool::fault;
use crate::spool::layout::FILE;
use crate::spool::time::Time;

/// How much may wait in memory while the disk is full, in bytes.
const BACKLOG: usize = 1 << 20;

/// The beginning of a note about a gap.
const GAP: &str = "the log has a gap here";

/// So many empty lines in a row, or more, become one record. A record for each would take sixty times its size.
const EMPTY_RUN: usize = 16;
/// The most empty lines in one record.
const LONGEST_EMPTY_RUN: usize = 32 << 10;

impl<'a> From<&'a Line> for Piece<'a> {
    fn from(line: &'a Line) -> Self {
        Self {
            text: &line.line,
            sensitive: line.sensitive,
            continued: line.continued,
            partial: line.partial,
            continues: line.continues,
            rewrites: line.rewrites,
        }
    }
}

/// The writer of one job's log. Only the holder of the job's lock has one.
#[derive(Debug)]
pub struct LogWriter {
    log: Appender,
    /// The path of the index. Most logs never need one.
    index: PathBuf,
    output: Appender,
    plain: PlainText,
    /// The number of empty lines at the end that are not in the batch yet.
    empty: usize,
    /// The number of records in the file and in the batch.
    records: u64,
    /// The index entries of the batch.
    checkpoints: String,
    /// `{"time":"…","type":` for the present millisecond.
    head: Vec<u8>,
    head_time: Option<Time>,
    dropped: u64,
}

impl LogWriter {
    /// Opens the log of a job directory behind its last finished record. Creates missing files, and cuts off an
    /// unfinished record.
    ///
    /// # Errors
    /// A file cannot be opened, read or cut.
    pub fn open(directory: &Path) -> Result<Self> {
        let log_path = directory.join("log.jsonl");
        let mut log = Appender::open(&log_path)?;
        let mut records = 0;
        if log.length > 0
            && let Some(mut reader) = LogReader::open(directory)?
        {
            reader.skip_to_end()?;
            records = reader.records();
            log.cut(reader.offset())?;
        }
        Ok(Self {
            log,
            index: directory.join("log.index"),
            output: Appender::open(&directory.join("output.log"))?,
            plain: PlainText::default(),
            empty: 0,
            records,
            checkpoints: String::new(),
            head: Vec::new(),
            head_time: None,
            dropped: 0,
        })
    }

    /// The number of records, with those of the batch.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The length of the log, in bytes, with the batch.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.log.length + self.log.batch.len() as u64
    }

    /// The size of the log and the plain text together, in bytes, with the batches.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.length() + self.output.length + self.output.batch.len() as u64
    }

    /// The number of bytes of output that were dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Counts bytes of output as dropped.
    pub fn drop_output(&mut self, bytes: usize) {
        self.dropped += bytes as u64;
    }

    /// Adds a line, or a piece of one, to the batch, and to `output.log` unless it is sensitive.
    pub fn text(&mut self, text: Piece<'_>) {
        if text == Piece::default() {
            self.empty += 1;
            if self.empty < LONGEST_EMPTY_RUN {
                return;
            }
        }
        self.end_run();
        if text != Piece::default() {
            self.put_piece(text);
        }
    }

    /// Puts the empty lines at the end into the batch.
    fn end_run(&mut self) {
        match std::mem::take(&mut self.empty) {
            count @ ..EMPTY_RUN => (0..count).for_each(|_| self.put_piece(Piece::default())),
            count => self.put_piece(Piece { text: &"\n".repeat(count - 1), ..Piece::default() }),
        }
    }

    fn put_piece(&mut self, text: Piece<'_>) {
        self.begin_record();
        let batch = &mut self.log.batch;
        batch.extend_from_slice(b"\"line\",\"line\":");
        write_json(batch, text.text);
        for (set, member) in [
            (text.sensitive, &b",\"sensitive\":true"[..]),
            (text.continued, b",\"continued\":true"),
            (text.partial, b",\"partial\":true"),
            (text.continues, b",\"continues\":true"),
            (text.rewrites, b",\"rewrites\":true"),
        ] {
            if set {
                batch.extend_from_slice(member);
            }
        }
        batch.extend_from_slice(b"}\n");
        self.plain.piece(text, &mut self.output.batch);
    }

    /// Adds a record of any type to the batch.
    pub fn record(&mut self, kind: &RecordKind) {
        if let RecordKind::Line(line) = kind {
            self.text(line.into());
            return;
        }
        self.end_run();
        self.begin_record();
        // The head ends with `"type":`, and the serialised kind begins with `{"type":`.
        let mut json = Vec::new();
        write_json(&mut json, kind);
        let batch = &mut self.log.batch;
        batch.extend_from_slice(json.strip_prefix(b"{\"type\":").unwrap_or(&json));
        batch.push(b'\n');
        self.plain.record(kind, &mut self.output.batch);
    }

    fn begin_record(&mut self) {
        if self.records > 0 && self.records.is_multiple_of(INTERVAL) {
            let entry = Checkpoint { record: self.records + 1, offset: self.length() };
            self.checkpoints.push_str(&entry.to_line());
        }
        self.records += 1;
        let now = Time::now();
        if self.head_time != Some(now) {
            self.head_time = Some(now);
            self.head.clear();
            // Writing to memory cannot fail.
            let _ = write!(self.head, "{{\"time\":\"{now}\",\"type\":");
        }
        self.log.batch.extend_from_slice(&self.head);
    }

    /// Adds a note to the batch.
    pub fn note(&mut self, note: impl Into<String>) {
        self.record(&RecordKind::Note { note: note.into(), cause: None });
    }

    /// Writes the batch. If that fails, the rest waits for the next flush, or is dropped and counted.
    ///
    /// # Errors
    /// The log cannot be written. The batch is kept up to a limit. Errors of `output.log` and of the index are not
    /// reported, because both can be made again from the log.
    pub fn flush(&mut self) -> Result<()> {
        self.end_run();
        let written = self.log.flush();
        if written.is_ok() {
            if !self.checkpoints.is_empty() {
                let _ = self.write_checkpoints();
            }
        } else if self.log.batch.len() > BACKLOG {
            self.drop_output_lines();
            if self.log.batch.len() > BACKLOG / 2 {
                self.drop_batch();
                self.note_gap();
            }
        }
        if self.output.flush().is_err() && self.output.batch.len() > BACKLOG {
            self.output.batch.clear();
        }
        written
    }

    fn write_checkpoints(&mut self) -> Result<()> {
        let text = std::mem::take(&mut self.checkpoints);
        let mut file = atomic::open_append(&self.index, FILE)?;
        let written = fault::point().and_then(|()| file.write_all(text.as_bytes()));
        written.map_err(|error| Error::io("write", &self.index, error))
    }

    /// Drops the output and the progress of the batch, counts them, and puts a note in their place. Keeps prompts,
    /// answers, notes and all other records.
    pub fn drop_output_lines(&mut self) {
        self.end_run();
        let head = self.head.len();
        let gap = [b"\"note\",\"note\":\"", GAP.as_bytes()].concat();
        // Older notes about gaps are dropped too: the new one has the total.
        let dropped: [&[u8]; 3] = [b"\"line\"", b"\"progress\"", &gap];
        let is_dropped = |record: &[u8]| {
            let kind = record.get(head..).unwrap_or_default();
            dropped.iter().any(|dropped| kind.starts_with(dropped))
        };
        let batch = self.drop_batch();
        let records: Vec<&[u8]> = batch.split_inclusive(|byte| *byte == b'\n').collect();
        let first = records.iter().position(|record| is_dropped(record)).unwrap_or(records.len());
        let (before, after) = records.split_at(first);
        let kept: Vec<&[u8]> = after.iter().filter(|record| !is_dropped(record)).copied().collect();
        self.append(before);
        self.dropped -= before.iter().chain(&kept).map(|record| record.len() as u64).sum::<u64>();
        if !after.is_empty() {
            self.note_gap();
        }
        self.append(&kept);
    }

    fn append(&mut self, records: &[&[u8]]) {
        self.records += records.len() as u64;
        self.log.batch.extend(records.concat());
    }

    fn note_gap(&mut self) {
        let lost = self.dropped;
        self.note(format!("{GAP}: it could not be written; {lost} bytes are lost so far"));
    }

    fn drop_batch(&mut self) -> Vec<u8> {
        let batch = std::mem::take(&mut self.log.batch);
        self.records -= memchr::memchr_iter(b'\n', &batch).count() as u64;
        self.dropped += batch.len() as u64;
        self.checkpoints.clear();
        batch
    }

    /// Writes the last batch and makes the log durable. If that fails, it drops the batch, because nobody will try
    /// again. Then [`records`](Self::records) counts only the records in the file.
    ///
    /// # Errors
    /// The log cannot be written or synced.
    pub fn finish(&mut self) -> Result<()> {
        self.end_run();
        self.plain.end_line(&mut self.output.batch);
        let finished = self.sync();
        if finished.is_err() {
            self.drop_batch();
        }
        finished
    }

    /// Writes the batch and makes the log durable.
    ///
    /// # Errors
    /// The log cannot be written or synced.
    pub fn sync(&mut self) -> Result<()> {
        self.flush()?;
        self.log.sync()
    }
}

fn write_json<T: serde::Serialize + ?Sized>(batch: &mut Vec<u8>, value: &T) {
    // Writing to memory cannot fail, and all keys of records are strings.
    let _ = serde_json::to_writer(batch, value);
}

/// A file that grows by whole batches.
#[derive(Debug)]
struct Appender {
    path: PathBuf,
    file: File,
    length: u64,
    batch: Vec<u8>,
}

impl Appender {
    fn open(path: &Path) -> Result<Self> {
        let file = atomic::open_append(path, FILE)?;
        let length = file.metadata().map_err(|error| Error::io("examine", path, error))?.len();
        Ok(Self { path: path.to_owned(), file, length, batch: Vec::new() })
    }

    /// Cuts the file to `length`, without its unfinished last line, which no reader has used.
    fn cut(&mut self, length: u64) -> Result<()> {
        if length < self.length {
            self.file.set_len(length).map_err(|error| Error::io("cut", &self.path, error))?;
            self.length = length;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let mut written = 0;
        let result = loop {
            if written == self.batch.len() {
                break Ok(());
            }
            match fault::point().and_then(|()| self.file.write(&self.batch[written..])) {
                Ok(length) => written += length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => break Err(Error::io("write", &self.path, error)),
            }
        };
        // After a short write only whole lines stay in the file. The torn line is cut off and waits in the batch. A
        // complete write stays, also if it ends in the middle of a line, as the plain text of an unfinished line does.
        let whole = if result.is_ok() {
            written
        } else {
            memchr::memrchr(b'\n', &self.batch[..written]).map_or(0, |newline| newline + 1)
        };
        self.length += whole as u64;
        if whole < written {
            let _ = self.file.set_len(self.length);
        }
        self.batch.drain(..whole);
        result
    }

    fn sync(&self) -> Result<()> {
        fault::point().and_then(|()| self.file.sync_data()).map_err(|error| Error::io(Action::Sync, &self.path, error))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests prepare files by hand")]
mod tests {
    use super::*;
    use crate::spool::log::record::{Exit, Record};

    fn line(text: &str) -> Piece<'_> {
        Piece { text, ..Piece::default() }
    }

    fn records(directory: &Path) -> Vec<Record> {
        let mut all = Vec::new();
        LogReader::open(directory).unwrap().unwrap().for_each(|_, record| all.push(record)).unwrap();
        all
    }

    #[test]
    fn records_are_read_back_as_they_were_written() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::open(directory.path()).unwrap();
        let kinds = [
            RecordKind::Line(Line { line: "tab\tquote\" nul\0 é".into(), partial: true, ..Line::default() }),
            RecordKind::Line(Line { line: "secret".into(), sensitive: true, continues: true, ..Line::default() }),
            RecordKind::Status { status: None },
            RecordKind::Response { user: "alice".into(), response: "y".into(), interaction: 1 },
            RecordKind::Note { note: "remark".into(), cause: None },
            RecordKind::Exit(Exit { status: Some(0), signal: None }),
        ];
        for kind in &kinds {
            writer.record(kind);
        }
        writer.sync().unwrap();
        let read: Vec<_> = records(directory.path()).into_iter().map(|record| record.kind).collect();
        assert_eq!(read, kinds);
        let output = std::fs::read_to_string(directory.path().join("output.log")).unwrap();
        assert_eq!(output, "tab\tquote\" nul\0 é\n[alice answered: y]\n[remark]\n");
    }

    #[test]
    fn a_torn_last_line_is_cut_off_when_the_log_is_opened_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log.jsonl");
        let mut writer = LogWriter::open(directory.path()).unwrap();
        writer.text(line("one"));
        writer.sync().unwrap();
        let mut torn = std::fs::read(&path).unwrap();
        torn.extend_from_slice(b"{\"time\":");
        std::fs::write(&path, torn).unwrap();
        let mut writer = LogWriter::open(directory.path()).unwrap();
        assert_eq!(writer.records(), 1);
        writer.text(line("two"));
        writer.flush().unwrap();
        assert!(std::fs::read(&path).unwrap().ends_with(b"}\n"));
        assert_eq!(records(directory.path()).len(), 2);
    }

    #[test]
    fn plain_text_reaches_its_file_before_its_line_ends() {
        let directory = tempfile::tempdir().unwrap();
        let output = || std::fs::read_to_string(directory.path().join("output.log")).unwrap();
        let mut writer = LogWriter::open(directory.path()).unwrap();
        writer.text(Piece { partial: true, ..line("Password: ") });
        writer.flush().unwrap();
        assert_eq!(output(), "Password: ");
        writer.text(Piece { continues: true, ..line("ok") });
        writer.flush().unwrap();
        assert_eq!(output(), "Password: ok\n");
    }

    #[test]
    fn plain_text_keeps_lines_apart_that_were_shown_unfinished() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::open(directory.path()).unwrap();
        writer.text(Piece { partial: true, ..line("first") });
        writer.text(line("second"));
        writer.text(Piece { partial: true, ..line("10%") });
        writer.text(Piece { partial: true, continues: true, rewrites: true, ..line("50%") });
        writer.text(Piece { continues: true, rewrites: true, ..line("100%") });
        writer.text(Piece { partial: true, ..line("FATAL") });
        writer.finish().unwrap();
        let output = std::fs::read_to_string(directory.path().join("output.log")).unwrap();
        assert_eq!(output, "first\nsecond\n10%\n100%\nFATAL\n");
    }

    #[test]
    fn many_empty_lines_take_little_room_and_keep_their_number() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::open(directory.path()).unwrap();
        let mut lines = |count| (0..count).for_each(|_| writer.text(line("")));
        lines(EMPTY_RUN - 1);
        writer.text(line("few"));
        let mut lines = |count| (0..count).for_each(|_| writer.text(line("")));
        lines(100_000);
        writer.note("many");
        writer.text(line(""));
        writer.finish().unwrap();
        let size = |name: &str| std::fs::metadata(directory.path().join(name)).unwrap().len();
        assert_eq!(writer.size(), size("log.jsonl") + size("output.log"));
        assert!(size("log.jsonl") < 3 * 100_000, "{}", size("log.jsonl"));
        let output = std::fs::read_to_string(directory.path().join("output.log")).unwrap();
        assert_eq!(output, format!("{}few\n{}[many]\n\n", "\n".repeat(EMPTY_RUN - 1), "\n".repeat(100_000)));
        let records = records(directory.path());
        let texts = records.iter().filter_map(|record| match &record.kind {
            RecordKind::Line(line) => Some(line.line.as_str()),
            _ => None,
        });
        assert_eq!(texts.map(|text| text.split('\n').count()).sum::<usize>(), EMPTY_RUN + 100_000 + 1);
        assert_eq!((records.len(), writer.records()), (EMPTY_RUN + 4 + 2, (EMPTY_RUN + 4 + 2) as u64));
    }

    #[test]
    fn the_index_leads_to_the_right_records() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::open(directory.path()).unwrap();
        for number in 1..=2500 {
            writer.text(line(&number.to_string()));
            if number % 7 == 0 {
                writer.flush().unwrap();
            }
        }
        writer.flush().unwrap();
        let index = std::fs::read_to_string(directory.path().join("log.index")).unwrap();
        assert_eq!(index.lines().count(), 2);
        let mut reader = LogReader::open(directory.path()).unwrap().unwrap();
        reader.skip_to(2000).unwrap();
        let next = String::from_utf8(reader.read().unwrap().unwrap().to_vec()).unwrap();
        assert!(next.lines().next().unwrap().ends_with("\"line\":\"2001\"}"), "{next}");
    }

    #[test]
    fn actions_of_people_survive_a_full_disk_and_output_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::open(directory.path()).unwrap();
        let good = std::mem::replace(&mut writer.log.file, std::fs::File::open("/dev/null").unwrap());
        let answer = |user: &str| RecordKind::Response { user: user.into(), response: "y".into(), interaction: 1 };
        writer.record(&answer("alice"));
        for _ in 0..2 {
            writer.text(line(&"x".repeat(BACKLOG)));
            writer.record(&answer("bob"));
            assert!(writer.flush().is_err());
        }
        writer.record(&RecordKind::Progress { progress: serde_json::Map::new() });
        writer.drop_output_lines();
        writer.log.file = good;
        writer.finish().unwrap();
        let kinds: Vec<RecordKind> = records(directory.path()).into_iter().map(|record| record.kind).collect();
        assert!(matches!(&kinds[1], RecordKind::Note { note, .. } if note.starts_with(GAP)), "{kinds:?}");
        assert_eq!([&kinds[..1], &kinds[2..]].concat(), [answer("alice"), answer("bob"), answer("bob")]);
        assert_eq!(writer.records(), 4);
        assert!(writer.dropped() > 2 * BACKLOG as u64);
    }

    #[test]
    fn output_that_a_full_disk_refuses_is_counted_and_noted_in_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::open(directory.path()).unwrap();
        writer.text(line("before"));
        writer.flush().unwrap();
        let good = std::mem::replace(&mut writer.log.file, std::fs::File::open("/dev/null").unwrap());
        writer.text(line("kept for a while"));
        assert!(writer.flush().is_err());
        writer.text(line(&"x".repeat(BACKLOG)));
        assert!(writer.flush().is_err());
        assert!(writer.dropped() > BACKLOG as u64);
        writer.log.file = good;
        writer.text(line("after"));
        writer.finish().unwrap();
        let kinds: Vec<RecordKind> = records(directory.path()).into_iter().map(|record| record.kind).collect();
        assert_eq!(kinds.len(), 3);
        assert!(matches!(&kinds[1], RecordKind::Note { note, .. } if note.starts_with("the log has a gap here")));
        assert_eq!(writer.records(), 3);

        writer.log.file = std::fs::File::open("/dev/null").unwrap();
        writer.text(line("never"));
        assert!(writer.finish().is_err());
        assert_eq!(writer.records(), 3, "the count is that of the file");
    }
}
