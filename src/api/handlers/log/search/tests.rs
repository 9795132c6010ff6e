use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::api::handlers::log::tests::{answer, end, end_with_much, running};
use crate::api::testing::{Bench, Client, request};
use crate::protocol::Piece;

async fn search(app: App, query: &str) -> Vec<Value> {
    answer(app, &format!("search?{query}")).await
}

#[tokio::test]
async fn a_search_gives_matches_and_how_it_ended() {
    let bench = Bench::new();
    let (job, mut log) = running(&bench);
    for number in 1..=50_000 {
        log.text(Piece { text: &format!("line {number} of many"), ..Piece::default() });
    }
    log.note("line 777 again");
    end(&bench, &job, &mut log);
    let lines = search(bench.app(), "q=LINE+777+").await;
    let expected = [
        json!({ "type": "match", "recno": 777 }),
        json!({ "type": "match", "recno": 50_001 }),
        json!({ "type": "end", "matches": 2, "searched": 50_001, "hidden": 0, "complete": true }),
    ];
    assert_eq!(lines, expected);

    let lines = search(bench.app(), "q=many").await;
    let last = lines.last().unwrap();
    assert_eq!((lines.len(), &last["matches"], &last["complete"]), (10_001, &json!(10_000), &json!(false)));
    let mut impatient = bench.app();
    impatient.limits.search = Duration::ZERO;
    let lines = search(impatient, "q=absent").await;
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["type"], &lines[0]["matches"]), (&json!("end"), &json!(0)));
}

#[tokio::test]
async fn a_search_that_runs_out_of_time_says_so() {
    let bench = Bench::new();
    end_with_much(&bench);
    let mut app = bench.app();
    app.limits.search = Duration::ZERO;
    let lines = search(app, "q=absent").await;
    assert_eq!(lines[0]["complete"], false);
    assert!(lines[0]["searched"].as_u64().unwrap() < 100, "{lines:?}");
}

#[tokio::test]
async fn what_cannot_be_searched_for_is_422_and_what_has_no_log_is_empty() {
    let bench = Bench::new();
    bench.queue(&request(1));
    let end = json!({ "type": "end", "matches": 0, "searched": 0, "hidden": 0, "complete": true });
    assert_eq!(search(bench.app(), "q=x").await, [end]);
    let mut client = Client::connect(Bench::serve(bench.app()).await).await;
    for query in ["", "?q=", "?q=x&include_sensitive=2", &format!("?q={}", "x".repeat(1001))] {
        assert_eq!(client.ask(&format!("GET /api/jobs/1/log/search{query}")).await.status, 422, "{query}");
    }
    assert_eq!(client.ask("GET /api/jobs/2/log/search?q=x").await.status, 404);
}
