//! Signing in, with a password or by way of the single sign-on.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION, SET_COOKIE, USER_AGENT};
use hyper::{HeaderMap, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use crate::accounts::Auth;
use crate::accounts::attempts::AttemptOutcome;
use crate::accounts::cas::{Cas, CasError, Person, logout};
use crate::accounts::cookie::Secret;
use crate::accounts::guard::{Guard, Source};
use crate::accounts::password;
use crate::accounts::sessions::{LONGEST, Session};
use crate::accounts::users::Account;
use crate::api::app::App;
use crate::api::record::AuditRecord;
use crate::api::refusals;
use crate::api::request::Request;
use crate::audit::Event;
use crate::blocking;
use crate::config::ClientAddress;
use crate::digest;
use crate::http::body;
use crate::http::client::Client;
use crate::http::describe::{Argument, ArgumentKind};
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;
use crate::spool::Time;

/// What `GET /api/login` takes after the question mark.
pub const ARGUMENTS: &[Argument] = &[
    Argument { name: "ticket", kind: ArgumentKind::Text, help: "What the single sign-on gave the browser" },
    Argument { name: "state", kind: ArgumentKind::Text, help: "What the browser was sent there with" },
    Argument { name: "next", kind: ArgumentKind::Text, help: "The path of the page to go to then" },
];

/// What stands in a path or query as it is. What cannot is encoded again after it was decoded.
const AS_IT_IS: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`').add(b'\\');

/// The same within an argument.
const IN_ARGUMENT: &AsciiSet = &AS_IT_IS.add(b'#').add(b'&').add(b'+').add(b'%').add(b'?');

/// The longest path that somebody is sent to, in bytes.
const MOST_NEXT: usize = 2000;

/// How long a password waits until it is looked at.
const PATIENCE: Duration = Duration::from_secs(10);

/// No user name and no password is longer, in bytes. What is waits for nothing.
const MOST_USER: usize = 256;
const MOST_PASSWORD: usize = 1024;

/// How a browser's form is encoded, and what the single sign-on sends.
const FORM: &str = "application/x-www-form-urlencoded";

/// No ticket is longer, in bytes: the protocol asks for 256 at least.
const MOST_TICKET: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    user: String,
    password: String,
}

/// `POST /api/login`: with user and password; or what the single sign-on tells of somebody who has signed out there.
///
/// # Errors
/// 401 if the two do not belong together, which takes the same time whatever is wrong; 429 after too many of those; 400
/// where people sign in otherwise; 503 if the files cannot be written, or too many others sign in.
pub async fn with_password(app: Arc<App>, mut request: Request) -> Result<Response, ApiError> {
    let began = Instant::now();
    if let Auth::Guarded(guard) = &app.auth
        && let Source::Cas(_) = guard.source
    {
        return signed_out_elsewhere(&app, guard, request).await;
    }
    let Given { user, password } = request.json().await?;
    let guard = Arc::clone(app.auth.guard()?);
    if user.len() > MOST_USER || password.len() > MOST_PASSWORD {
        return Err(refusal());
    }
    let client = &request.client;
    let turn = begin_try(&guard, Some(&user), client.address).await?;
    if let AttemptOutcome::Locked(seconds) = turn {
        return Err(too_many(seconds));
    }
    let Some(account) = verified(&guard, &user, password, client).await? else {
        refuse(&app, &guard, &user, client, turn).await?;
        tokio::time::sleep_until(began + app.limits.failed_sign_in).await;
        return Err(refusal());
    };
    let mut session = new_session(&user, &request);
    session.password = Some(account.stamp());
    AuditRecord { event: Event::SignIn, user: Some(&user), client, details: json!({ "by": "password" }) }
        .record(&app)
        .await?;
    forgive(&guard, Some(&user), client.address).await?;
    let state = guard.second_factor_state(&user);
    let secret = begin(&guard, session, &request.headers).await?;
    let answer = json!({ "message": "Signed in", "user": user, "secondFactor": state });
    with_cookie(response::json(StatusCode::OK, &answer)?, &guard, &secret, LONGEST)
}

/// Ends the session that a ticket has begun, if the single sign-on says so. Who knows the ticket is believed; who does not
/// is told the same, and nothing is written.
async fn signed_out_elsewhere(app: &App, guard: &Arc<Guard>, mut request: Request) -> Result<Response, ApiError> {
    let elsewhere = || ApiError::refused(StatusCode::BAD_REQUEST, "Sign in at the single sign-on: GET /api/login");
    let content_type = request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.trim_start().to_ascii_lowercase().starts_with(FORM) {
        return Err(elsewhere());
    }
    let ticket = logout::ticket(&request.bytes().await?).map_err(|reason| {
        tracing::info!(reason, "what came as a logout of the single sign-on is none");
        ApiError::refused(StatusCode::BAD_REQUEST, "This is no logout of the single sign-on")
    })?;
    let (ending, ticket) = (Arc::clone(guard), digest::sha256(ticket));
    let user = guard.tries.run(move || ending.sessions.end_of_ticket(&ticket)).await??;
    if let Some(user) = user {
        guard.tell();
        let (client, details) = (&request.client, json!({ "by": "single sign-on" }));
        AuditRecord { event: Event::SignOut, user: Some(&user), client, details }.note(app).await;
    }
    Ok(response::uncached(StatusCode::OK, "text/plain", body::full("")))
}

fn refusal() -> ApiError {
    ApiError::refused(StatusCode::UNAUTHORIZED, "User and password do not belong together").with("code", "invalid")
}

/// Counts a try of a user's password, or of a ticket. Those who have tried too often wait for nothing and cost nothing;
/// of the others few at once wait for the file.
async fn begin_try(guard: &Arc<Guard>, user: Option<&str>, address: ClientAddress) -> Result<AttemptOutcome, ApiError> {
    if let Some(seconds) = guard.attempts.locked(guard.attempt_subject(user, address), address, Time::now()) {
        return Ok(AttemptOutcome::Locked(seconds));
    }
    let (trying, user) = (Arc::clone(guard), user.map(str::to_owned));
    let begin = move || trying.attempts.begin(trying.attempt_subject(user.as_deref(), address), address, Time::now());
    Ok(guard.tries.run(begin).await??)
}

/// It came to nothing, which is nobody's fault.
async fn take_back(guard: &Arc<Guard>, user: Option<&str>, address: ClientAddress) -> Result<(), ApiError> {
    let (trying, user) = (Arc::clone(guard), user.map(str::to_owned));
    let take_back = move || trying.attempts.take_back(trying.attempt_subject(user.as_deref(), address), address);
    Ok(guard.tries.run(take_back).await??)
}

/// It was right.
async fn forgive(guard: &Arc<Guard>, user: Option<&str>, address: ClientAddress) -> Result<(), ApiError> {
    let (forgiving, user) = (Arc::clone(guard), user.map(str::to_owned));
    let forgive = move || forgiving.attempts.forgive(forgiving.attempt_subject(user.as_deref(), address), address);
    Ok(guard.tries.run(forgive).await??)
}

/// The account, if the password is its own. The work is the same if there is none.
async fn verified(
    guard: &Arc<Guard>,
    user: &str,
    password: String,
    client: &Client,
) -> Result<Option<Account>, ApiError> {
    let turn = tokio::time::timeout(PATIENCE, Arc::clone(&guard.passwords).acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        take_back(guard, Some(user), client.address).await?;
        let message = "Too many people sign in at this moment. Try again in a few seconds";
        return Err(ApiError::refused(StatusCode::SERVICE_UNAVAILABLE, message).retry_after(5));
    };
    let (guard, user) = (Arc::clone(guard), user.to_owned());
    let account = blocking::run(move || {
        let _turn = turn;
        let Source::Local(users) = &guard.source else { return None };
        let account = users.get(&user);
        let is_right = password::verify(&password, account.as_ref().map(|account| &account.password));
        account.filter(|account| is_right && !account.disabled)
    });
    Ok(account.await?)
}

/// The name is recorded only if it is one: it may be a password in the wrong field.
async fn refuse(app: &App, guard: &Guard, user: &str, client: &Client, turn: AttemptOutcome) -> Result<(), ApiError> {
    let user = known(guard, user);
    let details = json!({ "by": "password", "known_user": user.is_some() });
    AuditRecord { event: Event::SignInRefused, user, client, details }.record(app).await?;
    if turn == AttemptOutcome::Last {
        let details = json!({ "what": "password" });
        AuditRecord { event: Event::Locked, user, client, details }.record(app).await?;
    }
    Ok(())
}

fn known<'a>(guard: &Guard, user: &'a str) -> Option<&'a str> {
    match &guard.source {
        Source::Local(users) => users.get(user).map(|_| user),
        Source::Cas(_) => None,
    }
}

/// 429: tried too often.
pub(crate) fn too_many(seconds: u32) -> ApiError {
    let minutes = seconds.div_ceil(60);
    let message =
        format!("Tried too often. Try again in {minutes} {}", if minutes == 1 { "minute" } else { "minutes" });
    ApiError::refused(StatusCode::TOO_MANY_REQUESTS, message).with("code", "rate_limited").retry_after(seconds)
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
    let Source::Cas(cas) = &guard.source else {
        return redirect(&format!("/login?next={}", utf8_percent_encode(&next, IN_ARGUMENT)));
    };
    let Some(ticket) = query.get("ticket") else { return send_away(guard, cas, &request.headers, &next) };
    let state = query.get("state");
    let problem =
        |problem: &str| redirect(&format!("/login?problem={problem}&next={}", utf8_percent_encode(&next, IN_ARGUMENT)));
    if !ticket.starts_with("ST-") || ticket.len() > MOST_TICKET {
        return problem("ticket");
    }
    let is_solicited = match state {
        Some(state) => guard.key.was_sent_with(state, guard.cookies, &request.headers),
        None => guard.config.unsolicited_tickets,
    };
    if !is_solicited {
        let reason = "This browser was not sent to the single sign-on from here".to_owned();
        let (client, asked) = (request.client.clone(), "GET /api/login".to_owned());
        refusals::note(Arc::clone(&app), None, client, asked, reason).await;
        return problem("unsolicited");
    }
    // Each costs the single sign-on a question, and the audit trail a line.
    let address = request.client.address;
    if let AttemptOutcome::Locked(_) = begin_try(guard, None, address).await? {
        return problem("rate_limited");
    }
    let person = cas.validate(ticket, state, &next).await;
    if matches!(person, Ok(_) | Err(CasError::Unreachable(_))) {
        take_back(guard, None, address).await?;
    }
    match with_person(&app, guard, person, ticket, &request).await? {
        Ok((secret, lifetime)) => {
            let mut response = with_cookie(redirect(&next)?, guard, &secret, lifetime)?;
            response.headers_mut().append(SET_COOKIE, guard.cookies.remove_sent()?);
            Ok(response)
        }
        Err(word) => problem(word),
    }
}

/// Sends a browser to the single sign-on, with a state by which it is known when it comes back.
fn send_away(guard: &Guard, cas: &Cas, headers: &HeaderMap, next: &str) -> Result<Response, ApiError> {
    let sent = guard.cookies.sent(headers)?;
    let mut response = redirect(&cas.sign_in_url(&guard.key.state(&sent), next))?;
    response.headers_mut().append(SET_COOKIE, guard.cookies.set_sent(&sent)?);
    Ok(response)
}

/// Signs somebody in for whom the single sign-on vouches; or says in a word what is wrong.
async fn with_person(
    app: &App,
    guard: &Arc<Guard>,
    person: Result<Person, CasError>,
    ticket: &str,
    request: &Request,
) -> Result<Result<(Secret, Duration), &'static str>, ApiError> {
    let client = &request.client;
    let before = current(guard, &request.headers);
    let (person, problem) = match person {
        // Somebody else's ticket in a link would have this person work under another name.
        Ok(person) if before.as_ref().is_some_and(|before| before.user != person.user) => {
            (Some(person.user), "other_user")
        }
        Ok(person) => {
            let mut session = of_person(&person, before, request);
            session.ticket = Some(digest::sha256(ticket));
            let lifetime = session.longest_end().as_milliseconds() - session.checked.as_milliseconds();
            let details = json!({ "by": "single sign-on" });
            AuditRecord { event: Event::SignIn, user: Some(&person.user), client, details }.record(app).await?;
            let secret = begin(guard, session, &request.headers).await?;
            return Ok(Ok((secret, Duration::from_millis(u64::try_from(lifetime).unwrap_or_default()))));
        }
        Err(error) => {
            tracing::warn!(%error, "a ticket of the single sign-on was not taken");
            (None, word(&error))
        }
    };
    let details = json!({ "by": "single sign-on", "reason": problem });
    AuditRecord { event: Event::SignInRefused, user: person.as_deref(), client, details }.record(app).await?;
    Ok(Err(problem))
}

/// The word by which the page knows what is wrong.
fn word(error: &CasError) -> &'static str {
    match error {
        CasError::Refused { .. } => "ticket",
        CasError::Unreachable(_) => "unreachable",
        CasError::Nonsense(_) => "nonsense",
    }
}

/// The session that the browser has, which may be one whose groups have to be asked for again.
fn current(guard: &Guard, headers: &HeaderMap) -> Option<Session> {
    guard.sessions.get(&guard.secret(headers)?.key(), Time::now())
}

/// Who comes back so that the groups can be looked at need not show the second factor again, nor does it last longer.
fn of_person(person: &Person, before: Option<Session>, request: &Request) -> Session {
    let mut session = new_session(&person.user, request);
    session.groups.clone_from(&person.groups);
    if let Some(before) = before.filter(|before| before.second_factor) {
        session.second_factor = true;
        session.created = before.created;
    }
    session
}

fn new_session(user: &str, request: &Request) -> Session {
    let user_agent = request.headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
    Session::new(user, request.client.address.to_string(), &user_agent.unwrap_or_default(), Time::now())
}

async fn begin(guard: &Arc<Guard>, session: Session, headers: &HeaderMap) -> Result<Secret, ApiError> {
    let before = guard.secret(headers).map(|secret| secret.key());
    let beginning = Arc::clone(guard);
    let secret = blocking::run(move || beginning.sessions.begin(session, before.as_deref())).await??;
    guard.tell();
    Ok(secret)
}

/// Adds the cookie of a session to a response.
///
/// # Errors
/// None that can happen.
pub(crate) fn with_cookie(
    mut response: Response,
    guard: &Guard,
    secret: &Secret,
    lifetime: Duration,
) -> Result<Response, ApiError> {
    let seconds = i64::try_from(lifetime.as_secs()).unwrap_or_default();
    response.headers_mut().append(SET_COOKIE, guard.cookies.set(&guard.key, secret, seconds)?);
    Ok(response)
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
