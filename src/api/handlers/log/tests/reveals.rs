use super::*;
use crate::audit::Filter;
use crate::spool::Time;

/// Who has seen the sensitive lines of which job, the first first.
fn reveals(bench: &Bench) -> Vec<(String, Value)> {
    let page = bench.audit().page(&Filter::default(), None, 100).unwrap();
    let reveals = page.entries.into_iter().rev().filter(|line| line.event == "reveal");
    reveals.map(|line| (line.user.unwrap(), line.details["job"].clone())).collect()
}

#[tokio::test]
async fn sensitive_lines_are_shown_to_who_asks_and_that_is_recorded() {
    let bench = Bench::new();
    let (job, mut log) = running(&bench);
    write_everything(&mut log);
    end(&bench, &job, &mut log);
    let hidden = rest(&mut follow(&bench, "").await).await.concat();
    assert!(!hidden.contains("hunter"));
    assert_eq!(hidden.matches("\"line\":\"<sensitive information hidden>\",\"sensitive\":true").count(), 2);
    assert!(reveals(&bench).is_empty());
    let shown = rest(&mut follow(&bench, "?include_sensitive=1").await).await.concat();
    assert!(shown.contains("\"line\":\"hunter2\",\"sensitive\":true") && shown.contains("Password: hunter4"));
    assert_eq!(reveals(&bench), [("tester".to_owned(), json!(1))]);
}

#[tokio::test]
async fn of_many_looks_at_sensitive_lines_the_first_is_recorded() {
    let bench = Bench::new();
    let _jobs = [1, 2].map(|number| bench.claim(&status(number, State::Running)));
    let app = known(bench.app()).await;
    until(|| app.mirror.view().ending(job_id(2)) != Ending::NoSuchJob).await;
    let mut client = Client::connect(Bench::serve(app).await).await;
    for path in ["1/log/records?", "1/log/records?from=-1&", "2/log/records?", "3/log/records?"] {
        client.ask(&format!("GET /api/jobs/{path}include_sensitive=1")).await;
    }
    assert_eq!(reveals(&bench), [1, 2].map(|job| ("tester".to_owned(), json!(job))), "there is no job 3");
}

#[tokio::test]
async fn sensitive_lines_are_neither_for_viewers_nor_for_scripts() {
    let bench = Bench::new();
    let (job, mut log) = running(&bench);
    write_everything(&mut log);
    end(&bench, &job, &mut log);
    let people = People::of(&bench);
    let address = Bench::serve(known(people.app(&bench)).await).await;
    let mut client = Client::connect(address).await;
    let refused = [
        people.signed_in("viewer"),
        people.token("user", &["read", "answer"], Time::now()),
        people.token("admin", &["read"], Time::now()),
    ];
    for (path, status) in [("log?", 400), ("log/records?", 403), ("log/search?q=hunter&", 403)] {
        let request_line = format!("GET /api/jobs/1/{path}include_sensitive=1");
        for who in &refused {
            let reply = client.ask_as(who, &request_line, "").await;
            assert_eq!((reply.status.as_u16(), reply.json()["detail"]["code"].as_str()), (status, Some("forbidden")));
            assert!(reveals(&bench).is_empty() && !reply.body.contains("hunter"), "{}", reply.body);
        }
    }
    let user = people.signed_in("user");
    for (path, shows) in [("log?", "hunter2"), ("log/records?", "hunter2"), ("log/search?q=hunter2&", "\"match\"")] {
        let mut client = Client::connect(address).await;
        let asked = format!("GET /api/jobs/1/{path}include_sensitive=1 HTTP/1.1\r\nHost: localhost\r\n{user}\r\n");
        client.write(asked).await;
        let shown = client.reply_or_stream().await;
        assert_eq!(shown.status, 200, "{path}");
        assert!(shown.header("cache-control").unwrap().starts_with("no-cache, no-store"), "{path}");
        if !shown.body.contains(shows) {
            client.read_until(shows).await;
        }
    }
    assert_eq!(reveals(&bench), [("user".to_owned(), json!(1))]);
    let without = client.ask_as(&refused[0], "GET /api/jobs/1/log/records", "").await;
    assert!(without.status == 200 && !without.body.contains("hunter"), "{}", without.body);
    assert_eq!(without.header("cache-control"), Some("no-cache"));
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_revealed() {
    let bench = Bench::new();
    let (_job, mut log) = running(&bench);
    write_everything(&mut log);
    log.flush().unwrap();
    atomic::replace(bench.state_directory().path(), b"", 0o600, atomic::Durability::Ordered).unwrap();
    let mut client = Client::connect(Bench::serve(known(bench.app()).await).await).await;
    let mut ask = async || client.ask("GET /api/jobs/1/log/records?include_sensitive=1").await;
    let reply = ask().await;
    assert!(reply.status == 503 && reply.body.contains("spiderpig-api check"), "{}", reply.body);
    atomic::remove(bench.state_directory().path()).unwrap();
    assert!(ask().await.body.contains("hunter2"));
    assert_eq!(reveals(&bench).len(), 1, "it was not taken for done");
}
