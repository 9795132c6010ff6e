#![expect(clippy::disallowed_methods, reason = "tests do to the file what crashes and people do")]

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

use proptest::prelude::*;
use serde_json::json;

use super::line::MAX_LINE;
use super::reader::Forwards;
use super::*;
use crate::digest::sha256;
use crate::text::Text;

struct Bench {
    audit: Audit,
    directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { audit: Audit::new(StateDirectory::new(&directory.path().join("api"))), directory }
    }

    /// With so many entries.
    fn with(count: u32) -> Self {
        let bench = Self::new();
        (1..=count).for_each(|number| bench.append(number));
        bench
    }

    fn append(&self, number: u32) {
        self.audit.append(&answer("alice", number), Durability::Ordered).unwrap();
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.audit.path()).unwrap()
    }

    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.bytes()).unwrap().lines().map(str::to_owned).collect()
    }

    fn write(&self, bytes: &[u8]) {
        self.audit.directory.make().unwrap();
        fs::write(self.audit.path(), bytes).unwrap();
    }

    fn verdict(&self) -> Verdict {
        self.audit.verify().unwrap()
    }
}

fn head(line: u64, text: &str) -> Head {
    Head { line, digest: sha256(text) }
}

fn answer(user: &str, number: u32) -> Entry {
    entry(Event::Answer, user, json!({ "job": number, "response": "y" }))
}

fn entry(event: Event, user: &str, details: Value) -> Entry {
    let Value::Object(details) = details else { panic!("details are an object") };
    let request = Some("request".to_owned());
    Entry { event, user: Some(user.to_owned()), address: "192.0.2.1".into(), request, details }
}

#[test]
fn a_line_has_the_hash_of_the_one_before() {
    let bench = Bench::with(2);
    bench.audit.append(&answer("alice", 3), Durability::Synced).unwrap();
    let lines = bench.lines();
    let zeros = "0".repeat(64);
    let time = lines[0].split('"').nth(5).unwrap();
    let first = format!(
        r#"{{"n":1,"time":"{time}","event":"answer","user":"alice","address":"192.0.2.1","request":"request","details":{{"job":1,"response":"y"}},"previous":"{zeros}"}}"#
    );
    assert_eq!(lines[0], first);
    for (before, line) in lines.iter().zip(&lines[1..]) {
        assert!(line.ends_with(&format!(r#""previous":"{}"}}"#, sha256(before))), "{line}");
    }
    let verdict = bench.verdict();
    assert_eq!((verdict.lines, &verdict.head, verdict.broken), (3, &head(3, &lines[2]), None));
    let (first, last) = verdict.span.unwrap();
    assert!(first.to_string() == time && first <= last);
    assert_eq!(bench.audit.path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn no_file_and_an_empty_one_are_no_entries() {
    let bench = Bench::new();
    assert_eq!((bench.verdict(), verify(bench.audit.path()).unwrap()), (Verdict::default(), None));
    assert!(bench.audit.page(&Filter::default(), None, 9).unwrap().entries.is_empty());
    bench.write(b"");
    assert_eq!((bench.verdict(), verify(bench.audit.path()).unwrap()), (Verdict::default(), Some(Verdict::default())));
    bench.append(1);
    assert_eq!(bench.verdict().lines, 1);
}

#[test]
fn the_words_of_events_are_theirs() {
    for (event, word) in Event::ALL.into_iter().zip(Event::WORDS) {
        assert_eq!((event.word(), Event::of_word(word)), (*word, Some(event)));
    }
    assert_eq!(Event::of_word("signin"), None);
}

#[test]
fn what_people_type_stays_one_visible_line() {
    let bench = Bench::new();
    let name = "al\u{202e}ice\n{\"n\":9}\r\u{2028}\u{1b}[2J\u{9b}\u{7f}\u{e0041}é😀\"";
    let details = json!({ "a\nb": name, "list": [name, { "deep": name }] });
    bench.audit.append(&entry(Event::SignInRefused, name, details.clone()), Durability::Ordered).unwrap();
    let text = String::from_utf8(bench.bytes()).unwrap();
    assert_eq!(text.matches('\n').count(), 1);
    assert!(
        text.contains(r#""user":"al\u202eice\n{\"n\":9}\r\u2028\u001b[2J\u009b\u007f\udb40\udc41é😀\"""#),
        "{text}"
    );
    let page = bench.audit.page(&Filter::default(), None, 1).unwrap();
    let shown = &page.entries[0];
    assert_eq!((shown.user.as_deref(), Value::from(shown.details.clone())), (Some(name), details), "nothing is lost");
}

#[test]
fn what_is_too_long_is_cut_with_a_mark() {
    let bench = Bench::new();
    let long = "é".repeat(20_000);
    let mut huge = entry(Event::Start, &long, json!({ "params": { "message": long, "short": "kept", "number": 7 } }));
    huge.address.clone_from(&long);
    huge.request = Some(long.clone());
    let mut many = huge.clone();
    many.details = (0..9000).map(|number| (format!("name{number}"), Value::from(long.as_str()))).collect();
    let mut deep = Value::from(1);
    (0..200).for_each(|_| deep = json!([deep]));
    let deep = entry(Event::Start, "alice", json!({ "deep": deep }));
    for entry in [&huge, &many, &deep] {
        bench.audit.append(entry, Durability::Ordered).unwrap();
    }
    let lines = bench.lines();
    assert!(lines.iter().all(|line| line.len() <= MAX_LINE));
    let page = bench.audit.page(&Filter::default(), None, 9).unwrap();
    let [deep, many, huge] = &page.entries[..] else { panic!("{page:?}") };
    let params = &huge.details["params"];
    assert_eq!(params["message"].as_str().unwrap(), format!("{}…", "é".repeat(2048)));
    assert_eq!((&params["short"], &params["number"]), (&json!("kept"), &json!(7)));
    assert_eq!(huge.user.as_ref().unwrap(), &format!("{}…", "é".repeat(128)));
    assert_eq!(Value::from(many.details.clone()), json!({ "…": "the details were too long" }));
    assert_eq!(deep.details["deep"].to_string(), "[[[[[[[\"…\"]]]]]]]");
    assert_eq!(bench.verdict().lines, 3);
}

#[test]
fn wherever_a_crash_cuts_the_last_line_the_next_goes_on() {
    let whole = Bench::with(3).bytes();
    let starts: Vec<usize> = memchr::memchr_iter(b'\n', &whole).map(|newline| newline + 1).collect();
    for cut in starts[1]..whole.len() {
        let bench = Bench::new();
        bench.write(&whole[..cut]);
        // Without its newline only, it is whole.
        let is_fragment = (starts[1] + 1..whole.len() - 1).contains(&cut);
        let torn = is_fragment.then_some(Fragments { count: 1, first: 3 });
        assert_eq!((bench.verdict().broken, bench.verdict().fragments), (None, torn), "{cut}");
        bench.append(4);
        let (verdict, lines) = (bench.verdict(), bench.lines());
        let expected = if cut == starts[1] { 3 } else { 4 };
        assert_eq!((verdict.broken, verdict.fragments, verdict.lines), (None, torn, expected), "{cut}");
        assert!(lines.last().unwrap().starts_with(&format!("{{\"n\":{expected},")));
        bench.append(5);
        assert_eq!(bench.verdict().broken, None);
    }
}

#[test]
fn what_was_damaged_all_over_is_gone_on_from() {
    let bench = Bench::new();
    bench.write(b"\n\nnonsense\nmore");
    assert_eq!(bench.verdict().broken, Some(Break { line: 1, reason: Reason::NoEntry }));
    bench.append(1);
    let verdict = bench.verdict();
    assert_eq!((verdict.lines, verdict.fragments), (5, Some(Fragments { count: 4, first: 1 })));
    assert_eq!(verdict.broken, None, "it was so when the entry was written");
    // A line of 2 MiB, as one hole.
    let file = fs::OpenOptions::new().write(true).open(bench.audit.path()).unwrap();
    file.set_len(2 << 20).unwrap();
    bench.append(2);
    let verdict = bench.verdict();
    assert_eq!((verdict.lines, verdict.broken), (7, None));
    assert_eq!(verdict.fragments, Some(Fragments { count: 5, first: 1 }));
    file.write_all_at(b"x", 1 << 20).unwrap();
    assert_eq!(bench.verdict().broken, Some(Break { line: 6, reason: Reason::NoEntry }));
}

#[test]
fn it_is_said_what_was_done_to_which_line() {
    let changed = |edit: &dyn Fn(&mut Vec<String>)| {
        let bench = Bench::with(9);
        let mut lines = bench.lines();
        edit(&mut lines);
        bench.write((lines.join("\n") + "\n").as_bytes());
        bench.verdict().broken.map(|broken| (broken.line, broken.reason))
    };
    let replace = |line: usize, from: &'static str, to: &'static str| {
        changed(&|lines| lines[line - 1] = lines[line - 1].replacen(from, to, 1))
    };
    assert_eq!(changed(&|_| ()), None);

    assert_eq!(replace(4, "alice", "mallory"), Some((4, Reason::Changed)));
    assert_eq!(replace(8, "alice", "mallory"), Some((8, Reason::Changed)));
    assert_eq!(replace(4, "previous\":\"", "previous\":\"x"), Some((4, Reason::Changed)));
    assert_eq!(replace(4, "\"n\":4", "\"n\":40"), Some((4, Reason::Changed)));
    assert_eq!(replace(4, "\"n\":4", "\"n\":2"), Some((4, Reason::Changed)));
    assert_eq!(replace(9, "\"n\":9", "\"n\":12"), Some((9, Reason::Number { n: 12 })));
    assert_eq!(replace(1, "\"previous\":\"0", "\"previous\":\"1"), Some((1, Reason::Changed)));
    assert_eq!(replace(4, "{", ""), Some((4, Reason::NoEntry)));
    assert_eq!(replace(4, "}", ",\"more\":1}"), Some((4, Reason::Changed)));
    assert_eq!(replace(9, "{", ""), Some((9, Reason::NoEntry)));

    assert_eq!(changed(&|lines| drop(lines.remove(3))), Some((4, Reason::Removed { lines: 1 })));
    assert_eq!(changed(&|lines| drop(lines.drain(3..6))), Some((4, Reason::Removed { lines: 3 })));
    assert_eq!(changed(&|lines| drop(lines.drain(..7))), Some((1, Reason::Removed { lines: 7 })));
    assert_eq!(changed(&|lines| drop(lines.remove(7))), Some((8, Reason::Removed { lines: 1 })));

    assert_eq!(changed(&|lines| lines.insert(3, lines[5].clone())), Some((4, Reason::Inserted { lines: 1 })));
    assert_eq!(changed(&|lines| lines.insert(3, lines[0].clone())), Some((4, Reason::Inserted { lines: 1 })));
    assert_eq!(changed(&|lines| lines.push(lines[2].clone())), Some((10, Reason::Inserted { lines: 1 })));
    assert_eq!(changed(&|lines| lines.insert(3, String::new())), Some((4, Reason::Inserted { lines: 1 })));
    assert_eq!(changed(&|lines| lines.insert(0, "{}".into())), Some((1, Reason::Inserted { lines: 1 })));
    let forge = |lines: &mut Vec<String>| {
        for at in 3..5 {
            let line = Line::new(at as u64 + 1, Time::now(), &answer("mallory", 0), sha256(&lines[at - 1]));
            lines.insert(at, String::from_utf8(line.into_bytes()).unwrap());
        }
    };
    assert_eq!(changed(&forge), Some((4, Reason::Inserted { lines: 2 })), "the forged ones fit to each other");

    assert_eq!(changed(&|lines| lines.swap(3, 4)), Some((4, Reason::Order { found: 5 })));
    assert_eq!(changed(&|lines| lines.swap(0, 6)), Some((1, Reason::Order { found: 7 })));
    assert_eq!(changed(&|lines| lines.swap(7, 8)), Some((8, Reason::Order { found: 9 })));
    assert_eq!(changed(&|lines| lines.reverse()), Some((1, Reason::Order { found: 9 })));

    let other = |lines: &mut Vec<String>| {
        let line = Line::new(1, Time::now(), &answer("alice", 1), sha256("another beginning"));
        *lines = vec![String::from_utf8(line.into_bytes()).unwrap()];
    };
    assert_eq!(changed(&other), Some((1, Reason::Beginning)));
}

#[test]
fn what_is_cut_off_at_the_end_shows_only_to_those_who_know_the_head() {
    let bench = Bench::with(9);
    let lines = bench.lines();
    assert_eq!(bench.verdict().head, head(9, &lines[8]));
    bench.write((lines[..6].join("\n") + "\n").as_bytes());
    let verdict = bench.verdict();
    assert_eq!((verdict.broken, verdict.lines), (None, 6));
    assert_eq!(verdict.head, head(6, &lines[5]));
}

#[test]
fn a_break_is_told_in_words() {
    let words = |line, reason| Break { line, reason }.to_string();
    assert_eq!(words(17, Reason::Changed), "line 17 was changed: the next one has the hash of another line");
    assert_eq!(words(17, Reason::Removed { lines: 3 }), "3 lines were removed before line 17");
    assert_eq!(words(17, Reason::Inserted { lines: 3 }), "lines 17 to 19 were inserted");
    assert_eq!(words(17, Reason::Inserted { lines: 1 }), "line 17 was inserted");
}

#[test]
fn many_append_at_once_also_while_it_is_moved_away() {
    let bench = Bench::new();
    let moved = bench.directory.path().join("moved.jsonl");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (1..=25).for_each(|number| bench.append(number)));
        }
        scope.spawn(|| {
            while fs::rename(bench.audit.path(), &moved).is_err() {
                std::thread::yield_now();
            }
        });
    });
    let moved = verify(&moved).unwrap().unwrap();
    let verdicts = [moved, bench.verdict()];
    assert!(verdicts.iter().all(|verdict| verdict.broken.is_none() && verdict.fragments.is_none()), "{verdicts:?}");
    assert_eq!(verdicts.iter().map(|verdict| verdict.lines).sum::<u64>(), 200);
}

fn numbers(bench: &Bench, filter: &Filter, before: Option<u64>, limit: usize) -> (Vec<u64>, Option<u64>) {
    let page = bench.audit.page(filter, before, limit).unwrap();
    assert_eq!(page.more, page.next.is_some());
    (page.entries.iter().map(|line| line.n).collect(), page.next)
}

#[test]
fn pages_go_back_through_what_passes() {
    let bench = Bench::new();
    for (event, user, response) in [
        (Event::SignIn, "alice", ""),
        (Event::Answer, "alice", "Yes\n"),
        (Event::Answer, "bob", "no"),
        (Event::SignOut, "bob", ""),
        (Event::Answer, "bob", "YES"),
    ] {
        bench.audit.append(&entry(event, user, json!({ "response": response })), Durability::Ordered).unwrap();
    }
    let all = Filter::default();
    assert_eq!(numbers(&bench, &all, None, 2), (vec![5, 4], Some(4)));
    assert_eq!(numbers(&bench, &all, Some(4), 2), (vec![3, 2], Some(2)));
    assert_eq!(numbers(&bench, &all, Some(2), 2), (vec![1], None));
    assert_eq!(numbers(&bench, &all, Some(3), 2), (vec![2, 1], None));
    assert_eq!(numbers(&bench, &all, Some(0), 2), (vec![], None));
    let answers = Filter { events: vec![Event::Answer], ..Filter::default() };
    assert_eq!(numbers(&bench, &answers, None, 2), (vec![5, 3], Some(3)));
    assert_eq!(numbers(&bench, &answers, None, 3), (vec![5, 3, 2], None));
    let of = |user: &str| Filter { users: vec![user.into()], ..Filter::default() };
    assert_eq!(numbers(&bench, &of("bob"), None, 9), (vec![5, 4, 3], None));
    assert_eq!(numbers(&bench, &Filter { users: vec!["bob".into(), "alice".into()], ..answers }, None, 9).0, [5, 3, 2]);
    let with = |text: &str| Filter { text: Text::new(text), ..Filter::default() };
    assert_eq!(numbers(&bench, &with("yes"), None, 9).0, [5, 2]);
    assert_eq!(numbers(&bench, &with("192.0.2"), None, 9).0, [5, 4, 3, 2, 1]);
    assert_eq!(numbers(&bench, &with("SIGN_"), None, 9).0, [4, 1]);
    assert!(numbers(&bench, &with("previous"), None, 9).0.is_empty());
}

#[test]
fn any_place_of_a_long_trail_is_found() {
    let mut text = String::new();
    let mut previous = NOTHING_BEFORE.to_owned();
    for n in 1..=8000 {
        let padding = "x".repeat(usize::try_from(n * 7919 % 150).unwrap());
        let details = json!({ "padding": padding });
        let line = Line::new(n, Time::from_milliseconds(0), &entry(Event::Start, "alice", details), previous);
        let line = String::from_utf8(line.into_bytes()).unwrap();
        previous = sha256(&line);
        text.extend([&line, "\n"]);
    }
    let bench = Bench::new();
    bench.write(text.as_bytes());
    for before in [1, 2, 3, 100, 3999, 4000, 7990, 8000, 8001, u64::MAX] {
        let first = before.min(8001).saturating_sub(1);
        let expected: Vec<u64> = (1..=first).rev().take(3).collect();
        let next = expected.last().copied().filter(|last| *last > 1);
        assert_eq!(numbers(&bench, &Filter::default(), Some(before), 3), (expected, next));
    }
    assert_eq!(bench.verdict().head.digest, previous);
}

#[test]
fn a_page_gives_up_in_time_and_says_where_to_go_on() {
    let bench = Bench::with(2);
    let file = fs::OpenOptions::new().write(true).open(bench.audit.path()).unwrap();
    let line = Line::new(4, Time::from_milliseconds(0), &answer("alice", 4), String::new());
    file.write_all_at(&[b"\n", &*line.into_bytes()].concat(), 40 << 20).unwrap();
    assert_eq!(numbers(&bench, &Filter::default(), None, 9), (vec![4], Some(4)));
    assert_eq!(numbers(&bench, &Filter::default(), Some(4), 9), (vec![], None), "nothing is known of so much nonsense");
}

/// Any JSON, with much of what is awkward in it.
fn values() -> impl Strategy<Value = Value> {
    let text = prop_oneof![any::<String>(), "[\\x00-\\x1f\"\\\\\u{7f}-\u{9f}\u{2028}\u{202e}]{0,3000}", "y{0,9000}"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i16>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from)
    ];
    leaf.prop_recursive(12, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..6)
                .prop_map(|members| members.into_iter().collect::<Map<_, _>>().into()),
        ]
    })
}

/// An audit trail with fragments in it: each entry is cut to so many bytes, if a crash cut it.
fn trail(cuts: &[Option<usize>]) -> Bench {
    let bench = Bench::new();
    for (number, cut) in (1..).zip(cuts) {
        let before = bench.audit.path().metadata().map_or(0, |metadata| metadata.len());
        bench.append(number);
        if let Some(cut) = cut {
            let file = fs::OpenOptions::new().write(true).open(bench.audit.path()).unwrap();
            let length = file.metadata().unwrap().len();
            file.set_len((before + *cut as u64).min(length)).unwrap();
        }
    }
    bench
}

fn cuts() -> impl Strategy<Value = Vec<Option<usize>>> {
    prop::collection::vec(prop::option::weighted(0.25, 0_usize..330), 1..12)
}

proptest! {
    // Each has files of its own.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_in_an_entry_it_is_one_line_that_can_be_read(
        (name, address, details) in (any::<String>(), ".{0,600}", values()),
    ) {
        let mut entry = entry(Event::Start, &name, json!({ "details": details }));
        entry.address = address;
        let line = Line::new(7, Time::from_milliseconds(0), &entry, NOTHING_BEFORE.into()).into_bytes();
        prop_assert!(line.len() <= MAX_LINE && !line.contains(&b'\n'));
        prop_assert!(!str::from_utf8(&line).unwrap().contains(|letter: char| letter.is_control()));
        prop_assert_eq!(Line::parse(&line).unwrap().into_bytes(), line);
    }

    #[test]
    fn what_crashes_leave_is_no_break(cuts in cuts()) {
        let bench = trail(&cuts);
        bench.append(99);
        let verdict = bench.verdict();
        prop_assert_eq!(verdict.broken, None);
        prop_assert_eq!(verdict.head, head(verdict.lines, bench.lines().last().unwrap()));
    }

    /// The last entry has nobody who vouches for it: what changes there is known by the head.
    #[test]
    fn a_change_of_any_byte_is_found(cuts in cuts(), at in any::<prop::sample::Index>(), by in 1..=255_u8) {
        let bench = trail(&cuts);
        bench.append(98);
        let vouched = bench.bytes().len();
        bench.append(99);
        let (mut bytes, before) = (bench.bytes(), bench.verdict());
        let at = at.index(bytes.len());
        bytes[at] ^= by;
        bench.write(&bytes);
        let after = bench.verdict();
        prop_assert!(after.broken.is_some() || at >= vouched, "{} {:?}", at, after);
        prop_assert!(after.broken.is_some() || after.head != before.head, "{} {:?}", at, after);
        if let Some(broken) = after.broken {
            prop_assert!(broken.line <= before.lines + 1);
        }
    }

    #[test]
    fn a_removed_or_inserted_byte_is_found(cuts in cuts(), at in any::<prop::sample::Index>(), byte in prop::option::of(any::<u8>())) {
        let bench = trail(&cuts);
        bench.append(98);
        let vouched = bench.bytes().len() - 1;
        bench.append(99);
        let mut bytes = bench.bytes();
        let at = at.index(vouched);
        match byte {
            Some(byte) => bytes.insert(at, byte),
            None => drop(bytes.remove(at)),
        }
        bench.write(&bytes);
        prop_assert!(bench.verdict().broken.is_some());
    }

    /// What is read from either end is the same, and an entry can be appended to anything.
    #[test]
    fn any_file_is_read_and_gone_on_from(parts in prop::collection::vec(prop_oneof![
        Just("\n".to_owned()), "[a\n]{0,20}", Just("x".repeat(MAX_LINE + 9)), Just("y".repeat(70_000)),
        Just(String::from_utf8(Line::new(3, Time::from_milliseconds(0), &answer("bob", 3), "?".into()).into_bytes()).unwrap()),
    ], 0..9)) {
        let bench = Bench::new();
        let bytes = parts.concat().into_bytes();
        bench.write(&bytes);
        let (file, length) = (open::read_only(bench.audit.path()).unwrap(), bytes.len() as u64);
        let mut lines = Backwards::new(&file, bench.audit.path(), length).unwrap();
        let mut backwards = Vec::new();
        while let Some(place) = lines.next_place().unwrap() {
            backwards.push(lines.entry(&place).unwrap());
        }
        backwards.reverse();
        let mut lines = Forwards::new(open::read_only(bench.audit.path()).unwrap(), bench.audit.path(), length);
        let mut forwards = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            forwards.push(line.entry);
        }
        prop_assert_eq!(backwards, forwards);
        bench.append(1);
        bench.append(2);
        let lines = bench.lines();
        let [.., before, last] = &lines[..] else { panic!("{lines:?}") };
        prop_assert!(last.contains(&sha256(before)));
        bench.audit.verify().unwrap();
        bench.audit.page(&Filter::default(), Some(2), 2).unwrap();
    }
}
