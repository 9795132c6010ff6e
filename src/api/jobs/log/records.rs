//! A window of a job's log, for a viewer that shows a part of it. It costs what it returns, however long the log is.

use std::path::PathBuf;
use std::sync::Arc;

use hyper::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

use super::note_sensitive;
use crate::api::app::App;
use crate::api::blocking;
use crate::api::error::{ApiError, Invalid};
use crate::api::jobs::{id_in_path, no_such_job};
use crate::api::mirror::Ending;
use crate::api::request::Request;
use crate::api::response::{self, Response};
use crate::api::routes::{Argument, ArgumentKind};
use crate::spool::Result as SpoolResult;
use crate::spool::log::LogReader;

/// What [`records`] understands.
pub const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "from",
        kind: ArgumentKind::Position,
        help: "The number of the first record, from 1; -1 is the last one. 1 if not given",
    },
    Argument { name: "count", kind: ArgumentKind::Number, help: "How many at most: 200 if not given, 2,000 if more" },
    super::INCLUDE_SENSITIVE,
];

const DEFAULT_COUNT: u64 = 200;
const MAX_COUNT: u64 = 2000;

/// A window ends behind the record with which it has so many bytes of the log: long lines make long records.
const MAX_BYTES: usize = 1 << 20;

/// `GET /api/jobs/{id}/log/records`: the records `from` and behind it, as they are in the log, each with its number.
/// A job without a log has none.
///
/// # Errors
/// 404 if there is no such job, 422 for arguments of the wrong kind.
pub async fn records(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let id = id_in_path(&request)?;
    let query = request.query()?;
    let wanted = Wanted {
        directory: app.spool.job(id),
        from: query.number("from")?.unwrap_or(1),
        count: query.number("count")?.unwrap_or(DEFAULT_COUNT).min(MAX_COUNT),
        include_sensitive: query.flag("include_sensitive")?,
    };
    if wanted.from == 0 {
        return Err(no_record_zero());
    }
    if app.mirror.view().ending(id) == Ending::NoSuchJob {
        return Err(no_such_job(id));
    }
    note_sensitive(id, wanted.include_sensitive);
    let window = blocking::run(move || wanted.read()).await?.map_err(ApiError::internal)?;
    response::json(StatusCode::OK, &window)
}

fn no_record_zero() -> ApiError {
    ApiError::invalid(Invalid {
        kind: "value_error",
        location: vec!["query".into(), "from".into()],
        message: "Records are numbered from 1; -1 is the last one".into(),
        input: "0".into(),
    })
}

/// What a viewer wants to see.
struct Wanted {
    directory: PathBuf,
    from: i64,
    count: u64,
    include_sensitive: bool,
}

/// A part of a log.
#[derive(Debug, Default, Serialize)]
struct Window {
    records: Vec<Numbered>,
    /// The number of the first record that was looked at.
    from: u64,
    /// The number of the record behind the last one that was looked at.
    next: u64,
    /// How many records the log has now.
    total: u64,
    /// How many records were looked at and are not shown, because they are sensitive.
    hidden: u64,
}

/// A record and its number. One that cannot be read has nothing but the type `damaged`.
#[derive(Debug, Serialize)]
struct Numbered {
    recno: u64,
    #[serde(flatten)]
    record: Map<String, Value>,
}

impl Wanted {
    fn read(&self) -> SpoolResult<Window> {
        let Some(mut end) = LogReader::open(&self.directory)? else {
            return Ok(Window { from: 1, next: 1, ..Window::default() });
        };
        end.skip_to_end()?;
        let total = end.records();
        let from = match u64::try_from(self.from) {
            Ok(from) => from,
            Err(_) => (total + 1).saturating_sub(self.from.unsigned_abs()).max(1),
        };
        let mut window = Window { from, next: from, total, ..Window::default() };
        if let Some(reader) = LogReader::open(&self.directory)? {
            self.fill(&mut window, reader)?;
        }
        Ok(window)
    }

    fn fill(&self, window: &mut Window, mut reader: LogReader) -> SpoolResult<()> {
        reader.skip_to(window.from - 1)?;
        let mut left = if reader.records() == window.from - 1 { self.count } else { 0 };
        let mut bytes = 0;
        while left > 0
            && bytes < MAX_BYTES
            && let Some(lines) = reader.read_up_to(left)?
        {
            for line in lines.split_inclusive(|byte| *byte == b'\n') {
                if bytes >= MAX_BYTES {
                    return Ok(());
                }
                bytes += line.len();
                left -= 1;
                window.add(line, self.include_sensitive);
            }
        }
        Ok(())
    }
}

impl Window {
    fn add(&mut self, line: &[u8], include_sensitive: bool) {
        let recno = self.next;
        self.next += 1;
        self.total = self.total.max(recno);
        let record = serde_json::from_slice(line)
            .unwrap_or_else(|_| Map::from_iter([("type".to_owned(), Value::from("damaged"))]));
        if record.get("sensitive") == Some(&Value::Bool(true)) && !include_sensitive {
            self.hidden += 1;
        } else {
            self.records.push(Numbered { recno, record });
        }
    }
}
