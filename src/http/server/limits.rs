//! How long a server waits for its clients, and how many it has.

use std::time::Duration;

/// How long a server waits for a client before it goes on without it, and how many connections it serves.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For the next request on a connection. Longer than the minute for which common proxies keep a connection, so that
    /// none sends a request on one that is just being closed.
    pub idle: Duration,
    /// For a complete request head, once it has begun.
    pub head_read: Duration,
    /// For a complete request body.
    pub body_read: Duration,
    /// For a client to take a response whose length is known.
    pub response: Duration,
    /// For open requests and connections after a shutdown began.
    pub drain: Duration,
    /// How many connections are served at once.
    pub connections: usize,
}

/// No more connections are served, however many the system would allow.
const MAX_CONNECTIONS: usize = 20_000;

/// File descriptors that are never given to connections.
const OWN_FILES: u64 = 64;

impl Limits {
    /// For a process that may have so many open files. A quarter of them is left for what connections need beside
    /// their sockets, such as logs.
    #[must_use]
    pub fn for_open_files(files: u64) -> Self {
        let connections = (files - files / 4).saturating_sub(OWN_FILES).max(1);
        let connections = usize::try_from(connections).unwrap_or(MAX_CONNECTIONS).min(MAX_CONNECTIONS);
        Self { connections, ..Self::default() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(75),
            head_read: Duration::from_secs(30),
            body_read: Duration::from_secs(30),
            response: Duration::from_mins(1),
            drain: Duration::from_millis(750),
            connections: MAX_CONNECTIONS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_files() {
        let connections = |files| Limits::for_open_files(files).connections;
        assert_eq!(connections(1024), 704);
        assert_eq!(connections(20_000), 14_936);
        assert_eq!(connections(524_288), MAX_CONNECTIONS);
        assert_eq!(connections(u64::MAX), MAX_CONNECTIONS);
        assert_eq!(connections(0), 1);
    }

    #[test]
    fn a_shutdown_takes_less_than_a_second() {
        assert!(Limits::default().drain < Duration::from_secs(1));
    }
}
