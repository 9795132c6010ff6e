use std::pin::{Pin, pin};
use std::task::{Context, Waker};

use super::session_watch::SessionWatch;
use super::*;
use crate::accounts::attempts::AttemptSubject;
use crate::accounts::identity::{Caller, Identity, Proof};
use crate::accounts::sessions;
use crate::accounts::testing::{People, headers};
use crate::api::request::Request;
use crate::api::testing::{Bench, soon};
use crate::spool::Time;
use crate::spool::atomic;
use crate::spool::atomic::Durability;

const HOUR: Duration = Duration::from_hours(1);

fn now() -> Time {
    Time::now()
}

/// In a word, with the user: who a request comes from, by whose proof, or why that is not known.
fn who(people: &People, fields: &str, now: Time) -> String {
    match people.guard.identify(&Request::presented_by(&headers(fields)), now) {
        Identity::Nobody(unknown) => format!("{unknown:?}"),
        Identity::PendingSecondFactor(pending) => format!("half {}", pending.user),
        Identity::Authenticated(Caller { user, role, proof: Proof::Token { .. }, .. }) => {
            format!("token of {user}: {role:?}")
        }
        Identity::Authenticated(Caller { user, role, .. }) => format!("{user}: {role:?}"),
    }
}

#[test]
fn a_cookie_shows_who_it_is() {
    let bench = Bench::new();
    let people = People::of(&bench);
    for (user, expected) in [
        ("half", "half half"),
        ("stranger", "stranger: Stranger"),
        ("viewer", "viewer: Viewer"),
        ("user", "user: User"),
        ("admin", "admin: Admin"),
    ] {
        assert_eq!(who(&people, &people.signed_in(user), now()), expected);
    }
    let cookie = people.signed_in("user");
    let forged = cookie.replace("=0", "=1").replace("=f", "=e").replace('.', "0.");
    assert_eq!(who(&people, "", now()), "NotSignedIn");
    assert_eq!(who(&people, "Cookie: theme=dark\r\n", now()), "NotSignedIn");
    assert_eq!(who(&people, &forged, now()), "Ended");
    assert_eq!(who(&people, &format!("Cookie: session=x\r\n{cookie}"), now()), "user: User");
}

#[test]
fn a_token_counts_more_than_a_cookie() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let cookie = people.signed_in("admin");
    let token = people.token("user", &["read"], now());
    assert_eq!(who(&people, &format!("{cookie}{token}"), now()), "token of user: User");
    assert_eq!(who(&people, &format!("{cookie}Authorization: Bearer nonsense\r\n"), now()), "Token");
    assert_eq!(who(&people, &format!("{cookie}Authorization: Bearer \u{e9}\r\n"), now()), "Token");
    assert_eq!(who(&people, &token.replace("Bearer", "bEARER"), now()), "token of user: User");
    let proxy = "Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n";
    assert_eq!(
        who(&people, &format!("{proxy}{cookie}"), now()),
        "admin: Admin",
        "other schemes are a proxy's business"
    );
    assert_eq!(who(&people, &format!("{proxy}{token}"), now()), "token of user: User");
    assert_eq!(who(&people, &token, sessions::after(now(), HOUR)), "Token", "it has expired");
}

#[test]
fn who_is_disabled_or_gone_is_out_also_with_a_token() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let proofs = [people.signed_in("user"), people.token("user", &["read"], now()), people.signed_in("admin")];
    let seen = || proofs.each_ref().map(|fields| who(&people, fields, now()));
    people.write(|user, account| Some(if user == "user" { account + "disabled = true\n" } else { account }));
    people.guard.refresh();
    assert_eq!(seen(), ["Ended", "Token", "admin: Admin"]);
    people.write(|_, account| Some(account));
    people.guard.refresh();
    assert_eq!(seen(), ["Ended", "token of user: User", "admin: Admin"], "a session that has ended does not come back");
    people.write(|user, account| (user != "user").then_some(account));
    people.guard.refresh();
    assert_eq!(seen(), ["Ended", "Token", "admin: Admin"]);
}

#[test]
fn another_password_ends_what_was_begun_with_the_old_one() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let (cookie, token) = (people.signed_in("user"), people.token("user", &["read"], now()));
    people.write(|_, account| Some(account.replace("FBb", "GBb")));
    people.guard.refresh();
    assert_eq!(who(&people, &cookie, now()), "Ended");
    assert_eq!(who(&people, &token, now()), "token of user: User", "a script never had the password");
    let mut session = people.session("user", now());
    session.password = None;
    assert_eq!(who(&people, &people.cookie(&people.begin(session)), now()), "Ended", "it is of another mode");
}

#[test]
fn groups_are_those_of_now() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let cookie = people.signed_in("user");
    people.write(|_, account| Some(account.replace("deployers", "readers\", \"admins")));
    people.guard.refresh();
    assert_eq!(who(&people, &cookie, now()), "user: Admin");
    people.write(|_, account| Some(account.replace("deployers", "")));
    assert_eq!(who(&people, &cookie, now()), "user: Admin", "nobody has told of it");
    people.guard.refresh();
    assert_eq!(who(&people, &cookie, now()), "user: Admin", "a damaged file is not believed");
    assert_eq!(people.guard.problems().len(), 1);
}

#[test]
fn the_groups_of_the_single_sign_on_are_asked_for_again_after_an_hour() {
    let bench = Bench::new();
    let people = People::elsewhere(&bench, "https://sso.test");
    let mut session = people.session("alice", now());
    (session.groups, session.second_factor) = (vec!["admins".into()], true);
    let checked = session.checked;
    let cookie = people.cookie(&people.begin(session));
    let after = |duration| sessions::after(checked, duration);
    assert_eq!(who(&people, &cookie, after(HOUR.saturating_sub(Duration::from_millis(1)))), "alice: Admin");
    assert_eq!(who(&people, &cookie, after(HOUR)), "Stale");
    assert_eq!(who(&people, &people.token("alice", &["read"], now()), now()), "Token", "it was given no groups");
}

#[test]
fn the_second_factor_has_to_be_shown_within_ten_minutes() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let session = people.session("half", now());
    let begun = session.checked;
    let cookie = people.cookie(&people.begin(session));
    let after = |seconds| sessions::after(begun, Duration::from_secs(seconds));
    assert_eq!(who(&people, &cookie, after(599)), "half half");
    assert_eq!(who(&people, &cookie, after(600)), "Ended");
    assert_eq!(who(&people, &people.signed_in("user"), after(600)), "user: User");
}

#[test]
fn where_nobody_needs_a_second_factor_who_has_one_shows_it() {
    let bench = Bench::new();
    People::of(&bench);
    let people = People::with(&bench, |config| config.auth.two_factor = false);
    assert_eq!(who(&people, &people.signed_in("half"), now()), "half: User");
    let mut session = people.session("user", now());
    session.second_factor = false;
    assert_eq!(who(&people, &people.cookie(&people.begin(session)), now()), "half user");
}

#[test]
fn a_use_is_noted_every_five_minutes() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let session = people.session("user", now());
    let begun = session.checked;
    let cookie = headers(&people.cookie(&people.begin(session)));
    let after = |seconds| sessions::after(begun, Duration::from_secs(seconds));
    let session_use = |now| {
        let identity = people.guard.identify(&Request::presented_by(&cookie), now);
        people.guard.session_use(&identity, now)
    };
    assert!(session_use(after(299)).is_none());
    let noting = session_use(after(300)).unwrap();
    assert!(session_use(after(300)).is_none(), "another one is just being noted");
    noting.note();
    assert!(session_use(after(599)).is_none());
    assert!(session_use(after(600)).is_some());
    let token = headers(&people.token("user", &["read"], now()));
    let script = people.guard.identify(&Request::presented_by(&token), now());
    assert!(people.guard.session_use(&script, after(600)).is_none(), "a script has no session");
}

#[test]
fn a_cookie_needs_no_tls_on_this_machine_only() {
    for plain in ["http://localhost", "http://localhost:8000", "http://127.0.0.1", "http://[::1]", "http://[::1]:8000"]
    {
        assert!(is_plain_localhost(plain), "{plain}");
    }
    for other in [
        "https://localhost",
        "https://deploy.example.org",
        "http://deploy.example.org",
        "http://localhost.example.org",
        "http://localhost.example.org:80",
        "http://127.0.0.1.example.org",
        "",
    ] {
        assert!(!is_plain_localhost(other), "{other}");
    }
}

/// What a stream depends on that somebody opens now.
fn standing(people: &People, fields: &str) -> SessionWatch {
    let Identity::Authenticated(caller) = people.guard.identify(&Request::presented_by(&headers(fields)), now()) else {
        panic!("they are not let in")
    };
    people.guard.watch(&caller, now())
}

fn is_lost(lost: &mut Pin<&mut impl Future>) -> bool {
    lost.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let secret = people.begin(people.session("user", now()));
    let mut lost = pin!(standing(&people, &people.cookie(&secret)).lost());
    let mut other = pin!(standing(&people, &people.signed_in("user")).lost());
    assert!(!is_lost(&mut lost) && !is_lost(&mut other));
    people.guard.sessions.end(|key, _| key == secret.key()).unwrap();
    people.guard.tell();
    assert!(is_lost(&mut lost) && !is_lost(&mut other));
}

#[tokio::test]
async fn a_stream_ends_when_its_session_goes_on_under_another_name() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let secret = people.begin(people.session("user", now()));
    let mut lost = pin!(standing(&people, &people.cookie(&secret)).lost());
    people.guard.sessions.complete(&secret.key(), now()).unwrap().unwrap();
    people.guard.tell();
    assert!(is_lost(&mut lost));
}

#[tokio::test]
async fn a_stream_ends_when_its_user_is_disabled_or_may_do_less() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let proofs = ["viewer", "user", "admin"].map(|user| people.signed_in(user));
    let token = people.token("user", &["read"], now());
    let [viewer, user, admin] = proofs.each_ref().map(|fields| standing(&people, fields).lost());
    let (mut viewer, mut user, mut admin) = (pin!(viewer), pin!(user), pin!(admin));
    let mut script = pin!(standing(&people, &token).lost());
    let mut change = |change: &dyn Fn(&str, String) -> String| {
        people.write(|user, account| Some(change(user, account)));
        people.guard.refresh();
        [is_lost(&mut viewer), is_lost(&mut user), is_lost(&mut script), is_lost(&mut admin)]
    };
    assert_eq!(change(&|_, account| account.replace("readers", "deployers")), [false; 4], "more is no loss");
    assert_eq!(change(&|_, account| account.replace("admins", "deployers")), [false, false, false, true]);
    // Those that are lost are not asked again.
    let mut change = |change: &dyn Fn(&str, String) -> String| {
        people.write(|user, account| Some(change(user, account)));
        people.guard.refresh();
        [is_lost(&mut viewer), is_lost(&mut user), is_lost(&mut script)]
    };
    let disabled = |user: &str, account: String| if user == "user" { account + "disabled = true\n" } else { account };
    assert_eq!(change(&disabled), [false, true, true]);
}

#[tokio::test]
async fn a_stream_ends_when_its_user_leaves_a_group_that_a_job_type_is_for() {
    let bench = Bench::new();
    People::of(&bench);
    let people = People::with(&bench, |config| config.job_types.get_mut("greet").unwrap().groups = vec!["crew".into()]);
    let with = |groups: &str| {
        people.write(|_, account| Some(account.replace("\"deployers\"", groups)));
        people.guard.refresh();
    };
    with("\"deployers\", \"crew\", \"choir\"");
    let mut lost = pin!(standing(&people, &people.signed_in("user")).lost());
    with("\"deployers\", \"crew\"");
    assert!(!is_lost(&mut lost), "no job type is for the choir");
    with("\"deployers\"");
    assert!(is_lost(&mut lost));
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_revoked_or_expires() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let mut lost = pin!(standing(&people, &people.token("user", &["read"], now())).lost());
    assert!(!is_lost(&mut lost));
    let id = people.guard.tokens.all()[0].id.clone();
    people.guard.tokens.revoke(&id, None).unwrap().unwrap();
    people.guard.tell();
    assert!(is_lost(&mut lost));
    let nearly = Time::from_milliseconds(now().as_milliseconds() - 3_599_000);
    soon(standing(&people, &people.token("user", &["read"], nearly)).lost()).await;
}

#[tokio::test]
async fn a_stream_ends_when_the_single_sign_on_has_to_be_asked_again() {
    let bench = Bench::new();
    let people = People::elsewhere(&bench, "https://sso.test");
    let mut session = people.session("alice", Time::from_milliseconds(now().as_milliseconds() - 3_599_000));
    (session.groups, session.second_factor) = (vec!["admins".into()], true);
    let cookie = people.cookie(&people.begin(session));
    soon(standing(&people, &cookie).lost()).await;
    assert_eq!(who(&people, &cookie, now()), "Stale");
}

#[test]
fn a_damaged_file_of_tokens_or_attempts_keeps_nobody_out() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let (cookie, token) = (people.signed_in("user"), people.token("user", &["read"], now()));
    let damage = |name: &str, text: &[u8]| {
        atomic::replace(&bench.state_directory().join(name), text, 0o600, Durability::Ordered).unwrap();
    };
    damage("tokens.json", b"[");
    damage("attempts.json", b"");
    let other = People::with(&bench, |_| {});
    other.guard.refresh();
    assert_eq!((who(&other, &cookie, now()), who(&other, &token, now())), ("user: User".into(), "Token".into()));
    let [problem] = &other.guard.problems()[..] else { panic!("{:?}", other.guard.problems()) };
    assert!(problem.contains("tokens.json") && bench.state_directory().join("attempts.json.damaged").exists());
    damage("attempts.json", b"[");
    other.guard.refresh();
    assert!(other.guard.problems().iter().any(|problem| problem.contains("attempts.json")));
}

#[test]
fn nobody_needs_no_second_factor_any_more_because_the_file_is_gone_or_empty() {
    let bench = Bench::new();
    let people = People::of(&bench);
    let path = bench.state_directory().join("second_factors.json");
    atomic::replace(&path, b"", 0o600, Durability::Ordered).unwrap();
    people.guard.refresh();
    assert!(people.guard.second_factors.is_enrolled("user") && people.guard.problems().len() == 1);
    assert!(Guard::open(&people.config, Duration::ZERO).is_err());
    atomic::remove(&path).unwrap();
    people.guard.refresh();
    assert!(people.guard.second_factors.is_enrolled("user") && people.guard.problems().len() == 1);
}

#[test]
fn the_files_of_sign_ins_are_known_by_their_names() {
    let bench = Bench::new();
    let people = People::of(&bench);
    people.signed_in("user");
    people.token("user", &["read"], now());
    people.guard.attempts.begin(AttemptSubject::Account("user"), "unix".parse().unwrap(), now()).unwrap();
    let paths = bench.state_directory().path().read_dir().unwrap().map(|entry| entry.unwrap().path());
    let documents = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let mut names: Vec<_> = documents.map(|path| path.file_name().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, crate::accounts::FILES);
}
