#![expect(clippy::disallowed_methods, reason = "tests damage files by hand")]

use std::os::unix::fs::MetadataExt as _;

use super::*;

/// A state directory, as two APIs have it.
struct Scene {
    directory: tempfile::TempDir,
    one: SecondFactors,
    other: SecondFactors,
}

impl Scene {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = StateDirectory::new(&directory.path().join("api"));
        let open = || SecondFactors::open(&state).unwrap();
        Self { one: open(), other: open(), directory }
    }

    /// The same with a factor of alice, confirmed at second 0 with the code of then. Her seed and recovery codes.
    fn enrolled() -> (Self, Seed, Vec<String>) {
        let scene = Self::new();
        let seed = scene.begin("", 0);
        let codes = scene.one.confirm("alice", &code(&seed, 0), at(0)).unwrap().unwrap();
        (scene, seed, codes)
    }

    /// Begins another factor; who has one shows it by this code.
    fn begin(&self, code: &str, second: i64) -> Seed {
        let enrolment = self.one.begin("alice", code, at(second)).unwrap().unwrap();
        Seed::try_from(enrolment.secret.replace(' ', "")).unwrap()
    }

    fn check(&self, code: &str, second: i64) -> Result<Passed, Refusal> {
        self.one.check("alice", code, at(second)).unwrap()
    }

    /// Fails so many times.
    fn fail(&self, times: usize, second: i64) {
        (0..times).for_each(|_| assert_eq!(self.check("wrong", second), Err(Refusal::Invalid)));
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("api/second_factors.json")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }
}

/// The beginning of a step, and so many seconds.
fn at(seconds: i64) -> Time {
    Time::from_milliseconds(1_800_000_000_000 + seconds * 1000)
}

fn code(seed: &Seed, second: i64) -> String {
    seed.code(totp::step_at(at(second)))
}

const STILL_LOCKED: Result<Passed, Refusal> = Err(Refusal::Locked { seconds: 900, is_new: false });
const LOCKED: Result<Passed, Refusal> = Err(Refusal::Locked { seconds: 900, is_new: true });

#[test]
fn a_code_works_once_ever() {
    let (scene, seed, _) = Scene::enrolled();
    assert_eq!(scene.check(&code(&seed, 0), 1), Err(Refusal::Invalid), "it has confirmed the factor");
    let (a, b) = (code(&seed, 60), code(&seed, 90));
    assert_eq!(scene.check(&a, 61), Ok(Passed::Totp));
    assert_eq!(scene.check(&a, 62), Err(Refusal::Invalid));
    assert_eq!(scene.other.check("alice", &b, at(63)).unwrap(), Ok(Passed::Totp), "the next step's, at another API");
    assert_eq!(scene.check(&a, 64), Err(Refusal::Invalid), "A, B, A");
    assert_eq!(scene.check(&b, 65), Err(Refusal::Invalid));
    let spaced = code(&seed, 120);
    assert_eq!(scene.check(&format!(" {} {}\n", &spaced[..3], &spaced[3..]), 121), Ok(Passed::Totp));
    assert_eq!(scene.check("12345", 121), Err(Refusal::Invalid));
    assert_eq!(scene.one.check("bob", "123456", at(0)).unwrap(), Err(Refusal::NotEnrolled));
    assert!(!scene.text().contains("bob"), "who has no factor leaves no trace");
}

#[test]
fn of_many_who_give_the_same_code_at_once_one_wins() {
    let (scene, seed, codes) = Scene::enrolled();
    for code in [&code(&seed, 60), &codes[0]] {
        let check = || scene.other.check("alice", code, at(60)).unwrap().is_ok();
        let wins = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(check)).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap().then_some(())).count()
        });
        assert_eq!(wins, 1);
    }
}

#[test]
fn five_failures_lock_whoever_counts_them() {
    let (scene, seed, codes) = Scene::enrolled();
    scene.fail(2, 60);
    assert_eq!(scene.check(&code(&seed, 60), 60), Ok(Passed::Totp), "which makes failures forgotten");
    scene.fail(2, 61);
    for _ in 0..2 {
        assert_eq!(scene.other.check("alice", "00-000", at(62)).unwrap(), Err(Refusal::Invalid));
    }
    assert_eq!(scene.check("wrong", 63), LOCKED, "the fifth is told");
    let reopened = SecondFactors::open(&scene.one.directory).unwrap();
    for right in [&code(&seed, 90), &codes[0]] {
        assert_eq!(reopened.check("alice", right, at(63)).unwrap(), STILL_LOCKED);
    }
    assert_eq!(scene.check(&code(&seed, 962), 962), Err(Refusal::Locked { seconds: 1, is_new: false }));
    assert_eq!(scene.check(&code(&seed, 963), 963), Ok(Passed::Totp), "what was refused is not used up");
    assert_eq!(scene.check(&codes[0], 963), Ok(Passed::Recovery { left: 9 }));
}

#[test]
fn failures_of_a_confirmation_count_alike() {
    let (scene, old, codes) = Scene::enrolled();
    let seed = scene.begin(&codes[9], 60);
    scene.fail(2, 60);
    let confirm = |code: &str, second| scene.one.confirm("alice", code, at(second)).unwrap();
    assert_eq!([confirm("00000", 61), confirm(&code(&old, 60), 61)], [Err(Refusal::Invalid), Err(Refusal::Invalid)]);
    assert_eq!(confirm("", 62), Err(Refusal::Locked { seconds: 900, is_new: true }));
    assert_eq!(confirm(&code(&seed, 62), 62), Err(Refusal::Locked { seconds: 900, is_new: false }));
    assert_eq!(scene.check(&code(&old, 62), 62), STILL_LOCKED);
    assert!(scene.one.remove("alice").unwrap() && !scene.one.is_enrolled("alice"));
    let seed = scene.begin("", 63);
    assert!(confirm(&code(&seed, 63), 63).is_ok(), "a reset ends the lock, too");
}

#[test]
fn an_enrolment_touches_nothing_until_it_is_confirmed() {
    let (scene, old, codes) = Scene::enrolled();
    let confirm = |user: &str, code: &str, second| scene.other.confirm(user, code, at(second)).unwrap().map(drop);
    let (first, second) = (scene.begin(&codes[8], 60), scene.begin(&codes[9], 70));
    assert_eq!(scene.check(&code(&old, 80), 80), Ok(Passed::Totp));
    assert_eq!(confirm("bob", &code(&second, 80), 80), Err(Refusal::NothingPending), "it is alice's");
    assert_eq!(confirm("alice", &code(&first, 80), 80), Err(Refusal::Invalid), "it was replaced");
    assert_eq!(confirm("alice", &code(&second, 969), 970), Err(Refusal::NothingPending), "15 minutes are over");
    assert_eq!(confirm("alice", &code(&second, 969), 969), Ok(()));
    assert_eq!(confirm("alice", &code(&second, 999), 999), Err(Refusal::NothingPending), "once");
    assert_eq!(scene.check(&code(&old, 1020), 1020), Err(Refusal::Invalid));
    assert_eq!(scene.check(&code(&second, 1020), 1020), Ok(Passed::Totp));
    assert!(scene.other.is_enrolled("alice") && scene.one.enrolled() == ["alice"]);
}

#[test]
fn who_has_not_shown_a_factor_does_not_replace_it() {
    let scene = Scene::new();
    let thief = scene.begin("", 0);
    let owner = scene.other.begin("alice", "", at(1)).unwrap().unwrap();
    let seed = Seed::try_from(owner.secret.replace(' ', "")).unwrap();
    assert!(scene.other.confirm("alice", &code(&seed, 1), at(1)).unwrap().is_ok());
    let begun = |code: &str| scene.one.begin("alice", code, at(60)).unwrap().map(drop);
    assert_eq!([begun(""), begun("000000")], [Err(Refusal::Invalid); 2], "this process does not know of it yet");
    assert_eq!(scene.one.confirm("alice", &code(&thief, 60), at(60)).unwrap(), Err(Refusal::NothingPending));

    // Begun before there was a factor, and confirmed after the host had made one.
    let scene = Scene::new();
    let thief = scene.begin("", 0);
    let text = scene.text();
    scene.one.code_now("alice", at(10)).unwrap();
    let pending: serde_json::Value = serde_json::from_str(&text).unwrap();
    let mut records: serde_json::Value = serde_json::from_str(&scene.text()).unwrap();
    records["alice"]["pending"] = pending["alice"]["pending"].clone();
    std::fs::write(scene.path(), records.to_string()).unwrap();
    assert_eq!(scene.one.confirm("alice", &code(&thief, 10), at(10)).unwrap(), Err(Refusal::NothingPending));
}

#[test]
fn recovery_codes_work_once_and_are_renewed_as_a_whole() {
    let (scene, _, codes) = Scene::enrolled();
    assert_eq!(scene.one.recovery_codes_left("alice"), 10);
    assert_eq!(scene.check(&codes[0].to_uppercase().replace('-', ""), 0), Ok(Passed::Recovery { left: 9 }));
    assert_eq!(scene.check(&codes[0], 0), Err(Refusal::Invalid));
    let renewed = scene.other.renew_recovery_codes("alice").unwrap();
    assert!(scene.one.refresh().unwrap() && scene.one.recovery_codes_left("alice") == 10);
    assert_eq!(scene.check(&codes[1], 0), Err(Refusal::Invalid));
    assert_eq!(scene.check(&renewed[1], 0), Ok(Passed::Recovery { left: 9 }));
    assert!(scene.one.renew_recovery_codes("bob").unwrap().is_empty() && !scene.text().contains("bob"));
    let text = scene.text();
    assert!(codes.iter().chain(&renewed).all(|code| !text.contains(code) && !text.contains(&code.replace('-', ""))));
}

#[test]
fn a_clock_that_goes_back_opens_nothing() {
    let (scene, seed, codes) = Scene::enrolled();
    let now = code(&seed, 7200);
    assert_eq!(scene.check(&now, 7200), Ok(Passed::Totp));
    assert_eq!(scene.check(&now, 7200 - 29), Err(Refusal::Invalid));
    assert_eq!(scene.check(&code(&seed, 3600), 3600), Err(Refusal::Invalid), "a step before the last one used");
    let wait = scene.one.code_now("alice", at(3600)).unwrap().code.err();
    assert_eq!(wait, Some(AllUsed { seconds: 3600 }), "that of the step after it is the next, a step early");
    assert_eq!(scene.check(&codes[0], 3600), Ok(Passed::Recovery { left: 9 }), "the way in until then");
    scene.begin(&codes[9], 7200);
    let late = scene.one.confirm("alice", "00000", at(3600)).unwrap();
    assert_eq!(late, Err(Refusal::NothingPending), "an enrolment of another time");
    scene.begin(&codes[8], 3602);
    assert_eq!(scene.one.confirm("alice", "00000", at(3600)).unwrap(), Err(Refusal::Invalid), "clocks differ a little");
    assert_eq!(scene.check("", -1_800_000_001), Err(Refusal::Invalid), "before the epoch");
}

#[test]
fn the_host_makes_a_factor_and_tells_codes_that_are_accepted() {
    let scene = Scene::new();
    let began = scene.begin("", 0);
    let first = scene.one.code_now("alice", at(10)).unwrap();
    let seed = Seed::try_from(first.enrolment.secret.replace(' ', "")).unwrap();
    let told = |second| {
        let told = scene.other.code_now("alice", at(second)).unwrap();
        assert!(!told.made && told.enrolment.uri == seed.uri("alice"), "the same factor");
        told.code.map(|code| (code.digits, code.seconds))
    };
    assert!(first.made && first.code.is_ok_and(|now| (now.digits, now.seconds) == (code(&seed, 0), 50)));
    let pending = scene.one.confirm("alice", &code(&began, 10), at(10)).unwrap();
    assert_eq!(pending, Err(Refusal::NothingPending), "who has not shown to be alice does not replace it");
    assert_eq!(scene.check(&told(10).unwrap().0, 10), Ok(Passed::Totp));
    assert_eq!(told(10), Ok((code(&seed, 30), 80)), "the code of now was used");
    assert_eq!(scene.check(&told(10).unwrap().0, 10), Ok(Passed::Totp));
    assert_eq!([told(10), told(29)], [20, 1].map(|seconds| Err(AllUsed { seconds })));
    assert_eq!(scene.check(&told(30).unwrap().0, 30), Ok(Passed::Totp));
}

#[test]
fn what_an_app_is_told_is_complete() {
    let scene = Scene::new();
    let Enrolment { secret, uri, qr } = scene.one.begin("alice", "", at(0)).unwrap().unwrap();
    let groups: Vec<&str> = secret.split(' ').collect();
    assert!(groups.len() == 8 && groups.iter().all(|group| group.len() == 4), "{secret}");
    assert_eq!(uri, format!("otpauth://totp/SpiderPig:alice?secret={}&issuer=SpiderPig", groups.concat()));
    assert_eq!(qr, qr::rows(&uri));
}

#[test]
fn secrets_stay_where_they_are() {
    let (scene, seed, codes) = Scene::enrolled();
    scene.begin(&codes[9], 0);
    assert_eq!(scene.path().metadata().unwrap().mode() & 0o7777, 0o600);
    assert_eq!(scene.path().parent().unwrap().metadata().unwrap().mode() & 0o7777, 0o700);
    let key = seed.key();
    let hides = |text: &str| [&key, &codes[0], &digest(&codes[0])].iter().all(|secret| !text.contains(secret.as_str()));
    let text = scene.text();
    assert!(text.contains(&key) && text.contains(&digest(&codes[0])));
    assert!(hides(&format!("{:?}", scene.one)), "{:?}", scene.one);
    let known = scene.one.recovery_codes_left("alice");
    let secret_as_number = text.replacen("\"used\": ", &format!("\"used\": \"{key}\", \"was\": "), 1);
    let secret_as_seed = text.replacen(&key, &codes[0], 1);
    for damaged in [&text[..text.len() / 2], &secret_as_number, &secret_as_seed, &format!("\"{key}\"")] {
        std::fs::write(scene.path(), damaged).unwrap();
        let error = scene.one.check("alice", &codes[0], at(0)).unwrap_err().to_string();
        assert!(error.contains("second_factors.json: it is damaged") && hides(&error), "{error}");
        assert!(scene.one.refresh().is_err() && SecondFactors::open(&scene.one.directory).is_err());
        assert_eq!(
            (scene.text().as_str(), scene.one.recovery_codes_left("alice")),
            (damaged, known),
            "not overwritten"
        );
    }
}

fn digest(code: &str) -> String {
    crate::digest::sha256(format!("alice\n{}", code.replace('-', "")))
}
