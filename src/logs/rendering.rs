//! A job's log in the form that a client asked for: JSON lines or plain text.

use std::sync::Arc;

use bytes::Bytes;

use super::Logs;
use super::records;
use super::records::Stored;
use super::transcript;
use super::transcript::Transcript;
use crate::spool::log::{LogReader, PlainText, Record};
use crate::spool::{JobId, Result};

/// How many of the records that the client has are read again. A line may begin among them and go on behind them, and so may
/// a run of hidden lines.
const CONTEXT: u64 = 100;

/// What a client wants to see of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// JSON lines, for pages and programs.
    Lines {
        /// With the text of sensitive lines.
        include_sensitive: bool,
    },
    /// Plain text, for people with `curl`.
    Text,
}

impl Form {
    /// The media type of the stream.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Lines { .. } => "application/octet-stream",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// The beginning of a stream; it may be empty.
    #[must_use]
    pub fn connected(self, resume: u64) -> Bytes {
        match self {
            Self::Lines { .. } => transcript::connected(resume),
            Self::Text => Bytes::new(),
        }
    }

    /// What a stream says while there is no log yet; it may be empty.
    #[must_use]
    pub fn waiting(self, resume: u64) -> Bytes {
        match self {
            Self::Lines { .. } => transcript::waiting_for_log(resume),
            Self::Text => Bytes::new(),
        }
    }
}

/// A log, and how far it was read.
#[derive(Debug)]
pub struct Rendering {
    logs: Arc<Logs>,
    id: JobId,
    /// None while there is no log.
    reader: Option<LogReader>,
    /// How many records the client has received.
    resume: u64,
    /// The client named the last number that it received, so it has everything with this number.
    is_resumed: bool,
    form: Rendered,
}

#[derive(Debug)]
enum Rendered {
    Lines(Transcript),
    Text(Text),
}

impl Rendering {
    /// For a client that received `resume` as the last number. The log is opened later.
    pub fn resumed(logs: Arc<Logs>, id: JobId, form: Form, resume: u64) -> Self {
        Self { is_resumed: true, ..Self::behind(logs, id, form, resume) }
    }

    /// For a client that has everything of the first `resume` records.
    pub fn behind(logs: Arc<Logs>, id: JobId, form: Form, resume: u64) -> Self {
        let form = match form {
            Form::Lines { include_sensitive } => Rendered::Lines(Transcript::new(include_sensitive)),
            Form::Text => Rendered::Text(Text::default()),
        };
        Self { logs, id, reader: None, resume, is_resumed: false, form }
    }

    /// How many records were read, with those that the client had before.
    #[must_use]
    pub fn told(&self) -> u64 {
        self.consumed().unwrap_or_default().max(self.resume)
    }

    /// Whether all the records that the client has were found in the log.
    #[must_use]
    pub fn has_caught_up(&self) -> bool {
        self.consumed().is_some_and(|records| records >= self.resume)
    }

    /// Whether there is a log.
    #[must_use]
    pub fn has_log(&self) -> bool {
        self.reader.is_some()
    }

    fn consumed(&self) -> Option<u64> {
        self.reader.as_ref().map(LogReader::records)
    }

    /// Reads the next records, at most `limit`, in a portion of bounded size. The text is empty if these records show
    /// nothing. `None` at the end of the finished records.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn read(&mut self, limit: u64) -> Result<Option<Bytes>> {
        if self.reader.is_none() {
            self.reader = self.open()?;
        }
        let Some(reader) = &mut self.reader else { return Ok(None) };
        loop {
            // Those that the client knows come by themselves, and are thrown away.
            let known = self.resume.saturating_sub(reader.records());
            let Some(lines) = reader.read_at_most(if known > 0 { known } else { limit })? else { return Ok(None) };
            self.form.tell(lines);
            if known == 0 {
                reader.free_buffer();
                return Ok(Some(self.form.take()));
            }
            self.form.take();
            if self.is_resumed {
                self.form.is_known();
            }
        }
    }

    fn open(&mut self) -> Result<Option<LogReader>> {
        let mut reader = LogReader::open(&self.logs.spool.job(self.id))?;
        if let Some(reader) = &mut reader {
            let place = self.resume.saturating_sub(CONTEXT);
            self.logs.indexes.with(self.id, reader, |index, reader| reader.skip_to_with(index, place))?;
            if let Rendered::Lines(transcript) = &mut self.form {
                transcript.start_behind(reader.records());
            }
        }
        Ok(reader)
    }

    /// The same, for several clients from now on.
    #[must_use]
    pub fn share(mut self) -> Self {
        if let Rendered::Lines(transcript) = &mut self.form {
            transcript.is_shared();
        }
        self
    }

    /// The end of the stream of a complete log.
    pub fn end(&mut self) -> Bytes {
        self.form.end();
        if !self.has_caught_up() {
            self.form.take();
        }
        let told = self.told();
        if let Rendered::Lines(transcript) = &mut self.form {
            transcript.eof(told);
        }
        self.form.take()
    }
}

impl Rendered {
    fn is_known(&mut self) {
        if let Self::Lines(transcript) = self {
            transcript.is_known();
        }
    }

    fn tell(&mut self, lines: &[u8]) {
        match self {
            Self::Lines(transcript) => transcript.tell(lines),
            Self::Text(text) => text.tell(lines),
        }
    }

    fn end(&mut self) {
        match self {
            Self::Lines(transcript) => transcript.end_log(),
            Self::Text(text) => text.end(),
        }
    }

    fn take(&mut self) -> Bytes {
        let mut told = match self {
            Self::Lines(transcript) => transcript.take(),
            Self::Text(text) => text.take(),
        };
        // It may wait for its client for long.
        told.shrink_to_fit();
        told.into()
    }
}

/// Turns records into plain text, by the same code that made `output.log`. That file itself is not read: it is not
/// synced, and has gaps where the disk was full or the power failed. The log is the record.
#[derive(Debug, Default)]
struct Text {
    plain: PlainText,
    told: Vec<u8>,
}

impl Text {
    /// Takes the text that was made since the last call.
    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.told)
    }

    /// The log is complete.
    fn end(&mut self) {
        self.plain.end_line(&mut self.told);
    }

    /// The next records, whole lines of the log.
    fn tell(&mut self, lines: &[u8]) {
        records::lines(lines).for_each(|line| self.record(line));
    }

    fn record(&mut self, line: &[u8]) {
        let Some(stored) = Stored::parse(line) else { return };
        if stored.kind == "line" {
            if let Some(text) = stored.text() {
                self.plain.piece(stored.piece(&text), &mut self.told);
            }
        } else if let Ok(record) = serde_json::from_slice::<Record>(line) {
            self.plain.record(&record.kind, &mut self.told);
        }
    }
}
