//! Property tests: rules that hold for any output, in reads of any size.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

use super::decoder::Limits;
use super::recorder::{KEY, Recorder, Seen, decode};
use super::{Decoder, IoKey, Message, encode};

/// Limits so small that a short input reaches each of them.
const LIMITS: Limits = Limits { piece: 100, held: 500, torn: 300 };

/// Text without any special meaning in the protocol.
fn words() -> impl Strategy<Value = Vec<u8>> {
    "[ a-z0é😀\u{0}{}\\[]{0,12}".prop_map(String::into_bytes)
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let key = IoKey::from_text(KEY);
    let text = prop_oneof!["[a-zé\"{}\n\r]{0,20}", Just(KEY.to_owned()), "x{90,120}"];
    (0..6, text, any::<bool>()).prop_map(move |(kind, text, sensitive)| {
        let message = match kind {
            0 => encode::line(&key, &text, sensitive),
            1 => encode::status(&key, Some(&text)),
            2 => json!({"type": "progress", "progress": {(text): 1}, "iokey": KEY}).to_string(),
            3 => json!({"type": "interaction", "subtype": "input_line", "prompt": text, "iokey": KEY}).to_string(),
            4 => json!({"iokey": KEY, "type": "line", "line": text, "sensitive": sensitive}).to_string(),
            _ => json!({"type": text, "sensitive": sensitive, "iokey": KEY}).to_string(),
        };
        message.trim_end().as_bytes().to_vec()
    })
}

/// Any output of a job.
fn output() -> impl Strategy<Value = Vec<u8>> {
    let part_of = |(text, from, to): (Vec<u8>, Index, Index)| {
        let (from, to) = (from.index(text.len() + 1), to.index(text.len() + 1));
        text[from.min(to)..from.max(to)].to_vec()
    };
    let fragment = prop_oneof![
        4 => words(),
        4 => Just(b"\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => Just(b"\r\n".to_vec()),
        3 => message(),
        2 => (message(), any::<Index>(), any::<Index>()).prop_map(part_of),
        1 => Just(KEY.into()),
        1 => (Just(KEY.into()), any::<Index>(), any::<Index>()).prop_map(part_of),
        1 => prop_oneof![Just(b"{\"".to_vec()), Just(b"{\"type\"".to_vec()), Just(b"{\"a\": {}}".to_vec())],
        1 => vec(any::<u8>(), 0..4),
        1 => (60..250_usize).prop_map(|length| vec![b'x'; length]),
    ];
    vec(fragment, 0..20).prop_map(|fragments| fragments.concat())
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    vec(any::<Index>(), 0..12)
}

/// Splits the bytes into several reads.
fn reads(bytes: &[u8], cuts: &[Index]) -> Vec<Vec<u8>> {
    let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    ends.push(bytes.len());
    ends.sort_unstable();
    let starts = std::iter::once(0).chain(ends.clone());
    starts.zip(&ends).map(|(start, &end)| bytes[start..end].to_vec()).collect()
}

/// Decodes the reads, with pauses between them.
fn decode_slowly(reads: &[Vec<u8>], pauses: &[u64]) -> Vec<Seen> {
    let mut decoder = Decoder::with_limits(IoKey::from_text(KEY), LIMITS);
    let mut recorder = Recorder::default();
    let mut now = Instant::now();
    for (read, pause) in reads.iter().zip(pauses.iter().cycle()) {
        decoder.feed(read, now, &mut recorder);
        now += Duration::from_millis(*pause);
        decoder.wake(now, &mut recorder);
        assert!(decoder.deadline().is_none_or(|deadline| deadline > now), "a deadline that was met is over");
    }
    decoder.finish(&mut recorder);
    recorder.seen
}

/// The text of the lines as a terminal would show them, one item per line. Replaced text is included.
fn text_of(seen: &[Seen]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for seen in seen {
        if let Seen::Piece(text, flags) = seen {
            match lines.last_mut() {
                Some(line) if flags.contains(&"continues") && !flags.contains(&"rewrites") => {
                    line.push_str(text);
                }
                _ => lines.push(text.clone()),
            }
        }
    }
    lines
}

fn holds_key(seen: &[Seen]) -> bool {
    let in_message = |seen: &Seen| match seen {
        Seen::Message(message) => format!("{message:?}").contains(KEY),
        Seen::Piece(..) => false,
    };
    text_of(seen).iter().any(|line| line.contains(KEY)) || seen.iter().any(in_message)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn the_portions_in_which_output_comes_do_not_matter(output in output(), cuts in cuts()) {
        let whole = decode(LIMITS, [output.as_slice()]);
        let parts = reads(&output, &cuts);
        prop_assert_eq!(&whole, &decode(LIMITS, parts.iter().map(Vec::as_slice)));
        prop_assert_eq!(&whole, &decode(LIMITS, output.chunks(1)));
    }

    #[test]
    fn the_key_never_comes_out(output in output(), cuts in cuts(), pauses in vec(0..1_500_u64, 1..5)) {
        prop_assert!(!holds_key(&decode(LIMITS, [output.as_slice()])));
        let slow = decode_slowly(&reads(&output, &cuts), &pauses);
        prop_assert!(!holds_key(&slow), "{:?}", slow);
    }

    #[test]
    fn no_text_is_lost(
        parts in vec(prop_oneof![words(), vec(any::<u8>(), 0..4), Just(b"\n".to_vec()), Just(vec![b'x'; 130])], 0..20),
        cuts in cuts(),
        pauses in vec(0..1_500_u64, 1..5),
    ) {
        let mut output = parts.concat();
        output.retain(|&byte| byte != b'\r');
        let text = String::from_utf8_lossy(&output);
        let lines: Vec<_> = text.strip_suffix('\n').unwrap_or(&text).split('\n').map(str::to_owned).collect();
        let lines = if text.is_empty() { Vec::new() } else { lines };
        prop_assert_eq!(&lines, &text_of(&decode(LIMITS, [output.as_slice()])));
        prop_assert_eq!(&lines, &text_of(&decode_slowly(&reads(&output, &cuts), &pauses)));
    }

    #[test]
    fn glued_messages_are_all_found_and_the_text_between_them_too(
        parts in vec(("[a-z{}é]{1,12}", "[a-z\"{é]{0,12}"), 1..4),
        cuts in cuts(),
        pauses in vec(0..1_500_u64, 1..5),
    ) {
        let key = IoKey::from_text(KEY);
        let glue = |(text, status): &(String, String)| text.clone() + encode::status(&key, Some(status)).trim_end();
        let output: String = parts.iter().map(glue).collect();
        let seen = decode_slowly(&reads(output.as_bytes(), &cuts), &pauses);
        let found = seen.iter().filter_map(|seen| match seen {
            Seen::Message(Message::Status(status)) => status.clone(),
            _ => None,
        });
        prop_assert_eq!(found.collect::<Vec<_>>(), parts.iter().map(|part| part.1.clone()).collect::<Vec<_>>());
        prop_assert_eq!(text_of(&seen), parts.into_iter().map(|part| part.0).collect::<Vec<_>>());
    }

    #[test]
    fn a_torn_secret_is_never_shown(
        secret in "S{60,90}",
        cuts in vec(any::<Index>(), 1..4),
        foreign in prop_oneof!["[a-z{]{0,10}\n([a-z{]{0,10}\n)?", Just("{\"a\": 1}\n".to_owned())],
    ) {
        // The cuts are not in the name of the first member, and must not complete the text to other JSON by chance: the
        // decoder cannot recognize such a message.
        let message = encode::line(&IoKey::from_text(KEY), &secret, true);
        let (start, rest) = message.split_at("{\"type\"".len());
        let parts: Vec<_> = reads(rest.as_bytes(), &cuts).into_iter().map(|part| String::from_utf8(part).unwrap()).collect();
        let output = format!("{start}{}", parts.join(&foreign));
        for seen in decode(Limits::default(), [output.as_bytes()]) {
            if let Seen::Piece(text, flags) = seen {
                prop_assert!(!text.contains('S') || flags.contains(&"sensitive"), "{:?}", output);
            }
        }
    }
}
