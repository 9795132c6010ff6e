//! What Gerrit answers: JSON behind a prefix that keeps pages of other sites from running it.

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Problem;
use super::change::Status;
use crate::outbound::cut;

/// What stands before the JSON.
const PREFIX: &[u8] = b")]}'";

/// The longest explanation of what is wrong with an answer, in characters: it may repeat a value of any length.
const MAX_PROBLEM: usize = 200;

/// How much of an answer is shown that is none, in characters.
const EXCERPT: usize = 60;

/// Whether a change can be merged.
#[derive(Debug, Deserialize)]
pub struct Mergeable {
    pub mergeable: bool,
}

/// The changes above and below one in Git.
#[derive(Debug, Deserialize)]
pub struct Related {
    changes: Vec<RelatedChange>,
}

#[derive(Debug, Deserialize)]
struct RelatedChange {
    #[serde(rename = "_change_number")]
    number: Option<u32>,
    #[serde(default)]
    status: Status,
    commit: Commit,
}

#[derive(Debug, Deserialize)]
struct Commit {
    commit: String,
    #[serde(default)]
    parents: Vec<Parent>,
}

#[derive(Debug, Deserialize)]
struct Parent {
    commit: String,
}

/// # Errors
/// It is no JSON, or says something else.
pub fn parse<T: DeserializeOwned>(answer: &[u8]) -> Result<T, Problem> {
    let Some(json) = answer.strip_prefix(PREFIX) else {
        return Err(Problem::NoJson(format!("its answer begins with {}", excerpt(answer))));
    };
    serde_json::from_slice(json).map_err(|error| {
        let reason = cut(&error.to_string(), MAX_PROBLEM).into_owned();
        if error.is_data() { Problem::OtherJson(reason) } else { Problem::NoJson(reason) }
    })
}

/// The beginning in quotation marks, without control characters.
fn excerpt(answer: &[u8]) -> String {
    let start = &answer[..answer.len().min(4 * EXCERPT)];
    let text: String = String::from_utf8_lossy(start).chars().take(EXCERPT).collect();
    format!("{text:?}")
}

impl Related {
    /// The changes below a commit that are not merged, the nearest first.
    pub fn ancestors(&self, commit: &str) -> Vec<u32> {
        let by_commit: HashMap<&str, &RelatedChange> =
            self.changes.iter().map(|change| (change.commit.commit.as_str(), change)).collect();
        let parents = |commit: &str| by_commit.get(commit).map_or(&[][..], |change| &change.commit.parents);
        let mut below: Vec<&str> = Vec::new();
        let mut at = commit;
        let mut next = 0;
        loop {
            for parent in parents(at) {
                if parent.commit != commit && !below.contains(&parent.commit.as_str()) {
                    below.push(&parent.commit);
                }
            }
            let Some(commit) = below.get(next) else { break };
            (at, next) = (commit, next + 1);
        }
        let changes = below.iter().filter_map(|commit| by_commit.get(commit));
        changes.filter(|change| change.status != Status::Merged).filter_map(|change| change.number).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_answer_of_gerrit_is_told_by_how_it_looks() {
        assert_eq!(parse::<Vec<u8>>(b")]}'\n[1, 2]\n").unwrap(), [1, 2]);
        let problem = |answer: &[u8]| parse::<Vec<u8>>(answer).unwrap_err().to_string();
        assert_eq!(problem(b"<!doctype html>\n"), "sent no JSON: its answer begins with \"<!doctype html>\\n\"");
        assert_eq!(problem(b""), "sent no JSON: its answer begins with \"\"");
        assert!(problem(b"[1]").starts_with("sent no JSON"), "the prefix belongs to it");
        assert!(problem(b")]}'\n[1").starts_with("sent no JSON: EOF"));
        assert!(problem(b")]}'\n{}").starts_with("sent JSON that is not understood: invalid type"));
        assert!(problem(&[b'\xff'; 1000]).len() < 300);
    }

    #[test]
    fn what_is_wrong_is_told_in_short() {
        let answer = format!(")]}}'\n\"{}\"", "ü".repeat(1 << 20));
        let problem = parse::<Vec<u8>>(answer.as_bytes()).unwrap_err().to_string();
        assert!(problem.starts_with("sent JSON that is not understood: invalid type: string \"ü"), "{problem:.100}");
        assert!(problem.chars().count() < 2 * MAX_PROBLEM, "{}", problem.len());
    }

    fn related(changes: &[(u32, &str, &[&str], &str)]) -> Related {
        let change = |(number, commit, parents, status): &(u32, &str, &[&str], &str)| {
            let parents: Vec<_> = parents.iter().map(|parent| json!({ "commit": parent })).collect();
            json!({ "_change_number": number, "status": status, "commit": { "commit": commit, "parents": parents } })
        };
        serde_json::from_value(json!({ "changes": changes.iter().map(change).collect::<Vec<_>>() })).unwrap()
    }

    #[test]
    fn ancestors_are_those_below_and_not_merged() {
        let related = related(&[
            (5, "e", &["d"], "NEW"),
            (4, "d", &["c", "x"], "NEW"),
            (3, "c", &["b"], "ABANDONED"),
            (2, "b", &["a"], "NEW"),
            (1, "a", &["root"], "MERGED"),
            (9, "x", &[], "NEW"),
        ]);
        assert_eq!(related.ancestors("d"), [3, 9, 2]);
        assert_eq!(related.ancestors("b"), [0; 0]);
        assert_eq!(related.ancestors("unknown"), [0; 0]);
    }

    #[test]
    fn a_circle_in_an_answer_ends() {
        let related = related(&[(1, "a", &["b"], "NEW"), (2, "b", &["a", "b"], "NEW")]);
        assert_eq!(related.ancestors("a"), [2]);
    }
}
