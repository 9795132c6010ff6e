use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::handlers::log::tests::{answer, end, end_with_much, running};
use crate::api::testing::{Bench, Client, request};
use crate::protocol::Piece;

/// What is found in a log, in portions of so many records.
fn found(records: &[&str], text: &str, include_sensitive: bool, portion: usize) -> Vec<u64> {
    let mut scan = Scan::new(Needle::new(text), include_sensitive);
    for records in records.chunks(portion) {
        let record = |record: &&str| format!("{{\"time\":\"2026-11-23T15:38:46.123Z\",{record}}}\n");
        let portion: Vec<String> = records.iter().map(record).collect();
        scan.portion(scan.records(), portion.concat().as_bytes());
    }
    scan.end();
    assert_eq!(scan.records(), records.len() as u64);
    scan.take(usize::MAX)
}

fn assert_found(records: &[&str], text: &str, expected: &[u64]) {
    for portion in 1..=records.len() {
        assert_eq!(found(records, text, false, portion), expected, "{text:?} in portions of {portion}");
    }
}

#[test]
fn text_is_found_however_it_is_written_and_stored() {
    let records = [
        r#""type":"line","line":"Nothing here""#,
        r#""type":"line","line":"say \"Hello\"\tto C:\\new""#,
        r#""type":"line","line":"GRÜSSE aus München""#,
        r#""type":"line","line":"日本語""#,
        r#""type":"line","line":"\u001b[1;31mFa\u001b[0mtal\u001b[K error""#,
        r#""type":"line","line":"\\u001b[31mplain""#,
    ];
    for (text, expected) in [
        ("hello", &[2][..]),
        ("\"HELLO\"", &[2]),
        ("hello\"\tTO c:\\new", &[2]),
        ("\\new", &[2]),
        ("grüsse", &[3]),
        ("ÜSSE AUS MÜN", &[3]),
        ("ü", &[3]),
        ("本", &[4]),
        ("fatal", &[5]),
        ("fatal ERROR", &[5]),
        ("[31m", &[6]),
        ("u001b", &[6]),
        ("h", &[1, 2, 3]),
        ("line", &[]),
        ("2026", &[]),
        ("time", &[]),
        ("\n", &[]),
        ("absent", &[]),
    ] {
        assert_found(&records, text, expected);
    }
}

#[test]
fn a_line_is_searched_as_a_whole_and_has_the_number_of_its_first_piece() {
    let records = [
        r#""type":"line","line":"one nee","continued":true"#,
        r#""type":"status","status":"Syncing""#,
        r#""type":"line","line":"d","continues":true,"partial":true"#,
        r#""type":"line","line":"le \u001b[3","continues":true,"continued":true"#,
        r#""type":"line","line":"1min two","continues":true"#,
        r#""type":"line","line":"nee","partial":true"#,
        r#""type":"line","line":"dle""#,
        r#""type":"line","line":"needle 10%","partial":true"#,
        r#""type":"line","line":"100%","continues":true,"rewrites":true"#,
        r#""type":"line","line":"needle at the end","partial":true"#,
    ];
    assert_found(&records, "needle", &[1, 10]);
    assert_found(&records, "NEEDLE IN TWO", &[1]);
    assert_found(&records, "100%", &[8]);
    assert_found(&records, "dle", &[1, 7, 10]);
    assert_found(&records, "syncing", &[2]);
}

#[test]
fn hidden_lines_are_not_searched() {
    let records = [
        r#""type":"line","line":"secret","sensitive":true"#,
        r#""type":"line","line":"the secret is: ","partial":true"#,
        r#""type":"line","line":"secret","continues":true,"sensitive":true"#,
        r#""type":"line","line":"no secret""#,
    ];
    assert_found(&records, "secret", &[4]);
    let mut scan = Scan::new(Needle::new("secret"), false);
    scan.portion(0, records.map(|record| format!("{{{record}}}\n")).concat().as_bytes());
    scan.end();
    assert_eq!(scan.hidden(), 2);
    assert_eq!(found(&records, "secret", true, 2), [1, 2, 4]);
}

#[test]
fn what_people_and_the_job_said_is_searched() {
    let records = [
        r#""type":"interaction","id":1,"kind":"input_line","prompt":"Deploy\nnow?","choices":{},"default":null"#,
        r#""type":"response","user":"alice","response":"now","interaction":1"#,
        r#""type":"signal","user":"alice","signal":"kill""#,
        r#""type":"note","note":"Now what""#,
        r#""type":"progress","progress":{"name":"now"}"#,
        r#""type":"exit","status":null,"signal":9"#,
        "garbage now",
    ];
    assert_found(&records, "now", &[1, 2, 4]);
    assert_found(&records, "ALICE", &[2, 3]);
    assert_found(&records, "y\nnow", &[1]);
}

proptest! {
    /// Looking for traces first finds the same as looking into everything.
    #[test]
    fn nothing_is_passed_over(
        lines in proptest::collection::vec("([abA\\\\\"ÜüΣς\u{1}é]|\u{1b}\\[[0-9;]{0,2}m){0,6}", 1..20),
        text in "[abAB\\\\\"ÜΣé\u{1}]{1,3}",
    ) {
        let records: Vec<String> = lines.iter().map(|line| {
            format!("\"type\":\"line\",\"line\":{}", serde_json::to_string(line).unwrap())
        }).collect();
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        let folded = crate::logs::search::needle::fold(&text);
        let expected: Vec<u64> = lines.iter().zip(1..).filter_map(|(line, number)| {
            let mut shown = String::new();
            crate::output::colours::Colours::default().strip(line, &mut shown);
            crate::logs::search::needle::fold(&shown).contains(&folded).then_some(number)
        }).collect();
        prop_assert_eq!(found(&records, &text, false, 7), expected);
    }
}

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
