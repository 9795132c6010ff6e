//! A temporary spool with the real programs on it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use spiderpig::spool::inbox::{self, Answer, Answered, JobSignal, SignalRequest};
use spiderpig::spool::job::Job;
use spiderpig::spool::log::{LogReader, Record, RecordKind};
use spiderpig::spool::queue::{self, NewJob};
use spiderpig::spool::status::{State, Status};
use spiderpig::spool::{JobId, Spool};

/// How long anything may take before a test gives up. Generous: CI has two busy cores.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// Whether the programs are to watch their files. `SPIDERPIG_TEST_WATCH=false` shows that all goes well without, too.
pub fn has_watch() -> bool {
    std::env::var("SPIDERPIG_TEST_WATCH").map_or(true, |watch| watch != "false")
}

/// The arguments with which `unshare` starts a program in a PID namespace of its own. `None`, and a word past the capturing
/// of the test's output, where that is not allowed.
pub fn pid_namespace() -> Option<[&'static str; 4]> {
    use std::io::Write as _;
    let namespace = ["--pid", "--fork", "--kill-child", "--mount-proc"];
    if Command::new("unshare").args(namespace).arg("true").status().is_ok_and(|status| status.success()) {
        return Some(namespace);
    }
    let _ = writeln!(std::io::stderr(), "SKIPPED: no namespace of processes can be made here");
    None
}

/// The job types that most tests need.
const JOB_TYPES: &str = r#"
[job_types.noop]
command = ["true"]

[job_types.sh]
title = "A shell script"
command = ["sh", "-c", "{script}"]
params = [{ name = "script", kind = "string", required = true }]

[job_types.parallel]
lane = "wide"
command = ["sh", "-c", "{script}"]
params = [{ name = "script", kind = "string", required = true }]

[lanes.wide]
concurrency = 4
"#;

/// Waits until a condition holds.
///
/// # Panics
/// It did not within [`DEADLINE`].
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}

/// Waits until something is there.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Where a program of this package was built.
pub fn program(name: &str) -> &'static str {
    match name {
        "spiderpig-runner" => env!("CARGO_BIN_EXE_spiderpig-runner"),
        "spiderpig-api" => env!("CARGO_BIN_EXE_spiderpig-api"),
        other => panic!("there is no program {other}"),
    }
}

/// A spool in a temporary directory. When it goes, everything that works on it is killed.
pub struct TestSpool {
    directory: tempfile::TempDir,
    children: Mutex<Vec<u32>>,
}

impl TestSpool {
    /// A spool that no runner has laid out yet, for the usual job types.
    pub fn new() -> Self {
        Self::with_configuration("")
    }

    /// The same with more configuration. Keys of `[runner]` may stand first, before any section of `more`.
    pub fn with_configuration(more: &str) -> Self {
        Self::configured("", more)
    }

    /// The same with more keys of `[api]`.
    pub fn with_api(keys: &str) -> Self {
        Self::configured(keys, "")
    }

    fn configured(api: &str, more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let spool = Self { directory, children: Mutex::default() };
        let watch = has_watch();
        let root = spool.root();
        // No test asks a Gerrit that is not its own.
        let gerrit = if more.contains("[gerrit]") { "" } else { "[gerrit]\nurl = \"\"\n" };
        let text = format!(
            "spool = \"{}\"\n[api]\nlisten = \"127.0.0.1:0\"\nstate_directory = \"{}\"\n{api}[auth]\nmode = \"none\"\ndev_user = \"tester\"\n\
             {gerrit}[runner]\nwatch = {watch}\n{more}\n{JOB_TYPES}",
            root.display(),
            spool.state_directory().display()
        );
        fs::write(spool.configuration(), text).unwrap();
        spool
    }

    /// Replaces what the configuration says of signing in, which is that nobody does.
    pub fn set_auth(&self, keys: &str) {
        let text = fs::read_to_string(self.configuration()).unwrap();
        let (before, after) = text.split_once("mode = \"none\"\ndev_user = \"tester\"\n").unwrap();
        fs::write(self.configuration(), format!("{before}{keys}{after}")).unwrap();
    }

    /// The directory around the spool, for files of a test's own.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The spool directory.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("spool")
    }

    /// What the APIs of the spool share.
    pub fn state_directory(&self) -> PathBuf {
        self.directory.path().join("api")
    }

    /// The configuration file.
    pub fn configuration(&self) -> PathBuf {
        self.directory.path().join("spiderpig.toml")
    }

    /// The spool as the library sees it. A runner must have laid it out.
    pub fn spool(&self) -> Spool {
        Spool::open(&self.root()).unwrap()
    }

    /// A command of one of the programs, on this spool, with a clean environment.
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(program(name));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("LANG", "C.UTF-8");
        command.env("RUST_LOG", "debug").arg("--config").arg(self.configuration());
        command
    }

    /// The same as another account, to which spool and state directory belong from now on. Only root can do it.
    pub fn command_as(&self, uid: u32, name: &str) -> Command {
        fs::set_permissions(self.path(), fs::Permissions::from_mode(0o711)).unwrap();
        for (directory, mode) in [(self.root(), 0o2750), (self.state_directory(), 0o700)] {
            if !directory.exists() {
                fs::create_dir(&directory).unwrap();
                chown(&directory, Some(uid), Some(uid)).unwrap();
                fs::set_permissions(directory, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
        // Where it was built may be out of reach for others than root.
        let copy = self.path().join(name);
        if !copy.exists() {
            // By a process of its own: a file that a test writes while another forks is "busy" for that fork's life.
            assert!(Command::new("cp").arg(program(name)).arg(&copy).status().unwrap().success());
        }
        let mut command = Command::new(copy);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("RUST_LOG", "debug");
        command.arg("--config").arg(self.configuration()).current_dir("/").uid(uid).gid(uid);
        command
    }

    /// Starts a runner and waits until it is up.
    pub fn runner(&self) -> Daemon {
        self.start_runner(&mut self.command("spiderpig-runner"))
    }

    /// Starts a runner from a prepared command and waits until it is up.
    pub fn start_runner(&self, command: &mut Command) -> Daemon {
        let mut daemon = self.daemon(command, "runner.log");
        wait_for("the runner is up", || {
            assert!(daemon.child.try_wait().unwrap().is_none(), "the runner ended: {}", daemon.log());
            daemon.log().contains("the runner is up").then_some(())
        });
        daemon
    }

    /// Starts a daemon with its standard error in a file.
    pub fn daemon(&self, command: &mut Command, log: &str) -> Daemon {
        let log = self.path().join(log);
        let file = fs::File::create(&log).unwrap();
        let daemon = self.spawn(command.stdout(file.try_clone().unwrap()).stderr(file));
        Daemon { log, ..daemon }
    }

    /// Starts a daemon whose standard output and error are those of the command.
    pub fn spawn(&self, command: &mut Command) -> Daemon {
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        self.children.lock().unwrap().push(child.id());
        Daemon { child, log: PathBuf::new() }
    }

    /// Submits a job as the API would.
    pub fn submit(&self, job_type: &str, params: Value) -> JobId {
        let Value::Object(params) = params else { panic!("parameters are an object") };
        let new = NewJob { job_type: job_type.into(), params, user: "alice".into(), ..NewJob::default() };
        queue::submit(&self.spool(), new).unwrap().id
    }

    /// Submits a shell script.
    pub fn submit_script(&self, script: &str) -> JobId {
        self.submit("sh", json!({ "script": script }))
    }

    /// The directory of a job.
    pub fn job(&self, id: JobId) -> Job {
        Job::new(&self.spool(), id)
    }

    /// The status of a job, once there is one that can be read.
    pub fn status(&self, id: JobId) -> Option<Status> {
        self.job(id).status().ok().flatten()
    }

    /// Waits until a job's status meets a condition.
    #[track_caller]
    pub fn wait_status(&self, id: JobId, what: &str, condition: impl Fn(&Status) -> bool) -> Status {
        wait_for(&format!("job {id}: {what}"), || self.status(id).filter(|status| condition(status)))
    }

    /// Waits until a job is in the history, and gives its final status.
    #[track_caller]
    pub fn wait_final(&self, id: JobId) -> Status {
        let status = self.wait_status(id, "it is final", |status| status.state.is_final());
        wait_until(&format!("job {id} is in the history"), || self.history_lines(id) > 0);
        status
    }

    /// Waits until prompt `number` of a job is open.
    #[track_caller]
    pub fn wait_prompt(&self, id: JobId, number: u32) -> Status {
        self.wait_status(id, &format!("prompt {number} is open"), |status| {
            status.state == State::Waiting && status.interaction.as_ref().is_some_and(|open| open.id == number)
        })
    }

    /// How many lines the history has for a job.
    pub fn history_lines(&self, id: JobId) -> usize {
        let history = fs::read_to_string(self.root().join("history.jsonl")).unwrap_or_default();
        history.lines().filter(|line| line.starts_with(&format!("{{\"id\":{id},"))).count()
    }

    /// The records of a job's log.
    pub fn log(&self, id: JobId) -> Vec<Record> {
        let mut records = Vec::new();
        if let Some(mut reader) = LogReader::open(self.job(id).directory()).unwrap() {
            reader.for_each(|_, record| records.push(record)).unwrap();
        }
        records
    }

    /// The plain lines of a job's log.
    pub fn lines(&self, id: JobId) -> Vec<String> {
        let line = |record: Record| match record.kind {
            RecordKind::Line(line) => Some(line.line),
            _ => None,
        };
        self.log(id).into_iter().filter_map(line).collect()
    }

    /// The remarks in a job's log.
    pub fn notes(&self, id: JobId) -> Vec<String> {
        let note = |record: Record| match record.kind {
            RecordKind::Note { note, .. } => Some(note),
            _ => None,
        };
        self.log(id).into_iter().filter_map(note).collect()
    }

    /// Answers a prompt as a user, as the API would.
    pub fn answer(&self, id: JobId, prompt: u32, user: &str, response: &str) -> Answered {
        let answer = Answer { user: user.into(), response: response.into() };
        inbox::answer(&self.spool(), id, prompt, &answer).unwrap()
    }

    /// Sends a signal as a user, as the API would.
    pub fn signal(&self, id: JobId, user: &str, signal: JobSignal) {
        let word = format!("{user}-{}", signal.word());
        inbox::signal(&self.spool(), id, &word, &SignalRequest { user: user.into(), signal }).unwrap();
    }

    /// Puts a file into a directory of the spool by rename, as an operator would.
    pub fn drop_file(&self, path: &str, content: impl AsRef<[u8]>) {
        let staged = self.root().join("incoming").join(format!("staged-{}", path.replace('/', "-")));
        fs::write(&staged, content).unwrap();
        fs::set_permissions(&staged, fs::Permissions::from_mode(0o640)).unwrap();
        fs::rename(staged, self.root().join(path)).unwrap();
    }

    /// Names in a directory of the spool, in order, without the room that is set aside there.
    pub fn names(&self, directory: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.root().join(directory))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with(".room."))
            .collect();
        names.sort();
        names
    }

    /// Waits until a file in `rejected/` has its reason, and gives it.
    #[track_caller]
    pub fn wait_rejected(&self, reason_file: &str) -> String {
        let path = self.root().join("rejected").join(reason_file);
        wait_for(&format!("{reason_file} is there"), || fs::read_to_string(&path).ok())
    }

    /// Numbers of the supervisors on this spool.
    pub fn supervisors(&self) -> Vec<u32> {
        let root = self.root();
        let root = root.to_str().unwrap();
        processes(|command| command.contains("supervise\0") && command.contains(root))
    }
}

impl Drop for TestSpool {
    fn drop(&mut self) {
        for pid in self.children.lock().unwrap().drain(..) {
            kill_process(pid);
        }
        // A supervisor that is killed leaves its job behind; the jobs carry the number of the spool's job in their
        // environment, and their working tree is the marker that status.json names.
        let markers: Vec<String> = fs::read_dir(self.root().join("jobs"))
            .into_iter()
            .flatten()
            .filter_map(|entry| fs::read(entry.unwrap().path().join("status.json")).ok())
            .filter_map(|bytes| serde_json::from_slice::<Map<String, Value>>(&bytes).ok())
            .filter_map(|status| status.get("marker")?.as_str().map(str::to_owned))
            .collect();
        self.supervisors().into_iter().for_each(kill_process);
        for marker in markers {
            for process in spiderpig::runner::process::belonging(&marker, None, &BTreeSet::new()) {
                kill_process(process.pid.unsigned_abs());
            }
        }
    }
}

/// A running program.
pub struct Daemon {
    pub child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Kills it, as a crash would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to leave, and waits until it has.
    pub fn terminate(mut self) -> std::process::ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        wait_for("the daemon leaves", || self.child.try_wait().unwrap())
    }
}

/// Another service, which a Python program of this repository stands in for. It ends with the test.
pub struct StandIn {
    process: Child,
    pub port: u16,
}

impl StandIn {
    /// Starts one, which says its port first.
    pub fn start(script: &str, arguments: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
        let mut command = Command::new("python3");
        command.arg(script).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().unwrap();
        let mut port = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { process, port: port.trim().parse().unwrap() }
    }

    /// Nobody answers any more.
    pub fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Kills a process by its number. One that is gone is no error.
pub fn kill_process(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

/// How much memory a process has that is there, in megabytes.
pub fn resident_megabytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Whether a process is there and has not ended.
pub fn is_alive(pid: i32) -> bool {
    spiderpig::runner::process::Process::find(pid).is_some_and(|process| !process.ended)
}

/// Numbers of the processes whose command line, arguments separated by NUL, meets a condition.
pub fn processes(condition: impl Fn(&str) -> bool) -> Vec<u32> {
    let numbers = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers
        .filter(|pid: &u32| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            condition(&String::from_utf8_lossy(&command))
        })
        .collect()
}

/// A shell function `ask`: `ask TEXT` opens a yes/no prompt as scap does, reads the answer, and prints it as `got:…`.
pub const ASK: &str = r#"ask() { printf '{"type":"interaction","subtype":"choices","prompt":"%s","choices":{"Yes":"y","No":"n"},"default":null,"iokey":"%s"}\n' "$1" "$SPIDERPIG_IO_KEY"; read -r reply || exit 9; echo "got:$reply"; };"#;
