use super::*;

/// A log of these records, without their times, of which nothing is shown.
fn log(records: &[&str]) -> String {
    let record = |record: &&str| format!("{{\"time\":\"2026-11-23T15:38:46.123Z\",{record}}}\n");
    records.iter().map(record).collect()
}

fn told(records: &[&str], include_sensitive: bool) -> Vec<String> {
    let mut transcript = Transcript::new(include_sensitive);
    transcript.tell(log(records).as_bytes());
    transcript.end_log();
    transcript.eof(records.len() as u64);
    let text = String::from_utf8(transcript.take()).unwrap();
    text.lines().map(brief).collect()
}

/// `RECNO TEXT`, where `(…)` was hidden and `!…` is sensitive.
fn brief(line: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    let recno = &value["recno"];
    let mark = if value["sensitive"] == true { "!" } else { "" };
    match value["type"].as_str().unwrap() {
        "line" if value["line"] == "<sensitive information hidden>" => format!("{recno} ({mark})"),
        "line" => format!("{recno} {mark}{}", value["line"].as_str().unwrap()),
        "response" => format!("{recno} {}: {}", value["user"], value["response"]),
        other => format!("{recno} {other}"),
    }
}

const PLAIN: &str = r#""type":"line","line":"plain""#;
const SECRET: &str = r#""type":"line","line":"secret","sensitive":true"#;
const STATUS: &str = r#""type":"status","status":"Syncing""#;

#[test]
fn lines_come_as_they_are_and_everything_counts() {
    let records = [
        r#""type":"line","line":"a \"b\" \\ \u0001 é""#,
        STATUS,
        r#""type":"interaction","id":1,"kind":"choices","prompt":"?","choices":{"Yes":"y"},"default":null"#,
        r#""type":"response","user":"alice","response":"y","interaction":1"#,
        r#""type":"signal","user":"bob","signal":"interrupt""#,
        r#""type":"signal","user":"bob","signal":"kill""#,
        r#""type":"note","note":"stopped""#,
        r#""type":"something new","line":7"#,
        r#""type":"exit","status":null,"signal":9"#,
    ];
    assert_eq!(
        told(&records, false),
        [
            "1 a \"b\" \\ \u{1} é",
            "4 \"alice\": \"y\"",
            "5 [Jobrunner: bob interrupted]",
            "6 [Jobrunner: bob killed]",
            "7 [Jobrunner: stopped]",
            "9 EOF",
        ]
    );
}

#[test]
fn a_line_of_garbage_counts_and_is_not_shown() {
    let mut transcript = Transcript::new(false);
    transcript.tell(b"garbage\n\xff\n{}\n\n{\"type\":\"line\",\"line\":7}\n");
    transcript.tell(log(&[PLAIN]).as_bytes());
    let text = String::from_utf8(transcript.take()).unwrap();
    assert_eq!(text, "{\"type\":\"line\",\"line\":\"plain\",\"recno\":6}\n");
}

#[test]
fn a_run_of_hidden_lines_is_one_remark() {
    let records = [PLAIN, SECRET, STATUS, SECRET, SECRET, PLAIN, SECRET];
    assert_eq!(told(&records, false), ["1 plain", "2 (!)", "6 plain", "7 (!)", "7 EOF"]);
    let all = ["1 plain", "2 !secret", "4 !secret", "5 !secret", "6 plain", "7 !secret", "7 EOF"];
    assert_eq!(told(&records, true), all);
}

#[test]
fn pieces_are_one_line_with_the_number_of_the_last() {
    let records = [
        r#""type":"line","line":"one ","continued":true"#,
        STATUS,
        r#""type":"line","line":"two ","continues":true,"partial":true"#,
        r#""type":"line","line":"three","continues":true"#,
        r#""type":"line","line":"open ","partial":true"#,
        PLAIN,
        r#""type":"line","line":"never ended","continued":true"#,
        STATUS,
    ];
    assert_eq!(told(&records, false), ["4 one two three", "5 open ", "6 plain", "7 never ended", "8 EOF"]);
}

#[test]
fn a_rewritten_line_is_shown_in_its_last_state() {
    let records = [
        r#""type":"line","line":"10%","partial":true"#,
        r#""type":"line","line":"50%","partial":true,"rewrites":true"#,
        r#""type":"line","line":"100%","continues":true,"rewrites":true"#,
    ];
    assert_eq!(told(&records, false), ["3 100%", "3 EOF"]);
}

#[test]
fn one_sensitive_piece_hides_the_whole_line() {
    let records = [
        r#""type":"line","line":"password: ","partial":true"#,
        r#""type":"line","line":"hunter2","continues":true,"sensitive":true"#,
    ];
    assert_eq!(told(&records, false), ["2 (!)", "2 EOF"]);
    assert_eq!(told(&records, true), ["2 !password: hunter2", "2 EOF"]);
}

#[test]
fn a_line_that_is_too_long_to_be_held_is_shown_in_part() {
    let piece = "x".repeat(LINE_LIMIT / 4);
    let begin = format!(r#""type":"line","line":"{piece}","continued":true"#);
    let middle = format!(r#""type":"line","line":"{piece}","continued":true,"continues":true"#);
    let end = r#""type":"line","line":"end","continues":true"#;
    let mut records = vec![&*begin];
    records.extend([&*middle; 4]);
    records.extend([end, PLAIN]);
    let told = told(&records, false);
    assert!(told[0].starts_with("6 xxx") && told[0].len() < LINE_LIMIT + 100);
    assert!(told[0].ends_with(&format!("x [… {} more bytes]", LINE_LIMIT / 4 + 3)));
    assert_eq!(told[1..], ["7 plain", "7 EOF"]);
}
