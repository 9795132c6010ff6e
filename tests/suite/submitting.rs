//! What is put into `queue/` and is no valid job ends in `rejected/` with the reason, and disturbs nobody.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use serde_json::json;
use spiderpig::spool::status::State;
use spiderpig::spool::{JobId, sequence};

use crate::hostile::HostileSpool;
use crate::support::{TestSpool, wait_for, wait_until};

/// A job file that is in order.
fn valid(id: JobId) -> String {
    let time = "2026-01-01T00:00:00.000Z";
    format!(r#"{{"version":1,"id":{id},"type":"noop","params":{{}},"user":"alice","submitted_at":"{time}"}}"#)
}

/// The same with one text replaced.
fn with(id: JobId, text: &str, replacement: &str) -> String {
    let valid = valid(id);
    assert!(valid.contains(text), "{text}");
    valid.replacen(text, replacement, 1)
}

fn number(spool: &TestSpool) -> JobId {
    sequence::take(&spool.spool()).unwrap()
}

fn queued(spool: &TestSpool, id: JobId) -> PathBuf {
    spool.root().join(format!("queue/{id}.json"))
}

/// Drops a file and a valid job behind it. The file is rejected and kept as it is, the job runs. Returns the reason.
#[track_caller]
fn rejected(spool: &TestSpool, bytes: impl AsRef<[u8]>) -> String {
    let id = number(spool);
    spool.drop_file(&format!("queue/{id}.json"), &bytes);
    let reason = rejected_number(spool, id);
    assert_eq!(fs::read(spool.root().join(format!("rejected/{id}.json"))).unwrap(), bytes.as_ref());
    reason
}

/// Waits until the file of this number is rejected, while a valid job runs.
#[track_caller]
fn rejected_number(spool: &TestSpool, id: JobId) -> String {
    let neighbour = spool.submit("noop", json!({}));
    let reason = spool.wait_rejected(&format!("{id}.reason"));
    assert_eq!(spool.wait_final(neighbour).state, State::Succeeded);
    wait_until("it is gone from the queue", || queued(spool, id).symlink_metadata().is_err());
    assert!(!spool.job(id).exists(), "it was never claimed");
    reason
}

#[track_caller]
fn assert_rejected(spool: &TestSpool, bytes: impl AsRef<[u8]>, expected: &str) {
    let reason = rejected(spool, bytes);
    assert!(reason.contains(expected), "{expected:?} is not in {reason:?}");
    assert!(reason.ends_with('\n') && reason.lines().count() == 1, "one line for people: {reason:?}");
}

/// What the next number will be: a file has to name its own.
fn next(spool: &TestSpool) -> JobId {
    (sequence::last(&spool.spool()).unwrap() + 1).try_into().unwrap()
}

#[test]
fn text_that_is_no_job_is_rejected() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let deep =
        |depth: usize| format!(r#""data":{}{},"user""#, r#"{"a":"#.repeat(depth), "1".to_owned() + &"}".repeat(depth));
    let cases: [(&str, &str, &str); 22] = [
        (r#""user""#, r#""command":["rm"],"user""#, "unknown field `command`"),
        (r#""user""#, r#""data":{"a":[{"b":1,"b":1}]},"user""#, "member `b` comes twice"),
        (r#""version":1"#, r#""version":1,"version":1"#, "member `version` comes twice"),
        (r#""user":"alice","#, "", "missing field `user`"),
        (r#""user":"alice""#, r#""user":"""#, "`user` must be 1 to 256 bytes"),
        (r#""user":"alice""#, r#""user":"a\nb""#, "without control characters"),
        (r#""user":"alice""#, r#""user":["alice"]"#, "invalid type"),
        (r#""version":1"#, r#""version":2"#, "its version is 2, and this runner knows version 1"),
        (r#""version":1,"#, "", "missing field `version`"),
        (r#""version":1"#, r#""version":4294967297"#, "invalid value"),
        (r#""version":1"#, r#""version":1e400"#, "number out of range"),
        (r#""params":{}"#, r#""params":[]"#, "invalid type"),
        (r#""params":{}"#, r#""params":{"script":"x"}"#, "script"),
        (r#""type":"noop""#, r#""type":"sh""#, "script"),
        (r#""type":"noop""#, r#""type":"rm -rf""#, "the job type `rm -rf` is not declared (known: "),
        (r#""type":"noop""#, r#""type":"../noop""#, "is not declared"),
        (r#""type":"noop","params":{}"#, r#""type":"sh","params":{"script":7}"#, "script"),
        (r#""type":"noop","params":{}"#, r#""type":"sh","params":{"script":"a\u0000b"}"#, "control character"),
        ("2026-01-01T", "2026-13-01T", "RFC 3339"),
        (r#""user""#, r#""retry_of":0,"user""#, "not a job number"),
        (r#""user""#, &deep(200), "recursion limit"),
        ("\"alice\"", "\"al\0ice\"", "control character"),
    ];
    for (text, replacement, expected) in cases {
        assert_rejected(&spool, with(next(&spool), text, replacement), expected);
    }
    let id = next(&spool);
    assert_rejected(&spool, with(id, &format!("\"id\":{id}"), "\"id\":77"), "it says that it is job 77, but its name");
    let id = next(&spool);
    assert_rejected(&spool, with(id, &format!("\"id\":{id}"), &format!("\"id\":{}", "9".repeat(40))), "invalid type");
    let id = next(&spool);
    assert_rejected(&spool, with(id, &format!("\"id\":{id}"), &format!("\"id\":\"{id}\"")), "invalid type");
    assert_rejected(&spool, valid(next(&spool)).repeat(2), "trailing characters");
    assert_rejected(&spool, valid(next(&spool)) + "\0", "trailing characters");
    assert_rejected(&spool, "", "EOF");
    assert_rejected(&spool, "null", "not a JSON object");
    assert_rejected(&spool, b"\xef\xbb\xbf{}", "expected value");
    assert_rejected(&spool, [valid(next(&spool)).as_bytes(), b"\xff"].concat(), "it is not a valid job");
    assert_rejected(&spool, with(next(&spool), "alice", "al\u{0}ice").replace('\0', "\u{fffd}\0"), "control character");
    assert!(spool.names("queue").is_empty());
}

#[test]
fn bytes_that_are_not_utf_8_are_rejected() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let text = valid(next(&spool)).into_bytes();
    let at = text.windows(5).position(|window| window == b"alice").unwrap();
    assert_rejected(&spool, [&text[..at], b"\xff\xfe", &text[at..]].concat(), "invalid unicode");
}

#[test]
fn a_list_of_the_members_is_no_job() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let id = next(&spool);
    let list = format!(r#"[1,{id},"noop",{{}},"alice","2026-01-01T00:00:00.000Z"]"#);
    assert_rejected(&spool, list, "object");
}

#[test]
fn a_mebibyte_is_accepted_and_a_byte_more_is_not() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let padded = |length: usize| {
        let mut text = valid(next(&spool));
        text.push_str(&" ".repeat(length - text.len()));
        text
    };
    let full = padded(1 << 20);
    let id = number(&spool);
    spool.drop_file(&format!("queue/{id}.json"), full);
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert_rejected(&spool, padded((1 << 20) + 1), "it has more than 1048576 bytes");
}

#[test]
fn what_is_no_regular_file_is_rejected() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let secret = spool.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let make: [(&str, &dyn Fn(PathBuf)); 5] = [
        ("it is not a regular file", &|path| {
            fs::create_dir(spool.path().join("folder")).unwrap();
            fs::write(spool.path().join("folder/file"), "").unwrap();
            fs::rename(spool.path().join("folder"), path).unwrap();
        }),
        ("it is not a regular file", &|path| {
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o640.into(), 0).unwrap();
        }),
        ("it is a symbolic link", &|path| symlink(&secret, path).unwrap()),
        ("it is a symbolic link", &|path| symlink("/no/such/file", path).unwrap()),
        ("it is not a regular file", &|path| drop(UnixListener::bind(path).unwrap())),
    ];
    for (expected, make) in make {
        let id = number(&spool);
        make(queued(&spool, id));
        let reason = rejected_number(&spool, id);
        assert_eq!(reason.trim_end(), expected);
        let kept = spool.root().join(format!("rejected/{id}.json"));
        assert!(!kept.symlink_metadata().unwrap().is_file(), "it is kept as what it is");
    }
    assert_eq!(fs::read_to_string(secret).unwrap(), "secret");
}

#[test]
fn a_file_that_others_can_write_is_rejected() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    for mode in [0o660, 0o642, 0o666] {
        let id = number(&spool);
        let staged = spool.root().join("incoming/staged");
        fs::write(&staged, valid(id)).unwrap();
        fs::set_permissions(&staged, fs::Permissions::from_mode(mode)).unwrap();
        fs::rename(staged, queued(&spool, id)).unwrap();
        let reason = rejected_number(&spool, id);
        assert!(reason.contains(&format!("mode {mode:04o}")), "{reason}");
    }
}

#[test]
fn a_number_above_the_sequence_is_rejected_and_stays_free() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let last = spool.submit("noop", json!({}));
    spool.wait_final(last);
    let above = next(&spool);
    spool.drop_file(&format!("queue/{above}.json"), valid(above));
    assert!(spool.wait_rejected(&format!("{above}.reason")).contains("above `sequence`"));
    wait_until("it is gone from the queue", || spool.names("queue").is_empty());
    let taken = spool.submit("noop", json!({}));
    assert_eq!(taken.get(), above.get() + 1, "it stays free for a corrected file");
    assert_eq!(spool.wait_final(taken).state, State::Succeeded);
    spool.drop_file(&format!("queue/{above}.json"), valid(above));
    assert_eq!(spool.wait_final(above).state, State::Succeeded);
}

#[test]
fn a_number_that_was_used_is_rejected_each_time_under_a_new_name() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let id = spool.submit_script("echo the one");
    spool.wait_final(id);
    let before = fs::read(spool.job(id).directory().join("status.json")).unwrap();
    let reason_of = |name: &str, text: &str| {
        spool.drop_file(&format!("queue/{id}.json"), text);
        spool.wait_rejected(name)
    };
    let expected = format!("the number {id} was used before, by a job that is finished\n");
    let taken = format!("the number {id} was used before, by another job\n");
    assert_eq!(reason_of(&format!("{id}.reason"), &valid(id)), taken);
    wait_until("the queue is empty", || spool.names("queue").is_empty());
    // Retention removes a job as a whole; its line in the history keeps the number.
    fs::rename(spool.job(id).directory(), spool.path().join("retired")).unwrap();
    assert_eq!(reason_of(&format!("{id}.2.reason"), "second"), expected);
    assert_eq!(fs::read_to_string(spool.root().join(format!("rejected/{id}.2.json"))).unwrap(), "second");
    assert_eq!(fs::read_to_string(spool.root().join(format!("rejected/{id}.json"))).unwrap(), valid(id));
    assert_eq!(fs::read(spool.path().join("retired/status.json")).unwrap(), before);
    assert_eq!(spool.history_lines(id), 1);
}

#[test]
fn the_number_of_a_running_job_is_rejected_and_the_job_goes_on() {
    let spool = HostileSpool::new();
    let id = spool.shell("ask go");
    spool.wait_prompt(id, 1);
    let request = fs::read(spool.job(id).directory().join("job.json")).unwrap();
    spool.drop_file(&format!("queue/{id}.json"), valid(id));
    let neighbour = spool.shell_as("parallel", "echo hello");
    spool.wait_final(neighbour);
    spool.answer(id, 1, "alice", "y");
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert!(spool.wait_rejected(&format!("{id}.reason")).contains("was used before"));
    assert_eq!(fs::read(spool.job(id).directory().join("job.json")).unwrap(), request);
    assert_eq!(spool.lines(id).last().unwrap(), "got:y");
}

#[test]
fn names_that_are_no_numbers_are_kept_under_their_own_name() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let long = "x".repeat(255);
    let long_json = format!("{}.json", "y".repeat(250));
    let names: [&[u8]; 9] = [
        b"007.json",
        b"0.json",
        b"1000000000.json",
        b"7.JSON",
        b"7.json.bak",
        b"two\nlines",
        b"not utf-8 \xff.json",
        long.as_bytes(),
        long_json.as_bytes(),
    ];
    for name in names {
        let name = OsStr::from_bytes(name);
        for round in 1..=2 {
            fs::write(spool.root().join("queue").join(name), format!("round {round}")).unwrap();
            wait_until(&format!("{} is rejected, time {round}", name.display()), || {
                !spool.root().join("queue").join(name).exists()
            });
        }
        let kept = name.to_str().map_or(name.to_owned(), |name| name.replace('\n', "\\u000a").into());
        let kept = spool.root().join("rejected").join(kept);
        assert!(name.len() > 200 || fs::read_to_string(kept).unwrap() == "round 1");
    }
    let kept = fs::read_dir(spool.root().join("rejected")).unwrap().count();
    assert_eq!(kept, names.len() * 4, "each file twice, each with its reason");
    assert!(spool.wait_rejected("007.reason").contains("its name is not a job number"));
    spool.wait_final(spool.submit("noop", json!({})));
}

#[test]
fn names_that_begin_with_a_dot_are_ignored() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    fs::write(spool.root().join("queue/.1.json.swp"), "being edited").unwrap();
    spool.wait_final(spool.submit("noop", json!({})));
    assert_eq!(spool.names("queue"), [".1.json.swp"]);
    assert!(spool.names("rejected").is_empty());
}

#[test]
fn a_file_with_two_names_waits_until_the_other_is_gone() {
    let spool = TestSpool::with_configuration("rescan = \"1s\"\n");
    let _runner = spool.runner();
    let id = number(&spool);
    let other = spool.path().join("other");
    fs::write(&other, valid(id)).unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o640)).unwrap();
    fs::hard_link(&other, queued(&spool, id)).unwrap();
    spool.wait_final(spool.submit("noop", json!({})));
    assert!(queued(&spool, id).exists() && !spool.job(id).exists(), "left alone");
    fs::remove_file(other).unwrap();
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
}

#[test]
fn a_publication_that_was_cut_short_is_finished() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let id = number(&spool);
    let staged = spool.root().join("incoming/mine");
    fs::write(&staged, valid(id)).unwrap();
    fs::set_permissions(&staged, fs::Permissions::from_mode(0o640)).unwrap();
    fs::hard_link(&staged, queued(&spool, id)).unwrap();
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert!(spool.names("incoming").is_empty());
}

#[test]
fn a_problem_is_told_as_long_as_it_lasts_and_no_longer() {
    let spool = TestSpool::with_configuration("rescan = \"1s\"\n");
    let _runner = spool.runner();
    let problems = || {
        let text = fs::read(spool.root().join("runner.json")).unwrap_or_default();
        let state: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        state["problems"].to_string()
    };
    let damaged = spool.root().join("jobs/1");
    fs::create_dir(&damaged).unwrap();
    fs::write(damaged.join("plan.json"), "damaged").unwrap();
    fs::write(damaged.join("status.json"), "damaged").unwrap();
    assert_eq!(damaged.metadata().unwrap().uid(), rustix::process::getuid().as_raw());
    wait_until("the damage is told", || problems().contains("jobs/1"));
    fs::remove_dir_all(&damaged).unwrap();
    wait_for("nothing is told any more", || (problems() == "[]").then_some(()));
}
