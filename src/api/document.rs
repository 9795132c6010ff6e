//! The description of this API for programs: OpenAPI 3.1, made from the route table and the schemas beside this file.

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

/// What the names in [`Content`] stand for, and the shapes of the errors.
const SCHEMAS: &str = include_str!("document/schemas.json");

/// What a stream of events tells.
const EVENTS: &str = "Server-sent events with JSON as data: a `snapshot` (the runner, what is monitored, jobs, and how \
many there are as `total`), then `job` (a Job), `removed` (the `id` of a job that was taken away), `runner` (a Runner), and \
`monitoring`: the `time` of what is told of the `train`, and the `time` and `total` of that of `mediawiki`, null if nothing \
is told. With the argument `log` also `log`, without an id: how many `records` the log of the job `id` has, and whether it \
is `complete`";

type Document = LazyLock<Result<Value, serde_json::Error>>;

/// Where people sign in.
static GUARDED: Document = LazyLock::new(|| document(true));

/// Where everybody who can connect may do everything.
static OPEN: Document = LazyLock::new(|| document(false));

/// The description of the API, made when it is first asked for. `is_guarded`: whether people sign in.
///
/// # Errors
/// None: a test reads the schemas.
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
                    "description": "Of a script; made by `spiderpig-api token`",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": cookie::SESSION,
                    "description": "Of a browser; made by signing in. Over TLS its name begins with `__Host-`",
                },
            },
        },
    }))
}

/// What may show who asks, one of these.
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
        // A status with several contents is one response. Programs are made for the first of them.
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
    let mut headers = json!({ "X-Request-ID": header("Names this request, here and in the service's log") });
    match status {
        303 => headers["Location"] = header("Where to go"),
        429 => headers["Retry-After"] = header("After how many seconds to try again"),
        _ => {}
    }
    headers
}

/// The statuses of errors that a client of a route has to expect.
fn errors(route: &Route) -> BTreeSet<u16> {
    // A request without a host or with a broken line; one for another host; a bug; a service that is full or stops.
    let mut errors: BTreeSet<u16> = [400, 421, 500, 503].into();
    if route.access != Access::Open {
        errors.insert(401);
    }
    // A page of another site; or who is in no group, or in none that suffices.
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
        400 => ("The request cannot be understood, or does not fit the state of what it names", "Refusal"),
        401 => ("Who asks has not shown who they are; `code` says what is missing or wrong", "Refusal"),
        403 => ("Whoever asks may not do this, or a page of another site made them ask", "Refusal"),
        404 => ("There is no such thing", "Refusal"),
        408 => ("The request's body did not arrive in time", "Refusal"),
        409 => ("Somebody or something was first", "Refusal"),
        413 => ("The request's body is too large", "Refusal"),
        421 => ("The request is for another host", "Refusal"),
        422 => ("An argument breaks its rule", "Invalid"),
        429 if route.method == "GET" => ("There are too many streams of this user", "Refusal"),
        429 => ("Too many attempts, and even what is right is refused for a while", "Refusal"),
        502 => (
            "Gerrit cannot be asked; the message says why, and `anyway` is true if the job can be started all the same",
            "Refusal",
        ),
        500 => ("Something broke in the service; its log says more", "Refusal"),
        _ => ("The service cannot do it now; the message says why, and what to do", "Refusal"),
    };
    let mut content = content(Content::Json(schema));
    if status == 422 && !route.headers.is_empty() {
        // So is another request with an idempotency key that was used, of which there is nothing to be listed.
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
                "description": format!("Lines of JSON, each a {name}"),
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
