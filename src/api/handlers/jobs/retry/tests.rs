use crate::api::testing::{Bench, Client, Reply, config, job_id, request, status};
use crate::config::Config;
use crate::spool::job::LockedJob;
use crate::spool::outcome::Outcome;
use crate::spool::queue;
use crate::spool::queue::Verdict;
use crate::spool::reject;
use crate::spool::status::State;
use crate::spool::submitter::TrustedSubmitters;

use super::*;

/// Job 1, which has ended like this.
fn ended(bench: &Bench, state: State) -> LockedJob {
    let mut status = status(1, State::Running);
    let job = bench.claim(&status);
    status.finish(state, Outcome::Failed, None);
    bench.finish(&job, &status);
    // The next number is 2.
    crate::spool::sequence::repair(&bench.spool, &bench.runner, 1, 0).unwrap();
    job
}

async fn retry(app: App, headers: &str, body: &str) -> Reply {
    let mut client = Client::connect(Bench::serve(app).await).await;
    client.ask_with("POST /api/jobs/1/retry", &format!("Host: localhost\r\n{headers}"), body).await
}

fn queued(bench: &Bench, number: u64) -> JobRequest {
    match queue::examine(&bench.spool, job_id(number), &TrustedSubmitters::from_names(&[])).unwrap() {
        Verdict::Job(submission) => submission.request,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_finished_job_is_started_again_by_whoever_asks() {
    for state in [State::Succeeded, State::Failed, State::Cancelled, State::Lost] {
        let bench = Bench::new();
        let _job = ended(&bench, state);
        let reply = retry(bench.app(), "", "").await;
        assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({ "message": "Job created", "id": 2 })));
        let (new, old) = (queued(&bench, 2), request(1));
        assert_eq!((new.job_type, new.params, new.data), (old.job_type, old.params, old.data));
        assert_eq!((new.user.as_str(), new.retry_of, new.key_hash), ("tester", Some(job_id(1)), None));
    }
}

#[tokio::test]
async fn no_body_is_an_error() {
    for (content_type, body) in [
        ("application/json", ""),
        ("application/json", "\"\""),
        ("application/json", "{}"),
        ("application/json", "{\"user\": \"root\", nonsense"),
        ("text/plain", "\u{feff}"),
        ("application/x-www-form-urlencoded", "a=%"),
    ] {
        let bench = Bench::new();
        let _job = ended(&bench, State::Failed);
        let reply = retry(bench.app(), &format!("Content-Type: {content_type}\r\n"), body).await;
        assert_eq!(reply.status, 200, "{body}: {}", reply.body);
        assert_eq!(queued(&bench, 2).user, "tester");
    }
}

#[tokio::test]
async fn a_rejected_job_is_started_again_if_it_is_valid_now() {
    let bench = Bench::new();
    bench.queue(&request(1));
    reject::reject(&bench.spool, &bench.runner, "1.json".as_ref(), "it was not declared").unwrap();
    crate::spool::sequence::repair(&bench.spool, &bench.runner, 1, 0).unwrap();
    assert_eq!(retry(bench.app(), "", "").await.status, 200);
    assert_eq!(queued(&bench, 2).params, request(1).params);
}

#[tokio::test]
async fn what_cannot_be_started_again_is_400_with_the_reason() {
    let bench = Bench::new();
    let _job = ended(&bench, State::Failed);
    let with = |text: &str| App { config: Config::parse("test.toml".as_ref(), text).unwrap(), ..bench.app() };
    let greet = "[job_types.greet]\ncommand = ['greet', ['--name', '{name}']]\n";
    let param = "[[job_types.greet.params]]\nname = 'name'\nkind = 'string'\n";
    for (config, expected) in [
        ("[job_types.other]\ncommand = ['true']".to_owned(), "not in the configuration any more"),
        (format!("{greet}retry = false\n{param}"), "cannot be retried"),
        (format!("{greet}{param}"), "has no parameter `key`"),
        (format!("{greet}{param}pattern = '[a-z]+'\n"), "Its parameters break the current rules"),
    ] {
        let reply = retry(with(&config), "", "").await;
        let message = reply.json()["detail"]["message"].as_str().unwrap().to_owned();
        assert!(reply.status == 400 && message.contains(expected), "{}", reply.body);
        assert!(!reply.body.contains("hunter2"), "{}", reply.body);
    }
    assert!(queue::list(&bench.spool).unwrap().0.is_empty());
}

#[tokio::test]
async fn a_job_that_is_not_there_is_404_and_one_that_goes_on_is_400() {
    let bench = Bench::new();
    assert_eq!(retry(bench.app(), "", "").await.status, 404);
    bench.queue(&request(1));
    assert_eq!(retry(bench.app(), "", "").await.status, 400);
    let _job = bench.claim(&status(1, State::Running));
    let reply = retry(bench.app(), "", "").await;
    assert!(reply.status == 400 && reply.body.contains("has not finished"), "{}", reply.body);
}

#[tokio::test]
async fn without_its_files_a_job_is_known_from_the_history_but_for_its_secrets() {
    let bench = Bench::new();
    let job = ended(&bench, State::Succeeded);
    crate::spool::atomic::remove_tree(job.directory()).unwrap();
    assert_eq!(retry(bench.app(), "", "").await.status, 200);
    assert_eq!(json!(queued(&bench, 2).params), json!({ "name": "World" }));
    assert_eq!(queued(&bench, 2).data, None);

    let bench = Bench::new();
    let job = ended(&bench, State::Succeeded);
    let history = std::fs::read_to_string(bench.spool.history()).unwrap();
    let history = history.replace(r#""params":{"#, r#""params":{"key":"•••","#);
    crate::spool::atomic::replace(
        &bench.spool.history(),
        history.as_bytes(),
        0o640,
        crate::spool::atomic::Durability::Ordered,
    )
    .unwrap();
    crate::spool::atomic::remove_tree(job.directory()).unwrap();
    let reply = retry(bench.app(), "", "").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["detail"]["param"]), (400, &json!("key")), "{}", reply.body);
}

#[tokio::test]
async fn a_repeated_retry_is_one_job() {
    let bench = Bench::new();
    let _job = ended(&bench, State::Failed);
    let key = "Idempotency-Key: k\r\n";
    let first = retry(bench.app(), key, "").await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (200, None));
    // By then the type may be gone.
    let config = Config { job_types: indexmap::IndexMap::new(), ..config() };
    let again = retry(App { config, ..bench.app() }, key, "{}").await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (200, Some("true")));
    assert_eq!(again.json(), first.json());
    assert_eq!(queue::list(&bench.spool).unwrap().0, [job_id(2)]);
}
