use std::path::Path;

use super::*;
use crate::config::Config;
use crate::runner::outcome::End;
use crate::spool::Time;
use crate::spool::outcome::{Outcome, OutcomeRule};
use crate::spool::status::{InteractionKind, Status};

const YES_NO: &[(&str, &str)] = &[("Yes", "y"), ("No", "n")];
const TABLE: &str = "The following changes are scheduled for backport:\n┌───┐\n│ 7 │\n└───┘\nBackport the changes?";
const PAUSE: &str = "Changes synced to the testservers (see https://wikitech.wikimedia.org/wiki/Mwdebug)\n\
                     Before continuing, please do any necessary checks if you haven't already.\n\n\
                     Continue with deployment?";
const PAUSE_CHOICES: &[(&str, &str)] =
    &[("Yes, continue with deployment", "y"), ("No, roll back deployment and terminate", "n")];
const K8S: &str = "K8s deployment to stage canaries failed.\n\nWhat do you want to do?";
const K8S_CHOICES: &[(&str, &str)] = &[("Retry deployment", "r"), ("Roll back all stages and terminate", "b")];
const CHECKS: &str = "Canary checks failed.\n\nWhat do you want to do?";
const CHECKS_CHOICES: &[(&str, &str)] = &[
    ("Retry canary checks", "r"),
    ("Ignore failure and continue deployment", "i"),
    ("Roll back all stages and terminate", "b"),
    ("Exit without rollback", "x"),
];
const WAY_BACK: &str = "Rollback deployment for stage canaries failed.\n\nWhat do you want to do?";
const WAY_BACK_CHOICES: &[(&str, &str)] = &[("Retry rollback deployment", "r"), ("Cancel and seek help", "c")];

/// What happens in a job, in short.
enum Act {
    Says(&'static str),
    /// A prompt with its choices, of which the last is the default; then who answers what.
    Asks(&'static str, &'static [(&'static str, &'static str)], &'static str, &'static str),
    Signal(&'static str, &'static str),
    Late,
    /// The last stop reached nobody, or not all.
    Refused(Cause),
    NotStarted(&'static str),
    Exits(i32),
    Dies(i32),
}
use Act::{Asks, Dies, Exits, Late, NotStarted, Refused, Says, Signal};

/// The outcome rules of a job type, as the configuration has them.
fn rules(of: &str) -> Vec<OutcomeRule> {
    let text = format!("[job_types.it]\n{of}\n");
    Config::parse(Path::new("test"), &text).unwrap().job_types["it"].outcomes.clone()
}

fn scap() -> Vec<OutcomeRule> {
    rules("command = ['/usr/bin/scap', 'backport']")
}

fn account(rules: &[OutcomeRule], acts: &[Act]) -> Account {
    let mut account = Account::new(&Plan { outcomes: rules.to_vec(), ..plan() });
    let mut prompts = 0;
    for act in acts {
        match *act {
            Says(status) => account.meet(&RecordKind::Status { status: Some(status.into()) }),
            Asks(prompt, choices, user, response) => {
                prompts += 1;
                account.meet(&RecordKind::Interaction {
                    sensitive: false,
                    id: prompts,
                    kind: InteractionKind::Choices,
                    prompt: prompt.into(),
                    choices: choices.iter().map(|(label, code)| ((*label).into(), (*code).into())).collect(),
                    default: choices.last().map(|(_, code)| (*code).into()),
                });
                let (user, response) = (user.into(), response.into());
                account.meet(&RecordKind::Response { user, response, interaction: prompts });
            }
            Signal(user, signal) => account.meet(&RecordKind::Signal { user: user.into(), signal: signal.into() }),
            Late => account.meet(&RecordKind::Note { note: "late".into(), cause: Some(Cause::TimeLimit) }),
            Refused(cause) => account.meet(&RecordKind::Note { note: "refused".into(), cause: Some(cause) }),
            NotStarted(why) => {
                account.meet(&RecordKind::Note { note: why.into(), cause: Some(Cause::NotStarted) });
                account.meet(&RecordKind::Exit(Exit { status: None, signal: None }));
            }
            Exits(code) => account.meet(&RecordKind::Exit(Exit { status: Some(code), signal: None })),
            Dies(signal) => account.meet(&RecordKind::Exit(Exit { status: None, signal: Some(signal) })),
        }
        account.meet(&RecordKind::Status { status: None });
    }
    account
}

/// A plan as earlier versions wrote it, with no word of outcomes.
fn plan() -> Plan {
    serde_json::from_str(
        r#"{"version":1,"id":7,"user":"alice","arguments":["it"],"environment":{},"marker":"m","working_directory":"/",
        "umask":18,"time_limit_ms":7200000,"stop_grace_ms":1,"max_log":1,"stop_leftovers":true,"lane":"default","slot":1,
        "trusted_submitters":[],"shown_params":{},"watch":true,"rescan_ms":1}"#,
    )
    .unwrap()
}

fn status(end: End) -> Status {
    let mut status = Status::starting(&plan(), "it", vec![], Time::from_milliseconds(0));
    end.put_into(&mut status, Path::new("/nonexistent"));
    status
}

/// `outcome | by | phase | reason`.
fn end(rules: &[OutcomeRule], acts: &[Act]) -> String {
    let id = JobId::try_from(7_u64).unwrap();
    let end = account(rules, acts).end(id).unwrap();
    let status = status(end);
    let text = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let outcome = status.outcome.map_or("-", Outcome::word);
    format!("{outcome} | {} | {} | {}", text(status.outcome_by), text(status.phase), text(status.reason))
}

#[test]
fn ends_without_rules() {
    for (acts, expected) in [
        (&[Exits(0)][..], "succeeded | - | - | -"),
        (&[Exits(3)], "failed | - | - | failed: exited with status 3"),
        (&[Says("One"), Says("Two"), Exits(1)], "failed | - | Two | failed in the phase “Two”: exited with status 1"),
        (&[Says("One"), Exits(0)], "succeeded | - | - | -"),
        (
            &[Says("One"), Signal("bob", "interrupt"), Exits(0)],
            "stopped | bob | One | interrupted by bob, and exited with status 0",
        ),
        (&[Late, Exits(0)], "timed_out | - | - | stopped at the time limit of 2h, and exited with status 0"),
        (&[Signal("bob", "interrupt"), Signal("eve", "kill"), Dies(9)], "stopped | eve | - | killed by eve"),
        (
            &[Signal("bob", "interrupt"), Asks("Sure?", YES_NO, "eve", "y"), Exits(0)],
            "stopped | bob | - | interrupted by bob, and exited with status 0",
        ),
        (&[Dies(9)], "killed | - | - | killed by signal 9 (SIGKILL); nobody sent it through SpiderPig"),
        (
            &[Says("One"), Dies(11)],
            "killed | - | One | killed by signal 11 (SIGSEGV) in the phase “One”; nobody sent it through SpiderPig",
        ),
        (&[Says("One"), Late, Dies(2)], "timed_out | - | One | stopped at the time limit of 2h"),
        (&[Late, Signal("bob", "kill"), Dies(9)], "timed_out | - | - | stopped at the time limit of 2h"),
        (&[Signal("bob", "interrupt"), Late, Dies(9)], "stopped | bob | - | interrupted by bob"),
        (
            &[Signal("bob", "interrupt"), Asks("Go on?", YES_NO, "eve", "y"), Late, Exits(1)],
            "timed_out | - | - | stopped at the time limit of 2h",
        ),
        (&[Signal("bob", "interrupt"), Refused(Cause::StopRefused), Exits(0)], "succeeded | - | - | -"),
        (
            &[Signal("bob", "kill"), Refused(Cause::StopPartlyRefused), Exits(0)],
            "stopped | bob | - | killed by bob, which did not reach all processes, and exited with status 0",
        ),
        (
            &[Signal("bob", "interrupt"), Signal("eve", "kill"), Refused(Cause::StopRefused), Exits(1)],
            "stopped | bob | - | interrupted by bob",
        ),
        (&[Late, Refused(Cause::StopRefused), Exits(3)], "failed | - | - | failed: exited with status 3"),
        (&[Late, Refused(Cause::StopRefused), Late, Dies(9)], "timed_out | - | - | stopped at the time limit of 2h"),
        (&[Late, Late, Refused(Cause::StopRefused), Dies(2)], "timed_out | - | - | stopped at the time limit of 2h"),
        (
            &[Late, Refused(Cause::StopPartlyRefused), Exits(0)],
            "timed_out | - | - | stopped at the time limit of 2h, which did not reach all processes, and exited with \
             status 0",
        ),
        (&[NotStarted("could not be executed: no")], "not_started | - | - | could not be executed: no"),
        (&[Asks("Sure?", YES_NO, "bob", "n"), Exits(0)], "succeeded | - | - | -"),
    ] {
        assert_eq!(end(&[], acts), expected);
    }
    assert_eq!(account(&[], &[Says("One"), Signal("bob", "kill")]).end(JobId::LAST), None, "it has not ended");
}

#[test]
fn what_scap_asks_tells_how_it_ended() {
    let rules = scap();
    let by = |what: &str, prompt: &str| format!("{what} by bob at the prompt “{prompt}”");
    let cancelled = |prompt: &str| format!("cancelled_at_prompt | bob | - | {}", by("cancelled", prompt));
    let rolled_back = |prompt: &str| format!("rolled_back | bob | - | {}", by("rolled back", prompt));
    let no = |prompt| Asks(prompt, YES_NO, "bob", "n");
    for (acts, expected) in [
        (&[Asks(TABLE, YES_NO, "eve", "y"), Exits(0)][..], "succeeded | - | - | -".to_owned()),
        (&[no(TABLE), Says("Backport cancelled"), Exits(0)], cancelled("Backport the changes?")),
        // An empty answer is the default.
        (&[Asks(TABLE, YES_NO, "bob", ""), Exits(0)], cancelled("Backport the changes?")),
        (&[no("Change 1 is large.\nContinue with revert anyway?"), Exits(0)], cancelled("Continue with revert anyway?")),
        (
            &[no("There were unexpected commits.\nContinue with deployment (all patches will be deployed)?"), Exits(0)],
            cancelled("Continue with deployment (all patches will be deployed)?"),
        ),
        (&[no("WARNING:\n\nsomething\n\nContinue?"), Exits(70)], cancelled("WARNING…")),
        (&[no("Promote group0 from 1.44.0-wmf.1 to 1.44.0-wmf.2"), Exits(70)], cancelled("Promote group0 from 1.44.0-wmf.1 to 1.44.0-wmf.2")),
        (
            &[Asks("What station do you want the train to be at?", &[("group0", "1"), ("Cancel", "c")], "bob", "c"), Exits(0)],
            cancelled("What station do you want the train to be at?"),
        ),
        (&[no("Promote group0 to 1.44.0-wmf.2?"), Exits(1)], cancelled("Promote group0 to 1.44.0-wmf.2?")),
        // Of scap before it could roll back.
        (&[no("Changes synced to the testservers. (see there)\nContinue with sync?"), Exits(0)], cancelled("Continue with sync?")),
        // After this question it goes on in any case.
        (&[no("There were unexpected commits.\nWould you like to see the diff?"), Exits(0)], "succeeded | - | - | -".to_owned()),
        (
            &[Asks(TABLE, YES_NO, "eve", "y"), Asks(PAUSE, PAUSE_CHOICES, "bob", "n"), Says("Rolling back"), Exits(1)],
            rolled_back("Changes synced to the testservers…"),
        ),
        (&[Asks(PAUSE, PAUSE_CHOICES, "bob", "y"), Exits(0)], "succeeded | - | - | -".to_owned()),
        (
            &[Asks("Changes synced to the testservers.\n\nGo on?", &[("Continue", "c"), ("Roll back", "r")], "bob", "r"), Exits(1)],
            rolled_back("Changes synced to the testservers…"),
        ),
        (
            &[Asks(CHECKS, CHECKS_CHOICES, "eve", "r"), Asks(CHECKS, CHECKS_CHOICES, "bob", "b"), Exits(1)],
            rolled_back("Canary checks failed…"),
        ),
        (&[Asks("Rollback all deployed groups?", YES_NO, "bob", "y"), Exits(1)], rolled_back("Rollback all deployed groups?")),
        // The first groups have the new version, and keep it.
        (
            &[no("Continue?"), Asks("Rollback all deployed groups?", YES_NO, "bob", "n"), Exits(1)],
            "failed | bob | - | failed after bob answered “No” to “Rollback all deployed groups?”: exited with status 1"
                .to_owned(),
        ),
        (
            &[Says("Sync"), Asks(CHECKS, CHECKS_CHOICES, "bob", "x"), Exits(1)],
            "failed | - | Sync | failed in the phase “Sync”: exited with status 1".to_owned(),
        ),
        (
            &[Asks(K8S, K8S_CHOICES, "eve", "b"), Asks(WAY_BACK, WAY_BACK_CHOICES, "bob", "c"), Exits(1)],
            "failed | bob | - | failed after bob answered “Cancel and seek help” to “Rollback deployment for stage canaries failed…”: exited with status 1".to_owned(),
        ),
        (
            &[Asks(K8S, K8S_CHOICES, "bob", "b"), Asks(WAY_BACK, WAY_BACK_CHOICES, "eve", "r"), Exits(1)],
            rolled_back("K8s deployment to stage canaries failed…"),
        ),
        // The interrupt made it ask, and the answer is the later word.
        (
            &[Signal("eve", "interrupt"), Asks(K8S, K8S_CHOICES, "bob", "b"), Exits(1)],
            rolled_back("K8s deployment to stage canaries failed…"),
        ),
        (&[Signal("eve", "interrupt"), Asks(K8S, K8S_CHOICES, "bob", "r"), Exits(0)], "succeeded | - | - | -".to_owned()),
        (
            &[Asks(K8S, K8S_CHOICES, "bob", "b"), Signal("eve", "interrupt"), Exits(130)],
            "stopped | eve | - | interrupted by eve".to_owned(),
        ),
        (
            &[Asks(K8S, K8S_CHOICES, "bob", "b"), Dies(9)],
            "killed | - | - | killed by signal 9 (SIGKILL); nobody sent it through SpiderPig".to_owned(),
        ),
    ] {
        assert_eq!(end(&rules, acts), expected);
    }
}

#[test]
fn all_that_a_rule_names_must_be_so_and_the_first_rule_counts() {
    let rules = rules(
        r#"command = ["deploy"]
        outcomes = [
            { outcome = "failed", status = "^Partly", exit = [0, 2] },
            { outcome = "cancelled_at_prompt", prompt = '^Reason', answer = "never mind" },
            { outcome = "rolled_back", answer = "undo", exit = 4 },
            { outcome = "rolled_back", status = "undone" },
            { outcome = "succeeded", exit = 2 },
        ]"#,
    );
    let reason = |answer| Asks("Reason?", &[], "bob", answer);
    for (acts, expected) in [
        (
            &[Says("Partly done"), Says("Bye"), Exits(0)][..],
            "failed | - | Bye | failed in the phase “Bye”: exited with status 0",
        ),
        (&[Says("Not Partly done"), Exits(2)], "succeeded | - | - | succeeded: exited with status 2"),
        (&[reason("never mind"), Exits(1)], "cancelled_at_prompt | bob | - | cancelled by bob at the prompt “Reason?”"),
        (&[reason("never mind that"), Exits(1)], "failed | - | - | failed: exited with status 1"),
        (&[Asks("Why?", &[], "bob", "never mind"), Exits(0)], "succeeded | - | - | -"),
        (
            &[Asks("Why?", &[], "bob", "undo"), Exits(4)],
            "rolled_back | bob | - | rolled back by bob at the prompt “Why?”",
        ),
        (&[Asks("Why?", &[], "bob", "undo"), Exits(5)], "failed | - | - | failed: exited with status 5"),
        (&[Says("all is undone"), Exits(0)], "rolled_back | - | - | rolled back"),
    ] {
        assert_eq!(end(&rules, acts), expected);
    }
}

#[test]
fn the_state_and_the_last_status_text_are_those_of_the_command() {
    let id = JobId::try_from(7_u64).unwrap();
    let told = |end: End| {
        let status = status(end);
        let message = status.message.clone().unwrap();
        format!("{} | {message} | {:?} {:?}", status.state.word(), status.exit_status, status.signal)
    };
    let of = |acts| told(account(&scap(), acts).end(id).unwrap());
    assert_eq!(of(&[Exits(0)]), "succeeded | Job 7 finished normally | Some(0) None");
    assert_eq!(of(&[Asks(TABLE, YES_NO, "bob", "n"), Exits(0)]), "succeeded | Job 7 finished normally | Some(0) None");
    assert_eq!(of(&[Exits(4)]), "failed | Job 7 finished with status 4 | Some(4) None");
    assert_eq!(of(&[Signal("bob", "kill"), Dies(9)]), "failed | Job 7 terminated by signal 9 | None Some(9)");
    assert_eq!(of(&[NotStarted("no such program")]), "failed | Job 7 failed: no such program | None None");
    assert_eq!(
        told(End::cancelled(id, "bob")),
        "cancelled | Job 7 cancelled: cancelled by bob before it started | None None"
    );
    assert_eq!(told(End::lost(id, Some("One"), "nothing was left")), "lost | Job 7 was lost | None None");
}
