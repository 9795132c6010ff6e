//! The same at a single sign-on that vouches for whoever it is told to, whatever the ticket. One that is true to the
//! protocol is in `tests/suite/cas.rs`.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::accounts::cookie::key::Secret;

/// Vouches for somebody until the test ends. Its address.
async fn vouching_for(user: &str, group: &str) -> String {
    let document = format!(
        "<cas:serviceResponse xmlns:cas=\"http://www.yale.edu/tp/cas\"><cas:authenticationSuccess><cas:user>{user}</cas:user>\
         <cas:attributes><cas:uid>{user}</cas:uid><cas:memberOf>{group}</cas:memberOf></cas:attributes>\
         </cas:authenticationSuccess></cas:serviceResponse>"
    );
    let length = document.len();
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{document}"
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // A question is short, and comes at once.
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}")
}

async fn scene(user: &str, group: &str) -> Scene {
    let bench = Bench::new();
    let people = People::elsewhere(&bench, &vouching_for(user, group).await);
    Scene::of(bench, people).await
}

/// Begins a session of so many hours ago, whose second factor was shown.
fn begin(scene: &Scene, user: &str, hours: i64) -> Secret {
    let then = Time::from_milliseconds(Time::now().as_milliseconds() - hours * 3_600_000);
    let mut session = scene.people.session(user, then);
    (session.groups, session.second_factor) = (vec!["deployers".into()], true);
    scene.people.begin(session)
}

/// Comes back with a ticket.
async fn come_back(scene: &mut Scene, who: &str) -> Reply {
    let reply = scene.get(who, "/api/login?next=/jobs/1").await;
    let sent = cookie_from(&reply).unwrap();
    let (_, state) = reply.header("location").unwrap().split_once("state%3D").unwrap();
    let state = state.split('%').next().unwrap();
    let path = format!("/api/login?ticket=ST-1&state={state}&next=/jobs/1");
    let reply = scene.get(&format!("{who}{sent}"), &path).await;
    assert_eq!(reply.status, 303, "{}", reply.body);
    reply
}

#[tokio::test]
async fn a_ticket_is_not_enough() {
    let mut scene = scene("alice", "deployers").await;
    scene.people.enrol("alice");
    let reply = come_back(&mut scene, "").await;
    assert_eq!(reply.header("location"), Some("/jobs/1"));
    let half = cookie_from(&reply).unwrap();
    assert_eq!(scene.standing(&half).await, "need2fa");
    let whole = scene.show_second_factor(&half, "alice").await;
    assert_eq!((scene.standing(&half).await, scene.standing(&whole).await), ("needauth".into(), "in".into()));
}

#[tokio::test]
async fn who_comes_back_for_the_groups_need_not_show_the_second_factor_again_nor_stays_longer() {
    let mut scene = scene("alice", "admins").await;
    scene.people.enrol("alice");
    let stale = begin(&scene, "alice", 10);
    let stale = scene.people.cookie(&stale);
    assert_eq!(scene.standing(&stale).await, "needauth");
    let reply = come_back(&mut scene, &stale).await;
    let attributes = reply.header("set-cookie").unwrap();
    let seconds: u32 = attributes.split("Max-Age=").nth(1).unwrap().split(';').next().unwrap().parse().unwrap();
    assert!((326 * 3600 - 60..=326 * 3600).contains(&seconds), "ten hours of 336 are over: {attributes}");
    let fresh = cookie_from(&reply).unwrap();
    assert_eq!((scene.standing(&stale).await, scene.standing(&fresh).await), ("needauth".into(), "in".into()));
    assert_eq!(scene.get(&fresh, "/api/whoami").await.json()["isAdmin"], true, "the groups are those of now");
}

#[tokio::test]
async fn a_session_that_has_ended_is_no_second_factor() {
    let mut scene = scene("alice", "deployers").await;
    scene.people.enrol("alice");
    let ended = begin(&scene, "alice", 24);
    let ended = scene.people.cookie(&ended);
    let reply = come_back(&mut scene, &ended).await;
    assert_eq!(scene.standing(&cookie_from(&reply).unwrap()).await, "need2fa");
}

#[tokio::test]
async fn the_ticket_of_somebody_else_changes_nothing() {
    let mut scene = scene("mallory", "deployers").await;
    for hours in [0, 10] {
        let secret = begin(&scene, "alice", hours);
        let cookie = scene.people.cookie(&secret);
        let reply = come_back(&mut scene, &cookie).await;
        assert_eq!(reply.header("location"), Some("/login?problem=other_user&next=/jobs/1"));
        assert_eq!(reply.header("set-cookie"), None);
        assert!(scene.people.sessions().get(&secret.key(), Time::now()).is_some());
        let (event, user, details) = scene.recorded().swap_remove(0);
        assert_eq!(
            (&*event, user.as_deref(), &details["reason"]),
            ("sign_in_refused", Some("mallory"), &json!("other_user"))
        );
    }
}

#[tokio::test]
async fn with_the_single_sign_on_nobody_has_a_password_here() {
    let bench = Bench::new();
    let people = People::elsewhere(&bench, "https://sso.test");
    let mut scene = Scene::of(bench, people).await;
    assert_eq!(scene.try_password("", "user", PASSWORD).await.status, 400);
    let reply = scene.get("", "/api/login?next=/jobs/1").await;
    let location = reply.header("location").unwrap();
    assert!(reply.status == 303 && location.starts_with("https://sso.test/login?service="), "{location}");
    let reply = come_back(&mut scene, "").await;
    assert_eq!(reply.header("location"), Some("/login?problem=unreachable&next=/jobs/1"));
    assert_eq!((reply.status.as_u16(), reply.header("set-cookie")), (303, None));
    let (event, user, details) = scene.recorded().swap_remove(0);
    assert_eq!((&*event, user, &details["reason"]), ("sign_in_refused", None, &json!("unreachable")));
    let alone = scene.get("", "/api/login?ticket=ST-1&next=/jobs/1").await;
    assert_eq!(alone.header("location"), Some("/login?problem=unsolicited&next=/jobs/1"));
    let elsewhere = scene.post("", "/api/logout", "").await.json()["SSOLogoutUrl"].clone();
    assert!(elsewhere.as_str().unwrap().starts_with("https://sso.test/logout"), "{elsewhere}");
}
