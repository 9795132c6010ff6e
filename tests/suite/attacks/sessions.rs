//! Cookies: planted, forged, found, or kept for too long.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use spiderpig::digest::hexadecimal;
use spiderpig::spool::Time;

use super::{Stage, at_once, code, get, post, sign_in, try_password, wait_out, who};
use crate::otp;
use crate::support::wait_until;

/// A secret that is signed with a key.
fn signed(secret: &str, key: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(secret).finalize().into_bytes();
    format!("{secret}.{}", hexadecimal(&mac))
}

fn field(value: &str) -> String {
    format!("Cookie: session={value}\r\n")
}

/// The value of a cookie field.
fn value(field: &str) -> &str {
    field.trim().strip_prefix("Cookie: session=").unwrap()
}

#[test]
fn a_cookie_that_was_there_before_is_worth_nothing_after_signing_in() {
    let stage = Stage::local();
    let api = &stage.api;
    let key = fs::read(stage.spool.state_directory().join("cookie.key")).unwrap();
    let planted = [
        field("planted"),
        field(&signed(&"0".repeat(64), &key)),
        sign_in(api, "mallory"),
        sign_in(api, "alice"),
        sign_in(api, "bob"),
    ];
    for planted in planted {
        let reply = try_password(api, "alice", super::PASSWORD, &planted);
        let session = reply.cookie();
        assert!(reply.status == 200 && session != planted && !session.is_empty(), "{reply:?}");
        assert_eq!((who(api, &session), who(api, &planted)), (json!("alice"), Value::Null), "{planted}");
    }
}

#[test]
fn the_cookie_changes_with_the_second_factor() {
    let stage = Stage::local();
    let api = &stage.api;
    let half = sign_in(api, "bob");
    assert_eq!(get(api, "/api/jobs", &half).code(), "need2fa");
    let whole = post(api, "/api/2fa", &half, code("bob", 0)).cookie();
    assert!(whole != half && get(api, "/api/jobs", &whole).status == 200);
    assert_eq!((who(api, &half), get(api, "/api/jobs", &half).status), (Value::Null, 401));
    // Nor can a right code wake it again.
    assert_eq!(post(api, "/api/2fa", &half, code("bob", 30)).code(), "needauth");
}

#[test]
fn the_cookie_changes_with_an_enrolment_and_every_other_session_ends() {
    let stage = Stage::with("", "two_factor = true\n");
    let api = &stage.api;
    let (other, half) = (sign_in(api, "alice"), sign_in(api, "alice"));
    let enrolment = post(api, "/api/2fa/enrol", &half, "").json();
    let seed = enrolment["secret"].as_str().unwrap().replace(' ', "");
    let used = otp::code(&seed, 0);
    let reply = post(api, "/api/2fa/confirm", &half, &used);
    assert_eq!(reply.status, 200, "{reply:?}");
    let whole = reply.cookie();
    assert_eq!((who(api, &whole), who(api, &half), who(api, &other)), (json!("alice"), Value::Null, Value::Null));
    assert_eq!(get(api, "/api/jobs", &whole).status, 200);
    // Whoever has only the password now can neither go in nor take the second factor's place.
    let late = sign_in(api, "alice");
    for body in [String::new(), json!({ "code": used }).to_string()] {
        assert_eq!(post(api, "/api/2fa/enrol", &late, body).status, 400);
    }
    assert_eq!(post(api, "/api/2fa/confirm", &late, otp::code(&seed, 30)).status, 400);
}

#[test]
fn a_forged_cut_or_foreign_cookie_is_nobody_and_harms_nobody() {
    let stage = Stage::local();
    let api = &stage.api;
    let (session, other) = (sign_in(api, "ada"), sign_in(api, "mallory"));
    let (secret, signature) = value(&session).split_once('.').unwrap();
    let (_, others) = value(&other).split_once('.').unwrap();
    let key = fs::read(stage.spool.state_directory().join("cookie.key")).unwrap();
    let digest = stage.state("sessions.json").as_object().unwrap().keys().next().unwrap().clone();
    let forged = [
        String::new(),
        ".".to_owned(),
        secret.to_owned(),
        format!("{secret}."),
        format!(".{signature}"),
        format!("{secret}.{others}"),
        format!("{secret}.{}", &signature[..62]),
        format!("{secret}.{signature}00"),
        format!("{secret}.{}", signature.to_uppercase()),
        format!("{}.{signature}", secret.to_uppercase()),
        format!("{secret}.{signature}.{signature}"),
        format!("{secret}%2e{signature}"),
        signed(secret, b""),
        signed(secret, &[0; 32]),
        signed(secret, secret.as_bytes()),
        // Not even who has the key has a session.
        signed(&"0".repeat(64), &key),
        signed(&digest, &key),
        signed("", &key),
        signed("ada", &key),
    ];
    assert_eq!(value(&field(&signed(secret, &key))), value(&session), "so it is signed");
    for forged in forged {
        assert_eq!(who(api, &field(&forged)), Value::Null, "{forged}");
        assert_eq!(post(api, "/api/logoutAll", &field(&forged), "").code(), "needauth", "{forged}");
        assert_eq!(post(api, "/api/logout", &field(&forged), "").status, 200, "{forged}");
    }
    let others = [
        "Cookie: Session=",
        "Cookie: session =",
        "Cookie: __Host-session=",
        "X-Cookie: session=",
        "Set-Cookie: session=",
    ];
    for other in others {
        assert_eq!(who(api, &format!("{other}{}\r\n", value(&session))), Value::Null, "{other}");
    }
    assert_eq!((who(api, &session), who(api, &other)), (json!("ada"), json!("mallory")));
}

#[test]
fn a_session_ends_with_its_time_at_every_process() {
    let stage = Stage::local();
    let another = stage.another_api();
    let path = stage.spool.state_directory().join("sessions.json");
    for (name, days) in [("last_seen", 1), ("created", 14)] {
        let session = sign_in(&stage.api, "alice");
        wait_until("the other one knows it", || who(&another, &session) == "alice");
        let mut sessions = stage.state("sessions.json");
        let long_ago = Time::now().as_milliseconds() - days * 24 * 3600 * 1000;
        for (_, session) in sessions.as_object_mut().unwrap() {
            session[name] = json!(Time::from_milliseconds(long_ago).to_string());
        }
        fs::write(&path, sessions.to_string()).unwrap();
        for api in [&stage.api, &another] {
            wait_out(api, &session);
            assert_eq!(get(api, "/api/jobs", &session).code(), "needauth", "{name}");
        }
    }
}

#[test]
fn what_is_left_of_a_sign_in_without_a_code_ends_in_ten_minutes() {
    let stage = Stage::local();
    let half = sign_in(&stage.api, "bob");
    let mut sessions = stage.state("sessions.json");
    let before = Time::now().as_milliseconds() - 10 * 60 * 1000;
    for (_, session) in sessions.as_object_mut().unwrap() {
        session["checked"] = json!(Time::from_milliseconds(before).to_string());
    }
    fs::write(stage.spool.state_directory().join("sessions.json"), sessions.to_string()).unwrap();
    wait_out(&stage.api, &half);
    assert_eq!(post(&stage.api, "/api/2fa", &half, code("bob", 0)).code(), "needauth");
}

#[test]
fn who_has_only_the_password_pushes_nobody_out() {
    let stage = Stage::local();
    let whole = post(&stage.api, "/api/2fa", &sign_in(&stage.api, "bob"), code("bob", 0)).cookie();
    let halves: Vec<String> = (0..25).map(|_| sign_in(&stage.api, "bob")).collect();
    assert!(who(&stage.api, &halves[0]).is_null(), "there is no room for all of them");
    assert_eq!((who(&stage.api, &whole), who(&stage.api, &halves[24])), (json!("bob"), json!("bob")));
}

#[test]
fn a_session_that_ended_at_one_process_is_ended_at_the_others() {
    let stage = Stage::local();
    let another = stage.another_api();
    let end = |session: &str| post(&another, "/api/logout", session, "").status;
    let everybody = |_: &str| post(&another, "/api/logoutAll", &sign_in(&another, "ada"), "").status;
    let ends: [&dyn Fn(&str) -> u16; 2] = [&end, &everybody];
    for end in ends {
        let session = sign_in(&stage.api, "alice");
        wait_until("the other one knows it", || who(&another, &session) == "alice");
        assert_eq!(end(&session), 200);
        assert_eq!(who(&another, &session), Value::Null, "at once where it was ended");
        wait_out(&stage.api, &session);
    }
    let ended = try_password(&another, "alice", super::PASSWORD, "").cookie();
    assert_eq!(post(&another, "/api/logout", &ended, "").status, 200);
    // Who was signed out does not come back with what was written meanwhile.
    at_once(4, |_| sign_in(&stage.api, "alice"));
    assert_eq!((who(&another, &ended), who(&stage.api, &ended)), (Value::Null, Value::Null));
}

#[test]
fn nobody_else_on_the_host_can_read_what_the_api_keeps() {
    let stage = Stage::local();
    sign_in(&stage.api, "alice");
    let bob = sign_in(&stage.api, "bob");
    assert_eq!(post(&stage.api, "/api/2fa", &bob, "000000").status, 400);
    assert_eq!(try_password(&stage.api, "alice", "wrong horse battery", "").status, 401);
    let token = ["token", "create", "--user", "alice", "--scope", "read", "--expires", "1d", "--name", "x"];
    assert!(stage.spool.command("spiderpig-api").args(token).output().unwrap().status.success());
    let directory = stage.spool.state_directory();
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&directory), 0o700);
    let mut seen = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let expected = if entry.file_type().unwrap().is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&entry.path()), expected, "{}", entry.path().display());
        seen.push(entry.file_name().into_string().unwrap());
    }
    for name in ["attempts.json", "audit.jsonl", "cookie.key", "second_factors.json", "sessions.json", "tokens.json"] {
        assert!(seen.iter().any(|other| other == name), "{name} is not among {seen:?}");
    }
}

#[test]
fn a_cookie_is_for_this_host_and_kept_from_scripts() {
    for (url, is_secure) in [("http://localhost:8000", false), ("https://deploy.example.org", true)] {
        let stage = Stage::with(&format!("public_url = \"{url}\"\n"), "two_factor = false\n");
        let reply = try_password(&stage.api, "alice", super::PASSWORD, "");
        let cookie = reply.field("set-cookie").unwrap();
        let mut attributes: Vec<&str> = cookie.split("; ").skip(1).collect();
        attributes.sort_unstable();
        let mut expected = vec!["HttpOnly", "Max-Age=1209600", "Path=/", "SameSite=Lax"];
        expected.extend(is_secure.then_some("Secure"));
        assert_eq!(attributes, expected, "{url}");
        let gone = post(&stage.api, "/api/logout", &reply.cookie(), "");
        let name = if is_secure { "__Host-session" } else { "session" };
        assert!(cookie.starts_with(&format!("{name}=")), "{cookie}");
        let ending = format!("{name}=; Path=/; Max-Age=0; ");
        assert!(gone.field("set-cookie").unwrap().starts_with(&ending), "{gone:?}");
    }
}
