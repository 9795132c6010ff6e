//! Parameters of all kinds: one declaration decides what the form is told, and what is refused, whichever way it comes.

use serde_json::{Value, json};

use super::Examples;

/// Everything that a job type requires, and nothing else.
fn required(job_type: &str) -> Value {
    match job_type {
        "backport" => json!({ "change_url": [42] }),
        "deploy" => json!({ "service": "wiki", "release": "1.2" }),
        "ansible" => json!({ "release": "1.2" }),
        _ => json!({}),
    }
}

/// Job type, parameter, a value that breaks a rule, the rule as a form knows it, and what is said of the value.
fn broken_rules() -> Vec<(&'static str, &'static str, Value, Value, &'static str)> {
    let release = "must match the pattern `[0-9]+(\\.[0-9]+)*`";
    vec![
        ("deploy", "release", json!("1.x"), json!({ "kind": "string", "pattern": "[0-9]+(\\.[0-9]+)*" }), release),
        ("deploy", "release", json!(null), json!({ "required": true }), "is required and must not be empty"),
        ("deploy", "release", json!(1), json!({ "kind": "string" }), "must be a string"),
        ("deploy", "hosts", json!("web1"), json!({ "many": true }), "takes a list of values, not one"),
        ("deploy", "hosts", json!(["web1", "-f"]), json!({ "allow_dash": false }), "must not begin with `-`"),
        ("deploy", "hosts", json!(["a\nb"]), json!({ "kind": "string" }), "must not contain control characters"),
        ("deploy", "service", json!("wi"), json!({ "choices": ["wiki", "search", "mail"] }), "must be one of"),
        ("deploy", "service", json!(["wiki"]), json!({ "many": false }), "takes one value, not a list"),
        ("deploy", "restart", json!("yes"), json!({ "kind": "boolean" }), "must be true or false"),
        ("deploy", "task", json!("secret"), json!({ "sensitive": true }), "must match the pattern `T[0-9]+`"),
        ("migrate", "batch_size", json!(0), json!({ "kind": "integer", "min": 1 }), "must be at least 1"),
        ("migrate", "batch_size", json!(10_001), json!({ "max": 10_000, "default": 50 }), "must be at most 10000"),
        ("migrate", "pause", json!(0.5), json!({ "kind": "integer" }), "must be a whole number"),
        ("ansible", "limit", json!(["web9"]), json!({ "kind": "choice", "many": true }), "must be one of"),
        ("ansible", "verbosity", json!("-f"), json!({ "allow_dash": true }), "must be one of"),
        ("backport", "change_url", json!(["x"]), json!({ "kind": "gerrit-change" }), "must be the number of a Gerrit"),
    ]
}

#[test]
fn what_breaks_a_rule_is_refused_alike_over_http_and_as_a_file_and_the_form_knows_the_rule() {
    let examples = Examples::new();
    let (_, forms) = examples.api.get("/api/job-types");
    for (job_type, name, value, rule, problem) in broken_rules() {
        let case = format!("{job_type} {name} {value}");
        let mut params = required(job_type);
        params[name] = value;

        let forms = forms["job_types"].as_array().unwrap();
        let form = forms.iter().find(|form| form["name"] == job_type).unwrap();
        let field = form["params"].as_array().unwrap().iter().find(|field| field["name"] == name).unwrap();
        for (key, expected) in rule.as_object().unwrap() {
            assert_eq!(&field[key], expected, "{case}: {key}");
        }

        let (code, refused) =
            examples.api.post("/api/jobs", &json!({ "type": job_type, "params": params }).to_string());
        assert_eq!(code, 422, "{case}: {refused}");
        let message = refused["detail"][0]["msg"].as_str().unwrap();
        assert!(message.contains(name) && message.contains(problem), "{case}: {message}");

        let id = examples.drop(job_type, &params);
        let reason = examples.spool.wait_rejected(&format!("{id}.reason"));
        assert!(reason.contains(message), "{case}: {reason} is not {message}");
        assert!(!refused.to_string().contains("secret") && !reason.contains("secret"), "{case}: it is hidden");
    }
    assert_eq!(examples.api.get("/api/jobs?limit=500&state=succeeded&state=running").1["jobs"], json!([]));
}

#[test]
fn what_keeps_the_rules_makes_the_same_command_whichever_way_it_comes() {
    let examples = Examples::new();
    let cases = [
        ("migrate", json!({}), "migrate.py --dry-run --batch-size=50 --pause 200 staging"),
        (
            "migrate",
            json!({ "dry_run": true, "batch_size": 7, "pause": null, "only": "a@b" }),
            "migrate.py --dry-run --only ••• --batch-size=7 --pause 200 staging",
        ),
    ];
    for (job_type, params, expected) in cases {
        let request = json!({ "type": job_type, "params": params }).to_string();
        let (code, dry_run) = examples.api.post("/api/jobs?dry_run=true", &request);
        assert_eq!(code, 200, "{dry_run}");
        let command: Vec<&str> = dry_run["command"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(command.join(" ").ends_with(expected), "{dry_run}");
        for id in [examples.post(job_type, &params), examples.drop(job_type, &params)] {
            examples.ends_with(id, 0);
            let (_, job) = examples.api.get(&format!("/api/jobs/{id}"));
            let executed: Vec<&str> = serde_json::from_str(job["job"]["command"].as_str().unwrap()).unwrap();
            assert_eq!(executed, command, "{job}");
        }
    }
}
