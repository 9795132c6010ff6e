use std::collections::HashSet;

use super::*;

fn references(value: &Value, found: &mut HashSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get("$ref") {
                found.insert(reference.clone());
            }
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_schema_is_there_and_used() {
    let document = document(true).unwrap();
    let mut used = HashSet::new();
    references(&document, &mut used);
    // The description names the lines of a stream in words, because the schema of a body describes the whole body.
    let lines = ROUTES.iter().flat_map(|route| route.responses).filter_map(|(_, content)| match content {
        Content::JsonLines(name) => Some(format!("#/components/schemas/{name}")),
        _ => None,
    });
    used.extend(lines);
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let known: HashSet<String> = schemas.keys().map(|name| format!("#/components/schemas/{name}")).collect();
    assert_eq!(used, known);
}

#[test]
fn every_route_but_those_of_the_page_is_described_once() {
    let document = document(true).unwrap();
    let mut ids = HashSet::new();
    let (pages, routes): (Vec<_>, Vec<_>) = ROUTES.iter().partition(|route| route.is_page());
    for route in &routes {
        let operation = &document["paths"][path(route)][route.method.as_str().to_ascii_lowercase()];
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{}", route.path);
        assert!(!route.responses.is_empty(), "{} says nothing of its success", route.path);
        for (status, _) in route.responses {
            assert!((200..400).contains(status), "{} {status}", route.path);
        }
        for status in errors(route) {
            assert!((400..600).contains(&status), "{} {status}", route.path);
        }
    }
    let described: usize =
        document["paths"].as_object().unwrap().values().map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(described, routes.len());
    for route in pages {
        assert!(document["paths"].get(path(route)).is_none(), "{} is described", route.path);
    }
}

#[test]
fn who_may_use_a_route_shows_in_its_refusals() {
    let document = document(true).unwrap();
    let refusals = |method: &str, path: &str| -> Vec<String> {
        let responses = document["paths"][path][method]["responses"].as_object().unwrap();
        responses.keys().filter(|status| ["401", "403", "429"].contains(&status.as_str())).cloned().collect()
    };
    assert!(refusals("get", "/api/whoami").is_empty() && refusals("get", "/healthz").is_empty());
    assert_eq!(refusals("post", "/api/login"), ["401", "403", "429"]);
    assert_eq!(refusals("post", "/api/2fa"), ["401", "403", "429"]);
    assert_eq!(refusals("get", "/api/2fa"), ["401"]);
    assert_eq!(refusals("get", "/api/jobs"), ["401", "403"]);
    let sign_in = &document["paths"]["/api/login"]["get"]["responses"]["303"];
    assert!(sign_in["content"] == json!({}) && sign_in["headers"]["Location"].is_object(), "{sign_in}");
    let locked = &document["paths"]["/api/2fa"]["post"]["responses"]["429"];
    assert!(locked["headers"]["Retry-After"].is_object(), "{locked}");
}

/// Lists each schema in a part of the document, with its place.
fn schemas<'a>(place: &str, value: &'a Value, found: &mut Vec<(String, &'a Value)>) {
    found.push((place.to_owned(), value));
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| schemas(&format!("{place}/{name}"), member, found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| schemas(&format!("{place}/{at}"), item, found));
        }
        _ => {}
    }
}

#[test]
fn generators_of_clients_find_all_that_they_need() {
    let document = document(true).unwrap();
    let mut found = Vec::new();
    schemas("", &document, &mut found);
    for (place, schema) in found {
        let kind = &schema["type"];
        let is_object = kind == "object" || kind.as_array().is_some_and(|kinds| kinds.contains(&json!("object")));
        if is_object {
            let says_what = schema.get("properties").or_else(|| schema.get("additionalProperties"));
            assert!(says_what.is_some(), "{place}: what may be in it?");
        }
        if kind == "null" {
            assert!(place.contains("/anyOf/"), "{place}: null alone is no type for them");
        }
        if schema["enum"].is_array() {
            assert_eq!(kind, "string", "{place}: of what type are its words?");
        }
        if let Some(content) = schema.get("application/octet-stream") {
            assert_eq!(content["schema"]["format"], "binary", "{place}");
            assert_eq!(schema.as_object().unwrap().keys().next().unwrap(), "application/octet-stream", "{place}");
        }
    }
}

#[test]
fn what_shows_who_asks_is_told_where_somebody_has_to() {
    let (guarded, open) = (document(true).unwrap(), document(false).unwrap());
    for route in ROUTES.iter().filter(|route| !route.is_page()) {
        let operation = &guarded["paths"][path(route)][route.method.as_str().to_ascii_lowercase()];
        let ways = operation["security"].as_array().unwrap();
        assert_eq!(ways.is_empty(), route.access == Access::Open, "{} {}", route.method, route.path);
        for way in ways {
            let name = way.as_object().unwrap().keys().next().unwrap();
            assert!(guarded["components"]["securitySchemes"][name].is_object(), "{name}");
        }
    }
    let jobs = |document: &Value, method: &str| document["paths"]["/api/jobs"][method]["security"].clone();
    assert_eq!(jobs(&guarded, "post"), json!([{ "token": [] }, { "session": [] }]));
    assert_eq!(guarded["paths"]["/api/users"]["get"]["security"], json!([{ "session": [] }]));
    assert_eq!(jobs(&open, "post"), Value::Null);
}
