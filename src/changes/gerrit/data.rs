//! What is stored of a change with the jobs that it is a part of.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use super::Change;
use super::links::linkify;
use crate::config::GerritUrl;
use crate::outbound::cut;

/// The longest commit message that is stored with a job, in characters.
const MAX_MESSAGE: usize = 4_000;

/// A change, as it was when a job with it was started.
#[derive(Debug, Serialize)]
struct ChangeInfo<'a> {
    number: u32,
    project: &'a str,
    branch: &'a str,
    subject: &'a str,
    commit_msg: Cow<'a, str>,
    url: String,
    #[serde(rename = "linkifiedCommitMsg")]
    linkified: Vec<Value>,
    #[serde(rename = "repoQueryUrl")]
    repository_query: String,
    #[serde(rename = "branchQueryUrl")]
    branch_query: String,
}

/// The `change_infos` of a job's data: each change once.
#[must_use]
pub fn change_infos<'a>(changes: impl IntoIterator<Item = &'a Change>, gerrit: &GerritUrl, phorge: &str) -> Value {
    let mut seen = Vec::new();
    let mut infos = Vec::new();
    for change in changes {
        if !seen.contains(&change.number) {
            seen.push(change.number);
            let message = cut(&change.message, MAX_MESSAGE);
            infos.push(ChangeInfo {
                number: change.number,
                project: &change.project,
                branch: &change.branch,
                subject: &change.subject,
                linkified: linkify(&message, gerrit, phorge),
                commit_msg: message,
                url: change.url(gerrit),
                repository_query: change.repository_query(gerrit),
                branch_query: change.branch_query(gerrit),
            });
        }
    }
    json!(infos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::{change, gerrit_url};

    #[test]
    fn each_change_is_stored_once_and_a_long_message_cut() {
        let long = Change { message: format!("T1 {}", "ü".repeat(5_000)), ..change(7) };
        let infos = change_infos([&change(8), &long, &change(8)], &gerrit_url(), "https://phorge.test");
        let numbers: Vec<_> = infos.as_array().unwrap().iter().map(|info| info["number"].as_u64().unwrap()).collect();
        assert_eq!(numbers, [8, 7]);
        let message = infos[1]["commit_msg"].as_str().unwrap();
        assert!(message.chars().count() == MAX_MESSAGE + 1 && message.ends_with("ü…"));
        assert_eq!(infos[1]["linkifiedCommitMsg"][0]["href"], "https://phorge.test/T1");
        let members: Vec<_> = infos[0].as_object().unwrap().keys().map(String::as_str).collect();
        let expected = [
            "number",
            "project",
            "branch",
            "subject",
            "commit_msg",
            "url",
            "linkifiedCommitMsg",
            "repoQueryUrl",
            "branchQueryUrl",
        ];
        assert_eq!(members, expected);
    }
}
