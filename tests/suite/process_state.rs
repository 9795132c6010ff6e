//! What runner, supervisor and command do not inherit from whatever started the runner, and what signals do to them.

use std::fs;
use std::path::Path;
use std::process::Command;

use spiderpig::process_state::LAST_SIGNAL;
use spiderpig::runner::process;
use spiderpig::spool::JobId;
use spiderpig::spool::inbox::JobSignal;
use spiderpig::spool::outcome::Outcome;
use spiderpig::spool::runner_state::RunnerState;
use spiderpig::spool::status::State;

use crate::client;
use crate::hostile::HostileSpool;
use crate::support::{Daemon, TestSpool, pid_namespace, wait_for, wait_until};

/// Becomes the program in its arguments, in the worst of states.
const BAD_START: &str = r"
import fcntl, os, resource, signal, sys
os.set_inheritable(fcntl.fcntl(os.open(sys.argv[1], os.O_CREAT | os.O_RDWR), fcntl.F_DUPFD, 9), True)
fcntl.flock(9, fcntl.LOCK_EX)
resource.setrlimit(resource.RLIMIT_FSIZE, (16384, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
others = set(range(1, 65)) - {signal.SIGKILL, signal.SIGSTOP, 32, 33}
for number in others: signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, others)
os.close(0)
os.execv(sys.argv[2], sys.argv[2:])
";

/// A program that begins in that state, holding the lock of a file.
fn badly_started(command: &Command, lock: &Path) -> Command {
    let mut bad = Command::new("python3");
    bad.args(["-c", BAD_START]).arg(lock).arg(command.get_program()).args(command.get_args());
    bad.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bad
}

/// Whether nobody holds the lock of a file.
fn is_free(path: &Path) -> bool {
    fs::File::open(path).unwrap().try_lock().is_ok()
}

#[test]
fn nothing_of_a_bad_start_reaches_runner_supervisor_and_command() {
    let spool = TestSpool::new();
    let lock = spool.path().join("somebody's lock");
    let runner = spool.start_runner(&mut badly_started(&spool.command("spiderpig-runner"), &lock));
    assert!(is_free(&lock), "the runner holds no lock of somebody else");

    let gate = spool.path().join("gate");
    // Of a child, as it got it from the shell: the shell itself blocks signals while it starts one.
    let id = spool.submit_script(&format!(
        "ls /proc/$$/fd; grep -E 'Sig(Blk|Ign)' /proc/self/status; until [ -e {} ]; do sleep 0.02; done; seq 10000",
        gate.display()
    ));
    wait_until("it has printed", || spool.lines(id).len() >= 5);
    let lines = spool.lines(id);
    assert_eq!(lines, ["0", "1", "2", "SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"]);
    fs::write(gate, "").unwrap();
    let status = spool.wait_final(id);
    assert_eq!((status.state, status.dropped_bytes), (State::Succeeded, 0));
    assert_eq!(spool.lines(id).len(), 10_005, "no limit of a file's size");

    let id = spool.submit_script("sleep 600");
    spool.wait_status(id, "it runs", |status| status.process.is_some());
    spool.signal(id, "alice", JobSignal::Interrupt);
    assert_eq!(spool.wait_final(id).outcome, Some(Outcome::Stopped), "signals arrive");
    assert!(runner.terminate().success());
}

#[test]
fn an_api_holds_no_lock_of_whoever_started_it() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let lock = spool.path().join("somebody's lock");
    let mut command = badly_started(&spool.command("spiderpig-api"), &lock);
    let api = client::start_as(&spool, &mut command);
    assert!(is_free(&lock));
    assert_eq!(api.get("/api/jobs").0, 200);
    assert!(api.daemon.terminate().success());
}

#[test]
fn no_signal_but_kill_and_stop_does_anything_to_a_supervisor() {
    let spool = HostileSpool::new();
    let id = spool.shell("echo up; gate end; echo down");
    spool.wait_line(id, "up");
    let supervisor = spool.status(id).unwrap().supervisor.unwrap().pid;
    for signal in (1..=LAST_SIGNAL).filter(|signal| ![libc::SIGKILL, libc::SIGSTOP].contains(signal)) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {supervisor}")]).status().unwrap();
        assert!(sent.success(), "signal {signal}");
    }
    spool.open_gate("end");
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert_eq!(spool.lines(id), ["up", "down"]);
}

/// Sends what ends most programs, and waits until SIGHUP is told of.
fn survives_signals(daemon: &Daemon) {
    for signal in [10, 12, 13, 14, 16, 24, 25, 26, 27, 29, 30, 34, 64, 1] {
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {}", daemon.pid())]).status().unwrap();
        assert!(sent.success(), "signal {signal}");
    }
    wait_until("SIGHUP is told of", || daemon.log().contains("received SIGHUP"));
}

#[test]
fn signals_that_mean_nothing_to_the_daemons_do_nothing_and_a_hangup_is_told() {
    let spool = TestSpool::new();
    let runner = spool.runner();
    survives_signals(&runner);
    let id = spool.submit_script("true");
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    let api = client::start(&spool);
    survives_signals(&api.daemon);
    assert_eq!(api.get("/api/jobs").0, 200);
}

#[test]
fn a_limit_of_the_size_of_files_that_cannot_be_lifted_is_told() {
    let spool = TestSpool::new();
    let limited = |command: Command| {
        let mut limited = Command::new("prlimit");
        limited.arg("--fsize=1000000").arg(command.get_program()).args(command.get_args());
        limited
    };
    let _runner = spool.start_runner(&mut limited(spool.command("spiderpig-runner")));
    let problems = || RunnerState::read(&spool.spool()).ok().flatten().map(|state| state.problems).unwrap_or_default();
    let sentence =
        "files cannot grow beyond 1000000 bytes (`ulimit -f`, LimitFSIZE=), so longer logs of jobs are cut off";
    wait_until("the runner tells", || problems().iter().any(|problem| problem == sentence));
    let id = spool.submit_script("seq 1000000");
    let status = spool.wait_final(id);
    assert_eq!(status.state, State::Succeeded);
    assert!(status.dropped_bytes > 0);

    let mut command = Command::new(crate::support::program("spiderpig-runner"));
    command.arg("--config").arg(spool.configuration()).arg("check").arg("--any-filesystem");
    let found = limited(command).output().unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    assert!(found.contains("RLIMIT_FSIZE: limits files to 1000000 bytes"), "{found}");
}

/// The children of a process, ended or not.
fn children(pid: u32) -> Vec<process::Process> {
    process::table().into_iter().filter(|process| process.parent.unsigned_abs() == pid).collect()
}

/// The runner as process 1 of a namespace of its own. None where that is not allowed.
fn as_process_one(spool: &TestSpool) -> Option<(Daemon, u32)> {
    let namespace = pid_namespace()?;
    let runner = spool.command("spiderpig-runner");
    let mut command = Command::new("unshare");
    command.args(namespace).arg(runner.get_program()).args(runner.get_args()).env("RUST_LOG", "debug");
    let unshare = spool.start_runner(&mut command);
    let runner = wait_for("unshare has a child", || children(unshare.pid()).first().map(|child| child.identity.pid));
    Some((unshare, runner.unsigned_abs()))
}

#[test]
fn as_process_one_the_runner_leaves_no_zombies() {
    let spool = TestSpool::with_configuration(
        "[job_types.daemon]\ncommand = [\"sh\", \"-c\", \"{script}\"]\nleftovers = \"leave\"\n\
         params = [{ name = \"script\", kind = \"string\" }]\n",
    );
    let Some((_unshare, runner)) = as_process_one(&spool) else { return };
    let gate = spool.path().join("gate");
    let orphan = format!("until [ -e {} ]; do sleep 0.02; done", gate.display());
    let script = format!("setsid sh -c '{orphan}' </dev/null >/dev/null 2>&1 & exit 0");
    let leaves: Vec<JobId> = (0..3).map(|_| spool.submit("daemon", serde_json::json!({ "script": script }))).collect();
    for id in leaves {
        assert_eq!(spool.wait_final(id).state, State::Succeeded);
    }
    wait_until("the orphans are the runner's", || children(runner).iter().filter(|child| !child.ended).count() == 3);
    fs::write(gate, "").unwrap();
    for _ in 0..5 {
        assert_eq!(spool.wait_final(spool.submit_script("exit 3")).exit_status, Some(3), "no status is taken away");
    }
    wait_until("nothing is left", || children(runner).is_empty());
    assert_eq!(RunnerState::read(&spool.spool()).unwrap().unwrap().failed_starts.len(), 0);
}
