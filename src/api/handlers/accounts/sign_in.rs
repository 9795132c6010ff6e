//! Signing in, with a password or by way of the single sign-on.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::set_cookie;
use crate::accounts::Auth;
use crate::accounts::error::AccountsError;
use crate::accounts::guard::Guard;
use crate::accounts::guard::password_sign_in::{PasswordCheck, WrongPassword};
use crate::accounts::guard::ticket_sign_in::{Ticket, TicketProblem};
use crate::api::app::App;
use crate::api::record::AuditRecord;
use crate::api::refusals;
use crate::api::request::Request;
use crate::audit::Event;
use crate::http::body;
use crate::http::client::Client;
use crate::http::describe::{Argument, ArgumentKind};
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;

/// What `GET /api/login` takes after the question mark.
pub const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "ticket",
        kind: ArgumentKind::Text,
        help: "The ticket that the single sign-on gave to the browser",
    },
    Argument { name: "state", kind: ArgumentKind::Text, help: "The state that the browser took to the single sign-on" },
    Argument { name: "next", kind: ArgumentKind::Text, help: "The path of the page to open after the sign-in" },
];

/// What stays as it is in a path or query. All else is encoded again after it was decoded.
const AS_IT_IS: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'\\');

/// The same within an argument.
const IN_ARGUMENT: &AsciiSet = &AS_IT_IS.add(b'#').add(b'&').add(b'+').add(b'%').add(b'?');

/// The longest path that somebody is sent to, in bytes.
const MOST_NEXT: usize = 2000;

/// How a browser's form is encoded, and what the single sign-on sends.
const FORM: &str = "application/x-www-form-urlencoded";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    user: String,
    password: String,
}

/// `POST /api/login`: with user and password; or what the single sign-on tells of somebody who has signed out there.
///
/// # Errors
/// 401 for a wrong user name or password, which takes the same time whatever is wrong; 429 after too many of those; 400
/// where people sign in otherwise; 503 if the files cannot be written, or too many others sign in.
pub async fn with_password(app: Arc<App>, mut request: Request) -> Result<Response, ApiError> {
    let began = Instant::now();
    if let Auth::Guarded(guard) = &app.auth
        && guard.has_single_sign_on()
    {
        return signed_out_elsewhere(&app, guard, request).await;
    }
    let Credentials { user, password } = request.json().await?;
    let guard = app.auth.guard()?;
    let client = &request.client;
    let verified = match guard.check_password(&user, password, client.address).await? {
        PasswordCheck::Right(verified) => verified,
        PasswordCheck::Wrong(wrong) => {
            record_wrong_password(&app, &user, client, wrong).await?;
            tokio::time::sleep_until(began + app.limits.failed_sign_in).await;
            return Err(AccountsError::WrongPassword.into());
        }
    };
    let details = json!({ "by": "password" });
    AuditRecord { event: Event::SignIn, user: Some(&user), client, details }.record(&app).await?;
    let signed_in = guard.sign_in(verified, &request.browser()).await?;
    let answer = json!({ "message": "Signed in", "user": user, "secondFactor": signed_in.second_factor });
    set_cookie(response::json(StatusCode::OK, &answer)?, &signed_in.set_cookie)
}

/// Records an attempt that failed. The name is recorded only if it is one: it may be a password in the wrong field.
async fn record_wrong_password(app: &App, user: &str, client: &Client, wrong: WrongPassword) -> Result<(), ApiError> {
    let user = wrong.is_known_user.then_some(user);
    let details = json!({ "by": "password", "known_user": wrong.is_known_user });
    AuditRecord { event: Event::SignInRefused, user, client, details }.record(app).await?;
    if wrong.is_last {
        let details = json!({ "what": "password" });
        AuditRecord { event: Event::Locked, user, client, details }.record(app).await?;
    }
    Ok(())
}

/// Ends the session that a ticket has begun, if the single sign-on says so. Whoever does not know a ticket is told the same
/// as whoever does.
async fn signed_out_elsewhere(app: &App, guard: &Arc<Guard>, mut request: Request) -> Result<Response, ApiError> {
    let content_type = request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.trim_start().to_ascii_lowercase().starts_with(FORM) {
        return Err(ApiError::refused(StatusCode::BAD_REQUEST, "Sign in at the single sign-on: GET /api/login"));
    }
    let form = request.bytes().await?;
    if let Some(user) = guard.end_session_of_ticket(&form).await? {
        let (client, details) = (&request.client, json!({ "by": "single sign-on" }));
        AuditRecord { event: Event::SignOut, user: Some(&user), client, details }.note(app).await;
    }
    Ok(response::uncached(StatusCode::OK, "text/plain", body::full("")))
}

/// `GET /api/login`: sends the browser where people sign in. When it comes back from the single sign-on with a ticket, signs
/// it in, and sends it to `next`; or to a page that says why not.
///
/// # Errors
/// 503 if the files cannot be written.
pub async fn with_ticket(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let query = request.query()?;
    let next = own_path(query.get("next"));
    let Auth::Guarded(guard) = &app.auth else { return redirect(&next) };
    let browser = request.browser();
    let Some(ticket) = query.get("ticket").filter(|_| guard.has_single_sign_on()) else {
        return match guard.send_away(&browser.presented, &next)? {
            Some(away) => set_cookie(redirect(&away.url)?, &away.set_cookie),
            None => redirect(&format!("/login?next={}", utf8_percent_encode(&next, IN_ARGUMENT))),
        };
    };
    let ticket = Ticket { ticket, state: query.get("state"), next: &next };
    let verified = match guard.check_ticket(ticket, &browser).await? {
        Ok(verified) => verified,
        Err(problem) => {
            record_problem(&app, &request.client, &problem).await?;
            let next = utf8_percent_encode(&next, IN_ARGUMENT);
            return redirect(&format!("/login?problem={}&next={next}", problem.word()));
        }
    };
    let (client, details) = (&request.client, json!({ "by": "single sign-on" }));
    AuditRecord { event: Event::SignIn, user: Some(verified.user()), client, details }.record(&app).await?;
    let cookies = guard.sign_in_person(verified, &browser).await?;
    cookies.iter().try_fold(redirect(&next)?, |response, cookie| set_cookie(response, cookie))
}

/// Records a ticket that signs nobody in. Those for which the single sign-on is not asked cost nothing, and have no line of
/// their own.
async fn record_problem(app: &Arc<App>, client: &Client, problem: &TicketProblem) -> Result<(), ApiError> {
    let user = match problem {
        TicketProblem::Malformed | TicketProblem::TooManyAttempts => return Ok(()),
        TicketProblem::Unsolicited => {
            let reason = "This browser was not sent to the single sign-on from here".to_owned();
            let (client, asked) = (client.clone(), "GET /api/login".to_owned());
            refusals::note(Arc::clone(app), None, client, asked, reason).await;
            return Ok(());
        }
        TicketProblem::OtherUser(user) => Some(&**user),
        TicketProblem::Refused | TicketProblem::Unreachable | TicketProblem::Nonsense => None,
    };
    let details = json!({ "by": "single sign-on", "reason": problem.word() });
    AuditRecord { event: Event::SignInRefused, user, client, details }.record(app).await
}

fn redirect(to: &str) -> Result<Response, ApiError> {
    let mut response = response::uncached(StatusCode::SEE_OTHER, "text/plain", body::full(""));
    response.headers_mut().insert(LOCATION, HeaderValue::try_from(to).map_err(ApiError::internal)?);
    Ok(response)
}

/// The path that somebody asked to be sent to, if it is one of ours, and not of the API; else the first page.
fn own_path(next: Option<&str>) -> String {
    let is_ours = |next: &&str| {
        // Browsers take `\` for `/`, and leave out tabs and line ends; what begins with `//` is another host.
        let is_clean = !next.contains(['\\']) && !next.contains(char::is_control);
        let is_path = next.starts_with('/') && !next.starts_with("//") && !next.starts_with("/api/");
        is_clean && is_path && next.len() <= MOST_NEXT
    };
    let next = next.filter(is_ours).unwrap_or("/");
    utf8_percent_encode(next, AS_IT_IS).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_sent_to_our_own_pages_only() {
        for (next, expected) in [
            ("/jobs/7?x=1#L2-L3", "/jobs/7?x=1#L2-L3"),
            ("/start/backport?backport=1&backport=2", "/start/backport?backport=1&backport=2"),
            ("/start/größe", "/start/gr%C3%B6%C3%9Fe"),
            ("/a b\"<>", "/a%20b%22%3C%3E"),
            ("/jobs/1?q=100%25", "/jobs/1?q=100%25"),
        ] {
            assert_eq!(own_path(Some(next)), expected);
        }
        for bad in [
            "",
            "javascript:alert(1)",
            "jobs/1",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "\t//evil.example",
            "https://evil.example/",
            "https:evil.example",
            " /jobs",
            "/api/login",
            &format!("/{}", "x".repeat(MOST_NEXT)),
        ] {
            assert_eq!(own_path(Some(bad)), "/", "{bad:?}");
        }
        assert_eq!(own_path(None), "/");
    }
}
