//! A change, as far as it matters here.

use std::collections::HashMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::config::GerritUrl;
use crate::outbound::cut;

/// The longest subject that is kept, in characters.
const MAX_SUBJECT: usize = 300;

/// What stands in a query as it is.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-').remove(b'~').remove(b' ');

/// A change.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Raw")]
pub struct Change {
    /// Its number.
    pub number: u32,
    /// The repository.
    pub project: String,
    /// The branch that it is for.
    pub branch: String,
    /// The first line of its commit message.
    pub subject: String,
    /// Whether it is merged or abandoned.
    pub status: Status,
    /// The name of who made it.
    pub owner: Option<String>,
    /// Whether its owner says that it is not finished.
    pub work_in_progress: bool,
    /// The commit of its current patch set.
    pub revision: String,
    /// The message of that commit.
    pub message: String,
    /// What machines said of it, -2 to 2.
    pub verified: Vec<i32>,
    /// What people said of it, -2 to 2.
    pub code_review: Vec<i32>,
}

/// What has become of a change.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// It is in its branch.
    Merged,
    /// It was given up.
    Abandoned,
    /// It is open.
    #[default]
    #[serde(other)]
    New,
}

/// A change as clients see it.
#[derive(Debug, Serialize)]
pub struct Shown<'a> {
    number: u32,
    project: &'a str,
    branch: &'a str,
    subject: &'a str,
    status: Status,
    owner: Option<&'a str>,
    url: String,
    #[serde(rename = "repoQueryUrl")]
    repository_query: String,
    #[serde(rename = "branchQueryUrl")]
    branch_query: String,
}

impl Change {
    /// Where it is in a Gerrit.
    #[must_use]
    pub fn url(&self, gerrit: &GerritUrl) -> String {
        format!("{gerrit}c/{}", self.number)
    }

    /// The changes of its repository.
    #[must_use]
    pub fn repository_query(&self, gerrit: &GerritUrl) -> String {
        query(gerrit, &format!("project:{}", self.project))
    }

    /// The changes of its repository that are for the same branch.
    #[must_use]
    pub fn branch_query(&self, gerrit: &GerritUrl) -> String {
        query(gerrit, &format!("project:{} branch:{}", self.project, self.branch))
    }

    /// As clients see it.
    #[must_use]
    pub fn shown(&self, gerrit: &GerritUrl) -> Shown<'_> {
        Shown {
            number: self.number,
            project: &self.project,
            branch: &self.branch,
            subject: &self.subject,
            status: self.status,
            owner: self.owner.as_deref(),
            url: self.url(gerrit),
            repository_query: self.repository_query(gerrit),
            branch_query: self.branch_query(gerrit),
        }
    }
}

/// The address of a search.
pub(crate) fn query(gerrit: &GerritUrl, text: &str) -> String {
    format!("{gerrit}q/{}", utf8_percent_encode(text, QUERY).to_string().replace(' ', "+"))
}

/// A change as Gerrit tells of it.
#[derive(Deserialize)]
struct Raw {
    #[serde(rename = "_number")]
    number: u32,
    project: String,
    branch: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    status: Status,
    #[serde(default)]
    owner: Account,
    #[serde(default)]
    work_in_progress: bool,
    #[serde(default)]
    current_revision: String,
    #[serde(default)]
    revisions: HashMap<String, Revision>,
    #[serde(default)]
    labels: HashMap<String, Label>,
}

#[derive(Default, Deserialize)]
struct Account {
    name: Option<String>,
    username: Option<String>,
}

#[derive(Deserialize)]
struct Revision {
    commit: Option<Commit>,
}

#[derive(Deserialize)]
struct Commit {
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct Label {
    #[serde(default)]
    all: Vec<Vote>,
}

#[derive(Deserialize)]
struct Vote {
    /// Missing for those who may not vote.
    value: Option<i32>,
}

impl From<Raw> for Change {
    fn from(mut raw: Raw) -> Self {
        let commit = raw.revisions.remove(&raw.current_revision).and_then(|revision| revision.commit);
        let mut votes = |label| {
            let label: Option<Label> = raw.labels.remove(label);
            label.into_iter().flat_map(|label| label.all).filter_map(|vote| vote.value).collect()
        };
        Self {
            number: raw.number,
            project: raw.project,
            branch: raw.branch,
            subject: cut(&raw.subject, MAX_SUBJECT).into_owned(),
            status: raw.status,
            owner: raw.owner.name.or(raw.owner.username),
            work_in_progress: raw.work_in_progress,
            verified: votes("Verified"),
            code_review: votes("Code-Review"),
            revision: raw.current_revision,
            message: commit.map(|commit| commit.message).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::testing::gerrit_url;

    #[test]
    fn a_change_is_read_from_what_gerrit_tells() {
        let change: Change = serde_json::from_value(json!({
            "_number": 42, "project": "mediawiki/core", "branch": "wmf/1.46.0-wmf.3", "subject": "Fix", "status": "NEW",
            "work_in_progress": true, "owner": { "_account_id": 7, "name": "Alice" }, "more": [],
            "current_revision": "abc", "revisions": { "abc": { "_number": 2, "commit": { "message": "Fix\n\nIt" } } },
            "labels": {
                "Verified": { "approved": {}, "all": [{ "value": 2 }, { "_account_id": 3 }] },
                "Code-Review": { "all": [{ "value": -1 }, { "value": 0 }] },
            },
        }))
        .unwrap();
        assert_eq!((change.number, change.status, change.work_in_progress), (42, Status::New, true));
        assert_eq!((change.message.as_str(), change.revision.as_str()), ("Fix\n\nIt", "abc"));
        assert_eq!((&change.verified[..], &change.code_review[..]), (&[2][..], &[-1, 0][..]));
        let shown = serde_json::to_value(change.shown(&gerrit_url())).unwrap();
        let expected = json!({
            "number": 42, "project": "mediawiki/core", "branch": "wmf/1.46.0-wmf.3", "subject": "Fix", "status": "NEW",
            "owner": "Alice", "url": "https://gerrit.test/r/c/42",
            "repoQueryUrl": "https://gerrit.test/r/q/project%3Amediawiki%2Fcore",
            "branchQueryUrl": "https://gerrit.test/r/q/project%3Amediawiki%2Fcore+branch%3Awmf%2F1.46.0-wmf.3",
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn little_is_enough_and_much_is_cut() {
        let read = |value| serde_json::from_value::<Change>(value).unwrap();
        let little = read(json!({ "_number": 1, "project": "p", "branch": "b", "status": "SUBMITTED" }));
        assert_eq!((little.status, little.owner, little.message), (Status::New, None, String::new()));
        let much = read(json!({ "_number": 1, "project": "p", "branch": "b", "subject": "ü".repeat(1000) }));
        assert_eq!(much.subject, format!("{}…", "ü".repeat(MAX_SUBJECT)));
        assert!(serde_json::from_value::<Change>(json!({ "project": "p", "branch": "b" })).is_err());
    }
}
