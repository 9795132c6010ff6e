//! Tests of the decoder's rules, one by one.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::decoder::Limits;
use super::recorder::{KEY, Recorder, Seen, decode, line, piece, status};
use super::{Decoder, IoKey, Message, PromptKind, encode};

const MILLISECOND: Duration = Duration::from_millis(1);

fn key() -> IoKey {
    IoKey::from_text(KEY)
}

fn decode_text(text: &str) -> Vec<Seen> {
    decode(Limits::default(), [text.as_bytes()])
}

fn status_message(text: &str) -> String {
    encode::status(&key(), Some(text)).trim_end().to_owned()
}

fn message(mut members: Value) -> String {
    members["iokey"] = KEY.into();
    members.to_string()
}

fn hidden(text: &str) -> Seen {
    piece(text, &["sensitive"])
}

/// A decoder with a clock.
struct Run {
    decoder: Decoder,
    now: Instant,
    recorder: Recorder,
}

impl Run {
    fn new() -> Self {
        Self { decoder: Decoder::new(key()), now: Instant::now(), recorder: Recorder::default() }
    }

    fn feed(&mut self, text: &str) -> Vec<Seen> {
        self.decoder.feed(text.as_bytes(), self.now, &mut self.recorder);
        std::mem::take(&mut self.recorder.seen)
    }

    fn wait(&mut self, milliseconds: u32) -> Vec<Seen> {
        self.now += MILLISECOND * milliseconds;
        self.decoder.wake(self.now, &mut self.recorder);
        std::mem::take(&mut self.recorder.seen)
    }

    /// The milliseconds until the decoder is due to wake.
    fn due(&self) -> Option<u128> {
        self.decoder.deadline().map(|deadline| (deadline - self.now).as_millis())
    }
}

#[test]
fn lines_are_pieces_and_blank_lines_too() {
    assert_eq!(decode_text("one\n\ntwo\r\nthree"), [line("one"), line(""), line("two"), line("three")]);
}

#[test]
fn a_message_as_scap_writes_it() {
    let text = format!("{{\"type\": \"status\", \"status\": \"Syncing\", \"iokey\": \"{KEY}\"}}\n");
    assert_eq!(decode_text(&text), [status("Syncing")]);
}

#[test]
fn text_glued_before_a_message_is_a_line() {
    let text = format!("Doing it...{}\n", status_message("s"));
    assert_eq!(decode_text(&text), [line("Doing it..."), status("s")]);
}

#[test]
fn text_between_and_after_messages_is_lines() {
    let text = format!("a{}b{}c\n", status_message("1"), status_message("2"));
    assert_eq!(decode_text(&text), [line("a"), status("1"), line("b"), status("2"), line("c")]);
}

#[test]
fn two_messages_on_a_line_make_no_empty_lines() {
    let text = format!("{} {}\r\n", status_message("1"), status_message("2"));
    assert_eq!(decode_text(&text), [status("1"), status("2")]);
}

#[test]
fn a_message_without_a_newline_counts_at_the_end_of_the_output() {
    assert_eq!(decode_text(&status_message("last")), [status("last")]);
}

#[test]
fn a_message_inside_other_json_is_found() {
    let text = format!("{{\"a\": {}}}\n", status_message("s"));
    assert_eq!(decode_text(&text), [line("{\"a\": "), status("s"), line("}")]);
}

#[test]
fn at_most_64_candidates_of_a_line_are_looked_at() {
    let found = format!("{}{}\n", "{\"".repeat(63), status_message("s"));
    assert_eq!(decode_text(&found).last(), Some(&status("s")));
    let text = format!("{}{}\n", "{\"".repeat(64), status_message("s"));
    let [Seen::Piece(text, flags)] = &decode_text(&text)[..] else { panic!("one line") };
    assert!(text.contains("[key removed]") && !text.contains(KEY));
    assert_eq!(flags, &["sensitive"]);
}

#[test]
fn a_line_message_is_one_record_whatever_is_in_it() {
    let text = encode::line(&key(), "a\nb\r\u{0}c", false) + &encode::line(&key(), "secret", true);
    assert_eq!(decode_text(&text), [line("a\nb\r\u{0}c"), hidden("secret")]);
}

#[test]
fn a_long_line_message_is_split_between_characters_and_stays_sensitive() {
    let text = "é".repeat(40_000);
    let seen = decode_text(&encode::line(&key(), &text, true));
    let (first, second) = text.split_at(64 << 10);
    assert_eq!(seen, [piece(first, &["sensitive", "continued"]), piece(second, &["sensitive", "continues"])]);
}

#[test]
fn an_object_without_our_key_is_text() {
    for text in [r#"{"type": "status", "status": "x"}"#, r#"{"type": "status", "iokey": "0xother"}"#, r#"{"a": 1"#] {
        assert_eq!(decode_text(&format!("{text}\nafter\n")), [line(text), line("after")]);
    }
}

#[test]
fn pretty_printed_json_is_not_hidden() {
    let text = "{\n  \"type\": \"x\",\n  \"list\": [{\"name\": \"a\",\n  \"b\": {}}]\n}";
    assert_eq!(decode_text(text), text.split('\n').map(line).collect::<Vec<_>>());
}

#[test]
fn the_last_of_two_equal_members_counts() {
    let text = format!("{{\"type\":\"status\",\"status\":\"a\",\"status\":\"b\",\"iokey\":\"{KEY}\"}}\n");
    assert_eq!(decode_text(&text), [status("b")]);
}

#[test]
fn a_line_with_the_key_and_no_message_is_redacted_and_sensitive() {
    let text = format!("SPIDERPIG_IO_KEY={KEY} {{\"a\": 1}}\nafter\n");
    assert_eq!(decode_text(&text), [hidden("SPIDERPIG_IO_KEY=[key removed] {\"a\": 1}"), line("after")]);
}

#[test]
fn the_key_is_removed_from_what_a_message_says() {
    assert_eq!(decode_text(&status_message(&format!("a {KEY}"))), [status("a [key removed]")]);
}

#[test]
fn a_sensitive_message_cut_by_another_process_stays_hidden() {
    let message = encode::line(&key(), "secret one, secret two, secret three", true);
    let (start, rest) = message.split_at(50);
    let (middle, end) = rest.split_at(12);
    let text = format!("{start}other\n{middle}other\n{end}after\n");
    let expected = [hidden(&format!("{start}other")), hidden(&format!("{middle}other"))];
    let seen = decode_text(&text);
    assert_eq!(seen[..2], expected);
    assert!(matches!(&seen[2], Seen::Piece(text, flags) if text.contains("[key removed]") && flags == &["sensitive"]));
    assert_eq!(seen[3..], [torn("message"), line("after")]);
}

#[test]
fn a_message_in_the_middle_of_a_torn_one_is_acted_on_and_ends_nothing() {
    let message = encode::line(&key(), "secret one, secret two", true);
    let (start, end) = message.split_at(50);
    let (one, two) = end.split_at(5);
    let text = format!("{start}{}\n{one}\n{two}after\n", status_message("s"));
    let seen = decode_text(&text);
    assert_eq!(seen[..3], [hidden(start), status("s"), hidden(one)]);
    assert!(matches!(&seen[3], Seen::Piece(_, flags) if flags == &["sensitive"]));
    assert_eq!(seen[4..], [torn("message"), line("after")]);
}

#[test]
fn a_message_broken_within_its_line_hides_that_line_only() {
    let text = format!("{{\"type\": \"line\", \"line\": \"a \"quoted\" b\", \"iokey\": \"{KEY}\"}}\nafter\n");
    let seen = decode_text(&text);
    assert!(matches!(&seen[0], Seen::Piece(_, flags) if flags == &["sensitive"]));
    let note = "a message is not valid JSON, or another process has written into it; what is left of it is among the \
                sensitive lines";
    assert_eq!(seen[1..], [Seen::Message(Message::Note(note.to_owned())), line("after")]);
}

/// The note on a message that was torn across lines.
fn torn(what: &str) -> Seen {
    let how = "was torn by another process writing at the same time; what is left of it is among the sensitive lines";
    Seen::Message(Message::Note(format!("a {what} {how}")))
}

#[test]
fn a_question_that_was_torn_is_lost_and_people_must_know() {
    let question = json!({"type": "interaction", "subtype": "choices", "prompt": "Q", "choices": {"Yes": "y"}});
    let question = message(question);
    // The tear is in the first member, or after it, or contains a whole message of the other process.
    for (place, other) in [(5, "other\n".to_owned()), (70, "other\n".to_owned()), (70, status_message("s") + "\n")] {
        let (start, end) = question.split_at(place);
        let seen = decode_text(&format!("{start}{other}{end}\nafter\n"));
        let problem = "it was torn by another process writing at the same time".to_owned();
        let expected = [torn("question"), Seen::Message(Message::LostQuestion(problem)), line("after")];
        assert_eq!(seen[seen.len() - 3..], expected, "{place} {other}");
    }
    let seen = decode_text(&format!("+ echo {KEY}\n{question}\nthe key {KEY}\n"));
    assert!(seen.iter().all(|seen| !matches!(seen, Seen::Message(Message::Note(_)))), "{seen:?}");
}

#[test]
fn a_torn_message_whose_key_came_first_hides_what_follows() {
    let text = format!("{{\"iokey\": \"{KEY}\", \"type\": \"line\", \"line\": \"sec\nret\"}}\n");
    let seen = decode_text(&text);
    assert_eq!(seen[1], hidden("ret\"}"));
}

#[test]
fn a_newline_that_comes_later_than_its_message_tears_nothing() {
    let message = encode::line(&key(), &"x".repeat(10_000), true);
    let text = format!("{}other\n\n", message.trim_end());
    assert_eq!(decode_text(&text), [hidden(&"x".repeat(10_000)), line("other"), line("")]);
}

#[test]
fn a_torn_message_without_an_end_hides_for_five_seconds() {
    let mut run = Run::new();
    assert_eq!(run.feed("{\"type\": \"line\", \"li\n"), [hidden("{\"type\": \"line\", \"li")]);
    run.wait(4_999);
    assert_eq!(run.feed("a\n"), [hidden("a")]);
    run.wait(1);
    assert_eq!(run.feed("b\n"), [line("b")]);
}

#[test]
fn a_torn_message_without_an_end_hides_so_many_bytes() {
    let limits = Limits { torn: 6, ..Limits::default() };
    let seen = decode(limits, ["{\"type\": \n123\n456\n7\n8\n".as_bytes()]);
    assert_eq!(seen[1..], [hidden("123"), hidden("456"), hidden("7"), line("8")]);
}

#[test]
fn a_line_of_messages_after_a_torn_one_hides_no_later_line() {
    let limits = Limits { torn: 6, ..Limits::default() };
    let text = format!("{{\"type\": \n{}\nafter\n", status_message("s"));
    assert_eq!(decode(limits, text.as_bytes().chunks(1))[1..], [status("s"), line("after")]);
}

#[test]
fn a_line_that_may_be_a_message_is_held_back() {
    let mut run = Run::new();
    assert_eq!(run.feed("text {\"type\": "), []);
    assert_eq!(run.wait(200), [piece("text ", &["partial"])]);
    assert_eq!(run.due(), None);
    assert_eq!(run.feed("1}"), []);
    assert_eq!(run.wait(10_000), []);
    assert_eq!(run.feed("\n"), [piece("{\"type\": 1}", &["continues"])]);
}

#[test]
fn a_brace_at_the_end_of_a_read_waits_for_what_follows() {
    let mut run = Run::new();
    assert_eq!(run.feed("a {"), []);
    assert_eq!(run.wait(200), [piece("a ", &["partial"])]);
    assert_eq!(run.feed(" b"), []);
    assert_eq!(run.wait(200), [piece("{ b", &["partial", "continues"])]);
}

#[test]
fn what_is_too_long_to_be_held_back_is_sensitive() {
    let limits = Limits { piece: 100, held: 150, torn: 1_000 };
    let text = format!("text {}{{\"type\": \"{}{KEY}\"}}\nafter\n", status_message("s"), "x".repeat(300));
    let seen = decode(limits, [text.as_bytes()]);
    assert_eq!(seen[..2], [line("text "), status("s")]);
    let (after, pieces) = seen[2..].split_last().unwrap();
    assert!(pieces.len() >= 4);
    assert!(pieces.iter().all(|piece| matches!(piece, Seen::Piece(_, flags) if flags.contains(&"sensitive"))));
    assert_eq!(after, &line("after"));
}

#[test]
fn what_was_too_long_and_torn_hides_what_follows() {
    let limits = Limits { piece: 100, held: 150, torn: 1_000 };
    let text = format!("{{\"type\": \"{}\nsecret\n{KEY}\"}}\nafter\n", "x".repeat(300));
    let seen = decode(limits, [text.as_bytes()]);
    let expected = [hidden("secret"), hidden("[key removed]\"}"), torn("message"), line("after")];
    assert_eq!(seen[seen.len() - 4..], expected);
}

#[test]
fn a_long_line_is_split_between_characters() {
    let text = format!("x{}\nafter\n", "é".repeat(40_000));
    let first = format!("x{}", "é".repeat(32_767));
    let second = "é".repeat(40_000 - 32_767);
    assert_eq!(decode_text(&text), [piece(&first, &["continued"]), piece(&second, &["continues"]), line("after")]);
}

#[test]
fn a_key_across_a_split_is_found() {
    let limits = Limits { piece: 100, ..Limits::default() };
    let text = format!("{}{KEY}{}", "a".repeat(80), "b".repeat(80));
    let seen = decode(limits, [text.as_bytes()]);
    let second = format!("[key removed]{}", "b".repeat(34));
    let expected = [
        piece(&"a".repeat(80), &["continued"]),
        piece(&second, &["sensitive", "continued", "continues"]),
        piece(&"b".repeat(46), &["sensitive", "continues"]),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_hundred_megabytes_without_a_newline_pass_through() {
    struct Count(usize);
    impl super::Sink for Count {
        fn piece(&mut self, piece: super::Piece<'_>) {
            assert!(piece.text.len() <= 64 << 10);
            self.0 += piece.text.len();
        }
        fn message(&mut self, _: Message) {}
    }
    let read = vec![b'x'; 1 << 20];
    let mut count = Count(0);
    let mut decoder = Decoder::new(key());
    for _ in 0..100 {
        decoder.feed(&read, Instant::now(), &mut count);
    }
    decoder.finish(&mut count);
    assert_eq!(count.0, 100 << 20);
}

#[test]
fn an_unfinished_line_is_shown_after_200_ms() {
    let mut run = Run::new();
    assert_eq!(run.feed("Work"), []);
    assert_eq!(run.due(), Some(200));
    assert_eq!(run.wait(199), []);
    assert_eq!(run.feed("ing"), []);
    assert_eq!(run.wait(1), [piece("Working", &["partial"])]);
    assert_eq!(run.due(), None);
    assert_eq!(run.feed(" done\n"), [piece(" done", &["continues"])]);
}

#[test]
fn nothing_follows_a_shown_line_that_ends_there() {
    let mut run = Run::new();
    run.feed("Working");
    assert_eq!(run.wait(200), [piece("Working", &["partial"])]);
    assert_eq!(run.feed("\nnext\n"), [line("next")]);
}

#[test]
fn an_overdue_line_is_shown_without_a_wake() {
    let mut run = Run::new();
    run.feed("a");
    run.now += MILLISECOND * 300;
    assert_eq!(run.feed("b"), [piece("ab", &["partial"])]);
}

#[test]
fn the_beginning_of_a_key_is_not_shown() {
    let mut run = Run::new();
    run.feed(&format!("k {}", &KEY[..30]));
    assert_eq!(run.wait(200), [piece("k ", &["partial"])]);
    assert_eq!(run.feed(&KEY[30..]), []);
    assert_eq!(run.wait(200), [piece("[key removed]", &["sensitive", "partial", "continues"])]);
    assert_eq!(run.feed("\n"), []);
}

#[test]
fn a_character_cut_by_a_flush_is_kept_whole() {
    let mut run = Run::new();
    run.decoder.feed(b"caf\xc3", run.now, &mut run.recorder);
    assert_eq!(run.wait(200), [piece("caf", &["partial"])]);
    run.decoder.feed(b"\xa9\n", run.now, &mut run.recorder);
    assert_eq!(run.wait(0), [piece("é", &["continues"])]);
}

#[test]
fn other_bytes_become_replacement_characters_and_nul_stays() {
    let seen = decode(Limits::default(), [b"a\xffb\0\xe2\x82\nok\n".as_slice()]);
    assert_eq!(seen, [line("a\u{fffd}b\0\u{fffd}"), line("ok")]);
}

#[test]
fn a_fast_progress_bar_is_its_last_state() {
    assert_eq!(decode_text("10%\r50%\r100%\n"), [line("100%")]);
    assert_eq!(decode_text("\r10%\r100%\r\r\nnext\n"), [line("100%"), line("next")]);
}

#[test]
fn a_slow_progress_bar_is_shown_once_a_second_and_its_last_state_is_stored() {
    let mut run = Run::new();
    run.feed("1%\r2%");
    assert_eq!(run.wait(200), [piece("2%", &["partial", "rewrites"])]);
    assert_eq!(run.feed("\r3%"), []);
    assert_eq!(run.due(), Some(1_000));
    assert_eq!(run.wait(999), []);
    assert_eq!(run.feed("\r4%\r"), []);
    assert_eq!(run.wait(1), [piece("4%", &["partial", "continues", "rewrites"])]);
    assert_eq!(run.due(), None);
    assert_eq!(run.feed("\n"), [piece("4%", &["continues", "rewrites"])]);
}

#[test]
fn text_that_was_shown_before_the_first_return_is_replaced() {
    let mut run = Run::new();
    run.feed("1%");
    assert_eq!(run.wait(200), [piece("1%", &["partial"])]);
    assert_eq!(run.feed("\r2%\n"), [piece("2%", &["continues", "rewrites"])]);
}

#[test]
fn a_long_state_replaces_with_its_first_piece_only() {
    let limits = Limits { piece: 100, ..Limits::default() };
    let text = format!("{}\r{}\n", "a".repeat(150), "b".repeat(150));
    let expected = [
        piece(&"a".repeat(100), &["continued"]),
        piece(&"b".repeat(100), &["continued", "continues", "rewrites"]),
        piece(&"b".repeat(50), &["continues"]),
    ];
    assert_eq!(decode(limits, [text.as_bytes()]), expected);
}

#[test]
fn a_message_ends_a_progress_bar() {
    let text = format!("1%\r2%\r{}\n", status_message("s"));
    assert_eq!(decode_text(&text), [line("2%"), status("s")]);
}

#[test]
fn interactions_keep_the_order_of_their_choices() {
    let choices = json!({"type": "interaction", "subtype": "choices", "prompt": "Q", "choices": {"b": "2", "a": "1"}});
    let [Seen::Message(Message::Interaction(prompt))] = &decode_text(&message(choices))[..] else {
        panic!("one prompt")
    };
    let PromptKind::Choices { choices, default } = &prompt.kind else { panic!("choices") };
    assert_eq!(choices.values().collect::<Vec<_>>(), ["2", "1"]);
    assert_eq!(default, &None);
    assert_eq!(
        decode_text(&encode::interaction(&key(), prompt)),
        [Seen::Message(Message::Interaction(prompt.clone()))]
    );
}

#[test]
fn what_is_not_understood_is_noted() {
    let note = |members| match &decode_text(&message(members))[..] {
        [Seen::Message(Message::Note(note))] => note.clone(),
        [Seen::Message(Message::LostQuestion(problem)), Seen::Message(Message::Note(note))]
            if note.contains(problem) =>
        {
            note.clone()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(note(json!({"type": "dance"})), r#"Message ignored, unknown type “dance”: {"type":"dance"}"#);
    assert_eq!(note(json!({"a": 1})), r#"Message ignored, it has no type: {"a":1}"#);
    for members in [
        json!({"type": "line", "line": 1}),
        json!({"type": "status"}),
        json!({"type": "progress", "progress": []}),
        json!({"type": "progress", "progress": {"name": "x".repeat(8 << 10)}}),
        json!({"type": "interaction", "prompt": "p"}),
        json!({"type": "interaction", "prompt": "p", "subtype": "dance"}),
        json!({"type": "interaction", "prompt": "p", "subtype": "choices", "choices": {}}),
        json!({"type": "interaction", "prompt": "p", "subtype": "choices", "choices": {"a": 1}}),
        json!({"type": "interaction", "prompt": "p", "subtype": "choices", "choices": {"a": "1"}, "default": 1}),
    ] {
        let note = note(members);
        assert!(note.starts_with("Message ignored, ") && note.len() < 5_000, "{note}");
    }
}

#[test]
fn a_message_that_is_not_understood_keeps_its_secrets() {
    let seen = decode_text(&message(json!({"type": "lines", "line": "secret", "sensitive": true})));
    let [Seen::Message(Message::Note(note)), Seen::Piece(text, flags)] = &seen[..] else { panic!("{seen:?}") };
    assert!(!note.contains("secret") && text.contains("secret"));
    assert_eq!(flags, &["sensitive"]);
}

#[test]
fn long_texts_are_cut_with_a_note() {
    let seen = decode_text(&status_message(&"é".repeat(3_000)));
    let [Seen::Message(Message::Status(Some(status))), Seen::Message(Message::Note(note))] = &seen[..] else {
        panic!("{seen:?}")
    };
    assert!(status.len() <= 4 << 10 && status.ends_with("é…"));
    assert_eq!(note, "A status text of 6000 bytes was cut to 4096");
    let prompt = message(json!({"type": "interaction", "subtype": "input_line", "prompt": "x".repeat(40_000)}));
    let seen = decode_text(&prompt);
    assert!(matches!(&seen[1], Seen::Message(Message::Interaction(prompt)) if prompt.prompt.len() == 32 << 10));
}
