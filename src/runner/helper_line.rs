//! The protocol between helpers and supervisors: how a question gets to the supervisor, and its answer back.
//!
//! A supervisor listens on a socket with a random abstract name. It has no file, so it needs no directory and no
//! cleanup. A helper connects, and sends the job's key in one line and its question in another, in the form of the
//! protocol. Then it waits on the connection for a [`Reply`]. Only that connection gets the answer: the helper's
//! standard input is not read. When a helper ends, its connection closes, and the supervisor withdraws its question.

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
    /// Encodes the reply as its line.
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
