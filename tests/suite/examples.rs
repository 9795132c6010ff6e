//! The examples of `spool-layout.md` are what the programs write and read.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use spiderpig::spool::history::HistoryLine;
use spiderpig::spool::inbox::{Answer, RunnerRequest, SignalRequest};
use spiderpig::spool::log::Record;
use spiderpig::spool::request::JobRequest;
use spiderpig::spool::runner_state::RunnerState;
use spiderpig::spool::status::Status;

const LAYOUT: &str = include_str!("../../spool-layout.md");

/// The JSON under a heading: every document of every block.
fn examples(heading: &str) -> Vec<Value> {
    let (_, section) = LAYOUT.split_once(&format!("\n### {heading}\n")).unwrap();
    let section = section.split("\n### ").next().unwrap();
    let blocks = section.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(|block| serde_json::Deserializer::from_str(block).into_iter().map(Result::unwrap)).collect()
}

/// The example has every member that the document has, and no other.
#[track_caller]
fn is_whole<T: DeserializeOwned + Serialize>(example: &Value) {
    let document: T = serde_json::from_value(example.clone()).unwrap();
    assert_eq!(serde_json::to_value(document).unwrap(), *example);
}

#[test]
fn the_documents_are_whole() {
    is_whole::<Status>(&examples("jobs/N/status.json")[0]);
    is_whole::<HistoryLine>(&examples("history.jsonl")[0]);
    is_whole::<RunnerState>(&examples("runner.json")[0]);
    is_whole::<JobRequest>(&examples("jobs/N/job.json")[0]);
    let letters = examples("inbox/");
    assert_eq!(letters.len(), 3);
    is_whole::<Answer>(&letters[0]);
    is_whole::<SignalRequest>(&letters[1]);
    is_whole::<RunnerRequest>(&letters[2]);
}

#[test]
fn the_records_of_the_log_are_whole() {
    let records = examples("jobs/N/log.jsonl");
    records.iter().for_each(is_whole::<Record>);
    let types = ["line", "status", "progress", "interaction", "note", "response", "signal", "exit"];
    for name in types {
        assert!(records.iter().any(|record| record["type"] == name), "there is an example of `{name}`");
    }
    assert!(records.iter().all(|record| types.iter().any(|name| record["type"] == *name)));
}
