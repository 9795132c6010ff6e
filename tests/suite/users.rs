//! `spiderpig-api user`: passwords from scripts and from people at a terminal, and a users file that nobody loses a line of.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use spiderpig::accounts::password;
use spiderpig::accounts::users::Users;

use crate::support::program;

const PASSWORD: &str = "correct horse battery";

/// Runs a program at a terminal and types a line for each of standard input when it is asked for one and shows no more
/// what is typed. Prints what the terminal showed.
const TERMINAL: &str = r#"
import os, pty, signal, sys, termios
signal.alarm(60)
lines = sys.stdin.read().splitlines()
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
def read():
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""
shown = b""
for line in lines:
    asked = b""
    while not asked.endswith(b": "):
        piece = read()
        if not piece:
            sys.exit("it ended before it asked: " + (shown + asked).decode())
        asked += piece
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        pass
    os.write(terminal, line.encode() + b"\n")
    shown += asked
while piece := read():
    shown += piece
sys.stdout.write(shown.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"#;

/// A configuration with local accounts.
struct Host {
    directory: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let host = Self { directory: tempfile::tempdir().unwrap() };
        let [root, users, state] = ["spool", "users.toml", "api"].map(|name| host.path(name).display().to_string());
        let text = format!(
            "spool = \"{root}\"\n[api]\nstate_directory = \"{state}\"\n[auth]\nmode = \"local\"\nusers_file = \"{users}\"\n"
        );
        fs::write(host.path("spiderpig.toml"), text).unwrap();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn file(&self) -> PathBuf {
        self.path("users.toml")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    fn write(&self, text: &str) {
        fs::write(self.file(), text).unwrap();
        fs::set_permissions(self.file(), fs::Permissions::from_mode(0o640)).unwrap();
    }

    fn users(&self) -> Users {
        Users::open(self.file()).unwrap()
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(program("spiderpig-api"));
        command.env_clear().arg("--config").arg(self.path("spiderpig.toml")).args(line.split_whitespace());
        command
    }

    /// Runs a command as a script does, with this on its standard input.
    fn script(&self, line: &str, input: &str) -> Output {
        finish(self.command(line), input)
    }

    /// What a command says that must succeed.
    fn say(&self, line: &str) -> String {
        let output = self.script(line, "");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn add(&self, name: &str) {
        let output = self.script(&format!("user add {name} --group deployers"), &format!("{PASSWORD}\n"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs a command for somebody who types these lines at a terminal. What they see, and whether it succeeded.
    fn terminal(&self, line: &str, typed: &[&str]) -> (String, bool) {
        let mut command = Command::new("python3");
        command.args(["-c", TERMINAL, program("spiderpig-api"), "--config"]).arg(self.path("spiderpig.toml"));
        command.args(line.split_whitespace());
        let output = finish(command, &typed.join("\n"));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        (String::from_utf8(output.stdout).unwrap().replace('\r', ""), output.status.success())
    }
}

fn finish(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who refuses before a password is asked for may have ended by now.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_script_gives_the_password_as_a_line_of_standard_input() {
    let host = Host::new();
    host.add("alice");
    assert_eq!(host.file().metadata().unwrap().mode() & 0o7777, 0o640);
    let alice = host.users().get("alice").unwrap();
    assert!(password::verify(PASSWORD, Some(&alice.password)));
    let output = host.script("user passwd alice", "another long one\r\nand more\n");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "`alice` has a new password\n");
    assert!(password::verify("another long one", Some(&host.users().get("alice").unwrap().password)));
    let short = refusal(&host.script("user passwd alice", "too short\n"));
    assert!(short.starts_with("spiderpig-api: a password must have at least 12 characters"), "{short}");
    assert!(refusal(&host.script("user add bob", "")).contains("at least 12 characters"));
    assert!(host.users().get("bob").is_none());
}

#[test]
fn a_password_is_never_an_argument() {
    let host = Host::new();
    for line in ["user add alice correct-horse-battery", "user add alice --password correct-horse-battery"] {
        let output = host.script(line, "");
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("unexpected argument"), "{line}");
    }
    assert!(!host.file().exists());
}

#[test]
fn what_is_typed_at_a_terminal_is_not_shown_and_asked_for_twice() {
    let host = Host::new();
    let (shown, success) = host.terminal("user add alice --group deployers", &[PASSWORD, PASSWORD]);
    assert!(success, "{shown}");
    assert_eq!(shown, "New password of alice: \nRepeat the password: \n`alice` is added, in deployers\n");
    let alice = host.users().get("alice").unwrap();
    assert!(password::verify(PASSWORD, Some(&alice.password)));

    let (shown, success) = host.terminal("user passwd alice", &["another long one", "another long two"]);
    assert!(!success && shown.ends_with("the passwords differ; the account is unchanged\n"), "{shown}");
    let (shown, success) = host.terminal("user passwd alice", &["too short"]);
    assert!(!success && shown.contains("at least 12 characters") && !shown.contains("too short"), "{shown}");
    assert_eq!(host.users().get("alice").unwrap().stamp(), alice.stamp());

    let (shown, success) = host.terminal("user passwd alice", &["another long one", "another long one"]);
    assert!(success && !shown.contains("another"), "{shown}");
    assert!(password::verify("another long one", Some(&host.users().get("alice").unwrap().password)));
}

#[test]
fn the_list_shows_no_hash() {
    let host = Host::new();
    assert_eq!(host.say("user list"), "");
    host.add("alice");
    host.add("bob");
    host.say("user disable bob");
    assert_eq!(host.say("user list"), "alice  enabled   deployers\nbob    disabled  deployers\n");
    assert!(host.users().get("bob").unwrap().disabled, "the account stays");
}

#[test]
fn comments_and_the_order_of_people_survive() {
    let host = Host::new();
    host.add("zoe");
    let (head, rest) = host.text().split_once("[users.zoe]").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    host.write(&format!("{head}# The boss\n[users.zoe] # since May{rest}# the end\n"));
    host.add("alice");
    host.say("user disable zoe");
    host.say("user groups zoe admins");
    host.script("user passwd zoe", "another long one\n");
    host.say("user enable zoe");
    let text = host.text();
    let places: Vec<usize> =
        [&head, "# The boss\n[users.zoe] # since May\n", "disabled = false\n", "[users.alice]", "# the end\n"]
            .iter()
            .map(|part| text.find(part).unwrap_or_else(|| panic!("{part}: {text}")))
            .collect();
    assert!(places.is_sorted(), "{text}");
    host.say("user remove zoe");
    let text = host.text();
    assert!(text.starts_with(&format!("{head}[users.alice]\n")) && text.ends_with("# the end\n"), "{text}");
}

#[test]
fn mode_and_owner_stay() {
    let host = Host::new();
    host.add("alice");
    fs::set_permissions(host.file(), fs::Permissions::from_mode(0o400)).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        chown(host.file(), Some(65_533), Some(65_534)).unwrap();
    }
    let what = || host.file().metadata().map(|file| (file.mode() & 0o7777, file.uid(), file.gid())).unwrap();
    let before = what();
    if is_root {
        host.say("user disable alice");
        assert_eq!(what(), before);
    }
    fs::set_permissions(host.file(), fs::Permissions::from_mode(0o600)).unwrap();
    host.say("user enable alice");
    assert_eq!(what(), (0o600, before.1, before.2));
}

#[test]
fn the_group_of_a_new_file_is_that_of_the_apis_account() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let host = Host::new();
    let nobody = uzers::get_user_by_name("nobody").unwrap();
    fs::create_dir(host.path("api")).unwrap();
    chown(host.path("api"), Some(nobody.uid()), None).unwrap();
    host.add("alice");
    let file = host.file().metadata().unwrap();
    assert_eq!((file.uid(), file.gid(), file.mode() & 0o7777), (0, nobody.primary_group_id(), 0o640));
}

#[test]
fn many_changes_at_once_lose_none() {
    let host = Host::new();
    host.add("alice");
    std::thread::scope(|scope| {
        for number in 0..6 {
            let host = &host;
            scope.spawn(move || {
                host.add(&format!("user{number}"));
                host.say(&format!("user groups user{number} group{number}"));
                host.say(&format!("user disable user{number}"));
            });
        }
        for _ in 0..6 {
            scope.spawn(|| host.script("user passwd alice", "another long one\n"));
        }
    });
    let users = host.users();
    assert_eq!(users.all().len(), 7);
    for number in 0..6 {
        let user = users.get(&format!("user{number}")).unwrap();
        assert_eq!((user.groups, user.disabled), (vec![format!("group{number}")], true));
    }
    assert!(password::verify("another long one", Some(&users.get("alice").unwrap().password)));
    let names = fs::read_dir(host.directory.path()).unwrap().count();
    assert_eq!(names, 3, "the configuration, the users file and the state directory: no draft is left");
}

#[test]
fn of_two_who_add_the_same_user_one_is_refused() {
    let host = Host::new();
    let add = || host.script("user add alice", &format!("{PASSWORD}\n")).status.success();
    let added: Vec<bool> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(add)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(added.iter().filter(|&&added| added).count(), 1, "{added:?}");
}

#[test]
fn a_damaged_file_is_named_with_its_line_and_kept() {
    let host = Host::new();
    host.add("alice");
    let damaged = format!(
        "{}\n[users.bob]\npassword = \"$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$c29tZXNhbHRzb21lc2FsdA\"\ngroups = []\n",
        host.text()
    );
    host.write(&damaged);
    let line = 1 + damaged.lines().position(|line| line.contains("4294967295")).unwrap();
    for command in ["user add carol", "user passwd alice", "user disable alice", "user remove bob", "user list"] {
        let said = refusal(&host.script(command, &format!("{PASSWORD}\n")));
        let expected = format!("{}: line {line}: `password` in [users.bob] takes too much", host.file().display());
        assert!(said.contains(&expected), "{command}: {said}");
        assert!(!said.contains("c29t"), "{said}");
    }
    assert_eq!(host.text(), damaged);
}

#[test]
fn check_says_how_to_add_the_first_user_and_what_is_wrong_with_the_file() {
    let host = Host::new();
    let check = || String::from_utf8(host.script("check", "").stdout).unwrap();
    let file = host.file();
    let first = format!("{}: does not exist, so nobody can sign in\n  fix: spiderpig-api --config", file.display());
    assert!(check().contains(&first), "{}", check());
    host.add("alice");
    assert!(check().contains("has no enabled user in an admin group (admins)"), "{}", check());
    host.say("user groups alice admins deployers");
    assert!(!check().contains("users.toml"), "{}", check());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(check().contains(&format!("fix: chmod 0640 {}", file.display())), "{}", check());
}
