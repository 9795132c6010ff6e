//! Names: checks them, suggests the nearest known one, and quotes unknown ones.

/// The longest name of a job type, lane or parameter, in bytes.
const MAX_NAME: usize = 64;

/// Checks the name of a lane or job type. File names and addresses contain it.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(format!("{what} name {} must be 1 to {MAX_NAME} letters, digits, `_` or `-`", quoted(name)))
}

/// Checks the name of a parameter.
pub(super) fn check_parameter(name: &str) -> Result<(), &'static str> {
    if is_identifier(name) && name.len() <= MAX_NAME {
        return Ok(());
    }
    Err("must be 1 to 64 letters, digits or `_`, and not begin with a digit")
}

/// Checks the name of an environment variable of a job.
pub(super) fn check_variable(name: &str) -> Result<(), &'static str> {
    if !is_identifier(name) {
        return Err("must be letters, digits or `_`, and not begin with a digit");
    }
    if name.starts_with("SPIDERPIG_") {
        return Err("must not begin with `SPIDERPIG_`, which is reserved");
    }
    Ok(())
}

fn is_identifier(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(allowed) && name.starts_with(|first: char| !first.is_ascii_digit())
}

/// The end of a message about an unknown name: the nearest known name, or all known names.
pub(super) fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(name, &known) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if known.is_empty() => "there are none".to_owned(),
        None => format!("known: {}", list(&known)),
    }
}

fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    // The distance costs time and memory in proportion to the product of the lengths. A long name is never near a short
    // one.
    if name.len() > 2 * MAX_NAME {
        return None;
    }
    known
        .iter()
        .map(|&candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, candidate)| distance * 3 <= name.len().max(candidate.len()))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Lists names in backticks, separated by commas.
pub(super) fn list<S: AsRef<str>>(names: &[S]) -> String {
    names.iter().map(|name| quoted(name.as_ref())).collect::<Vec<_>>().join(", ")
}

/// Quotes a name in backticks, shortened and without control characters, because anybody may have chosen it.
pub(super) fn quoted(name: &str) -> String {
    let start: String = name.chars().take(MAX_NAME).collect();
    let more = if start.len() < name.len() { "…" } else { "" };
    format!("`{}{more}`", start.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_nearest_name() {
        let known = ["concurrency", "change_url"];
        for (name, expected) in [
            ("concurency", "did you mean `concurrency`?"),
            ("chnage_url", "did you mean `change_url`?"),
            ("colour", "known: `concurrency`, `change_url`"),
            ("", "known: `concurrency`, `change_url`"),
        ] {
            assert_eq!(suggestion(name, known), expected, "{name}");
        }
        assert_eq!(suggestion("x", []), "there are none");
        assert_eq!(suggestion(&"concurrency".repeat(100_000), known), "known: `concurrency`, `change_url`");
    }

    #[test]
    fn names_of_lanes_and_job_types() {
        for name in ["a", "back-port_2", "7", &"x".repeat(64)] {
            assert_eq!(check_name("lane", name), Ok(()), "{name}");
        }
        for name in ["", "a b", "../x", "é", "a\n", &"x".repeat(65)] {
            assert!(check_name("lane", name).is_err(), "{name}");
        }
    }

    #[test]
    fn names_of_parameters_and_variables() {
        for name in ["a", "_x", "excludedWikis", "A9", &"x".repeat(64)] {
            assert!(check_parameter(name).is_ok() && check_variable(name).is_ok(), "{name}");
        }
        for name in ["", "9a", "a-b", "a b", "a=b", "a\0", "é"] {
            assert!(check_parameter(name).is_err() && check_variable(name).is_err(), "{name}");
        }
        assert!(check_parameter(&"x".repeat(65)).is_err());
        assert!(check_variable("SPIDERPIG_JOB_ID").is_err());
    }

    #[test]
    fn foreign_names_are_quoted_short_and_tame() {
        assert_eq!(quoted("a\u{1b}[2J`"), "`a\\u{1b}[2J``");
        assert_eq!(quoted(&"y".repeat(1000)), format!("`{}…`", "y".repeat(64)));
    }
}
