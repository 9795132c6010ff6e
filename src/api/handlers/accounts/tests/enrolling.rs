//! Setting up a second factor, replacing it, and going on without.

use serde_json::json;

use super::*;
use crate::accounts::testing::code_of;

#[tokio::test]
async fn a_recovery_code_works_once() {
    let mut scene = Scene::new().await;
    let user = scene.people.signed_in("user");
    let code_given = scene.people.code("user");
    let reply = scene.post(&user, "/api/2fa/recovery-codes", &code_given).await;
    let recovery = reply.json()["recovery_codes"][0].as_str().unwrap().to_owned();
    let half = scene.sign_in("", "user").await;
    let reply = scene.post(&half, "/api/2fa", &recovery).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["recovery_codes_left"]), (200, &json!(9)));
    let (event, _, details) = scene.recorded().swap_remove(0);
    assert_eq!((&*event, &details["by"]), ("second_factor", &json!("recovery code")));
    let half = scene.sign_in("", "user").await;
    assert_eq!(scene.post(&half, "/api/2fa", &recovery).await.status, 400);
}

#[tokio::test]
async fn who_sets_up_a_second_factor_is_in_and_nobody_else_stays() {
    let mut scene = Scene::new().await;
    let [first, other] = [scene.sign_in("", "half").await, scene.sign_in("", "half").await];
    let somebody = scene.people.signed_in("user");
    let secret = scene.post(&first, "/api/2fa/enrol", "{}").await.json()["secret"].as_str().unwrap().to_owned();
    assert_eq!(scene.post(&first, "/api/2fa/confirm", "000").await.status, 400);
    let reply = scene.post(&first, "/api/2fa/confirm", &code_of(&secret, Time::now())).await;
    assert_eq!((reply.status.as_u16(), reply.json()["recovery_codes"].as_array().unwrap().len()), (200, 10));
    let whole = cookie_from(&reply).unwrap();
    assert_eq!(scene.standing(&whole).await, "in");
    assert_eq!((scene.standing(&first).await, scene.standing(&other).await), ("needauth".into(), "needauth".into()));
    assert_eq!(scene.standing(&somebody).await, "in");
}

#[tokio::test]
async fn another_second_factor_needs_the_one_before_and_ends_other_sessions() {
    let mut scene = Scene::new().await;
    let [own, other] = ["user", "user"].map(|user| scene.people.signed_in(user));
    let mut stream = scene.listen(&other).await;
    let half = scene.sign_in("", "user").await;
    for who in [&half, &own] {
        for body in ["", "{}", "{\"code\":\"000\"}"] {
            let reply = scene.post(who, "/api/2fa/enrol", body).await;
            assert!(reply.status == 400 || reply.status == 429, "{}", reply.body);
        }
    }
    let body = json!({ "code": scene.people.code("user") }).to_string();
    assert_eq!(scene.post(&own, "/api/2fa/enrol", &body).await.status, 429, "guessing is no way around the lock");
    let has_begun = scene.recorded().iter().any(|(_, _, details)| details["what"] == "begun");
    assert!(!has_begun, "who has not shown the code began nothing");
    // An administrator helps, and the user begins again.
    let admin = scene.people.signed_in("admin");
    assert_eq!(scene.post(&admin, "/api/users/user/reset-second-factor", "").await.status, 200);
    stream.read_until(END).await;

    let [own, other] = ["viewer", "viewer"].map(|user| scene.people.signed_in(user));
    let mut stream = scene.listen(&other).await;
    let body = json!({ "code": scene.people.code("viewer") }).to_string();
    let secret = scene.post(&own, "/api/2fa/enrol", &body).await.json()["secret"].as_str().unwrap().to_owned();
    assert_eq!(scene.standing(&other).await, "in", "the old one counts until the new one is confirmed");
    let reply = scene.post(&own, "/api/2fa/confirm", &code_of(&secret, Time::now())).await;
    let own_after = cookie_from(&reply).unwrap();
    stream.read_until(END).await;
    let standings = [scene.standing(&own).await, scene.standing(&other).await, scene.standing(&own_after).await];
    assert_eq!(standings, ["needauth", "needauth", "in"]);
}

#[tokio::test]
async fn a_reset_ends_sessions_and_the_next_sign_in_sets_up_another() {
    let mut scene = Scene::new().await;
    let [user, admin] = ["user", "admin"].map(|user| scene.people.signed_in(user));
    let mut stream = scene.listen(&user).await;
    assert_eq!(scene.post(&admin, "/api/users/user/reset-second-factor", "").await.status, 200);
    stream.read_until(END).await;
    assert_eq!((scene.standing(&user).await, scene.standing(&admin).await), ("needauth".into(), "in".into()));
    let reply = scene.try_password("", "user", PASSWORD).await;
    assert_eq!(reply.json()["secondFactor"], "enrol");
    let reset = json!({ "what": "reset", "of": "user" });
    assert!(scene.recorded().contains(&("second_factor_changed".into(), Some("admin".into()), reset)));
}

#[tokio::test]
async fn where_nobody_needs_a_second_factor_one_can_go_without_again() {
    let bench = Bench::new();
    People::of(&bench);
    let people = People::with(&bench, |config| config.auth.two_factor = false);
    let mut scene = Scene::of(bench, people).await;
    let half = scene.sign_in("", "user").await;
    assert_eq!(scene.standing(&half).await, "need2fa", "who has one shows it");
    let whole = scene.show_second_factor(&half, "user").await;
    assert_eq!(scene.get(&whole, "/api/whoami").await.json()["secondFactor"], "on");
    assert_eq!(scene.post(&whole, "/api/2fa/remove", "000").await.status, 400);
    let code_given = scene.people.code("user");
    assert_eq!(scene.post(&whole, "/api/2fa/remove", &code_given).await.status, 200);
    assert_eq!(scene.get(&whole, "/api/whoami").await.json()["secondFactor"], "off");
    let reply = scene.try_password("", "user", PASSWORD).await;
    assert_eq!(reply.json()["secondFactor"], "off");
    assert_eq!(scene.standing(&cookie_from(&reply).unwrap()).await, "in");
}
