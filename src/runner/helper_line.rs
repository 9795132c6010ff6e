//! What helpers and supervisors agree on: how a question gets from one process to the other, and its answer back.
//!
//! A supervisor listens on a socket whose name it made up; it has no file, so no directory has to be there or be cleaned
//! up. A helper connects, sends the job's key in a line and its question in another, as the protocol writes one, and
//! waits there for a [`Reply`]. Only that connection gets the answer: whatever stands on the helper's standard input is
//! neither read nor taken for one. A helper that ends closes its connection, which withdraws its question.

use std::os::fd::AsFd;

use serde::{Deserialize, Serialize};

/// Names the socket, in the environment of a job.
pub const SOCKET_VARIABLE: &str = "SPIDERPIG_ASK_SOCKET";

/// Tells the job's own standard input from others, in the environment of a job: see [`identity`].
pub const INPUT_VARIABLE: &str = "SPIDERPIG_STDIN";

/// What a helper gets to hear: one line of JSON.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reply {
    /// Somebody has answered.
    Answer(String),
    /// The question was not asked: a reason for people.
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

/// What an open file is, whatever descriptor leads to it: `DEVICE:INODE`. None if there is none.
pub fn identity(file: impl AsFd) -> Option<String> {
    rustix::fs::fstat(file).ok().map(|stat| format!("{}:{}", stat.st_dev, stat.st_ino))
}
