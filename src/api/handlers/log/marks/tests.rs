use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::api::handlers::log::tests::{answer, end, end_with_much, running};
use crate::api::testing::{Bench, Client, request};
use crate::protocol::Piece;
use crate::spool::log::{Exit, RecordKind};

fn ends(next: u64, is_complete: bool) -> Value {
    json!({ "type": "end", "next": next, "complete": is_complete })
}

async fn ask(app: App, query: &str) -> Vec<Value> {
    answer(app, &format!("marks{query}")).await
}

#[tokio::test]
async fn marks_are_streamed_and_bounded() {
    let bench = Bench::new();
    let (job, mut log) = running(&bench);
    for number in 1..=50_000 {
        log.text(Piece { text: &format!("line {number}: error"), ..Piece::default() });
    }
    log.record(&RecordKind::Exit(Exit { status: Some(1), signal: None }));
    end(&bench, &job, &mut log);
    let lines = ask(bench.app(), "").await;
    assert_eq!((lines.len(), &lines[10_000]), (10_001, &ends(10_001, false)));
    let lines = ask(bench.app(), "?from=40001").await;
    assert_eq!((lines.len(), &lines[10_000]), (10_001, &ends(50_001, false)));
    let lines = ask(bench.app(), "?from=50001").await;
    assert_eq!(
        (&lines[0]["recno"], &lines[0]["type"], &lines[0]["status"]),
        (&json!(50_001), &json!("exit"), &json!(1))
    );
    assert_eq!(lines[1], ends(50_002, true));
}

#[tokio::test]
async fn marks_that_take_too_long_are_told_as_far_as_they_are_known() {
    let bench = Bench::new();
    end_with_much(&bench);
    let mut asked = vec![1];
    loop {
        let mut app = bench.app();
        app.limits.search = Duration::ZERO;
        let lines = ask(app, &format!("?from={}", asked[asked.len() - 1])).await;
        assert_eq!((lines.len(), &lines[0]["type"]), (1, &json!("end")));
        asked.push(lines[0]["next"].as_u64().unwrap());
        assert!(asked.is_sorted_by(|a, b| a < b), "it does not get on: {asked:?}");
        if lines[0]["complete"] == true {
            break;
        }
    }
    assert!(asked.len() > 2 && asked.ends_with(&[101]), "{asked:?}");
    assert_eq!(ask(bench.app(), "?from=101").await, [ends(101, true)]);
}

#[tokio::test]
async fn what_has_no_log_has_no_marks_and_what_has_no_number_is_refused() {
    let bench = Bench::new();
    bench.queue(&request(1));
    assert_eq!(ask(bench.app(), "").await, [ends(1, true)]);
    let mut client = Client::connect(Bench::serve(bench.app()).await).await;
    for from in ["0", "-1", "x", ""] {
        assert_eq!(client.ask(&format!("GET /api/jobs/1/log/marks?from={from}")).await.status, 422, "{from:?}");
    }
    assert_eq!(client.ask("GET /api/jobs/2/log/marks").await.status, 404);
}
