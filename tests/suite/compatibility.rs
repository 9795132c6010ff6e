//! `docs/compatibility.md` is true: the tests that it names are there, and no route or message is missing in it.

use std::fs;

use regex::Regex;
use spiderpig::api::table::ROUTES;

use crate::demo::repository;

fn document() -> String {
    fs::read_to_string(repository().join("docs/compatibility.md")).unwrap()
}

#[test]
fn every_test_that_it_names_is_there() {
    let named = Regex::new(r"`((?:src|tests)/[^`]+\.rs)`((?:[:,(] *`[a-z0-9_]+`)+)").unwrap();
    let name = Regex::new(r"`([a-z0-9_]+)`").unwrap();
    let mut found = 0;
    for captures in named.captures_iter(&document()) {
        let file = fs::read_to_string(repository().join(&captures[1])).expect(&captures[1]);
        for test in name.captures_iter(&captures[2]) {
            let is_test = Regex::new(&format!(r"#\[(tokio::)?test\]\n(async )?fn {}\(\)", &test[1])).unwrap();
            let in_module = Regex::new(&format!(r"#\[(tokio::)?test\]\n    (async )?fn {}\(\)", &test[1])).unwrap();
            assert!(is_test.is_match(&file) || in_module.is_match(&file), "{}: {}", &captures[1], &test[1]);
            found += 1;
        }
    }
    assert!(found > 70, "only {found} names were found: has the form of the page changed?");
}

/// What only this SpiderPig has. Everything else is of the first one, and on the page.
const OURS: &[&str] = &[
    "/healthz",
    "/metrics",
    "/api/openapi.json",
    "/api/2fa/enrol",
    "/api/2fa/confirm",
    "/api/2fa/recovery-codes",
    "/api/2fa/remove",
    "/api/sessions",
    "/api/sessions/end-others",
    "/api/sessions/{id}/end",
    "/api/tokens",
    "/api/tokens/{id}/revoke",
    "/api/users",
    "/api/users/tokens",
    "/api/users/{user}/tokens/{id}/revoke",
    "/api/users/{user}/reset-second-factor",
    "/api/users/{user}/end-sessions",
    "/api/audit",
    "/api/job-types",
    "/api/changes",
    "/api/preflight",
    "/api/runner",
    "/api/runner/pause",
    "/api/runner/resume",
    "/api/events",
    "/api/jobs/{id}/log/records",
    "/api/jobs/{id}/log/search",
    "/api/jobs/{id}/log/marks",
    "/start/{type}",
    "/runner",
    "/second-factor",
    "/enrol",
    "/account",
];

/// The same where the first one has another method of the path.
const OUR_METHODS: &[&str] = &["POST /api/jobs", "POST /api/login", "GET /api/2fa"];

#[test]
fn every_route_of_the_first_spiderpig_is_on_it() {
    let document = document();
    for route in ROUTES {
        let path = route.path.replace(":number", "").replace(":text", "");
        let asked = format!("{} {path}", route.method);
        let is_ours = OURS.contains(&path.as_str()) || OUR_METHODS.contains(&asked.as_str());
        assert_ne!(is_ours, document.contains(&format!("`{asked}`")), "{asked}");
    }
}

#[test]
fn every_message_of_the_protocol_is_on_it() {
    let document = document();
    for message in
        ["`line`", "`status`", "`progress`", "`interaction` with `choices`", "`interaction` with `input_line`"]
    {
        assert!(document.contains(&format!("\n| {message} | `")), "{message}");
    }
}
