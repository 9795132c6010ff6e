//! Tests of the commands that jobs produce, and of the messages when parameters are refused.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::parse;
use crate::config::{CommandLine, JobType, ParamError};

/// A job type `x` with these parameters, as inline tables, and this command.
fn job_type(params: &str, command: &str) -> JobType {
    let text = format!("[job_types.x]\nparams = [{params}]\ncommand = [{command}]");
    parse(&text).unwrap().job_types.swap_remove("x").unwrap()
}

fn render(job_type: &JobType, params: &Value) -> Result<CommandLine, ParamError> {
    job_type.render(params.as_object().unwrap())
}

const PARAMS: &str = "
    { name = 'one', kind = 'string' },
    { name = 'must', kind = 'string', required = true, default = 'm' },
    { name = 'preset', kind = 'string', default = 'p' },
    { name = 'many', kind = 'string', many = true },
    { name = 'count', kind = 'integer' },
    { name = 'switch', kind = 'boolean' },
    { name = 'on', kind = 'boolean', default = true },
    { name = 'change', kind = 'gerrit-change', many = true }";

#[test]
fn placeholders_become_arguments() {
    let cases: &[(&str, Value, &[&str])] = &[
        ("'{one}'", json!({"one": "a b; $(c)"}), &["a b; $(c)"]),
        ("'{one}'", json!({}), &[]),
        ("'{one}'", json!({"one": null}), &[]),
        ("'{one}'", json!({"one": ""}), &[]),
        ("'a', '', 'b'", json!({}), &["a", "", "b"]),
        ("'{preset}'", json!({}), &["p"]),
        ("'{preset}'", json!({"preset": null}), &["p"]),
        ("'{preset}'", json!({"preset": ""}), &[]),
        ("'--must={must}!'", json!({"must": "a"}), &["--must=a!"]),
        ("'--must={must}'", json!({}), &["--must=m"]),
        ("'{must}{must}'", json!({}), &["mm"]),
        ("'{must}', '{must}'", json!({}), &["m", "m"]),
        ("'{many}'", json!({"many": ["a", "b"]}), &["a", "b"]),
        ("'{many}'", json!({"many": []}), &[]),
        ("'{many:,}'", json!({"many": ["a", "b"]}), &["a,b"]),
        ("'{many:, }'", json!({"many": ["a", "b"]}), &["a, b"]),
        ("'{many::}'", json!({"many": ["a", "b"]}), &["a:b"]),
        ("'{many:,}'", json!({}), &[]),
        ("['--many', '{many:,}']", json!({"many": ["a", "b"]}), &["--many", "a,b"]),
        ("['--many', '{many}', '--']", json!({"many": ["a", "b"]}), &["--many", "a", "b", "--"]),
        ("['--many={many:,}']", json!({"many": ["a"]}), &["--many=a"]),
        ("['--many', '{many:,}']", json!({"many": []}), &[]),
        ("['--one', '{one}']", json!({"one": ""}), &[]),
        ("['--one={one}']", json!({}), &[]),
        ("['--one={one}']", json!({"one": "a"}), &["--one=a"]),
        ("['--force', '{switch}']", json!({"switch": true}), &["--force"]),
        ("['--force', '{switch}']", json!({"switch": false}), &[]),
        ("['--force', '{switch}']", json!({}), &[]),
        ("['--on', '{on}']", json!({}), &["--on"]),
        ("['--on', '{on}']", json!({"on": false}), &[]),
        ("'{count}'", json!({"count": 0}), &["0"]),
        ("'{count}'", json!({"count": i64::MAX}), &["9223372036854775807"]),
        ("'{{one}}', '{{{must}}}', '}}{{'", json!({}), &["{one}", "{m}", "}{"]),
        (
            "'{change}'",
            json!({"change": [1_234_567, "89", "https://gerrit.wikimedia.org/r/c/core/+/12/3?tab=$(x)#message-1"]}),
            &["1234567", "89", "12"],
        ),
        ("'{one}'", json!({"one": "{must}"}), &["{must}"]),
    ];
    for (command, params, expected) in cases {
        let line = render(&job_type(PARAMS, &format!("'program', {command}")), params).unwrap();
        assert_eq!(line.arguments[0], "program");
        assert_eq!(&line.arguments[1..], *expected, "{command} with {params}");
        assert_eq!(line.shown, line.arguments, "nothing is sensitive");
    }
}

#[test]
fn sensitive_values_are_masked_wherever_they_are_shown() {
    let params =
        "{ name = 'user', kind = 'string' }, { name = 'pin', kind = 'integer', sensitive = true, required = true },
        { name = 'keys', kind = 'string', sensitive = true, many = true }";
    let job_type = job_type(params, "'x', '{user}', '--pin={pin}', '{keys}'");
    let given = json!({"user": "ann", "pin": 1234, "keys": ["a", "b"]});
    let line = render(&job_type, &given).unwrap();
    assert_eq!(line.arguments, ["x", "ann", "--pin=1234", "a", "b"]);
    assert_eq!(line.shown, ["x", "ann", "--pin=•••", "•••", "•••"]);

    let mut given = given.as_object().unwrap().clone();
    given.insert("pni".to_owned(), json!(1234));
    let masked = job_type.masked_params(&given);
    assert_eq!(Value::from(masked), json!({"user": "ann", "pin": "•••", "keys": "•••", "pni": "•••"}));

    let error = job_type.render(&given).unwrap_err();
    assert_eq!((error.param.as_str(), &error.input), ("pni", &json!("•••")));
    let error = render(&job_type, &json!({"pin": "12e4"})).unwrap_err();
    assert_eq!(error.to_string(), "parameter `pin` must be a whole number");
    assert_eq!(error.input, json!("•••"));
}

#[test]
fn values_that_break_the_rules_are_refused_by_name() {
    let params = "
        { name = 'text', kind = 'string' },
        { name = 'must', kind = 'string', required = true },
        { name = 'word', kind = 'string', pattern = 'a+|b' },
        { name = 'list', kind = 'string', many = true, pattern = '[a-z,]+' },
        { name = 'some', kind = 'string', many = true, required = true, default = ['a'] },
        { name = 'count', kind = 'integer', min = 1, max = 3 },
        { name = 'switch', kind = 'boolean' },
        { name = 'group', kind = 'choice', choices = ['group0', 'all'] },
        { name = 'change', kind = 'gerrit-change' }";
    let job_type = job_type(params, "'x', '{list:,}'");
    let number =
        "parameter `change` must be the number of a Gerrit change or its address at https://gerrit.wikimedia.org/r/";
    let control = "parameter `text` must not contain control characters such as line ends or tabs";
    let long = "x".repeat(64 * 1024 + 1);
    let cases: &[(&str, Value, &str)] = &[
        ("txet", json!(1), "job type `x` has no parameter `txet`; did you mean `text`?"),
        (
            "\u{1b}",
            json!(1),
            "job type `x` has no parameter `\\u{1b}`; known: `text`, `must`, `word`, `list`, `some`, `count`, `switch`, `group`, `change`",
        ),
        ("must", json!(null), "parameter `must` is required and must not be empty"),
        ("must", json!(""), "parameter `must` is required and must not be empty"),
        ("some", json!([]), "parameter `some` is required and must not be empty"),
        ("text", json!(1), "parameter `text` must be a string"),
        ("text", json!({}), "parameter `text` must be a string"),
        ("text", json!(["a"]), "parameter `text` takes one value, not a list"),
        ("text", json!("-rf"), "parameter `text` must not begin with `-`"),
        ("text", json!("a\nb"), control),
        ("text", json!("a\0"), control),
        ("text", json!("\u{1b}[2J"), control),
        ("text", json!("\u{9b}2J"), control),
        ("text", json!(long), "parameter `text` must be at most 65536 bytes long"),
        ("word", json!("aab"), "parameter `word` must match the pattern `a+|b`"),
        ("word", json!("ba"), "parameter `word` must match the pattern `a+|b`"),
        ("list", json!("a"), "parameter `list` takes a list of values, not one"),
        ("list", json!(["a", 1]), "parameter `list` has a value in its list that must be a string"),
        ("list", json!(["a", ["b"]]), "parameter `list` has a value in its list that must be a string"),
        ("list", json!(["a", null]), "parameter `list` has a value in its list that must be a string"),
        ("list", json!(["-a"]), "parameter `list` has a value in its list that must not begin with `-`"),
        ("list", json!(["a", "B"]), "parameter `list` has a value in its list that must match the pattern `[a-z,]+`"),
        (
            "list",
            json!(["a,b"]),
            "parameter `list` has a value with `,` in its list, but the values are joined with \
          it",
        ),
        ("count", json!(0), "parameter `count` must be at least 1"),
        ("count", json!(4), "parameter `count` must be at most 3"),
        ("count", json!("2"), "parameter `count` must be a whole number"),
        ("count", json!(2.0), "parameter `count` must be a whole number of at most 64 bits"),
        ("count", json!(u64::MAX), "parameter `count` must be a whole number of at most 64 bits"),
        ("switch", json!("true"), "parameter `switch` must be true or false"),
        ("switch", json!(1), "parameter `switch` must be true or false"),
        ("group", json!("group1"), "parameter `group` must be one of `group0`, `all`"),
        ("change", json!("I0123456"), number),
        ("change", json!("0123"), number),
        ("change", json!(0), number),
        ("change", json!(1.5), number),
        ("change", json!("1234567890"), number),
        ("change", json!("ftp://example.org/1"), number),
        ("change", json!("https://"), number),
        ("change", json!("https://gerrit.example.org/r/c/12"), number),
        ("change", json!("https://gerrit.wikimedia.org/r/q/12"), number),
        ("change", json!(true), number),
    ];
    for (name, value, message) in cases {
        let mut given = Map::from_iter([("must".to_owned(), json!("m"))]);
        given.insert((*name).to_owned(), value.clone());
        let error = job_type.render(&given).unwrap_err();
        assert_eq!((error.param.as_str(), error.message.as_str()), (*name, *message), "{name} = {value}");
    }
    assert_eq!(render(&job_type, &json!({})).unwrap_err().to_string(), cases[2].2);
}

#[test]
fn without_a_gerrit_an_address_may_be_of_any_host() {
    let text = "gerrit.url = ''
        job_types.x = { command = ['x', '{change}'], params = [{ name = 'change', kind = 'gerrit-change' }] }";
    let job_type = parse(text).unwrap().job_types.swap_remove("x").unwrap();
    for good in ["12", "https://gerrit.example.org/r/c/12", "http://example.org/"] {
        assert_eq!(render(&job_type, &json!({ "change": good })).unwrap().arguments, ["x", good]);
    }
    let error = render(&job_type, &json!({ "change": "I0123456" })).unwrap_err();
    assert_eq!(error.to_string(), "parameter `change` must be the number of a Gerrit change or its http(s) address");
}

#[test]
fn the_changes_of_a_job_are_those_that_people_may_see() {
    let params = "{ name = 'first', kind = 'gerrit-change', default = 7 }, { name = 'text', kind = 'string' },
        { name = 'secret', kind = 'gerrit-change', sensitive = true },
        { name = 'more', kind = 'gerrit-change', many = true }";
    let job_type = job_type(params, "'x'");
    let changes = |params: Value| job_type.changes(params.as_object().unwrap());
    assert_eq!(changes(json!({ "text": "1", "secret": 2, "more": [3, "4", "4"] })), ["7", "3", "4", "4"]);
    assert_eq!(changes(json!({ "first": "8", "more": ["nonsense"] })), ["8"]);
}

#[test]
fn an_error_carries_the_value_that_was_refused() {
    let job_type = job_type("{ name = 'list', kind = 'string', many = true }", "'x', '{list}'");
    let error = render(&job_type, &json!({"list": ["a", "-b"]})).unwrap_err();
    let message = "parameter `list` has a value in its list that must not begin with `-`".to_owned();
    assert_eq!(error, ParamError { param: "list".to_owned(), message, input: json!("-b") });
}

#[test]
fn a_dash_may_be_allowed() {
    let params = "{ name = 'text', kind = 'string', allow_dash = true }, { name = 'count', kind = 'integer' },
        { name = 'below', kind = 'integer', min = -5, allow_dash = true }";
    let job_type = job_type(params, "'x', '{text}', '{count}', '{below}'");
    assert_eq!(render(&job_type, &json!({"text": "-v", "below": -5})).unwrap().arguments, ["x", "-v", "-5"]);
    let error = render(&job_type, &json!({"count": -1})).unwrap_err();
    assert_eq!(error.to_string(), "parameter `count` must not begin with `-`");
}

#[test]
fn a_command_that_linux_would_refuse_is_refused_before() {
    let job_type = job_type(
        "{ name = 'few', kind = 'string', many = true }, { name = 'lots', kind = 'string', many = true }",
        "'x', '{few}', ['--lots={lots:,}'], '{lots}'",
    );
    let too_long = "parameter `lots` makes the command too long to be executed; give fewer or shorter values";
    let value = "x".repeat(64 * 1024);
    let render = |lots: Value| render(&job_type, &json!({"few": ["a"], "lots": lots}));
    assert!(render(json!([value])).is_ok());
    assert_eq!(render(json!([value, value])).unwrap_err().to_string(), too_long, "one argument of 128 KiB");
    assert_eq!(render(json!(vec!["x"; 120_000])).unwrap_err().to_string(), too_long, "many arguments");
}

/// Any JSON value, mostly of the kinds that parameters take.
fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof!["-?[a-z,\\n\0-]{0,4}", any::<String>(), "[0-9]{1,10}", "https?://[a-z./-]{0,9}"];
    let scalar = prop_oneof![
        4 => text.prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    scalar.prop_recursive(2, 8, 4, |inner| proptest::collection::vec(inner, 0..4).prop_map(Value::from))
}

proptest! {
    #[test]
    fn no_value_brings_in_a_control_character_or_an_option(
        values in proptest::collection::hash_map("one|must|preset|many|count|switch|on|change", value(), 0..8)
    ) {
        let command = "'x', '{one}', '{must}!', '{preset}', '{many}', '{many:,}', '{count}', ['on', '{on}'], ['off', '{switch}'],
            ['a={one}'], ['{change:;}'], '{change}'";
        let job_type = job_type(PARAMS, command);
        let given = values.into_iter().collect();
        if let Ok(line) = job_type.render(&given) {
            prop_assert_eq!(line.arguments.len(), line.shown.len());
            for argument in &line.arguments {
                prop_assert!(!argument.starts_with('-') && !argument.contains(char::is_control), "{:?}", argument);
            }
        }
        prop_assert_eq!(job_type.masked_params(&given), given);
    }
}
