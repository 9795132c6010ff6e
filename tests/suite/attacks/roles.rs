//! People and scripts that want more than they may.

use std::time::Duration;

use serde_json::{Value, json};
use spiderpig::accounts::sessions::after;
use spiderpig::accounts::tokens::{NewToken, Scope, Tokens};
use spiderpig::api::table::ROUTES;
use spiderpig::spool::Time;
use spiderpig::state::StateDirectory;

use super::{Stage, account, ask, code, get, post, sign_in, who};
use crate::support::{TestSpool, wait_until};

/// What is for administrators, whoever else is signed in.
const ADMINISTRATORS: &[&str] = &[
    "GET /metrics",
    "HEAD /metrics",
    "GET /api/users",
    "GET /api/audit",
    "GET /api/users/tokens",
    "POST /api/users/ada/tokens/0123456789/revoke",
    "POST /api/users/alice/reset-second-factor",
    "POST /api/users/ada/end-sessions",
    "POST /api/users/%61da/end-sessions",
    "POST /api/logoutAll",
    "POST /api/%6CogoutAll",
    "POST /api/runner/pause",
    "POST /api/runner/resume",
];

/// What is for those who may start jobs, or answer and stop them.
const USERS: &[&str] = &[
    "POST /api/jobs",
    "POST /api/jobs?dry_run=true",
    "POST /api/jobs/backport?change_url=1",
    "POST /api/jobs/train",
    "POST /api/jobs/1/retry",
    "POST /api/jobs/1/interact/1000001",
    "POST /api/jobs/1/signal/interrupt",
    "POST /api/jobs/1/signal/kill",
];

/// What people do for themselves, and no script for them.
const PEOPLE: &[&str] = &[
    "GET /api/sessions",
    "GET /api/tokens",
    "GET /api/2fa",
    "POST /api/2fa",
    "POST /api/2fa/enrol",
    "POST /api/2fa/confirm",
    "POST /api/2fa/remove",
    "POST /api/2fa/recovery-codes",
    "POST /api/sessions/0123456789abcdef/end",
    "POST /api/sessions/end-others",
    "POST /api/tokens/0123456789/revoke",
];

/// What everybody may see who may use it at all.
const LOOKS: &[&str] = &[
    "GET /api/jobs",
    "GET /api/jobs/1",
    "GET /api/jobs/1/log",
    "GET /api/jobs/1/log/records",
    "GET /api/jobs/1/log/search?q=x",
    "GET /api/jobs/1/log/marks",
    "GET /api/events",
    "GET /api/job-types",
    "GET /api/runner",
    "GET /api/jobrunner/status",
    "GET /api/openapi.json",
    "GET /api/searchPatch?changeNumOrUrl=1",
    "GET /api/changes?change_url=1",
    "GET /api/preflight?change_url=1",
    "GET /api/train/status",
    "GET /api/monitoring/logs/mediawiki",
    "GET /api/monitoring/logs/mediawiki/total",
];

/// What is open, or how one signs in and out.
const OPEN: &[&str] = &["/healthz", "/favicon.ico", "/api/whoami", "/api/login", "/api/logout"];

/// A token; `valid` is for how long.
pub(super) fn token(spool: &TestSpool, user: &str, scopes: &[&str], valid: Duration) -> (String, String) {
    let tokens = Tokens::open(&StateDirectory::new(&spool.state_directory())).unwrap();
    let created = tokens.create(
        NewToken {
            name: "nightly".into(),
            user: user.into(),
            groups: None,
            scopes: scopes.iter().map(|scope| scope.parse::<Scope>().unwrap()).collect(),
            expires: after(Time::now(), valid),
        },
        Time::now(),
    );
    let created = created.unwrap();
    (format!("Authorization: Bearer {}\r\n", created.secret), created.id)
}

const DAY: Duration = Duration::from_hours(24);

#[test]
fn the_lists_above_have_every_route() {
    let listed = |path: &str| {
        let lines = [ADMINISTRATORS, USERS, PEOPLE, LOOKS].concat();
        let same = |line: &&&str| {
            let line = line.split_once(' ').unwrap().1.split('?').next().unwrap();
            let (line, path) = (line.split('/'), path.split('/'));
            line.clone().count() == path.clone().count()
                && line.zip(path).all(|(one, other)| one == other || other.starts_with('{'))
        };
        lines.iter().any(|line| same(&line))
    };
    for route in ROUTES.iter().filter(|route| !route.is_page() && !OPEN.contains(&route.path)) {
        assert!(listed(route.path), "{} is in no list", route.path);
    }
}

/// Nobody of these may do any of this. They are told so by a word, with a status that is no success.
#[track_caller]
fn assert_refused(stage: &Stage, whose: &[(&str, &str)], lines: &[&str], words: &[&str]) {
    for (name, fields) in whose {
        for line in lines {
            let reply = ask(&stage.api, line, fields, "{}");
            assert!([400, 401, 403].contains(&reply.status), "{name}, {line}: {reply:?}");
            if !line.starts_with("HEAD") {
                assert!(words.contains(&&*reply.code()), "{name}, {line}: {reply:?}");
            }
        }
    }
}

#[test]
fn who_has_not_shown_all_that_is_needed_gets_nowhere() {
    let stage = Stage::local();
    let half = sign_in(&stage.api, "bob");
    let stranger = sign_in(&stage.api, "mallory");
    let nobody = [
        ("nobody", ""),
        ("a bad cookie", "Cookie: session=x.y\r\n"),
        ("a bad token", "Authorization: Bearer sp_0123456789_x\r\n"),
        ("no token", "Authorization: Bearer\r\n"),
        ("a password", "Authorization: Basic YWRhOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ==\r\n"),
        ("a header of a proxy", "X-Remote-User: ada\r\nX-Forwarded-User: ada\r\nRemote-User: ada\r\n"),
    ];
    let all = [ADMINISTRATORS, USERS, LOOKS, PEOPLE].concat();
    assert_refused(&stage, &nobody, &all, &["needauth"]);
    let guarded = [ADMINISTRATORS, USERS, LOOKS].concat();
    assert_refused(&stage, &[("without a code", &half)], &guarded, &["need2fa"]);
    assert_refused(&stage, &[("in no group", &stranger)], &guarded, &["unauthorized"]);
    // What is one's own is no use either to who has only a password, but for the way on.
    let own: Vec<&str> = PEOPLE.iter().copied().filter(|line| !line.contains("/2fa")).collect();
    assert_refused(&stage, &[("without a code", &half)], &own, &["need2fa"]);
    for line in ["POST /api/2fa/remove", "POST /api/2fa/recovery-codes"] {
        assert_refused(&stage, &[("without a code", &half)], &[line], &["need2fa"]);
    }
}

#[test]
fn nobody_may_do_more_than_their_groups() {
    let stage = Stage::local();
    let (alice, victor, ada) =
        (sign_in(&stage.api, "alice"), sign_in(&stage.api, "victor"), sign_in(&stage.api, "ada"));
    let half = sign_in(&stage.api, "bob");
    let bob = post(&stage.api, "/api/2fa", &half, code("bob", 0)).cookie();
    let lower = [("a user", &*alice), ("a user with a code", &*bob), ("a viewer", &*victor)];
    assert_refused(&stage, &lower, ADMINISTRATORS, &["forbidden"]);
    assert_refused(&stage, &[("a viewer", &victor)], USERS, &["forbidden"]);
    // None of it was done: nobody was signed out, nothing is paused, and nothing was asked of the runner.
    for (session, user) in [(&alice, "alice"), (&victor, "victor"), (&ada, "ada"), (&bob, "bob")] {
        assert_eq!(who(&stage.api, session), user);
    }
    assert!(stage.spool.names("inbox").is_empty() && stage.spool.names("queue").is_empty());
    assert_eq!(get(&stage.api, "/api/audit", &ada).status, 200);
    // Routes of the first SpiderPig have another status for it, as its page takes 403 for "may not use SpiderPig".
    assert_eq!(post(&stage.api, "/api/logoutAll", &alice, "").status, 400);
    assert_eq!(post(&stage.api, "/api/runner/pause", &alice, "").status, 403);
}

#[test]
fn a_job_type_for_some_is_for_them_only() {
    let stage = Stage::local();
    let path = stage.spool.configuration();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{text}\n[job_types.special]\ncommand = [\"true\"]\ngroups = [\"admins\"]\n"))
        .unwrap();
    let _runner = stage.spool.runner();
    let api = stage.another_api();
    let (alice, ada) = (sign_in(&api, "alice"), sign_in(&api, "ada"));
    let start = |fields: &str| post(&api, "/api/jobs", fields, r#"{"type":"special"}"#);
    let reply = start(&ada);
    assert_eq!(reply.status, 201, "{reply:?}");
    let id = reply.json()["id"].as_u64().unwrap();
    stage.spool.wait_final(id.try_into().unwrap());
    wait_until("it is known to have ended", || {
        get(&api, &format!("/api/jobs/{id}"), &ada).json()["job"]["state"] == "succeeded"
    });
    assert_eq!((start(&alice).status, start(&alice).code().as_str()), (403, "forbidden"));
    assert_eq!(post(&api, "/api/jobs?dry_run=1", &alice, r#"{"type":"special"}"#).code(), "forbidden");
    let retry = format!("/api/jobs/{id}/retry");
    assert_eq!(post(&api, &retry, &alice, "").code(), "forbidden");
    let signal = format!("/api/jobs/{id}/signal/interrupt");
    assert_eq!(post(&api, &signal, &alice, "").code(), "forbidden");
    assert_eq!(post(&api, &signal, &ada, "").status, 409, "it has ended, as those are told whom it is for");
    let records = format!("/api/jobs/{id}/log/records");
    assert_eq!(get(&api, &records, &alice).status, 200, "everybody who may look sees its log");
    let reveal = format!("{records}?include_sensitive=1");
    assert_eq!((get(&api, &reveal, &alice).status, get(&api, &reveal, &ada).status), (403, 200));
    let (bearer, _) = token(&stage.spool, "alice", &["start:special"], DAY);
    wait_until("the token is known", || who(&api, &bearer) == "alice");
    assert_eq!(
        (start(&bearer).code().as_str(), post(&api, &retry, &bearer, "").code().as_str()),
        ("forbidden", "forbidden")
    );
    let (bearer, _) = token(&stage.spool, "ada", &["start:noop"], DAY);
    wait_until("the token is known", || who(&api, &bearer) == "ada");
    assert_eq!(
        (start(&bearer).code().as_str(), post(&api, &retry, &bearer, "").code().as_str()),
        ("forbidden", "forbidden")
    );
    // Nobody answers with another's key for the job that another has started.
    let with_key =
        |fields: &str| post(&api, "/api/jobs", &format!("{fields}Idempotency-Key: one\r\n"), r#"{"type":"special"}"#);
    assert_eq!((with_key(&ada).status, with_key(&alice).status), (201, 403));
}

#[test]
fn a_token_is_good_for_its_scopes_and_nothing_else() {
    let stage = Stage::local();
    let spool = &stage.spool;
    let read = token(spool, "ada", &["read"], DAY).0;
    let start = token(spool, "ada", &["start:noop"], DAY).0;
    let answer = token(spool, "ada", &["answer"], DAY).0;
    let all = token(spool, "ada", &["read", "start:noop", "answer"], DAY).0;
    let viewer = token(spool, "victor", &["read", "start:noop", "answer"], DAY).0;
    let stranger = token(spool, "mallory", &["read", "start:noop", "answer"], DAY).0;
    wait_until("the last one is known", || who(&stage.api, &stranger) == "mallory");
    let forbidden = &["forbidden"][..];
    let whose = [("read", &*read), ("start", &start), ("answer", &answer), ("all", &all), ("viewer", &viewer)];
    let administrators: Vec<&str> = ADMINISTRATORS.iter().copied().filter(|line| !line.ends_with("/metrics")).collect();
    assert_refused(&stage, &whose, &administrators, forbidden);
    assert_refused(&stage, &whose, PEOPLE, forbidden);
    assert_refused(&stage, &[whose[0], whose[4]], USERS, forbidden);
    assert_refused(&stage, &whose[1..3], LOOKS, forbidden);
    let (starts, answers) = USERS.split_at(5);
    assert_refused(&stage, &[("start", &start)], answers, forbidden);
    assert_refused(&stage, &[("answer", &answer)], starts, forbidden);
    assert_refused(&stage, &[("stranger", &stranger)], &[USERS, LOOKS].concat(), &["unauthorized"]);
    let create = |fields: &str, job_type: &str| {
        post(&stage.api, "/api/jobs?dry_run=1", fields, json!({ "type": job_type, "params": {} }).to_string()).status
    };
    assert_eq!((create(&start, "noop"), create(&start, "sh"), create(&start, "parallel")), (200, 403, 403));
    assert_eq!((get(&stage.api, "/api/jobs", &read).status, get(&stage.api, "/metrics", &read).status), (200, 200));
    assert_eq!(get(&stage.api, "/metrics", &viewer).status, 403);
}

#[test]
fn a_token_is_shown_in_one_place_and_stands_for_itself() {
    let stage = Stage::local();
    let (bearer, id) = token(&stage.spool, "alice", &["read"], DAY);
    let session = sign_in(&stage.api, "victor");
    wait_until("it is known", || who(&stage.api, &bearer) == "alice");
    let secret = bearer.trim().rsplit(' ').next().unwrap();
    for elsewhere in [
        format!("Cookie: session={secret}\r\n"),
        format!("X-Api-Key: {secret}\r\n"),
        format!("Authorization: Basic {secret}\r\n"),
        format!("Authorization: {secret}\r\n"),
        format!("Authorization: Bearer{secret}\r\n"),
        format!("Authorization: Bearer {id}\r\n"),
        format!("Authorization: Bearer {secret}x\r\n"),
        format!("Authorization: Bearer {}\r\n", &secret[..secret.len() - 1]),
        format!("Authorization: Bearer {secret}, Bearer {secret}\r\n"),
        format!("Proxy-Authorization: Bearer {secret}\r\n"),
    ] {
        assert_eq!(who(&stage.api, &elsewhere), Value::Null, "{elsewhere}");
    }
    for query in [format!("?token={secret}"), format!("?access_token={secret}")] {
        assert_eq!(get(&stage.api, &format!("/api/jobs{query}"), "").status, 401);
    }
    // A bad token is not helped by a good cookie, nor by a second one; a good one is not raised by a cookie.
    let bad = "Authorization: Bearer sp_0123456789_x\r\n";
    assert_eq!(who(&stage.api, &format!("{bad}{session}")), Value::Null);
    assert_eq!(who(&stage.api, &format!("{bad}{bearer}")), Value::Null);
    let ada = sign_in(&stage.api, "ada");
    assert_eq!(get(&stage.api, "/api/users", &format!("{bearer}{ada}")).code(), "forbidden");
    assert_eq!(who(&stage.api, &format!("Authorization: Basic eDp5\r\n{session}")), "victor", "a proxy's business");
    // One that expires, and one whose user may no longer sign in, are none.
    let gone = token(&stage.spool, "alice", &["read"], Duration::ZERO).0;
    let last = token(&stage.spool, "alice", &["read"], DAY).0;
    wait_until("the last one is known", || who(&stage.api, &last) == "alice");
    assert_eq!(who(&stage.api, &gone), Value::Null);
    stage.set_account("alice", &format!("{}disabled = true\n", account("alice", "deployers")));
    wait_until("she is out", || who(&stage.api, &last) == Value::Null);
    assert_eq!((get(&stage.api, "/api/jobs", &bearer).status, who(&stage.api, &session)), (401, json!("victor")));
}

#[test]
fn groups_are_those_of_now() {
    let stage = Stage::local();
    let another = stage.another_api();
    let session = sign_in(&stage.api, "alice");
    let dry = |api| post(api, "/api/jobs?dry_run=1", &session, r#"{"type":"noop"}"#).status;
    let admin = |api| get(api, "/api/users", &session).status;
    for api in [&stage.api, &another] {
        wait_until("she is known", || who(api, &session) == "alice");
        assert_eq!((dry(api), admin(api)), (200, 403));
    }
    for (group, expected) in [("viewers", (403, 403)), ("admins", (200, 200)), ("gardeners", (403, 403))] {
        stage.set_account("alice", &account("alice", group));
        for api in [&stage.api, &another] {
            wait_until(&format!("{group} may what they may"), || (dry(api), admin(api)) == expected);
        }
    }
    // Whose account is gone, or is another one by now, is signed out.
    stage.set_account("alice", "");
    wait_until("she is out", || who(&another, &session) == Value::Null);
    let other = super::HASH.replace("c29tZXNhbHQ", "c29tZXNhbHU");
    stage.set_account("alice", &account("alice", "admins").replace(super::HASH, &other));
    stage.set_account("carol", &account("carol", "deployers"));
    wait_until("the file was read", || super::try_password(&another, "carol", super::PASSWORD, "").status == 200);
    assert_eq!(who(&another, &session), Value::Null, "it is another password");
}

#[test]
fn nobody_ends_what_is_another_users() {
    let stage = Stage::local();
    let (alice, victor) = (sign_in(&stage.api, "alice"), sign_in(&stage.api, "victor"));
    let id = get(&stage.api, "/api/sessions", &victor).json()["sessions"][0]["id"].as_str().unwrap().to_owned();
    let (bearer, token_id) = token(&stage.spool, "victor", &["read"], DAY);
    wait_until("it is known", || who(&stage.api, &bearer) == "victor");
    for path in
        [format!("/api/sessions/{id}/end"), format!("/api/tokens/{token_id}/revoke"), "/api/sessions//end".into()]
    {
        assert_eq!(post(&stage.api, &path, &alice, "").status, 404, "{path}");
    }
    let all = stage.state("sessions.json").as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for key in all.iter().flat_map(|key| [key.clone(), key[..15].to_owned(), "%25".to_owned(), "*".to_owned()]) {
        assert_eq!(post(&stage.api, &format!("/api/sessions/{key}/end"), &alice, "").status, 404, "{key}");
    }
    assert_eq!(post(&stage.api, "/api/sessions/end-others", &alice, "").json()["ended"], 0);
    for mine in ["/api/sessions", "/api/tokens"] {
        assert!(
            !get(&stage.api, mine, &alice).body.contains(&id)
                && !get(&stage.api, mine, &alice).body.contains(&token_id)
        );
    }
    assert_eq!((who(&stage.api, &victor), who(&stage.api, &bearer)), (json!("victor"), json!("victor")));
}
