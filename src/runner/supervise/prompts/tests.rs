use proptest::prelude::*;

use super::*;

fn question(asker: Asker, text: &str) -> Question {
    Question { asker, prompt: Prompt { prompt: text.into(), sensitive: false, kind: PromptKind::InputLine } }
}

fn job(text: &str) -> Question {
    question(Asker::Job, text)
}

fn helper(helper: HelperId) -> Question {
    question(Asker::Helper(helper), &format!("helper {helper}"))
}

/// Opens what can be opened: its number and text.
fn open(prompts: &mut Prompts) -> Option<(u32, String)> {
    prompts.open_next().map(|interaction| (interaction.id, interaction.prompt))
}

fn opened(number: u32, text: &str) -> (u32, String) {
    (number, text.to_owned())
}

#[test]
fn only_the_open_prompt_can_be_answered() {
    let mut prompts = Prompts::default();
    assert_eq!(prompts.expect(1).unwrap_err(), "prompt 1 has not been asked yet");
    assert_eq!(prompts.ask(job("Name?")), None);
    assert_eq!(open(&mut prompts), Some(opened(1, "Name?")));
    assert_eq!(prompts.expect(1).unwrap().asker, Asker::Job);
    assert_eq!(prompts.expect(2).unwrap_err(), "prompt 2 has not been asked yet");
    prompts.deliver();
    assert_eq!(prompts.expect(1).unwrap_err(), "prompt 1 is closed");
    assert!(prompts.is_delivered(1));
    prompts.ask(job("Name?"));
    assert_eq!(open(&mut prompts), Some(opened(2, "Name?")));
    assert_eq!(prompts.expect(1).unwrap_err(), "prompt 1 is closed");
}

#[test]
fn questions_of_helpers_wait_for_each_other() {
    let mut prompts = Prompts::default();
    for number in 1..=3 {
        prompts.ask(helper(number));
    }
    assert_eq!(open(&mut prompts), Some(opened(1, "helper 1")));
    assert_eq!(open(&mut prompts), None, "the first is open");
    prompts.deliver();
    assert_eq!(open(&mut prompts), Some(opened(2, "helper 2")));
    assert_eq!(prompts.withdraw(3), None, "it has not been seen");
    assert_eq!(prompts.withdraw(2), Some(2));
    assert_eq!(prompts.expect(2).unwrap_err(), "prompt 2 is closed: the helper that asked has ended");
    assert_eq!((open(&mut prompts), prompts.withdraw(2)), (None, None));
}

#[test]
fn the_next_question_of_the_job_itself_replaces_the_one_before() {
    let mut prompts = Prompts::default();
    prompts.ask(job("one"));
    open(&mut prompts);
    assert_eq!(prompts.ask(job("two")), Some(Replaced::Open(1)));
    assert_eq!(open(&mut prompts), Some(opened(2, "two")));
    assert_eq!(prompts.expect(1).unwrap_err(), "prompt 1 is closed: the job has asked something else");
}

#[test]
fn the_questions_of_the_job_and_those_of_helpers_wait_for_each_other() {
    let mut prompts = Prompts::default();
    prompts.ask(job("one"));
    open(&mut prompts);
    prompts.ask(helper(1));
    assert_eq!(open(&mut prompts), None);
    assert_eq!(prompts.ask(job("two")), Some(Replaced::Open(1)));
    assert_eq!(open(&mut prompts), Some(opened(2, "helper 1")));
    let Some(Replaced::Unseen(unseen)) = prompts.ask(job("three")) else { panic!("nobody has seen it") };
    assert_eq!(unseen.prompt, "two");
    prompts.deliver();
    assert_eq!(open(&mut prompts), Some(opened(3, "three")));
}

#[test]
fn a_question_closed_by_a_signal_comes_back_under_the_next_number_unless_another_is_asked() {
    let start = Instant::now();
    let later = start + REOPEN_AFTER;
    let mut prompts = Prompts::default();
    prompts.ask(job("one"));
    open(&mut prompts);
    assert!(prompts.interrupt(start));
    assert!(!prompts.interrupt(start), "nothing was open any more");
    assert_eq!(prompts.deadline(), Some(later));
    prompts.go_on(start);
    assert_eq!(open(&mut prompts), None);
    prompts.go_on(later);
    assert_eq!((open(&mut prompts), prompts.deadline()), (Some(opened(2, "one")), None));
    prompts.interrupt(start);
    assert_eq!(prompts.ask(job("two")), None, "the signal has closed the one before");
    assert_eq!((open(&mut prompts), prompts.deadline()), (Some(opened(3, "two")), None));
    prompts.deliver();
    assert_eq!(open(&mut prompts), None);
}

#[test]
fn after_a_signal_helpers_that_still_wait_are_asked_again_behind_what_is_new() {
    let start = Instant::now();
    let later = start + REOPEN_AFTER;
    let mut prompts = Prompts::default();
    for number in 1..=3 {
        prompts.ask(helper(number));
    }
    open(&mut prompts);
    prompts.interrupt(start);
    prompts.withdraw(1);
    assert_eq!(open(&mut prompts), None, "the others may be about to end as well");
    prompts.go_on(later);
    assert_eq!(open(&mut prompts), Some(opened(2, "helper 2")));
    prompts.interrupt(start);
    prompts.ask(helper(4));
    for (number, helper) in [(3, 4), (4, 2), (5, 3)] {
        assert_eq!(open(&mut prompts), Some(opened(number, &format!("helper {helper}"))));
        prompts.deliver();
    }
    assert_eq!(prompts.deadline(), None);
}

#[test]
fn with_the_job_its_questions_end() {
    let mut prompts = Prompts::default();
    prompts.ask(helper(1));
    open(&mut prompts);
    prompts.ask(job("unseen"));
    assert_eq!(prompts.close().unwrap().prompt, "unseen");
    assert_eq!((prompts.is_open(), prompts.close()), (false, None));
}

#[test]
fn a_job_that_asks_for_ever_fills_no_memory() {
    let mut prompts = Prompts::default();
    for _ in 0..2 * REMEMBERED {
        prompts.ask(job("again"));
        open(&mut prompts);
    }
    assert_eq!(prompts.unanswered.len(), REMEMBERED);
    assert!(prompts.waiting.is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Job,
    Helper(HelperId),
    Gone(HelperId),
    Answer,
    Signal,
    Later,
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..5_u64;
    prop_oneof![
        Just(Step::Job),
        id.clone().prop_map(Step::Helper),
        id.prop_map(Step::Gone),
        Just(Step::Answer),
        Just(Step::Answer),
        Just(Step::Signal),
        Just(Step::Later),
    ]
}

proptest! {
    /// Whatever happens, each answer reaches who asked what was shown, and no helper that waits is forgotten.
    #[test]
    fn an_answer_reaches_who_asked_what_was_seen(steps in proptest::collection::vec(step(), 0..60)) {
        let mut prompts = Prompts::default();
        let mut now = Instant::now();
        let mut waiting: BTreeSet<HelperId> = BTreeSet::new();
        let mut seen: Option<(u32, String)> = None;
        let mut last = 0;
        for step in steps {
            match step {
                Step::Job => drop(prompts.ask(job("the job"))),
                // One connection asks once.
                Step::Helper(id) if waiting.insert(id) => drop(prompts.ask(helper(id))),
                Step::Gone(id) if waiting.remove(&id) => drop(prompts.withdraw(id)),
                Step::Answer => if let Some((number, text)) = &seen
                    && let Ok(question) = prompts.expect(*number)
                {
                    prop_assert_eq!(&question.prompt.prompt, text);
                    if let Asker::Helper(id) = question.asker {
                        prop_assert_eq!(text, &format!("helper {id}"));
                        prop_assert!(waiting.remove(&id));
                    }
                    prompts.deliver();
                },
                Step::Signal => drop(prompts.interrupt(now)),
                Step::Later => {
                    now += REOPEN_AFTER;
                    prompts.go_on(now);
                }
                Step::Helper(_) | Step::Gone(_) => {}
            }
            if let Some((number, text)) = open(&mut prompts) {
                prop_assert_eq!(number, last + 1, "no number is used twice");
                last = number;
                seen = Some((number, text));
            }
            prop_assert!(prompts.next().is_none());
            // What waits is asked as soon as nothing else is and no signal holds it back.
            prop_assert!(prompts.is_open() || prompts.deadline().is_some() || waiting.is_empty());
        }
        prompts.go_on(now + REOPEN_AFTER);
        while !waiting.is_empty() {
            open(&mut prompts);
            if let Asker::Helper(id) = prompts.expect(prompts.last).unwrap().asker {
                prop_assert!(waiting.remove(&id));
            }
            prompts.deliver();
        }
    }
}
