//! The route table, and how a request finds its line in it.

use std::pin::Pin;
use std::sync::Arc;

use hyper::Method;

use super::app::App;
use super::error::{ApiError, Invalid};
use super::percent;
use super::request::Request;
use super::response::Response;
use super::{health, jobs, whoami};

/// An `async fn(Arc<App>, Request) -> Result<Response, ApiError>`, in a form that fits in a table.
pub type Handler = fn(Arc<App>, Request) -> Pin<Box<dyn Future<Output = Result<Response, ApiError>> + Send>>;

/// One thing that clients can ask for.
#[derive(Debug)]
pub struct Route {
    /// `GET` also answers `HEAD`.
    pub method: Method,
    /// Segments are literal, `{name:number}` (a positive whole number), or `{name:text}` (anything but nothing).
    pub path: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// What does it.
    pub handler: Handler,
}

macro_rules! routes {
    ($($method:ident $path:literal => $handler:path, $summary:literal;)*) => {
        &[$($crate::api::routes::Route {
            method: hyper::Method::$method,
            path: $path,
            summary: $summary,
            handler: |app, request| Box::pin($handler(app, request)),
        }),*]
    };
}
#[cfg(test)]
pub(super) use routes;

/// Everything that clients can ask for. Of two lines that fit a request the upper one answers: literal paths come first.
pub static ROUTES: &[Route] = routes! {
    GET "/healthz" => health::healthz, "Is the service alive?";
    GET "/api/whoami" => whoami::whoami, "Who is signed in, and what may they do?";
    GET "/api/jobrunner/status" => jobs::status::status, "What does the runner do?";
    GET "/api/jobs" => jobs::list::list, "List jobs, the newest first";
    POST "/api/jobs" => jobs::create::create, "Start a job";
    GET "/api/jobs/{id:number}" => jobs::list::one, "One job";
    GET "/api/jobs/{id:number}/log" => jobs::log::log, "Follow the log of a job";
    POST "/api/jobs/{id:number}/interact/{iid:number}" => jobs::interact::interact, "Answer a prompt of a job";
    POST "/api/jobs/{id:number}/signal/{signal:text}" => jobs::signal::signal, "Stop a job";
};

/// What the path of a request said where its route has `{name:…}`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PathParams(Vec<(&'static str, PathParam)>);

#[derive(Debug, PartialEq, Eq)]
enum PathParam {
    Number(u64),
    Text(String),
}

impl PathParams {
    /// The value of `{name:number}`, which is at least 1.
    ///
    /// # Errors
    /// 500 if the route has no such parameter.
    pub fn number(&self, name: &str) -> Result<u64, ApiError> {
        match self.get(name) {
            Some(PathParam::Number(number)) => Ok(*number),
            _ => Err(ApiError::internal(format!("the route has no {{{name}:number}}"))),
        }
    }

    /// The value of `{name:text}`, decoded: it may contain slashes and control characters.
    ///
    /// # Errors
    /// 500 if the route has no such parameter.
    pub fn text(&self, name: &str) -> Result<&str, ApiError> {
        match self.get(name) {
            Some(PathParam::Text(text)) => Ok(text),
            _ => Err(ApiError::internal(format!("the route has no {{{name}:text}}"))),
        }
    }

    fn get(&self, name: &str) -> Option<&PathParam> {
        let param = self.0.iter().find(|(key, _)| *key == name);
        param.map(|(_, value)| value)
    }
}

/// Finds the route for a request.
///
/// # Errors
/// 404 if no route has the path, 405 if none of those that have it has the method, 422 if a number in it is none.
pub fn find(routes: &'static [Route], method: &Method, path: &str) -> Result<(&'static Route, PathParams), ApiError> {
    let segments = decode_segments(path).ok_or_else(ApiError::no_such_route)?;
    let fitting = || routes.iter().filter(|route| route.fits(&segments));
    let method = if method == Method::HEAD { &Method::GET } else { method };
    if let Some(route) = fitting().find(|route| route.method == *method) {
        return Ok((route, route.params(segments)?));
    }
    let mut methods: Vec<&str> = fitting().map(|route| route.method.as_str()).collect();
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

fn decode_segments(path: &str) -> Option<Vec<String>> {
    path.strip_prefix('/')?.split('/').map(percent::decode).collect()
}

/// One segment of a route's path.
enum Segment {
    Literal(&'static str),
    Number(&'static str),
    Text(&'static str),
}

impl Segment {
    fn parse(text: &'static str) -> Self {
        let param = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match param.and_then(|param| param.split_once(':')) {
            Some((name, "number")) => Self::Number(name),
            Some((name, "text")) => Self::Text(name),
            _ => Self::Literal(text),
        }
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Literal(literal) => *literal == text,
            Self::Number(_) | Self::Text(_) => !text.is_empty(),
        }
    }
}

impl Route {
    fn segments(&self) -> impl Iterator<Item = Segment> + use<> {
        self.path.split('/').skip(1).map(Segment::parse)
    }

    fn fits(&self, texts: &[String]) -> bool {
        self.segments().count() == texts.len() && self.segments().zip(texts).all(|(segment, text)| segment.fits(text))
    }

    fn params(&self, texts: Vec<String>) -> Result<PathParams, ApiError> {
        let params = self.segments().zip(texts).filter_map(|(segment, text)| match segment {
            Segment::Literal(_) => None,
            Segment::Number(name) => Some(parse_number(name, text)),
            Segment::Text(name) => Some(Ok((name, PathParam::Text(text)))),
        });
        params.collect::<Result<_, _>>().map(PathParams)
    }
}

fn parse_number(name: &'static str, text: String) -> Result<(&'static str, PathParam), ApiError> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number @ 1..) if is_digits => Ok((name, PathParam::Number(number))),
        _ => Err(ApiError::invalid(Invalid {
            kind: "int_parsing",
            location: vec!["path".into(), name.into()],
            message: "Input should be a positive whole number".into(),
            input: text.into(),
        })),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use hyper::header::ALLOW;
    use uuid::Uuid;

    use super::*;

    static JOBS: &[Route] = routes! {
        POST "/api/jobs/backport" => whoami::whoami, "";
        GET "/api/jobs/{id:number}" => whoami::whoami, "";
        POST "/api/jobs/{id:number}/signal/{signal:text}" => whoami::whoami, "";
        GET "/api/jobs" => whoami::whoami, "";
        POST "/api/jobs" => whoami::whoami, "";
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
            for segment in route.segments() {
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
        assert_eq!(refused(&Method::GET, "/api/jobs/backport"), 422);
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
            let response = error.into_response(Uuid::nil());
            assert_eq!(response.status(), 405);
            response.headers()[ALLOW].to_str().unwrap().to_owned()
        };
        assert_eq!(allow(&Method::DELETE, "/api/jobs"), "GET, HEAD, POST");
        assert_eq!(allow(&Method::OPTIONS, "/api/jobs/1"), "GET, HEAD");
        assert_eq!(allow(&Method::HEAD, "/api/jobs/1/signal/kill"), "POST");
        assert_eq!(found(&Method::HEAD, "/api/jobs").0, "/api/jobs");
    }
}
