//! Where secrets must not be: in the log, in the trail, in answers that refuse something, and in files that can do without.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{PASSWORD, RECOVERY_CODE, Reply, SEEDS, Stage, code, get, post, try_password};
use crate::client::{self, Api};
use crate::otp;
use crate::support::{kill_process, wait_until};

/// All that was asked of an API, and what must be nowhere.
struct Story {
    api: Api,
    replies: Vec<Reply>,
    secrets: Vec<String>,
}

impl Story {
    fn post(&mut self, path: &str, fields: &str, body: impl AsRef<[u8]>) -> Reply {
        self.replies.push(post(&self.api, path, fields, body));
        self.replies.last().unwrap().clone()
    }

    fn secret(&mut self, secret: impl Into<String>) -> String {
        self.secrets.push(secret.into());
        self.secrets.last().unwrap().clone()
    }

    fn sign_in(&mut self, user: &str) -> String {
        let reply = self.post("/api/login", "", json!({ "user": user, "password": PASSWORD }).to_string());
        self.keep_cookie(&reply)
    }

    /// Both halves of a cookie are worth something.
    fn keep_cookie(&mut self, reply: &Reply) -> String {
        let cookie = reply.cookie();
        let value = cookie.trim().rsplit('=').next().unwrap();
        value.split('.').for_each(|half| _ = self.secret(half));
        cookie
    }

    fn keep_all(&mut self, value: &Value) {
        value.as_array().unwrap().iter().for_each(|code| _ = self.secret(code.as_str().unwrap()));
    }

    /// What people do, and do wrong.
    fn happen(&mut self, stage: &Stage) {
        for secret in [PASSWORD, RECOVERY_CODE, "wrong horse battery", "typed-into-the-wrong-field", SEEDS[0].1] {
            self.secret(secret);
        }
        for (user, password) in [("alice", "wrong horse battery"), ("typed-into-the-wrong-field", PASSWORD)] {
            self.replies.push(try_password(&self.api, user, password, ""));
        }
        let half = self.sign_in("bob");
        self.post("/api/2fa", &half, "000000");
        let right = self.secret(code("bob", 0));
        let reply = self.post("/api/2fa", &half, &right);
        let bob = self.keep_cookie(&reply);
        self.post("/api/2fa", &bob, right);
        let next = self.secret(code("bob", 30));
        let renewed = self.post("/api/2fa/recovery-codes", &bob, next).json();
        self.keep_all(&renewed["recovery_codes"]);
        let recovery = renewed["recovery_codes"][0].as_str().unwrap().to_owned();
        let reply = self.post("/api/2fa", &bob, &recovery);
        let bob = self.keep_cookie(&reply);

        let alice = self.sign_in("alice");
        let enrolment = self.post("/api/2fa/enrol", &alice, "").json();
        let seed = self.secret(enrolment["secret"].as_str().unwrap().replace(' ', ""));
        self.secret(enrolment["secret"].as_str().unwrap());
        let first = self.secret(otp::code(&seed, 0));
        let reply = self.post("/api/2fa/confirm", &alice, first);
        self.keep_all(&reply.json()["recovery_codes"]);
        let alice = self.keep_cookie(&reply);

        let token = ["token", "create", "--user", "ada", "--scope", "read", "--expires", "1d", "--name", "x"];
        let output = stage.spool.command("spiderpig-api").args(token).output().unwrap();
        let secret = String::from_utf8(output.stdout).unwrap().lines().next().unwrap().to_owned();
        self.secret(secret.rsplit('_').next().unwrap());
        let bearer = format!("Authorization: Bearer {}\r\n", self.secret(secret));
        wait_until("the token is known", || get(&self.api, "/api/jobs", &bearer).status == 200);
        self.replies.push(get(&self.api, "/api/users", &bearer));
        let key = self.secret("an-idempotency-key-that-is-mine");
        self.post("/api/jobs", &format!("Idempotency-Key: {key}\r\n{alice}"), r#"{"type":"noop"}"#);
        let otp = stage.spool.command("spiderpig-api").args(["otp"]).env("SUDO_USER", "bob").output().unwrap();
        let told = String::from_utf8(otp.stdout).unwrap();
        told.split_whitespace()
            .filter(|word| word.len() == 6 && word.parse::<u32>().is_ok())
            .for_each(|code| _ = self.secret(code));
        self.blunder(&bob);
        self.replies.push(get(&self.api, "/api/login?user=alice&password=correct+horse+battery", &bob));
        self.post("/api/logout", &alice, "");
    }

    /// Secrets in bodies that are no more than almost right.
    fn blunder(&mut self, session: &str) {
        let number = self.secret("918273645546372819");
        let odd = self.secret("hunter2-hunter2");
        for body in [
            format!("{{\"user\":\"alice\",\"password\":{number}}}"),
            format!("{{\"user\":\"alice\",\"password\":[\"{odd}\"]}}"),
            format!("{{\"user\":{{\"{odd}\":1}},\"password\":\"{odd}\"}}"),
            format!("{{\"user\":\"alice\",\"{odd}\":\"password\"}}"),
            format!("{{\"user\":\"alice\",\"password\":\"{odd}\",\"password\":\"{odd}\"}}"),
            format!("{{\"user\":\"alice\",\"password\":\"{odd}"),
            format!("\"{odd}\""),
            format!("user=alice&password={odd}"),
        ] {
            assert_eq!(self.post("/api/login", "", body).status, 422);
        }
        let json = format!("{session}Content-Type: application/json\r\n");
        for path in [
            "/api/2fa",
            "/api/2fa/confirm",
            "/api/2fa/remove",
            "/api/2fa/recovery-codes",
            "/api/jobs/1/interact/1000001",
        ] {
            for body in [
                number.clone(),
                format!("{{\"code\":\"{odd}\"}}"),
                format!("[\"{odd}\"]"),
                format!("\"{odd}"),
                format!("{odd}\""),
            ] {
                assert_eq!(self.post(path, &json, body).status, 422, "{path}");
            }
        }
        for body in
            [format!("{{\"code\":{number}}}"), format!("{{\"{odd}\":\"x\"}}"), format!("{{\"code\":[\"{odd}\"]}}")]
        {
            assert_eq!(self.post("/api/2fa/enrol", session, body).status, 422);
        }
        self.post("/api/2fa", session, odd);
    }
}

/// Whether a text has a secret as a word: six digits may stand in any longer number.
fn has(text: &str, secret: &str) -> bool {
    let is_part = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric() || letter == '.');
    let is_word = |at: usize| {
        let after = text[at + secret.len()..].chars().next();
        !is_part(text[..at].chars().next_back()) && !is_part(after.filter(|letter| *letter != '.'))
    };
    text.match_indices(secret).any(|(at, _)| secret.len() > 6 || is_word(at))
}

/// Looks into every file below a directory.
fn look(directory: &Path, story: &Story, seen: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if entry.file_type().unwrap().is_dir() {
            look(&path, story, seen);
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        for secret in &story.secrets {
            // A seed must be kept as it is, in one place.
            let is_seed = name == "second_factors.json" && secret.len() == 32;
            assert!(is_seed || !has(&text, secret), "{secret} is in {}: {text}", path.display());
        }
        seen.push(name);
    }
}

#[test]
fn no_secret_is_where_it_need_not_be() {
    let stage = Stage::local();
    kill_process(stage.api.daemon.pid());
    // Also if somebody wants to know everything.
    let mut command = stage.spool.command("spiderpig-api");
    command.env("RUST_LOG", "trace").args(["--listen", "127.0.0.1:0"]);
    let api = client::start_as(&stage.spool, &mut command);
    let mut story = Story { api, replies: Vec::new(), secrets: Vec::new() };
    story.happen(&stage);
    assert!(story.secrets.len() > 40, "{:?}", story.secrets);
    wait_until("all is logged", || story.api.daemon.log().contains("/api/logout"));
    let mut seen = Vec::new();
    look(stage.spool.path(), &story, &mut seen);
    for name in ["api.log", "audit.jsonl", "sessions.json", "tokens.json", "attempts.json", "second_factors.json"] {
        assert!(seen.iter().any(|other| other == name), "{name} is not among {seen:?}");
    }
    let refusals: Vec<&Reply> = story.replies.iter().filter(|reply| reply.status >= 400).collect();
    assert!(refusals.len() > 30);
    for reply in refusals {
        let told = story.secrets.iter().find(|secret| has(&reply.body, secret));
        assert_eq!(told, None, "{reply:?}");
    }
}
