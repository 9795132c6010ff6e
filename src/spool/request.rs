//! `job.json`: the request for a job.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::id::JobId;
use super::strict;
use super::time::Time;

/// The version of `job.json` that this program writes and reads.
pub const VERSION: u32 = 1;

/// A submitted job. It names a declared job type and its parameters, never a command line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRequest {
    /// Always [`VERSION`].
    pub version: u32,
    /// The number, which is also the file's name.
    pub id: JobId,
    /// The name of a declared job type.
    #[serde(rename = "type")]
    pub job_type: String,
    /// The parameters of that type.
    pub params: Map<String, Value>,
    /// The user who asks for it.
    pub user: String,
    /// The time of the request.
    pub submitted_at: Time,
    /// Data that people see beside the parameters, for example the changes to be deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Map<String, Value>>,
    /// The job of which this one is a retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<JobId>,
    /// A hash of user and idempotency key. It identifies a repeated request.
    #[serde(rename = "request", default, skip_serializing_if = "Option::is_none")]
    pub key_hash: Option<String>,
}

impl JobRequest {
    /// Reads a `job.json` strictly.
    ///
    /// # Errors
    /// The reason, as a text for the person who wrote the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let request: Self = strict::from_slice(bytes).map_err(|error| format!("it is not a valid job: {error}"))?;
        if request.version != VERSION {
            return Err(format!("its version is {}, and this runner knows version {VERSION}", request.version));
        }
        Ok(request)
    }

    /// The content of the file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        json_line(self)
    }
}

/// Makes one line of JSON from a document. It cannot fail, because all keys of our documents are strings and they take
/// no floats from other accounts.
#[must_use]
pub(super) fn json_line<T: Serialize>(document: &T) -> Vec<u8> {
    #[expect(
        clippy::expect_used,
        reason = "serialising to memory fails only for non-string keys, which no document has"
    )]
    let mut bytes = serde_json::to_vec(document).expect("documents serialise");
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"version":1,"id":7,"type":"backport","params":{"change_url":["42"]},"user":"alice","submitted_at":"2026-11-23T15:38:46.000Z"}"#;

    #[test]
    fn a_good_job_comes_back_as_written() {
        let request = JobRequest::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(request.to_bytes(), format!("{GOOD}\n").into_bytes());
    }

    #[test]
    fn each_defect_is_named() {
        let cases = [
            (GOOD.replace("\"version\":1", "\"version\":2"), "its version is 2"),
            (GOOD.replace("\"id\":7", "\"id\":0"), "not a job number"),
            (GOOD.replace("\"user\"", "\"command\":[\"rm\"],\"user\""), "unknown field `command`"),
            (GOOD.replace("\"42\"", "\"42\",{\"a\":1,\"a\":2}"), "member `a` comes twice"),
            (GOOD.replace("\"user\":\"alice\",", ""), "missing field `user`"),
            (GOOD.replace("2026-", "yesterday"), "is not an RFC 3339 time"),
            (format!("{GOOD}{GOOD}"), "trailing characters"),
            (GOOD[..30].to_owned(), "EOF while parsing"),
        ];
        for (text, expected) in cases {
            let reason = JobRequest::parse(text.as_bytes()).unwrap_err();
            assert!(reason.contains(expected), "{reason}");
        }
    }
}
