//! Pages of other sites: links that lead away, requests that a browser is made to send, and names that lead to us.

use spiderpig::api::route::Route;
use spiderpig::api::table::ROUTES;

use super::{Reply, Stage, ask, get, post, send, sign_in, who};
use crate::support::StandIn;

/// Where nobody must be sent.
const AWAY: &[&str] = &[
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java%0Ascript:alert(1)",
    "data:text/html,x",
    "%2F%2Fevil.example",
    "//evil.example",
    "///evil.example",
    "/%5Cevil.example",
    "%5C%5Cevil.example",
    "%5C/evil.example",
    "/%09/evil.example",
    "%09//evil.example",
    "/%0A/evil.example",
    "/%0D%0A/evil.example",
    "%20//evil.example",
    "/jobs%0D%0ASet-Cookie:%20session=evil",
    "/jobs%0ALocation:%20https://evil.example",
    "/jobs%00",
    "/jobs%C2%85evil",
    "https://evil.example/",
    "https:evil.example",
    "http:/evil.example",
    "evil.example",
    "@evil.example",
    ".evil.example",
    "?next=//evil.example",
    "",
    // To where the next ticket would be taken.
    "/api/login?ticket=ST-evil",
    "/jobs&next=//evil.example",
];

/// Whether the answer leads to a place of ours, and nothing came into its head.
#[track_caller]
fn assert_stays(reply: &Reply, expected: &str, next: &str) {
    assert_eq!((reply.status, leads_to(reply).as_str()), (303, expected), "{next}: {reply:?}");
    assert_eq!(reply.head.matches("ocation:").count(), 1, "{next}: {reply:?}");
    // That of the browser on its way to the single sign-on lets nobody in.
    assert!(reply.field("set-cookie").is_none_or(|cookie| cookie.starts_with("sign_in=")), "{next}: {reply:?}");
}

/// Where the answer leads to. The state of a browser on its way to the single sign-on is different each time.
fn leads_to(reply: &Reply) -> String {
    let location = reply.field("location").unwrap();
    let state = location.split_once("state%3D").map_or("", |(_, rest)| rest.get(..64).unwrap());
    assert!(state.bytes().all(|digit| digit.is_ascii_hexdigit()), "{location}");
    if state.is_empty() { location.to_owned() } else { location.replace(state, "STATE") }
}

#[test]
fn a_link_leads_nobody_away_after_signing_in() {
    let sso = StandIn::start("examples/cas/cas.py", &[]);
    let sso_url = format!("http://127.0.0.1:{}", sso.port);
    let auth = format!("mode = \"cas\"\ncas = {{ server_url = \"{sso_url}\" }}\n");
    let away = format!("{sso_url}/login?service=http%3A%2F%2Flocalhost%3A8000%2Fapi%2Flogin%3Fstate%3DSTATE");
    let (open, local, cas) = (Stage::open(), Stage::local(), Stage::cas(&auth));
    for (stage, first, to) in
        [(&open, "/", ""), (&local, "/login?next=/", "/login?next="), (&cas, &*away, "%26next%3D")]
    {
        for next in AWAY {
            assert_stays(&get(&stage.api, &format!("/api/login?next={next}"), ""), first, next);
        }
        assert_stays(&get(&stage.api, "/api/login?redirect=//evil.example&url=//evil.example", ""), first, "redirect");
        // A place of ours is kept, so it is the place that was refused above.
        let kept = leads_to(&get(&stage.api, "/api/login?next=/jobs/7", ""));
        assert!(kept.contains(to) && kept.contains('7') && !kept.ends_with("next=/"), "{kept}");
        assert_ne!(kept, first);
    }
}

/// A request of a route, with something in the place of each parameter.
fn line(route: &Route) -> String {
    let segments = route.path.split('/').map(|segment| if segment.starts_with('{') { "1" } else { segment });
    format!("{} {}", route.method, segments.collect::<Vec<_>>().join("/"))
}

/// What changes something.
fn changes() -> Vec<String> {
    ROUTES.iter().filter(|route| route.method != "GET").map(line).collect()
}

#[test]
fn a_page_elsewhere_changes_nothing() {
    let stage = Stage::open();
    let marks = [
        "Origin: https://evil.example",
        "Origin: null",
        "Origin:",
        "Origin: http://localhost.evil.example",
        "Origin: http://evil.example:8000",
        "Origin: http://localhost:8000@evil.example",
        "Origin: http://evil.example#localhost",
        "Origin: https://localhost:8000, https://evil.example",
        "Origin: file://",
        "Origin: chrome-extension://abcdef",
        "Origin: http://localhost\r\nOrigin: https://evil.example",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: cross-site\r\nOrigin: http://localhost",
    ];
    let lines = changes();
    assert!(lines.len() > 15, "{lines:?}");
    for line in &lines {
        for mark in marks {
            let reply = ask(&stage.api, line, &format!("{mark}\r\nContent-Type: text/plain\r\n"), "{}");
            assert_eq!(reply.status, 403, "{line}, {mark}: {reply:?}");
        }
    }
    // The same requests of a page of ours do get through, to whatever is wrong with them.
    for line in &lines {
        let reply = ask(&stage.api, line, "Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n", "{}");
        assert_ne!(reply.status, 403, "{line}: {reply:?}");
    }
}

#[test]
fn a_form_of_another_site_signs_nobody_in() {
    let stage = Stage::local();
    let form = format!("user=alice&password={}", super::PASSWORD.replace(' ', "+"));
    for kind in ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"] {
        let reply = post(&stage.api, "/api/login", &format!("Content-Type: {kind}\r\n"), &form);
        assert_eq!((reply.status, reply.cookie()), (422, String::new()), "{kind}");
    }
    // The trick with a form whose one field makes JSON does not help: browsers say where it comes from.
    let json = format!("{{\"user\":\"alice\",\"password\":\"{}\"}}", super::PASSWORD);
    for mark in ["Origin: https://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        let reply = post(&stage.api, "/api/login", &format!("Content-Type: text/plain\r\n{mark}"), &json);
        assert_eq!((reply.status, reply.cookie()), (403, String::new()), "{mark}");
    }
    // Nor is anybody signed out by one.
    let session = sign_in(&stage.api, "alice");
    let reply = post(&stage.api, "/api/logout", &format!("Origin: https://evil.example\r\n{session}"), "");
    assert_eq!((reply.status, reply.field("set-cookie"), who(&stage.api, &session)), (403, None, "alice".into()));
}

#[test]
fn no_other_site_reads_an_answer() {
    let stage = Stage::local();
    let session = sign_in(&stage.api, "alice");
    let preflight = "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n\
                     Access-Control-Request-Headers: content-type\r\n";
    for (line, fields) in [
        ("GET /api/jobs", format!("Origin: https://evil.example\r\n{session}")),
        ("OPTIONS /api/jobs", preflight.to_owned()),
        ("GET /api/whoami", "Origin: null\r\n".to_owned()),
    ] {
        let reply = ask(&stage.api, line, &fields, "");
        assert!(!reply.head.to_ascii_lowercase().contains("access-control-"), "{reply:?}");
        assert_eq!(reply.field("cross-origin-resource-policy"), Some("same-origin"));
    }
    assert_eq!(ask(&stage.api, "OPTIONS /api/jobs", preflight, "").status, 405);
    // JSON that a script element loads is no script: it is not sent as one, and browsers must not guess.
    let reply = get(&stage.api, "/api/jobs", &session);
    assert_eq!(
        (reply.field("content-type"), reply.field("x-content-type-options")),
        (Some("application/json"), Some("nosniff"))
    );
}

#[test]
fn a_name_that_leads_here_and_is_not_ours_reaches_nothing() {
    let stage = Stage::open();
    let ask = |line: &str, host: &str| {
        Reply::parse(&send(
            &stage.api,
            format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes(),
        ))
    };
    let lines: Vec<String> = ROUTES.iter().map(line).chain(["GET /nowhere".into(), "OPTIONS *".into()]).collect();
    for line in &lines {
        let reply = ask(line, "rebound.evil.example:8000");
        assert_eq!(reply.status, 421, "{line}: {reply:?}");
    }
    for host in [
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil-localhost",
        "localhost.",
        "127.0.0.1.",
        "127.1",
        "127.0.0.2",
        "0.0.0.0",
        "2130706433",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]",
        "[::1%25lo]",
        "[::1]evil.example",
        "::1",
        "[::1",
        "localhost@evil.example",
        "evil.example@localhost",
        "localhost:80@evil.example",
        "localhost:",
        "localhost:-1",
        "localhost:+80",
        "localhost:65536",
        "localhost:80:80",
        "localhost, evil.example",
        "localhost/evil.example",
        "localhost#",
        "localhost?",
        "local%68ost",
        "l\u{ea}calhost",
        "ⅼocalhost",
        "",
    ] {
        assert_eq!(ask("POST /api/runner/resume", host).status, 421, "{host}");
    }
    for target in [
        "http://evil.example/api/jobs",
        "http://evil.example:8000/api/jobs",
        "http://localhost@evil.example/api/jobs",
        "http://evil.example@localhost/api/jobs",
        "http://localhost./api/jobs",
        "https://[::ffff:127.0.0.1]/api/jobs",
    ] {
        let status = ask(&format!("GET {target}"), "localhost").status;
        assert!([400, 421].contains(&status), "{target}: {status}");
    }
    for host in ["localhost", "LocalHost:1", "127.0.0.1:65535", "[::1]", "[::1]:0"] {
        assert_eq!(ask("GET http://127.0.0.1:9/api/jobs", host).status, 200, "{host}");
    }
}
