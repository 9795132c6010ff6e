//! The description of this API for programs: OpenAPI 3.1, made from the route table and the schemas next to this file.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::route::Route;
use super::table::ROUTES;
use crate::accounts::access::Access;
use crate::accounts::cookie;
use crate::http::describe::{Argument, ArgumentKind, Content, Header};
use crate::http::path::Segment;

/// The schemas that the names in [`Content`] refer to, and the shapes of the errors.
const SCHEMAS: &str = include_str!("document/schemas.json");

/// The description of the stream of events.
const EVENTS: &str = "Server-sent events with JSON as data. The first is a `snapshot`: the runner, the monitoring, jobs, and \
their number as `total`. Then come `job` (a Job), `removed` (the `id` of a removed job), `runner` (a Runner) and \
`monitoring`: the `time` of the report on the `train`, and the `time` and `total` of the report on `mediawiki`, each null if \
there is no report. The argument `log` adds `log` events, which have no event id: the number of `records` in the log of the \
job `id`, and whether it is `complete`";

type Document = LazyLock<Result<Value, serde_json::Error>>;

/// The description if people sign in.
static GUARDED: Document = LazyLock::new(|| document(true));

/// The description if everybody who can connect may do everything.
static OPEN: Document = LazyLock::new(|| document(false));

/// The description of the API, made on the first request. `is_guarded`: whether people sign in.
///
/// # Errors
/// The schemas are not JSON. This cannot happen, because a test reads them.
pub fn openapi(is_guarded: bool) -> Result<&'static Value, &'static serde_json::Error> {
    let document = if is_guarded { &GUARDED } else { &OPEN };
    document.as_ref()
}

fn document(is_guarded: bool) -> Result<Value, serde_json::Error> {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES.iter().filter(|route| !route.is_page()) {
        let path = paths.entry(path(route)).or_insert_with(|| json!({}));
        let mut operation = operation(route);
        if is_guarded {
            operation["security"] = security(route.access);
        }
        path[route.method.as_str().to_ascii_lowercase()] = operation;
    }
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "SpiderPig",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Start, watch, answer and stop jobs.",
            "license": { "name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": serde_json::from_str::<Value>(SCHEMAS)?,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token of a script; `spiderpig-api token` makes it",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": cookie::SESSION,
                    "description": "The session of a browser; signing in makes it. Over TLS the name of the cookie begins with `__Host-`",
                },
            },
        },
    }))
}

/// The credentials that a client may use; one of these is enough.
fn security(access: Access) -> Value {
    match access {
        Access::Open => json!([]),
        Access::Session | Access::Own | Access::Admin => json!([{ "session": [] }]),
        Access::Viewer | Access::Start | Access::Answer | Access::AdminLook => {
            json!([{ "token": [] }, { "session": [] }])
        }
    }
}

fn path(route: &Route) -> String {
    let segments = route.pattern().segments().map(|segment| match segment {
        Segment::Literal(text) => format!("/{text}"),
        Segment::Number(name) | Segment::Text(name) => format!("/{{{name}}}"),
    });
    segments.collect()
}

fn operation(route: &Route) -> Value {
    let in_path = route.pattern().segments().filter_map(path_parameter);
    let in_query = route.query.iter().map(query_parameter);
    let parameters: Vec<Value> = in_path.chain(in_query).chain(route.headers.iter().map(header_parameter)).collect();
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "parameters": parameters,
        "responses": responses(route),
    });
    if let Some(body) = route.body {
        operation["requestBody"] = json!({ "required": body != Content::TextOrJsonString, "content": content(body) });
    }
    operation
}

/// `post_jobs_id_signal_signal`
fn operation_id(route: &Route) -> String {
    let words = route.pattern().segments().filter_map(|segment| match segment {
        Segment::Literal("api") => None,
        Segment::Literal(text) | Segment::Number(text) | Segment::Text(text) => Some(text.replace(['-', '.'], "_")),
    });
    let method = route.method.as_str().to_ascii_lowercase();
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

fn path_parameter(segment: Segment) -> Option<Value> {
    let (name, schema) = match segment {
        Segment::Literal(_) => return None,
        Segment::Number(name) => (name, json!({ "type": "integer", "minimum": 1 })),
        Segment::Text(name) => (name, json!({ "type": "string", "minLength": 1 })),
    };
    Some(json!({ "name": name, "in": "path", "required": true, "schema": schema }))
}

fn query_parameter(argument: &Argument) -> Value {
    let Argument { name, kind, help } = argument;
    json!({ "name": name, "in": "query", "description": help, "schema": argument_schema(kind) })
}

fn header_parameter(header: &Header) -> Value {
    let Header { name, help } = header;
    json!({ "name": name, "in": "header", "description": help, "schema": { "type": "string" } })
}

fn argument_schema(kind: &ArgumentKind) -> Value {
    match kind {
        ArgumentKind::Number => json!({ "type": "integer", "minimum": 0 }),
        ArgumentKind::Integer => json!({ "type": "integer" }),
        ArgumentKind::Switch => json!({ "type": "string", "enum": ["true", "1", "false", "0"] }),
        ArgumentKind::Text => json!({ "type": "string" }),
        ArgumentKind::Choices(words) => json!({ "type": "array", "items": { "type": "string", "enum": words } }),
        ArgumentKind::Numbers => json!({ "type": "array", "items": { "type": "integer", "minimum": 0 } }),
        ArgumentKind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
    }
}

fn responses(route: &Route) -> Value {
    let successes = route.responses.iter().map(|(status, given)| {
        let described = StatusCode::from_u16(*status).ok().and_then(|status| status.canonical_reason());
        (*status, json!({ "description": described.unwrap_or_default(), "content": content(*given) }))
    });
    let errors = errors(route).into_iter().map(|status| (status, error(route, status)));
    let mut responses = Map::new();
    for (status, mut response) in successes.chain(errors) {
        response["headers"] = headers(status);
        // A status with several contents is one response. Generated clients use the first content.
        let earlier = responses.get_mut(&status.to_string()).map(|earlier| earlier["content"].take());
        if let Some(Value::Object(mut contents)) = earlier
            && let Value::Object(content) = response["content"].take()
        {
            contents.extend(content);
            response["content"] = contents.into();
        }
        responses.insert(status.to_string(), response);
    }
    responses.into()
}

fn headers(status: u16) -> Value {
    let header = |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    let mut headers = json!({ "X-Request-ID": header("Identifies this request, here and in the service's log") });
    match status {
        303 => headers["Location"] = header("The address to open"),
        429 => headers["Retry-After"] = header("The number of seconds to wait before the next attempt"),
        _ => {}
    }
    headers
}

/// The error statuses that a client of a route must expect.
fn errors(route: &Route) -> BTreeSet<u16> {
    // 400: no host, or a broken line. 421: another host. 500: a bug. 503: the service is full or stops.
    let mut errors: BTreeSet<u16> = [400, 421, 500, 503].into();
    if route.access != Access::Open {
        errors.insert(401);
    }
    // The request comes from a page of another site, or the user has no sufficient group.
    if route.method == Method::POST || !matches!(route.access, Access::Open | Access::Session) {
        errors.insert(403);
    }
    if route.body.is_some() {
        errors.extend([408, 413]);
    }
    let is_checked = |segment| !matches!(segment, Segment::Literal(_));
    if route.body.is_some() || !route.query.is_empty() || route.pattern().segments().any(is_checked) {
        errors.insert(422);
    }
    errors.extend(route.errors);
    errors
}

fn error(route: &Route, status: u16) -> Value {
    let (description, schema) = match status {
        400 => ("The request is malformed, or does not fit the state of the thing that it names", "Refusal"),
        401 => {
            ("The client is not signed in, or needs a second factor; `code` says what is missing or wrong", "Refusal")
        }
        403 => ("The user may not do this, or the request comes from a page of another site", "Refusal"),
        404 => ("Not found", "Refusal"),
        408 => ("The request's body did not arrive in time", "Refusal"),
        409 => ("Another request or event came first", "Refusal"),
        413 => ("The request's body is too large", "Refusal"),
        421 => ("The request is for another host", "Refusal"),
        422 => ("An argument breaks its rule", "Invalid"),
        429 if route.method == "GET" => ("This user has too many streams", "Refusal"),
        429 => ("Too many attempts; even correct credentials are refused for a while", "Refusal"),
        502 => (
            "The check with Gerrit failed; the message says why, and `anyway` is true if the job can be started all the same",
            "Refusal",
        ),
        500 => ("Internal error; the service's log says more", "Refusal"),
        _ => ("The service cannot do this now; the message says why, and what to do", "Refusal"),
    };
    let mut content = content(Content::Json(schema));
    if status == 422 && !route.headers.is_empty() {
        // 422 also refuses a used idempotency key with another request. It has no arguments to list.
        let refusal = json!({ "$ref": "#/components/schemas/Refusal" });
        let schema = &mut content["application/json"]["schema"];
        *schema = json!({ "anyOf": [schema.take(), refusal] });
    }
    json!({ "description": description, "content": content })
}

fn content(content: Content) -> Value {
    let named = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    match content {
        Content::Json(name) => json!({ "application/json": { "schema": named(name) } }),
        Content::JsonLines(name) => json!({ "application/octet-stream": {
            "schema": {
                "type": "string",
                // Generated clients would otherwise look for one value of JSON, or refuse the type.
                "format": "binary",
                "description": format!("Lines of JSON; each line is a {name}"),
            },
        }}),
        Content::Events => json!({ "text/event-stream": {
            "schema": { "type": "string", "description": EVENTS },
        }}),
        Content::Text => json!({ "text/plain": { "schema": { "type": "string" } } }),
        Content::TextOrJsonString => json!({
            "text/plain": { "schema": { "type": "string" } },
            "application/json": { "schema": { "type": "string" } },
        }),
        Content::Metrics => json!({ "application/openmetrics-text": { "schema": { "type": "string" } } }),
        Content::Empty => json!({}),
        Content::Page => json!({ "text/html": { "schema": { "type": "string" } } }),
        Content::Image => json!({ "image/svg+xml": { "schema": { "type": "string" } } }),
    }
}

#[cfg(test)]
mod tests;
