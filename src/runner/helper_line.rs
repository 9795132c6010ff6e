//! The protocol between helpers and supervisors: how a question gets to the supervisor, and its answer back.
//!
//! A supervisor listens on a socket whose name it made up; it has no file, so no directory has to be there or be cleaned
//! up. A helper connects, sends the job's key in a line and its question in another, as the protocol writes one, and
//! waits there for a [`Reply`]. Only that connection gets the answer: whatever stands on the helper's standard input is
//! neither read nor taken for one. A helper that ends closes its connection, which withdraws its question.

use std::os::fd::AsFd;

use serde::{Deserialize, Serialize};

/// The variable in a job's environment that names the socket.
pub const SOCKET_VARIABLE: &str = "SPIDERPIG_ASK_SOCKET";

/// The variable in a job's environment that identifies the job's own standard input: see [`identity`].
pub const INPUT_VARIABLE: &str = "SPIDERPIG_STDIN";

/// The supervisor's reply to a helper: one line of JSON.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    /// The answer of a person.
    Answer(String),
    /// The reason why the question was not asked: a text for people.
    Refused(String),
}

impl Reply {
    /// The line.
    #[must_use]
    pub fn to_line(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        json + "\n"
    }
}

/// The identity of an open file, the same for all its descriptors: `DEVICE:INODE`. `None` if the descriptor is not
/// open.
pub fn identity(file: impl AsFd) -> Option<String> {
    rustix::fs::fstat(file).ok().map(|stat| format!("{}:{}", stat.st_dev, stat.st_ino))
}
