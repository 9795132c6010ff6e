//! A daemon's own log: lines on standard error. Logging never makes the daemon wait, fail or end.

mod writer;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;
use writer::LogWriter;

/// The time for the reader to take the last lines.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The log of this process. On drop it writes the last lines, if there is a reader.
pub struct DaemonLog(LogWriter);

impl DaemonLog {
    /// Logs to `output` from now on, including panics. `filter` chooses the lines, as `RUST_LOG` does. `ansi` adds
    /// colours.
    #[must_use]
    pub fn start(output: std::io::Stderr, filter: Option<&str>, format: LogFormat, ansi: bool) -> Self {
        let writer = LogWriter::start(output);
        let filter = filter.filter(|filter| !filter.is_empty()).and_then(|filter| EnvFilter::try_new(filter).ok());
        let filter = filter.unwrap_or_else(|| EnvFilter::new("info"));
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Arc::new(writer.clone()));
        match format {
            LogFormat::Text => log.with_ansi(ansi).init(),
            LogFormat::Json => log.json().flatten_event(true).with_span_list(false).init(),
        }
        // The standard hook would write to standard error itself, and wait for its reader.
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            tracing::error!(place, message = panic.payload_as_str(), "a part of this program panicked");
        }));
        Self(writer)
    }

    /// Adds a line unchanged: the last message of a program that ends with an error.
    pub fn say(&self, line: &str) {
        // The writer takes or loses the whole line, and never fails.
        let _ = (&self.0).write_all(format!("{line}\n").as_bytes());
    }
}

impl Drop for DaemonLog {
    fn drop(&mut self) {
        self.0.finish(FLUSH_TIMEOUT);
    }
}
