//! The same where people sign in: what they see of themselves, and what those who may not do something get.

use std::collections::BTreeMap;

use regex::Regex;

use super::{Conversation, prepare};
use crate::accounts::sessions;
use crate::accounts::testing::{PASSWORD, People, code_of};
use crate::api::testing::{Bench, job_id, until};
use crate::spool::Time;

/// Who asks what, one after the other. Each has a browser; `script` has a token of `user`. `CODE` is one of their second
/// factor, `PENDING` one of that which they set up, `SESSION` and `TOKEN` name one of theirs.
const REQUESTS: &[(&str, &str)] = &[
    ("nobody", "GET /api/whoami"),
    ("nobody", "GET /api/jobs"),
    ("nobody", "GET /api/login"),
    ("nobody", "GET /api/login?next=/jobs/1?x=%26"),
    ("nobody", "GET /api/login?next=//evil.example"),
    ("nobody", "POST /api/login {\"user\":\"user\"}"),
    ("nobody", "POST /api/login {\"user\":\"user\",\"password\":\"wrong horse battery\"}"),
    ("nobody", "POST /api/login {\"user\":\"unknown\",\"password\":\"PASSWORD\"}"),
    ("nobody", "POST /api/logout"),
    ("forger", "GET /api/whoami"),
    ("forger", "GET /api/jobs"),
    ("half", "POST /api/login {\"user\":\"half\",\"password\":\"PASSWORD\"}"),
    ("half", "GET /api/whoami"),
    ("half", "GET /api/jobs"),
    ("half", "GET /api/2fa"),
    ("half", "POST /api/2fa 123456"),
    ("half", "POST /api/2fa/confirm 123456"),
    ("half", "POST /api/2fa/enrol"),
    ("half", "POST /api/2fa/confirm PENDING"),
    ("half", "GET /api/whoami"),
    ("half", "GET /api/2fa"),
    ("half", "POST /api/2fa/enrol"),
    ("half", "POST /api/2fa/enrol {\"code\":\"CODE\"}"),
    ("half", "POST /api/2fa/recovery-codes"),
    ("half", "POST /api/2fa/remove CODE"),
    ("user", "POST /api/login {\"user\":\"user\",\"password\":\"PASSWORD\"}"),
    ("user", "GET /api/whoami"),
    ("user", "POST /api/2fa 123456"),
    ("user", "POST /api/2fa CODE"),
    ("user", "GET /api/whoami"),
    ("user", "POST /api/2fa/recovery-codes CODE"),
    ("user", "GET /api/sessions"),
    ("user", "POST /api/sessions/none/end"),
    ("user", "POST /api/sessions/end-others"),
    ("user", "GET /api/tokens"),
    ("user", "GET /api/users"),
    ("user", "POST /api/logoutAll"),
    ("script", "GET /api/whoami"),
    ("script", "GET /api/jobs?limit=0"),
    ("script", "POST /api/jobs {\"type\":\"greet\",\"params\":{\"name\":\"World\"}}"),
    ("script", "POST /api/jobs {\"type\":\"other\"}"),
    ("script", "POST /api/jobs/2/signal/kill"),
    ("user", "POST /api/tokens/TOKEN/revoke"),
    ("user", "POST /api/tokens/TOKEN/revoke"),
    ("script", "GET /api/jobs"),
    ("user", "POST /api/sessions/SESSION/end"),
    ("user", "GET /api/jobs"),
    ("viewer", "POST /api/login {\"user\":\"viewer\",\"password\":\"PASSWORD\"}"),
    ("viewer", "POST /api/2fa CODE"),
    ("viewer", "GET /api/whoami"),
    ("viewer", "GET /api/job-types"),
    ("viewer", "POST /api/jobs {\"type\":\"greet\",\"params\":{\"name\":\"World\"}}"),
    ("viewer", "POST /api/jobs/2/signal/kill"),
    ("stranger", "POST /api/login {\"user\":\"stranger\",\"password\":\"PASSWORD\"}"),
    ("stranger", "POST /api/2fa CODE"),
    ("stranger", "GET /api/whoami"),
    ("stranger", "GET /api/jobs"),
    ("stranger", "POST /api/2fa 1"),
    ("stranger", "POST /api/2fa 2"),
    ("stranger", "POST /api/2fa 3"),
    ("stranger", "POST /api/2fa 4"),
    ("stranger", "POST /api/2fa 5"),
    ("stranger", "POST /api/2fa CODE"),
    ("admin", "POST /api/login {\"user\":\"admin\",\"password\":\"PASSWORD\"}"),
    ("admin", "POST /api/2fa CODE"),
    ("admin", "GET /api/whoami"),
    ("admin", "GET /api/users"),
    ("admin", "POST /api/users/stranger/reset-second-factor"),
    ("admin", "POST /api/users/stranger/reset-second-factor"),
    ("admin", "POST /api/users/half/end-sessions"),
    ("admin", "GET /api/users/tokens"),
    ("admin", "POST /api/users/viewer/tokens/OTHERS/revoke"),
    ("admin", "POST /api/users/viewer/tokens/0/revoke"),
    ("half", "GET /api/whoami"),
    ("admin", "GET /api/audit?limit=1"),
    ("admin", "POST /api/logoutAll"),
    ("admin", "GET /api/whoami"),
    ("viewer", "POST /api/logout"),
    ("free", "POST /api/login {\"user\":\"half\",\"password\":\"PASSWORD\"}"),
    ("free", "POST /api/2fa CODE"),
    ("free", "POST /api/2fa/remove 123456"),
    ("free", "POST /api/2fa/remove CODE"),
    ("free", "GET /api/whoami"),
];

/// What changes the cookie of a browser, and nothing else does.
const COOKIES: [&str; 5] =
    ["POST /api/login", "POST /api/2fa ", "POST /api/2fa/confirm", "POST /api/logout", "POST /api/logoutAll"];

/// The name of somebody's account. `free` asks an API where nobody needs a second factor.
fn account(who: &str) -> &str {
    match who {
        "script" => "user",
        "free" => "half",
        user => user,
    }
}

/// What was asked and answered.
pub(crate) async fn conversation() -> Conversation {
    let bench = Bench::new();
    let _waiting = prepare(&bench);
    let people = People::of(&bench);
    let free_people = People::with(&bench, |config| config.auth.two_factor = false);
    let [address, free] = [people.app(&bench), free_people.app(&bench)].map(|app| async {
        until(|| (1..=4).all(|number| app.mirror.view().get(job_id(number)).is_some())).await;
        Bench::serve(app).await
    });
    let (address, free) = (address.await, free.await);
    let forged = "Cookie: session=0123.4567\r\n".to_owned();
    let script = people.token("user", &["read", "start:other"], Time::now());
    people.token("viewer", &["answer:greet"], Time::now());
    let mut fields = BTreeMap::from([("forger", forged), ("script", script)]);
    let mut conversation = Conversation::default();
    let mut secret = String::new();
    for (who, asked) in REQUESTS {
        let sent = fill_in(asked, account(who), &secret, &people);
        let address = if *who == "free" { free } else { address };
        // Another process has changed what it knows.
        free_people.guard.refresh();
        let shown = fields.get(who).cloned().unwrap_or_default();
        let answer = conversation.ask(address, who, &shown, asked, &sent).await;
        let has_cookie = COOKIES.iter().any(|asking| asked.starts_with(asking));
        assert!(has_cookie || !answer.contains("set-cookie"), "{asked} changes the cookie");
        if let Some(cookie) = found(r"set-cookie: ([^;]*)", &answer) {
            fields.insert(who, format!("Cookie: {cookie}\r\n"));
        }
        secret = found(r#""secret":"([^"]+)"#, &answer).unwrap_or(secret);
    }
    conversation
}

fn fill_in(asked: &str, user: &str, secret: &str, people: &People) -> String {
    let now = Time::now();
    let token =
        |user: &str| people.tokens().of_user(user).first().map_or_else(|| "none".to_owned(), |token| token.id.clone());
    let values: [(&str, &dyn Fn() -> String); 6] = [
        ("PASSWORD", &|| PASSWORD.to_owned()),
        ("CODE", &|| people.code(user)),
        ("PENDING", &|| code_of(secret, now)),
        ("SESSION", &|| sessions::id(&people.sessions().list(Some(user), now)[0].0).to_owned()),
        ("TOKEN", &|| token(user)),
        ("OTHERS", &|| token("viewer")),
    ];
    let filled = values.iter().find(|(name, _)| asked.contains(name));
    filled.map_or_else(|| asked.to_owned(), |(name, value)| asked.replace(name, &value()))
}

fn found(pattern: &str, text: &str) -> Option<String> {
    Regex::new(pattern).unwrap().captures(text).map(|found| found[1].to_owned())
}
