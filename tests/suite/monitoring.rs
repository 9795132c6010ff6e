//! What other programs tell in `monitoring/`, and what people see of it; promotions of the train.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use spiderpig::spool::JobId;
use spiderpig::spool::request::JobRequest;
use spiderpig::spool::status::State;

use crate::client::{Api, start};
use crate::events::follow;
use crate::support::{Daemon, TestSpool, program, wait_for, wait_until};

const TRAIN: &str = "/api/train/status";
const ERRORS: &str = "/api/monitoring/logs/mediawiki";
const TOTAL: &str = "/api/monitoring/logs/mediawiki/total";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn example(name: &str) -> Value {
    let text = fs::read(repository().join("examples/monitoring").join(name)).unwrap();
    serde_json::from_slice(&text).unwrap()
}

/// Writes a file of `monitoring/` as another program would.
fn tell(spool: &TestSpool, name: &str, content: &Value) {
    spool.drop_file(&format!("monitoring/{name}"), content.to_string());
}

/// Waits until a route answers so.
#[track_caller]
fn wait_answer(api: &Api, path: &str, what: &str, condition: impl Fn(u16, &Value) -> bool) -> Value {
    wait_for(&format!("{path}: {what}"), || {
        let (code, answer) = api.get(path);
        condition(code, &answer).then_some(answer)
    })
}

/// Waits until a member of the answer has these words.
#[track_caller]
fn wait_words(api: &Api, path: &str, pointer: &str, words: &str) -> Value {
    wait_answer(api, path, words, |_, answer| {
        answer.pointer(pointer).and_then(Value::as_str).is_some_and(|text| text.contains(words))
    })
}

#[test]
fn a_spool_of_an_earlier_version_is_told_nothing_until_its_runner_makes_the_directory() {
    let spool = TestSpool::new();
    spool.runner().terminate();
    fs::remove_dir(spool.root().join("monitoring")).unwrap();
    let api = start(&spool);
    let (code, train) = api.get(TRAIN);
    assert_eq!(code, 503);
    let message = train["detail"]["message"].as_str().unwrap();
    assert!(message.contains("there is no monitoring/train.json") && message.contains("spool-layout.md"), "{message}");
    let (code, errors) = api.get(ERRORS);
    assert_eq!((code, &errors["log"], &errors["time"]), (200, &json!({}), &Value::Null));
    assert!(errors["message"].as_str().unwrap().contains("there is no monitoring/mediawiki.json"), "{errors}");
    assert_eq!(api.get(TOTAL).1["total"], Value::Null);
    assert_eq!(api.get("/healthz").1["information"], json!([]));

    let _runner = spool.runner();
    let mode = fs::metadata(spool.root().join("monitoring")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o3770);
    tell(&spool, "mediawiki.json", &example("mediawiki.json"));
    wait_answer(&api, TOTAL, "it is told", |_, answer| answer["total"] == 62);
}

#[test]
fn a_file_appears_changes_is_damaged_mended_and_removed() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let api = start(&spool);
    let mut train = example("train.json");
    tell(&spool, "train.json", &train);
    let status = wait_answer(&api, TRAIN, "it is there", |code, _| code == 200);
    assert_eq!((&status["atGroup"], &status["wikiCount"]), (&json!("testwikis"), &json!(27)));
    assert_eq!(status["groups"][1]["versions"], json!(["1.46.0-wmf.2"]), "the test wikis count for their own group");

    for wiki in ["mediawikiwiki", "officewiki"] {
        train["wikiVersions"][wiki] = json!("1.46.0-wmf.3");
    }
    tell(&spool, "train.json", &train);
    wait_answer(&api, TRAIN, "it has moved", |_, status| status["atGroup"] == "group0");

    let path = spool.root().join("monitoring/train.json");
    let refused = |words: &str| {
        let status = wait_words(&api, TRAIN, "/warnings/0", words);
        assert_eq!(status["atGroup"], "group0", "the last good content stays");
        wait_words(&api, "/healthz", "/information/0", words);
    };
    tell(&spool, "train.json", &json!({ "format": 2 }));
    refused("train.json: its `format` is 2, and this program knows 1");
    let mut wrong = train.clone();
    wrong["groups"]["group1"][2] = json!(7);
    tell(&spool, "train.json", &wrong);
    refused("train.json: `groups.group1[2]`: invalid type: integer `7`, expected a string");
    spool.drop_file("monitoring/train.json", "{\"format\": 1,");
    refused("train.json: it is not valid JSON: EOF");
    spool.drop_file("monitoring/train.json", train.to_string() + &" ".repeat(5 << 20));
    refused("train.json: it has more than 4194304 bytes");
    let staged = spool.root().join("incoming/staged");
    symlink("/etc/hostname", &staged).unwrap();
    fs::rename(&staged, &path).unwrap();
    refused("train.json: it is a symbolic link");
    rustix::fs::mknodat(rustix::fs::CWD, &staged, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    fs::rename(&staged, &path).unwrap();
    refused("train.json: it is not a regular file");
    fs::remove_file(&path).unwrap();
    wait_answer(&api, TRAIN, "it is gone", |code, _| code == 503);
    wait_answer(&api, "/healthz", "nothing is wrong with it", |_, health| health["information"] == json!([]));

    tell(&spool, "train.json", &train);
    let status = wait_answer(&api, TRAIN, "it is there again", |code, _| code == 200);
    assert_eq!(status["warnings"], json!([]));
}

#[test]
fn an_api_that_never_read_it_in_order_says_why() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    for name in ["train.json", "mediawiki.json"] {
        tell(&spool, name, &json!({ "format": 1, "time": "now" }));
    }
    let api = start(&spool);
    let (code, train) = api.get(TRAIN);
    let message = train["detail"]["message"].as_str().unwrap();
    assert!(code == 503 && message.contains("`time`: `now` is not an RFC 3339 time"), "{code} {message}");
    let (code, errors) = api.get(ERRORS);
    assert_eq!((code, &errors["log"], &errors["time"]), (200, &json!({}), &Value::Null));
    assert!(errors["message"].as_str().unwrap().contains("`time`: `now`"), "{errors}");
    let health = api.get("/healthz").1;
    assert_eq!(health["information"].as_array().unwrap().len(), 2);
    let check = spool.command("spiderpig-runner").arg("check").output().unwrap();
    let findings = String::from_utf8_lossy(&check.stdout).into_owned() + &String::from_utf8_lossy(&check.stderr);
    assert_eq!(findings.matches("does not match the layout").count(), 2, "{findings}");
}

#[test]
fn answers_have_the_shapes_that_the_original_page_reads() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    tell(&spool, "train.json", &example("train.json"));
    tell(&spool, "mediawiki.json", &example("mediawiki.json"));
    let api = start(&spool);
    let status = api.get(TRAIN).1;
    let members: Vec<&str> = status.as_object().unwrap().keys().map(String::as_str).collect();
    let fixed = ["groups", "version", "oldVersion", "atGroup", "wikiVersions", "wikiCount", "task", "taskUrl"];
    let of_task = ["taskStatus", "taskReleaseDate", "taskVersion", "warnings", "time"];
    assert_eq!(members, [&fixed[..], &of_task[..]].concat());
    for group in status["groups"].as_array().unwrap() {
        let members: Vec<&str> = group.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["name", "versions", "wikis", "selectedWikis", "hasRolled"]);
        assert_eq!(group["hasRolled"], group["name"] == "testwikis");
    }
    assert_eq!(status["time"], 1_795_507_200.0);
    let errors = api.get(ERRORS).1;
    assert_eq!(errors["log"], example("mediawiki.json")["log"]);
    assert_eq!(api.get(TOTAL).1["total"], 62);
}

#[test]
fn pages_hear_of_it() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let api = start(&spool);
    let mut events = follow(&api, "", None);
    let (_, name, snapshot) = events.next().unwrap();
    assert_eq!((&*name, &snapshot["monitoring"]), ("snapshot", &json!({ "train": null, "mediawiki": null })));
    let mut told = events.filter(|(_, name, _)| name == "monitoring").map(|(_, _, summary)| summary);
    tell(&spool, "train.json", &example("train.json"));
    assert_eq!(told.next().unwrap(), json!({ "train": { "time": 1_795_507_200.0 }, "mediawiki": null }));
    tell(&spool, "mediawiki.json", &example("mediawiki.json"));
    assert_eq!(told.next().unwrap()["mediawiki"], json!({ "time": 1_795_507_200.0, "total": 62 }));
    tell(&spool, "mediawiki.json", &json!({}));
    assert_eq!(told.next().unwrap()["mediawiki"]["total"], 62, "that it is damaged is told as well");
    fs::remove_file(spool.root().join("monitoring/train.json")).unwrap();
    assert_eq!(told.next().unwrap()["train"], Value::Null);
}

#[test]
fn the_examples_of_the_layout_are_what_it_says() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let layout = include_str!("../../spool-layout.md");
    for name in ["train.json", "mediawiki.json"] {
        let (_, section) = layout.split_once(&format!("\n### monitoring/{name}\n")).unwrap();
        let (document, _) = section.split_once("```json\n").unwrap().1.split_once("```").unwrap();
        spool.drop_file(&format!("monitoring/{name}"), document);
    }
    let api = start(&spool);
    assert_eq!(api.get(TRAIN).1["atGroup"], "testwikis");
    assert_eq!(api.get(TOTAL).1["total"], 43);
    assert_eq!(api.get("/healthz").1["information"], json!([]));
}

/// Runs the example writer.
fn write(spool: &TestSpool, words: &[&str]) -> Output {
    let script = repository().join("examples/monitoring/write.sh");
    Command::new(script).arg(spool.root()).args(words).output().unwrap()
}

#[test]
fn the_example_writer_replaces_a_file_only_with_a_document() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let written = spool.root().join("monitoring/mediawiki.json");
    let source = repository().join("examples/monitoring/mediawiki.json");
    let source = source.to_str().unwrap();
    let output = write(&spool, &["mediawiki", "cat", source]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read(&written).unwrap(), fs::read(source).unwrap());
    assert_eq!(fs::metadata(&written).unwrap().permissions().mode() & 0o7777, 0o640);

    for (command, status, words) in [
        (&["sh", "-c", "cat; exit 3"][..], 3, ""),
        (&["echo", "{}"][..], 1, "echo printed no document of format 1; mediawiki.json stays as it was\n"),
        (&["true"][..], 1, "true printed no document of format 1"),
        (&[][..], 2, "usage: "),
    ] {
        let output = write(&spool, &[&["mediawiki"], command].concat());
        assert_eq!(output.status.code(), Some(status), "{command:?} {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(words), "{output:?}");
        assert_eq!(fs::read(&written).unwrap(), fs::read(source).unwrap(), "{command:?}");
    }
    assert!(spool.names("incoming").is_empty());
    let check = spool.command("spiderpig-runner").arg("check").output().unwrap();
    assert!(!String::from_utf8_lossy(&check.stdout).contains("monitoring/"), "{check:?}");
}

#[test]
fn what_a_poller_of_logstash_writes_is_turned_into_the_document() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let readme = fs::read_to_string(repository().join("examples/monitoring/README.md")).unwrap();
    let (_, filter) = readme.split_once("jq '").unwrap();
    let (filter, _) = filter.split_once('\'').unwrap();
    let polled = spool.path().join("logstash_errors.json");
    let errors = json!({ "errors": { "Undefined index": { "count": 3, "versions": ["1.46.0-wmf.3"] } }, "total": 612 });
    fs::write(&polled, errors.to_string()).unwrap();
    let output = write(&spool, &["mediawiki", "jq", filter, polled.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    let api = start(&spool);
    assert_eq!((&api.get(TOTAL).1["total"], &api.get(ERRORS).1["log"]), (&json!(612), &errors["errors"]));
}

#[test]
fn the_example_units_are_valid() {
    let units = ["service", "timer"].map(|kind| format!("examples/monitoring/spiderpig-mediawiki-errors.{kind}"));
    for unit in &units {
        let text = fs::read_to_string(repository().join(unit)).unwrap();
        assert!(text.starts_with("[Unit]\nDescription="), "{unit}");
    }
    let Ok(output) = Command::new("systemd-analyze").arg("verify").args(&units).current_dir(repository()).output()
    else {
        return;
    };
    // The writer and the program of the example are not installed here.
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    let about_units = complaints.lines().filter(|line| line.contains("Unknown") || line.contains("Failed to parse"));
    assert_eq!(about_units.collect::<Vec<_>>(), [""; 0]);
}

/// Runner and API with the configuration of the examples, and the example train, on a spool of the test.
fn example_spool() -> (TestSpool, Daemon, Api) {
    let spool = TestSpool::new();
    let watch = crate::support::has_watch();
    let text = fs::read_to_string(repository().join("examples/spiderpig.toml")).unwrap();
    let text = text.replace("@ROOT@/target/demo/spool", spool.root().to_str().unwrap());
    let text = text.replace("@ROOT@/target/demo/api", spool.state_directory().to_str().unwrap());
    let text = text.replace("@ROOT@", repository().to_str().unwrap()).replace("default = 4\n", "default = 100000\n");
    fs::write(spool.configuration(), text.replace("watch = true", &format!("watch = {watch}"))).unwrap();
    let programs = Path::new(program("spiderpig-runner")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let runner = spool.start_runner(spool.command("spiderpig-runner").env("PATH", path));
    tell(&spool, "train.json", &example("train.json"));
    let api = start(&spool);
    (spool, runner, api)
}

fn promote(api: &Api, promotion: &Value) -> JobId {
    let (code, created) = api.post("/api/jobs/train", &promotion.to_string());
    assert_eq!((code, &created["message"]), (200, &json!("Job created")), "{created}");
    JobId::try_from(created["id"].as_u64().unwrap()).unwrap()
}

fn request_of(spool: &TestSpool, id: JobId) -> JobRequest {
    JobRequest::parse(&fs::read(spool.job(id).directory().join("job.json")).unwrap()).unwrap()
}

#[test]
fn a_promotion_asks_moves_the_train_and_shows_the_result() {
    let (spool, _runner, api) = example_spool();
    let mut status = api.get(TRAIN).1;
    status["groups"][1]["selectedWikis"] = json!(["mediawikiwiki"]);
    let id = promote(
        &api,
        &json!({
            "group": "group1", "version": "1.46.0-wmf.3", "oldVersion": "1.46.0-wmf.2", "excludedWikis": ["officewiki"],
            "originalTrainStatus": status
        }),
    );
    assert_eq!(spool.wait_prompt(id, 1).interaction.unwrap().prompt, "Promote group1 to 1.46.0-wmf.3?");
    let job = request_of(&spool, id);
    let params = json!({
        "group": "group1", "version": "1.46.0-wmf.3", "oldVersion": "1.46.0-wmf.2", "excludedWikis": ["officewiki"]
    });
    assert_eq!(Value::Object(job.params), params);
    assert_eq!(job.data.unwrap()["originalTrainStatus"], status);
    // What the original page looks at while a train moves.
    let shown = api.get("/api/jobrunner/status").1["job"].clone();
    assert_eq!((&shown["type"], &shown["data"]["group"]), (&json!("train"), &json!("group1")));
    assert_eq!(shown["data"]["originalTrainStatus"], status);

    spool.answer(id, 1, "alice", "y");
    assert_eq!(spool.wait_prompt(id, 2).interaction.unwrap().prompt, "Check the logs.");
    assert_eq!(api.get(TRAIN).1["atGroup"], "testwikis", "nothing is final yet");
    spool.answer(id, 2, "alice", "c");
    assert_eq!(spool.wait_final(id).state, State::Succeeded, "{:?}", spool.lines(id));
    let lines = spool.lines(id);
    assert!(lines.iter().any(|line| line == "officewiki is left out."), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("testwiki:") || line.starts_with("officewiki:")), "{lines:?}");
    let status = wait_answer(&api, TRAIN, "the train has moved", |_, status| status["atGroup"] == "group1");
    assert_eq!(status["groups"][1]["versions"], json!(["1.46.0-wmf.2", "1.46.0-wmf.3"]));
    assert_eq!(status["groups"][1]["hasRolled"], true);

    let back = promote(&api, &json!({ "group": "all", "version": "1.46.0-wmf.2", "oldVersion": "1.46.0-wmf.2" }));
    spool.wait_prompt(back, 1);
    assert_eq!(request_of(&spool, back).data.unwrap()["originalTrainStatus"], status, "what the service knew");
    spool.answer(back, 1, "alice", "y");
    spool.wait_prompt(back, 2);
    spool.answer(back, 2, "alice", "c");
    assert_eq!(spool.wait_final(back).state, State::Succeeded, "{:?}", spool.lines(back));
    wait_answer(&api, TRAIN, "no wiki has it", |_, status| status["atGroup"].is_null());
}

#[test]
fn a_promotion_that_is_declined_or_rolled_back_leaves_the_train_where_it_is() {
    let (spool, _runner, api) = example_spool();
    let before = fs::read(spool.root().join("monitoring/train.json")).unwrap();
    let promotion = json!({ "group": "group0", "version": "1.46.0-wmf.3", "oldVersion": "1.46.0-wmf.2" });
    for (answers, last) in [(&["n"][..], "Promotion cancelled."), (&["y", "r"], "The promotion was rolled back.")] {
        let id = promote(&api, &promotion);
        for (number, answer) in (1..).zip(answers) {
            spool.wait_prompt(id, number);
            spool.answer(id, number, "alice", answer);
        }
        let status = spool.wait_final(id);
        assert_eq!((status.state, status.exit_status), (State::Failed, Some(1)));
        assert_eq!(spool.lines(id).last().unwrap(), last);
    }
    assert_eq!(fs::read(spool.root().join("monitoring/train.json")).unwrap(), before);
}

#[test]
fn the_example_promotion_works_at_a_terminal_and_ends_if_nobody_can_be_asked() {
    let spool = TestSpool::new();
    let file: PathBuf = spool.path().join("train.json");
    let run = |input: &str| {
        fs::copy(repository().join("examples/monitoring/train.json"), &file).unwrap();
        let shell = format!("printf '{input}' | \"$0\" --speed 100000 \"$@\"");
        let mut command = Command::new("sh");
        command.args(["-c", &shell]).arg(repository().join("examples/train/train.py"));
        command.args(["group0", "1.46.0-wmf.3"]).env("SPIDERPIG_TRAIN_STATUS", &file).env_remove("SPIDERPIG_IO_KEY");
        command.output().unwrap()
    };
    let output = run("maybe\\ny\\nc\\n");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("Answer one of: y, n") && text.contains("mediawikiwiki: 1.46.0-wmf.2 → 1.46.0-wmf.3"));
    let written: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(written["wikiVersions"]["officewiki"], "1.46.0-wmf.3");
    assert_ne!(written["time"], example("train.json")["time"]);
    assert_eq!(run("").status.code(), Some(1));
}

#[test]
fn a_type_train_is_needed() {
    let spool = TestSpool::new();
    let _runner = spool.runner();
    let api = start(&spool);
    let promotion = json!({ "group": "group0", "version": "1.46.0-wmf.3", "oldVersion": "1.46.0-wmf.2" });
    let (code, refusal) = api.post("/api/jobs/train", &promotion.to_string());
    let message = refusal["detail"]["message"].as_str().unwrap();
    assert!(code == 400 && message.starts_with("There is no job type `train`"), "{code} {message}");
    let (code, refusal) = api.post("/api/jobs/train", &json!({ "group": "group9" }).to_string());
    assert_eq!((code, refusal["detail"].as_array().unwrap().len()), (422, 3), "{refusal}");
    wait_until("nothing was started", || spool.names("queue").is_empty());
}
