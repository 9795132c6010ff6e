use std::io::{BufRead as _, BufReader};

use super::*;
use crate::protocol::{PromptKind, encode};

struct Bench {
    helpers: Helpers,
    address: SocketAddr,
    key: IoKey,
}

impl Bench {
    fn new() -> Self {
        let key = IoKey::generate().unwrap();
        let (helpers, name) = Helpers::listen(&key).unwrap();
        Self { helpers, address: SocketAddr::from_abstract_name(name).unwrap(), key }
    }

    fn connect(&self) -> UnixStream {
        UnixStream::connect_addr(&self.address).unwrap()
    }

    fn question(&self, text: &str) -> String {
        let prompt = Prompt { prompt: text.to_owned(), sensitive: false, kind: PromptKind::InputLine };
        format!("{}\n{}", self.key.as_str(), encode::interaction(&self.key, &prompt))
    }

    fn ask(&self, text: &str) -> UnixStream {
        let mut stream = self.connect();
        stream.write_all(self.question(text).as_bytes()).unwrap();
        stream
    }

    /// What is heard at once, in words.
    fn hear(&mut self) -> Vec<String> {
        self.hear_at(Instant::now())
    }

    fn hear_at(&mut self, now: Instant) -> Vec<String> {
        let word = |heard| match heard {
            Heard::Question(id, prompt) => format!("{id}: {}", prompt.prompt),
            Heard::Note(note) => note,
            Heard::Gone(id) => format!("{id} has gone"),
        };
        self.helpers.hear(now).into_iter().map(word).collect()
    }
}

fn reply(stream: &UnixStream) -> Option<Reply> {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str(&line).ok()
}

#[test]
fn each_helper_gets_its_own_answer_and_no_other() {
    let mut bench = Bench::new();
    let (first, second) = (bench.ask("one?"), bench.ask("two?"));
    assert_eq!(bench.hear(), ["1: one?", "2: two?"]);
    bench.helpers.answer(2, "b\"").unwrap();
    assert_eq!(reply(&second), Some(Reply::Answer("b\"".into())));
    drop(second);
    bench.helpers.answer(1, "").unwrap();
    assert_eq!(reply(&first), Some(Reply::Answer(String::new())));
    assert_eq!(bench.helpers.answer(1, "again").unwrap_err(), "the helper that asked has ended");
    assert!(bench.hear().is_empty());
    assert!(bench.helpers.connections.is_empty());
}

#[test]
fn a_helper_that_ends_is_told_of_and_cannot_be_answered() {
    let mut bench = Bench::new();
    drop(bench.ask("in vain?"));
    assert_eq!(bench.hear(), ["1: in vain?", "1 has gone"]);
    let stream = bench.ask("who?");
    assert_eq!(bench.hear(), ["2: who?"]);
    drop(stream);
    assert_eq!(bench.helpers.answer(2, "y").unwrap_err(), "the helper that asked has ended");
    assert_eq!(bench.hear(), ["2 has gone"], "an answer that came too late hides no end");
}

#[test]
fn a_question_may_come_in_any_portions() {
    let mut bench = Bench::new();
    let text = bench.question(&"é".repeat(5000));
    let mut stream = bench.connect();
    for portion in text.as_bytes().chunks(900) {
        assert!(bench.hear().is_empty());
        stream.write_all(portion).unwrap();
    }
    assert!(bench.hear()[0].starts_with("1: éé"));
}

#[test]
fn a_wrong_key_opens_nothing() {
    let mut bench = Bench::new();
    let right = bench.question("?");
    let other = IoKey::generate().unwrap();
    let wrong = right.replace(bench.key.as_str(), other.as_str());
    for text in [wrong.as_str(), "\n\n", &"x".repeat(4096), &right[1..], &right[..30]] {
        let mut stream = bench.connect();
        // It may be closed before all is sent.
        let _ = stream.write_all(text.as_bytes());
        assert!(bench.hear().is_empty(), "{text}");
    }
    assert_eq!(bench.helpers.connections.len(), 1, "one has shown the beginning of a key");
}

#[test]
fn what_is_no_question_is_refused_with_the_reason() {
    let mut bench = Bench::new();
    let status = encode::status(&bench.key, Some("busy"));
    let choices = [("Tab".to_owned(), "\t".to_owned())].into_iter().collect();
    let tab = Prompt { prompt: "?".to_owned(), sensitive: false, kind: PromptKind::Choices { choices, default: None } };
    let cases = [
        (status.clone(), "it is no question"),
        ("{}\n".to_owned(), "it is no question"),
        (status.replace("status\":", "type\":"), "it is no question"),
        (encode::interaction(&bench.key, &tab), "the code of the choice “Tab” has a control character"),
        ("x".repeat(2 * LONGEST_QUESTION), "the question is too long"),
    ];
    for (text, reason) in cases {
        let mut stream = bench.connect();
        stream.set_nonblocking(true).unwrap();
        let text = format!("{}\n{text}", bench.key.as_str());
        let mut rest = text.as_bytes();
        while let Ok(length) = stream.write(rest)
            && length > 0
        {
            rest = &rest[length..];
            assert!(bench.hear().is_empty());
        }
        assert!(bench.hear().is_empty() && bench.helpers.connections.is_empty());
        // Who is closed before all of it was read may see only that.
        let mut told = String::new();
        if BufReader::new(&stream).read_line(&mut told).is_ok() {
            assert!(told.contains(reason), "{told}");
        }
    }
}

#[test]
fn strangers_keep_no_helper_out_and_go_after_a_while() {
    let mut bench = Bench::new();
    let strangers: Vec<_> = (0..4 * STRANGERS).map(|_| bench.connect()).collect();
    let _helper = bench.ask("who?");
    let mut heard = Vec::new();
    while heard.is_empty() {
        heard = bench.hear();
    }
    assert_eq!(heard, [format!("{}: who?", 4 * STRANGERS + 1)]);
    assert_eq!(bench.helpers.connections.len(), STRANGERS + 1);
    let later = bench.helpers.deadline().unwrap() + PATIENCE;
    assert!(bench.hear_at(later).is_empty());
    assert_eq!((bench.helpers.connections.len(), bench.helpers.deadline()), (1, None));
    drop(strangers);
}

#[test]
fn more_helpers_than_there_is_room_for_wait_for_their_turn() {
    let mut bench = Bench::new();
    let streams: Vec<_> = (0..HELPERS + 5).map(|number| bench.ask(&number.to_string())).collect();
    let mut heard = Vec::new();
    for _ in 0..=HELPERS {
        heard.extend(bench.hear());
    }
    assert_eq!(heard.len(), HELPERS);
    assert_eq!(bench.helpers.polled().count(), HELPERS, "no other is taken");
    for (id, stream) in (1..).zip(&streams) {
        bench.helpers.answer(id, "y").unwrap();
        assert_eq!(reply(stream), Some(Reply::Answer("y".into())));
        heard.extend(bench.hear());
    }
    assert_eq!(heard.len(), HELPERS + 5);
}

#[test]
fn when_the_job_has_ended_nobody_waits() {
    let mut bench = Bench::new();
    let stream = bench.ask("who?");
    bench.hear();
    bench.helpers.close();
    assert_eq!(reply(&stream), None);
    assert!(UnixStream::connect_addr(&bench.address).is_err());
}
