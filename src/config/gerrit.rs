//! `[gerrit]`: the Gerrit in which changes are looked up, and the forms in which people name a change.

use std::fmt;

use super::error::Fault;
use super::node::{Node, Section};
use super::param::{Pattern, pattern};
use super::units;

pub(super) const KEYS: &[&str] = &["url", "branches"];

const DEFAULT_URL: &str = "https://gerrit.wikimedia.org/r";

/// The Gerrit in which changes are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GerritConfig {
    /// Its address. `None` if there is no Gerrit; then changes are not looked up.
    pub url: Option<GerritUrl>,
    /// The branches that are deployed. Empty: all branches.
    pub branches: Vec<Pattern>,
}

/// The address of a Gerrit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GerritUrl {
    /// With a final slash, so that `c/123` can be appended.
    text: String,
}

impl GerritConfig {
    pub(super) fn read(section: &Section) -> Result<Self, Fault> {
        let patterns = |node: &Node| node.items()?.iter().map(pattern).collect();
        Ok(Self {
            url: section.read("url", url)?.unwrap_or_else(|| Some(GerritUrl::new(DEFAULT_URL))),
            branches: section.read("branches", patterns)?.unwrap_or_default(),
        })
    }

    /// Whether changes on this branch are deployed.
    #[must_use]
    pub fn deploys(&self, branch: &str) -> bool {
        self.branches.is_empty() || self.branches.iter().any(|pattern| pattern.matches(branch))
    }
}

impl GerritUrl {
    fn new(without_slash: &str) -> Self {
        Self { text: format!("{without_slash}/") }
    }

    /// The address, with a final slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The number of the change that `text` names: the number itself, or an address of this Gerrit. Only Gerrit knows
    /// whether the change exists.
    ///
    /// Valid addresses are `R/N`, `R/c/N`, `R/c/PROJECT/+/N` and `R/#/c/N`, where `R` is the address of the Gerrit, or
    /// its host alone. Patch set, file and query may follow. `http` and `https` are equal, because one redirects to the
    /// other.
    #[must_use]
    pub fn change_number(&self, text: &str) -> Option<u32> {
        number(text).or_else(|| self.number_in_address(text))
    }

    fn number_in_address(&self, text: &str) -> Option<u32> {
        if text.contains(|symbol: char| symbol.is_whitespace() || symbol.is_control()) {
            return None;
        }
        let (ours, theirs) = (Address::of(&self.text)?, Address::of(text)?);
        if !ours.has_host_of(&theirs) {
            return None;
        }
        let (path, fragment) = theirs.path.split_once('#').unwrap_or((theirs.path, ""));
        let path = path.split('?').next().unwrap_or_default();
        let below = |root: &str| match path.strip_prefix(root.trim_end_matches('/'))? {
            // The page of older Gerrit versions has the rest of its address after a `#`.
            "" | "/" => number_in_path(fragment),
            rest => number_in_path(rest),
        };
        below(ours.path).or_else(|| below("/"))
    }
}

impl fmt::Display for GerritUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// Parses the number of a change: up to nine digits, without leading zeros.
pub(super) fn number(text: &str) -> Option<u32> {
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits && !text.starts_with('0'))
}

/// The number in `/N…`, `/c/N…` or `/c/PROJECT/+/N…`.
fn number_in_path(path: &str) -> Option<u32> {
    let mut segments = path.strip_prefix('/')?.split('/');
    match segments.next()? {
        "c" => {
            let plus = segments.clone().position(|segment| matches!(segment, "+" | "%2B" | "%2b"));
            number(segments.nth(plus.map_or(0, |plus| plus + 1))?)
        }
        first => number(first),
    }
}

/// The parts of an address.
struct Address<'a> {
    host: &'a str,
    port: Option<&'a str>,
    /// The rest after the authority, with its slash.
    path: &'a str,
}

impl<'a> Address<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let default_port = match scheme.to_ascii_lowercase().as_str() {
            "http" => "80",
            "https" => "443",
            _ => return None,
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        // The colons inside the brackets of an IPv6 address do not begin a port.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        Some(Self { host, port: port.filter(|port| *port != default_port), path })
    }

    fn has_host_of(&self, other: &Self) -> bool {
        self.host.eq_ignore_ascii_case(other.host) && self.port == other.port
    }
}

fn url(node: &Node) -> Result<Option<GerritUrl>, Fault> {
    if node.text("an address, or \"\" for none")?.is_empty() {
        return Ok(None);
    }
    let text = units::http_url(node)?;
    if text.contains('@') {
        return Err(node.fault("must have no user, because SpiderPig looks up changes without signing in"));
    }
    Ok(Some(GerritUrl::new(&text)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gerrit() -> GerritUrl {
        GerritUrl::new("https://gerrit.example.org/r")
    }

    #[test]
    fn every_form_of_a_reference_names_its_change() {
        for text in [
            "42",
            "https://gerrit.example.org/r/42",
            "https://gerrit.example.org/r/42/",
            "https://gerrit.example.org/r/42/3",
            "https://gerrit.example.org/r/c/42",
            "https://gerrit.example.org/r/c/42/",
            "https://gerrit.example.org/r/c/42/3/src/a+b.php",
            "https://gerrit.example.org/r/c/mediawiki/core/+/42",
            "https://gerrit.example.org/r/c/mediawiki/core/+/42/",
            "https://gerrit.example.org/r/c/mediawiki/core/+/42/3",
            "https://gerrit.example.org/r/c/mediawiki/core/+/42/3..5/includes/+/7.php",
            "https://gerrit.example.org/r/c/mediawiki%2Fcore/%2B/42",
            "https://gerrit.example.org/r/c/mediawiki/core/+/42/comment/a1b2_c3/",
            "https://gerrit.example.org/r/c/2026/+/42",
            "https://gerrit.example.org/r/#/c/42/",
            "https://gerrit.example.org/r/#/c/42/3/file",
            "https://gerrit.example.org/r/#/c/mediawiki/core/+/42/",
            "https://gerrit.example.org/r#/c/42",
            "https://gerrit.example.org/#/c/42",
            "https://gerrit.example.org/42",
            "https://gerrit.example.org/c/mediawiki/core/+/42/3",
            "https://gerrit.example.org/r/c/42?tab=checks#message-1",
            "https://gerrit.example.org/r/42#42",
            "http://gerrit.example.org/r/42",
            "HTTPS://Gerrit.Example.ORG/r/42",
            "https://gerrit.example.org:443/r/42",
            "http://gerrit.example.org:80/r/42",
        ] {
            assert_eq!(gerrit().change_number(text), Some(42), "{text}");
        }
    }

    #[test]
    fn other_texts_name_no_change() {
        for text in [
            "",
            "0",
            "042",
            "-42",
            "+42",
            "4 2",
            " 42",
            "1234567890",
            "４２",
            "I0123456789012345678901234567890123456789",
            "gerrit.example.org/r/42",
            "ftp://gerrit.example.org/r/42",
            "https://gerrit.example.com/r/42",
            "https://gerrit.example.org.evil.example/r/42",
            "https://evil.example/https://gerrit.example.org/r/42",
            "https://alice@gerrit.example.org/r/42",
            "https://gerrit.example.org@evil.example/r/42",
            "https://gerrit.example.org:8443/r/42",
            "https://gerrit.example.org:80/r/42",
            "https://gerrit.example.org",
            "https://gerrit.example.org/",
            "https://gerrit.example.org/r/",
            "https://gerrit.example.org/r/c/",
            "https://gerrit.example.org/r/c/mediawiki/core",
            "https://gerrit.example.org/r/c/mediawiki/core/+/",
            "https://gerrit.example.org/r/c/42/+/",
            "https://gerrit.example.org/r/c/mediawiki/core/+/x42",
            "https://gerrit.example.org/r/q/42",
            "https://gerrit.example.org/r/#/q/42",
            "https://gerrit.example.org/r/?q=42",
            "https://gerrit.example.org/rx/42",
            "https://gerrit.example.org/r/42 43",
            "https://gerrit.example.org/r/42\n",
            "https://",
            "://",
        ] {
            assert_eq!(gerrit().change_number(text), None, "{text}");
        }
    }

    #[test]
    fn a_gerrit_may_be_at_a_port_and_at_the_root() {
        let gerrit = GerritUrl::new("http://[::1]:8001");
        for text in ["http://[::1]:8001/42", "http://[::1]:8001/c/a/+/42", "https://[::1]:8001/#/c/42"] {
            assert_eq!(gerrit.change_number(text), Some(42), "{text}");
        }
        for text in ["http://[::1]/42", "http://[::1]:80/42", "http://[::1:8001/42"] {
            assert_eq!(gerrit.change_number(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_taken_for_a_change_that_it_does_not_name(text in "(https?://gerrit\\.example\\.org)?\\PC{0,40}") {
            if let Some(number) = gerrit().change_number(&text) {
                prop_assert!(text.contains(&number.to_string()));
            }
        }

        #[test]
        fn any_number_is_found_behind_any_project(
            number in 1..=999_999_999_u32,
            project in "[a-z0-9]{1,8}(/[a-z0-9.-]{1,8}){0,3}",
            behind in "(/[0-9]{1,3}(/[a-z+]{1,9}){0,3})?/?(\\?[a-z0-9=&]{0,9})?(#[a-z0-9/]{0,9})?",
            root in "/r/|/",
        ) {
            for path in [format!("{number}"), format!("c/{number}"), format!("c/{project}/+/{number}")] {
                // The text after `c/N` could only be read as the project of another change if it had a `+` of its own.
                let behind = behind.replace('+', "-");
                let text = format!("https://gerrit.example.org{root}{path}{behind}");
                prop_assert_eq!(gerrit().change_number(&text), Some(number), "{}", text);
            }
        }
    }
}
