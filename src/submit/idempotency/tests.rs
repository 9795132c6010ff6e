use std::fs::{File, FileTimes};
use std::time::SystemTime;

use super::*;
use crate::api::testing::{Bench, request};
use crate::spool::request::JobRequest;
use crate::spool::status::State;
use crate::spool::{JobId, atomic, queue, reject, sequence};

fn key(body: &str) -> Key {
    Key::of([&b"k"[..]], "alice", "/api/jobs", body.as_bytes()).unwrap().unwrap()
}

/// Begins a request and dies before it is answered.
fn begin_and_die(bench: &Bench) -> Idempotency {
    let idempotency = Idempotency::new(bench.state_directory());
    let mut record = idempotency.take(&bench.spool, &key("a")).unwrap();
    assert_eq!(record.job(), None);
    record.begin(&bench.spool, &key("a")).unwrap();
    idempotency
}

fn job_of(idempotency: &Idempotency, bench: &Bench, body: &str) -> Result<Option<JobId>, SubmitError> {
    idempotency.take(&bench.spool, &key(body)).map(|record| record.job())
}

/// A job with the key's hash under the next number, as the dead one submitted it.
fn submitted(bench: &Bench) -> JobRequest {
    let id = sequence::take(&bench.spool).unwrap();
    let job = JobRequest { id, key_hash: Some(key("").hash().to_owned()), ..request(1) };
    bench.queue(&job);
    job
}

#[test]
fn a_job_whose_submitter_died_is_found_wherever_it_is() {
    let bench = Bench::new();
    let idempotency = begin_and_die(&bench);
    assert_eq!(job_of(&idempotency, &bench, "a").unwrap(), None, "it died before it submitted anything");

    bench.queue(&JobRequest { id: sequence::take(&bench.spool).unwrap(), ..request(1) });
    let job = submitted(&bench);
    assert_eq!(job_of(&idempotency, &bench, "a").unwrap(), Some(job.id));
    let taken = job_of(&idempotency, &bench, "b").unwrap_err();
    assert!(matches!(taken, SubmitError::KeyIsTaken), "it was for another request");

    let bench = Bench::new();
    let idempotency = begin_and_die(&bench);
    let job = submitted(&bench);
    let status = crate::api::testing::status(1, State::Running);
    let claimed = bench.claim(&status);
    let path = claimed.directory().join("job.json");
    atomic::replace(&path, &job.to_bytes(), 0o640, atomic::Durability::Ordered).unwrap();
    assert_eq!(job_of(&idempotency, &bench, "a").unwrap(), Some(job.id));

    let bench = Bench::new();
    let idempotency = begin_and_die(&bench);
    let job = submitted(&bench);
    reject::reject(&bench.spool, &bench.runner, "1.json".as_ref(), "why not").unwrap();
    assert_eq!(job_of(&idempotency, &bench, "a").unwrap(), Some(job.id));
    assert_eq!(job_of(&Idempotency::new(bench.state_directory()), &bench, "a").unwrap(), Some(job.id));
}

#[test]
fn a_job_of_an_earlier_number_is_of_another_day() {
    let bench = Bench::new();
    submitted(&bench);
    let idempotency = begin_and_die(&bench);
    assert_eq!(job_of(&idempotency, &bench, "a").unwrap(), None);
}

#[test]
fn a_record_that_was_not_written_to_its_end_is_as_if_it_were_not_there() {
    let bench = Bench::new();
    let idempotency = begin_and_die(&bench);
    let path = idempotency.directory().join(key("").hash());
    let whole = std::fs::read(&path).unwrap();
    let job = submitted(&bench);
    for length in 0..whole.len() - 1 {
        let file = atomic::open_update(&path).unwrap();
        atomic::rewrite(&file, &path, &whole[..length]).unwrap();
        drop(file);
        assert_eq!(job_of(&idempotency, &bench, "b").unwrap(), None, "nothing was submitted yet");
    }
    for torn in [&b"{\"jo"[..], b"\0\0\0", b"{}\n"] {
        let file = atomic::open_update(&path).unwrap();
        atomic::rewrite(&file, &path, &[&whole, torn].concat()).unwrap();
        drop(file);
        assert_eq!(job_of(&idempotency, &bench, "a").unwrap(), Some(job.id), "it is looked for");
    }
}

#[test]
fn what_waits_too_long_is_told_to_come_back() {
    let bench = Bench::new();
    let idempotency = Idempotency::new(bench.state_directory());
    let held = idempotency.take(&bench.spool, &key("a")).unwrap();
    let busy = idempotency.take(&bench.spool, &key("a")).unwrap_err();
    assert!(matches!(busy, SubmitError::KeyIsBusy), "{busy:?}");
    drop(held);
    assert!(idempotency.take(&bench.spool, &key("a")).is_ok());
}

#[test]
fn after_a_day_a_key_is_forgotten_and_its_record_goes() {
    let bench = Bench::new();
    let idempotency = begin_and_die(&bench);
    let path = idempotency.directory().join(key("").hash());
    let fresh = idempotency.directory().join("fresh");
    atomic::create_file(&fresh, b"", 0o600).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let (at, rest) = text.split_once(",\"fingerprint").unwrap();
    assert!(at.starts_with("{\"at\":\""), "{text}");
    let old = format!("{{\"at\":\"2020-01-01T00:00:00.000Z\",\"fingerprint{rest}{{\"job\":7}}\n");
    let file = atomic::open_update(&path).unwrap();
    atomic::rewrite(&file, &path, old.as_bytes()).unwrap();
    assert_eq!(job_of(&idempotency, &bench, "b").unwrap(), None, "it is not known any more");

    let yesterday = FileTimes::new().set_modified(SystemTime::now() - DAY - SWEEP);
    File::set_times(&file, yesterday).unwrap();
    drop(file);
    idempotency.sweep();
    assert!(path.exists(), "it was swept a moment ago");
    let held = Record::lock(path.clone()).unwrap().unwrap();
    Idempotency::new(bench.state_directory()).sweep();
    assert!(path.exists(), "somebody uses it");
    drop(held);
    Idempotency::new(bench.state_directory()).sweep();
    assert!(!path.exists() && fresh.exists());
}

#[test]
fn a_record_that_was_swept_while_somebody_waited_for_it_is_made_anew() {
    let bench = Bench::new();
    let idempotency = begin_and_die(&bench);
    let path = idempotency.directory().join(key("").hash());
    let held = Record::lock(path.clone()).unwrap().unwrap();
    let waiting = std::thread::spawn({
        let path = path.clone();
        move || Record::lock(path).unwrap().unwrap()
    });
    atomic::remove(&path).unwrap();
    drop(held);
    let _record = waiting.join().unwrap();
    assert!(path.exists(), "whoever comes next meets the one that is held");
    assert_eq!(queue::list(&bench.spool).unwrap().0, []);
}
