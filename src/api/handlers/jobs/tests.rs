use std::net::SocketAddr;

use serde_json::{Value, json};

use super::*;
use crate::accounts::testing::People;
use crate::api::app::App;
use crate::api::testing::{Bench, Client, Reply, job_id, prompt, request, runner_state, status, until};
use crate::audit::Filter;
use crate::mirror::Entry;
use crate::spool::Time;
use crate::spool::inbox;
use crate::spool::inbox::{Answer, Purpose, Recipient};
use crate::spool::log::RecordKind;
use crate::spool::outcome::Outcome;
use crate::spool::queue;
use crate::spool::status::State;

async fn client(bench: &Bench) -> Client {
    Client::connect(Bench::serve(bench.app()).await).await
}

async fn post(client: &mut Client, path: &str, body: &str) -> Reply {
    client.ask_with(&format!("POST {path}"), "Host: localhost\r\n", body).await
}

async fn get(client: &mut Client, path: &str) -> Value {
    let reply = client.ask(&format!("GET {path}")).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()
}

#[tokio::test]
async fn a_job_is_created_durably_and_is_there_at_once() {
    let bench = Bench::new();
    let mut client = client(&bench).await;
    let body = r#"{"type":"greet","params":{"name":"World","key":"hunter2"}}"#;
    let reply = post(&mut client, "/api/jobs", body).await;
    assert_eq!((reply.status.as_u16(), reply.header("location")), (201, Some("/api/jobs/1")));
    assert_eq!(reply.json(), json!({ "message": "Job created", "id": 1 }));
    let job = get(&mut client, "/api/jobs/1").await;
    assert_eq!(job["job"]["state"], "queued");
    assert_eq!(job["job"]["user"], "tester");
    assert_eq!(job["job"]["command"], r#"["greet","World","•••"]"#);
    assert_eq!(job["pending_interaction"], Value::Null);
    assert_eq!(queue::list(&bench.spool).unwrap().0, [job_id(1)]);
}

#[tokio::test]
async fn what_cannot_run_is_not_queued_and_the_reason_names_its_place() {
    let bench = Bench::new();
    let mut client = client(&bench).await;
    for (body, place) in [
        (r#"{"type":"nothing"}"#, json!(["body", "type"])),
        (r#"{"type":"greet"}"#, json!(["body", "params", "name"])),
        (r#"{"type":"greet","params":{"name":"x","nmae":"y"}}"#, json!(["body", "params", "nmae"])),
        (r#"{"type":"greet","params":{"name":"--force"}}"#, json!(["body", "params", "name"])),
        (r#"{"type":"greet","params":{"name":"x"},"user":"root"}"#, json!(["body", "user"])),
        (r#"{"type":["greet"]}"#, json!(["body", "type"])),
        (r#"{"params":{}}"#, json!(["body", "type"])),
        (r#"{"type":"greet","params":["x"]}"#, json!(["body", "params"])),
        (r#"{"type":"greet","params":{"name":"x","name":"y"}}"#, json!(["body"])),
        (r#"{"type":"greet","params":{"name":NaN}}"#, json!(["body"])),
        (r#"{"type":"greet","params":{"name":1e999}}"#, json!(["body"])),
        (r#"{"type":"greet","params":{"name":99999999999999999999}}"#, json!(["body", "params", "name"])),
        (r#"{"type":"greet","params":{"name":"\ud800"}}"#, json!(["body"])),
        (r#"{"type":"greet","params":{"name":"a\u0000b"}}"#, json!(["body", "params", "name"])),
        (r#"{"type":"greet","params":{"name":{"a":"b"}}}"#, json!(["body", "params", "name"])),
        (r#"["greet",{"name":"x"}]"#, json!(["body"])),
        ("null", json!(["body"])),
        ("", json!(["body"])),
    ] {
        let reply = post(&mut client, "/api/jobs", body).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["detail"][0]["loc"]), (422, &place), "{}", reply.body);
    }
    assert!(queue::list(&bench.spool).unwrap().0.is_empty());
}

#[tokio::test]
async fn a_spool_that_takes_nothing_is_503_with_a_sentence() {
    let bench = Bench::new();
    crate::spool::atomic::remove(&bench.spool.sequence()).unwrap();
    let mut client = client(&bench).await;
    let reply = post(&mut client, "/api/jobs", r#"{"type":"other"}"#).await;
    assert_eq!(reply.status, 503);
    assert!(reply.json()["detail"]["message"].as_str().unwrap().contains("Start spiderpig-runner"), "{}", reply.body);
}

#[tokio::test]
async fn a_type_that_the_runner_lacks_is_refused() {
    let bench = Bench::new();
    runner_state("another", &[]).write(&bench.spool, &bench.runner).unwrap();
    let mut client = client(&bench).await;
    assert_eq!(post(&mut client, "/api/jobs", r#"{"type":"other"}"#).await.status, 503);
    assert_eq!(post(&mut client, "/api/jobs?dry_run=1", r#"{"type":"other"}"#).await.status, 503);
    let types = get(&mut client, "/api/job-types").await;
    let reasons: Vec<&Value> = types["job_types"].as_array().unwrap().iter().map(|t| &t["disabled_reason"]).collect();
    assert!(reasons[0].is_null() && reasons[1].as_str().unwrap().contains("/healthz says which"), "{types}");
    assert_eq!(post(&mut client, "/api/jobs", r#"{"type":"greet","params":{"name":"x"}}"#).await.status, 201);
    let health = get(&mut client, "/healthz").await;
    assert_eq!((&health["status"], &health["runner_up"]), (&json!("degraded"), &json!(true)));
    assert!(health["problems"][0].as_str().unwrap().contains("different configurations"));
}

#[tokio::test]
async fn health_is_ok_with_a_runner_and_degraded_without() {
    let bench = Bench::new();
    let app = bench.app();
    runner_state(&app.config.hash, &[]).write(&bench.spool, &bench.runner).unwrap();
    let mut client = Client::connect(Bench::serve(app).await).await;
    assert_eq!(
        get(&mut client, "/healthz").await,
        json!({ "status": "ok", "problems": [], "information": [], "runner_up": true, "paused": null })
    );
    drop(bench.runner);
    let mut health = json!({ "status": "ok" });
    while health["status"] == "ok" {
        health = get(&mut client, "/healthz").await;
    }
    assert!(health["problems"][0].as_str().unwrap().contains("not running"), "{health}");
}

#[tokio::test]
async fn lists_are_of_every_state_newest_first() {
    let bench = Bench::new();
    let mut done = status(1, State::Running);
    let job = bench.claim(&done);
    done.finish(State::Failed, Outcome::Failed, None);
    bench.finish(&job, &done);
    let _running = bench.claim(&status(2, State::Running));
    for number in [3, 4, 5] {
        bench.queue(&request(number));
    }
    let reject = crate::spool::reject::reject;
    reject(&bench.spool, &bench.runner, "3.json".as_ref(), "why not").unwrap();
    runner_state("", &[(4, "job 2 of alice runs"), (5, "job 4 is before it")])
        .write(&bench.spool, &bench.runner)
        .unwrap();
    let mut client = client(&bench).await;

    let jobs = get(&mut client, "/api/jobs").await;
    let brief = |job: &Value| format!("{} {} {} {}", job["id"], job["state"], job["position"], job["waiting_for"]);
    let brief: Vec<String> = jobs["jobs"].as_array().unwrap().iter().map(brief).collect();
    assert_eq!(
        brief,
        [
            r#"5 "queued" 2 "job 4 is before it""#,
            r#"4 "queued" 1 "job 2 of alice runs""#,
            r#"3 "rejected" null null"#,
            r#"2 "running" null null"#,
            r#"1 "failed" null null"#,
        ]
    );
    assert!(jobs["jobs"][0].as_object().unwrap().contains_key("interaction"));

    for (arguments, ids) in
        [("limit=2", vec![5, 4]), ("limit=2&skip=3", vec![2, 1]), ("skip=9", vec![]), ("limit=0", vec![])]
    {
        let page = get(&mut client, &format!("/api/jobs?{arguments}")).await;
        let found: Vec<u64> = page["jobs"].as_array().unwrap().iter().filter_map(|job| job["id"].as_u64()).collect();
        assert_eq!(found, ids, "{arguments}");
    }
    assert_eq!(client.ask("GET /api/jobs?limit=-1").await.status, 422);
    assert_eq!(client.ask("GET /api/jobs?limit=9999999").await.status, 200);
}

#[tokio::test]
async fn a_job_that_is_not_there_is_404_with_its_number() {
    let bench = Bench::new();
    let mut client = client(&bench).await;
    for (request_line, id) in [
        ("GET /api/jobs/7", 7_u64),
        ("GET /api/jobs/7/log", 7),
        ("POST /api/jobs/7/signal/kill", 7),
        ("POST /api/jobs/7/interact/7000001", 7),
        ("GET /api/jobs/18446744073709551615", u64::MAX),
    ] {
        let reply = client.ask(request_line).await;
        assert_eq!(reply.status, 404, "{request_line}");
        assert_eq!(reply.json(), json!({ "detail": { "message": "No such job", "job_id": id } }));
    }
}

#[tokio::test]
async fn the_status_is_of_the_job_that_needs_somebody_most() {
    let bench = Bench::new();
    let mut client = client(&bench).await;
    let nothing = |status: &str| json!({ "status": status, "job": null, "pending_interaction": null });
    assert_eq!(get(&mut client, "/api/jobrunner/status").await, nothing("idle"));

    let app = bench.app();
    let _first = bench.claim(&status(1, State::Running));
    let second = bench.claim(&status(2, State::Running));
    until(|| app.mirror.view().open().count() == 2).await;
    let mut client = Client::connect(Bench::serve(app).await).await;
    let answer = get(&mut client, "/api/jobrunner/status").await;
    assert_eq!((&answer["status"], &answer["job"]["id"]), (&json!("Running job 1"), &json!(1)));

    let mut waiting = status(2, State::Waiting);
    waiting.interaction = Some(prompt(1));
    let app = bench.app();
    second.write_status(&waiting).unwrap();
    until(|| matches!(app.mirror.view().get(job_id(2)), Some(Entry::Claimed(claimed)) if claimed.status.interaction.is_some())).await;
    let mut client = Client::connect(Bench::serve(app).await).await;
    let answer = get(&mut client, "/api/jobrunner/status").await;
    assert_eq!(answer["status"], "Running job 2, awaiting user interaction");
    assert_eq!(answer["pending_interaction"]["id"], 2_000_001);

    drop(bench.runner);
    let mut answer = Value::Null;
    while answer["status"] != "Jobrunner not running" {
        answer = get(&mut client, "/api/jobrunner/status").await;
    }
    assert_eq!((&answer["status"], &answer["job"]["id"]), (&json!("Jobrunner not running"), &json!(2)));
}

/// A service with job 1 waiting at prompt 2.
async fn waiting_job(bench: &Bench) -> (SocketAddr, crate::spool::job::LockedJob) {
    let mut waiting = status(1, State::Waiting);
    waiting.interaction = Some(prompt(2));
    let job = bench.claim(&waiting);
    (Bench::serve(bench.app()).await, job)
}

#[tokio::test]
async fn of_a_hundred_answers_one_is_stored_and_the_others_learn_whose() {
    let bench = Bench::new();
    let (address, _job) = waiting_job(&bench).await;
    let answers = (0..100).map(|_| {
        tokio::spawn(async move {
            let mut client = Client::connect(address).await;
            post(&mut client, "/api/jobs/1/interact/1000002", "y").await
        })
    });
    let mut stored = 0;
    for answer in answers.collect::<Vec<_>>() {
        let reply = answer.await.unwrap();
        if reply.status == 200 {
            stored += 1;
            let expected = json!({ "message": "Response stored", "job_id": 1, "interaction_id": 1_000_002 });
            assert_eq!(reply.json(), expected);
        } else {
            assert_eq!(reply.status, 409, "{}", reply.body);
            let detail = &reply.json()["detail"];
            assert_eq!((&detail["responded_by"], &detail["response"]), (&json!("tester"), &json!("y")));
        }
    }
    assert_eq!(stored, 1);
    let expected = Answer { user: "tester".into(), response: "y".into() };
    assert_eq!(inbox::pending_answer(&bench.spool, job_id(1), 2), Some(expected));
}

#[tokio::test]
async fn an_answer_must_fit_an_open_prompt() {
    let bench = Bench::new();
    let (address, job) = waiting_job(&bench).await;
    let mut log = job.log_writer().unwrap();
    log.record(&RecordKind::Response { user: "bob".into(), response: "n".into(), interaction: 1 });
    log.flush().unwrap();
    let mut client = Client::connect(address).await;
    for (interaction, answer, expected) in [
        (1_000_002, "maybe", 400),
        (1_000_002, "Yes", 400),
        (1_000_002, "y\n", 400),
        (1_000_001, "y", 409),
        (1_000_003, "y", 404),
        (1_000_000, "y", 404),
        (2_000_002, "y", 404),
        (2, "y", 404),
    ] {
        let reply = post(&mut client, &format!("/api/jobs/1/interact/{interaction}"), answer).await;
        assert_eq!(reply.status, expected, "{interaction} {answer:?}: {}", reply.body);
        if expected == 409 {
            assert_eq!(reply.json()["detail"]["responded_by"], "bob");
        }
    }
    assert!(inbox::list(&bench.spool).unwrap().0.is_empty());
    let reply = post(&mut client, "/api/jobs/1/interact/1000002", "").await;
    assert_eq!(reply.status, 200, "nothing stands for the default");
}

#[tokio::test]
async fn an_answer_is_the_body_or_a_json_string() {
    for (content_type, body, expected) in [
        ("", "n", Ok("n")),
        ("Content-Type: text/plain;charset=UTF-8\r\n", "n", Ok("n")),
        ("Content-Type: application/json\r\n", "\"n\"", Ok("n")),
        ("Content-Type: application/json; charset=utf-8\r\n", " \"\\u006e\" ", Ok("n")),
        ("Content-Type: application/json\r\n", "\"\"", Ok("")),
        ("", "", Ok("")),
        ("", "\"n\"", Err(400)),
        ("", "n\r\n", Err(400)),
        ("Content-Type: application/json\r\n", "\"n\\r\\n\"", Err(400)),
        ("Content-Type: application/json\r\n", "n", Err(422)),
        ("Content-Type: application/json\r\n", "[\"n\"]", Err(422)),
        ("Content-Type: application/json\r\n", "\"\\ud800\"", Err(422)),
        ("Content-Type: application/json\r\n", "", Err(422)),
    ] {
        let bench = Bench::new();
        let (address, _job) = waiting_job(&bench).await;
        let mut client = Client::connect(address).await;
        let headers = format!("Host: localhost\r\n{content_type}");
        let reply = client.ask_with("POST /api/jobs/1/interact/1000002", &headers, body).await;
        assert_eq!(reply.status, expected.err().unwrap_or(200), "{content_type}{body:?}: {}", reply.body);
        let stored = inbox::pending_answer(&bench.spool, job_id(1), 2).map(|answer| answer.response);
        assert_eq!(stored.as_deref(), expected.ok());
    }
}

#[tokio::test]
async fn choices_come_in_the_order_of_the_job() {
    let bench = Bench::new();
    let mut waiting = status(1, State::Waiting);
    let choices = [("Zebra", "z"), ("10", "t"), ("9", "n"), ("Ant", "a")];
    let choices = choices.map(|(label, code)| (label.into(), code.into())).into();
    waiting.interaction = Some(crate::spool::status::Interaction { choices, ..prompt(2) });
    let _job = bench.claim(&waiting);
    let mut client = client(&bench).await;
    let reply = client.ask("GET /api/jobs/1").await;
    assert!(reply.body.contains(r#""choices":{"Zebra":"z","10":"t","9":"n","Ant":"a"}"#), "{}", reply.body);
}

#[tokio::test]
async fn signals_go_to_whatever_has_not_finished() {
    let bench = Bench::new();
    let mut done = status(1, State::Running);
    let job = bench.claim(&done);
    done.finish(State::Succeeded, Outcome::Succeeded, None);
    bench.finish(&job, &done);
    let _running = bench.claim(&status(2, State::Running));
    bench.queue(&request(3));
    let mut client = client(&bench).await;
    assert_eq!(post(&mut client, "/api/jobs/1/signal/kill", "").await.status, 409);
    assert_eq!(post(&mut client, "/api/jobs/2/signal/hangup", "").await.status, 400);
    let reply = post(&mut client, "/api/jobs/2/signal/interrupt", "").await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({ "message": "Interrupted", "job_id": 2 })));
    let reply = post(&mut client, "/api/jobs/3/signal/kill", "").await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({ "message": "Interrupted", "job_id": 3 })));
    let letters = inbox::list(&bench.spool).unwrap().0;
    let recipients: Vec<Recipient> = letters.iter().map(|letter| letter.recipient).collect();
    assert_eq!(recipients, [2, 3].map(|number| Recipient::Job(job_id(number), Purpose::Signal)));
}

#[tokio::test]
async fn a_queued_job_says_why_it_waits() {
    let bench = Bench::new();
    bench.queue(&request(1));
    let waiting_for = |app: &App| {
        let view = app.mirror.view();
        let entry = view.get(job_id(1)).unwrap();
        let job = show::Show::new(&view, &app.config).job(&entry);
        serde_json::to_value(job).unwrap()["waiting_for"].clone()
    };
    let app = bench.app();
    assert_eq!(waiting_for(&app), Value::Null);
    bench.spool.pause(&bench.runner, "lunch").unwrap();
    until(|| waiting_for(&app) == "New jobs are paused: lunch").await;
    drop(bench.runner);
    until(|| waiting_for(&app) == "The job runner is not running").await;
}

#[tokio::test]
async fn what_a_script_does_is_recorded_with_its_token() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let mut client = Client::connect(Bench::serve(people.app(&bench)).await).await;
    let script = people.token("user", &["start:greet", "answer"], Time::now());
    let new = r#"{"type":"greet","params":{"name":"World"}}"#;
    for who in [&script, &people.signed_in("user")] {
        assert_eq!(client.ask_as(who, "POST /api/jobs", new).await.status, 201);
    }
    assert_eq!(client.ask_as(&script, "POST /api/jobs/2/signal/interrupt", "").await.status, 200);
    let recorded = bench.audit().page(&Filter::default(), None, 100).unwrap().entries.into_iter().rev();
    let id = &people.tokens().all()[0].id;
    let expected = [("start", json!(id)), ("start", Value::Null), ("signal", json!(id))];
    let recorded: Vec<_> = recorded.map(|line| (line.event, line.details.get("token").cloned())).collect();
    let recorded: Vec<_> =
        recorded.iter().map(|(event, token)| (&**event, token.clone().unwrap_or_default())).collect();
    assert_eq!(recorded, expected);
}
