use std::io::Write as _;

use serde_json::{Value, json};

use crate::api::handlers::log::tests::{end, running};
use crate::api::testing::{Bench, Client, job_id, request, until};
use crate::protocol::Piece;
use crate::spool::atomic;
use crate::spool::atomic::Durability;
use crate::spool::layout::FILE;
use crate::spool::log::RecordKind;

async fn client(bench: &Bench) -> Client {
    let app = bench.app();
    until(|| app.mirror.view().get(job_id(1)).is_some()).await;
    Client::connect(Bench::serve(app).await).await
}

async fn window(client: &mut Client, query: &str) -> Value {
    let reply = client.ask(&format!("GET /api/jobs/1/log/records{query}")).await;
    assert_eq!(reply.status, 200, "{query}");
    reply.json()
}

/// The numbers of the records, and everything else.
fn brief(mut window: Value) -> (Vec<u64>, Value) {
    let records = window.as_object_mut().unwrap().remove("records").unwrap();
    (records.as_array().unwrap().iter().map(|record| record["recno"].as_u64().unwrap()).collect(), window)
}

#[tokio::test]
async fn records_come_as_they_are_stored() {
    let bench = Bench::new();
    let (job, mut log) = running(&bench);
    log.text(Piece { partial: true, ..Piece { text: "50%", ..Piece::default() } });
    log.text(Piece { text: "100% \"é\"", continues: true, rewrites: true, ..Piece::default() });
    log.text(Piece { text: "hunter2", sensitive: true, ..Piece::default() });
    log.record(&RecordKind::Progress { progress: serde_json::Map::from_iter([("name".into(), "sync".into())]) });
    log.record(&RecordKind::Response { user: "alice".into(), response: "y".into(), interaction: 1 });
    end(&bench, &job, &mut log);
    let mut client = client(&bench).await;
    let mut shown = window(&mut client, "").await;
    for record in shown["records"].as_array_mut().unwrap() {
        assert!(record.as_object_mut().unwrap().remove("time").unwrap().is_string());
    }
    let expected = json!({
        "records": [
            { "recno": 1, "type": "line", "line": "50%", "partial": true },
            { "recno": 2, "type": "line", "line": "100% \"é\"", "continues": true, "rewrites": true },
            { "recno": 4, "type": "progress", "progress": { "name": "sync" } },
            { "recno": 5, "type": "response", "user": "alice", "response": "y", "interaction": 1 },
        ],
        "total": 5, "from": 1, "next": 6, "hidden": 1,
    });
    assert_eq!(shown, expected);
    let all = window(&mut client, "?include_sensitive=true").await;
    assert_eq!((&all["records"][2]["line"], &all["hidden"]), (&json!("hunter2"), &json!(0)));
}

#[tokio::test]
async fn windows_begin_and_end_where_they_are_asked_to() {
    let bench = Bench::new();
    let (job, mut log) = running(&bench);
    for number in 1..=5000 {
        log.note(format!("note {number}"));
    }
    end(&bench, &job, &mut log);
    let mut client = client(&bench).await;
    for index in ["as it was written", "wrong", "gone"] {
        let path = job.directory().join("log.index");
        match index {
            "wrong" => atomic::replace(&path, b"1001 17\n2001 99999999\n", FILE, Durability::Ordered).unwrap(),
            "gone" => assert!(atomic::remove(&path).is_ok()),
            _ => {}
        }
        for (query, first, last) in [
            ("", 1, 200),
            ("?count=3", 1, 3),
            ("?from=4990", 4990, 5000),
            ("?from=2001&count=1", 2001, 2001),
            ("?from=-100", 4901, 5000),
            ("?from=-4000&count=2", 1001, 1002),
            ("?from=-9999&count=5", 1, 5),
            ("?from=1500&count=99999", 1500, 3499),
        ] {
            let (numbers, rest) = brief(window(&mut client, query).await);
            assert_eq!(numbers, (first..=last).collect::<Vec<u64>>(), "{query}, the index {index}");
            assert_eq!(rest, json!({ "total": 5000, "from": first, "next": last + 1, "hidden": 0 }));
        }
        let third = window(&mut client, "?from=3000&count=1").await;
        assert_eq!(third["records"][0]["note"], "note 3000");
    }
    let (numbers, rest) = brief(window(&mut client, "?from=6000").await);
    assert_eq!((numbers.len(), rest), (0, json!({ "total": 5000, "from": 6000, "next": 6000, "hidden": 0 })));
    let (numbers, rest) = brief(window(&mut client, "?count=0").await);
    assert_eq!((numbers.len(), &rest["total"]), (0, &json!(5000)));
}

#[tokio::test]
async fn a_window_grows_no_larger_than_it_should_and_the_next_goes_on() {
    let bench = Bench::new();
    let (job, mut log) = running(&bench);
    let text = "x".repeat(50_000);
    for _ in 0..50 {
        log.text(Piece { text: &text, continued: true, continues: true, ..Piece::default() });
    }
    end(&bench, &job, &mut log);
    let mut client = client(&bench).await;
    let (mut next, mut seen) = (1, Vec::new());
    while next <= 50 {
        let (numbers, rest) = brief(window(&mut client, &format!("?from={next}")).await);
        assert!((1..=22).contains(&numbers.len()), "{numbers:?}");
        next = rest["next"].as_u64().unwrap();
        seen.extend(numbers);
    }
    assert_eq!(seen, (1..=50).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_log_that_grows_is_counted_each_time_and_an_unfinished_line_is_not() {
    let bench = Bench::new();
    let (job, mut log) = running(&bench);
    let mut client = client(&bench).await;
    for total in (0..5000).step_by(999) {
        while log.records() < total {
            log.note("note");
        }
        log.flush().unwrap();
        let (numbers, rest) = brief(window(&mut client, "?from=-1").await);
        assert_eq!(rest["total"], total);
        assert_eq!(numbers.last().copied().unwrap_or_default(), total);
    }
    let mut file = atomic::open_append(&job.directory().join("log.jsonl"), FILE).unwrap();
    file.write_all(b"{\"time\":\"").unwrap();
    let (_, rest) = brief(window(&mut client, "?from=-1").await);
    assert_eq!(rest["total"], 4995);
}

#[tokio::test]
async fn what_is_no_record_is_named_and_not_shown() {
    let bench = Bench::new();
    let (job, mut log) = running(&bench);
    log.note("before");
    end(&bench, &job, &mut log);
    let mut file = atomic::open_append(&job.directory().join("log.jsonl"), FILE).unwrap();
    let damaged: [&[u8]; 5] =
        [b"secret", b"\xff", b"[\"line\",\"secret\"]", b"{\"type\":\"line\",\"line\":\"secret", b"{}"];
    for line in damaged {
        file.write_all(&[line, b"\n"].concat()).unwrap();
    }
    file.write_all(b"{\"type\":\"something new\",\"what\":7}\n").unwrap();
    let shown = window(&mut client(&bench).await, "").await;
    assert_eq!(shown["records"][0]["note"], "before");
    for number in 1..=5 {
        assert_eq!(shown["records"][number], json!({ "recno": number + 1, "type": "damaged" }));
    }
    assert_eq!(shown["records"][6], json!({ "recno": 7, "type": "something new", "what": 7 }));
    assert_eq!(shown["total"], 7);
}

#[tokio::test]
async fn a_job_without_a_log_has_no_records_and_no_job_is_404() {
    let bench = Bench::new();
    bench.queue(&request(1));
    let mut client = client(&bench).await;
    let empty = json!({ "records": [], "total": 0, "from": 1, "next": 1, "hidden": 0 });
    assert_eq!(window(&mut client, "").await, empty);
    assert_eq!(window(&mut client, "?from=-100").await, empty);
    assert_eq!(client.ask("GET /api/jobs/2/log/records").await.status, 404);
    for query in ["from=0", "from=x", "count=-1", "include_sensitive=maybe"] {
        assert_eq!(client.ask(&format!("GET /api/jobs/1/log/records?{query}")).await.status, 422, "{query}");
    }

    let bench = Bench::new();
    let (_job, _log) = running(&bench);
    assert_eq!(window(&mut self::client(&bench).await, "").await, empty, "an empty log");
}
