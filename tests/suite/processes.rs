//! The processes that SpiderPig is made of: what each consists of, and what happens where the system gives no more.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use serde_json::json;
use spiderpig::spool::JobId;
use spiderpig::spool::inbox::JobSignal;
use spiderpig::spool::runner_state::RunnerState;
use spiderpig::spool::status::{State, Status};

use crate::client;
use crate::support::{ASK, TestSpool, wait_for, wait_until};

/// How many threads a process has.
fn threads(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).unwrap().count()
}

#[test]
fn a_supervisor_is_one_thread_and_hears_what_is_for_its_job() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let id = spool.submit_script(&format!("{ASK} ask go"));
    spool.wait_prompt(id, 1);
    let supervisor = wait_for("there is one supervisor", || match *spool.supervisors() {
        [supervisor] => Some(supervisor),
        _ => None,
    });
    assert_eq!(threads(supervisor), 1);
    spool.answer(id, 1, "alice", "y");
    spool.wait_final(id);
    assert!(spool.lines(id).contains(&"got:y".to_owned()), "{:?}", spool.lines(id));
}

/// An account that no other process has, also not of another run of this suite: the kernel counts by account.
fn lonely_account(number: u32) -> u32 {
    20_000 + (std::process::id() % 5_000) * 8 + number
}

/// A spool for a runner of such an account, which trusts this test.
fn spool() -> TestSpool {
    TestSpool::with_configuration("trusted_submitters = [\"root\"]\n")
}

/// Limits how many processes and threads its account may have when a process starts another.
fn limit_processes(pid: u32, most: usize) {
    // By a process of the same account, as root in a container may not do it.
    let mut command = Command::new("prlimit");
    command.arg(format!("--pid={pid}")).arg(format!("--nproc={most}:"));
    let account = fs::metadata(format!("/proc/{pid}")).unwrap().uid();
    assert!(command.uid(account).gid(account).status().unwrap().success());
}

/// More than anything here needs.
const PLENTY: usize = 1000;

/// Why a job waits, and what the runner calls problems.
fn told(spool: &TestSpool, id: JobId) -> (String, Vec<String>) {
    let Ok(Some(state)) = RunnerState::read(&spool.spool()) else { return Default::default() };
    let waits = state.lanes.values().find_map(|lane| lane.waiting.get(&id));
    (waits.cloned().unwrap_or_default(), state.problems)
}

const NO_PROCESS: &str = "no process could be started: the limit of processes is reached (TasksMax of the service, or \
                          `ulimit -u` of the account); tried again within ";

#[test]
fn a_runner_that_gets_no_process_says_so_and_blames_no_job() {
    let spool = spool();
    let runner = spool.start_runner(&mut spool.command_as(lonely_account(0), "spiderpig-runner"));
    limit_processes(runner.pid(), 1);
    let id = spool.submit_script("echo done");
    let unwanted = spool.submit_script("echo unwanted");
    spool.signal(unwanted, "alice", JobSignal::Interrupt);
    let later = [4, 8, 16, 30].map(|pause| format!("{NO_PROCESS}{pause} s"));
    wait_until("the third attempt has failed", || {
        let (waits, problems) = told(&spool, id);
        later.contains(&waits) && problems.contains(&waits)
    });
    assert_eq!(spool.status(id), None, "it waits in the queue");
    limit_processes(runner.pid(), PLENTY);
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert_eq!(spool.wait_final(unwanted).state, State::Cancelled);
    wait_until("nothing is told any more", || told(&spool, id) == Default::default());
    assert_eq!(RunnerState::read(&spool.spool()).unwrap().unwrap().failed_starts.len(), 0);
}

/// A job whose supervisor gets no process for the command. Returns it with its supervisor.
fn job_without_process(spool: &TestSpool) -> (JobId, u32) {
    let id = spool.submit_script("echo done");
    let tells = |status: &Status| status.message.as_ref().is_some_and(|message| message.starts_with(NO_PROCESS));
    let status = spool.wait_status(id, "it tells what it lacks", tells);
    assert_eq!((status.state, status.process), (State::Running, None));
    (id, status.supervisor.unwrap().pid.unsigned_abs())
}

#[test]
fn a_supervisor_that_gets_no_process_waits_for_one_and_can_be_stopped() {
    let spool = spool();
    let runner = spool.start_runner(&mut spool.command_as(lonely_account(1), "spiderpig-runner"));
    limit_processes(runner.pid(), threads(runner.pid()) + 1);

    let (id, supervisor) = job_without_process(&spool);
    limit_processes(supervisor, PLENTY);
    let status = spool.wait_final(id);
    assert_eq!(status.state, State::Succeeded);
    assert!(!status.message.unwrap_or_default().contains(NO_PROCESS), "what it lacked is past");
    assert_eq!(spool.notes(id), [format!("{NO_PROCESS}1 s"), "the command was executed after all".to_owned()]);

    let (id, _) = job_without_process(&spool);
    spool.signal(id, "alice", JobSignal::Interrupt);
    let status = spool.wait_final(id);
    assert_eq!((status.state, status.cancelled_by.as_deref()), (State::Cancelled, Some("alice")));
    assert_eq!((status.started_at, spool.lines(id)), (None, Vec::<String>::new()));
}

#[test]
fn a_runner_that_gets_no_thread_for_its_log_logs_all_the_same() {
    let spool = spool();
    let runner = spool.command_as(lonely_account(4), "spiderpig-runner");
    let mut command = Command::new("prlimit");
    command.arg("--nproc=1:").arg(runner.get_program()).args(runner.get_args());
    command.uid(lonely_account(4)).gid(lonely_account(4)).current_dir("/");
    let runner = spool.start_runner(&mut command);
    assert_eq!(threads(runner.pid()), 1);
    let id = spool.submit_script("echo done");
    wait_until("it says why the job waits", || runner.log().contains(NO_PROCESS));
    limit_processes(runner.pid(), PLENTY);
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
}

#[test]
fn an_api_that_gets_no_more_threads_goes_on_with_those_that_it_has() {
    let spool = spool();
    let _runner = spool.start_runner(&mut spool.command_as(lonely_account(2), "spiderpig-runner"));
    let api = client::start_as(&spool, &mut spool.command_as(lonely_account(2), "spiderpig-api"));
    limit_processes(api.daemon.pid(), 1);
    let body = json!({ "type": "noop", "params": {} }).to_string();
    std::thread::scope(|scope| {
        let posts: Vec<_> = (0..16).map(|_| scope.spawn(|| api.post("/api/jobs", &body).0)).collect();
        for post in posts {
            assert_eq!(post.join().unwrap(), 201, "{}", api.daemon.log());
        }
    });
}

#[test]
fn an_api_that_gets_no_thread_at_its_start_says_so_in_a_sentence() {
    let spool = spool();
    let _runner = spool.runner();
    let api = spool.command_as(lonely_account(3), "spiderpig-api");
    let mut command = Command::new("prlimit");
    command.arg("--nproc=1").arg(api.get_program()).args(api.get_args());
    let output = command.uid(lonely_account(3)).current_dir("/").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no thread could be started: the limit of processes is reached"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}
