//! What everybody gets on every route. All that follows here follows from the route table: a new line of it appears by
//! itself.

use std::net::SocketAddr;

use hyper::StatusCode;
use serde_json::Value;

use super::route::Route;
use super::table::ROUTES;
use super::testing::{Bench, Client, prompt, status};
use crate::accounts::access::Access;
use crate::accounts::testing::{HASH, People};
use crate::http::path::Segment;
use crate::spool::Time;
use crate::spool::atomic;
use crate::spool::atomic::Durability;
use crate::spool::job::LockedJob;
use crate::spool::outcome::Outcome;
use crate::spool::status::State;

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

/// Who asks for the jobs of a type that is for the group `crew`: `user` and `admin` are not in it, the others are, also the
/// scripts. `token:answer` may answer jobs of every type, and `token:other` those of another one.
const BEFORE_A_GUARDED_JOB: [&str; 9] = [
    "user",
    "admin",
    "crew:viewer",
    "crew:user",
    "crew:admin",
    "token:answer",
    "token:answer:greet",
    "token:other",
    "user:answer:greet",
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
    let path: String = route.pattern().segments().map(segment).collect();
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

/// The fields of somebody before a guarded job.
fn fields_at_job(people: &People, who: &str) -> String {
    let token = |user: &str, scope: &str| people.token(user, &[scope], Time::now());
    match who {
        "token:answer" => token("crew_user", "answer"),
        "token:answer:greet" => token("crew_user", "answer:greet"),
        "token:other" => token("crew_user", "answer:other"),
        "user:answer:greet" => token("user", "answer:greet"),
        user => people.signed_in(&user.replace(':', "_")),
    }
}

/// Jobs of a type that is for `crew`: 1 asks something, 2 has failed.
fn guarded_jobs(bench: &Bench, people: &mut People) -> Vec<LockedJob> {
    let text = |name: &str, groups: &str| format!("[users.{name}]\npassword = \"{HASH}\"\ngroups = [{groups}]\n");
    let crew = [("viewer", "readers"), ("user", "deployers"), ("admin", "admins")];
    let mut users: String =
        crew.map(|(name, group)| text(&format!("crew_{name}"), &format!("{group:?}, \"crew\""))).concat();
    users += &crew.map(|(name, group)| text(name, &format!("{group:?}"))).concat();
    atomic::replace(&people.config.auth.users_file, users.as_bytes(), 0o640, Durability::Ordered).unwrap();
    people.guard.refresh();
    for user in ["crew_viewer", "crew_user", "crew_admin"] {
        people.enrol(user);
    }
    people.config.job_types.get_mut("greet").unwrap().groups = vec!["crew".into()];
    let mut asks = status(1, State::Running);
    asks.interaction = Some(prompt(1));
    let asks = bench.claim(&asks);
    let mut failed = status(2, State::Running);
    let ended = bench.claim(&failed);
    failed.finish(State::Failed, Outcome::Failed, None);
    bench.finish(&ended, &failed);
    crate::spool::sequence::repair(&bench.spool, &bench.runner, 2, 0).unwrap();
    vec![asks, ended]
}

#[tokio::test]
async fn what_the_groups_of_a_job_type_guard() {
    let requests = [
        "GET /api/jobs/1",
        "GET /api/jobs/1/log/records",
        "GET /api/jobs/1/log/records?include_sensitive=1",
        "GET /api/jobs/1/log/search?q=x&include_sensitive=1",
        "GET /api/jobs/2/log?include_sensitive=1",
        "POST /api/jobs/1/interact/1000001",
        "POST /api/jobs/1/signal/interrupt",
        "POST /api/jobs/1/signal/kill",
        "POST /api/jobs/2/retry",
        "POST /api/jobs",
    ];
    let longest = requests.iter().map(|request| request.len()).max().unwrap();
    let line = |first: &str, cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:18}")).collect();
        format!("{first:longest$}  {}", cells.join("  ")).trim_end().to_owned() + "\n"
    };
    let mut table = line("", &BEFORE_A_GUARDED_JOB.map(str::to_owned));
    let mut columns = Vec::new();
    for who in BEFORE_A_GUARDED_JOB {
        // Each finds the jobs as they were before others came.
        let bench = Bench::new();
        let mut people = People::of(&bench);
        let _jobs = guarded_jobs(&bench, &mut people);
        let address = Bench::serve(people.app(&bench)).await;
        let fields = fields_at_job(&people, who);
        let mut cells = Vec::new();
        for request in requests {
            let body = match request {
                "POST /api/jobs" => r#"{"type":"greet","params":{"name":"World"}}"#,
                _ if request.contains("interact") => "y",
                _ => "",
            };
            let length = body.len();
            let head = format!("{request} HTTP/1.1\r\nHost: localhost\r\n{fields}Content-Length: {length}\r\n\r\n");
            let mut client = Client::connect(address).await;
            client.write(head + body).await;
            let reply = client.reply_or_stream().await;
            let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
            let code = body["detail"]["code"].as_str().unwrap_or_default();
            cells.push(format!("{} {code}", reply.status.as_u16()));
        }
        columns.push(cells);
    }
    for (row, request) in requests.iter().enumerate() {
        table += &line(request, &columns.iter().map(|cells| cells[row].clone()).collect::<Vec<_>>());
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
