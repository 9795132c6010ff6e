//! Processes killed in the middle of a job.

use std::fs;

use spiderpig::spool::JobId;
use spiderpig::spool::inbox::Answered;
use spiderpig::spool::status::{State, Status};

use crate::support::{ASK, TestSpool, is_alive, kill_process, wait_until};

/// Prints a thousand lines, asks, prints a thousand more, asks again, and ends with status 4.
fn long_job(spool: &TestSpool) -> JobId {
    spool.submit_script(&format!(
        "{ASK} seq -f 'first %g' 1000; ask one; seq -f 'second %g' 1000; ask two; seq -f 'third %g' 1000; exit 4"
    ))
}

/// The job went its whole way, and its log has every line once and in order.
fn assert_complete(spool: &TestSpool, id: JobId, status: &Status) {
    assert_eq!((status.state, status.exit_status), (State::Failed, Some(4)));
    let mut expected: Vec<String> = Vec::new();
    let mut thousand = |word: &str| expected.extend((1..=1000).map(|number| format!("{word} {number}")));
    thousand("first");
    let mut rest = Vec::new();
    for (question, answer, word) in [("one [y/n]: ", "got:y", "second"), ("two [y/n]: ", "got:n", "third")] {
        rest.extend([question.to_owned(), answer.to_owned()]);
        rest.extend((1..=1000).map(|number| format!("{word} {number}")));
    }
    expected.extend(rest);
    assert_eq!(spool.lines(id), expected);
    assert_eq!(spool.history_lines(id), 1);
}

#[test]
fn the_runner_killed_at_any_moment_does_not_disturb_the_job() {
    for moment in
        ["right after the claim", "at the first prompt", "at the second prompt", "and never restarted before the end"]
    {
        let spool = TestSpool::new();
        let runner = spool.runner();
        let id = long_job(&spool);
        if moment == "right after the claim" {
            spool.wait_status(id, "it is claimed", |_| true);
            runner.kill();
            let _restarted = spool.runner();
            spool.wait_prompt(id, 1);
            spool.answer(id, 1, "alice", "y");
            spool.wait_prompt(id, 2);
            spool.answer(id, 2, "bob", "n");
            assert_complete(&spool, id, &spool.wait_final(id));
            continue;
        }
        spool.wait_prompt(id, 1);
        if moment == "at the second prompt" {
            spool.answer(id, 1, "alice", "y");
            spool.wait_prompt(id, 2);
            runner.kill();
            let _restarted = spool.runner();
            assert_eq!(spool.answer(id, 2, "bob", "n"), Answered::First);
            assert_complete(&spool, id, &spool.wait_final(id));
            continue;
        }
        runner.kill();
        assert_eq!(spool.answer(id, 1, "alice", "y"), Answered::First, "answered without a runner");
        spool.wait_prompt(id, 2);
        if moment == "at the first prompt" {
            let _restarted = spool.runner();
            spool.answer(id, 2, "bob", "n");
            assert_complete(&spool, id, &spool.wait_final(id));
        } else {
            spool.answer(id, 2, "bob", "n");
            spool.wait_status(id, "it is final", |status| status.state.is_final());
            let _restarted = spool.runner();
            assert_complete(&spool, id, &spool.wait_final(id));
        }
    }
}

#[test]
fn a_restarted_runner_starts_nothing_beside_a_job_that_lives() {
    let spool = TestSpool::new();
    let runner = spool.runner();
    let first = spool.submit_script(&format!("{ASK} ask go"));
    spool.wait_prompt(first, 1);
    let second = spool.submit_script("echo second");
    runner.kill();
    let restarted = spool.runner();
    wait_until("the job is adopted", || restarted.log().contains("adopted"));
    let probe = spool.submit("parallel", serde_json::json!({ "script": "true" }));
    spool.wait_final(probe);
    assert_eq!(spool.names("queue"), [format!("{second}.json")]);
    spool.answer(first, 1, "alice", "y");
    let first = spool.wait_final(first);
    let second = spool.wait_final(second);
    assert!(first.finished_at <= second.started_at);
}

#[test]
fn a_runner_that_is_asked_to_leave_leaves_running_jobs_alone() {
    let spool = TestSpool::new();
    let runner = spool.runner();
    let id = long_job(&spool);
    spool.wait_prompt(id, 1);
    assert!(runner.terminate().success());
    spool.answer(id, 1, "alice", "y");
    spool.wait_prompt(id, 2);
    spool.answer(id, 2, "bob", "n");
    spool.wait_status(id, "it is final", |status| status.state.is_final());
    let _restarted = spool.runner();
    assert_complete(&spool, id, &spool.wait_final(id));
}

#[test]
fn a_killed_supervisor_means_lost_and_nothing_of_the_job_survives() {
    let spool = TestSpool::with_configuration("stop_grace = \"200ms\"");
    let _runner = spool.runner();
    let stubborn = "trap \"\" INT TERM; echo $$; while :; do sleep 600; done";
    let id = spool.submit_script(&format!("setsid sh -c '{stubborn}' & env -i setsid sh -c '{stubborn}' & sleep 600"));
    wait_until("both children have told their numbers", || spool.lines(id).len() == 2);
    let next = spool.submit_script("echo next");
    let children: Vec<i32> = spool.lines(id).iter().map(|line| line.parse().unwrap()).collect();
    let running = spool.wait_status(id, "its process is known", |status| status.process.is_some());
    kill_process(running.supervisor.unwrap().pid.unsigned_abs());
    let status = spool.wait_final(id);
    assert_eq!(status.state, State::Lost);
    for pid in children.into_iter().chain([running.process.unwrap().pid]) {
        assert!(!is_alive(pid), "process {pid} survived");
    }
    let next = spool.wait_final(next);
    assert_eq!(next.state, State::Succeeded);
    assert!(status.finished_at <= next.started_at, "the lane was used before everything had stopped");
}

#[test]
fn runner_and_supervisor_killed_together_mean_lost_after_the_restart() {
    let spool = TestSpool::with_configuration("stop_grace = \"200ms\"");
    let runner = spool.runner();
    let id = spool.submit_script("echo up; sleep 600");
    let status = spool.wait_status(id, "its process is known", |status| status.process.is_some());
    runner.kill();
    kill_process(status.supervisor.unwrap().pid.unsigned_abs());
    wait_until("the supervisor is gone", || spool.supervisors().is_empty());
    let _restarted = spool.runner();
    assert_eq!(spool.wait_final(id).state, State::Lost);
    assert!(!is_alive(status.process.unwrap().pid));
}

#[test]
fn a_second_runner_is_told_who_works() {
    let spool = TestSpool::new();
    let first = spool.runner();
    wait_until("it has said who it is", || spool.root().join("runner.json").exists());
    let output = spool.command("spiderpig-runner").output().unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    let expected = format!("another runner uses this spool (process {})", first.pid());
    assert!(message.contains(&expected), "{message}");
}

#[test]
fn a_spool_that_is_a_symbolic_link_is_refused_by_both_daemons() {
    let spool = TestSpool::new();
    spool.runner().terminate();
    let elsewhere = spool.path().join("elsewhere");
    fs::rename(spool.root(), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, spool.root()).unwrap();
    for program in ["spiderpig-runner", "spiderpig-api"] {
        let output = spool.command(program).output().unwrap();
        assert!(!output.status.success(), "{program}");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        let expected = format!(
            "{}: is a symbolic link, but must be a directory; set `spool` in the configuration to the directory \
             itself: {}",
            spool.root().display(),
            elsewhere.display()
        );
        assert!(message.contains(&expected), "{program}: {message}");
    }
}

#[test]
fn a_runner_of_another_layout_refuses_to_start_and_says_so() {
    let spool = TestSpool::new();
    spool.runner().terminate();
    fs::write(spool.root().join("layout"), "2\n").unwrap();
    let output = spool.command("spiderpig-runner").output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("layout version \"2\\n\" is unknown to this program"));
}
