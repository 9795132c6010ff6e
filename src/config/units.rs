//! Parses single settings: durations, sizes, paths, addresses.

use std::path::PathBuf;
use std::time::Duration;

use ::http::Uri;
use bytesize::ByteSize;
use jiff::SignedDuration;

use super::error::Fault;
use super::node::Node;

/// The longest duration. With it, the sum of a duration and a point in time cannot overflow.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// A whole number of at least 1.
pub(super) fn at_least_one(node: &Node) -> Result<u32, Fault> {
    let number = node.integer()?;
    let problem = || node.fault(format!("must be from 1 to {}", u32::MAX));
    u32::try_from(number).ok().filter(|&number| number > 0).ok_or_else(problem)
}

/// A regular expression that `compile` accepts.
pub(super) fn regular_expression<T>(
    node: &Node,
    compile: impl FnOnce(&str) -> Result<T, regex::Error>,
) -> Result<T, Fault> {
    compile(node.text("a regular expression")?).map_err(|error| {
        // The library draws the expression over several lines and explains the problem in the last.
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default();
        node.fault(format!("is not a regular expression: {}", reason.trim_start_matches("error: ")))
    })
}

/// A string that is not empty.
pub(super) fn name(node: &Node) -> Result<String, Fault> {
    let text = node.text("a string")?;
    if text.is_empty() { Err(node.fault("must not be empty")) } else { Ok(text.to_owned()) }
}

/// A string, or `None` for an empty one. The file may say `""` to keep a default visible.
pub(super) fn optional_name(node: &Node) -> Result<Option<String>, Fault> {
    let text = node.text("a string")?;
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

/// A list of strings that are not empty.
pub(super) fn names(node: &Node) -> Result<Vec<String>, Fault> {
    node.items()?.iter().map(name).collect()
}

/// A duration such as `90m`, not negative and at most a year.
pub(super) fn duration(node: &Node) -> Result<Duration, Fault> {
    let expected = "a duration such as \"10s\", \"90m\" or \"2h\"";
    let parsed = node.text(expected)?.parse::<SignedDuration>();
    let parsed = parsed.map_err(|_| node.fault(format!("must be {expected}")))?;
    match Duration::try_from(parsed) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err(node.fault("must be from 0s to a year (8760h)")),
    }
}

/// A duration of more than 0 s.
pub(super) fn time_limit(node: &Node) -> Result<Duration, Fault> {
    let limit = duration(node)?;
    if limit.is_zero() { Err(node.fault("must be more than 0; leave it out for no limit")) } else { Ok(limit) }
}

/// A duration of at least 1 s.
pub(super) fn interval(node: &Node) -> Result<Duration, Fault> {
    let duration = duration(node)?;
    if duration < Duration::from_secs(1) { Err(node.fault("must be at least \"1s\"")) } else { Ok(duration) }
}

/// A number of bytes such as `2GiB`: at least 1, and at most the maximum size of a file.
pub(super) fn size(node: &Node) -> Result<u64, Fault> {
    let expected = "a size such as \"500MiB\" or \"2GiB\"";
    let parsed = node.text(expected)?.parse::<ByteSize>();
    let bytes = parsed.map_err(|_| node.fault(format!("must be {expected}")))?.as_u64();
    if bytes == 0 || i64::try_from(bytes).is_err() {
        return Err(node.fault("must be more than 0 and less than 8EiB"));
    }
    Ok(bytes)
}

/// File mode bits to remove, as octal digits in a string. TOML refuses `022` without quotes.
pub(super) fn umask(node: &Node) -> Result<u32, Fault> {
    let expected = "octal digits from \"000\" to \"777\", such as \"022\"";
    let digits = node.text(expected)?;
    let octal = digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = u32::from_str_radix(digits, 8).ok().filter(|&mask| octal && mask <= 0o777);
    parsed.ok_or_else(|| node.fault(format!("must be {expected}")))
}

/// An absolute path, because the daemons and the jobs do not share a working directory.
pub(super) fn absolute_path(node: &Node) -> Result<PathBuf, Fault> {
    let text = node.text("a path")?;
    if !text.starts_with('/') || text.contains(char::is_control) {
        return Err(node.fault("must be an absolute path, beginning with `/`"));
    }
    Ok(PathBuf::from(text))
}

/// An absolute path, or `None` for an empty string.
pub(super) fn optional_path(node: &Node) -> Result<Option<PathBuf>, Fault> {
    if node.text("a path")?.is_empty() { Ok(None) } else { absolute_path(node).map(Some) }
}

/// The address of another service, without a final slash.
pub(super) fn http_url(node: &Node) -> Result<String, Fault> {
    let expected = "an address such as \"https://example.org/\"";
    let text = node.text(expected)?;
    if !is_http_url(text) || text.contains(['?', '#']) {
        return Err(node.fault(format!("must be {expected}")));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// The address that people type, without a final slash. It has only scheme and host, because the API serves its pages
/// from the root.
pub(super) fn origin(node: &Node) -> Result<String, Fault> {
    let url = http_url(node)?;
    match url.split_once("://") {
        Some((_, host)) if !host.contains(['/', '@']) => Ok(url),
        _ => Err(node.fault("must be scheme and host only, such as \"https://deploy.example.org\"")),
    }
}

/// Whether this is an HTTP address with a host.
pub(super) fn is_http_url(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|url| {
        matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some_and(|host| !host.is_empty())
    })
}
