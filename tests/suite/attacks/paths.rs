//! Paths that lead out of where they should.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use spiderpig::api::table::ROUTES;

use super::{Reply, Stage, send};

/// Parts of paths, as they stand in a request line.
const AWAY: &[&str] = &[
    "..",
    "../",
    "../../../../../../../../etc/passwd",
    "..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
    "..%2F..%2F..%2F..%2F..%2F..%2Fetc%2Fpasswd",
    "%2e%2e",
    "%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "%252e%252e%252f%252e%252e%252fetc%252fpasswd",
    "..%5c..%5c..%5cetc%5cpasswd",
    "..\\..\\..\\etc\\passwd",
    "%2fetc%2fpasswd",
    "//etc/passwd",
    "%c0%ae%c0%ae%c0%af%c0%ae%c0%ae%c0%afetc%c0%afpasswd",
    "%e0%80%ae%e0%80%ae%e0%80%afetc/passwd",
    "%uff0e%uff0e/etc/passwd",
    "..%00/..%00/etc/passwd",
    "%2fetc%2fpasswd%00.js",
    "index.html%00.js",
    "....//....//etc/passwd",
    "..;/..;/etc/passwd",
    "file:%2f%2f%2fetc%2fpasswd",
    "%2fproc%2fself%2fenviron",
    "..%2f..%2fCargo.toml",
    "..%2findex.html",
    ".",
    ".git",
    "1%2f..%2f2",
    "1%00",
    "1%0a",
    "1%0d%0aX-Evil:%20yes",
    "con",
    "~root",
    "*",
    "%25s%25n",
];

/// What would show that a file of the machine, of the source or of the API was sent.
const CONTENT: &[&str] = &["root:", "[package]", "[job_types", "PATH=", "state_directory"];

/// Everything below a directory.
fn names(directory: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(directory).unwrap().flatten() {
        names.insert(entry.path().display().to_string());
        if entry.file_type().unwrap().is_dir() {
            names.extend(self::names(&entry.path()));
        }
    }
    names
}

fn ask(stage: &Stage, method: &str, path: &str) -> Reply {
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    Reply::parse(&send(&stage.api, head.as_bytes()))
}

#[test]
fn no_path_leads_out_of_where_it_should() {
    for stage in [Stage::open(), Stage::local()] {
        let before = names(stage.spool.path());
        let mut asked = 0;
        for route in ROUTES {
            // In the place of each parameter, of the last segment, and behind all.
            let segments: Vec<&str> = route.path.split('/').collect();
            let places = (1..segments.len()).filter(|n| segments[*n].starts_with('{') || *n + 1 == segments.len());
            for place in places {
                for away in AWAY {
                    let path: Vec<&str> = (0..segments.len())
                        .map(|n| match segments[n] {
                            _ if n == place => away,
                            segment if segment.starts_with('{') => "1",
                            segment => segment,
                        })
                        .collect();
                    let reply = ask(&stage, route.method.as_str(), &path.join("/"));
                    let shown = format!("{reply:?}").to_ascii_lowercase();
                    let found = CONTENT.iter().find(|content| shown.contains(&content.to_ascii_lowercase()));
                    assert!(reply.field("x-evil").is_none(), "{shown}");
                    assert_eq!(found, None, "{} {}: {shown}", route.method, path.join("/"));
                    assert!(
                        reply.status < 500 || reply.status == 503 && route.is_page(),
                        "{} {}: {shown}",
                        route.method,
                        path.join("/")
                    );
                    assert!(reply.status != 200 || route.path != "/assets/{name:text}", "{}: {shown}", path.join("/"));
                    asked += 1;
                }
            }
        }
        assert!(asked > 1000, "{asked}");
        let appeared: Vec<String> = names(stage.spool.path()).difference(&before).cloned().collect();
        let expected = |path: &String| ["audit.jsonl", "incoming", "inbox"].iter().any(|name| path.contains(name));
        assert!(appeared.iter().all(expected), "{appeared:?}");
    }
}

#[test]
fn a_guarded_path_is_guarded_however_it_is_written() {
    let stage = Stage::local();
    for path in [
        "/api/users",
        "/api/%75sers",
        "/%61pi/users",
        "/api/users?",
        "/api/users?x=/healthz",
        "/api/users#/healthz",
        "http://localhost/api/users",
        "/api/users/",
        "/api/users/.",
        "/api//users",
        "//api/users",
        "/./api/users",
        "/healthz/../api/users",
        "/healthz/%2e%2e/api/users",
        "/healthz;/api/users",
        "/api/users;x=y",
        "/api/users.json",
        "/api/users%00",
        "/api/users%20",
        "/api\\users",
        "/API/USERS",
        "/api/whoami/../users",
        "/api/whoami%2f..%2fusers",
    ] {
        let reply = ask(&stage, "GET", path);
        assert!([400, 401, 404].contains(&reply.status) && !reply.body.contains("ada"), "{path}: {reply:?}");
    }
}
