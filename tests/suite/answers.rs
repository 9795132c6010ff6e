//! Answers: only the one that is meant for the open prompt, and fits it, reaches the job. Every other is refused with
//! its user and the reason, and disturbs nothing.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use serde_json::json;
use spiderpig::spool::JobId;
use spiderpig::spool::inbox::{Answered, JobSignal};
use spiderpig::spool::log::{Record, RecordKind};
use spiderpig::spool::outcome::Outcome;
use spiderpig::spool::status::State;

use crate::hostile::HostileSpool;
use crate::support::wait_until;

fn answer_text(user: &str, response: &str) -> String {
    json!({ "user": user, "response": response }).to_string()
}

/// Waits until an answer is refused for a reason that contains this text, and its file is gone.
#[track_caller]
fn assert_refused(spool: &HostileSpool, id: JobId, user: &str, prompt: u32, reason: &str) {
    let what = format!("answer of {user} to prompt {prompt} refused: ");
    wait_until(&format!("{what}…{reason}"), || {
        spool.notes(id).iter().any(|note| note.strip_prefix(&what).is_some_and(|rest| rest.contains(reason)))
    });
    wait_until("its file is gone", || !spool.root().join(format!("inbox/{id}.response.{prompt}.json")).exists());
}

#[track_caller]
fn assert_open(spool: &HostileSpool, id: JobId, prompt: u32) {
    let status = spool.status(id).unwrap();
    assert_eq!((status.state, status.interaction.unwrap().id), (State::Waiting, prompt));
}

#[test]
fn an_interrupt_closes_the_prompt_and_a_late_click_does_not_answer_the_next() {
    let spool = HostileSpool::new();
    let id = spool.python(
        "try:\n  put(question('deploy?') + '\\n'); answer()\nexcept KeyboardInterrupt:\n  gate('next')\n  \
         put(question('roll back?') + '\\n'); put('rolled back:' + answer() + '\\n')",
    );
    spool.wait_prompt(id, 1);
    spool.signal(id, "carol", JobSignal::Interrupt);
    let status = spool.wait_status(id, "it is being stopped", |status| status.state == State::Stopping);
    assert_eq!(status.interaction, None);
    assert_eq!(spool.answer(id, 1, "bob", "y"), Answered::First, "the inbox takes it");
    assert_refused(&spool, id, "bob", 1, "prompt 1 is closed");
    spool.open_gate("next");
    let question = spool.wait_prompt(id, 2).interaction.unwrap().prompt;
    assert!(question == "roll back?" || question == "deploy?", "{question}");
    let number = spool.wait_status(id, "it asks", |status| {
        status.interaction.as_ref().is_some_and(|open| open.prompt == "roll back?")
    });
    let number = number.interaction.unwrap().id;
    spool.answer(id, 1, "bob", "y");
    wait_until("the late click is refused again", || {
        spool.notes(id).iter().filter(|note| note.contains("prompt 1 is closed")).count() == 2
    });
    assert_open(&spool, id, number);
    spool.answer(id, number, "carol", "n");
    let status = spool.wait_final(id);
    assert_eq!(spool.lines(id).last().unwrap(), "rolled back:n");
    assert_eq!((status.state, status.outcome), (State::Succeeded, Some(Outcome::Stopped)));
    assert_eq!(status.reason.as_deref(), Some("interrupted by carol, and exited with status 0"));
}

#[test]
fn a_question_that_survives_a_signal_is_asked_again_two_seconds_later_under_the_next_number() {
    let spool = HostileSpool::new();
    let id = spool.python(
        "signal.signal(signal.SIGINT, lambda *_: put('no\\n'))\nput(question('sure?') + '\\n')\nput('got:' + answer())",
    );
    spool.wait_prompt(id, 1);
    spool.signal(id, "carol", JobSignal::Interrupt);
    let again = spool.wait_prompt(id, 2).interaction.unwrap();
    assert_eq!(again.prompt, "sure?");
    let time = |wanted: &dyn Fn(&RecordKind) -> bool| {
        let record: Record = spool.log(id).into_iter().find(|record| wanted(&record.kind)).unwrap();
        record.time.as_milliseconds()
    };
    let interrupted = time(&|kind| matches!(kind, RecordKind::Signal { .. }));
    let asked = time(&|kind| matches!(kind, RecordKind::Interaction { id: 2, .. }));
    assert!(asked - interrupted >= 1990, "{} ms", asked - interrupted);
    spool.answer(id, 1, "bob", "y");
    assert_refused(&spool, id, "bob", 1, "prompt 1 is closed");
    spool.answer(id, 2, "carol", "y");
    spool.wait_final(id);
    assert_eq!(spool.lines(id), ["sure? [y/n]: ", "no", "sure? [y/n]: ", "got:y"]);
}

#[test]
fn an_answer_that_does_not_fit_is_refused_and_the_prompt_stays_open() {
    let spool = HostileSpool::new();
    let own = uzers::get_user_by_uid(rustix::process::getuid().as_raw()).unwrap();
    let own = own.name().to_str().unwrap();
    let id = spool.shell("ask one; ask two");
    spool.wait_prompt(id, 1);
    let long = answer_text("bob", &"x".repeat(4001));
    let padded = answer_text("bob", "y") + &" ".repeat(1 << 16);
    let cases: [(&str, &str, &str); 14] = [
        (&answer_text("bob", "y\nn"), "bob", "control characters"),
        (&answer_text("bob", "y\n"), "bob", "control characters"),
        (&answer_text("bob", "y\0"), "bob", "control characters"),
        (&answer_text("bob", "\u{9b}"), "bob", "control characters"),
        (&answer_text("bob", "maybe"), "bob", "“maybe” is not a choice; answer one of: y, n"),
        (&answer_text("bob", "Yes"), "bob", "not a choice"),
        (&answer_text("bob", ""), "bob", "no default"),
        (&long, "bob", "4000 bytes"),
        (&answer_text("a\nb", "y"), own, "control characters"),
        ("{", own, "it is not valid"),
        (r#"["bob","y"]"#, own, "not a JSON object"),
        (r#"{"user":"bob","response":"y","interaction":1}"#, own, "unknown field"),
        (r#"{"user":"bob","response":1}"#, own, "invalid type"),
        (&padded, own, "more than 65536 bytes"),
    ];
    for (text, user, reason) in cases {
        spool.drop_file(&format!("inbox/{id}.response.1.json"), text);
        assert_refused(&spool, id, user, 1, reason);
        assert_open(&spool, id, 1);
    }
    assert_eq!(spool.answer(id, 9, "bob", "y"), Answered::First);
    assert_refused(&spool, id, "bob", 9, "prompt 9 has not been asked yet");
    spool.answer(id, 1, "alice", "y");
    spool.wait_prompt(id, 2);
    spool.answer(id, 2, "alice", "n");
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert_eq!(spool.lines(id), ["one [y/n]: ", "got:y", "two [y/n]: ", "got:n"]);
}

#[test]
fn an_answer_that_is_no_proper_file_is_refused_in_the_name_of_its_owner() {
    let spool = HostileSpool::new();
    let own = uzers::get_user_by_uid(rustix::process::getuid().as_raw()).unwrap();
    let own = own.name().to_str().unwrap();
    let id = spool.shell("ask one");
    spool.wait_prompt(id, 1);
    let path = spool.root().join(format!("inbox/{id}.response.1.json"));
    let real = spool.path().join("real");
    fs::write(&real, answer_text("bob", "y")).unwrap();
    symlink(&real, &path).unwrap();
    assert_refused(&spool, id, own, 1, "it is a symbolic link");
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o640.into(), 0).unwrap();
    assert_refused(&spool, id, own, 1, "it is not a regular file");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o660)).unwrap();
    fs::rename(&real, &path).unwrap();
    assert_refused(&spool, id, own, 1, "it can be written by group or others");
    assert_open(&spool, id, 1);
    spool.answer(id, 1, "alice", "y");
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
}

#[test]
fn a_late_letter_whose_writer_is_not_done_with_it_is_not_swallowed() {
    let spool = HostileSpool::with_configuration("rescan = \"1s\"\n");
    let id = spool.shell("show go; gate end");
    spool.wait_prompt(id, 1);
    // As `ln staged inbox/…; rm staged` publishes it, from a folder of the writer's own.
    let staged = spool.path().join("staged");
    fs::write(&staged, answer_text("bob", "y")).unwrap();
    fs::set_permissions(&staged, fs::Permissions::from_mode(0o640)).unwrap();
    fs::hard_link(&staged, spool.root().join(format!("inbox/{id}.response.1.json"))).unwrap();
    spool.open_gate("end");
    spool.wait_final(id);
    fs::remove_file(&staged).unwrap();
    assert_refused(&spool, id, "bob", 1, "the job had ended");
}

#[test]
fn any_line_answers_an_input_line_also_an_empty_one() {
    let spool = HostileSpool::new();
    let id = spool.python(
        "for n in range(3):\n  put(message('interaction', subtype='input_line', prompt='Name') + '\\n')\n  \
         put('got:' + answer() + '.\\n')",
    );
    let long = "é".repeat(2000);
    for (number, response) in [(1, ""), (2, long.as_str()), (3, " {\"x\": [y] } $(rm) ")] {
        spool.wait_prompt(id, number);
        spool.drop_file(&format!("inbox/{id}.response.{number}.json"), answer_text("bob", "two\nlines"));
        assert_refused(&spool, id, "bob", number, "control characters");
        spool.answer(id, number, "alice", response);
        spool.wait_line(id, &format!("got:{response}."));
    }
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
}

#[test]
fn an_answer_that_was_there_before_its_prompt_is_not_meant_for_it() {
    let spool = HostileSpool::new();
    fs::write(spool.root().join("paused"), "").unwrap();
    let id = spool.shell("gate ask; ask one");
    spool.answer(id, 1, "alice", "y");
    fs::remove_file(spool.root().join("paused")).unwrap();
    assert_refused(&spool, id, "alice", 1, "prompt 1 has not been asked yet");
    spool.open_gate("ask");
    spool.wait_prompt(id, 1);
    spool.answer(id, 1, "bob", "n");
    spool.wait_final(id);
    assert_eq!(spool.lines(id).last().unwrap(), "got:n");
}

#[test]
fn an_empty_answer_takes_the_default() {
    let spool = HostileSpool::new();
    let id = spool.python(
        "put(message('interaction', subtype='choices', prompt='On?', choices={'Continue': 'c', 'Roll back': 'r'}, \
         default='r') + '\\n')\nput('got:' + answer() + '\\n')",
    );
    let open = spool.wait_prompt(id, 1).interaction.unwrap();
    assert_eq!(open.default.as_deref(), Some("r"));
    spool.answer(id, 1, "alice", "");
    spool.wait_final(id);
    assert_eq!(spool.lines(id).last().unwrap(), "got:");
}

#[test]
fn a_job_that_closed_its_input_cannot_be_answered_and_nothing_else_suffers() {
    let spool = HostileSpool::new();
    let id = spool.shell("exec <&-; show go; gate end; echo still there");
    spool.wait_prompt(id, 1);
    spool.answer(id, 1, "alice", "y");
    assert_refused(&spool, id, "alice", 1, "the job has closed its standard input");
    assert_open(&spool, id, 1);
    spool.wait_final(spool.shell_as("parallel", "echo beside"));
    spool.open_gate("end");
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    assert_eq!(spool.lines(id).last().unwrap(), "still there");
}

#[test]
fn an_answer_to_a_job_that_died_at_its_prompt_is_refused() {
    let spool = HostileSpool::new();
    let id = spool.shell("show go; gate die; kill -9 $$");
    spool.wait_prompt(id, 1);
    spool.open_gate("die");
    let status = spool.wait_final(id);
    assert_eq!((status.state, status.signal, status.interaction), (State::Failed, Some(9), None));
    spool.answer(id, 1, "alice", "y");
    assert_refused(&spool, id, "alice", 1, "the job had ended");
    assert!(!spool.log(id).iter().any(|record| matches!(record.kind, RecordKind::Response { .. })));
    assert_eq!(spool.history_lines(id), 1);
}

#[test]
fn a_question_that_nobody_could_answer_is_not_asked_and_people_are_told() {
    let spool = HostileSpool::new();
    let ask = "def ask(code):\n  put(message('interaction', subtype='choices', prompt='On?', choices={'Odd': code}, \
               default='d') + '\\n')\n";
    let codes = [("'a\\tb'", "a control character"), ("'x' * 4001", "4001 bytes"), ("''", "is empty")];
    for (code, problem) in codes {
        let id =
            spool.python(&format!("{ask}ask({code})\ngate('{problem}')\nask('y')\nput('got:' + answer() + '\\n')"));
        spool.wait_note(id, "Message ignored, the code of the choice “Odd” ");
        let status = spool.wait_status(id, "people are told", |status| status.warning.is_some());
        assert_eq!((status.state, status.interaction), (State::Running, None));
        let warning = status.warning.unwrap();
        assert!(warning.starts_with("The job has asked something that cannot be shown") && warning.contains(problem));
        spool.open_gate(problem);
        assert_eq!(spool.wait_prompt(id, 1).warning, None, "it asks something else");
        spool.answer(id, 1, "alice", "y");
        assert_eq!(spool.wait_final(id).state, State::Succeeded);
    }
}

#[test]
fn a_question_that_another_process_tore_apart_is_told_of() {
    let spool = HostileSpool::new();
    let question = r"text = message('interaction', subtype='choices', prompt='Deploy now?', choices={'Yes': 'y'})
put(text[:PLACE])
put('somebody else\n')
put(text[PLACE:] + '\n')
gate('end')";
    // In the prompt, in the first member and before the key.
    for place in ["60", "4", "len(text) - 80"] {
        let id = spool.python(&question.replace("PLACE", place));
        spool.wait_note(id, "a question was torn by another process writing at the same time");
        let status = spool.wait_status(id, "people are told", |status| status.warning.is_some());
        let warning = status.warning.unwrap();
        assert!(warning.ends_with("for ever: it was torn by another process writing at the same time"), "{warning}");
        spool.signal(id, "carol", JobSignal::Kill);
        assert_eq!(spool.wait_final(id).warning, None);
    }
    // Any other message is noted only.
    let id =
        spool.python("text = message('status', status='x' * 99)\nput(text[:50] + 'somebody\\n' + text[50:] + '\\n')");
    assert_eq!(spool.wait_final(id).state, State::Succeeded);
    let notes = spool.notes(id);
    assert!(notes.len() == 1 && notes[0].starts_with("a message was torn by another process"), "{notes:?}");
}
