//! `spiderpig-api otp`: the second factor of who is signed in on the host.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use spiderpig::accounts::second_factor::{Passed, Refusal, SecondFactors};
use spiderpig::spool::Time;
use spiderpig::state::StateDirectory;

use crate::support::TestSpool;

/// A code as RFC 6238 has it, by nothing of ours: of the seed in base 32 and the seconds since the epoch.
const CODE: &str = "
import base64, hashlib, hmac, struct, sys
digest = hmac.digest(base64.b32decode(sys.argv[1]), struct.pack('>Q', int(sys.argv[2]) // 30), hashlib.sha1)
start = digest[-1] % 16
print('%06d' % ((struct.unpack('>I', digest[start:start + 4])[0] & 0x7fffffff) % 1000000))
";

/// Runs `otp` as root or the account of the tests, or for a login name.
fn otp(spool: &TestSpool, user: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = spool.command("spiderpig-api");
    command.arg("otp").args(arguments).envs(user.map(|user| ("SUDO_USER", user))).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", stderr(output));
    assert_eq!(stderr(output), "");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn document(spool: &TestSpool) -> Value {
    let text = fs::read(spool.state_directory().join("second_factors.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn seed(spool: &TestSpool, user: &str) -> String {
    document(spool)[user]["factor"]["seed"].as_str().unwrap().to_owned()
}

/// The code of a seed so many seconds from now.
pub fn code(seed: &str, seconds: i64) -> String {
    let time = Time::now().as_milliseconds() / 1000 + seconds;
    let output = Command::new("python3").args(["-c", CODE, seed, &time.to_string()]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn check(spool: &TestSpool, user: &str, code: &str) -> Result<Passed, Refusal> {
    let factors = SecondFactors::open(&StateDirectory::new(&spool.state_directory())).unwrap();
    factors.check(user, code, Time::now()).unwrap()
}

/// What the audit trail says that was done to alice's second factor.
fn recorded(spool: &TestSpool) -> Vec<String> {
    let text = fs::read_to_string(spool.state_directory().join("audit.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_alice = lines.filter(|line| line["event"] == "second_factor_changed" && line["details"]["of"] == "alice");
    of_alice.map(|line| line["details"]["what"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_first_code_makes_a_factor_and_is_accepted_once() {
    let spool = TestSpool::new();
    let text = stdout(&otp(&spool, Some("alice"), &[]));
    let (note, told) = text.trim_end().split_once('\n').unwrap();
    assert_eq!(note, "Made a second factor for alice. To set up an authenticator app, run the command with --qr.");
    let (told, rest) = told.split_once(' ').unwrap();
    assert!(rest.starts_with("(accepted once, for another ") && rest.ends_with(" seconds)"), "{rest}");
    let seed = seed(&spool, "alice");
    // A step may have ended since.
    assert!([0, -30].map(|seconds| code(&seed, seconds)).contains(&told.to_owned()));
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    let state = spool.state_directory();
    assert_eq!((mode(&state), mode(&state.join("second_factors.json"))), (0o700, 0o600));

    assert_eq!(check(&spool, "bob", told), Err(Refusal::NotEnrolled));
    assert_eq!(check(&spool, "alice", told), Ok(Passed::Totp));
    assert_eq!(check(&spool, "alice", told), Err(Refusal::Invalid));
    let next = stdout(&otp(&spool, Some("alice"), &["--quiet"]));
    assert_ne!(next.trim(), told, "one that was used is not told again");
    assert_eq!(check(&spool, "alice", next.trim()), Ok(Passed::Totp));
    assert_eq!(document(&spool)["alice"]["factor"]["seed"], seed.as_str(), "the factor is the same");
    assert_eq!(recorded(&spool), ["enrolled", "code_told", "code_told"]);
}

#[test]
fn quiet_prints_six_digits_and_a_newline() {
    let spool = TestSpool::new();
    for _ in 0..2 {
        let text = stdout(&otp(&spool, None, &["--quiet"]));
        assert!(
            text.len() == 7 && text.ends_with('\n') && text[..6].bytes().all(|byte| byte.is_ascii_digit()),
            "{text}"
        );
    }
    let both = otp(&spool, None, &["--quiet", "--qr"]);
    assert!(both.status.code() == Some(2) && stderr(&both).contains("cannot be used with"));
}

#[test]
fn sudo_says_whose_it_is() {
    let spool = TestSpool::new();
    otp(&spool, Some("alice"), &[]);
    otp(&spool, None, &[]);
    otp(&spool, Some(""), &[]);
    let account = uzers::get_current_username().unwrap().into_string().unwrap();
    let document = document(&spool);
    let mut users: Vec<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
    users.sort_unstable();
    let mut expected = ["alice", &account];
    expected.sort_unstable();
    assert_eq!(users, expected);
}

#[test]
fn the_qr_code_has_what_an_app_needs() {
    let spool = TestSpool::new();
    let text = stdout(&otp(&spool, Some("alice"), &["--qr"]));
    let seed = seed(&spool, "alice");
    let uri = format!("otpauth://totp/SpiderPig:alice?secret={seed}&issuer=SpiderPig");
    let expected = qrcode::QrCode::with_error_correction_level(&uri, qrcode::EcLevel::L).unwrap();
    let (width, modules) = (expected.width(), expected.to_colors());

    let (colours, end) = ("\u{1b}[38;5;16;48;5;231m", "\u{1b}[0m");
    let lines = text.lines().filter_map(|line| line.strip_prefix(colours)?.strip_suffix(end));
    let mut shown: Vec<Vec<bool>> = Vec::new();
    for line in lines {
        shown.push(line.chars().map(|half| "█▀".contains(half)).collect());
        shown.push(line.chars().map(|half| "█▄".contains(half)).collect());
    }
    assert_eq!(shown.len(), (width + 8).next_multiple_of(2));
    for (row, shown) in shown.iter().enumerate() {
        assert_eq!(shown.len(), width + 8);
        for (column, shown) in shown.iter().enumerate() {
            let inside = (4..width + 4).contains(&row) && (4..width + 4).contains(&column);
            let is_dark = inside && modules[(row - 4) * width + column - 4] == qrcode::Color::Dark;
            assert_eq!(*shown, is_dark, "row {row}, column {column}");
        }
    }
    assert!(shown.len() / 2 <= 23, "it fits into a terminal of 24 lines");
    let key: String =
        text.lines().find_map(|line| line.trim().strip_prefix("key")).unwrap().split_whitespace().collect();
    assert_eq!(key, seed);
    assert_eq!(stdout(&otp(&spool, Some("alice"), &["--qr"])), text, "as often as one likes");
    assert_eq!(recorded(&spool), ["enrolled", "shown", "shown"]);
}

#[test]
fn when_all_codes_are_used_one_has_to_wait() {
    let spool = TestSpool::new();
    otp(&spool, Some("alice"), &[]);
    let path = spool.state_directory().join("second_factors.json");
    let used = |step: i64| {
        let mut document = document(&spool);
        document["alice"]["factor"]["used"] = step.into();
        fs::write(&path, document.to_string()).unwrap();
        let output = otp(&spool, Some("alice"), &["--quiet"]);
        assert!(output.status.code() == Some(1) && output.stdout.is_empty());
        stderr(&output)
    };
    let now = Time::now().as_milliseconds() / 30_000;
    assert!(used(now + 2).contains("the current codes have been used; the next code works in "));
    assert!(used(now + 1000).contains("the clock of this machine went back"));
}

#[test]
fn a_damaged_file_is_named_and_not_quoted() {
    let spool = TestSpool::new();
    otp(&spool, Some("alice"), &[]);
    let seed = seed(&spool, "alice");
    let path = spool.state_directory().join("second_factors.json");
    fs::write(&path, format!("{{\"alice\": {{\"factor\": \"{seed}\"}}}}")).unwrap();
    let output = otp(&spool, Some("alice"), &[]);
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(message.contains("second_factors.json: it is damaged") && !message.contains(&seed), "{message}");
}

#[test]
fn only_the_owner_of_the_state_directory_may() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let spool = TestSpool::new();
    otp(&spool, Some("alice"), &[]);
    let nobody = uzers::get_user_by_name("nobody").unwrap().uid();
    chown(spool.state_directory(), Some(nobody), None).unwrap();
    let output = otp(&spool, Some("alice"), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("belongs to nobody: run this as that account, with `sudo -u nobody …`"));
}

/// Names the state directory and the code for [`give_a_code`].
const GIVE: &str = "SPIDERPIG_TEST_GIVE";

/// What each of the racing processes does: it waits for a line, gives a code, and says what came of it.
#[test]
fn give_a_code() {
    let Ok(give) = std::env::var(GIVE) else { return };
    let (directory, code) = give.split_once('\n').unwrap();
    let factors = SecondFactors::open(&StateDirectory::new(Path::new(directory))).unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
    let passed = factors.check("alice", code, Time::now()).unwrap();
    writeln!(std::io::stdout(), "RESULT {passed:?}").unwrap();
}

#[test]
fn of_several_processes_with_one_code_one_wins() {
    let spool = TestSpool::new();
    let code = stdout(&otp(&spool, Some("alice"), &["--quiet"]));
    let give = format!("{}\n{}", spool.state_directory().display(), code.trim());
    let start = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "otp::give_a_code", "--nocapture"]).env(GIVE, &give);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
    };
    let mut processes: Vec<_> = (0..4).map(|_| start()).collect();
    for process in &mut processes {
        process.stdin.take().unwrap().write_all(b"\n").unwrap();
    }
    let results: Vec<String> = processes
        .into_iter()
        .map(|process| {
            let text = String::from_utf8(process.wait_with_output().unwrap().stdout).unwrap();
            text.lines().find_map(|line| line.split_once("RESULT ")).unwrap().1.to_owned()
        })
        .collect();
    let count = |word: &str| results.iter().filter(|result| *result == word).count();
    assert_eq!((count("Ok(Totp)"), count("Err(Invalid)")), (1, 3), "{results:?}");
}
