//! `log.jsonl`, `log.index` and `output.log`: everything that happened in a job.
//!
//! The number of a line in `log.jsonl` is the number of its record, from 1. Records are only ever appended, whole
//! lines at a time; a reader ignores an unfinished last line. `log.index` names the byte offset of every thousandth
//! record, so that a reader can go to a record without reading the log from its start; it is a convenience that readers
//! check and do without.

mod index;
mod plain;
mod reader;
mod record;
mod writer;

pub use index::{Checkpoint, INTERVAL, Index};
pub use plain::PlainText;
pub use reader::LogReader;
pub use record::{Cause, Exit, Line, Record, RecordKind};
pub use writer::LogWriter;
