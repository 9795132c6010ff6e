//! The audit trail for administrators.

use std::sync::Arc;

use hyper::StatusCode;

use crate::api::app::App;
use crate::api::request::Request;
use crate::audit::{Event, Filter};
use crate::blocking;
use crate::http::describe::{Argument, ArgumentKind};
use crate::http::error::{ApiError, Invalid};
use crate::http::query::Query;
use crate::http::response;
use crate::http::response::Response;
use crate::spool;
use crate::text::Text;

/// The query arguments of [`audit`]. Empty ones do not count.
pub const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "limit",
        kind: ArgumentKind::Number,
        help: "The maximum number of entries: 50 by default, 1 to 500",
    },
    Argument { name: "before", kind: ArgumentKind::Number, help: "Only entries with a lower number than this" },
    Argument { name: "user", kind: ArgumentKind::Texts, help: "Only entries of one of these users" },
    Argument {
        name: "event",
        kind: ArgumentKind::Choices(Event::WORDS),
        help: "Only entries with one of these events",
    },
    Argument {
        name: "q",
        kind: ArgumentKind::Text,
        help: "Only entries with this text; upper and lower case are equal",
    },
];

const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 500;

/// `GET /api/audit`: the newest `limit` entries that pass the filter and are below `before`. If there may be `more`,
/// `next` is the `before` to ask for them with; a page may have fewer than `limit` all the same, or none, as only so much
/// is looked through at once.
///
/// # Errors
/// 422 for arguments that are no numbers or no events; 503 if the file cannot be read.
pub async fn audit(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let query = request.query()?;
    let limit = query.number("limit")?.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let before = query.number("before")?;
    let filter = filter(&query)?;
    let audit = Arc::clone(&app.audit);
    let page = blocking::run(move || audit.page(&filter, before, limit)).await?.map_err(unreadable)?;
    response::json(StatusCode::OK, &page)
}

fn filter(query: &Query) -> Result<Filter, ApiError> {
    Ok(Filter {
        events: query.all("event").map(event).collect::<Result<_, _>>()?,
        users: query.all("user").filter(|user| !user.is_empty()).map(str::to_owned).collect(),
        text: query.get("q").and_then(Text::new),
    })
}

fn event(word: &str) -> Result<Event, ApiError> {
    Event::of_word(word).ok_or_else(|| {
        ApiError::invalid(Invalid {
            kind: "enum",
            location: vec!["query".into(), "event".into()],
            message: format!("Input should be one of {}", Event::WORDS.join(", ")),
            input: word.into(),
        })
    })
}

fn unreadable(error: spool::Error) -> ApiError {
    let message = "The audit trail cannot be read: see that audit.jsonl in the state directory belongs to the account of \
                   the API, with mode 0600; the log says more under this request id";
    ApiError::failed(StatusCode::SERVICE_UNAVAILABLE, message, error)
}
