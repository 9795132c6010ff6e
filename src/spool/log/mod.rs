//! `log.jsonl`, `log.index` and `output.log`: everything that happened to a job.
//!
//! The number of a line in `log.jsonl` is the number of its record, from 1. The supervisor only appends, and only whole
//! lines. A reader ignores an unfinished last line. `log.index` has the byte offset of every thousandth record, so that
//! a reader can go to a record without reading the log from its start. Readers check the index, and work without it if
//! it is missing or wrong.

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
