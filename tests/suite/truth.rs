//! What is wrong is told: by `/healthz`, by the runner's page, by `check`, and to whoever waits.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::client::{Api, start};
use crate::disk::SmallDisk;
use crate::support::{Daemon, TestSpool, wait_for, wait_until};

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
        "The job runner is stopped: no job starts. Somebody has sent its process SIGSTOP or SIGTSTP; kill -CONT {}",
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
    wait_problem(&api, &format!("The supervisor of job {id} is stopped: job {id} can be neither answered nor stopped"));
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
        reason.contains("no slot of lane default can be had").then_some(reason)
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
    wait_problem(&api, "No job can be started, as none gets a number");
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
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "ro", "tmpfs"])
        .arg(spool.state_directory())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        return;
    }
    let told = wait_for("/healthz tells of it", || {
        let (_, health): (u16, Value) = api.get("/healthz");
        health["problems"].to_string().contains("The state directory of the API cannot be written").then_some(health)
    });
    let unmounted = std::process::Command::new("umount").arg("--lazy").arg(spool.state_directory()).status();
    assert!(unmounted.unwrap().success());
    assert!(told.to_string().contains("read-only"), "{told}");
}
