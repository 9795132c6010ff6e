//! The runner under one account, the API under another, an operator in the spool's group, and a stranger: what each
//! may do to the spool, checked by the kernel. Needs root, which makes the accounts if they are missing.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::{Value, json};
use spiderpig::spool::inbox::{self, Answer};
use spiderpig::spool::queue::{self, NewJob};
use spiderpig::spool::status::State;
use spiderpig::spool::{JobId, Spool};

use crate::support::{ASK, Daemon, TestSpool, program, wait_until};

const GROUP: &str = "spiderpig-t";
const RUNNER: &str = "spiderpig-t-runner";
const API: &str = "spiderpig-t-api";
const OPERATOR: &str = "spiderpig-t-operator";
const STRANGER: &str = "spiderpig-t-stranger";

/// Takes a number and submits a job that names `$1`, as an operator does it with shell tools.
const SUBMIT: &str = r#"
next() { n=$(sed 's/^0*//' sequence); n=$((n + 1)); printf '%020d\n' $n | dd of=sequence conv=notrunc status=none; echo $n; }
n=$(exec 9<>sequence; flock 9; next)
printf '{"version":1,"id":%d,"type":"noop","params":{},"user":"%s","submitted_at":"2026-01-01T00:00:00.000Z"}' $n $1 >incoming/mine-$n
chmod 0640 incoming/mine-$n; mv -n incoming/mine-$n queue/$n.json; [ ! -e incoming/mine-$n ] && echo $n
"#;

fn ensure_accounts() -> bool {
    static MADE: OnceLock<bool> = OnceLock::new();
    *MADE.get_or_init(|| {
        if !rustix::process::geteuid().is_root() {
            // Said past the capturing of the test's output.
            let _ = writeln!(std::io::stderr(), "SKIPPED: only root can run programs under other accounts");
            return false;
        }
        let run = |program: &str, arguments: &[&str]| {
            let made = Command::new(program).args(arguments).output().unwrap();
            assert!(made.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
        };
        run("groupadd", &["--system", "--force", GROUP]);
        for (name, in_group) in [(RUNNER, true), (API, true), (OPERATOR, true), (STRANGER, false)] {
            if uzers::get_user_by_name(name).is_none() {
                run("useradd", &["--system", "--no-create-home", "--user-group", "--shell", "/usr/sbin/nologin", name]);
            }
            if in_group {
                run("usermod", &["--append", "--groups", GROUP, name]);
            }
        }
        true
    })
}

/// A program under another account.
fn command_as(account: &str, program: impl AsRef<Path>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", account, "--regid", account, "--init-groups", "--"]).arg(program.as_ref());
    command
}

/// A spool that belongs to the runner's account, with its runner.
struct Shared {
    spool: TestSpool,
    _runner: Daemon,
}

impl Shared {
    fn new() -> Option<Self> {
        if !ensure_accounts() {
            return None;
        }
        let spool = TestSpool::with_configuration(&format!("trusted_submitters = [\"{API}\"]\nrescan = \"1s\"\n"));
        fs::set_permissions(spool.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(spool.root()).unwrap();
        let uid = uzers::get_user_by_name(RUNNER).unwrap().uid();
        let gid = uzers::get_group_by_name(GROUP).unwrap().gid();
        chown(spool.root(), Some(uid), Some(gid)).unwrap();
        fs::set_permissions(spool.root(), fs::Permissions::from_mode(0o2750)).unwrap();
        let mut command = command_as(RUNNER, program("spiderpig-runner"));
        command.env("RUST_LOG", "debug").arg("--config").arg(spool.configuration());
        let runner = spool.start_runner(&mut command);
        Some(Self { spool, _runner: runner })
    }

    /// Runs a shell script in the spool directory under an account.
    fn shell(&self, account: &str, script: &str, argument: &str) -> Output {
        let mut command = command_as(account, "/bin/sh");
        let directory = self.spool.root();
        let script = format!("cd {} || exit 99\n{script}", directory.display());
        command.args(["-c", &script, "sh", argument]).current_dir("/").output().unwrap()
    }

    fn may(&self, account: &str, script: &str) -> bool {
        self.shell(account, script, "").status.success()
    }

    /// Does something with the library under an account, in a process of its own: see [`with_the_library`].
    fn library(&self, account: &str, mut task: Value) -> String {
        task["root"] = json!(self.spool.root());
        let mut command = command_as(account, std::env::current_exe().unwrap());
        command.args(["--exact", "accounts::with_the_library", "--nocapture"]).env(TASK, task.to_string());
        let output = command.current_dir("/").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text.lines().find_map(|line| line.split_once("RESULT ")).unwrap().1.to_owned()
    }

    fn submit(&self, account: &str, user: &str, script: &str) -> JobId {
        self.library(account, json!({ "do": "submit", "user": user, "script": script })).parse().unwrap()
    }

    /// Submits a job with shell tools, as the operator.
    fn submit_by_hand(&self, account: &str, user: &str) -> JobId {
        let output = self.shell(account, SUBMIT, user);
        let text = String::from_utf8(output.stdout).unwrap();
        text.trim().parse().unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
    }

    fn problems(&self) -> String {
        let text = fs::read(self.spool.root().join("runner.json")).unwrap_or_default();
        serde_json::from_slice::<Value>(&text).unwrap_or_default()["problems"].to_string()
    }
}

/// What [`with_the_library`] is to do.
const TASK: &str = "SPIDERPIG_TEST_TASK";

#[test]
fn with_the_library() {
    let Ok(task) = std::env::var(TASK) else { return };
    let task: Value = serde_json::from_str(&task).unwrap();
    let text = |name: &str| task[name].as_str().unwrap().to_owned();
    let spool = Spool::open(Path::new(&text("root"))).unwrap();
    let result = if task["do"] == "submit" {
        let params = json!({ "script": text("script") }).as_object().unwrap().clone();
        let new = NewJob { job_type: "sh".into(), params, user: text("user"), ..NewJob::default() };
        queue::submit(&spool, new).unwrap().id.to_string()
    } else {
        let answer = Answer { user: text("user"), response: text("response") };
        format!("{:?}", inbox::answer(&spool, text("job").parse().unwrap(), 1, &answer).unwrap())
    };
    writeln!(std::io::stdout(), "RESULT {result}").unwrap();
}

#[test]
fn a_job_goes_from_the_api_to_the_runner_and_its_answer_too() {
    let Some(shared) = Shared::new() else { return };
    let spool = &shared.spool;
    let id = shared.submit(API, "alice", &format!("{ASK} id -un; ask go; exit 4"));
    spool.wait_prompt(id, 1);
    let answer = |account: &str, user: &str, response: &str| {
        shared.library(account, json!({ "do": "answer", "job": id.to_string(), "user": user, "response": response }))
    };
    assert_eq!(answer(OPERATOR, "alice", "y"), "First");
    let refused =
        format!("answer of {OPERATOR} to prompt 1 refused: it names the user `alice`, but the file belongs to");
    wait_until("it is refused", || spool.notes(id).iter().any(|note| note.starts_with(&refused)));
    wait_until("its file is gone", || spool.names("inbox").is_empty());
    assert_eq!(spool.status(id).unwrap().state, State::Waiting);
    assert_eq!(answer(API, "bob", "y"), "First");
    let status = spool.wait_final(id);
    assert_eq!((status.user.as_str(), status.exit_status), ("alice", Some(4)));
    assert_eq!(spool.lines(id), [RUNNER, "go [y/n]: ", "got:y"]);
    wait_until("the spool is tidy", || spool.names("inbox").is_empty() && spool.names("queue").is_empty());
}

#[test]
fn an_operator_speaks_for_nobody_else() {
    let Some(shared) = Shared::new() else { return };
    let own = shared.submit_by_hand(OPERATOR, OPERATOR);
    assert_eq!(shared.spool.wait_final(own).user, OPERATOR);
    let foreign = shared.submit_by_hand(OPERATOR, "alice");
    let reason = shared.spool.wait_rejected(&format!("{foreign}.reason"));
    assert_eq!(reason, format!("it names the user `alice`, but the file belongs to `{OPERATOR}`\n"));
    let trusted = shared.submit_by_hand(API, "alice");
    assert_eq!(shared.spool.wait_final(trusted).user, "alice");
}

#[test]
fn members_of_the_group_read_and_drop_and_do_nothing_else() {
    let Some(shared) = Shared::new() else { return };
    let spool = &shared.spool;
    let id = shared.submit(API, "alice", &format!("{ASK} echo out; ask go"));
    spool.wait_prompt(id, 1);
    let waiting = [shared.submit(API, "alice", "true"), shared.submit_by_hand(OPERATOR, OPERATOR)];
    assert!(shared.may(OPERATOR, &format!("echo x >inbox/{id}.response.9.json.tmp && mv inbox/*.tmp inbox/.mine")));
    for account in [API, OPERATOR] {
        for allowed in [
            "cat jobs/1/status.json jobs/1/log.jsonl jobs/1/output.log jobs/1/job.json runner.json layout",
            "ls queue inbox jobs running rejected lanes incoming",
            "grep -q ':'$(stat -c %i jobs/1/lock)' ' /proc/locks",
            "flock -n sequence true && : <>sequence",
            "flock -n lanes/wide.1.lock true || [ ! -e lanes/wide.1.lock ]",
            "! flock -sn runner.lock true",
            "echo x >incoming/x-$$ && mv incoming/x-$$ inbox/.x-$$ && rm inbox/.x-$$",
        ] {
            assert!(shared.may(account, allowed), "{account} may: {allowed}");
        }
        let other = if account == API { waiting[1] } else { waiting[0] };
        for forbidden in [
            "touch x",
            "touch paused",
            "touch jobs/x",
            "touch jobs/1/x",
            "touch rejected/x",
            "touch lanes/x",
            "ln -s ../jobs/1 running/x",
            "rm running/1",
            "echo x >>history.jsonl",
            "echo x >>runner.json",
            "echo x >>layout",
            "echo x >>runner.lock",
            "echo x >>lanes/default.1.lock",
            "echo x >>jobs/1/status.json",
            "echo x >>jobs/1/log.jsonl",
            "mv jobs/1 incoming/x",
            "mv jobs incoming/x",
            "rm sequence",
            "chmod 0777 sequence",
            "cat jobs/1/plan.json",
            "flock -n jobs/1/lock true",
            ": <jobs/1/lock",
            &format!("rm -f queue/{other}.json"),
            &format!("mv -f queue/{other}.json incoming/x"),
            &format!("echo x >queue/{other}.json"),
            &format!("echo x >incoming/y-$$ && mv -f incoming/y-$$ queue/{other}.json"),
        ] {
            assert!(!shared.may(account, forbidden), "{account} may not: {forbidden}");
        }
    }
    assert!(!shared.may(API, "rm -f inbox/.mine"));
    assert!(shared.may(OPERATOR, "rm inbox/.mine"));
    for attempt in
        ["ls", "cat layout", "cat runner.json", "touch queue/x", "flock -n sequence true", "ls jobs/1", "true"]
    {
        assert!(!shared.may(STRANGER, attempt), "a stranger may not: {attempt}");
    }
    shared.library(API, json!({ "do": "answer", "job": id.to_string(), "user": "alice", "response": "y" }));
    for id in [id, waiting[0], waiting[1]] {
        assert_eq!(spool.wait_final(id).state, State::Succeeded);
    }
}

#[test]
fn everything_the_runner_makes_has_the_documented_mode_and_group() {
    let Some(shared) = Shared::new() else { return };
    let spool = &shared.spool;
    let done = shared.submit(API, "alice", "umask 0; seq 2500");
    spool.wait_final(done);
    let bad = shared.submit_by_hand(OPERATOR, "alice");
    spool.wait_rejected(&format!("{bad}.reason"));
    let open = shared.submit(API, "alice", &format!("{ASK} ask go"));
    spool.wait_prompt(open, 1);
    let pause = json!({ "user": "alice", "reason": "x" }).to_string();
    assert!(shared.may(
        API,
        &format!("echo '{pause}' >incoming/p; chmod 640 incoming/p; mv incoming/p inbox/runner.pause.x.json")
    ));
    // First comes the pause; then the request for it, which is not the runner's own file, goes.
    wait_until("it is paused", || {
        spool.root().join("paused").exists() && !spool.names("inbox").contains(&"runner.pause.x.json".to_owned())
    });
    let runner = uzers::get_user_by_name(RUNNER).unwrap().uid();
    let group = uzers::get_group_by_name(GROUP).unwrap().gid();
    let mut seen = 0;
    for entry in walk(&spool.root()) {
        let name = entry.file_name().unwrap().to_str().unwrap();
        // The runner still tells of the pause: a file that is being written has its mode when it gets its name.
        let Some(metadata) = entry.symlink_metadata().ok().filter(|_| !name.starts_with('.')) else { continue };
        if metadata.is_symlink() {
            continue;
        }
        let expected = match name {
            "incoming" | "queue" | "inbox" | "monitoring" => 0o3770,
            "sequence" => 0o660,
            "lock" | "plan.json" => 0o600,
            _ if metadata.is_dir() => 0o2750,
            _ => 0o640,
        };
        let mode = metadata.mode() & 0o7777;
        assert_eq!(mode, expected, "{} has mode {mode:04o}", entry.display());
        assert_eq!(metadata.gid(), group, "{}", entry.display());
        assert!(metadata.uid() == runner || entry.ends_with(format!("rejected/{bad}.json")), "{}", entry.display());
        seen += 1;
    }
    assert!(seen > 30, "{seen}");
}

#[test]
fn what_the_runner_cannot_read_or_move_is_told_and_stops_nobody() {
    let Some(shared) = Shared::new() else { return };
    let spool = &shared.spool;
    let id = shared.submit(API, "alice", &format!("{ASK} ask go"));
    spool.wait_prompt(id, 1);
    // Five numbers whose files the API's account makes as badly as it can.
    let numbers: Vec<JobId> = (0..5).map(|_| spiderpig::spool::sequence::take(&spool.spool()).unwrap()).collect();
    let [unreadable, fifo, folder, link, writable] = numbers[..] else { panic!() };
    assert!(shared.may(
        API,
        &format!(
            "set -e; cd queue; echo x >.a; chmod 0 .a; mkfifo -m 640 .b; mkdir -m 700 .c; ln -s /etc/shadow .d; \
             echo '{{}}' >.e; chmod 666 .e; mv .a {unreadable}.json; mv .b {fifo}.json; mv .c {folder}.json; \
             mv .d {link}.json; mv .e {writable}.json; cd ../inbox; \
             for x in {id}.signal.a {id}.response.2 {id}.response.x runner.pause.b; \
             do echo x >.c; chmod 0 .c; mv .c $x.json; done; mkdir {id}.signal.c.json {id}.response.3.json"
        )
    ));
    for (number, reason) in [(fifo, "regular"), (link, "symbolic link"), (writable, "group or others")] {
        let told = spool.wait_rejected(&format!("{number}.reason"));
        assert!(told.contains(reason), "{told}");
    }
    wait_until("what cannot be dealt with is told", || {
        let problems = shared.problems();
        [unreadable, folder].iter().all(|number| problems.contains(&format!("queue/{number}.json")))
    });
    assert_eq!(spool.status(id).unwrap().state, State::Waiting, "nothing has stopped it");
    let next = shared.submit(API, "alice", "true");
    let name = format!("{next}.signal.a.json");
    assert!(shared.may(API, &format!("echo x >inbox/.d; chmod 0 inbox/.d; mv inbox/.d inbox/{name}")));
    wait_until("the signal that nobody can read makes room", || !spool.names("inbox").contains(&name));
    shared.library(API, json!({ "do": "answer", "job": id.to_string(), "user": "alice", "response": "y" }));
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert_eq!(spool.wait_final(next).state, State::Succeeded, "the lane is free");
    for what in ["answer of spiderpig-t-api to prompt 2 refused", "signal of spiderpig-t-api refused"] {
        assert_eq!(spool.notes(id).iter().filter(|note| note.starts_with(what)).count(), 1, "{what}");
    }
    // Directories of others in the inbox are hidden where they lie.
    assert!(shared.may(API, "rm -f queue/*.json inbox/*.json; rmdir queue/*.json inbox/.*.aside"));
    wait_until("nothing is told any more", || shared.problems() == "[]");
}

fn walk(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![directory.to_owned()];
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(walk(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found.retain(|path| path.file_name().is_some_and(|name| name != "spool") || path == directory);
    found
}
