//! What is wrong is told: by `/healthz`, by the runner's page, by `check`, and to whoever waits.

use std::fs;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::client::{Api, start, start_as};
use crate::disk::SmallDisk;
use crate::support::{ASK, Daemon, TestSpool, wait_for, wait_until};

fn send(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.try_into().unwrap()).unwrap(), signal).unwrap();
}

fn problems(api: &Api) -> Vec<String> {
    let (_, health) = api.get("/healthz");
    health["problems"].as_array().unwrap().iter().map(|problem| problem.as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn wait_problem(api: &Api, words: &str) {
    wait_until(&format!("/healthz says: {words}"), || problems(api).iter().any(|problem| problem.contains(words)));
}

fn check(spool: &TestSpool) -> String {
    let output = spool.command("spiderpig-runner").args(["check", "--any-filesystem"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn with_runner_and_api() -> (TestSpool, Daemon, Api) {
    let spool = TestSpool::new();
    let runner = spool.runner();
    let api = start(&spool);
    wait_until("the API sees the runner", || api.get("/healthz").1["runner_up"] == true);
    (spool, runner, api)
}

#[test]
fn a_runner_that_is_stopped_is_told_of_though_it_holds_its_lock() {
    let (spool, runner, api) = with_runner_and_api();
    let words = format!(
        "The job runner is stopped: no job starts. Somebody has sent its process SIGSTOP or SIGTSTP; to continue it: kill -CONT {}",
        runner.pid()
    );
    assert!(!problems(&api).iter().any(|problem| problem.contains("is stopped")));
    send(runner.pid(), Signal::STOP);
    wait_problem(&api, &words);
    assert_eq!(api.get("/healthz").1["runner_up"], true, "it lives");
    let findings = check(&spool);
    assert!(findings.contains("The job runner is stopped: no job starts\n  fix: Somebody has sent"), "{findings}");
    wait_until("the page is told too", || {
        let (_, runner) = api.get("/api/runner");
        runner["problems"].as_array().unwrap().iter().any(|problem| problem.as_str().unwrap().starts_with(&words))
    });
    send(runner.pid(), Signal::CONT);
    wait_until("it goes on", || !problems(&api).iter().any(|problem| problem.contains("is stopped")));
}

#[test]
fn a_supervisor_that_is_stopped_is_told_of() {
    let (spool, _runner, api) = with_runner_and_api();
    let id = spool.submit_script("echo up; exec sleep 600");
    spool.wait_status(id, "it runs", |status| status.process.is_some());
    let supervisor = spool.status(id).unwrap().supervisor.unwrap().pid;
    send(supervisor.unsigned_abs(), Signal::STOP);
    wait_problem(&api, &format!("The supervisor of job {id} is stopped: job {id} cannot be answered or stopped"));
    assert!(check(&spool).contains(&format!("The supervisor of job {id} is stopped")));
    send(supervisor.unsigned_abs(), Signal::CONT);
    wait_until("it goes on", || !problems(&api).iter().any(|problem| problem.contains("is stopped")));
}

#[test]
fn a_lane_whose_slot_cannot_be_had_says_so_where_people_wait() {
    let (spool, _runner, api) = with_runner_and_api();
    fs::create_dir(spool.root().join("lanes/default.1.lock")).unwrap();
    let id = spool.submit_script("echo up");
    let reason = wait_for("the job says why it waits", || {
        let (_, job) = api.get(&format!("/api/jobs/{id}"));
        let reason = job["job"]["waiting_for"].as_str()?.to_owned();
        reason.contains("the runner cannot get a slot of lane default").then_some(reason)
    });
    assert!(reason.contains("lanes/default.1.lock"), "{reason}");
    wait_problem(&api, "lanes/default.1.lock");
    assert!(check(&spool).contains("the runner reports a problem: "), "{}", check(&spool));
    fs::remove_dir(spool.root().join("lanes/default.1.lock")).unwrap();
    spool.wait_final(id);
}

#[test]
fn a_damaged_sequence_is_told_of() {
    let (spool, _runner, api) = with_runner_and_api();
    fs::write(spool.root().join("sequence"), "7\n").unwrap();
    wait_problem(&api, "No job can be started, as no number can be assigned");
}

#[test]
fn a_full_disk_is_told_of_by_what_it_does() {
    let Some(disk) = SmallDisk::new("16m") else { return };
    let api = start(&disk.spool);
    let is_full = |problem: &String| problem.contains("disk is full, or this account has used up its quota");
    assert!(!problems(&api).iter().any(is_full));
    let ballast = disk.fill();
    wait_until("/healthz tells of it", || problems(&api).iter().any(is_full));
    assert!(!problems(&api).iter().any(|problem| problem.contains("almost full")), "once is enough");
    fs::remove_file(ballast).unwrap();
    wait_until("there is room again", || !problems(&api).iter().any(is_full));
}

#[test]
fn a_state_directory_that_cannot_be_written_is_told_of() {
    let (spool, _runner, api) = with_runner_and_api();
    fs::create_dir_all(spool.state_directory()).unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "ro", "tmpfs"]).arg(spool.state_directory()).status();
    if !mounted.is_ok_and(|status| status.success()) {
        return;
    }
    let told = wait_for("/healthz tells of it", || {
        let (_, health): (u16, Value) = api.get("/healthz");
        health["problems"].to_string().contains("The state directory of the API cannot be written").then_some(health)
    });
    let unmounted = Command::new("umount").arg("--lazy").arg(spool.state_directory()).status();
    assert!(unmounted.unwrap().success());
    assert!(told.to_string().contains("read-only"), "{told}");
}

fn runner_json(spool: &TestSpool) -> Value {
    serde_json::from_slice(&fs::read(spool.root().join("runner.json")).unwrap_or_default()).unwrap_or_default()
}

#[test]
fn a_filesystem_that_cannot_rename_without_replacing_does_all_that_is_asked() {
    let spool = TestSpool::new();
    let fault = ("SPIDERPIG_FAULT", "all=1:norename");
    let _runner = spool.start_runner(spool.command("spiderpig-runner").env(fault.0, fault.1));
    let api = start_as(&spool, spool.command("spiderpig-api").args(["--listen", "127.0.0.1:0"]).env(fault.0, fault.1));
    let id = api.create(&format!("{ASK} ask sure; exit 3"));
    api.wait_prompt(id, 1);
    assert_eq!(api.answer(id, 1, "y").0, 200);
    assert!([404, 409].contains(&api.answer(id, 1, "n").0), "the first answer wins");
    let job = id.try_into().unwrap();
    assert_eq!(spool.wait_final(job).exit_status, Some(3));
    assert_eq!(spool.lines(job).last().unwrap(), "got:y");
    spool.drop_file("queue/7777.json", "{}");
    spool.wait_rejected("7777.reason");
    fs::create_dir(spool.root().join("queue/folder")).unwrap();
    spool.wait_rejected("folder.reason");
    assert_eq!(spool.names("incoming"), [""; 0]);
    assert!(spool.names("inbox").iter().all(|name| name.starts_with('.')), "{:?}", spool.names("inbox"));
}

#[test]
fn a_filesystem_without_hard_links_either_is_refused_at_the_start() {
    let spool = TestSpool::new();
    let refused = spool.command("spiderpig-runner").env("SPIDERPIG_FAULT", "runner=1:nolink").output().unwrap();
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && words.contains("neither renames without replacement nor hard links"),
        "{words}"
    );
}

#[test]
fn a_sequence_from_a_backup_gives_no_number_twice() {
    let (spool, runner, api) = with_runner_and_api();
    for number in 1..=3 {
        assert_eq!(api.create("exit 0"), number);
        spool.wait_final(number.try_into().unwrap());
    }
    wait_until("the API knows them", || api.get("/api/jobs/3").1["job"]["state"] == "succeeded");
    spool.drop_file("queue/4.json", "{}");
    spool.wait_rejected("4.reason");
    fs::write(spool.root().join("sequence"), "00000000000000000001\n").unwrap();
    let id = api.create("exit 0");
    assert_eq!(id, 5, "3 has been a job, and 4 is a file that was rejected");
    spool.wait_final(id.try_into().unwrap());
    // Who submits without the API is helped by the runner.
    runner.terminate();
    fs::write(spool.root().join("sequence"), "damaged").unwrap();
    let _runner = spool.runner();
    assert_eq!(fs::read_to_string(spool.root().join("sequence")).unwrap(), "00000000000000000005\n");
}

#[test]
fn a_running_runner_mends_the_sequence() {
    let spool = TestSpool::with_configuration("rescan = \"1s\"\n");
    let _runner = spool.runner();
    let id = spool.submit_script("exit 0");
    spool.wait_final(id);
    for damage in ["00000000000000000000\n", "damaged"] {
        fs::write(spool.root().join("sequence"), damage).unwrap();
        wait_until("it is mended", || {
            fs::read_to_string(spool.root().join("sequence")).unwrap() == "00000000000000000001\n"
        });
    }
}

#[test]
fn a_job_whose_type_is_gone_after_a_restart_waits_and_says_so() {
    let spool = TestSpool::new();
    let runner = spool.runner();
    fs::write(spool.root().join("paused"), "later\n").unwrap();
    let ids: Vec<_> = (0..2).map(|_| spool.submit("noop", json!({}))).collect();
    runner.terminate();
    fs::remove_file(spool.root().join("paused")).unwrap();
    let before = fs::read_to_string(spool.configuration()).unwrap();
    fs::write(spool.configuration(), before.replace("[job_types.noop]", "[job_types.other]")).unwrap();
    let runner = spool.runner();
    let held = |id: spiderpig::spool::JobId| runner_json(&spool)["held"][id.to_string()].as_str().map(str::to_owned);
    let why = wait_for("the runner says why it waits", || held(ids[0]));
    assert!(
        why.contains("the job type `noop` is not declared") && why.contains("restore the old configuration"),
        "{why}"
    );
    assert!(runner_json(&spool)["problems"].to_string().contains("noop"));
    let new = spool.submit("noop", json!({}));
    assert!(spool.wait_rejected(&format!("{new}.reason")).contains("not declared"), "it was never accepted");
    spool.signal(ids[1], "carol", spiderpig::spool::inbox::JobSignal::Interrupt);
    let reason = spool.wait_rejected(&format!("{}.reason", ids[1]));
    assert!(reason.starts_with("cancelled by carol before it started"), "{reason}");
    runner.terminate();
    fs::write(spool.configuration(), before).unwrap();
    let _runner = spool.runner();
    assert_eq!(spool.wait_final(ids[0]).exit_status, Some(0));
}

#[test]
fn a_runner_on_a_copy_of_a_spool_leaves_the_original_alone() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let end = spool.path().join("end");
    let id = spool.submit_script(&format!("echo up; until [ -e {} ]; do sleep 0.05; done; echo done", end.display()));
    let status = spool.wait_status(id, "it runs", |status| status.process.is_some());
    let copy = spool.path().join("copy");
    let copied = Command::new("cp").arg("-a").arg(spool.root()).arg(&copy).status().unwrap();
    assert!(copied.success());
    let _other = spool.daemon(spool.command("spiderpig-runner").arg("--spool").arg(&copy), "copy.log");
    let there: Value = wait_for("the copy ends in the copy", || {
        let status = fs::read(copy.join(format!("jobs/{id}/status.json"))).ok()?;
        let status: Value = serde_json::from_slice(&status).ok()?;
        (status["state"] == "lost").then_some(status)
    });
    assert!(there["reason"].as_str().unwrap().starts_with("this directory is a copy"), "{there}");
    assert!(crate::support::is_alive(status.process.unwrap().pid), "the job goes on");
    fs::write(end, "").unwrap();
    assert_eq!(spool.wait_final(id).exit_status, Some(0));
    assert_eq!(spool.lines(id), ["up", "done"]);
}

#[test]
fn a_directory_that_is_removed_under_its_job_is_told_of_and_the_lane_is_free_after_its_end() {
    let spool = TestSpool::with_configuration("rescan = \"1s\"\n");
    let _runner = spool.runner();
    let end = spool.path().join("end");
    let id = spool.submit_script(&format!("echo up; until [ -e {} ]; do sleep 0.05; done", end.display()));
    spool.wait_status(id, "it runs", |status| status.process.is_some());
    fs::remove_dir_all(spool.root().join(format!("jobs/{id}"))).unwrap();
    let told =
        || runner_json(&spool)["problems"].to_string().contains("somebody has removed the directory of this job");
    wait_until("the runner says so", told);
    let next = spool.submit_script("exit 0");
    wait_until("its lane is still its own", || {
        runner_json(&spool)["lanes"]["default"]["waiting"][next.to_string()]
            .as_str()
            .is_some_and(|why| why.contains(&format!("busy with job {id}")))
    });
    fs::write(end, "").unwrap();
    spool.wait_final(next);
    wait_until("that is over", || !told());
}

#[test]
fn a_directory_with_the_name_of_a_letter_or_a_job_is_put_aside() {
    let (spool, _runner, api) = with_runner_and_api();
    let id = api.create(&format!("{ASK} ask sure; exit 3"));
    api.wait_prompt(id, 1);
    fs::create_dir(spool.root().join(format!("inbox/{id}.response.1.json"))).unwrap();
    spool.wait_rejected(&format!("{id}.response.1.reason"));
    assert_eq!(api.answer(id, 1, "y").0, 200);
    assert_eq!(spool.wait_final(id.try_into().unwrap()).exit_status, Some(3));
    for number in id + 1..id + 120 {
        fs::create_dir(spool.root().join(format!("queue/{number}.json"))).unwrap();
    }
    let next = api.create("exit 0");
    spool.wait_final(next.try_into().unwrap());
    wait_until("the queue is empty", || spool.names("queue").is_empty());
}

#[test]
fn a_configuration_that_differs_in_what_only_the_api_reads_is_no_problem() {
    let (spool, _runner, api) = with_runner_and_api();
    let text = fs::read_to_string(spool.configuration()).unwrap();
    fs::write(spool.configuration(), text.replace("dev_user = \"tester\"", "dev_user = \"another\"")).unwrap();
    let other = start(&spool);
    wait_until("it sees the runner", || other.get("/healthz").1["runner_up"] == true);
    assert!(!problems(&other).iter().any(|problem| problem.contains("onfiguration")), "{:?}", problems(&other));
    // The file gets another job type: the API that is started now has read it, the runner and the first API have not.
    fs::write(spool.configuration(), text + "\n[job_types.new]\ncommand = [\"true\"]\n").unwrap();
    let new = start(&spool);
    wait_problem(&new, "Restart spiderpig-runner; jobs that run go on");
    assert!(!problems(&api).iter().any(|problem| problem.contains("onfiguration")), "the two agree");
}

/// Forbids every change of a mode that has the set-user-id or the set-group-id bit, as systemd's `RestrictSUIDSGID` does.
const RESTRICT: &str = r#"
import ctypes, os, platform, struct, sys
if platform.machine() != "x86_64": sys.exit(77)
def op(code, jt, jf, k): return struct.pack("HBBI", code, jt, jf, k)
LD, JEQ, JSET, RET = 0x20, 0x15, 0x45, 0x06
program = b""
for number, argument in ((90, 1), (91, 1), (268, 2), (452, 2)):
    program += op(LD, 0, 0, 0) + op(JEQ, 0, 3, number) + op(LD, 0, 0, 16 + 8 * argument)
    program += op(JSET, 0, 1, 0o6000) + op(RET, 0, 0, 0x00050001)
program += op(RET, 0, 0, 0x7FFF0000)
buffer = ctypes.create_string_buffer(program)
class Filter(ctypes.Structure): _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
filter = Filter(len(program) // 8, ctypes.addressof(buffer))
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(filter), 0, 0): sys.exit(77)
os.umask(0o022)
os.execvp(sys.argv[1], sys.argv[1:])
"#;

#[test]
fn a_runner_that_may_not_set_the_set_group_id_bit_inherits_it() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let spool = TestSpool::new();
    fs::create_dir(spool.root()).unwrap();
    fs::set_permissions(spool.root(), fs::Permissions::from_mode(0o2750)).unwrap();
    let mut command = Command::new("python3");
    command.args(["-c", RESTRICT, crate::support::program("spiderpig-runner"), "--config"]).arg(spool.configuration());
    let _runner = spool.start_runner(&mut command);
    let id = spool.submit_script("exit 0");
    assert_eq!(spool.wait_final(id).exit_status, Some(0));
    let mode = |path: &str| spool.root().join(path).metadata().unwrap().mode() & 0o7777;
    assert_eq!((mode("queue"), mode("jobs"), mode(&format!("jobs/{id}"))), (0o3770, 0o2750, 0o2750));
}
