use std::ffi::OsStr;

use super::*;
use crate::api::testing::{Bench, job_id, request, soon, status, until};
use crate::spool::reject;
use crate::spool::status::State;

fn stands(mirror: &Mirror, number: u64) -> &'static str {
    match mirror.view().get(job_id(number)) {
        None => "nowhere",
        Some(Entry::Queued(_)) => "queued",
        Some(Entry::Claimed(claimed)) => claimed.status.state.word(),
        Some(Entry::Finished(_)) => "finished",
        Some(Entry::Rejected(_)) => "rejected",
    }
}

/// A job's whole life, and one that is rejected: seen with events, and without.
async fn follow_lives(watch: bool) {
    let bench = Bench::new();
    let mirror = Mirror::start(bench.spool.clone(), watch).unwrap();
    bench.queue(&request(1));
    until(|| stands(&mirror, 1) == "queued").await;

    let mut status = status(1, State::Starting);
    let job = bench.claim(&status);
    until(|| stands(&mirror, 1) == "starting").await;
    status.state = State::Running;
    job.write_status(&status).unwrap();
    until(|| stands(&mirror, 1) == "running").await;

    status.finish(State::Succeeded, "succeeded", None);
    job.write_final_status(&status).unwrap();
    until(|| stands(&mirror, 1) == "succeeded").await;
    bench.tidy(&status);
    until(|| stands(&mirror, 1) == "finished").await;

    bench.queue(&request(2));
    reject::reject(&bench.spool, &bench.runner, OsStr::new("2.json"), "why not").unwrap();
    until(|| stands(&mirror, 2) == "rejected").await;

    bench.queue(&request(3));
    until(|| stands(&mirror, 3) == "queued").await;
    crate::spool::queue::remove(&bench.spool, job_id(3)).unwrap();
    until(|| stands(&mirror, 3) == "nowhere").await;

    bench.spool.pause(&bench.runner, "lunch").unwrap();
    until(|| mirror.view().runner.paused.as_deref() == Some("lunch")).await;
    assert_eq!(stands(&mirror, 1), "finished", "its directory is still there");
}

#[tokio::test]
async fn lives_are_followed_by_events() {
    follow_lives(true).await;
}

#[tokio::test]
async fn lives_are_followed_without_events() {
    follow_lives(false).await;
}

#[tokio::test]
async fn lost_hints_are_made_up_for() {
    let bench = Bench::new();
    let shared = Arc::new(Shared::default());
    // This feed is told nothing, and would look by itself only much later.
    Feed::start_deaf(Arc::clone(&shared), bench.spool.clone()).unwrap();
    let mirror = Mirror { shared };
    bench.queue(&request(1));
    let job = bench.claim(&status(2, State::Running));
    let mut changes = mirror.follow(job.id());
    mirror.shared.hear(bench.spool.root(), &Hint::LookEverywhere);
    until(|| stands(&mirror, 1) == "queued" && stands(&mirror, 2) == "running").await;
    soon(changes.changed()).await.unwrap();
}

#[tokio::test]
async fn what_is_there_at_the_start_is_known_at_once() {
    let bench = Bench::new();
    let mut done = status(1, State::Running);
    let job = bench.claim(&done);
    done.finish(State::Succeeded, "succeeded", None);
    bench.finish(&job, &done);
    let _running = bench.claim(&status(2, State::Running));
    bench.queue(&request(3));
    let mirror = Mirror::start(bench.spool.clone(), true).unwrap();
    assert_eq!([1, 2, 3].map(|number| stands(&mirror, number)), ["finished", "running", "queued"]);
    let view = mirror.view();
    assert_eq!(view.newest(u64::MAX).map(|entry| entry.id().get()).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(view.open().map(|(id, _)| id.get()).collect::<Vec<_>>(), [2, 3]);
    assert!(view.runner.up);
}

#[tokio::test]
async fn a_directory_that_was_taken_back_is_watched_again_when_it_returns() {
    let bench = Bench::new();
    let mirror = Mirror::start(bench.spool.clone(), true).unwrap();
    let job = bench.claim(&status(1, State::Starting));
    until(|| stands(&mirror, 1) == "starting").await;
    bench.queue(&request(1));
    job.take_back(&bench.spool).unwrap();
    until(|| stands(&mirror, 1) == "queued").await;
    let job = bench.claim(&status(1, State::Starting));
    until(|| stands(&mirror, 1) == "starting").await;
    job.write_status(&status(1, State::Running)).unwrap();
    until(|| stands(&mirror, 1) == "running").await;
}

#[tokio::test]
async fn a_job_just_queued_does_not_hide_what_a_look_knows_already() {
    let bench = Bench::new();
    let mirror = Mirror::start(bench.spool.clone(), true).unwrap();
    let _job = bench.claim(&status(1, State::Running));
    until(|| stands(&mirror, 1) == "running").await;
    mirror.insert_queued(request(1));
    assert_eq!(stands(&mirror, 1), "running");
    mirror.insert_queued(request(2));
    assert_eq!(stands(&mirror, 2), "queued");
}

#[tokio::test]
async fn whoever_follows_a_job_is_woken_by_its_log() {
    let bench = Bench::new();
    let mirror = Mirror::start(bench.spool.clone(), true).unwrap();
    let job = bench.claim(&status(1, State::Running));
    until(|| stands(&mirror, 1) == "running").await;
    let mut changes = mirror.follow(job.id());
    let mut log = job.log_writer().unwrap();
    for line in ["one", "two"] {
        changes.mark_unchanged();
        log.note(line);
        log.flush().unwrap();
        soon(changes.changed()).await.unwrap();
    }
}
