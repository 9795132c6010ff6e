use serde_json::{Value, json};

use super::*;
use crate::api::testing::{Bench, Client, TRAIN, until};

/// What clients see of a train after a change of its file.
fn shown(change: impl FnOnce(&mut Value)) -> Value {
    let bench = Bench::new();
    let mut file: Value = serde_json::from_str(TRAIN).unwrap();
    change(&mut file);
    bench.monitor("train.json", &file.to_string());
    let mirror = bench.mirror(false);
    let known = mirror.view().monitoring.train.clone();
    serde_json::to_value(TrainStatus::new(&known).unwrap_or_else(|| panic!("{known:?}"))).unwrap()
}

/// Each group with its versions and whether the train was there.
fn groups(status: &Value) -> Vec<(&str, &Value, bool)> {
    let groups = status["groups"].as_array().unwrap().iter();
    groups.map(|it| (it["name"].as_str().unwrap(), &it["versions"], it["hasRolled"] == true)).collect()
}

#[test]
fn the_train_is_at_the_last_group_that_is_complete() {
    let status = shown(|_| ());
    let (old, new) = (json!(["1.46.0-wmf.2"]), json!(["1.46.0-wmf.3"]));
    let both = json!(["1.46.0-wmf.2", "1.46.0-wmf.3"]);
    assert_eq!(groups(&status), [("testwikis", &new, true), ("group0", &both, false), ("group1", &old, false)]);
    assert_eq!((&status["atGroup"], &status["wikiCount"]), (&json!("testwikis"), &json!(4)));
    assert_eq!(status["groups"][1]["selectedWikis"], status["groups"][1]["wikis"]);
    assert_eq!(status["time"], 1_795_507_200.0);
}

#[test]
fn a_train_that_has_not_left_is_at_no_group() {
    let status = shown(|file| file["wikiVersions"]["testwiki"] = json!("1.46.0-wmf.2"));
    assert_eq!(status["atGroup"], Value::Null);
    assert!(groups(&status).iter().all(|(_, _, has_rolled)| !has_rolled));
}

#[test]
fn what_comes_before_the_group_where_the_train_is_was_passed() {
    // Somebody excluded a wiki of group0, and went on.
    let status = shown(|file| file["wikiVersions"]["dewiktionary"] = json!("1.46.0-wmf.3"));
    assert_eq!(status["atGroup"], "group1");
    assert!(groups(&status).iter().all(|(_, _, has_rolled)| *has_rolled));
}

#[test]
fn versions_are_ordered_by_their_numbers() {
    let status = shown(|file| {
        for (wiki, version) in [("zuwiki", "1.46.0-wmf.10"), ("a", "1.46.0-wmf.9"), ("b", "branch_cut_pretest")] {
            file["wikiVersions"][wiki] = json!(version);
        }
        file["groups"]["group0"] = json!(["b", "zuwiki", "a", "a"]);
    });
    assert_eq!(status["groups"][1]["versions"], json!(["1.46.0-wmf.9", "1.46.0-wmf.10", "branch_cut_pretest"]));
}

#[test]
fn wikis_of_unknown_version_are_told() {
    let warning = |wikis: &[&str]| shown(|file| file["groups"]["group1"] = json!(wikis))["warnings"][1].clone();
    assert_eq!(warning(&["a", "dewiktionary", "b"]), "The version of 2 wikis of group1 is unknown: a, b");
    let seven = ["a", "b", "c", "d", "e", "f", "g"];
    assert_eq!(warning(&seven), "The version of 7 wikis of group1 is unknown: a, b, c, d, e, …");
}

#[tokio::test]
async fn without_the_file_there_is_no_status_and_with_a_damaged_one_the_last() {
    let bench = Bench::new();
    let app = Arc::new(bench.app());
    let mut client = Client::connect(serve(&app).await).await;
    let reply = client.ask("GET /api/train/status").await;
    assert_eq!(reply.status, 503);
    assert!(reply.body.contains("there is no monitoring/train.json in the spool"), "{}", reply.body);

    bench.monitor("train.json", "{");
    until(|| app.mirror.view().monitoring.train.problem.is_some()).await;
    let reply = client.ask("GET /api/train/status").await;
    assert_eq!(reply.status, 503);
    assert!(
        reply.body.contains("The position of the train is unknown: ") && reply.body.contains("train.json: it is not")
    );

    bench.monitor("train.json", TRAIN);
    until(|| app.mirror.view().monitoring.train.content.is_some()).await;
    assert_eq!(client.ask("GET /api/train/status").await.json()["warnings"], json!(["The branch was cut late"]));

    bench.monitor("train.json", "{}");
    until(|| app.mirror.view().monitoring.train.problem.is_some()).await;
    let status = client.ask("GET /api/train/status").await.json();
    assert_eq!(status["version"], "1.46.0-wmf.3");
    let warning = status["warnings"][1].as_str().unwrap();
    assert!(
        warning.starts_with("This may be old: ") && warning.ends_with("it has no `format`, and this program knows 1")
    );
}

async fn serve(app: &Arc<App>) -> std::net::SocketAddr {
    let (listener, address) = crate::api::testing::listener().await;
    tokio::spawn(crate::api::front::serve(vec![listener], Arc::clone(app), crate::api::testing::server_limits()));
    address
}
