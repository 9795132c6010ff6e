//! Tokens for scripts, as operators make, list and revoke them on the host.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::Output;

use serde_json::{Value, json};
use spiderpig::digest::sha256;

use crate::client::{self, Api};
use crate::support::{TestSpool, wait_until};

const CAS: &str = "mode = \"cas\"\ncas = { server_url = \"https://idp.test\" }\n";

/// A spool where alice may sign in with a password, and bob may no more.
fn local() -> TestSpool {
    let spool = TestSpool::new();
    let users = spool.path().join("users.toml");
    spool.set_auth(&format!("mode = \"local\"\nusers_file = \"{}\"\n", users.display()));
    for name in ["alice", "bob"] {
        let script = "printf 'correct horse battery\\n' | \"$0\" --config \"$1\" user add \"$2\" --group deployers";
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", script, crate::support::program("spiderpig-api")]).arg(spool.configuration()).arg(name);
        let added = shell.output().unwrap();
        assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    }
    assert!(spool.command("spiderpig-api").args(["user", "disable", "bob"]).output().unwrap().status.success());
    spool
}

fn cas() -> TestSpool {
    let spool = TestSpool::new();
    spool.set_auth(CAS);
    spool
}

fn run(spool: &TestSpool, arguments: &[&str]) -> Output {
    spool.command("spiderpig-api").arg("token").args(arguments).env("SUDO_USER", "olga").output().unwrap()
}

/// What a command says that does what it should.
#[track_caller]
fn said(spool: &TestSpool, arguments: &[&str]) -> String {
    let output = run(spool, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Why a command does not.
#[track_caller]
fn refused(spool: &TestSpool, arguments: &[&str]) -> String {
    let output = run(spool, arguments);
    assert!(!output.status.success() && output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

/// A token of this user; the secret and the identifier.
fn create(spool: &TestSpool, user: &str, more: &[&str]) -> (String, String) {
    let usual = ["create", "--user", user, "--scope", "read", "--expires", "30d", "--name", "nightly"];
    let secret = said(spool, &[&usual, more].concat()).lines().next().unwrap().to_owned();
    let id = secret.split('_').nth(1).unwrap().to_owned();
    (secret, id)
}

fn file(spool: &TestSpool) -> Value {
    serde_json::from_slice(&fs::read(spool.state_directory().join("tokens.json")).unwrap()).unwrap()
}

/// The details of what the audit trail has of tokens.
fn recorded(spool: &TestSpool) -> Vec<Value> {
    let text = fs::read_to_string(spool.state_directory().join("audit.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let changes: Vec<Value> = lines.filter(|line| line["event"] == "token_changed").collect();
    for change in &changes {
        assert_eq!((&change["user"], &change["address"]), (&json!("olga"), &json!("host")));
    }
    changes.into_iter().map(|mut change| change["details"].take()).collect()
}

#[test]
fn a_secret_is_printed_once_and_is_nowhere() {
    let spool = local();
    let (secret, id) = create(&spool, "alice", &["--scope", "start:sh", "--scope", "answer", "--scope", "read"]);
    let stored = file(&spool)[0].clone();
    let expected = json!({
        "id": id, "name": "nightly", "user": "alice", "scopes": ["read", "start:sh", "answer"],
        "created": stored["created"], "expires": stored["expires"], "sha256": sha256(&secret),
    });
    assert_eq!(stored, expected);
    let list = said(&spool, &["list"]);
    assert!(list.starts_with(&format!("{id}  alice  expires ")), "{list}");
    assert!(list.ends_with("read,start:sh,answer  nightly\n"), "{list}");
    let end = secret.rsplit('_').next().unwrap();
    for entry in fs::read_dir(spool.state_directory()).unwrap() {
        let path = entry.unwrap().path();
        assert!(!fs::read_to_string(&path).unwrap().contains(end), "{}", path.display());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
    assert!(!list.contains(end) && !list.contains(&sha256(&secret)));
}

#[test]
fn a_token_is_listed_until_it_is_revoked() {
    let spool = local();
    assert_eq!(said(&spool, &["list"]), "There are no tokens\n");
    let (_, first) = create(&spool, "alice", &[]);
    let (_, second) = create(&spool, "alice", &[]);
    assert_eq!(said(&spool, &["list", "--user", "alice"]).lines().count(), 2);
    assert_eq!(said(&spool, &["list", "--user", "bob"]), "There are no tokens\n");
    assert_eq!(said(&spool, &["revoke", &first]), format!("Token {first} of alice, \"nightly\", is revoked\n"));
    let list = said(&spool, &["list"]);
    assert!(list.contains(&second) && !list.contains(&first), "{list}");
    let unknown = refused(&spool, &["revoke", &first]);
    assert!(unknown.contains(&format!("there is no token \"{first}\"; to list all tokens: spiderpig-api token list")));

    let (created, revoked) = (recorded(&spool), recorded(&spool).pop().unwrap());
    assert_eq!(created.len(), 3);
    let expires = &file(&spool)[0]["expires"];
    let expected = json!({ "what": "created", "token": second, "of": "alice", "scopes": ["read"], "expires": expires });
    assert_eq!(created[1], expected);
    assert_eq!(revoked, json!({ "what": "revoked", "token": first, "of": "alice" }));
}

#[test]
fn what_cannot_be_a_token_is_refused_with_words() {
    let spool = local();
    let usual =
        |user, scope, expires| ["create", "--name", "x", "--user", user, "--scope", scope, "--expires", expires];
    for (arguments, words) in [
        (usual("carol", "read", "30d"), "there is no user \"carol\"; to list all users: spiderpig-api user list"),
        (usual("Alice", "read", "30d"), "there is no user \"Alice\""),
        (usual("bob", "read", "30d"), "the user \"bob\" is disabled"),
        (usual("alice", "start:none", "30d"), "there is no job type \"none\"; there are: noop, sh, parallel"),
        (usual("alice", "write", "30d"), "a scope is `read`, `answer`, or `start:` or `answer:` with a job type"),
        (usual("alice", "read", "366d"), "a duration such as 30d or 12h, and at most a year"),
        (usual("alice", "read", "forever"), "a duration such as 30d or 12h, and at most a year"),
    ] {
        let told = refused(&spool, &arguments);
        assert!(told.contains(words), "{arguments:?}: {told}");
    }
    for missing in [1, 3, 5, 7] {
        let mut arguments = usual("alice", "read", "30d").to_vec();
        let name = arguments.drain(missing..missing + 2).next().unwrap();
        assert!(refused(&spool, &arguments).contains(name), "{name}");
    }
    let group = refused(&spool, &[&usual("alice", "read", "30d")[..], &["--group", "admins"]].concat());
    assert!(group.contains("a token has the groups of its user"), "{group}");
    assert_eq!(said(&spool, &["list"]), "There are no tokens\n");

    let open = refused(&TestSpool::new(), &usual("tester", "read", "30d"));
    assert!(open.contains("does not use tokens"), "{open}");
}

#[test]
fn with_single_sign_on_a_token_has_groups_of_its_own() {
    let spool = cas();
    create(&spool, "alice", &["--group", "deployers", "--group", "cn=ops,dc=example"]);
    assert_eq!(file(&spool)[0]["groups"], json!(["deployers", "cn=ops,dc=example"]));
    let usual = ["create", "--scope", "read", "--expires", "12h", "--name", "x", "--user"];
    assert!(refused(&spool, &[&usual[..], &["alice"]].concat()).contains("give the token's groups with --group"));
    let bad = refused(&spool, &[&usual[..], &["a\nb", "--group", "deployers"]].concat());
    assert!(bad.contains("without control characters"), "{bad}");
}

#[test]
fn one_that_has_expired_is_told_so_and_forgotten_with_the_next() {
    let spool = cas();
    let (_, first) = create(&spool, "alice", &["--group", "deployers"]);
    let path = spool.state_directory().join("tokens.json");
    let mut tokens = file(&spool);
    tokens[0]["expires"] = json!("2026-01-01T00:00:00.000Z");
    fs::write(&path, tokens.to_string()).unwrap();
    assert!(said(&spool, &["list"]).contains("expired 2026-01-01T00:00:00.000Z"));
    create(&spool, "alice", &["--group", "deployers"]);
    assert!(!said(&spool, &["list"]).contains(&first));
}

#[test]
fn nothing_is_made_in_the_directory_of_another_account() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let spool = cas();
    let nobody = uzers::get_user_by_name("nobody").unwrap().uid();
    fs::create_dir(spool.state_directory()).unwrap();
    chown(spool.state_directory(), Some(nobody), None).unwrap();
    let told = refused(&spool, &["list"]);
    assert!(told.contains("belongs to nobody: run this as that account, with `sudo -u nobody …`"), "{told}");
    assert_eq!(fs::read_dir(spool.state_directory()).unwrap().count(), 0);
}

/// The status with which a request is answered that shows a token.
fn ask(api: &Api, request: &str, token: &str) -> u16 {
    let (method, path) = request.split_once(' ').unwrap();
    let (url, bearer) = (format!("{}{path}", api.base), format!("Bearer {token}"));
    let answered = match method {
        "GET" => Api::agent().get(url).header("Authorization", bearer).call(),
        _ => Api::agent().post(url).header("Authorization", bearer).send(r#"{"type":"noop","params":{}}"#),
    };
    answered.unwrap().status().as_u16()
}

#[test]
fn a_token_is_good_for_what_it_says_until_it_is_revoked() {
    let spool = local();
    let _runner = spool.runner();
    let (reader, id) = create(&spool, "alice", &[]);
    let (starter, _) = create(&spool, "alice", &["--scope", "start:noop"]);
    let (other, _) = create(&spool, "alice", &["--scope", "start:sh", "--scope", "answer"]);
    let api = client::start(&spool);
    for (token, request, expected) in [
        (&reader, "GET /api/jobs", 200),
        (&reader, "POST /api/jobs", 403),
        (&reader, "POST /api/sessions/end-others", 403),
        (&reader, "POST /api/2fa/enrol", 403),
        (&reader, "GET /api/tokens", 403),
        (&starter, "POST /api/jobs", 201),
        (&other, "POST /api/jobs", 403),
        (&other, "GET /api/sessions", 403),
        (&reader.to_uppercase(), "GET /api/jobs", 401),
        (&id, "GET /api/jobs", 401),
    ] {
        assert_eq!(ask(&api, request, token), expected, "{request} with {token}");
    }
    said(&spool, &["revoke", &id]);
    wait_until("the API knows that the token is revoked", || ask(&api, "GET /api/jobs", &reader) == 401);
    assert_eq!(ask(&api, "GET /api/jobs", &starter), 200);
    assert!(spool.command("spiderpig-api").args(["user", "disable", "alice"]).output().unwrap().status.success());
    wait_until("the API knows that alice is disabled", || ask(&api, "GET /api/jobs", &starter) == 401);
}
