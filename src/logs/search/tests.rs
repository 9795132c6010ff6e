use proptest::prelude::*;

use super::*;

/// What is found in a log, in portions of so many records.
fn found(records: &[&str], text: &str, include_sensitive: bool, portion: usize) -> Vec<u64> {
    let mut scan = Search::new(Needle::new(text), include_sensitive);
    for records in records.chunks(portion) {
        let record = |record: &&str| format!("{{\"time\":\"2026-11-23T15:38:46.123Z\",{record}}}\n");
        let portion: Vec<String> = records.iter().map(record).collect();
        scan.portion(scan.records, portion.concat().as_bytes());
    }
    scan.end();
    assert_eq!(scan.records, records.len() as u64);
    scan.found
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
    let mut scan = Search::new(Needle::new("secret"), false);
    scan.portion(0, records.map(|record| format!("{{{record}}}\n")).concat().as_bytes());
    scan.end();
    assert_eq!(scan.hidden, 2);
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
        let folded = fold(&text);
        let expected: Vec<u64> = lines.iter().zip(1..).filter_map(|(line, number)| {
            let mut shown = String::new();
            Colours::default().strip(line, &mut shown);
            fold(&shown).contains(&folded).then_some(number)
        }).collect();
        prop_assert_eq!(found(&records, &text, false, 7), expected);
    }
}
