//! What people write, where others see it: in pages, which get it as JSON, in the audit trail and in the log.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use spiderpig::accounts::sessions::after;
use spiderpig::accounts::tokens::{NewToken, Tokens};
use spiderpig::spool::Time;
use spiderpig::state::StateDirectory;

use super::{Reply, Stage, get, post, sign_in, try_password};
use crate::support::{TestSpool, wait_until};

const MARKUP: &str = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'`{{7*7}}${x}";

/// What a terminal obeys, or what looks like other text than it is.
const TRICKS: &str = "\u{9b}2J\u{202e}live\u{2028}2026-01-01T00:00:00.000000Z  INFO forged: x\u{85}\u{200b}\u{feff}";

/// Lines of a log or a trail are lines of ours, and show all that is in them.
#[track_caller]
pub(super) fn assert_tame(text: &str) {
    let is_obeyed = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    for line in text.lines() {
        assert!(line.starts_with("20") || line.starts_with("{\"n\":"), "{line:?}");
        assert!(!line.starts_with("2026-01-01") && !line.contains(is_obeyed), "{line:?}");
    }
}

/// Every line of the audit trail.
pub(super) fn trail(spool: &TestSpool) -> Vec<Value> {
    let text = fs::read_to_string(spool.state_directory().join("audit.jsonl")).unwrap();
    assert_tame(&text);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a browser must not take for a page.
#[track_caller]
fn assert_no_page(reply: &Reply, content_type: &str) {
    assert_eq!(reply.field("content-type"), Some(content_type), "{reply:?}");
    assert_eq!(reply.field("x-content-type-options"), Some("nosniff"), "{reply:?}");
    let policy = reply.field("content-security-policy");
    assert_eq!(policy, Some("default-src 'none'; frame-ancestors 'none'"), "{reply:?}");
}

#[test]
fn markup_comes_back_as_what_it_is_and_never_in_a_page() {
    let stage = Stage::local();
    let _runner = stage.spool.runner();
    let api = &stage.api;
    let text = format!("{MARKUP}{}", TRICKS.replace(char::is_control, ""));
    let signed = try_password(api, "ada", super::PASSWORD, &format!("User-Agent: {MARKUP}{TRICKS}\r\n"));
    let ada = signed.cookie();
    let tokens = Tokens::open(&StateDirectory::new(&stage.spool.state_directory())).unwrap();
    let (groups, expires) = (None, after(Time::now(), Duration::from_hours(1)));
    let new =
        NewToken { name: text.clone(), user: "ada".into(), groups, scopes: vec!["read".parse().unwrap()], expires };
    tokens.create(new, Time::now()).unwrap();
    let script = "printf '{\"type\":\"interaction\",\"subtype\":\"input_line\",\"prompt\":\"<b>why</b>\",\"default\":null,\
                  \"iokey\":\"%s\"}\\n' $SPIDERPIG_IO_KEY; read -r answer; echo \"$answer\"";
    let job = json!({ "type": "sh", "params": { "script": format!("{script} # {text}") } });
    let reply = post(api, "/api/jobs", &ada, job.to_string());
    assert_eq!(reply.status, 201, "{reply:?}");
    let id = reply.json()["id"].as_u64().unwrap();
    let one = format!("/api/jobs/{id}");
    wait_until("it asks", || !get(api, &one, &ada).json()["pending_interaction"].is_null());
    assert_eq!(post(api, &format!("{one}/interact/{id}000001"), &ada, &text).status, 200);
    stage.spool.wait_final(id.try_into().unwrap());
    assert_eq!(post(api, "/api/runner/pause", &ada, json!({ "reason": text }).to_string()).status, 200);
    wait_until("it is paused", || get(api, "/api/runner", &ada).body.contains("</script>"));
    wait_until("the token is known", || get(api, "/api/tokens", &ada).body.contains("</script>"));
    wait_until("it is known to have ended", || get(api, &one, &ada).json()["job"]["state"] == "succeeded");

    let contains = |value: &Value| value.as_str().is_some_and(|shown| shown.contains(MARKUP));
    for (path, pointer) in [
        ("/api/sessions", "/sessions/0/user_agent"),
        ("/api/tokens", "/tokens/0/name"),
        ("/api/runner", "/paused"),
        (&*one, "/job/params/script"),
        ("/api/jobs", "/jobs/0/command"),
        ("/api/audit?event=answer", "/entries/0/details/response"),
        ("/api/audit?event=pause", "/entries/0/details/reason"),
    ] {
        let reply = get(api, path, &ada);
        assert_no_page(&reply, "application/json");
        let value = reply.json();
        let found = value.pointer(pointer).unwrap_or_else(|| panic!("{path} {pointer}: {value}"));
        let found = if pointer == "/jobs/0/command" {
            found.as_str().unwrap().replace("\\\"", "\"").into()
        } else {
            found.clone()
        };
        assert!(contains(&found), "{path} {pointer}: {found}");
    }
    assert_no_page(&get(api, &format!("{one}/log"), &ada), "application/octet-stream");
    assert_no_page(&get(api, &format!("{one}/log?format=text"), &ada), "text/plain; charset=utf-8");

    // The trail and the log have all of it, on lines of their own.
    assert!(trail(&stage.spool).iter().any(|line| contains(&line["details"]["response"])));
    assert_tame(&api.daemon.log());
}

#[test]
fn a_refusal_that_repeats_what_was_sent_is_no_page_either() {
    let stage = Stage::open();
    let encoded = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    for (line, body) in [
        (format!("GET /api/jobs/{encoded}"), String::new()),
        (format!("GET /api/{encoded}"), String::new()),
        (format!("GET /assets/{encoded}"), String::new()),
        (format!("GET /api/jobs?limit={encoded}"), String::new()),
        (format!("GET /api/jobs?state={encoded}"), String::new()),
        (format!("GET /api/audit?event={encoded}"), String::new()),
        (format!("GET /api/changes?change_url={encoded}"), String::new()),
        (format!("GET /api/searchPatch?changeNumOrUrl={encoded}"), String::new()),
        (format!("POST /api/jobs/backport?change_url={encoded}"), String::new()),
        (format!("POST /api/jobs/1/signal/{encoded}"), String::new()),
        ("POST /api/jobs".to_owned(), json!({ "type": MARKUP }).to_string()),
        ("POST /api/jobs".to_owned(), json!({ "type": "sh", "params": { MARKUP: MARKUP } }).to_string()),
        ("POST /api/jobs".to_owned(), json!({ MARKUP: MARKUP }).to_string()),
        ("POST /api/jobs/train".to_owned(), json!({ "group": MARKUP, "version": MARKUP }).to_string()),
        ("POST /api/runner/pause".to_owned(), json!({ MARKUP: "x" }).to_string()),
        ("POST /api/runner/pause".to_owned(), json!({ "reason": format!("{MARKUP}\n") }).to_string()),
        ("<SCRIPT> /api/jobs".to_owned(), String::new()),
    ] {
        let reply = super::ask(&stage.api, &line, "Accept: text/html\r\n", body);
        assert!(reply.status >= 400 || line.contains("searchPatch") || line.contains("/changes"), "{line}: {reply:?}");
        // What is not even HTTP is refused without a word.
        if !reply.body.is_empty() {
            assert_no_page(&reply, "application/json");
        }
    }
}

#[test]
fn nobody_writes_a_line_of_the_log_or_of_the_trail() {
    for format in ["text", "json"] {
        let keys = format!("log_format = \"{format}\"\n{}", super::BEHIND_A_PROXY);
        let stage = Stage::with(&keys, "two_factor = false\n");
        let line = "x\n2026-01-01T00:00:00.000000Z  INFO forged: x\r\u{1b}[2J\u{9b}2J\u{2028}";
        assert_eq!(try_password(&stage.api, line, line, "").status, 401);
        let fields = format!(
            "User-Agent: {TRICKS}\r\nReferer: {TRICKS}\r\nX-Request-ID: {TRICKS}\r\nX-Forwarded-For: {TRICKS}\r\n"
        );
        let ada = try_password(&stage.api, "ada", super::PASSWORD, &fields).cookie();
        for path in
            ["/%0a2026-01-01T00:00:00Z%20INFO", "/api/%1b%5b2J", "/api/users/%0d%0aforged/end-sessions", "/%e2%80%ae"]
        {
            get(&stage.api, path, &fields);
            post(&stage.api, path, &format!("{fields}{ada}"), "");
        }
        let raw = format!("GET /{TRICKS} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        super::send(&stage.api, raw.as_bytes());
        super::send(&stage.api, b"GET / HTTP/1.1\r\n\x1b[2J\n2026-01-01T00:00:00Z: x\r\n\r\n");
        assert_eq!(post(&stage.api, "/api/runner/pause", &ada, json!({ "reason": line }).to_string()).status, 422);
        assert_eq!(
            post(&stage.api, "/api/runner/pause", &ada, json!({ "reason": "a\u{202e}b" }).to_string()).status,
            200
        );
        get(&stage.api, "/api/the-last-one", "");
        wait_until("all is logged", || stage.api.daemon.log().contains("the-last-one"));
        let log = stage.api.daemon.log();
        if format == "json" {
            assert!(
                log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object())),
                "{log}"
            );
        } else {
            assert_tame(&log);
        }
        let lines = trail(&stage.spool);
        let forged = |line: &&Value| line["details"]["of"].as_str().is_some_and(|of| of.ends_with("forged"));
        assert_eq!(lines.iter().filter(forged).count(), 1, "{lines:?}");
        let _ = sign_in(&stage.api, "alice");
    }
}
