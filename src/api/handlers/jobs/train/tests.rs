use super::*;
use crate::api::testing::{Bench, Client, Reply, TRAIN, config, job_id, until};
use crate::config::Config;
use crate::spool::request::JobRequest;

/// A promotion after changes of its members; null removes one.
fn promotion(changes: &Value) -> Value {
    let mut promotion = json!({
        "group": "group0", "version": "1.46.0-wmf.3", "oldVersion": "1.46.0-wmf.2", "excludedWikis": ["zuwiki"]
    });
    let members = promotion.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.shift_remove(name)
        } else {
            members.insert(name.clone(), value.clone())
        };
    }
    promotion
}

async fn post(app: App, promotion: &Value) -> Reply {
    let mut client = Client::connect(Bench::serve(app).await).await;
    client.ask_with("POST /api/jobs/train", "Host: localhost\r\n", &promotion.to_string()).await
}

fn queued(bench: &Bench) -> JobRequest {
    let text = std::fs::read(bench.spool.queued(job_id(1))).unwrap();
    JobRequest::parse(&text).unwrap()
}

/// What the only message of a refusal says.
async fn refusal(changes: Value, job_type: &str) -> String {
    let bench = Bench::new();
    let app = App { config: Config::parse("t.toml".as_ref(), job_type).unwrap(), ..bench.app() };
    let reply = post(app, &promotion(&changes)).await;
    assert_eq!(reply.status, 400, "{}", reply.body);
    reply.json()["detail"]["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_promotion_becomes_a_job_with_what_its_type_declares_and_the_status_of_now() {
    let bench = Bench::new();
    bench.monitor("train.json", TRAIN);
    let reply = post(bench.app(), &promotion(&json!({}))).await;
    assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({ "message": "Job created", "id": 1 })));
    let job = queued(&bench);
    assert_eq!((&*job.job_type, &*job.user), ("train", "tester"));
    let params = json!({ "group": "group0", "version": "1.46.0-wmf.3", "excludedWikis": ["zuwiki"] });
    assert_eq!(Value::Object(job.params.clone()), params);
    assert!(config().job_type("train").unwrap().render(&job.params).is_ok());
    let data = job.data.unwrap();
    assert_eq!((&data["group"], &data["oldVersion"]), (&json!("group0"), &json!("1.46.0-wmf.2")));
    assert_eq!(data[STATUS]["atGroup"], "testwikis");
    assert!(serde_json::from_value::<TrainStatus>(data[STATUS].clone()).is_ok(), "a client may send it back");
}

#[tokio::test]
async fn the_status_that_was_sent_is_kept_as_it_was() {
    let bench = Bench::new();
    bench.monitor("train.json", TRAIN);
    let status = json!({
        "groups": [{ "name": "group0", "versions": [], "wikis": ["a"], "step": 2 }], "version": "1.46.0-wmf.3",
        "oldVersion": null, "atGroup": null, "wikiVersions": {}, "warnings": [], "more": true
    });
    let reply = post(bench.app(), &promotion(&json!({ STATUS: status, "excludedWikis": null }))).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let job = queued(&bench);
    assert!(!job.params.contains_key("excludedWikis"));
    let data = job.data.unwrap();
    assert_eq!((&data[STATUS], &data["excludedWikis"]), (&status, &json!([])));
}

#[tokio::test]
async fn a_spool_without_a_status_takes_a_promotion_without_one() {
    let bench = Bench::new();
    let sent = promotion(&json!({ STATUS: null, "group": "all", "excludedWikis": [] }));
    assert_eq!(post(bench.app(), &sent).await.status, 200);
    assert!(!queued(&bench).data.unwrap().contains_key(STATUS));
}

#[tokio::test]
async fn every_member_that_breaks_its_rule_is_named() {
    let status = |change: Value| {
        let mut status = json!({ "groups": [], "version": "1", "wikiVersions": {}, "warnings": [] });
        status.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!({ STATUS: status })
    };
    let group = |group: Value| status(json!({ "groups": [{ "name": "a", "versions": [], "wikis": [] }, group] }));
    for (changes, locations) in [
        (
            json!({ "group": null, "version": null, "oldVersion": null }),
            json!([["group"], ["version"], ["oldVersion"]]),
        ),
        (
            json!({ "group": "group3", "version": "1.46", "oldVersion": 7 }),
            json!([["group"], ["version"], ["oldVersion"]]),
        ),
        (json!({ "excludedWikis": "zuwiki" }), json!([["excludedWikis"]])),
        (json!({ "excludedWikis": ["a", "b c", 7] }), json!([["excludedWikis", "1"], ["excludedWikis", "2"]])),
        (json!({ "excludeWikis": ["a"] }), json!([["excludeWikis"]])),
        (json!({ STATUS: [] }), json!([[STATUS]])),
        (
            group(json!({ "name": "b", "versions": [1], "wikis": [] })),
            json!([[STATUS, "groups", "1", "versions", "0"]]),
        ),
        (status(json!({ "taskUrl": "javascript:alert(1)" })), json!([[STATUS, "taskUrl"]])),
    ] {
        let reply = post(Bench::new().app(), &promotion(&changes)).await;
        assert_eq!(reply.status, 422, "{changes} {}", reply.body);
        let named = reply.json()["detail"].as_array().unwrap().clone();
        let named: Vec<Value> = named.into_iter().map(|it| it["loc"].as_array().unwrap()[1..].into()).collect();
        assert_eq!(json!(named), locations, "{changes}");
    }
}

#[tokio::test]
async fn a_configuration_that_cannot_do_it_is_told_in_words() {
    let none = refusal(json!({}), "").await;
    assert!(none.starts_with("There is no job type `train` in the configuration"), "{none}");
    let exclude = refusal(json!({}), "[job_types.train]\ncommand = [\"true\"]").await;
    assert!(exclude.starts_with("The job type `train` has no parameter `excludedWikis`"), "{exclude}");
    let foreign = "[job_types.train]\ncommand = [\"true\", \"{task}\"]\n\
                   params = [{ name = \"task\", kind = \"string\", required = true }]";
    let foreign = refusal(json!({ "excludedWikis": null }), foreign).await;
    assert!(
        foreign.starts_with("The job type `train` wants something that a train does not have: parameter `task`"),
        "{foreign}"
    );
}

#[tokio::test]
async fn a_rule_of_the_job_type_is_told_of_its_member() {
    let only = "[job_types.train]\ncommand = [\"true\"]\n\
                params = [{ name = \"group\", kind = \"choice\", choices = [\"all\"], required = true }]";
    let app = App { config: Config::parse("t.toml".as_ref(), only).unwrap(), ..Bench::new().app() };
    let reply = post(app, &promotion(&json!({ "excludedWikis": null }))).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["detail"][0]["loc"]), (422, &json!(["body", "group"])));
}

#[tokio::test]
async fn a_promotion_that_is_sent_twice_with_a_key_is_one_job() {
    let bench = Bench::new();
    let app = bench.app();
    let mut client = Client::connect(Bench::serve(app).await).await;
    let headers = "Host: localhost\r\nIdempotency-Key: once\r\n";
    for replayed in [None, Some("true")] {
        let reply = client.ask_with("POST /api/jobs/train", headers, &promotion(&json!({})).to_string()).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["id"]), (200, &json!(1)));
        assert_eq!(reply.header("idempotency-replayed"), replayed);
    }
    let other = promotion(&json!({ "group": "group1" })).to_string();
    assert_eq!(client.ask_with("POST /api/jobs/train", headers, &other).await.status, 422);
    until(|| bench.spool.queued(job_id(1)).exists()).await;
}

#[test]
fn a_promotion_that_is_tried_again_begins_where_the_train_is_now() {
    let bench = Bench::new();
    bench.monitor("train.json", TRAIN);
    let app = bench.app();
    let data = json!({ "group": "group0", STATUS: { "atGroup": "group1" } }).as_object().cloned();
    let again = with_status_of_now(&app, "train", data.clone()).unwrap().unwrap();
    assert_eq!((&again["group"], &again[STATUS]["atGroup"]), (&json!("group0"), &json!("testwikis")));
    assert_eq!(with_status_of_now(&app, "backport", data.clone()).unwrap(), data);
    assert_eq!(with_status_of_now(&app, "train", None).unwrap(), None);
}
