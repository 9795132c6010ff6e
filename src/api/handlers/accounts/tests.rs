//! Signing in, going on and signing out, as browsers see it.

mod enrolling;
mod single_sign_on;

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::accounts::testing::{PASSWORD, People, cookie_from, headers};
use crate::api::app::App;
use crate::api::testing::{Bench, Client, Reply, until};
use crate::spool::Time;
use crate::spool::atomic;
use crate::state::testing::SmallDisk;

/// An API that people sign in to, and a connection to it.
struct Scene {
    people: People,
    address: SocketAddr,
    client: Client,
    bench: Bench,
}

impl Scene {
    async fn new() -> Self {
        let bench = Bench::new();
        let people = People::of(&bench);
        Self::of(bench, people).await
    }

    async fn of(bench: Bench, people: People) -> Self {
        let address = Bench::serve(people.app(&bench)).await;
        Self { people, address, client: Client::connect(address).await, bench }
    }

    async fn get(&mut self, who: &str, path: &str) -> Reply {
        self.client.ask_as(who, &format!("GET {path}"), "").await
    }

    async fn post(&mut self, who: &str, path: &str, body: &str) -> Reply {
        self.client.ask_as(who, &format!("POST {path}"), body).await
    }

    async fn try_password(&mut self, who: &str, user: &str, password: &str) -> Reply {
        let credentials = json!({ "user": user, "password": password }).to_string();
        self.post(who, "/api/login", &credentials).await
    }

    /// Shows a password, and what the browser has then.
    async fn sign_in(&mut self, who: &str, user: &str) -> String {
        let reply = self.try_password(who, user, PASSWORD).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        cookie_from(&reply).unwrap()
    }

    /// Shows the second factor, and what the browser has then.
    async fn show_second_factor(&mut self, who: &str, user: &str) -> String {
        let code = self.people.code(user);
        let reply = self.post(who, "/api/2fa", &code).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        cookie_from(&reply).unwrap()
    }

    /// Whether somebody is let in; else why not.
    async fn standing(&mut self, who: &str) -> String {
        let reply = self.get(who, "/api/jobs").await;
        if reply.status == 200 { "in".to_owned() } else { code(&reply) }
    }

    /// Opens a stream of events.
    async fn listen(&self, who: &str) -> Client {
        let mut client = Client::connect(self.address).await;
        client.write(format!("GET /api/events HTTP/1.1\r\nHost: localhost\r\n{who}\r\n")).await;
        let head = client.read_until("\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        client
    }

    /// What was recorded, the newest first: the event, who, and the details.
    fn recorded(&self) -> Vec<(String, Option<String>, Value)> {
        let page = self.bench.audit().page(&crate::audit::Filter::default(), None, 100).unwrap();
        page.entries.into_iter().map(|line| (line.event, line.user, line.details.into())).collect()
    }
}

fn code(reply: &Reply) -> String {
    reply.json()["detail"]["code"].as_str().unwrap_or_default().to_owned()
}

/// What ends a stream that is ended, and not cut off.
const END: &str = "0\r\n\r\n";

#[tokio::test]
async fn every_change_of_what_somebody_may_do_gives_the_browser_another_cookie() {
    let mut scene = Scene::new().await;
    let half = scene.sign_in("", "user").await;
    assert_eq!(scene.standing(&half).await, "need2fa");
    let whole = scene.show_second_factor(&half, "user").await;
    assert_eq!((scene.standing(&half).await, scene.standing(&whole).await), ("needauth".into(), "in".into()));
    let again = scene.sign_in(&whole, "user").await;
    assert_eq!((scene.standing(&whole).await, scene.standing(&again).await), ("needauth".into(), "need2fa".into()));
    let whole = scene.show_second_factor(&again, "user").await;
    let renewed = scene.show_second_factor(&whole, "user").await;
    assert_eq!((scene.standing(&whole).await, scene.standing(&renewed).await), ("needauth".into(), "in".into()));
    assert_eq!(scene.people.sessions().list(None, Time::now()).len(), 1, "nothing is left behind");
}

#[tokio::test]
async fn a_cookie_that_somebody_planted_is_worth_nothing_after_the_sign_in() {
    let mut scene = Scene::new().await;
    let planted = scene.sign_in("", "viewer").await;
    let own = scene.sign_in(&planted, "user").await;
    let own = scene.show_second_factor(&own, "user").await;
    assert_eq!((scene.standing(&planted).await, scene.standing(&own).await), ("needauth".into(), "in".into()));
}

#[tokio::test]
async fn the_cookie_is_kept_from_scripts_and_from_other_sites() {
    let bench = Bench::new();
    People::of(&bench);
    for (public_url, name, is_secure) in
        [("https://spiderpig.test", "__Host-session=", true), ("http://localhost:8000", "session=", false)]
    {
        let people = People::with(&bench, |config| config.api.public_url = public_url.to_owned());
        let mut client = Client::connect(Bench::serve(people.app(&bench)).await).await;
        let credentials = json!({ "user": "user", "password": PASSWORD }).to_string();
        let reply = client.ask_as("", "POST /api/login", &credentials).await;
        let (pair, attributes) = reply.header("set-cookie").unwrap().split_once("; ").unwrap();
        assert!(pair.starts_with(name) && pair.len() > 100, "{pair}");
        let secure = if is_secure { "; Secure" } else { "" };
        assert_eq!(attributes, format!("Path=/; Max-Age=1209600; HttpOnly; SameSite=Lax{secure}"));
        let removed = client.ask_as("", "POST /api/logout", "").await;
        let expected = format!("{name}; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}");
        assert_eq!(removed.header("set-cookie"), Some(&*expected));
    }
}

#[tokio::test]
async fn what_is_wrong_is_not_told() {
    let mut scene = Scene::new().await;
    scene.people.write(|user, account| Some(if user == "viewer" { account + "disabled = true\n" } else { account }));
    scene.people.guard.refresh();
    let mut answers = Vec::new();
    for (user, password) in [
        ("user", "wrong horse battery"),
        ("user", ""),
        ("unknown", PASSWORD),
        ("", ""),
        ("../user", PASSWORD),
        ("User", PASSWORD),
        ("viewer", PASSWORD),
    ] {
        let reply = scene.try_password("", user, password).await;
        assert_eq!((reply.status.as_u16(), reply.header("set-cookie")), (401, None), "{user}");
        answers.push(reply.body);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let names: Vec<Option<String>> = scene.recorded().into_iter().rev().map(|(_, user, _)| user).collect();
    let known = |user: &str| Some(user.to_owned());
    assert_eq!(names, [known("user"), known("user"), None, None, None, None, known("viewer")]);
}

#[tokio::test]
async fn ten_wrong_passwords_lock_whoever_it_is() {
    let mut scene = Scene::new().await;
    for user in ["user", "unknown"] {
        for _ in 0..10 {
            assert_eq!(scene.try_password("", user, "wrong horse battery").await.status, 401);
        }
        let reply = scene.try_password("", user, PASSWORD).await;
        assert_eq!((reply.status.as_u16(), code(&reply)), (429, "rate_limited".to_owned()));
        let seconds: u32 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((800..=900).contains(&seconds) && reply.header("set-cookie").is_none(), "{seconds}");
    }
    let locked = scene.recorded().into_iter().filter(|(event, ..)| event == "locked").collect::<Vec<_>>();
    let what = json!({ "what": "password" });
    let expected = [("locked".to_owned(), None, what.clone()), ("locked".to_owned(), Some("user".to_owned()), what)];
    assert_eq!(locked, expected, "once each, and no name that may be a password");
    scene.sign_in("", "viewer").await;
}

#[tokio::test]
async fn five_wrong_codes_lock_also_the_right_one() {
    let mut scene = Scene::new().await;
    let half = scene.sign_in("", "user").await;
    for _ in 0..4 {
        let reply = scene.post(&half, "/api/2fa", "000").await;
        assert_eq!((reply.status.as_u16(), code(&reply)), (400, "invalid".to_owned()));
    }
    let right = scene.people.code("user");
    for code_given in ["000", &right] {
        let reply = scene.post(&half, "/api/2fa", code_given).await;
        assert_eq!((reply.status.as_u16(), code(&reply)), (429, "rate_limited".to_owned()));
        let seconds: u32 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((800..=900).contains(&seconds) && reply.header("set-cookie").is_none(), "{seconds}");
    }
    assert_eq!(scene.standing(&half).await, "need2fa");
    let events: Vec<String> = scene.recorded().into_iter().map(|(event, ..)| event).collect();
    let refused = vec!["second_factor_refused"; 4];
    assert_eq!(events, [vec!["locked"], refused, vec!["sign_in"]].concat(), "a lock is recorded once");
}

#[tokio::test]
async fn an_attempt_that_nobody_had_time_for_forgives_no_other() {
    let mut scene = Scene::new().await;
    for _ in 0..9 {
        assert_eq!(scene.try_password("", "user", "wrong horse battery").await.status, 401);
    }
    // As if others had all the turns for longer than anybody waits.
    scene.people.look_at_no_passwords();
    for _ in 0..3 {
        assert_eq!(scene.try_password("", "user", "wrong horse battery").await.status, 503);
    }
    let outcome = scene.people.attempt("user", "127.0.0.1");
    assert_eq!(outcome, crate::accounts::attempts::AttemptOutcome::Last, "nine still count");
}

#[tokio::test]
async fn who_is_refused_leaves_a_line_but_not_for_each_try() {
    let mut scene = Scene::new().await;
    let viewer = scene.people.signed_in("viewer");
    for _ in 0..20 {
        assert_eq!(scene.post(&viewer, "/api/jobs?key=hunter2", "{}").await.status, 403);
        assert_eq!(scene.post(&viewer, "/api/jobs/1/signal/kill", "").await.status, 400, "a route of the first one");
    }
    let bad = "Authorization: Bearer sp_hunter2\r\n";
    assert_eq!(scene.get(bad, "/api/jobs").await.status, 401);
    assert_eq!(scene.get(bad, "/api/whoami").await.status, 200, "refused nothing");
    assert_eq!(scene.get("", "/api/jobs").await.status, 401, "who is not signed in has tried nothing");
    let user = scene.people.signed_in("user");
    let elsewhere = format!("{user}Origin: https://evil.test\r\n");
    assert_eq!(scene.post(&elsewhere, "/api/jobs", "{}").await.status, 403);
    let script = scene.people.token("user", &["read"], Time::now());
    assert_eq!(scene.post(&script, "/api/jobs", "{}").await.status, 403);
    let refused = |scene: &Scene| -> Vec<(Option<String>, Value)> {
        let lines = scene.recorded().into_iter().filter(|(event, ..)| event == "refused");
        lines.map(|(_, user, details)| (user, details)).collect()
    };
    let lines = refused(&scene);
    assert_eq!(lines.len(), 5 + 3);
    let of_viewer: Vec<&Value> =
        lines.iter().filter(|(user, _)| user.as_deref() == Some("viewer")).map(|(_, details)| details).collect();
    assert_eq!(of_viewer.len(), 5);
    assert!(of_viewer.iter().any(|details| details["what"] == "POST /api/jobs"));
    assert!(of_viewer.iter().all(|details| details["reason"].as_str().unwrap().starts_with("You have read access")));
    let whats: Vec<_> =
        lines.iter().map(|(user, details)| (user.as_deref(), details["what"].as_str().unwrap())).collect();
    for expected in [(None, "GET /api/jobs"), (None, "POST /api/jobs"), (Some("user"), "POST /api/jobs")] {
        assert!(whats.contains(&expected), "{expected:?}: {whats:?}");
    }
    let of_script = lines.iter().find(|(user, _)| user.as_deref() == Some("user")).unwrap();
    assert!(of_script.1["token"].is_string(), "{}", of_script.1);
    assert!(!format!("{lines:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_code_is_for_who_has_shown_the_password() {
    let mut scene = Scene::new().await;
    let half = scene.sign_in("", "viewer").await;
    let of_another = scene.people.code("user");
    assert_eq!(scene.post(&half, "/api/2fa", &of_another).await.status, 400);
    let json_string = format!("\"{}\"", scene.people.code("viewer"));
    let fields = format!("{half}Content-Type: application/json\r\n");
    assert_eq!(scene.post(&fields, "/api/2fa", &json_string).await.status, 200);
    assert_eq!(scene.post("", "/api/2fa", &of_another).await.status, 401);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_or_all_others() {
    let mut scene = Scene::new().await;
    let [one, two, three, of_another] = ["user", "user", "user", "viewer"].map(|user| scene.people.signed_in(user));
    let list = scene.get(&one, "/api/sessions").await.json();
    let sessions = list["sessions"].as_array().unwrap();
    let current: Vec<&Value> = sessions.iter().filter(|session| session["current"] == true).collect();
    assert_eq!((sessions.len(), current.len()), (3, 1));
    let foreign = scene.get(&of_another, "/api/sessions").await.json()["sessions"][0]["id"].clone();
    let reply = scene.post(&one, &format!("/api/sessions/{}/end", foreign.as_str().unwrap()), "").await;
    assert_eq!(reply.status, 404, "it is somebody else's");
    let own = scene.get(&two, "/api/sessions").await.json();
    let own = own["sessions"].as_array().unwrap().iter().find(|session| session["current"] == true).unwrap().clone();
    let reply = scene.post(&one, &format!("/api/sessions/{}/end", own["id"].as_str().unwrap()), "").await;
    assert_eq!((reply.status.as_u16(), &reply.json()["ended"], reply.header("set-cookie")), (200, &json!(1), None));
    let mut stream = scene.listen(&three).await;
    assert_eq!(scene.post(&one, "/api/sessions/end-others", "").await.json()["ended"], 1);
    stream.read_until(END).await;
    let mut standings = Vec::new();
    for who in [&one, &two, &three, &of_another] {
        standings.push(scene.standing(who).await);
    }
    assert_eq!(standings, ["in", "needauth", "needauth", "in"]);
}

#[tokio::test]
async fn who_signs_out_is_out_everywhere_that_the_cookie_is_known() {
    let mut scene = Scene::new().await;
    let [user, other] = ["user", "user"].map(|user| scene.people.signed_in(user));
    let mut stream = scene.listen(&user).await;
    let half = scene.sign_in("", "viewer").await;
    for who in ["", "Cookie: session=forged.00\r\n", &user, &user, &half] {
        let reply = scene.post(who, "/api/logout", "").await;
        assert_eq!((reply.status.as_u16(), reply.json()["SSOLogoutUrl"].as_str()), (200, Some("/")));
        assert!(reply.header("set-cookie").unwrap().starts_with("session=; "));
    }
    stream.read_until(END).await;
    assert_eq!((scene.standing(&user).await, scene.standing(&other).await), ("needauth".into(), "in".into()));
    assert_eq!(scene.standing(&half).await, "needauth");
    let signed_out = scene.recorded().into_iter().filter(|(event, ..)| event == "sign_out");
    let users: Vec<String> = signed_out.filter_map(|(_, user, _)| user).collect();
    assert_eq!(users, ["viewer", "user"], "who had no session did nothing");
}

#[tokio::test]
async fn on_a_full_disk_who_signs_out_is_out_at_every_api() {
    let bench = Bench::new();
    bench.state_directory().make().unwrap();
    let Some(disk) = SmallDisk::at(bench.state_directory().path()) else { return };
    let people = People::of(&bench);
    let other = People::with(&bench, |_| {});
    let [user, viewer, admin] = ["user", "viewer", "admin"].map(|user| people.signed_in(user));
    let script = people.token("viewer", &["read"], Time::now());
    let id = people.tokens().all()[0].id.clone();
    let elsewhere = |fields: &str| {
        other.guard.refresh();
        other
            .guard
            .identify(&crate::api::request::Request::presented_by(&headers(fields)), Time::now())
            .user()
            .is_some()
    };
    assert!([&user, &viewer, &admin, &script].into_iter().all(|fields| elsewhere(fields)));
    let mut scene = Scene::of(bench, people).await;
    disk.fill();
    assert_eq!(scene.post(&user, "/api/logout", "").await.status, 200);
    assert_eq!((scene.standing(&user).await, elsewhere(&user)), ("needauth".into(), false));
    assert_eq!(scene.post(&viewer, &format!("/api/tokens/{id}/revoke"), "").await.status, 200);
    assert_eq!((scene.standing(&script).await, elsewhere(&script)), ("needauth".into(), false));
    assert_eq!(scene.post(&admin, "/api/users/viewer/end-sessions", "").await.status, 200);
    assert_eq!((scene.standing(&viewer).await, elsewhere(&viewer)), ("needauth".into(), false));
    assert_eq!(scene.post(&admin, "/api/logoutAll", "").await.status, 200);
    assert_eq!((scene.standing(&admin).await, elsewhere(&admin)), ("needauth".into(), false));
}

#[tokio::test]
async fn an_administrator_signs_everybody_out_but_no_script() {
    let mut scene = Scene::new().await;
    let [user, admin] = ["user", "admin"].map(|user| scene.people.signed_in(user));
    let script = scene.people.token("user", &["read"], Time::now());
    let mut stream = scene.listen(&user).await;
    assert_eq!(scene.post(&admin, "/api/logoutAll", "").await.status, 200);
    stream.read_until(END).await;
    let standings = [scene.standing(&user).await, scene.standing(&admin).await, scene.standing(&script).await];
    assert_eq!(standings, ["needauth", "needauth", "in"]);
}

#[tokio::test]
async fn a_token_that_is_revoked_ends_its_streams_and_only_its_user_revokes_it() {
    let mut scene = Scene::new().await;
    let [user, viewer] = ["user", "viewer"].map(|user| scene.people.signed_in(user));
    let script = scene.people.token("user", &["read"], Time::now());
    let id = scene.get(&user, "/api/tokens").await.json()["tokens"][0]["id"].as_str().unwrap().to_owned();
    let mut stream = scene.listen(&script).await;
    assert_eq!(scene.post(&viewer, &format!("/api/tokens/{id}/revoke"), "").await.status, 404);
    assert_eq!(scene.standing(&script).await, "in");
    assert_eq!(scene.post(&user, &format!("/api/tokens/{id}/revoke"), "").await.status, 200);
    stream.read_until(END).await;
    assert_eq!(scene.standing(&script).await, "needauth");
}

#[tokio::test]
async fn administrators_see_and_revoke_the_tokens_of_others_which_is_recorded() {
    let mut scene = Scene::new().await;
    let [user, admin] = ["user", "admin"].map(|user| scene.people.signed_in(user));
    let script = scene.people.token("user", &["read", "answer:greet"], Time::now());
    assert_eq!(scene.get(&user, "/api/users/tokens").await.status, 403);
    let list = scene.get(&admin, "/api/users/tokens").await.json();
    let token = &list["tokens"][0];
    assert_eq!((&token["user"], &token["scopes"]), (&json!("user"), &json!(["read", "answer:greet"])));
    assert!(token.get("sha256").is_none(), "{token}");
    let id = token["id"].as_str().unwrap();
    let mut stream = scene.listen(&script).await;
    for (who, of, status) in
        [(&user, "user", 403), (&admin, "viewer", 404), (&admin, "user", 200), (&admin, "user", 404)]
    {
        let reply = scene.post(who, &format!("/api/users/{of}/tokens/{id}/revoke"), "").await;
        assert_eq!(reply.status.as_u16(), status, "{of}: {}", reply.body);
    }
    stream.read_until(END).await;
    assert_eq!(scene.standing(&script).await, "needauth");
    let recorded = scene.recorded();
    let line = recorded.iter().find(|(event, ..)| event == "token_changed").unwrap();
    let expected = json!({ "what": "revoked", "token": id, "of": "user" });
    assert_eq!((line.1.as_deref(), &line.2), (Some("admin"), &expected));
}

#[tokio::test]
async fn nobody_comes_in_unrecorded() {
    let mut scene = Scene::new().await;
    let half = scene.sign_in("", "user").await;
    let trail = scene.bench.audit().path().to_owned();
    atomic::remove(&trail).unwrap();
    atomic::create_directory(&trail, 0o700).unwrap();
    let given = json!({ "user": "user", "password": PASSWORD }).to_string();
    let reply = scene.post("", "/api/login", &given).await;
    assert_eq!((reply.status.as_u16(), reply.header("set-cookie")), (503, None), "{}", reply.body);
    assert!(reply.body.contains("spiderpig-api check"), "{}", reply.body);
    assert_eq!(scene.people.sessions().list(None, Time::now()).len(), 1);

    // Who is in goes on, and gets out: their code is used up, and their sign-in was recorded.
    let code = scene.people.code("user");
    assert_eq!(scene.post(&half, "/api/2fa", &code).await.status, 200);
    let user = scene.people.signed_in("user");
    assert_eq!(scene.post(&user, "/api/logout", "").await.status, 200);
    assert_eq!(scene.standing(&user).await, "needauth");
}

#[tokio::test]
async fn a_page_that_only_listens_does_not_use_its_session() {
    let mut scene = Scene::new().await;
    let before = Time::from_milliseconds(Time::now().as_milliseconds() - 600_000);
    let begin = |user| scene.people.begin(scene.people.session(user, before));
    let [listening, asking] = ["user", "viewer"].map(begin);
    let cookies = [&listening, &asking].map(|secret| scene.people.cookie(secret));
    let _stream = scene.listen(&cookies[0]).await;
    assert_eq!(scene.standing(&cookies[1]).await, "in");
    let last_seen = |user: &str| scene.people.sessions().list(Some(user), Time::now())[0].1.last_seen;
    until(|| last_seen("viewer") > before).await;
    assert_eq!(last_seen("user"), before);
}

#[tokio::test]
async fn where_nobody_signs_in_there_is_nothing_of_that() {
    let bench = Bench::new();
    let app: App = bench.app();
    let mut client = Client::connect(Bench::serve(app).await).await;
    for request_line in
        ["GET /api/2fa", "GET /api/sessions", "GET /api/tokens", "GET /api/users", "POST /api/2fa/confirm"]
    {
        let reply = client.ask_as("Cookie: session=x\r\n", request_line, "").await;
        assert!(reply.status == 404 && reply.body.contains("mode is \\\"none\\\""), "{request_line}: {}", reply.body);
    }
    let reply = client.ask("POST /api/logout").await;
    assert_eq!((reply.status.as_u16(), reply.header("set-cookie")), (200, None));
    assert_eq!(client.ask("GET /api/login?next=/jobs/1").await.header("location"), Some("/jobs/1"));
}
