use std::ffi::OsStr;

use super::*;
use crate::api::job;
use crate::api::testing::{Bench, ERRORS, TRAIN, job_id, request, soon, status, until};
use crate::spool::history;
use crate::spool::history::HistoryLine;
use crate::spool::lock::RunnerLock;
use crate::spool::outcome::Outcome;
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
    let mirror = bench.mirror(watch);
    bench.queue(&request(1));
    until(|| stands(&mirror, 1) == "queued").await;

    let mut status = status(1, State::Starting);
    let job = bench.claim(&status);
    until(|| stands(&mirror, 1) == "starting").await;
    status.state = State::Running;
    job.write_status(&status).unwrap();
    until(|| stands(&mirror, 1) == "running").await;

    status.finish(State::Succeeded, Outcome::Succeeded, None);
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
    Feed::start_deaf(Arc::clone(&shared), bench.spool.clone(), job::rendered).unwrap();
    let mirror = Mirror { shared };
    bench.queue(&request(1));
    let job = bench.claim(&status(2, State::Running));
    let mut changes = mirror.follow(job.id());
    history::append(&bench.spool, &bench.runner, &finished(3, State::Lost)).unwrap();
    drop(bench.runner);
    mirror.shared.hear(bench.spool.root(), &Hint::Rescan);
    until(|| stands(&mirror, 1) == "queued" && stands(&mirror, 2) == "running").await;
    assert_eq!((stands(&mirror, 3), mirror.view().runner.up), ("finished", false));
    soon(changes.changed()).await.unwrap();
}

#[tokio::test]
async fn what_is_there_at_the_start_is_known_at_once() {
    let bench = Bench::new();
    let mut done = status(1, State::Running);
    let job = bench.claim(&done);
    done.finish(State::Succeeded, Outcome::Succeeded, None);
    bench.finish(&job, &done);
    let _running = bench.claim(&status(2, State::Running));
    bench.queue(&request(3));
    let mirror = bench.mirror(true);
    assert_eq!([1, 2, 3].map(|number| stands(&mirror, number)), ["finished", "running", "queued"]);
    let view = mirror.view();
    assert_eq!(view.newest(u64::MAX).map(|entry| entry.id().get()).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(view.open().map(|(id, _)| id.get()).collect::<Vec<_>>(), [2, 3]);
    assert!(view.runner.up);
}

#[tokio::test]
async fn a_directory_that_was_taken_back_is_watched_again_when_it_returns() {
    let bench = Bench::new();
    let mirror = bench.mirror(true);
    let job = bench.claim(&status(1, State::Starting));
    until(|| stands(&mirror, 1) == "starting").await;
    bench.queue(&request(1));
    job.undo_claim(&bench.spool).unwrap();
    until(|| stands(&mirror, 1) == "queued").await;
    let job = bench.claim(&status(1, State::Starting));
    until(|| stands(&mirror, 1) == "starting").await;
    job.write_status(&status(1, State::Running)).unwrap();
    until(|| stands(&mirror, 1) == "running").await;
}

#[tokio::test]
async fn a_job_just_queued_does_not_hide_what_a_look_knows_already() {
    let bench = Bench::new();
    let mirror = bench.mirror(true);
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
    let mirror = bench.mirror(true);
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

fn finished(number: u64, state: State) -> HistoryLine {
    let mut status = status(number, State::Running);
    status.finish(state, Outcome::of_word(state.word()).unwrap_or(Outcome::Failed), None);
    HistoryLine::new(&status, None, serde_json::Map::new())
}

fn lines(lines: &[HistoryLine]) -> String {
    lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect()
}

#[expect(clippy::disallowed_methods, reason = "an operator does it so")]
fn write_history(bench: &Bench, text: &str) {
    std::fs::write(bench.spool.history(), text).unwrap();
}

/// Number and state of the jobs in the history, the newest first.
fn in_history(mirror: &Mirror) -> Vec<(u32, &'static str)> {
    let view = mirror.snapshot();
    let all = view.newest(u64::MAX).filter(|entry| matches!(entry, Entry::Finished(_)));
    all.map(|entry| (entry.id().get(), entry.state().word())).collect()
}

#[tokio::test]
async fn the_last_line_of_a_job_counts_and_damage_is_passed_over() {
    let bench = Bench::new();
    let good = lines(&[finished(1, State::Failed), finished(3, State::Lost), finished(2, State::Failed)]);
    let strange = "\n{}\nnull\n{\"id\":4,\"type\":\"x\"}\n{\"id\":0,\"type\":\"x\",\"user\":\"x\",\"state\":\"lost\"}\n\u{0}\u{1}\n";
    let running = lines(&[finished(5, State::Running), finished(6, State::Rejected)]);
    let again = lines(&[finished(1, State::Succeeded)]);
    let torn = lines(&[finished(7, State::Failed)]);
    let torn = &torn[..torn.len() - 20];
    write_history(&bench, &format!("{good}{strange}{running}{torn}\n{again}{torn}"));
    let mirror = bench.mirror(true);
    let expected = vec![(3, "lost"), (2, "failed"), (1, "succeeded")];
    assert_eq!(in_history(&mirror), expected);
    assert_eq!(mirror.view().count(), 3);

    history::append(&bench.spool, &bench.runner, &finished(2, State::Succeeded)).unwrap();
    history::append(&bench.spool, &bench.runner, &finished(9, State::Failed)).unwrap();
    until(|| in_history(&mirror).len() == 4).await;
    let expected = vec![(9, "failed"), (3, "lost"), (2, "succeeded"), (1, "succeeded")];
    assert_eq!(in_history(&mirror), expected, "what was unfinished is ended, and damaged");
    let shown = mirror.view().history().ready(job_id(2)).unwrap();
    assert!(shown.get().contains("\"state\":\"succeeded\""), "{shown}");
}

/// Replaces the history by several means, each noticed with events or without.
async fn replace_history(watch: bool) {
    let bench = Bench::new();
    let all: Vec<HistoryLine> = (1..=20).map(|number| finished(number, State::Succeeded)).collect();
    write_history(&bench, &lines(&all));
    let job = bench.claim(&status(20, State::Running));
    let mut done = status(20, State::Running);
    done.finish(State::Succeeded, Outcome::Succeeded, None);
    job.write_final_status(&done).unwrap();
    let mirror = bench.mirror(watch);
    assert_eq!((in_history(&mirror).len(), stands(&mirror, 20)), (20, "finished"));

    write_history(&bench, &lines(&all[..5]));
    until(|| in_history(&mirror).len() == 5).await;
    until(|| stands(&mirror, 20) == "succeeded").await;
    assert_eq!(stands(&mirror, 10), "nowhere");

    let rotated = bench.spool.root().join("incoming/history");
    crate::spool::atomic::rename(&bench.spool.history(), &rotated).unwrap();
    until(|| in_history(&mirror).is_empty()).await;
    write_history(&bench, &lines(&all));
    until(|| in_history(&mirror).len() == 20 && stands(&mirror, 20) == "finished").await;

    // As long as before, and longer.
    let other: Vec<HistoryLine> = (1..=20).map(|number| finished(number, State::Cancelled)).collect();
    write_history(&bench, &lines(&other));
    until(|| in_history(&mirror).iter().filter(|(_, state)| *state == "cancelled").count() == 20).await;
}

#[tokio::test]
async fn a_history_that_was_replaced_or_cut_is_read_anew_by_events() {
    replace_history(true).await;
}

#[tokio::test]
async fn a_history_that_was_replaced_or_cut_is_read_anew_without_events() {
    replace_history(false).await;
}

#[tokio::test]
async fn a_large_history_is_read_in_two_parts_without_losing_a_line() {
    let bench = Bench::new();
    let count = 12_000;
    let mut text = lines(&(1..=count).map(|number| finished(number, State::Succeeded)).collect::<Vec<_>>());
    text += &lines(&[finished(3, State::Failed)]);
    assert!(text.len() > 4 << 20, "{}", text.len());
    write_history(&bench, &(text + "{\"id\":"));
    let mirror = bench.mirror(true);
    let found = in_history(&mirror);
    assert_eq!(found.len() as u64, count);
    assert_eq!(found[found.len() - 3..], [(3, "failed"), (2, "succeeded"), (1, "succeeded")]);
    let view = mirror.snapshot();
    for skip in [0, 1, 4095, 4096, 8193, 11_999, 12_000] {
        let mut newest = view.newest(u64::MAX);
        newest.pass_over(skip);
        let expected = found.get(skip).map(|(id, _)| *id);
        assert_eq!(newest.next().map(|entry| entry.id().get()), expected, "{skip}");
    }
    let old = view.history().get(job_id(3)).unwrap();
    assert!(view.history().ready(job_id(3)).is_none());
    assert!(String::from_utf8(view.history().read(&old).unwrap()).unwrap().contains("\"failed\""));
}

#[tokio::test]
async fn neighbours_are_read_whatever_lies_between_their_lines() {
    for gap in ["", "damaged\n", &"damaged\n".repeat(10_000)] {
        let bench = Bench::new();
        let [first, second] = [2, 1].map(|number| lines(&[finished(number, State::Lost)]));
        write_history(&bench, &[&first, gap, &second].concat());
        let mirror = bench.mirror(true);
        let view = mirror.snapshot();
        let jobs = [1, 2].map(|number| view.history().get(job_id(number)).unwrap());
        let mut read = Vec::new();
        let visit = |job: &Finished, line: &[u8]| read.push((job.id.get(), String::from_utf8_lossy(line).into_owned()));
        view.history().read_all(&jobs, &mut Vec::new(), visit).unwrap();
        assert_eq!(read, [(1, second.trim_end().to_owned()), (2, first.trim_end().to_owned())]);
    }
}

/// Who tried a job again, as clients see it. None if there is no such job, as while a history is written anew.
fn known_retries(mirror: &Mirror, number: u64) -> Option<Vec<u64>> {
    let view = mirror.snapshot();
    let config = crate::api::testing::config();
    let entry = view.get(job_id(number))?;
    let shown = serde_json::to_value(crate::api::handlers::jobs::show::Show::new(&view, &config).job(&entry)).unwrap();
    Some(serde_json::from_value(shown["retries"].clone()).unwrap())
}

fn retries(mirror: &Mirror, number: u64) -> Vec<u64> {
    known_retries(mirror, number).unwrap()
}

#[tokio::test]
async fn who_tried_a_job_again_is_known_wherever_both_are() {
    let bench = Bench::new();
    let retry = |number, original| JobRequest { retry_of: Some(job_id(original)), ..request(number) };
    let retried =
        |number, original| HistoryLine { retry_of: Some(job_id(original)), ..finished(number, State::Failed) };
    let long = HistoryLine { reason: Some("x".repeat(70_000)), ..finished(2, State::Failed) };
    write_history(&bench, &lines(&[retried(3, 1), finished(1, State::Failed), long]));
    let mut ended = status(4, State::Running);
    let job = bench.claim(&ended);
    bench.queue(&retry(6, 4));
    let mirror = bench.mirror(true);
    assert_eq!((retries(&mirror, 1), retries(&mirror, 4)), (vec![3], vec![6]));

    let seen = mirror.view().changes.latest();
    mirror.insert_queued(retry(8, 1));
    let told = mirror.view().changes.since(seen).unwrap();
    assert_eq!(told.into_iter().map(|(_, thing)| thing).collect::<Vec<_>>(), [8, 1].map(|id| Thing::Job(job_id(id))));
    assert_eq!(retries(&mirror, 1), [3, 8], "it is kept ready");
    mirror.insert_queued(retry(9, 2));
    assert_eq!(retries(&mirror, 2), [9], "it is read from the disk");

    // It moves on, the one that it tries again does, and another is taken away.
    history::append(&bench.spool, &bench.runner, &retried(8, 1)).unwrap();
    ended.finish(State::Failed, Outcome::Failed, None);
    bench.finish(&job, &ended);
    until(|| stands(&mirror, 8) == "finished" && stands(&mirror, 4) == "finished").await;
    assert_eq!((retries(&mirror, 1), retries(&mirror, 4)), (vec![3, 8], vec![6]));
    crate::spool::queue::remove(&bench.spool, job_id(6)).unwrap();
    until(|| retries(&mirror, 4).is_empty()).await;

    // Only the history that there is now counts, and what is not in it.
    bench.queue(&retry(5, 1));
    until(|| retries(&mirror, 1) == [3, 5, 8]).await;
    write_history(&bench, &lines(&[finished(1, State::Failed)]));
    until(|| known_retries(&mirror, 1).is_some_and(|retries| retries == [5])).await;
}

#[tokio::test]
async fn a_snapshot_stays_as_it_was() {
    let bench = Bench::new();
    write_history(&bench, &lines(&[finished(1, State::Failed)]));
    bench.queue(&request(2));
    let mirror = bench.mirror(true);
    let snapshot = mirror.snapshot();
    history::append(&bench.spool, &bench.runner, &finished(2, State::Failed)).unwrap();
    until(|| stands(&mirror, 2) == "finished").await;
    assert!(matches!(snapshot.get(job_id(2)), Some(Entry::Queued(_))));
    assert_eq!((snapshot.count(), snapshot.history().len()), (2, 1));
    assert_eq!((mirror.view().count(), mirror.view().open().count()), (2, 0));
}

#[tokio::test]
async fn the_end_and_the_start_of_a_runner_are_seen_without_asking() {
    for watch in [true, false] {
        let bench = Bench::new();
        let mirror = bench.mirror(watch);
        assert!(mirror.view().runner.up);
        drop(bench.runner);
        until(|| !mirror.view().runner.up).await;
        let runner = RunnerLock::take(&bench.spool).unwrap();
        bench.spool.pause(&runner, "lunch").unwrap();
        until(|| mirror.view().runner.up).await;
    }
}

#[tokio::test]
async fn a_lost_watch_is_set_anew() {
    let bench = Bench::new();
    let mirror = bench.mirror(true);
    let job = bench.claim(&status(1, State::Running));
    until(|| stands(&mirror, 1) == "running").await;
    assert_eq!(mirror.view().watch_lost, None);
    let (queue, elsewhere) = (bench.spool.queue(), bench.spool.root().join("elsewhere"));
    crate::spool::atomic::rename(&queue, &elsewhere).unwrap();
    until(|| mirror.view().problem.is_some()).await;
    assert_eq!(stands(&mirror, 1), "running", "what was known is better than nothing");
    crate::spool::atomic::create_directory(&queue, 0o2770).unwrap();
    until(|| mirror.view().watch_lost.is_none() && mirror.view().problem.is_none()).await;
    bench.queue(&request(2));
    job.write_status(&status(1, State::Waiting)).unwrap();
    until(|| stands(&mirror, 2) == "queued" && stands(&mirror, 1) == "waiting").await;
}

/// What is known of the files of `monitoring/`: the version of the train and the number of errors, or the problem.
fn monitored(mirror: &Mirror) -> (Option<String>, Option<u64>, Vec<String>) {
    let monitoring = Arc::clone(&mirror.view().monitoring);
    let train = monitoring.train.content.as_ref().map(|train| train.version.clone());
    let total = monitoring.mediawiki.content.as_ref().map(|errors| errors.total());
    (train, total, monitoring.problems().map(str::to_owned).collect())
}

async fn follow_monitoring(watch: bool) {
    let bench = Bench::new();
    let mirror = bench.mirror(watch);
    assert_eq!(monitored(&mirror), (None, None, vec![]));
    bench.monitor("train.json", TRAIN);
    bench.monitor("mediawiki.json", ERRORS);
    let version = || Some("1.46.0-wmf.3".to_owned());
    until(|| monitored(&mirror) == (version(), Some(7), vec![])).await;
    bench.monitor("mediawiki.json", "{");
    until(|| monitored(&mirror).2.len() == 1).await;
    assert_eq!(monitored(&mirror).1, Some(7), "what was known stays");
    bench.monitor("mediawiki.json", &ERRORS.replace("\"log\"", "\"total\": 500, \"log\""));
    until(|| monitored(&mirror) == (version(), Some(500), vec![])).await;
    crate::spool::atomic::remove(&bench.spool.monitoring().join("train.json")).unwrap();
    until(|| monitored(&mirror) == (None, Some(500), vec![])).await;
}

#[tokio::test]
async fn monitoring_is_followed_by_events() {
    follow_monitoring(true).await;
}

#[tokio::test]
async fn monitoring_is_followed_without_events() {
    follow_monitoring(false).await;
}

#[tokio::test]
async fn a_spool_without_monitoring_is_watched_and_gets_it_later() {
    let bench = Bench::new();
    crate::spool::atomic::remove_tree(&bench.spool.monitoring()).unwrap();
    let mirror = bench.mirror(true);
    assert_eq!(mirror.view().watch_lost, None);
    assert_eq!(monitored(&mirror), (None, None, vec![]));
    Spool::lay_out(bench.spool.root()).unwrap();
    bench.monitor("mediawiki.json", ERRORS);
    until(|| monitored(&mirror).1 == Some(7)).await;
    bench.monitor("mediawiki.json", &ERRORS.replace("\"log\"", "\"total\": 8, \"log\""));
    until(|| monitored(&mirror).1 == Some(8)).await;
}

#[tokio::test]
async fn a_change_of_monitoring_is_told_once() {
    let bench = Bench::new();
    let mirror = bench.mirror(false);
    let latest = mirror.view().changes.latest();
    bench.monitor("train.json", TRAIN);
    until(|| monitored(&mirror).0.is_some()).await;
    let changes = mirror.view().changes.since(latest).unwrap();
    assert_eq!(changes.iter().filter(|(_, thing)| *thing == Thing::Monitoring).count(), 1);
    let (latest, look) = (mirror.view().changes.latest(), mirror.view().last_full_look);
    until(|| mirror.view().last_full_look > look).await;
    assert_eq!(mirror.view().changes.latest(), latest, "a file that is as it was is no news");
}
