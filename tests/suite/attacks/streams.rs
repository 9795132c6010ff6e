//! Who was let in once, and stays.

use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::roles::token;
use super::{HASH, Stage, account, get, post, sign_in, who};
use crate::client::Api;
use crate::server::connect;
use crate::support::{DEADLINE, wait_until};

/// A stream that has begun.
struct Watched {
    stream: TcpStream,
    begin: String,
}

impl Watched {
    fn open(api: &Api, path: &str, fields: &str) -> Self {
        let mut stream = connect(api);
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").as_bytes()).unwrap();
        let mut watched = Self { stream, begin: String::new() };
        watched.read_until("\r\n\r\n");
        assert!(watched.begin.starts_with("HTTP/1.1 200 "), "{path}: {}", watched.begin);
        watched
    }

    /// Reads until a text has come.
    fn read_until(&mut self, text: &str) {
        let mut piece = [0; 4096];
        while !self.begin.contains(text) {
            let length =
                self.stream.read(&mut piece).unwrap_or_else(|error| panic!("{error}, and no {text} in {}", self.begin));
            assert!(length > 0, "it ended before {text}: {}", self.begin);
            self.begin.push_str(&String::from_utf8_lossy(&piece[..length]));
        }
    }

    /// Waits until the server has ended it: in order, by the last chunk, or by a cut if it would look complete otherwise,
    /// as plain text does. Heartbeats do not make it longer.
    #[track_caller]
    fn assert_ends(mut self, how: &str) {
        let deadline = Instant::now() + DEADLINE;
        let mut piece = [0; 4096];
        let is_text = self.begin.contains("text/plain");
        while !self.begin.ends_with("\r\n0\r\n\r\n") {
            assert!(Instant::now() < deadline, "{how}: it goes on: {}", self.begin);
            let length = self.stream.read(&mut piece).unwrap();
            if length == 0 && is_text {
                return;
            }
            assert!(length > 0, "{how}: it was cut off: {}", self.begin);
            self.begin.push_str(&String::from_utf8_lossy(&piece[..length]));
        }
        assert!(!is_text, "{how}: it looks complete: {}", self.begin);
    }
}

/// How somebody loses what they had.
struct Loss<'a> {
    how: &'a str,
    user: &'a str,
    cause: &'a dyn Fn(&Stage, &str),
}

/// Ends all sessions of a user but a new one.
fn end_by_id(stage: &Stage, session: &str) {
    let user = who(&stage.api, session);
    let other = sign_in(&stage.api, user.as_str().unwrap());
    let sessions = get(&stage.api, "/api/sessions", &other).json();
    for session in sessions["sessions"].as_array().unwrap().iter().filter(|session| session["current"] == false) {
        let id = session["id"].as_str().unwrap();
        assert_eq!(post(&stage.api, &format!("/api/sessions/{id}/end"), &other, "").status, 200);
    }
}

fn by_an_admin(stage: &Stage, path: &str) {
    let ada = sign_in(&stage.api, "ada");
    let reply = post(&stage.api, path, &ada, "");
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// The changes by which the sessions of a user end, or are not worth as much any more.
const LOSSES: &[Loss] = &[
    Loss {
        how: "signed out",
        user: "alice",
        cause: &|stage, session| {
            assert_eq!(post(&stage.api, "/api/logout", session, "").status, 200);
        },
    },
    Loss { how: "ended by its owner", user: "alice", cause: &end_by_id },
    Loss {
        how: "ended by an admin",
        user: "alice",
        cause: &|stage, _| by_an_admin(stage, "/api/users/alice/end-sessions"),
    },
    Loss {
        how: "a lower role",
        user: "alice",
        cause: &|stage, _| {
            stage.set_account("alice", &account("alice", "viewers"));
        },
    },
    Loss {
        how: "another password",
        user: "victor",
        cause: &|stage, _| {
            let other = HASH.replace("c29tZXNhbHQ", "c29tZXNhbHU");
            stage.set_account("victor", &account("victor", "viewers").replace(HASH, &other));
        },
    },
    Loss {
        how: "disabled",
        user: "alice",
        cause: &|stage, _| {
            stage.set_account("alice", &format!("{}disabled = true\n", account("alice", "viewers")));
        },
    },
    Loss {
        how: "everybody is signed out",
        user: "ada",
        cause: &|stage, session| {
            assert_eq!(post(&stage.api, "/api/logoutAll", session, "").status, 200);
        },
    },
];

#[test]
fn who_is_put_out_is_out_of_streams_too_at_every_process() {
    let stage = Stage::local();
    let _runner = stage.spool.runner();
    let another = stage.another_api();
    let id = stage.spool.submit_script("echo up; sleep 600");
    stage.spool.wait_status(id, "it runs", |status| status.state == spiderpig::spool::status::State::Running);
    let (bystander, _) = token(&stage.spool, "ada", &["read"], Duration::from_hours(1));
    wait_until("the token is known", || who(&another, &bystander) == "ada" && who(&stage.api, &bystander) == "ada");
    let log = format!("/api/jobs/{id}/log");
    for api in [&stage.api, &another] {
        wait_until("the job is known", || get(api, &format!("/api/jobs/{id}"), &bystander).status == 200);
    }
    let mut stay = [&stage.api, &another].map(|api| Watched::open(api, "/api/events", &bystander));
    let paths = ["/api/events", &log, &format!("{log}?format=text")];
    for Loss { how, user, cause } in LOSSES {
        let session = sign_in(&stage.api, user);
        wait_until("the other one knows the session", || who(&another, &session) == **user);
        let open = |api| paths.map(|path| Watched::open(api, path, &session));
        let streams = [open(&stage.api), open(&another)];
        cause(&stage, &session);
        for stream in streams.into_iter().flatten() {
            stream.assert_ends(how);
        }
    }
    // Everybody else goes on.
    let news = stage.spool.submit_script("true");
    for stream in &mut stay {
        stream.read_until(&format!("\"id\":{news},"));
    }
}

#[test]
fn a_token_that_is_revoked_ends_what_it_opened() {
    let stage = Stage::local();
    let another = stage.another_api();
    let tokens = ["alice", "victor"].map(|user| token(&stage.spool, user, &["read"], Duration::from_hours(1)));
    for api in [&stage.api, &another] {
        wait_until("they are known", || who(api, &tokens[1].0) == "victor");
    }
    let open = |bearer: &str| [&stage.api, &another].map(|api| Watched::open(api, "/api/events", bearer));
    let (first, second) = (open(&tokens[0].0), open(&tokens[1].0));
    let alice = sign_in(&stage.api, "alice");
    assert_eq!(post(&stage.api, &format!("/api/tokens/{}/revoke", tokens[0].1), &alice, "").status, 200);
    for stream in first {
        stream.assert_ends("revoked");
    }
    let revoke = ["token", "revoke", &tokens[1].1];
    assert!(stage.spool.command("spiderpig-api").args(revoke).status().unwrap().success());
    for stream in second {
        stream.assert_ends("revoked by an operator");
    }
}

#[test]
fn who_loses_the_second_factor_to_an_admin_is_out() {
    let stage = Stage::local();
    let half = sign_in(&stage.api, "bob");
    let bob = post(&stage.api, "/api/2fa", &half, super::code("bob", 0)).cookie();
    let stream = Watched::open(&stage.api, "/api/events", &bob);
    by_an_admin(&stage, "/api/users/bob/reset-second-factor");
    stream.assert_ends("a reset");
    assert_eq!(who(&stage.api, &bob), serde_json::Value::Null);
}

#[test]
fn one_user_has_so_many_streams_at_once_and_others_have_theirs() {
    let stage = Stage::local();
    let [alice, ada] = ["alice", "ada"].map(|user| sign_in(&stage.api, user));
    let streams: Vec<Watched> = (0..100).map(|_| Watched::open(&stage.api, "/api/events", &alice)).collect();
    let refused = get(&stage.api, "/api/events", &alice);
    assert!(refused.status == 429 && refused.body.contains("close some of them"), "{refused:?}");
    let _other = Watched::open(&stage.api, "/api/events", &ada);
    drop(streams);
    wait_until("there is room again", || {
        let mut stream = connect(&stage.api);
        stream.write_all(format!("GET /api/events HTTP/1.1\r\nHost: localhost\r\n{alice}\r\n").as_bytes()).unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        status == *b"HTTP/1.1 200"
    });
}
