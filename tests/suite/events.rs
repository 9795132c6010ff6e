//! What a page hears of a job that it shows.

use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};
use ureq::BodyReader;

use crate::client::{Api, start};
use crate::support::{ASK, TestSpool};

/// An event: its id, if it has one, its name, and its data.
pub type Event = (Option<String>, String, Value);

pub fn follow(api: &Api, query: &str, last_event: Option<&str>) -> impl Iterator<Item = Event> {
    let mut request = Api::agent().get(format!("{}/api/events{query}", api.base));
    if let Some(id) = last_event {
        request = request.header("Last-Event-ID", id);
    }
    let mut lines = BufReader::new(request.call().unwrap().into_body().into_reader()).lines();
    std::iter::from_fn(move || next(&mut lines))
}

fn next(lines: &mut std::io::Lines<BufReader<BodyReader<'static>>>) -> Option<Event> {
    let (mut id, mut name) = (None, String::new());
    for line in lines {
        let line = line.ok()?;
        match line.split_once(": ") {
            Some(("id", value)) => id = Some(value.to_owned()),
            Some(("event", value)) => value.clone_into(&mut name),
            Some(("data", value)) => return Some((id, name, serde_json::from_str(value).unwrap())),
            _ => {}
        }
    }
    None
}

#[test]
fn one_stream_tells_of_all_jobs_and_how_long_the_log_of_one_is() {
    const LINES: u64 = 50_000;
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let api = start(&spool);
    let id = api.create(&format!("{ASK} echo one; ask go; seq {LINES}; ask end"));
    let query = format!("?log={id}");
    let mut events = follow(&api, &query, None);
    let (first, name, _) = events.next().unwrap();
    assert_eq!(name, "snapshot");
    let mut lengths = events.filter(|(_, name, _)| name == "log").map(|(event, _, length)| {
        assert_eq!((event, &length["id"]), (None, &json!(id)));
        (length["records"].as_u64().unwrap(), length["complete"] == true)
    });
    api.wait_prompt(id, 1);
    assert!(lengths.any(|(records, complete)| records >= 2 && !complete), "the line and the prompt are told");

    assert_eq!(api.answer(id, 1, "y").0, 200);
    let told: Vec<(u64, bool)> =
        lengths.by_ref().take_while(|(records, complete)| *records < LINES && !complete).collect();
    assert!(told.is_sorted() && told.len() < 500, "{} events", told.len());
    api.wait_prompt(id, 2);
    assert_eq!(api.answer(id, 2, "y").0, 200);
    let (records, _) = lengths.find(|(_, complete)| *complete).unwrap();
    let (_, window) = api.get(&format!("/api/jobs/{id}/log/records?count=0"));
    assert_eq!(window["total"], records);

    let mut resumed = follow(&api, &query, first.as_deref()).filter(|(_, name, _)| name == "log");
    assert_eq!(resumed.next().unwrap().2, json!({ "id": id, "records": records, "complete": true }));
    assert_eq!(api.get("/api/events?log=999").0, 404);
}
