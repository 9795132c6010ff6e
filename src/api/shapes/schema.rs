//! Whether answers are what `openapi.json` says of them, as far as its schemas go: JSON Schema in what of it they use.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::api::route::Route;
use crate::http::describe::Content;

static SCHEMAS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../document/schemas.json")).unwrap());

/// Fails for an answer of JSON that does not fit its schema.
pub(crate) fn check(route: &Route, status: u16, answer: &str) {
    let Some((_, body)) = answer.split_once("\n\n").filter(|(head, _)| head.contains("application/json")) else {
        return;
    };
    let Ok(body) = serde_json::from_str::<Value>(body) else { return };
    let answered = |(expected, content): &(u16, Content)| match content {
        Content::Json(name) if *expected == status => Some(*name),
        _ => None,
    };
    let own = route.responses.iter().find_map(answered);
    let name = match (own, body["detail"].is_array()) {
        (Some(name), _) => name,
        (None, true) => "Invalid",
        (None, false) => "Refusal",
    };
    if let Err(problem) = fits(&SCHEMAS[name], &body) {
        panic!("{} {} {status} is no {name}: {problem}", route.method, route.path);
    }
}

fn fits(schema: &Value, value: &Value) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("{value} {why}"));
    if let Some(reference) = schema["$ref"].as_str() {
        return fits(&SCHEMAS[reference.rsplit('/').next().unwrap()], value);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let problems: Vec<String> = choices.iter().filter_map(|choice| fits(choice, value).err()).collect();
        return if problems.len() < choices.len() { Ok(()) } else { Err(problems.join("; and ")) };
    }
    if schema["enum"].as_array().is_some_and(|values| !values.contains(value)) {
        return wrong("is none of its words");
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    };
    if !types.is_empty() && !types.iter().any(|name| is_a(name.as_str().unwrap(), value)) {
        return wrong(&format!("is no {}", schema["type"]));
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str())
        && !Regex::new(pattern).unwrap().is_match(text)
    {
        return wrong(&format!("does not match {pattern}"));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        if value.get(name.as_str().unwrap()).is_none() {
            return wrong(&format!("lacks {name}"));
        }
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let described = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
        described.map_or(Ok(()), |schema| fits(schema, member))?;
    }
    value.as_array().into_iter().flatten().try_for_each(|item| fits(&schema["items"], item))
}

fn is_a(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => panic!("{name} is no type"),
    }
}

#[test]
fn what_does_not_fit_is_found() {
    use serde_json::json;
    let job_id = |value: Value| fits(&SCHEMAS["Signalled"], &value).err().unwrap_or_default();
    assert_eq!(job_id(json!({ "message": "", "job_id": 1 })), "");
    assert!(job_id(json!({ "message": "", "job_id": "1" })).contains("is no \"integer\""));
    assert!(job_id(json!({ "message": "" })).contains("lacks \"job_id\""));
    let nobody = json!({ "user": null, "loginUrl": "", "mode": "none", "reason": null });
    assert!(fits(&SCHEMAS["WhoAmI"], &nobody).unwrap_err().contains("none of its words"));
}
