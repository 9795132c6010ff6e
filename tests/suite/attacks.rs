//! What attackers try, on the real programs over real sockets: strangers, people who may do less than they want, pages of
//! other sites, and whoever has found an old cookie.
//!
//! What a single part must refuse is tested where the part is. Here it is tried from outside, with everything in place.

mod elsewhere;
mod guessing;
mod markup;
mod oversized;
mod paths;
mod roles;
mod secrets;
mod sessions;
mod smuggling;
mod streams;
mod tickets;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};
use spiderpig::digest::sha256;
use spiderpig::spool::Spool;

use crate::client::{self, Api};
use crate::otp;
use crate::server::{connect, read_to_close};
use crate::support::{TestSpool, wait_for, wait_until};

/// Everybody's.
const PASSWORD: &str = "correct horse battery";

/// Its hash, with as little work as there can be: what takes long here is refusing people.
const HASH: &str = "$argon2id$v=19$m=64,t=3,p=2$c29tZXNhbHQ$FBb/p4qXE/ESXaMMYj3l+C3R8QhwViyO";

/// Who has an account, and what they may do.
const USERS: [(&str, &str); 6] = [
    ("alice", "deployers"),
    ("bob", "deployers"),
    ("brenda", "deployers"),
    ("ada", "admins"),
    ("victor", "viewers"),
    ("mallory", "gardeners"),
];

/// Who has a second factor, and its seed.
const SEEDS: [(&str, &str); 2] =
    [("bob", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), ("brenda", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")];

/// A recovery code of everybody who has a second factor.
const RECOVERY_CODE: &str = "k7mq-3xwp-9dha";

/// What lets a test choose the address that its requests come from.
const BEHIND_A_PROXY: &str = "trusted_proxies = [\"127.0.0.1\"]\n";

/// An API that everything is tried on.
struct Stage {
    // Dropped in this order: the spool ends all that works on it.
    api: Api,
    spool: TestSpool,
}

impl Stage {
    /// Everybody who connects may do everything.
    fn open() -> Self {
        let spool = TestSpool::new();
        Spool::lay_out(&spool.root()).unwrap();
        Self { api: client::start(&spool), spool }
    }

    /// People sign in with a password, and some show a second factor.
    fn local() -> Self {
        Self::with("", "two_factor = false\n")
    }

    /// The same with other keys of `[api]` and `[auth]`.
    fn with(api: &str, auth: &str) -> Self {
        let spool = TestSpool::with_api(api);
        Spool::lay_out(&spool.root()).unwrap();
        let users = spool.path().join("users.toml").display().to_string();
        spool.set_auth(&format!("mode = \"local\"\nusers_file = \"{users}\"\nviewer_groups = [\"viewers\"]\n{auth}"));
        let accounts = USERS.map(|(user, group)| account(user, group));
        fs::write(users, accounts.concat()).unwrap();
        fs::create_dir(spool.state_directory()).unwrap();
        fs::set_permissions(spool.state_directory(), fs::Permissions::from_mode(0o700)).unwrap();
        let factors = SEEDS.map(|(user, seed)| {
            let codes = [sha256(format!("{user}\n{}", RECOVERY_CODE.replace('-', "")))];
            (user.to_owned(), json!({ "factor": { "seed": seed, "used": null, "recovery_codes": codes } }))
        });
        let factors = Value::Object(factors.into_iter().collect()).to_string();
        let path = spool.state_directory().join("second_factors.json");
        fs::write(&path, factors).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        Self { api: client::start(&spool), spool }
    }

    /// People sign in at a single sign-on, as `auth` says.
    fn cas(auth: &str) -> Self {
        let spool = TestSpool::new();
        Spool::lay_out(&spool.root()).unwrap();
        spool.set_auth(auth);
        Self { api: client::start(&spool), spool }
    }

    /// Another API process of the same spool and state directory.
    fn another_api(&self) -> Api {
        client::start(&self.spool)
    }

    /// Changes the account of a user, or adds one, as an editor does that never leaves half a file.
    fn set_account(&self, user: &str, text: &str) {
        let path = self.spool.path().join("users.toml");
        let before = fs::read_to_string(&path).unwrap();
        let start = before.find(&format!("[users.{user}]")).unwrap_or(before.len());
        let end = before[start..].find("\n[").map_or(before.len(), |length| start + length + 1);
        let draft = path.with_extension("draft");
        fs::write(&draft, format!("{}{text}{}", &before[..start], &before[end..])).unwrap();
        fs::rename(draft, path).unwrap();
    }

    /// A file of the state directory.
    fn state(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.spool.state_directory().join(name)).unwrap()).unwrap()
    }
}

/// What the users file says of a user.
fn account(user: &str, group: &str) -> String {
    format!("[users.{user}]\npassword = \"{HASH}\"\ngroups = [\"{group}\"]\n")
}

/// What came back.
#[derive(Clone, Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    /// The first of several; status 0 if the connection was closed without one.
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or_default();
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// A header field.
    fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        fields.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The field by which a browser sends back the cookie that is set; empty if none is.
    fn cookie(&self) -> String {
        let pair = self.field("set-cookie").and_then(|field| field.split(';').next());
        pair.map(|pair| format!("Cookie: {pair}\r\n")).unwrap_or_default()
    }

    /// Why a request was refused, in a word for programs.
    fn code(&self) -> String {
        self.json()["detail"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// What somebody sees who compares answers: all but what is another in each.
    fn compared(&self) -> (u16, Vec<&str>, &str) {
        let differs =
            |line: &&str| ["date:", "x-request-id:", "retry-after:"].iter().any(|name| line.starts_with(name));
        (self.status, self.head.lines().filter(|line| !differs(line)).collect(), &self.body)
    }
}

/// Sends bytes as they are, and reads until the server closes.
fn send(api: &Api, bytes: &[u8]) -> String {
    let mut stream = connect(api);
    // It may be refused before all of it is sent.
    let _ = stream.write_all(bytes);
    read_to_close(&mut stream)
}

/// Asks with these header fields, each with its line end: `GET /api/whoami`.
fn ask(api: &Api, line: &str, fields: &str, body: impl AsRef<[u8]>) -> Reply {
    let body = body.as_ref();
    let length = body.len();
    let head =
        format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{fields}\r\n");
    Reply::parse(&send(api, &[head.as_bytes(), body].concat()))
}

fn get(api: &Api, path: &str, fields: &str) -> Reply {
    ask(api, &format!("GET {path}"), fields, "")
}

fn post(api: &Api, path: &str, fields: &str, body: impl AsRef<[u8]>) -> Reply {
    ask(api, &format!("POST {path}"), fields, body)
}

/// Attempts a password until it is looked at. A machine that has other work to do, too, may not get to it in time, which is
/// answered with 503 and does not count.
fn try_password(api: &Api, user: &str, password: &str, fields: &str) -> Reply {
    let body = json!({ "user": user, "password": password }).to_string();
    wait_for("a password is looked at", || {
        Some(post(api, "/api/login", fields, body.clone())).filter(|reply| reply.status != 503)
    })
}

/// Signs in with the password; the cookie, as a field.
#[track_caller]
fn sign_in(api: &Api, user: &str) -> String {
    let reply = try_password(api, user, PASSWORD, "");
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.cookie()
}

/// The code of a user's second factor so many seconds from now.
fn code(user: &str, seconds: i64) -> String {
    otp::code(SEEDS.iter().find(|(name, _)| *name == user).unwrap().1, seconds)
}

/// Who the API says that somebody is.
fn who(api: &Api, fields: &str) -> Value {
    get(api, "/api/whoami", fields).json()["user"].clone()
}

/// Waits until an API does not know somebody any more.
#[track_caller]
fn wait_out(api: &Api, fields: &str) {
    wait_until("it is known that the session has ended", || who(api, fields) == Value::Null);
}

/// Does something so many times at once, each time with its number.
fn at_once<T: Send>(times: usize, act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let act = &act;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..times).map(|number| scope.spawn(move || act(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// How many of the replies have a status.
fn count(replies: &[Reply], status: u16) -> usize {
    replies.iter().filter(|reply| reply.status == status).count()
}

/// A field by which a trusted proxy says where a request comes from.
fn from(number: usize) -> String {
    format!("X-Forwarded-For: 198.51.100.{number}\r\n")
}
