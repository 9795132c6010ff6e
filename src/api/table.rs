//! The route table, and the search for the route of a request.

use std::future::ready;

use hyper::{Method, StatusCode};

use super::handlers::accounts::{enrolment, own, people, second_step, sign_in, sign_out};
use super::handlers::audit;
use super::handlers::{
    changes, events, favicon, health, job_types, jobs, log, metrics, monitoring, openapi, page, pause, preflight,
    runner, train, whoami,
};
use super::route::Route;
use crate::accounts::access::Access;
use crate::http::describe::Content;
use crate::http::error::ApiError;
use crate::http::path;
use crate::http::path::PathParams;
use Content::{Json, JsonLines, Page, Text, TextOrJsonString};

macro_rules! routes {
    ($($method:ident $path:literal, $access:ident => $handler:path, $summary:literal $(, $clause:ident($said:expr))*;)*) => {
        &[$(
            $crate::api::route::Route::new(
                hyper::Method::$method,
                $path,
                $crate::accounts::access::Access::$access,
                |app, request| Box::pin($handler(app, request)),
                $summary,
            )$(.$clause($said))*
        ),*]
    };
}
#[cfg(test)]
pub(crate) use routes;

/// All routes. If two routes fit a request, the upper one answers: literal paths come first.
pub static ROUTES: &[Route] = routes! {
    GET "/healthz", Open => health::healthz, "Check whether the service is alive", responses(&[(200, Json("Health"))]);
    GET "/favicon.ico", Open => favicon::favicon, "The icon of the page", responses(&[(200, Content::Image)]);
    GET "/metrics", AdminLook => metrics::metrics, "Metrics for Prometheus", responses(&[(200, Content::Metrics)]);
    GET "/api/openapi.json", Viewer => openapi::openapi, "This description", responses(&[(200, Json("OpenApi"))]);
    GET "/api/whoami", Open => whoami::whoami, "Get the signed-in user, and their rights", responses(&[(200, Json("WhoAmI"))]);
    GET "/api/login", Open => sign_in::with_ticket, "Sign in at the single sign-on, or redirect to the sign-in page",
        query(sign_in::ARGUMENTS), responses(&[(303, Content::Empty)]), errors(&[503]), secret(true);
    POST "/api/login", Open => sign_in::with_password, "Sign in with a password",
        body(Json("Credentials")), responses(&[(200, Json("SignedIn")), (200, Text)]), errors(&[401, 404, 429, 503]), secret(true);
    POST "/api/2fa", Session => second_step::second_step, "Show the second factor",
        body(TextOrJsonString), responses(&[(200, Json("SecondStep"))]), errors(&[404, 429, 503]), secret(true);
    GET "/api/2fa", Session => enrolment::state, "Get the state of your second factor",
        responses(&[(200, Json("SecondFactor"))]), errors(&[404]), secret(true);
    POST "/api/2fa/enrol", Session => enrolment::enrol, "Begin the setup of a second factor",
        body(Json("Enrol")), responses(&[(200, Json("Enrolment"))]), errors(&[404, 429, 503]), secret(true);
    POST "/api/2fa/confirm", Session => enrolment::confirm, "Confirm the setup of the second factor",
        body(TextOrJsonString), responses(&[(200, Json("RecoveryCodes"))]), errors(&[404, 429, 503]), secret(true);
    POST "/api/2fa/recovery-codes", Own => enrolment::renew_recovery_codes, "Make new recovery codes",
        body(TextOrJsonString), responses(&[(200, Json("RecoveryCodes"))]), errors(&[404, 429, 503]), secret(true);
    POST "/api/2fa/remove", Own => enrolment::remove, "Remove your second factor",
        body(TextOrJsonString), responses(&[(200, Json("Done"))]), errors(&[404, 429, 503]), secret(true);
    GET "/api/sessions", Own => own::sessions, "List your sessions",
        responses(&[(200, Json("Sessions"))]), errors(&[404]), secret(true);
    POST "/api/sessions/end-others", Own => own::end_others, "End all your other sessions",
        responses(&[(200, Json("Ended"))]), errors(&[404, 503]);
    POST "/api/sessions/{id:text}/end", Own => own::end_session, "End one of your sessions",
        responses(&[(200, Json("Ended"))]), errors(&[404, 503]);
    GET "/api/tokens", Own => own::tokens, "List your tokens",
        responses(&[(200, Json("Tokens"))]), errors(&[404]);
    POST "/api/tokens/{id:text}/revoke", Own => own::revoke_token, "Revoke one of your tokens",
        responses(&[(200, Json("Done"))]), errors(&[404, 503]);
    GET "/api/users", Admin => people::users, "List users, with their second factors and sessions",
        responses(&[(200, Json("Users"))]), errors(&[404]);
    GET "/api/users/tokens", Admin => people::tokens, "List the tokens of all users",
        responses(&[(200, Json("Tokens"))]), errors(&[404]);
    POST "/api/users/{user:text}/tokens/{id:text}/revoke", Admin => people::revoke_token,
        "Revoke a token of a user", responses(&[(200, Json("Done"))]), errors(&[404, 503]);
    POST "/api/users/{user:text}/reset-second-factor", Admin => people::reset_second_factor,
        "Reset the second factor of a user", responses(&[(200, Json("Done"))]), errors(&[404, 503]);
    POST "/api/users/{user:text}/end-sessions", Admin => people::end_sessions, "End all sessions of a user",
        responses(&[(200, Json("Ended"))]), errors(&[404, 503]);
    POST "/api/logout", Open => sign_out::sign_out, "Sign out", responses(&[(200, Json("LoggedOut"))]);
    POST "/api/logoutAll", Admin => sign_out::sign_everybody_out, "Sign everybody out", responses(&[(200, Json("LoggedOut"))]), denies_with(StatusCode::BAD_REQUEST);
    GET "/api/job-types", Viewer => job_types::job_types, "List the job types", responses(&[(200, Json("JobTypes"))]);
    GET "/api/searchPatch", Viewer => changes::search_patch, "Look up a change, in the form of Gerrit",
        query(changes::SEARCH_ARGUMENTS), responses(&[(200, Json("FoundPatches"))]);
    GET "/api/changes", Viewer => changes::changes, "Look up changes",
        query(changes::ARGUMENTS), responses(&[(200, Json("FoundChanges"))]);
    GET "/api/preflight", Viewer => preflight::preflight, "Check whether these changes can be deployed together",
        query(changes::ARGUMENTS), responses(&[(200, Json("Preflight"))]);
    POST "/api/runner/pause", Admin => pause::pause, "Pause the runner, so that no job starts",
        body(Json("Pause")), responses(&[(200, Json("Done"))]);
    POST "/api/runner/resume", Admin => pause::resume, "Resume the runner, so that jobs start again", responses(&[(200, Json("Done"))]);
    GET "/api/jobrunner/status", Viewer => jobs::status::status, "Get the status of the runner in short", responses(&[(200, Json("Banner"))]);
    GET "/api/runner", Viewer => runner::runner, "Get the status of the runner, with all lanes", responses(&[(200, Json("Runner"))]);
    GET "/api/events", Viewer => events::events, "Follow all changes, as server-sent events",
        query(events::ARGUMENTS), headers(events::HEADERS), responses(&[(200, Content::Events)]), errors(&[404, 429]), unattended(true);
    GET "/api/jobs", Viewer => jobs::list::list, "List jobs, the newest first",
        query(jobs::list::ARGUMENTS), responses(&[(200, Json("Jobs"))]);
    POST "/api/jobs", Start => jobs::create::create, "Start a job",
        query(jobs::create::ARGUMENTS), headers(jobs::submission::HEADERS), body(Json("NewJob")),
        responses(&[(200, Json("DryRun")), (201, Json("Created"))]), errors(&[409, 502]);
    POST "/api/jobs/backport", Start => jobs::backport::backport, "Start a backport",
        query(jobs::backport::ARGUMENTS), headers(jobs::submission::HEADERS), responses(&[(200, Json("Created"))]),
        errors(&[409, 413, 502]), denies_with(StatusCode::BAD_REQUEST);
    POST "/api/jobs/train", Start => jobs::train::start, "Promote the train, or roll it back",
        headers(jobs::submission::HEADERS), body(Json("Promotion")), responses(&[(200, Json("Created"))]), errors(&[409]), denies_with(StatusCode::BAD_REQUEST);
    GET "/api/jobs/{id:number}", Viewer => jobs::list::one, "Get one job", responses(&[(200, Json("OneJob"))]), errors(&[404]);
    GET "/api/jobs/{id:number}/log", Viewer => log::log, "Follow the log of a job",
        query(log::ARGUMENTS), responses(&[(200, JsonLines("LogLine")), (200, Text)]), errors(&[404, 429]),
        denies_with(StatusCode::BAD_REQUEST);
    GET "/api/jobs/{id:number}/log/records", Viewer => log::window::records, "Get a window of the log of a job",
        query(log::window::ARGUMENTS), responses(&[(200, Json("LogWindow"))]), errors(&[404]);
    GET "/api/jobs/{id:number}/log/search", Viewer => log::search::search, "Search the log of a job",
        query(log::search::ARGUMENTS), responses(&[(200, JsonLines("LogMatch"))]), errors(&[404, 429]);
    GET "/api/jobs/{id:number}/log/marks", Viewer => log::marks::marks, "List the marks in the log of a job",
        query(log::marks::ARGUMENTS), responses(&[(200, JsonLines("LogMark"))]), errors(&[404, 429]);
    POST "/api/jobs/{id:number}/retry", Start => jobs::retry::retry, "Start a finished job again",
        query(jobs::retry::ARGUMENTS), headers(jobs::submission::HEADERS), responses(&[(200, Json("Created"))]),
        errors(&[404, 409, 413, 502]), denies_with(StatusCode::BAD_REQUEST);
    POST "/api/jobs/{id:number}/interact/{iid:number}", Answer => jobs::interact::interact, "Answer a prompt of a job",
        body(TextOrJsonString), responses(&[(200, Json("Stored"))]), errors(&[404, 409]), denies_with(StatusCode::BAD_REQUEST);
    POST "/api/jobs/{id:number}/signal/{signal:text}", Answer => jobs::signal::signal, "Stop a job",
        responses(&[(200, Json("Signalled"))]), errors(&[404, 409]), denies_with(StatusCode::BAD_REQUEST);
    GET "/api/audit", Admin => audit::audit, "List the audit trail",
        query(audit::ARGUMENTS), responses(&[(200, Json("AuditPage"))]), secret(true);
    GET "/api/train/status", Viewer => train::status, "Get the status of the train", responses(&[(200, Json("Train"))]);
    GET "/api/monitoring/logs/mediawiki", Viewer => monitoring::mediawiki, "List the errors that MediaWiki logs",
        responses(&[(200, Json("MediaWikiErrors"))]);
    GET "/api/monitoring/logs/mediawiki/total", Viewer => monitoring::total, "Count the errors that MediaWiki logs",
        responses(&[(200, Json("MediaWikiTotal"))]);
    GET "/", Open => page::document, "The overview of jobs", responses(&[(200, Page)]);
    GET "/jobs/{id:text}", Open => page::document, "One job", responses(&[(200, Page)]);
    GET "/start/{type:text}", Open => page::document, "Start a job", responses(&[(200, Page)]);
    GET "/runner", Open => page::document, "The runner and its pause", responses(&[(200, Page)]);
    GET "/admin", Open => page::document, "Administration", responses(&[(200, Page)]);
    GET "/login", Open => page::document, "Sign in", responses(&[(200, Page)]);
    GET "/second-factor", Open => page::document, "Show the second factor", responses(&[(200, Page)]);
    GET "/enrol", Open => page::document, "Set up a second factor", responses(&[(200, Page)]);
    GET "/account", Open => page::document, "Sessions, second factor and tokens", responses(&[(200, Page)]);
    GET "/logout", Open => page::document, "Sign out", responses(&[(200, Page)]);
    GET "/notauthorized", Open => page::document, "The groups that may use SpiderPig", responses(&[(200, Page)]);
    GET "/mediawiki/{page:text}", Open => page::document, "Deploy MediaWiki", responses(&[(200, Page)]);
    GET "/assets/{name:text}", Open => page::asset, "A file that the page loads", responses(&[(200, Page)]), errors(&[404]);
};

/// The route for a path that leads to no page. It is not in the table, because it has no path.
pub static NO_SUCH_PAGE: Route = Route::new(
    Method::GET,
    "*",
    Access::Open,
    |app, request| Box::pin(ready(page::no_such_page(&app, &request))),
    "No such page",
);

/// Finds the route for a request.
///
/// # Errors
/// 404 if no route has the path. 405 if none of the routes with the path has the method. 422 if a number in the path is
/// not a number.
pub fn find(routes: &'static [Route], method: &Method, path: &str) -> Result<(&'static Route, PathParams), ApiError> {
    let segments = path::decode_segments(path).ok_or_else(ApiError::no_such_route)?;
    let mut fitting: Vec<&'static Route> = routes.iter().filter(|route| route.pattern().fits(&segments)).collect();
    // `/api/jobs/backport` is not a job, not even for the methods that only a job has.
    if fitting.iter().any(|route| route.pattern().is_literal()) {
        fitting.retain(|route| route.pattern().is_literal());
    }
    let method = if method == Method::HEAD { &Method::GET } else { method };
    if let Some(route) = fitting.iter().find(|route| route.method == *method) {
        return Ok((route, route.pattern().params(segments)?));
    }
    let mut methods: Vec<&str> = fitting.iter().map(|route| route.method.as_str()).collect();
    if methods.is_empty() {
        return Err(ApiError::no_such_route());
    }
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.sort_unstable();
    methods.dedup();
    Err(ApiError::method_not_allowed(methods.join(", ")))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use hyper::header::ALLOW;

    use super::*;
    use crate::http::path::Segment;
    use crate::http::request_id::RequestId;

    static JOBS: &[Route] = routes! {
        POST "/api/jobs/backport", Open => whoami::whoami, "";
        GET "/api/jobs/{id:number}", Open => whoami::whoami, "";
        POST "/api/jobs/{id:number}/signal/{signal:text}", Open => whoami::whoami, "";
        GET "/api/jobs", Open => whoami::whoami, "";
        POST "/api/jobs", Open => whoami::whoami, "";
    };

    fn found(method: &Method, path: &str) -> (&'static str, PathParams) {
        let (route, params) = find(JOBS, method, path).unwrap();
        (route.path, params)
    }

    fn refused(method: &Method, path: &str) -> u16 {
        find(JOBS, method, path).unwrap_err().status().as_u16()
    }

    #[test]
    fn every_route_has_a_summary_a_wellformed_path_and_its_place_alone() {
        let mut seen = HashSet::new();
        for route in ROUTES {
            assert!(seen.insert((&route.method, route.path)), "{} is there twice", route.path);
            assert!(!route.summary.is_empty(), "{} has no summary", route.path);
            for segment in route.pattern().segments() {
                let literal = if let Segment::Literal(text) = segment { text } else { "" };
                assert!(!literal.contains(['{', '}', ':']), "{} is misspelt", route.path);
            }
        }
    }

    #[test]
    fn a_path_gives_its_parameters_decoded() {
        let (path, params) = found(&Method::POST, "/api/jobs/42/signal/a%2Fb");
        assert_eq!(path, "/api/jobs/{id:number}/signal/{signal:text}");
        assert_eq!(params.number("id").unwrap(), 42);
        assert_eq!(params.text("signal").unwrap(), "a/b");
        assert_eq!(params.number("signal").unwrap_err().status(), 500);
        assert_eq!(found(&Method::GET, "/api/%6Aobs").0, "/api/jobs");
    }

    #[test]
    fn literal_and_parameter_share_a_place() {
        assert_eq!(found(&Method::POST, "/api/jobs/backport").0, "/api/jobs/backport");
        let error = find(JOBS, &Method::GET, "/api/jobs/backport").unwrap_err();
        let response = error.into_response(&RequestId::fresh());
        assert_eq!((response.status().as_u16(), &response.headers()[ALLOW]), (405, &"POST".parse().unwrap()));
        assert_eq!(refused(&Method::GET, "/api/jobs/other"), 422);
    }

    #[test]
    fn what_is_not_in_the_table_is_404() {
        for path in [
            "/",
            "*",
            "",
            "/api",
            "/api/jobs/",
            "/api//jobs",
            "//api/jobs",
            "/API/jobs",
            "/api/jobs/1/",
            "/api/jobs/1/signal/",
            "/api/jobs/%ff",
            "/api/jobs/%zz",
            "/api%2Fjobs",
            "/api/jobs/1/../2",
        ] {
            assert_eq!(refused(&Method::GET, path), 404, "{path}");
        }
    }

    #[test]
    fn an_id_is_a_positive_whole_number() {
        for id in ["0", "-1", "+1", "1.0", "x", "%20", "18446744073709551616", "١"] {
            assert_eq!(refused(&Method::GET, &format!("/api/jobs/{id}")), 422, "{id}");
        }
        let (_, params) = found(&Method::GET, "/api/jobs/18446744073709551615");
        assert_eq!(params.number("id").unwrap(), u64::MAX);
    }

    #[test]
    fn a_wrong_method_is_told_the_right_ones() {
        let allow = |method: &Method, path: &str| {
            let error = find(JOBS, method, path).unwrap_err();
            let response = error.into_response(&RequestId::fresh());
            assert_eq!(response.status(), 405);
            response.headers()[ALLOW].to_str().unwrap().to_owned()
        };
        assert_eq!(allow(&Method::DELETE, "/api/jobs"), "GET, HEAD, POST");
        assert_eq!(allow(&Method::OPTIONS, "/api/jobs/1"), "GET, HEAD");
        assert_eq!(allow(&Method::HEAD, "/api/jobs/1/signal/kill"), "POST");
        assert_eq!(found(&Method::HEAD, "/api/jobs").0, "/api/jobs");
    }
}
