//! A job's log in the form that a client asked for, from one place on.

use std::sync::Arc;

use bytes::Bytes;

use super::Logs;
use super::records;
use super::records::Stored;
use super::transcript;
use super::transcript::Transcript;
use crate::spool::log::{LogReader, PlainText, Record};
use crate::spool::{JobId, Result};

/// How many records before those that the client lacks are read again: a line that they begin, or a run of hidden lines
/// that they end, goes on behind them.
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
    /// The type of a stream of it.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Lines { .. } => "application/octet-stream",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    /// What a stream begins with, if with anything.
    #[must_use]
    pub fn connected(self, resume: u64) -> Bytes {
        match self {
            Self::Lines { .. } => transcript::connected(resume),
            Self::Text => Bytes::new(),
        }
    }

    /// What is said while there is no log yet.
    #[must_use]
    pub fn waiting(self, resume: u64) -> Bytes {
        match self {
            Self::Lines { .. } => transcript::waiting_for_log(resume),
            Self::Text => Bytes::new(),
        }
    }
}

/// A log and how far it was told.
#[derive(Debug)]
pub struct Rendering {
    logs: Arc<Logs>,
    id: JobId,
    /// None as long as there is no log.
    reader: Option<LogReader>,
    /// The client has been told of this many records.
    resume: u64,
    /// It said so itself, by the last number that it got: then it got all that has this number.
    is_resumed: bool,
    form: Rendered,
}

#[derive(Debug)]
enum Rendered {
    Lines(Transcript),
    Text(Text),
}

impl Rendering {
    /// For a client that got `resume` as the last number. Nothing is opened yet.
    pub fn resumed(logs: Arc<Logs>, id: JobId, form: Form, resume: u64) -> Self {
        Self { is_resumed: true, ..Self::behind(logs, id, form, resume) }
    }

    /// For a client that got all that there is to be told of the first `resume` records.
    pub fn behind(logs: Arc<Logs>, id: JobId, form: Form, resume: u64) -> Self {
        let form = match form {
            Form::Lines { include_sensitive } => Rendered::Lines(Transcript::new(include_sensitive)),
            Form::Text => Rendered::Text(Text::default()),
        };
        Self { logs, id, reader: None, resume, is_resumed: false, form }
    }

    /// How many records were told, those included that the client knew before.
    #[must_use]
    pub fn told(&self) -> u64 {
        self.consumed().unwrap_or_default().max(self.resume)
    }

    /// Whether a log was found that has all the records that the client knows.
    #[must_use]
    pub fn has_caught_up(&self) -> bool {
        self.consumed().is_some_and(|records| records >= self.resume)
    }

    /// Whether a log was found.
    #[must_use]
    pub fn has_log(&self) -> bool {
        self.reader.is_some()
    }

    fn consumed(&self) -> Option<u64> {
        self.reader.as_ref().map(LogReader::records)
    }

    /// The next records, at most `limit`, in a portion of bounded size; it is empty if there is nothing to be shown of
    /// them. `None` at the end of what is finished. Reads a file.
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
                reader.rest();
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
            self.logs.indexes.with(self.id, reader, |index, reader| reader.skip_by(index, place))?;
            if let Rendered::Lines(transcript) = &mut self.form {
                transcript.start_behind(reader.records());
            }
        }
        Ok(reader)
    }

    /// From now on this is for other clients too.
    #[must_use]
    pub fn share(mut self) -> Self {
        if let Rendered::Lines(transcript) = &mut self.form {
            transcript.is_shared();
        }
        self
    }

    /// What a stream of a complete log ends with.
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
    /// What was made since the last time.
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
