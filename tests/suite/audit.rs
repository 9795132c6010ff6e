//! The audit trail: many processes write it, and `spiderpig-api audit verify` says whether it is what they wrote.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Map, Value, json};
use spiderpig::audit::{Audit, Entry, Event};
use spiderpig::digest::sha256;
use spiderpig::spool::atomic::Durability;
use spiderpig::state::StateDirectory;

use crate::client;
use crate::support::TestSpool;

/// Who write at once.
const USERS: [&str; 8] = ["alice", "bob", "carol", "dan", "erin", "frank", "grace", "heidi"];

/// How many entries each of them writes.
const EACH: usize = 10;

fn trail(spool: &TestSpool) -> Audit {
    Audit::new(StateDirectory::new(&spool.state_directory()))
}

fn append(audit: &Audit, event: Event, user: &str, details: Value) {
    let Value::Object(details) = details else { panic!("details are an object") };
    let entry = Entry { event, user: Some(user.into()), address: "192.0.2.1".into(), request: None, details };
    audit.append(&entry, Durability::Ordered).unwrap();
}

/// A spool with so many entries, and where they are.
fn with_entries(count: u32) -> (TestSpool, PathBuf) {
    let spool = TestSpool::new();
    let audit = trail(&spool);
    (1..=count).for_each(|job| append(&audit, Event::Answer, "alice", json!({ "job": job, "response": "y" })));
    let path = audit.path().to_owned();
    (spool, path)
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn verify(spool: &TestSpool, file: Option<&Path>) -> Output {
    spool.command("spiderpig-api").args(["audit", "verify"]).args(file).output().unwrap()
}

/// What is said of a whole one.
#[track_caller]
fn praise(spool: &TestSpool, file: Option<&Path>) -> String {
    let output = verify(spool, file);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What is said of the entries once they were edited.
#[track_caller]
fn complaint(edit: impl FnOnce(&mut Vec<String>)) -> String {
    let (spool, path) = with_entries(9);
    let mut lines = lines(&path);
    edit(&mut lines);
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let output = verify(&spool, None);
    assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{output:?}");
    let message = String::from_utf8(output.stderr).unwrap();
    message.replace(path.to_str().unwrap(), "FILE")
}

#[test]
fn a_trail_that_is_as_it_was_written_is_praised() {
    let (spool, path) = with_entries(9);
    let lines = lines(&path);
    let time =
        |line: &str| serde_json::from_str::<Map<String, Value>>(line).unwrap()["time"].as_str().unwrap().to_owned();
    let (first, last, head) = (time(&lines[0]), time(&lines[8]), sha256(&lines[8]));
    let expected = |path: &Path| {
        let path = path.display();
        format!("{path}: 9 lines; the chain is unbroken\nfrom {first} to {last}\nhead 9 {head}\n")
    };
    assert_eq!(praise(&spool, None), expected(&path));

    let moved = spool.path().join("audit-2026.jsonl");
    fs::rename(&path, &moved).unwrap();
    assert_eq!(praise(&spool, Some(&moved)), expected(&moved));
    let zeros = "0".repeat(64);
    assert_eq!(praise(&spool, None), format!("{}: 0 lines; the chain is unbroken\nhead 0 {zeros}\n", path.display()));
    let output = verify(&spool, Some(&path));
    assert!(!output.status.success() && output.stderr.ends_with(b"audit.jsonl is not there\n"), "{output:?}");
}

#[test]
fn a_trail_that_was_changed_is_told_of_by_line() {
    let removed = complaint(|lines| drop(lines.remove(3)));
    assert_eq!(removed, "spiderpig-api: FILE: a line was removed before line 4\n");
    let edited = complaint(|lines| lines[3] = lines[3].replace("alice", "mallory"));
    assert!(edited.starts_with("spiderpig-api: FILE: line 4 was changed"), "{edited}");
    let swapped = complaint(|lines| lines.swap(3, 6));
    assert!(swapped.contains("line 4 is not in its place: what should be there is line 7"), "{swapped}");
    let shortened = complaint(|lines| drop(lines.drain(..5)));
    assert!(shortened.contains("5 lines were removed before line 1"), "{shortened}");
    let inserted = complaint(|lines| lines.insert(3, lines[3].clone()));
    assert!(inserted.contains("line 5 was inserted"), "{inserted}");
    let nonsense = complaint(|lines| lines[3].truncate(9));
    assert!(nonsense.contains("line 4 is not an entry"), "{nonsense}");
}

/// As docs/audit.md has it: the last lines are vouched for by a head that is kept elsewhere.
#[test]
fn a_trail_that_lost_its_end_is_known_by_a_head_that_was_kept() {
    let (spool, path) = with_entries(9);
    let kept = praise(&spool, None).lines().last().unwrap().to_owned();
    append(&trail(&spool), Event::Pause, "bob", json!({}));
    let still_has_it = || {
        let script = r#"set -- $1; [ "$(sed -n "$2{p;q}" "$0" | tr -d '\n' | sha256sum)" = "$3  -" ]"#;
        Command::new("sh").args(["-c", script]).arg(&path).arg(&kept).status().unwrap().success()
    };
    assert!(still_has_it());
    fs::write(&path, lines(&path)[..6].join("\n") + "\n").unwrap();
    append(&trail(&spool), Event::Pause, "bob", json!({}));
    assert!(praise(&spool, None).contains("7 lines; the chain is unbroken") && !still_has_it());
}

#[test]
fn what_a_crash_cut_off_is_told_of_and_no_fault() {
    let (spool, path) = with_entries(3);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 40]).unwrap();
    let told = "1 of the lines are not audit records; the first one is line 3";
    assert!(praise(&spool, None).contains(told));
    append(&trail(&spool), Event::Pause, "bob", json!({}));
    let text = praise(&spool, None);
    assert!(text.contains(told) && text.contains("4 lines; the chain is unbroken"), "{text}");
}

/// `spiderpig-api otp` as this user, which adds an entry each time.
fn otp(spool: &TestSpool, user: &str) -> Child {
    let mut command = spool.command("spiderpig-api");
    command.args(["otp", "--quiet"]).env("SUDO_USER", user).stdout(Stdio::null()).spawn().unwrap()
}

#[test]
fn many_processes_write_one_chain() {
    let spool = TestSpool::new();
    std::thread::scope(|scope| {
        for user in USERS {
            let spool = &spool;
            scope.spawn(move || (0..EACH).for_each(|_| assert!(otp(spool, user).wait().unwrap().success())));
        }
        for _ in 0..EACH {
            let mut killed = otp(&spool, "mallory");
            killed.kill().unwrap();
            killed.wait().unwrap();
        }
    });
    let written = lines(trail(&spool).path());
    let text = praise(&spool, None);
    assert!(text.contains(&format!("{} lines; the chain is unbroken", written.len())), "{text}");
    for user in USERS {
        let of_user = written.iter().filter(|line| line.contains(&format!("\"user\":\"{user}\"")));
        let told = of_user.filter(|line| line.contains("code_told"));
        assert_eq!(told.count(), EACH, "none of {user} is lost");
    }
}

#[test]
fn the_api_shows_what_was_written_by_others() {
    let (spool, _) = with_entries(3);
    let _runner = spool.runner();
    let api = client::start(&spool);
    append(&trail(&spool), Event::Pause, "bob", json!({ "reason": "lunch" }));
    let (code, page) = api.get("/api/audit?q=LUNCH");
    assert_eq!((code, &page["entries"][0]["user"], &page["entries"][0]["n"]), (200, &json!("bob"), &json!(4)));
    assert_eq!(api.get("/api/audit?event=").0, 422, "no event has an empty name");
    let (_, page) = api.get("/api/audit?event=answer&limit=2");
    assert_eq!(
        (&page["entries"][1]["details"]["job"], &page["more"], &page["next"]),
        (&json!(2), &json!(true), &json!(2))
    );
}
