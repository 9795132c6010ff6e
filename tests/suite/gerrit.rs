//! Changes in Gerrit, which is a process of its own here, `examples/gerrit/gerrit.py`: what is found before a start, what
//! is stored with a job, and what becomes of both when Gerrit is slow, down or wrong.

use std::fs;

use serde_json::{Value, json};

use crate::client::{self, Api};
use crate::support::{Daemon, StandIn, TestSpool, wait_for, wait_until};

const JOB_TYPES: &str = r#"
[phorge]
url = "https://phorge.test"

[job_types.backport]
command = ["true", "{change_url}"]
params = [{ name = "change_url", kind = "gerrit-change", many = true, required = true }]

[job_types.hold]
command = ["sh", "-c", "exec sleep 600", "{change}"]
params = [{ name = "change", kind = "gerrit-change" }]
"#;

/// A Gerrit that ends with the test.
struct Gerrit {
    service: StandIn,
    url: String,
}

impl Gerrit {
    fn start(arguments: &[&str]) -> Self {
        let service = StandIn::start("examples/gerrit/gerrit.py", arguments);
        let scheme = if arguments.contains(&"--certificate") { "https" } else { "http" };
        Self { url: format!("{scheme}://127.0.0.1:{}/r/", service.port), service }
    }

    fn stop(&mut self) {
        self.service.stop();
    }
}

/// Gerrit, runner and API.
struct Stage {
    api: Api,
    gerrit: Gerrit,
    _runner: Daemon,
    spool: TestSpool,
}

fn spool(gerrit: &Gerrit) -> TestSpool {
    let section = format!("[gerrit]\nurl = \"{}\"\nbranches = [\"master\", 'wmf/.*']\n", gerrit.url);
    TestSpool::with_configuration(&(section + JOB_TYPES))
}

fn stage_with(arguments: &[&str]) -> Stage {
    let gerrit = Gerrit::start(arguments);
    let spool = spool(&gerrit);
    let runner = spool.runner();
    Stage { api: client::start(&spool), gerrit, _runner: runner, spool }
}

fn stage() -> Stage {
    stage_with(&[])
}

impl Stage {
    fn preflight(&self, changes: &[&str]) -> Value {
        let (code, report) = self.api.get(&format!("/api/preflight?{}", arguments("change", changes)));
        assert_eq!(code, 200, "{report}");
        report
    }

    /// What is found of the first of some changes, in few words.
    fn found(&self, changes: &[&str]) -> (Vec<String>, Vec<String>) {
        let report = self.preflight(changes);
        let first = &report["changes"][0];
        assert_eq!(report["problem"], Value::Null, "{report}");
        (codes(&first["blockers"]), codes(&first["warnings"]))
    }

    fn backport(&self, changes: &[&str], more: &str) -> (u16, Value) {
        self.api.post(&format!("/api/jobs/backport?{}{more}", arguments("change_url", changes)), "")
    }

    fn job(&self, id: &Value) -> Value {
        self.api.get(&format!("/api/jobs/{id}")).1["job"].take()
    }

    /// Waits until a job has finished.
    fn finished(&self, id: &Value) -> Value {
        let job =
            wait_for("the job has finished", || Some(self.job(id)).filter(|job| job["finished_at"] != Value::Null));
        assert_eq!(job["state"], "succeeded", "{job}");
        job
    }
}

fn arguments(name: &str, changes: &[&str]) -> String {
    changes.iter().map(|change| format!("{name}={}", change.replace('+', "%2B"))).collect::<Vec<_>>().join("&")
}

fn codes(findings: &Value) -> Vec<String> {
    findings.as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn each_thing_that_speaks_against_a_change_is_found() {
    let stage = stage();
    let (none, one) = (Vec::<&str>::new, |code| vec![code]);
    for (changes, blockers, warnings) in [
        (&["42"][..], none(), none()),
        (&["43", "42"], none(), none()),
        (&["43"], one("dependency_open"), none()),
        (&["101"], one("abandoned"), none()),
        (&["102"], one("work_in_progress"), none()),
        (&["103"], one("not_mergeable"), none()),
        (&["104"], one("verified_negative"), none()),
        (&["105"], one("review_negative"), none()),
        (&["106"], one("dependency_open"), none()),
        (&["106", "107"], none(), none()),
        (&["108"], one("dependency_abandoned"), none()),
        (&["109"], vec!["dependency_open", "dependency_cycle"], none()),
        (&["109", "110"], one("dependency_cycle"), none()),
        (&["111"], one("dependency_open"), none()),
        (&["111", "107"], none(), none()),
        (&["112"], vec!["dependency_open", "dependency_open"], none()),
        (&["201"], none(), one("merged")),
        (&["202"], none(), one("verified_missing")),
        (&["203"], none(), one("review_missing")),
        (&["204"], none(), one("review_low")),
        (&["205"], none(), one("branch")),
        (&["206"], none(), one("dependency_unknown")),
        (&["207"], none(), one("mergeable_unknown")),
        (&["208"], none(), one("mergeable_unknown")),
        (&["209"], none(), one("dependency_unknown")),
        (&["301"], vec!["dependency_open"; 10], one("chain_long")),
        (&["999"], one("unknown"), none()),
        (&["I7"], one("invalid"), none()),
        (&["https://gerrit.example.org/r/42"], one("invalid"), none()),
    ] {
        let expected =
            (blockers.iter().map(ToString::to_string).collect(), warnings.iter().map(ToString::to_string).collect());
        assert_eq!(stage.found(changes), expected, "{changes:?}");
    }
}

#[test]
fn a_report_is_in_the_order_asked_and_names_what_it_is_about() {
    let stage = stage();
    let address = format!("{}c/mediawiki/core/+/107/1", stage.gerrit.url);
    let report = stage.preflight(&["42", &address, "107"]);
    assert_eq!(report["ready"], false);
    let inputs: Vec<_> = report["changes"].as_array().unwrap().iter().map(|change| &change["input"]).collect();
    assert_eq!(inputs, ["42", &address, "107"]);
    assert_eq!(codes(&report["changes"][1]["blockers"]), [""; 0]);
    let url = format!("{}c/107", stage.gerrit.url);
    let expected = json!([{
        "code": "twice", "message": "Change 107 is chosen more than once", "change": 107, "url": url, "job": null
    }]);
    assert_eq!(report["changes"][2]["blockers"], expected);
    let change = json!({
        "number": 107, "project": "mediawiki/core", "branch": "wmf/1.46.0-wmf.3", "subject": "Is needed by others",
        "status": "NEW", "owner": "Alice Example", "url": url,
        "repoQueryUrl": format!("{}q/project%3Amediawiki%2Fcore", stage.gerrit.url),
        "branchQueryUrl": format!("{}q/project%3Amediawiki%2Fcore+branch%3Awmf%2F1.46.0-wmf.3", stage.gerrit.url),
    });
    assert_eq!(report["changes"][1]["change"], change);
    assert_eq!(stage.preflight(&["42"])["ready"], true);
    assert_eq!(stage.api.get("/api/preflight").0, 422);
    let many = vec!["42"; 51];
    assert_eq!(stage.api.get(&format!("/api/changes?{}", arguments("change", &many))).0, 422);
}

#[test]
fn a_change_that_is_being_deployed_is_found_in_its_job() {
    let stage = stage();
    let body = json!({ "type": "hold", "params": { "change": format!("{}c/42", stage.gerrit.url) } }).to_string();
    let (code, running) = stage.api.post("/api/jobs", &body);
    assert_eq!(code, 201, "{running}");
    let id = running["id"].clone();
    wait_for("the job runs", || (stage.job(&id)["state"] == "running").then_some(()));
    let (code, queued) =
        stage.api.post("/api/jobs", &json!({ "type": "hold", "params": { "change": 107 } }).to_string());
    assert_eq!(code, 201, "{queued}");
    let report = stage.preflight(&["42", "107"]);
    for (place, job, words) in [(0, id, "which runs"), (1, queued["id"].clone(), "which waits")] {
        let finding = &report["changes"][place]["blockers"][0];
        assert_eq!((&finding["code"], &finding["job"]), (&json!("in_job"), &job), "{report}");
        assert!(finding["message"].as_str().unwrap().ends_with(words), "{finding}");
    }
}

#[test]
fn whatever_is_wrong_with_gerrit_is_told_in_words_beside_what_is_well() {
    let stage = stage();
    let numbers: Vec<String> = (901..=911).chain([999, 42]).map(|number: u32| number.to_string()).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let (code, answer) = stage.api.get(&format!("/api/changes?{}", arguments("change", &numbers)));
    assert_eq!(code, 200);
    let gerrit = stage.gerrit.url.as_str();
    let expected = [
        ("901", "did not answer within 5 s"),
        ("902", "sent no JSON: its answer begins with \"<!doctype html><title>Sign in</title><p>Please sign in\""),
        ("903", "answered 500"),
        ("904", "sent no JSON: EOF while parsing a string"),
        ("905", "sent no JSON: its answer begins with \"[{\\\"_number\\\": 905"),
        ("906", "cannot be asked: "),
        ("907", "sent more than 4 MiB"),
        ("908", "answered 302, and points to https://elsewhere.example/login"),
        ("909", "did not answer within 5 s"),
        ("910", "sent JSON that is not understood: invalid type: map, expected a sequence"),
        ("911", "cannot be asked: end of file before message length reached"),
    ];
    for (found, (number, words)) in answer["changes"].as_array().unwrap().iter().zip(expected) {
        assert_eq!(found["input"], number);
        let problem = found["problem"].as_str().unwrap();
        assert!(problem.starts_with(&format!("Gerrit at {gerrit} {words}")), "{number}: {problem}");
    }
    let unknown = json!({
        "input": "999", "change": null, "problem": "Gerrit does not know a change 999, or does not show it to everybody"
    });
    assert_eq!(answer["changes"][11], unknown);
    assert_eq!(answer["changes"][12]["change"]["number"], 42);

    let report = stage.preflight(&["903", "42"]);
    assert_eq!((&report["ready"], &report["changes"][0]["change"]), (&json!(false), &Value::Null));
    assert_eq!(report["problem"], format!("Gerrit at {gerrit} answered 500"));
    assert_eq!(report["changes"][1]["change"]["number"], 42);
}

#[test]
fn the_page_of_the_original_finds_a_change_or_nothing() {
    let mut stage = stage();
    let search = |stage: &Stage, text: &str| stage.api.get(&format!("/api/searchPatch?changeNumOrUrl={text}"));
    let expected = json!([{
        "_number": 42, "project": "operations/mediawiki-config", "branch": "master",
        "subject": "Enable the new skin on group 0", "status": "NEW",
    }]);
    assert_eq!(search(&stage, "42"), (200, expected.clone()));
    assert_eq!(search(&stage, &format!("{}%23/c/42/", stage.gerrit.url)), (200, expected));
    for nothing in ["999", "I7", "", "903", "https://gerrit.example.org/42"] {
        assert_eq!(search(&stage, nothing), (200, json!([])), "{nothing}");
    }
    stage.gerrit.stop();
    assert_eq!(search(&stage, "42"), (200, json!([])));
    let gerrit = stage.gerrit.url.as_str();
    let problem = stage.preflight(&["42"])["problem"].as_str().unwrap().to_owned();
    assert!(problem.starts_with(&format!("Gerrit at {gerrit} cannot be asked: Connection refused")), "{problem}");
}

#[test]
fn a_backport_has_its_changes_with_links_each_once() {
    let stage = stage();
    let address = format!("{}c/operations/mediawiki-config/+/42/1", stage.gerrit.url);
    let (code, created) = stage.backport(&["210", "42", &address], "");
    assert_eq!((code, &created), (200, &json!({ "message": "Job created", "id": created["id"] })));
    let job = stage.finished(&created["id"]);
    assert_eq!(job["type"], "backport");
    assert_eq!(job["params"], json!({ "change_url": ["210", "42", address] }), "the request stays as it was");
    let infos = job["data"]["change_infos"].as_array().unwrap();
    assert_eq!(job["data"].as_object().unwrap().len(), 1, "nothing was overcome");
    assert_eq!(infos.iter().map(|info| info["number"].as_u64().unwrap()).collect::<Vec<_>>(), [210, 42]);

    let gerrit = &stage.gerrit.url;
    let message = infos[1]["commit_msg"].as_str().unwrap().to_owned();
    let ids: Vec<&str> = message.split_whitespace().filter(|word| word.len() == 41).collect();
    let link = |href: String, text: &str| json!({ "type": "link", "href": href, "text": text });
    let expected = json!({
        "number": 42,
        "project": "operations/mediawiki-config",
        "branch": "master",
        "subject": "Enable the new skin on group 0",
        "commit_msg": message,
        "url": format!("{gerrit}c/42"),
        "linkifiedCommitMsg": [
            "Enable the new skin on group 0\n\nNobody had noticed until now.\n\nBug: ",
            link("https://phorge.test/T123456".into(), "T123456"), "\nBug: ",
            link("https://phorge.test/T123457".into(), "T123457"), "\nReverts: ",
            link(format!("{gerrit}q/{}", ids[0]), ids[0]), "\nChange-Id: ",
            link(format!("{gerrit}q/{}", ids[1]), ids[1]), "\n",
        ],
        "repoQueryUrl": format!("{gerrit}q/project%3Aoperations%2Fmediawiki-config"),
        "branchQueryUrl": format!("{gerrit}q/project%3Aoperations%2Fmediawiki-config+branch%3Amaster"),
    });
    assert_eq!(infos[1], expected);
    let strings = infos[0]["linkifiedCommitMsg"].as_array().unwrap().iter().filter_map(Value::as_str);
    let html: String = strings.collect();
    assert!(html.contains("&lt;b&gt;bold&lt;/b&gt; &amp; &quot;quotes&quot;") && !html.contains('<'), "{html}");
}

#[test]
fn what_names_no_change_starts_nothing() {
    let stage = stage();
    let foreign = "https://gerrit.example.org/r/42";
    let (code, refused) = stage.backport(&["42", "I7", foreign], "&anyway=true");
    let expected = json!({ "detail": { "message": "Invalid change url or number", "baddies": ["I7", foreign] } });
    assert_eq!((code, refused), (400, expected));
    assert_eq!(stage.api.post("/api/jobs/backport", "").0, 422);
    let (code, refused) =
        stage.api.post("/api/jobs", &json!({ "type": "backport", "params": { "change_url": [foreign] } }).to_string());
    assert_eq!((code, &refused["detail"][0]["loc"]), (422, &json!(["body", "params", "change_url"])));
    // The runner has the same rule for what was not sent through the API.
    let id = stage.spool.submit("backport", json!({ "change_url": [foreign] }));
    let reason = stage.spool.wait_rejected(&format!("{id}.reason"));
    assert!(reason.contains(&format!("its address at {}", stage.gerrit.url)), "{reason}");
    wait_until("it is the only one", || stage.api.get("/api/jobs").1["total"] == 1);
}

#[test]
fn what_cannot_be_looked_up_is_started_only_anyway_and_that_is_recorded() {
    let mut stage = stage();
    let (code, refused) = stage.backport(&["42", "999", "998"], "");
    let message = refused["detail"]["message"].as_str().unwrap();
    assert!(message.contains("does not know a change 998") && message.contains("a change 999"), "{message}");
    assert_eq!((code, &refused["detail"]["baddies"]), (400, &json!(["999", "998"])));
    assert_eq!(refused["detail"]["anyway"], true);
    let (code, refused) = stage.backport(&["42", "903", "999"], "");
    let message = refused["detail"]["message"].as_str().unwrap();
    assert!(message.contains("answered 500"), "{message}");
    assert_eq!((code, &refused["detail"]["anyway"]), (502, &json!(true)));
    assert_eq!(stage.api.get("/api/jobs").1["total"], 0);

    let (code, created) = stage.backport(&["42", "999", "903", "102"], "&anyway=true");
    assert_eq!(code, 200, "{created}");
    let id = created["id"].clone();
    let job = stage.finished(&id);
    let numbers: Vec<_> = job["data"]["change_infos"].as_array().unwrap().iter().map(|info| &info["number"]).collect();
    assert_eq!(numbers, [42, 102]);
    let expected = json!({ "by": "tester", "problems": [
        format!("Gerrit at {} answered 500", stage.gerrit.url),
        "Gerrit does not know a change 999, or does not show it to everybody",
        "Change 102 is marked as work in progress",
    ]});
    assert_eq!(job["data"]["started_anyway"], expected);

    // With nothing to overcome there is nothing to be recorded.
    let (code, created) = stage.backport(&["42"], "&anyway=true");
    assert_eq!(code, 200);
    assert_eq!(
        stage.finished(&created["id"])["data"].as_object().unwrap().keys().collect::<Vec<_>>(),
        ["change_infos"]
    );

    stage.gerrit.stop();
    let (code, refused) = stage.api.post(&format!("/api/jobs/{id}/retry"), "");
    assert_eq!((code, &refused["detail"]["anyway"]), (502, &json!(true)), "{refused}");
    let (code, created) = stage.api.post(&format!("/api/jobs/{id}/retry?anyway=true"), "");
    assert_eq!(code, 200, "{created}");
    let data = stage.finished(&created["id"])["data"].take();
    assert_eq!(data["change_infos"], json!([]));
    assert_eq!(data["started_anyway"]["problems"].as_array().unwrap().len(), 1, "{data}");
    let mut body = json!({ "type": "backport", "params": { "change_url": ["42"] } });
    assert_eq!(stage.api.post("/api/jobs", &body.to_string()).0, 502);
    assert_eq!(stage.api.post("/api/jobs?dry_run=true", &body.to_string()).0, 200);
    body["anyway"] = json!(true);
    assert_eq!(stage.api.post("/api/jobs", &body.to_string()).0, 201);
}

#[test]
fn a_retry_has_the_changes_as_they_are_then() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("changes.json");
    let change = |subject: &str| fs::write(&file, json!([{ "number": 7, "subject": subject }]).to_string()).unwrap();
    change("Before");
    let stage = stage_with(&["--changes", file.to_str().unwrap()]);
    let (_, created) = stage.backport(&["7", "102"], "&anyway=true");
    let first = stage.finished(&created["id"]);
    assert_eq!(first["data"]["change_infos"][0]["subject"], "Before");
    assert_eq!(first["data"]["started_anyway"]["problems"].as_array().unwrap().len(), 1);
    change("After");
    let (code, again) = stage.api.post(&format!("/api/jobs/{}/retry", created["id"]), "");
    assert_eq!(code, 200, "{again}");
    let second = stage.finished(&again["id"]);
    assert_eq!((&second["retry_of"], &second["params"]), (&first["id"], &first["params"]));
    assert_eq!(second["data"]["change_infos"][0]["subject"], "After");
    assert_eq!(second["data"]["started_anyway"], Value::Null, "that was the other one");
}

#[test]
fn a_key_is_answered_again_without_gerrit() {
    let mut stage = stage();
    let body = json!({ "type": "backport", "params": { "change_url": ["42"] } }).to_string();
    let requests = [("/api/jobs", "one", body.as_str()), ("/api/jobs/backport?change_url=42", "two", "")];
    let answers = |stage: &Stage| requests.map(|(path, key, body)| stage.api.post_once(path, key, body).unwrap());
    let before = answers(&stage);
    let retry = format!("/api/jobs/{}/retry", before[0].1["id"]);
    stage.finished(&before[0].1["id"]);
    let again = stage.api.post_once(&retry, "three", "").unwrap();
    assert!(before.iter().chain([&again]).all(|(code, _)| *code < 300), "{before:?} {again:?}");
    stage.gerrit.stop();
    assert_eq!(answers(&stage), before);
    assert_eq!(stage.api.post_once(&retry, "three", "").unwrap(), again);
    assert_eq!(stage.api.post_once(&retry, "four", "").unwrap().0, 502, "it is really gone");
}

#[test]
fn gerrit_is_asked_by_tls_if_the_system_trusts_its_certificate() {
    let directory = tempfile::tempdir().unwrap();
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (both, trusted) = (directory.path().join("both.pem"), directory.path().join("trusted.pem"));
    fs::write(&both, signing_key.serialize_pem() + &cert.pem()).unwrap();
    fs::write(&trusted, cert.pem()).unwrap();
    let gerrit = Gerrit::start(&["--certificate", both.to_str().unwrap()]);
    let spool = spool(&gerrit);
    let _runner = spool.runner();
    let listen = ["--listen", "127.0.0.1:0"];

    let api = client::start_as(&spool, spool.command("spiderpig-api").args(listen).env("SSL_CERT_FILE", &trusted));
    let (_, answer) = api.get("/api/changes?change=42");
    assert_eq!(answer["changes"][0]["change"]["number"], 42, "{answer}");
    assert!(api.daemon.terminate().success());

    let api = client::start_as(&spool, spool.command("spiderpig-api").args(listen));
    let (_, answer) = api.get("/api/changes?change=42");
    let problem = answer["changes"][0]["problem"].as_str().unwrap();
    assert!(problem.contains("must be signed by an authority that this system trusts"), "{problem}");
}
