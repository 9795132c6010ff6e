use std::time::Instant;

use serde_json::{Value, json};

use crate::api::handlers::jobs::filter::Filter;
use crate::api::handlers::jobs::show::Show;
use crate::api::testing::{Bench, Client, DEADLINE, job_id, request, status, until};
use crate::http::query::Query;
use crate::spool::history;
use crate::spool::history::HistoryLine;
use crate::spool::outcome::Outcome;
use crate::spool::request::JobRequest;
use crate::spool::status::State;
use crate::spool::{Time, reject};

/// A finished job of alice's that is like any other.
fn line(number: u64) -> HistoryLine {
    let mut status = status(number, State::Running);
    status.finish(State::Succeeded, Outcome::Succeeded, None);
    let params = json!({ "name": "World", "key": "•••" });
    HistoryLine::new(&status, None, params.as_object().cloned().unwrap())
}

fn append(bench: &Bench, lines: impl IntoIterator<Item = HistoryLine>) {
    lines.into_iter().for_each(|line| history::append(&bench.spool, &bench.runner, &line).unwrap());
}

async fn serve(bench: &Bench) -> Client {
    Client::connect(Bench::serve(bench.app()).await).await
}

async fn get(client: &mut Client, path: &str) -> Value {
    let reply = client.ask(&format!("GET {path}")).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.body);
    reply.json()
}

/// The numbers of a list's jobs, and its total.
async fn list(client: &mut Client, arguments: &str) -> (Vec<u64>, u64) {
    let answer = get(client, &format!("/api/jobs?{arguments}")).await;
    assert_eq!(answer["complete"], true);
    let ids = answer["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_u64().unwrap());
    (ids.collect(), answer["total"].as_u64().unwrap())
}

/// Jobs 1 to 6 have finished, 7 was rejected, 8 runs, 9 and 10 wait.
fn populate(bench: &Bench) {
    let of = |number: u64, user: &str, job_type: &str, state: State| HistoryLine {
        user: user.into(),
        job_type: job_type.into(),
        state,
        outcome: Outcome::of_word(state.word()),
        ..line(number)
    };
    let rolled_back = HistoryLine { outcome: Some(Outcome::RolledBack), ..of(4, "carol", "greet", State::Succeeded) };
    append(
        bench,
        [
            of(1, "alice", "greet", State::Succeeded),
            of(2, "bob", "greet", State::Failed),
            of(3, "alice", "other", State::Failed),
            of(5, "bob", "other", State::Lost),
            rolled_back,
            of(6, "alice", "greet", State::Cancelled),
        ],
    );
    for number in [7, 9, 10] {
        bench.queue(&request(number));
    }
    reject::reject(&bench.spool, &bench.runner, "7.json".as_ref(), "why not").unwrap();
    bench.claim(&status(8, State::Running));
}

#[tokio::test]
async fn a_list_is_of_what_passes_its_filter() {
    let bench = Bench::new();
    populate(&bench);
    let mut client = serve(&bench).await;
    for (arguments, ids, total) in [
        ("", vec![10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 10),
        ("limit=3", vec![10, 9, 8], 10),
        ("limit=3&skip=2", vec![8, 7, 6], 10),
        ("limit=2&before=4", vec![3, 2], 10),
        ("limit=2&before=9&skip=3", vec![5, 4], 10),
        ("before=1", vec![], 10),
        ("before=0", vec![], 10),
        ("before=18446744073709551615&limit=1", vec![10], 10),
        ("skip=10", vec![], 10),
        ("limit=0", vec![], 10),
        ("state=failed", vec![3, 2], 2),
        ("state=failed&state=lost&state=queued", vec![10, 9, 5, 3, 2], 5),
        ("state=rejected", vec![7], 1),
        ("state=running&user=alice&type=greet", vec![8], 1),
        ("state=starting", vec![], 0),
        ("outcome=rolled_back", vec![4], 1),
        ("outcome=failed&outcome=lost", vec![5, 3, 2], 3),
        ("outcome=succeeded&outcome=rolled_back&state=succeeded", vec![4, 1], 2),
        ("outcome=cancelled&user=alice", vec![6], 1),
        ("outcome=killed", vec![], 0),
        ("user=bob", vec![5, 2], 2),
        ("user=bob&user=carol&type=greet", vec![4, 2], 2),
        ("type=other&user=alice", vec![3], 1),
        ("user=nobody", vec![], 0),
        ("user=alice&limit=2", vec![10, 9], 7),
        ("user=alice&limit=2&skip=3", vec![7, 6], 7),
        ("user=alice&limit=2&before=7", vec![6, 3], 7),
        ("user=alice&limit=1&skip=1&before=7", vec![3], 7),
    ] {
        assert_eq!(list(&mut client, arguments).await, (ids, total), "{arguments}");
    }
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    let bench = Bench::new();
    let mut client = serve(&bench).await;
    for (arguments, name) in [
        ("state=done", "state"),
        ("outcome=done", "outcome"),
        ("state=failed&state=", "state"),
        ("before=-1", "before"),
        ("limit=ten", "limit"),
    ] {
        let reply = client.ask(&format!("GET /api/jobs?{arguments}")).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["detail"][0]["loc"]), (422, &json!(["query", name])));
    }
}

#[tokio::test]
async fn a_text_is_looked_for_in_what_is_shown_of_parameters_and_data() {
    let bench = Bench::new();
    let subject = json!({ "change_infos": [{ "subject": "Revert \"Größe\" of things" }] });
    let mut with_data = line(1);
    with_data.data = subject.as_object().cloned();
    append(&bench, [with_data, line(2)]);
    let mut waiting = request(3);
    waiting.params.insert("name".into(), json!("moon"));
    waiting.data = subject.as_object().cloned();
    bench.queue(&waiting);
    let mut client = serve(&bench).await;
    for (text, ids) in [
        ("GR%C3%96%C3%9FE", vec![3, 1]),
        ("revert+%22gr", vec![3, 1]),
        ("world", vec![2, 1]),
        ("MOON", vec![3]),
        ("hunter2", vec![]),
        ("subject", vec![]),
        ("alice", vec![]),
        ("", vec![3, 2, 1]),
    ] {
        let total = ids.len() as u64;
        assert_eq!(list(&mut client, &format!("q={text}")).await, (ids, total), "{text}");
    }
    assert_eq!(list(&mut client, "q=revert&state=succeeded").await, (vec![1], 1));
    assert_eq!(list(&mut client, "q=revert&before=3&limit=1").await, (vec![1], 2));
}

#[tokio::test]
async fn a_search_that_takes_too_long_is_cut_and_says_so() {
    let bench = Bench::new();
    append(&bench, (1..=3).map(line));
    let app = bench.app();
    let filter = Filter::of(&Query::parse("q=world").unwrap()).unwrap();
    let find = |deadline| {
        let mut found = 0;
        (filter.find(&app.mirror.snapshot(), &app.config, &app.spool, deadline, |_| found += 1).unwrap(), found)
    };
    assert_eq!(find(Instant::now() + DEADLINE), (true, 3));
    assert_eq!(find(Instant::now()), (false, 0));
}

#[tokio::test]
async fn a_page_has_500_jobs_at_most_and_old_ones_come_from_the_disk() {
    let bench = Bench::new();
    let count = 1200;
    append(&bench, (1..=count).map(line));
    let mut client = serve(&bench).await;
    assert_eq!(list(&mut client, "limit=99999").await, ((count - 499..=count).rev().collect(), count));
    assert_eq!(list(&mut client, "limit=500&skip=1000").await, ((1..=200).rev().collect(), count));
    let new = get(&mut client, &format!("/api/jobs/{count}")).await;
    let mut old = get(&mut client, "/api/jobs/1").await;
    assert_eq!((&old["job"]["id"], &old["pending_interaction"]), (&json!(1), &Value::Null));
    old["job"]["id"] = json!(count);
    for time in ["finished_at", "duration"] {
        old["job"][time] = new["job"][time].clone();
    }
    assert_eq!(old, new, "read or kept, it is shown the same");
}

#[tokio::test]
async fn a_job_whose_line_cannot_be_read_is_shown_as_far_as_it_is_known() {
    let bench = Bench::new();
    append(&bench, [line(1)]);
    let odd = r#"{"id":2,"type":"greet","user":"bob","state":"failed","command":"not a list"}"#;
    let text = std::fs::read_to_string(bench.spool.history()).unwrap();
    write(&bench, &[&text, odd, "\n"].concat());
    let mut client = serve(&bench).await;
    let answer = get(&mut client, "/api/jobs").await;
    let odd = &answer["jobs"][0];
    assert_eq!((&odd["id"], &odd["state"], &odd["user"]), (&json!(2), &json!("failed"), &json!("bob")));
    assert!(odd["reason"].as_str().unwrap().contains("history.jsonl"), "{odd}");
    assert_eq!((&odd["command"], &odd["data"]), (&json!("[]"), &json!({})));
}

#[expect(clippy::disallowed_methods, reason = "an operator does it so")]
fn write(bench: &Bench, history: &str) {
    std::fs::write(bench.spool.history(), history).unwrap();
}

#[tokio::test]
async fn what_is_never_null_is_not_null_in_any_state() {
    let bench = Bench::new();
    populate(&bench);
    let mut lost = line(11);
    (lost.state, lost.command) = (State::Lost, vec![]);
    append(&bench, [lost]);
    let mut client = serve(&bench).await;
    let answer = get(&mut client, "/api/jobs?limit=500").await;
    let jobs = answer["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 11);
    for job in jobs {
        let command: Vec<String> = serde_json::from_str(job["command"].as_str().unwrap()).unwrap();
        assert!(["lost", "rejected"].iter().any(|state| job["state"] == *state) || !command.is_empty(), "{job}");
        assert!(job["data"].is_object() && job["params"].is_object() && job["queued_at"].is_number(), "{job}");
        let doing = job["status"].as_object().unwrap();
        assert!(doing.contains_key("status") && doing.contains_key("progress"), "{job}");
        if ["lost", "cancelled", "rejected"].iter().any(|state| job["state"] == *state) {
            assert!(job["finished_at"].is_number() && job["running"] == false, "{job}");
        }
        assert_eq!(job["orphaned"], job["state"] == "lost", "{job}");
    }
}

#[tokio::test]
async fn who_cancelled_a_job_is_told() {
    let bench = Bench::new();
    let mut cancelled = status(1, State::Starting);
    let job = bench.claim(&cancelled);
    cancelled.started_at = None;
    cancelled.cancelled_by = Some("bob".into());
    cancelled.finish(State::Cancelled, Outcome::Cancelled, Some("cancelled by bob before it started".into()));
    cancelled.finished_at = Some(Time::from_milliseconds(1_003_500));
    job.write_final_status(&cancelled).unwrap();
    let app = bench.app();
    let shown = || {
        let view = app.mirror.snapshot();
        let entry = view.get(job_id(1)).unwrap();
        let job = serde_json::to_value(Show::new(&view, &app.config).job(&entry)).unwrap();
        ["cancelled_by", "started_at", "finished_at"].map(|member| job[member].clone())
    };
    let expected = [json!("bob"), json!(1003.5), json!(1003.5)];
    assert_eq!(shown(), expected);
    bench.tidy(&cancelled);
    until(|| !app.mirror.view().history().is_empty()).await;
    assert_eq!(shown(), expected);
}

#[test]
fn a_line_of_another_version_is_read_as_far_as_it_is_known() {
    let mut old = serde_json::to_value(line(1)).unwrap();
    for member in ["cancelled_by", "outcome_by", "phase", "last_error"] {
        old.as_object_mut().unwrap().remove(member).unwrap();
    }
    old["outcome"] = "splendid".into();
    let old: HistoryLine = serde_json::from_value(old).unwrap();
    assert_eq!((old.cancelled_by, old.outcome_by, old.phase, old.last_error), (None, None, None, None));
    assert_eq!(old.outcome, None, "a word that only another version knows");
}

#[tokio::test]
async fn of_a_large_job_lists_have_the_beginning_and_who_asks_for_it_has_all() {
    let bench = Bench::new();
    let long = format!("{}needle", "x".repeat(100_000));
    let large = |number| {
        let params = json!({ "name": long, "key": "secret" }).as_object().cloned().unwrap();
        JobRequest { params, ..request(number) }
    };
    let mut finished = line(1);
    finished.params.insert("name".into(), long.clone().into());
    append(&bench, [finished]);
    bench.claim_as(&large(2), &status(2, State::Running));
    bench.queue(&large(3));
    bench.queue(&request(4));
    let mut client = serve(&bench).await;
    let listed = get(&mut client, "/api/jobs").await;
    for (place, number) in [(1, 3), (2, 2), (3, 1)] {
        let job = &listed["jobs"][place];
        let name = job["params"]["name"].as_str().unwrap();
        assert!(job["id"] == number && job["truncated"] == true, "{number}");
        assert!(name.len() < 2000 && name.ends_with('…') && job["params"]["key"] == "•••", "{number}");
        let whole = get(&mut client, &format!("/api/jobs/{number}")).await;
        assert!(whole["job"]["params"]["name"] == long.as_str() && whole["job"].get("truncated").is_none(), "{number}");
    }
    assert_eq!(listed["jobs"][0].get("truncated"), None);
    assert_eq!(list(&mut client, "q=needle").await, (vec![3, 2, 1], 3), "what is cut is found, too");
}

#[tokio::test]
async fn a_page_has_as_many_jobs_as_fit_and_says_that_it_goes_on() {
    let bench = Bench::new();
    for number in 1..=40 {
        let params = json!({ "name": "x".repeat(60_000), "key": "secret" }).as_object().cloned().unwrap();
        bench.queue(&JobRequest { params, ..request(number) });
    }
    let mut client = serve(&bench).await;
    for filter in ["", "&state=queued"] {
        let (mut all, mut before) = (Vec::new(), 1000);
        loop {
            let page = get(&mut client, &format!("/api/jobs?limit=100&before={before}{filter}")).await;
            assert_eq!(page["total"], 40);
            let ids: Vec<u64> =
                page["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_u64().unwrap()).collect();
            assert!(page.to_string().len() < 1_200_000 && !ids.is_empty());
            before = *ids.last().unwrap();
            all.extend(ids);
            if page.get("cut").is_none() {
                break;
            }
            assert_eq!(page["cut"], true);
        }
        assert_eq!(all, (1..=40).rev().collect::<Vec<u64>>(), "{filter}");
    }
}
