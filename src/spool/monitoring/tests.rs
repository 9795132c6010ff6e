use serde_json::json;

use super::*;

fn train() -> Value {
    json!({
        "format": 1, "time": "2026-11-24T09:00:00+01:00", "version": "1.46.0-wmf.3", "oldVersion": "1.46.0-wmf.2",
        "groups": { "testwikis": ["testwiki"], "group0": ["mediawikiwiki", "testwiki"] },
        "wikiVersions": { "testwiki": "1.46.0-wmf.3", "mediawikiwiki": "1.46.0-wmf.2" },
        "task": "T1", "taskUrl": "https://phabricator.wikimedia.org/T1", "taskStatus": "open",
        "taskReleaseDate": "2026-11-23", "taskVersion": "1.46.0-wmf.3", "warnings": ["careful"], "unknown": { "a": 1 }
    })
}

fn errors() -> Value {
    json!({
        "format": 1, "time": "2026-11-24T08:00:00Z",
        "log": { "b": { "count": 2, "versions": ["1.46.0-wmf.3"], "unknown": 0 }, "a": { "count": 5, "versions": [] } }
    })
}

/// Parses a document after a change of it; null removes a member.
fn changed<T: Document>(mut document: Value, pointer: &str, value: Value) -> Result<T, String> {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    if value.is_null() {
        parent.shift_remove(name)
    } else {
        parent.insert(name.to_owned(), value)
    };
    parse(document.to_string().as_bytes())
}

#[test]
fn a_good_train_is_read_with_its_groups_in_order() {
    let train: Train = parse(train().to_string().as_bytes()).unwrap();
    assert_eq!(train.time.to_string(), "2026-11-24T08:00:00.000Z");
    assert_eq!(train.groups.keys().collect::<Vec<_>>(), ["testwikis", "group0"]);
    assert_eq!(train.wiki_versions["mediawikiwiki"], "1.46.0-wmf.2");
    assert_eq!(train.warnings, ["careful"]);
}

#[test]
fn optional_members_of_a_train_may_be_missing() {
    for name in ["oldVersion", "task", "taskUrl", "taskStatus", "taskReleaseDate", "taskVersion", "warnings"] {
        changed::<Train>(train(), &format!("/{name}"), Value::Null).unwrap();
    }
}

#[test]
fn each_defect_of_a_train_is_named_with_its_path() {
    for (pointer, value, expected) in [
        ("/format", json!(2), "its `format` is 2, and this program knows 1"),
        ("/format", json!("1"), "its `format` is \"1\""),
        ("/format", Value::Null, "it has no `format`"),
        ("/time", json!("yesterday"), "`time`: `yesterday` is not an RFC 3339 time"),
        ("/time", json!("2026-11-24T09:00:00"), "`time`: `2026-11-24T09:00:00` is not"),
        ("/time", json!(7), "`time`: invalid type: integer `7`"),
        ("/time", Value::Null, "missing field `time`"),
        ("/version", json!("1.46"), "`version`: \"1.46\" is not a version such as"),
        ("/oldVersion", json!("php-1.46.0-wmf.2"), "`oldVersion`: \"php-1.46.0-wmf.2\" is not a version"),
        ("/groups", Value::Null, "missing field `groups`"),
        ("/groups/group7", json!([]), "`groups`: \"group7\" is not one of testwikis, group0, group1, group2"),
        ("/groups/group0", json!(["a", 7]), "`groups.group0[1]`: invalid type: integer `7`, expected a string"),
        ("/groups/group0", json!(["a b"]), "`groups.group0`: \"a b\" is not a wiki"),
        ("/wikiVersions/testwiki", json!([]), "`wikiVersions.testwiki`: invalid type"),
        ("/wikiVersions/", json!("1"), "`wikiVersions`: \"\" is not a wiki"),
        ("/taskUrl", json!("javascript:alert(1)"), "`taskUrl`: \"javascript:alert(1)\" is not an address"),
        ("/warnings", json!("careful"), "`warnings`: invalid type"),
    ] {
        let problem = changed::<Train>(train(), pointer, value).unwrap_err();
        assert!(problem.starts_with(expected), "{problem}");
    }
}

#[test]
fn errors_are_read_in_order_and_counted() {
    let log: MediaWikiErrors = parse(errors().to_string().as_bytes()).unwrap();
    assert_eq!(log.log.keys().collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(log.total(), 7);
    assert_eq!(changed::<MediaWikiErrors>(errors(), "/total", json!(900)).unwrap().total(), 900);
    let most = changed::<MediaWikiErrors>(errors(), "/log/b/count", json!(u64::MAX)).unwrap();
    assert_eq!(most.total(), u64::MAX);
}

#[test]
fn each_defect_of_errors_is_named_with_its_path() {
    for (pointer, value, expected) in [
        ("/log", json!([]), "`log`: invalid type: sequence, expected a map"),
        ("/log/a/count", json!(-1), "`log.a.count`: invalid value: integer `-1`"),
        ("/log/a/count", json!("5"), "`log.a.count`: invalid type: string"),
        ("/log/a/versions", Value::Null, "`log.a`: missing field `versions`"),
        ("/total", json!(1.5), "`total`: invalid type: floating point"),
    ] {
        let problem = changed::<MediaWikiErrors>(errors(), pointer, value).unwrap_err();
        assert!(problem.starts_with(expected), "{problem}");
    }
}

#[test]
fn text_that_is_not_a_document_is_refused() {
    for (text, expected) in [
        ("", "it is not valid JSON: EOF"),
        ("[1]", "it is not valid JSON: not a JSON object"),
        ("{\"format\":1,\"format\":1}", "it is not valid JSON: member `format` comes twice"),
    ] {
        let problem = parse::<Train>(text.as_bytes()).unwrap_err();
        assert!(problem.starts_with(expected), "{problem}");
    }
}

#[test]
fn a_long_problem_is_shortened() {
    let text = "é".repeat(LONGEST_PROBLEM);
    assert_eq!(shortened(&text), text);
    assert_eq!(shortened(&format!("{text}é")), format!("{text}…"));
}
