//! What a client would rather have: RFC 9110, section 12.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, HeaderName};

/// A content coding in which the build leaves files beside the plain ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Brotli, the smaller.
    Brotli,
    /// Gzip, which everything understands.
    Gzip,
}

impl Encoding {
    /// Those that the client likes at least as much as plain files, the best first.
    #[must_use]
    pub fn preferred(headers: &HeaderMap) -> Vec<Self> {
        let weight = |name| weight(headers, &ACCEPT_ENCODING, name).or_else(|| weight(headers, &ACCEPT_ENCODING, "*"));
        // A client that says nothing of plain files takes them, but rather has what it asks for.
        let plain = weight("identity").unwrap_or_default();
        let weigh = |encoding: Self| (encoding, weight(encoding.name()).unwrap_or_default());
        let mut weighed = [Self::Brotli, Self::Gzip].map(weigh);
        weighed.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let wanted = weighed.into_iter().filter(|(_, weight)| *weight > 0.0 && *weight >= plain);
        wanted.map(|(encoding, _)| encoding).collect()
    }

    /// Its name in HTTP.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// What a file in it has behind its name.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
        }
    }
}

/// Whether the client asks for a page, by name: that is a browser which a person sends somewhere.
#[must_use]
pub fn asks_for_html(headers: &HeaderMap) -> bool {
    weight(headers, &ACCEPT, "text/html").is_some_and(|weight| weight > 0.0)
}

/// The weight that a header field gives to a value, from 0, which is "not at all", to 1. None if it does not name it.
fn weight(headers: &HeaderMap, field: &HeaderName, value: &str) -> Option<f32> {
    let lines = headers.get_all(field).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).find_map(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(value));
        is_named.then(|| parts.find_map(parse_weight).unwrap_or(1.0))
    })
}

/// Reads `q=0.5`. A weight that is none counts as 0: who garbles what it wants gets what everybody understands.
fn parse_weight(part: &str) -> Option<f32> {
    let text = part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="))?;
    let weight = text.parse().ok().filter(|weight| (0.0..=1.0).contains(weight));
    Some(weight.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    fn preferred(lines: &[&str]) -> Vec<&'static str> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_str(line).unwrap());
        }
        Encoding::preferred(&headers).into_iter().map(Encoding::name).collect()
    }

    #[test]
    fn a_client_gets_what_it_likes_best() {
        for (accept, expected) in [
            ("gzip, deflate, br, zstd", &["br", "gzip"][..]),
            ("BR", &["br"]),
            ("gzip;q=1.0, br;q=0.9", &["gzip", "br"]),
            ("gzip ; Q=0.8,br ; q=0.9", &["br", "gzip"]),
            ("br;q=0.001", &["br"]),
            ("*", &["br", "gzip"]),
            ("*;q=0.1", &["br", "gzip"]),
            ("*, br;q=0", &["gzip"]),
            ("gzip, *;q=0", &["gzip"]),
            ("identity;q=0.5, gzip;q=0.5, br;q=0.4", &["gzip"]),
            ("identity;q=0, gzip;q=0.1", &["gzip"]),
        ] {
            assert_eq!(preferred(&[accept]), expected, "{accept}");
        }
    }

    #[test]
    fn who_does_not_ask_for_less_gets_plain_files() {
        assert!(preferred(&[]).is_empty());
        for accept in [
            "",
            "identity",
            "deflate",
            "br;q=0, gzip;q=0.000",
            "*;q=0",
            "identity, br;q=0.9, gzip;q=0.1",
            "*;q=0.5, br;q=0.2, gzip;q=0.1",
            "br;q=2, gzip;q=-1",
            "br;q=NaN, gzip;q=x",
            "br;q=",
            "brr, xgzip, b r",
        ] {
            assert!(preferred(&[accept]).is_empty(), "{accept}");
        }
    }

    #[test]
    fn several_lines_are_one_list() {
        assert_eq!(preferred(&["br;q=0", "gzip"]), ["gzip"]);
        assert_eq!(preferred(&["deflate", "br"]), ["br"]);
    }

    #[test]
    fn only_who_names_html_asks_for_it() {
        let asks = |accept| asks_for_html(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]));
        assert!(asks("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(asks("application/json, Text/HTML;level=1;q=0.1"));
        for accept in ["*/*", "text/*", "application/json", "text/html;q=0", "text/htmlx", ""] {
            assert!(!asks(accept), "{accept}");
        }
        assert!(!asks_for_html(&HeaderMap::new()));
    }
}
