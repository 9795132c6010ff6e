//! Single sign-on: tickets that are no good, and a server that is not itself.

use std::fs;

use serde_json::{Value, json};
use ureq::http::header::LOCATION;

use super::markup::{assert_tame, trail};
use super::{Reply, Stage, at_once, get, post, who};
use crate::support::{StandIn, wait_until};

struct Sso {
    service: StandIn,
    stage: Stage,
    /// The cookie of the browser that was sent there, as a field.
    sent: String,
}

impl Sso {
    fn start(arguments: &[&str]) -> Self {
        let service = StandIn::start("examples/cas/cas.py", arguments);
        let url = format!("http://127.0.0.1:{}", service.port);
        let cas = format!("cas = {{ server_url = \"{url}\", unsolicited_tickets = true }}");
        let auth = format!("mode = \"cas\"\ntwo_factor = false\nviewer_groups = [\"viewers\"]\n{cas}\n");
        let stage = Stage::cas(&auth);
        let sent = get(&stage.api, "/api/login", "").cookie();
        Self { service, stage, sent }
    }

    /// A ticket of a user for a page, as the address by which the browser comes back.
    fn way_back(&self, user: &str, next: &str) -> String {
        let away = get(&self.stage.api, &format!("/api/login?next={next}"), &self.sent);
        let form = away.field("location").unwrap().to_owned();
        assert!(form.contains(&self.service.port.to_string()), "{form}");
        let agent: ureq::Agent = ureq::Agent::config_builder().max_redirects(0).build().into();
        let back = agent.post(form).send_form([("user", user)]).unwrap();
        let back = back.headers()[LOCATION].to_str().unwrap().to_owned();
        back.strip_prefix("http://localhost:8000").unwrap().to_owned()
    }

    fn come_back(&self, way: &str, fields: &str) -> Reply {
        get(&self.stage.api, way, &format!("{fields}{}", self.sent))
    }

    fn sign_in(&self, user: &str) -> String {
        let reply = self.come_back(&self.way_back(user, "/"), "");
        assert_eq!((reply.status, reply.field("location")), (303, Some("/")), "{reply:?}");
        reply.cookie()
    }
}

/// Nobody was signed in, and a word says why.
#[track_caller]
fn assert_refused(reply: &Reply, problem: &str) {
    let location = reply.field("location").unwrap_or_default();
    assert!(reply.status == 303 && location.starts_with(&format!("/login?problem={problem}&next=")), "{reply:?}");
    assert!(reply.field("set-cookie").is_none(), "{reply:?}");
}

#[test]
fn a_server_that_is_not_itself_signs_nobody_in_and_keeps_nobody_waiting() {
    let sso = Sso::start(&[]);
    let nonsense = [
        "no-uid",
        "two-uids",
        "two-users",
        "other-user",
        "control",
        "namespace",
        "hidden",
        "bomb",
        "external",
        "deep",
        "latin1",
        "broken",
        "empty",
        "page",
    ];
    let unreachable = ["endless", "error", "redirect", "reset", "short"];
    let all: Vec<(&str, &str)> = nonsense
        .map(|user| (user, "nonsense"))
        .into_iter()
        .chain(unreachable.map(|user| (user, "unreachable")))
        .collect();
    let ways: Vec<String> = all.iter().map(|(user, _)| sso.way_back(user, "/jobs/7")).collect();
    let replies = at_once(all.len() + 5, |n| match ways.get(n) {
        Some(way) => sso.come_back(way, ""),
        None => get(&sso.stage.api, "/healthz", ""),
    });
    for (reply, (user, problem)) in replies.iter().zip(&all) {
        println!("{user}");
        assert_refused(reply, problem);
    }
    assert!(replies[all.len()..].iter().all(|reply| reply.status == 200));
    let sessions = fs::read_to_string(sso.stage.spool.state_directory().join("sessions.json")).unwrap_or_default();
    assert!(!sessions.contains("user"), "{sessions}");
    let log = sso.stage.api.daemon.log();
    assert_tame(&log);
    assert!(!log.contains("root:") && !log.contains("panicked"));
    for line in trail(&sso.stage.spool) {
        assert_eq!((&line["event"], &line["user"]), (&json!("sign_in_refused"), &Value::Null));
    }
    assert_eq!(who(&sso.stage.api, &sso.sign_in("ada")), "ada", "it is well again");
}

#[test]
fn a_ticket_is_good_once_for_one_page_and_for_who_is_not_somebody_else() {
    let sso = Sso::start(&[]);
    let way = sso.way_back("alice", "/jobs/7");
    let reply = sso.come_back(&way, "");
    let alice = reply.cookie();
    assert_eq!((reply.field("location"), who(&sso.stage.api, &alice)), (Some("/jobs/7"), json!("alice")));
    assert_refused(&sso.come_back(&way, ""), "ticket");
    // Of many who come with one ticket at once, one gets in.
    let way = sso.way_back("bob", "/");
    let replies = at_once(6, |_| sso.come_back(&way, ""));
    assert_eq!(replies.iter().filter(|reply| reply.field("set-cookie").is_some()).count(), 1);
    for changed in [
        sso.way_back("ada", "/jobs/7").replace("jobs%2F7", "jobs%2F8"),
        sso.way_back("ada", "/jobs/7").replace("next=", "x="),
        format!("{}&next=//evil.example", sso.way_back("ada", "/jobs/7")),
        sso.way_back("ada", "/").replace("ticket=", "ticket=x"),
    ] {
        assert_refused(&sso.come_back(&changed, ""), "ticket");
    }
    // A link with somebody else's ticket makes nobody work under another name.
    assert_refused(&sso.come_back(&sso.way_back("ada", "/"), &alice), "other_user");
    assert_eq!(who(&sso.stage.api, &alice), "alice");
    // What was there before is not valid after.
    for planted in ["Cookie: session=planted\r\n".to_owned(), alice] {
        let session = sso.come_back(&sso.way_back("alice", "/"), &planted).cookie();
        assert!(
            session != planted && who(&sso.stage.api, &session) == "alice" && who(&sso.stage.api, &planted).is_null()
        );
    }
}

#[test]
fn a_made_up_ticket_is_refused_and_writes_nothing_anywhere_but_its_line() {
    let sso = Sso::start(&[]);
    let endless = "x".repeat(10_000);
    for ticket in [
        "",
        "x",
        "ST-1",
        "TGT-1",
        "%00",
        "ST-1%00",
        "ST-1%0a2026-01-01T00:00:00.000000Z%20%20INFO%20forged:%20x",
        "ST-1%0d%0aSet-Cookie:%20session=evil",
        "ST-%1b%5b2J%c2%9b2J%e2%80%ae%e2%80%a8",
        "ST-1&service=https://evil.example",
        "ST-1%26service=https://evil.example",
        "ST-1%23",
        "..%2f..%2f",
        "%3Ccas:user%3Eada%3C/cas:user%3E",
        "%5D%5D%3E%3C/cas:authenticationFailure%3E%3Ccas:authenticationSuccess%3E",
        &endless,
    ] {
        let reply = sso.come_back(&format!("/api/login?ticket={ticket}&next=/"), "");
        // What the server repeats may be no XML any more, and what is too long not even be taken by it.
        let problem = reply.field("location").unwrap().split(['=', '&']).nth(1).unwrap();
        assert!(["ticket", "nonsense", "unreachable"].contains(&problem), "{ticket:.50}: {problem}");
        assert_refused(&reply, problem);
    }
    let good = sso.way_back("alice", "/");
    assert_eq!(sso.come_back(&good, "").status, 303);
    get(&sso.stage.api, "/api/the-last-one", "");
    wait_until("all is logged", || sso.stage.api.daemon.log().contains("the-last-one"));
    let log = sso.stage.api.daemon.log();
    assert_tame(&log);
    let ticket = good.rsplit('=').next().unwrap();
    assert!(ticket.starts_with("ST-") && !log.contains(ticket), "{log}");
    assert!(trail(&sso.stage.spool).iter().all(|line| !line.to_string().contains(ticket)));
    assert!(!sso.stage.state("sessions.json").to_string().contains(ticket));
}

#[test]
fn an_expired_ticket_is_refused_and_there_is_no_password() {
    let sso = Sso::start(&["--ticket-seconds", "0"]);
    assert_refused(&sso.come_back(&sso.way_back("alice", "/"), ""), "ticket");
    let reply =
        post(&sso.stage.api, "/api/login", "", json!({ "user": "alice", "password": super::PASSWORD }).to_string());
    assert_eq!((reply.status, reply.field("set-cookie")), (400, None));
}

#[test]
fn names_and_groups_of_the_directory_are_what_they_are_everywhere() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("people.json");
    let name = "<img src=x onerror=alert(1)>\u{202e}\"'&/../x";
    let people =
        json!({ name: ["<b>deployers</b>", " deployers", "Deployers", "deployers\u{200b}", "admins,deployers"] });
    fs::write(&file, people.to_string()).unwrap();
    let sso = Sso::start(&["--people", file.to_str().unwrap()]);
    let session = sso.sign_in(name);
    let reply = get(&sso.stage.api, "/api/whoami", &session);
    assert_eq!((reply.json()["user"].as_str(), reply.field("content-type")), (Some(name), Some("application/json")));
    assert_eq!(get(&sso.stage.api, "/api/jobs", &session).code(), "unauthorized", "no group but the exact one counts");
    assert_tame(&sso.stage.api.daemon.log());
    assert_eq!(trail(&sso.stage.spool)[0]["user"], name);
}
