//! What everybody gets on every route. All that follows here follows from the route table: a new line of it appears by
//! itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use hyper::StatusCode;
use serde_json::Value;

use super::access::Access;
use super::testing::People;
use crate::api::routes::{ROUTES, Route, Segment};
use crate::api::testing::{Bench, Client};
use crate::spool::Time;

/// Who asks: the columns of the table. `token:read` and those after it are scripts of `user`, the last one is one of
/// `admin`.
const WHO: [&str; 10] = [
    "nobody",
    "half",
    "stranger",
    "viewer",
    "user",
    "admin",
    "token:read",
    "token:start",
    "token:answer",
    "admin:read",
];

/// The routes that people have known for longer than roles. There 403 means that somebody may not use SpiderPig at all.
const DENIED_WITH_400: [&str; 6] = [
    "POST /api/logoutAll",
    "POST /api/jobs/backport",
    "POST /api/jobs/train",
    "POST /api/jobs/{id:number}/retry",
    "POST /api/jobs/{id:number}/interact/{iid:number}",
    "POST /api/jobs/{id:number}/signal/{signal:text}",
];

/// What somebody got: the status, and the `code` of a refusal.
type Got = (u16, String);

fn fields_of(people: &People, who: &str) -> String {
    match who {
        "nobody" => String::new(),
        "token:read" => people.token("user", &["read"], Time::now()),
        "token:start" => people.token("user", &["start:greet"], Time::now()),
        "token:answer" => people.token("user", &["answer"], Time::now()),
        "admin:read" => people.token("admin", &["read"], Time::now()),
        // Each request has a session of its own: some routes end it.
        user => people.signed_in(user),
    }
}

/// A path that the route fits. There is no job, and nothing else that it could name.
fn path(route: &Route) -> String {
    let segment = |segment| match segment {
        Segment::Literal(text) => format!("/{text}"),
        Segment::Number(_) => "/1".to_owned(),
        Segment::Text(_) => "/none".to_owned(),
    };
    let path: String = route.segments().map(segment).collect();
    if path.is_empty() { "/".to_owned() } else { path }
}

async fn ask(address: SocketAddr, route: &Route, fields: &str) -> Got {
    let mut client = Client::connect(address).await;
    let (method, path) = (&route.method, path(route));
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: 0\r\n\r\n");
    client.write(head).await;
    let reply = client.reply_or_stream().await;
    let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
    (reply.status.as_u16(), body["detail"]["code"].as_str().unwrap_or_default().to_owned())
}

/// What must hold whatever the table looks like.
fn check(route: &Route, got: &BTreeMap<&str, Got>) {
    use Access::{Admin, AdminLook, Answer, Open, Own, Session, Start, Viewer};
    let name = name(route);
    let denial = route.denial.as_u16();
    let refused = |who: &str, status: u16, code: &str, expected: bool| {
        assert_eq!(got[who] == (status, code.to_owned()), expected, "{name}: {who} gets {:?}", got[who]);
    };
    let access = route.access;
    refused("nobody", 401, "needauth", access != Open);
    refused("half", 401, "need2fa", !matches!(access, Open | Session));
    refused("stranger", 403, "unauthorized", !matches!(access, Open | Session));
    refused("viewer", denial, "forbidden", matches!(access, Start | Answer | AdminLook | Admin));
    refused("user", denial, "forbidden", matches!(access, AdminLook | Admin));
    refused("admin", denial, "forbidden", false);
    refused("token:read", denial, "forbidden", !matches!(access, Open | Viewer));
    refused("token:start", denial, "forbidden", !matches!(access, Open | Start));
    refused("token:answer", denial, "forbidden", !matches!(access, Open | Answer));
    refused("admin:read", denial, "forbidden", !matches!(access, Open | Viewer | AdminLook));
    if matches!(access, Own | Session | Admin) {
        assert!(got.iter().all(|(who, got)| !who.contains(':') || got.1 == "forbidden"), "{name}: {got:?}");
    }
    let codes = ["needauth", "need2fa", "unauthorized"];
    for (who, (status, code)) in got {
        let is_known = codes.contains(&code.as_str());
        assert!(!is_known || *status == if code == "unauthorized" { 403 } else { 401 }, "{name}: {who}");
        assert!(*status != 500, "{name}: {who}");
    }
    assert!(denial == if DENIED_WITH_400.contains(&&*name) { 400 } else { 403 }, "{name}: {denial}");
}

fn name(route: &Route) -> String {
    format!("{} {}", route.method, route.path)
}

#[tokio::test]
async fn who_may_use_which_route() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let address = Bench::serve(people.app(&bench)).await;
    let longest = ROUTES.iter().map(|route| name(route).len()).max().unwrap();
    let mut table = format!("{:longest$}  {:9}", "", "");
    WHO.iter().for_each(|who| write!(table, "  {who:16}").unwrap());
    for route in ROUTES {
        let mut got = BTreeMap::new();
        for who in WHO {
            got.insert(who, ask(address, route, &fields_of(&people, who)).await);
        }
        check(route, &got);
        let access = format!("{:?}", route.access);
        write!(table, "\n{:longest$}  {access:9}", name(route)).unwrap();
        WHO.iter().for_each(|who| write!(table, "  {:16}", format!("{} {}", got[who].0, got[who].1)).unwrap());
    }
    let table: String = table.lines().flat_map(|line| [line.trim_end(), "\n"]).collect();
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn what_is_no_proof_is_as_good_as_none() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let address = Bench::serve(people.app(&bench)).await;
    let cookie = people.signed_in("admin");
    let forged = cookie.replace(".", ".0");
    for route in ROUTES.iter().filter(|route| route.access != Access::Open) {
        for fields in [&*forged, "Authorization: Bearer sp_0_0\r\n", &format!("Authorization: Bearer x\r\n{cookie}")] {
            let got = ask(address, route, fields).await;
            assert_eq!(got, (StatusCode::UNAUTHORIZED.as_u16(), "needauth".to_owned()), "{}: {fields}", name(route));
        }
    }
}
