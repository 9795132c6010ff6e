//! What everybody gets on every route. All that follows here follows from the route table: a new line of it appears by
//! itself.

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
const DENIED_WITH_400: [&str; 7] = [
    "POST /api/logoutAll",
    "POST /api/jobs/backport",
    "POST /api/jobs/train",
    "GET /api/jobs/{id:number}/log",
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

/// How somebody is refused on a route, whatever the table shows; `None` if it is the handler that answers.
fn refusal(route: &Route, who: &str) -> Option<Got> {
    use Access::{Admin, AdminLook, Answer, Open, Own, Session, Start, Viewer};
    let access = route.access;
    let denial = if DENIED_WITH_400.contains(&&*name(route)) { 400 } else { 403 };
    let (is_refused, status, code) = match who {
        "nobody" => (access != Open, 401, "needauth"),
        "half" => (!matches!(access, Open | Session), 401, "need2fa"),
        "stranger" => (!matches!(access, Open | Session), 403, "unauthorized"),
        "viewer" => (!matches!(access, Open | Session | Own | Viewer), denial, "forbidden"),
        "user" => (matches!(access, Admin | AdminLook), denial, "forbidden"),
        "admin" => (false, denial, "forbidden"),
        "token:read" => (!matches!(access, Open | Viewer), denial, "forbidden"),
        "token:start" => (!matches!(access, Open | Start), denial, "forbidden"),
        "token:answer" => (!matches!(access, Open | Answer), denial, "forbidden"),
        "admin:read" => (!matches!(access, Open | Viewer | AdminLook), denial, "forbidden"),
        other => panic!("{other} is nobody"),
    };
    is_refused.then(|| (status, code.to_owned()))
}

fn check(route: &Route, who: &str, got: &Got) {
    let is_refusal = ["needauth", "need2fa", "unauthorized", "forbidden"].contains(&&*got.1);
    assert_eq!(is_refusal.then_some(got), refusal(route, who).as_ref(), "{}: {who}", name(route));
    assert_ne!(got.0, 500, "{}: {who}", name(route));
}

fn name(route: &Route) -> String {
    format!("{} {}", route.method, route.path)
}

fn row(name: &str, access: &str, cells: &[String]) -> String {
    let longest = ROUTES.iter().map(|route| self::name(route).len()).max().unwrap();
    let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:16}")).collect();
    format!("{name:longest$}  {access:9}  {}", cells.join("  ")).trim_end().to_owned() + "\n"
}

#[tokio::test]
async fn who_may_use_which_route() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let address = Bench::serve(people.app(&bench)).await;
    let mut table = row("", "", &WHO.map(str::to_owned));
    for route in ROUTES {
        let mut cells = Vec::new();
        for who in WHO {
            let got = ask(address, route, &fields_of(&people, who)).await;
            check(route, who, &got);
            cells.push(format!("{} {}", got.0, got.1));
        }
        table += &row(&name(route), &format!("{:?}", route.access), &cells);
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn what_is_no_proof_is_as_good_as_none() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let address = Bench::serve(people.app(&bench)).await;
    let cookie = people.signed_in("admin");
    let forged = cookie.replace('.', ".0");
    for route in ROUTES.iter().filter(|route| route.access != Access::Open) {
        for fields in [&*forged, "Authorization: Bearer sp_0_0\r\n", &format!("Authorization: Bearer x\r\n{cookie}")] {
            let got = ask(address, route, fields).await;
            assert_eq!(got, (StatusCode::UNAUTHORIZED.as_u16(), "needauth".to_owned()), "{}: {fields}", name(route));
        }
    }
}

#[tokio::test]
async fn no_browser_keeps_a_secret() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let address = Bench::serve(people.app(&bench)).await;
    for (path, kept) in [
        ("/api/2fa", "no-cache, no-store"),
        ("/api/sessions", "no-cache, no-store"),
        ("/api/audit", "no-cache, no-store"),
        ("/api/login", "no-cache, no-store"),
        ("/api/jobs", "no-cache"),
    ] {
        let mut client = Client::connect(address).await;
        let reply = client.ask_as(&people.signed_in("admin"), &format!("GET {path}"), "").await;
        assert_eq!(reply.header("cache-control"), Some(kept), "{path}");
    }
    let half = people.signed_in("half");
    let mut client = Client::connect(address).await;
    let seed = client.ask_as(&half, "POST /api/2fa/enrol", "{}").await;
    assert_eq!((seed.status.as_u16(), seed.header("cache-control")), (200, Some("no-cache, no-store")));
}
