//! Guessing: passwords, codes, and who has an account.

use serde_json::json;

use super::{
    BEHIND_A_PROXY, PASSWORD, RECOVERY_CODE, Reply, Stage, at_once, code, count, from, post, sign_in, try_password, who,
};
use crate::support::{resident_megabytes, wait_until};

/// How many guesses a user has, and how many an address.
const OF_A_USER: usize = 10;
const OF_AN_ADDRESS: usize = 50;

/// Whether somebody is told to come back within a quarter of an hour, and not at once.
fn is_told_to_wait(reply: &Reply) -> bool {
    let seconds = reply.field("retry-after").and_then(|seconds| seconds.parse().ok());
    reply.status == 429
        && reply.code() == "rate_limited"
        && seconds.is_some_and(|seconds: u32| (1..=900).contains(&seconds))
}

#[test]
fn of_many_guesses_at_once_no_more_than_the_limit_are_looked_at_and_no_answer_tells_who_is_there() {
    let stage = Stage::with(BEHIND_A_PROXY, "two_factor = false\n");
    let apis = [&stage.api, &stage.another_api()];
    let session = sign_in(&stage.api, "alice");
    let names = ["alice", "nobody"];
    let replies = at_once(48, |n| try_password(apis[n % 4 / 2], names[n % 2], "wrong horse battery", &from(n)));
    let of = |name: usize| replies.iter().skip(name).step_by(2).cloned().collect::<Vec<_>>();
    let (known, unknown) = (of(0), of(1));
    for replies in [&known, &unknown] {
        assert_eq!((count(replies, 401), count(replies, 429)), (OF_A_USER, 24 - OF_A_USER));
        assert!(replies.iter().filter(|reply| reply.status == 429).all(is_told_to_wait), "{replies:?}");
    }
    for status in [401, 429] {
        let with = |replies: &[Reply]| replies.iter().find(|reply| reply.status == status).unwrap().clone();
        assert_eq!(with(&known).compared(), with(&unknown).compared());
    }
    // Not even the right one is looked at now, wherever it comes from; nobody else suffers.
    for (n, api) in apis.into_iter().enumerate() {
        assert!(is_told_to_wait(&try_password(api, "alice", PASSWORD, &from(100 + n))));
        assert!(is_told_to_wait(&try_password(api, "nobody", PASSWORD, &from(100 + n))));
        assert_eq!(try_password(api, "ada", PASSWORD, &from(100 + n)).status, 200);
        wait_until("it knows the session, which goes on", || who(api, &session) == "alice");
    }
}

#[test]
fn many_guesses_from_many_addresses_take_no_memory_for_long() {
    let stage = Stage::with(BEHIND_A_PROXY, "two_factor = false\n");
    let wrong = |n: usize| try_password(&stage.api, &format!("user{n}"), "wrong horse battery", &from(n % 200)).status;
    for round in 0..2 {
        let replies = at_once(60, |n| wrong(60 * round + n));
        assert!(replies.iter().all(|status| *status == 401), "{replies:?}");
    }
    let megabytes = resident_megabytes(stage.api.daemon.pid());
    assert!(megabytes < 120, "{megabytes} MB");
}

#[test]
fn an_address_has_so_many_guesses_whatever_names_it_tries_and_says_of_itself() {
    let stage = Stage::local();
    let guess = |n| {
        let fields = format!("{}X-Real-IP: 192.0.2.{n}\r\nForwarded: for=192.0.2.{n}\r\n", from(n));
        try_password(&stage.api, &format!("user{n}"), PASSWORD, &fields)
    };
    let replies = at_once(OF_AN_ADDRESS + 10, guess);
    assert_eq!((count(&replies, 401), count(&replies, 429)), (OF_AN_ADDRESS, 10));
    assert!(is_told_to_wait(&try_password(&stage.api, "alice", PASSWORD, "")));
}

#[test]
fn whatever_is_wrong_with_a_sign_in_the_answer_is_the_same_to_the_byte() {
    let stage = Stage::with(BEHIND_A_PROXY, "two_factor = false\n");
    stage.set_account("carol", &format!("{}disabled = true\n", super::account("carol", "admins")));
    let restarted = stage.another_api();
    let long = "x".repeat(15 << 10);
    let tries = [
        ("alice", "wrong horse battery"),
        ("bob", "wrong horse battery"),
        ("carol", PASSWORD),
        ("carol", "wrong horse battery"),
        ("nobody", PASSWORD),
        ("Alice", PASSWORD),
        ("alice ", PASSWORD),
        ("alice\0", PASSWORD),
        ("", ""),
        ("alice", ""),
        ("../../etc/passwd", PASSWORD),
        ("<script>alert(1)</script>\r\n", PASSWORD),
        ("\u{202e}ecila", PASSWORD),
        (&long, PASSWORD),
        ("alice", &long),
    ];
    let replies = at_once(tries.len(), |n| try_password(&restarted, tries[n].0, tries[n].1, &from(n)));
    assert_eq!(replies[0].status, 401, "{:?}", replies[0]);
    for (reply, (user, _)) in replies.iter().zip(tries) {
        assert_eq!(reply.compared(), replies[0].compared(), "{user:.40}");
        assert!(reply.cookie().is_empty());
    }
}

#[test]
fn a_code_is_taken_once_ever_whatever_came_between() {
    let stage = Stage::local();
    let apis = [&stage.api, &stage.another_api()];
    let show = |api: usize, session: &str, code: &str| post(apis[api], "/api/2fa", session, code);
    let [first, second, third] = std::array::from_fn(|_| sign_in(&stage.api, "bob"));
    wait_until("the other one knows the last", || who(apis[1], &third) == "bob");
    let (a, b) = (code("bob", 0), code("bob", 30));
    assert_eq!(show(0, &first, &a).status, 200);
    assert_eq!(show(1, &second, &b).status, 200);
    for (api, again) in [(0, a.clone()), (1, format!(" {} {}\n", &a[..3], &a[3..])), (1, b)] {
        let reply = show(api, &third, &again);
        assert_eq!((reply.status, reply.code().as_str()), (400, "invalid"), "{again:?}");
    }
    assert_eq!(post(apis[0], "/api/jobs", &third, "{}").code(), "need2fa");
}

#[test]
fn of_many_who_show_one_code_at_once_at_two_processes_one_gets_in() {
    let stage = Stage::local();
    let apis = [&stage.api, &stage.another_api()];
    for once in [code("bob", 0), RECOVERY_CODE.to_owned()] {
        let sessions: Vec<String> = (0..5).map(|_| sign_in(&stage.api, "bob")).collect();
        wait_until("the other one knows the last", || who(apis[1], &sessions[4]) == "bob");
        let replies = at_once(5, |n| post(apis[n % 2], "/api/2fa", &sessions[n], &once));
        assert_eq!((count(&replies, 200), count(&replies, 400)), (1, 4), "{once}");
        // Who gets it right begins anew, so that the next round has all of its failures.
        let next = if once == RECOVERY_CODE { return } else { code("bob", 30) };
        assert_eq!(post(apis[0], "/api/2fa", &sign_in(&stage.api, "bob"), next).status, 200);
    }
}

#[test]
fn what_is_right_for_one_user_is_wrong_for_another() {
    let stage = Stage::local();
    let bob = sign_in(&stage.api, "bob");
    assert_eq!(post(&stage.api, "/api/2fa", &bob, code("brenda", 0)).status, 400);
    // Both have the same recovery code, and each has their own of it.
    let brenda = sign_in(&stage.api, "brenda");
    assert_eq!(post(&stage.api, "/api/2fa", &brenda, RECOVERY_CODE).status, 200);
    let reply = post(&stage.api, "/api/2fa", &bob, RECOVERY_CODE);
    assert_eq!((reply.status, reply.json()["user"].as_str()), (200, Some("bob")));
    let alice = sign_in(&stage.api, "alice");
    for path in ["/api/2fa", "/api/2fa/confirm", "/api/2fa/remove", "/api/2fa/recovery-codes"] {
        assert_eq!(post(&stage.api, path, &alice, code("bob", 0)).status, 400, "{path}");
    }
}

#[test]
fn the_fifth_wrong_code_locks_at_all_processes_and_then_the_right_one_is_refused_too() {
    let stage = Stage::local();
    let apis = [&stage.api, &stage.another_api()];
    let bob = sign_in(&stage.api, "bob");
    wait_until("the other one knows it", || who(apis[1], &bob) == "bob");
    let wrong = |n: usize| ["000000", "", "abcdef", "99999999"][n % 4];
    let guess = |n: usize| {
        // Those of the two routes count together.
        let (path, wrong) = match n / 2 % 2 {
            0 => ("/api/2fa", wrong(n).to_owned()),
            _ => ("/api/2fa/enrol", json!({ "code": wrong(n) }).to_string()),
        };
        post(apis[n % 2], path, &bob, wrong)
    };
    let replies = at_once(16, guess);
    assert_eq!((count(&replies, 400), count(&replies, 429)), (4, 12), "{replies:?}");
    for api in apis {
        for right in [&code("bob", 0), RECOVERY_CODE] {
            let reply = post(api, "/api/2fa", &bob, right);
            assert!(is_told_to_wait(&reply), "{reply:?}");
        }
        // Nor does it help to begin again.
        let again = sign_in(api, "bob");
        assert!(is_told_to_wait(&post(api, "/api/2fa", &again, code("bob", 0))));
        let brenda = sign_in(api, "brenda");
        assert_eq!(post(api, "/api/2fa", &brenda, "000000").status, 400, "it is bob's that is locked");
    }
}
