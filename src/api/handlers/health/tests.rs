use std::sync::mpsc;
use std::time::Instant;

use serde_json::Value;

use super::*;
use crate::accounts::testing::People;
use crate::api::testing::{Bench, Client, runner_state, soon};
use crate::audit::{Entry, Event};
use crate::health::disk::Disk;
use crate::spool::atomic;
use crate::spool::atomic::Durability;
use crate::spool::space::Space;

fn in_view(change: impl FnOnce(&mut View)) -> Vec<String> {
    let (mut view, mut problems) = (View::default(), Vec::new());
    change(&mut view);
    look_at_view(&view, &mut problems);
    problems
}

/// Exactly one problem, which has all the words.
fn assert_one(problems: &[String], words: &[&str]) {
    let [problem] = problems else { panic!("not one problem: {problems:?}") };
    assert!(words.iter().all(|word| problem.contains(word)), "{problem}");
}

async fn health(client: &mut Client) -> Value {
    let reply = client.ask("GET /healthz").await;
    assert_eq!(reply.status, 200);
    reply.json()
}

fn mentions(health: &Value, words: &str) -> bool {
    let problems = health["problems"].as_array().unwrap();
    problems.iter().any(|problem| problem.as_str().unwrap().contains(words))
}

#[test]
fn what_the_runner_reports_is_told() {
    let config = crate::config::Config::parse("test.toml".as_ref(), "").unwrap();
    let told = |up: bool, problems: &[String]| {
        let mut view = View::default();
        let state =
            crate::spool::runner_state::RunnerState { problems: problems.to_vec(), ..runner_state(&config.hash, &[]) };
        view.runner = Arc::new(crate::mirror::Runner { up, state: Some(state), paused: None });
        let mut told = Vec::new();
        look_at_runner(&view, &config, None, &mut told);
        told
    };
    assert_eq!(told(true, &[]), [""; 0]);
    assert_one(&told(true, &["/spool/jobs/7: damaged".into()]), &["reports: /spool/jobs/7: damaged"]);
    assert_one(&told(false, &["/spool/jobs/7: damaged".into()]), &["is not running"]);
    let many: Vec<String> = (0..1000).map(|number| format!("problem {number}")).collect();
    let told = told(true, &many);
    assert_eq!((told.len(), told[20].contains("980 more")), (21, true), "{told:?}");
}

#[test]
fn who_has_read_another_configuration_than_there_is_now_is_to_be_restarted() {
    let config = |text: &str| Config::parse("test.toml".as_ref(), text).unwrap();
    let (old, new) = (config(""), config("[job_types.a]\ncommand = ['a']"));
    let told = |runner: &Config, own: &Config, present| {
        let state = RunnerState { shared_configuration: runner.shared_hash.clone(), ..runner_state(&runner.hash, &[]) };
        let mut view = View::default();
        view.runner = Arc::new(crate::mirror::Runner { up: true, state: Some(state), paused: None });
        let mut told = Vec::new();
        look_at_runner(&view, own, present, &mut told);
        told
    };
    assert_one(&told(&new, &old, Some(&new)), &["Restart spiderpig-api"]);
    assert_one(&told(&old, &new, Some(&new)), &["Restart spiderpig-runner;"]);
    assert_one(&told(&old, &config("[lanes.a]\nconcurrency = 2"), Some(&new)), &["and spiderpig-runner;"]);
    assert_one(&told(&old, &new, None), &["Restart the one that was started first"]);
    assert_eq!(
        told(&old, &config("[api]\nlisten = '127.0.0.1:1'"), Some(&new)),
        [""; 0],
        "where it listens is its own"
    );
}

#[test]
fn a_spool_that_is_not_seen_or_seen_late_is_named_with_what_to_do() {
    assert_eq!(in_view(|view| view.last_full_look = Instant::now()), [""; 0]);
    let long_ago = Instant::now().checked_sub(2 * STALE).unwrap();
    assert_one(&in_view(|view| view.last_full_look = long_ago), &["180 seconds", "restart spiderpig-api"]);
    assert_one(&in_view(|view| view.watch_lost = Some("no more".into())), &["late", "no more", "fs.inotify"]);
    assert_one(&in_view(|view| view.problem = Some("gone".into())), &["cannot be read: gone", "check"]);
}

#[tokio::test]
async fn a_directory_that_is_gone_is_seen_at_once() {
    let bench = Bench::new();
    let mut client = Client::connect(Bench::serve(bench.app()).await).await;
    assert!(!mentions(&health(&mut client).await, "in the spool"));
    crate::spool::atomic::remove_tree(&bench.spool.inbox()).unwrap();
    assert!(mentions(&health(&mut client).await, "no inbox/ in the spool"));
}

#[tokio::test]
async fn a_disk_that_hangs_is_reported_until_it_answers() {
    let bench = Bench::new();
    let mut app = bench.app();
    app.limits.disk = Duration::from_millis(1);
    runner_state(&app.config.hash, &[]).write(&bench.spool, &bench.runner).unwrap();
    let (release, hang) = mpsc::channel::<Disk>();
    assert!(app.disks.of_spool.look(Duration::from_millis(1), move || hang.recv().unwrap()).await.is_none());
    let mut client = Client::connect(Bench::serve(app).await).await;
    for _ in 0..10 {
        let health = health(&mut client).await;
        assert!(mentions(&health, "disk does not answer"), "{health}");
        assert_eq!(health["runner_up"], true, "what was known last");
    }
    let space = Space { available: 8 << 30, size: 100 << 30, free_inodes: 1 << 20, inodes: 1 << 20, read_only: false };
    let disk = Disk { space: Ok(space), unwritable: vec![], refused: None, no_number: None, stalls: vec![] };
    release.send(disk).unwrap();
    // The limit is short, so it may take more than one look.
    let recovered = async { while mentions(&health(&mut client).await, "disk does not answer") {} };
    soon(recovered).await;
}

#[tokio::test]
async fn a_damaged_file_of_another_program_is_for_information_only() {
    let bench = Bench::new();
    let app = bench.app();
    runner_state(&app.config.hash, &[]).write(&bench.spool, &bench.runner).unwrap();
    bench.monitor("train.json", "{}");
    let mut client = Client::connect(Bench::serve(app).await).await;
    let told = async {
        loop {
            let health = health(&mut client).await;
            if health["information"].get(0).is_some() && health["problems"].get(0).is_none() {
                break health;
            }
        }
    };
    let health = soon(told).await;
    assert_eq!(health["status"], "ok");
    let told = health["information"][0].as_str().unwrap();
    assert!(told.ends_with("monitoring/train.json: it has no `format`, and this program knows 1"), "{told}");
}

#[tokio::test]
async fn strangers_are_told_nothing_of_people_and_paths() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let damaged = bench.state_directory().join("sessions.json");
    let who = ["viewer", "half", "stranger"].map(|user| people.signed_in(user));
    let script = people.token("user", &["read"], crate::spool::Time::now());
    atomic::replace(&damaged, b"{", 0o600, Durability::Ordered).unwrap();
    people.guard.refresh();
    bench.monitor("train.json", "{}");
    let paused = bench.spool.root().join("paused");
    atomic::replace(&paused, b"Ask zoe first", 0o640, Durability::Ordered).unwrap();
    let app = people.app(&bench);
    let trail = bench.state_directory().join("audit.jsonl");
    atomic::create_directory(&trail, 0o700).unwrap();
    let entry = Entry {
        event: Event::SignOut,
        user: None,
        address: "host".into(),
        request: None,
        details: serde_json::Map::new(),
    };
    app.audit.append(&entry, Durability::Ordered).unwrap_err();
    let mut client = Client::connect(Bench::serve(app).await).await;
    let state = bench.state_directory();
    let told = ["sessions.json", "audit.jsonl", "train.json", "zoe", state.path().to_str().unwrap()];
    let all = async {
        loop {
            let health = health_as(&mut client, &who[0]).await;
            if told.iter().all(|words| health.contains(words)) {
                break;
            }
        }
    };
    soon(all).await;
    assert!(health_as(&mut client, &script).await.contains("sessions.json"), "a monitoring system has a token");
    for fields in [&*who[1], &who[2], "", "Authorization: Bearer sp_0_0\r\n"] {
        let health: Value = serde_json::from_str(&health_as(&mut client, fields).await).unwrap();
        let words = ["Something is wrong. Sign in, or use a token, to see what it is. On the host, \
                      `spiderpig-api check` and `spiderpig-runner check` say it"];
        assert_eq!(
            health,
            serde_json::json!({
                "status": "degraded",
                "problems": words,
                "information": [],
                "runner_up": true,
                "paused": "Why is told to those who are signed in",
            }),
            "{fields}"
        );
    }
}

async fn health_as(client: &mut Client, fields: &str) -> String {
    let health = client.ask_as(fields, "GET /healthz", "").await;
    assert_eq!(health.status, 200);
    health.body
}
