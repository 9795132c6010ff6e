use std::fs::File;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::testing::job_id;
use crate::logs::records;
use crate::logs::scan::turn;
use crate::spool::log::INTERVAL;

const TIME: &str = "2026-11-23T15:38:46.123Z";

/// A record, as it is stored.
fn stored(members: &str) -> String {
    format!("{{\"time\":\"{TIME}\",{members}}}\n")
}

fn json_lines(text: &[u8]) -> Vec<Value> {
    records::lines(text).map(|line| serde_json::from_slice(line).unwrap()).collect()
}

/// The marks in a log, whose portions have so many records.
fn marks_in(records: &[&str], portion: usize) -> Vec<Value> {
    let mut scan = Marks::new(1, usize::MAX);
    let mut before = 0;
    for records in records.chunks(portion) {
        let lines: Vec<String> = records.iter().map(|members| stored(members)).collect();
        scan.portion(before, lines.concat().as_bytes());
        before += records.len() as u64;
    }
    json_lines(&scan.take())
}

/// The errors are in these records, and there are no other marks.
fn assert_errors(records: &[&str], expected: &[u64]) {
    let expected: Vec<Value> =
        expected.iter().map(|recno| json!({ "recno": recno, "time": TIME, "type": "error" })).collect();
    for portion in 1..=records.len() {
        assert_eq!(marks_in(records, portion), expected, "in portions of {portion}");
    }
}

#[test]
fn what_is_no_output_is_a_mark_as_it_is_stored() {
    let records = [
        r#""type":"status","status":"Syncing""#,
        r#""type":"line","line":"all is well, \"type\":\"note\"""#,
        r#""type":"interaction","id":1,"kind":"input_line","prompt":"Deploy\nnow?","choices":{},"default":null"#,
        r#""type":"response","user":"alice","response":"now","interaction":1"#,
        r#""type":"progress","progress":{"type":"note","name":"error"}"#,
        r#""type":"signal","user":"alice","signal":"kill""#,
        r#""type":"note","note":"Now what""#,
        r#""type":"exit","status":null,"signal":9"#,
        r#""type":"unknown","note":"error""#,
    ];
    let expected: Vec<Value> = [1, 3, 4, 6, 7, 8]
        .iter()
        .map(|recno| {
            let mut mark = json!({ "recno": recno });
            let record: Value = serde_json::from_str(&stored(records[recno - 1])).unwrap();
            mark.as_object_mut().unwrap().extend(record.as_object().unwrap().clone());
            mark
        })
        .collect();
    for portion in 1..=records.len() {
        assert_eq!(marks_in(&records, portion), expected, "in portions of {portion}");
    }
}

#[test]
fn lines_that_look_like_errors_are_marked_without_their_text() {
    assert_errors(
        &[
            r#""type":"line","line":"ok""#,
            r#""type":"line","line":"An ERROR: \"x\"""#,
            r#""type":"line","line":"0 errors""#,
            r#""type":"line","line":"\u001b[1;31mred\u001b[0m""#,
            r#""type":"line","line":"\u001b[32mgreen\u001b[0m""#,
            r#""type":"line","line":"\\u001b[31mplain""#,
            r#""line":"failed","type":"line""#,
        ],
        &[2, 4, 7],
    );
}

#[test]
fn sensitive_lines_are_not_looked_into() {
    assert_errors(
        &[
            r#""type":"line","line":"error","sensitive":true"#,
            r#""sensitive":true,"type":"line","line":"error""#,
            r#""type":"line","line":"the secret: ","partial":true,"sensitive":true"#,
            r#""type":"line","line":"error","continues":true"#,
            r#""type":"line","line":"error""#,
        ],
        &[5],
    );
}

#[test]
fn a_line_in_pieces_is_marked_once_where_it_begins_to_look_so() {
    assert_errors(
        &[
            r#""type":"line","line":"a long ","continued":true"#,
            r#""type":"line","line":"error ","continues":true,"continued":true"#,
            r#""type":"progress","progress":{}"#,
            r#""type":"line","line":"and failed","continues":true"#,
            r#""type":"line","line":"1 failed","partial":true"#,
            r#""type":"line","line":"2 failed","continues":true,"partial":true,"rewrites":true"#,
            r#""type":"line","line":"3 failed","continues":true,"rewrites":true"#,
            r#""type":"line","line":"4 failed","partial":true"#,
            r#""type":"line","line":"5 failed""#,
        ],
        &[2, 5, 8, 9],
    );
}

#[test]
fn what_is_no_record_is_passed_over_and_counted() {
    let log = [
        "garbage error\n",
        "\n",
        "null\n",
        "{\"type\":\"line\",\"line\":7,\"continues\":true}\n",
        " {\"type\":\"note\",\"note\":\"error\"}\n",
        "{\"type\":\"line\",\"line\":\"error\"}\n",
        "{\"type\":\"line\",\"line\":\"error\n",
        "{\"type\":\"exit\"}\n",
    ];
    let mut scan = Marks::new(1, usize::MAX);
    scan.portion(0, log.concat().as_bytes());
    scan.portion(8, b"\xff\xfe error\n");
    let marks = [json!({ "recno": 6, "type": "error" }), json!({ "recno": 8, "type": "exit" })];
    assert_eq!(json_lines(&scan.take()), marks);
    assert_eq!(scan.summary(true), r#"{"type":"end","next":10,"complete":true}"#);
}

/// A log of its own, asked for its marks without a server.
struct Log {
    directory: tempfile::TempDir,
    file: File,
    indexes: Indexes,
}

impl Log {
    #[expect(clippy::disallowed_methods, reason = "it is written by hand, so that it can be torn")]
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = File::create(directory.path().join("log.jsonl")).unwrap();
        Self { directory, file, indexes: Indexes::default() }
    }

    fn write(&mut self, text: impl AsRef<[u8]>) {
        self.file.write_all(text.as_ref()).unwrap();
    }

    /// The marks from a record on, and the last line.
    fn marks(&self, from: u64, most: usize) -> (Vec<Value>, Value) {
        let scan = Marks::new(from, most);
        let (mut log, mut scan) = begin(&self.indexes, self.directory.path(), job_id(1), scan).unwrap();
        let is_at_end = loop {
            let is_at_end = turn(log.as_mut(), &mut scan).unwrap();
            if is_at_end || scan.is_full() {
                break is_at_end;
            }
        };
        let end = serde_json::from_str(&scan.summary(is_at_end)).unwrap();
        (json_lines(&scan.take()), end)
    }
}

fn ends(next: u64, is_complete: bool) -> Value {
    json!({ "type": "end", "next": next, "complete": is_complete })
}

#[test]
fn who_asks_on_from_next_misses_nothing() {
    let mut log = Log::new();
    assert_eq!(log.marks(1, 10), (vec![], ends(1, true)));
    assert_eq!(log.marks(9000, 10), (vec![], ends(9000, true)));
    let notes: String = (1..=2500).map(|number| stored(&format!(r#""type":"note","note":"{number}""#))).collect();
    log.write(&notes);
    log.write("{\"type\":\"note\",\"note\":\"torn");
    for (from, most, marks, end) in [
        (1, 10_000, 2500, ends(2501, true)),
        (1, 2500, 2500, ends(2501, true)),
        (1, 2499, 2499, ends(2500, false)),
        (1000, 1, 1, ends(1001, false)),
        (1001, 1000, 1000, ends(2001, false)),
        (2500, 10, 1, ends(2501, true)),
        (2501, 10, 0, ends(2501, true)),
        (2600, 10, 0, ends(2600, true)),
        (u64::MAX, 10, 0, ends(u64::MAX, true)),
    ] {
        let (told, told_end) = log.marks(from, most);
        assert_eq!((told.len(), told_end), (marks, end), "from {from}, {most} at most");
        assert!(told.iter().zip(from..).all(|(mark, recno)| mark["recno"] == recno), "from {from}");
    }
    log.write("\"}\n");
    assert_eq!(log.marks(2501, 10), (vec![json!({ "recno": 2501, "type": "note", "note": "torn" })], ends(2502, true)));
}

/// Records of all kinds, and lines that are none.
fn any_record() -> impl Strategy<Value = String> {
    let text = prop_oneof![
        Just("fine"),
        Just("error"),
        Just("0 errors"),
        Just("\x1b[31mred"),
        Just("\x1b[32mgreen"),
        Just("1 failed"),
    ];
    let flags = (any::<[bool; 4]>(), proptest::bool::weighted(0.1));
    let line = (text, flags).prop_map(|(text, ([continued, partial, continues, rewrites], sensitive))| {
        let members = [
            (continued, "continued"),
            (partial, "partial"),
            (continues, "continues"),
            (rewrites, "rewrites"),
            (sensitive, "sensitive"),
        ];
        let set = members.iter().filter(|(set, _)| *set);
        let flags: Vec<String> = set.map(|(_, name)| format!(",\"{name}\":true")).collect();
        stored(&format!("\"type\":\"line\",\"line\":{}{}", json!(text), flags.concat()))
    });
    let other = prop_oneof![
        Just(stored("\"type\":\"note\",\"note\":\"error\"")),
        Just(stored("\"type\":\"progress\",\"progress\":{}")),
        Just("error\n".to_owned()),
        Just("\n".to_owned()),
    ];
    prop_oneof![4 => line, 1 => other]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However a log grows, and however few marks are told at a time, all of them are told, each once.
    #[test]
    fn marks_asked_in_steps_are_those_asked_at_once(
        // So that the records lie around the places that the index knows.
        fill in prop_oneof![Just(0), INTERVAL - 20..INTERVAL + 5],
        records in proptest::collection::vec(any_record(), 1..60),
        steps in proptest::collection::vec((0_usize..400, 1_usize..8), 0..30),
    ) {
        let plain = stored("\"type\":\"line\",\"line\":\"fine\"");
        let text = plain.repeat(usize::try_from(fill).unwrap()) + &records.concat();
        let (mut log, mut written) = (Log::new(), 0);
        let (mut told, mut next) = (Vec::new(), 1);
        let last = (text.len(), usize::MAX);
        for (more, most) in steps.into_iter().chain([last, last]) {
            let begin = if written == 0 { plain.len() * usize::try_from(fill).unwrap() } else { written };
            let end = begin.saturating_add(more).min(text.len());
            log.write(&text.as_bytes()[written..end]);
            written = end;
            let (marks, end) = log.marks(next, most);
            prop_assert!(marks.iter().all(|mark| mark["recno"].as_u64().unwrap() >= next));
            told.extend(marks);
            next = end["next"].as_u64().unwrap();
        }
        prop_assert_eq!(next, fill + records.len() as u64 + 1);
        let fresh = Log { indexes: Indexes::default(), ..log };
        let (at_once, end) = fresh.marks(1, usize::MAX);
        prop_assert_eq!(end, ends(next, true));
        prop_assert_eq!(told, at_once);
    }
}
