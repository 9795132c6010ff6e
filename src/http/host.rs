//! Which requests are meant for this service and come from its own page.
//!
//! A name that an attacker points at this address must not reach it (421), and a page of another site must not make a
//! signed-in person's browser deploy (403).

use std::str::FromStr;

use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::{Method, StatusCode, Uri};

use super::error::ApiError;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Where people reach the service: `https://deploy.example.org`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    scheme: Scheme,
    authority: Authority,
}

/// A text that is not a [`PublicUrl`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a public URL is http:// or https:// and a host, perhaps a port, and no path: not {0:?}")]
pub struct InvalidPublicUrl(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

/// A host, in lower case, and perhaps a port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Authority {
    host: String,
    port: Option<u16>,
}

impl FromStr for PublicUrl {
    type Err = InvalidPublicUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let origin = text.strip_suffix('/').unwrap_or(text);
        let (scheme, authority) = parse_origin(origin).ok_or_else(|| InvalidPublicUrl(text.into()))?;
        Ok(Self { scheme, authority })
    }
}

impl PublicUrl {
    /// Whether people reach it by TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// The host is ours; a proxy may have left out the port.
    fn names(&self, other: &Authority) -> bool {
        let port = self.authority.port.unwrap_or(self.scheme.default_port());
        other.host == self.authority.host && other.port.is_none_or(|other| other == port)
    }
}

impl Scheme {
    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl Authority {
    fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            // The colons inside the brackets of an IPv6 address do not begin a port.
            Some((host, port)) if !port.ends_with(']') => (host, Some(parse_port(port)?)),
            _ => (text, None),
        };
        let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_host = match address {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
        };
        let host = host.to_ascii_lowercase();
        is_host.then_some(Self { host, port })
    }

    /// Whether both are the same place, where `port` is meant if none is named.
    fn is_at(&self, other: &Self, port: u16) -> bool {
        self.host == other.host && self.port.unwrap_or(port) == other.port.unwrap_or(port)
    }

    fn is_loopback(&self) -> bool {
        ["localhost", "127.0.0.1", "[::1]"].contains(&self.host.as_str())
    }
}

fn parse_port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

fn parse_origin(text: &str) -> Option<(Scheme, Authority)> {
    let (scheme, authority) = text.split_once("://")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return None,
    };
    Some((scheme, Authority::parse(authority)?))
}

/// The names by which one listener may be reached.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// That of the service.
    pub public_url: &'a PublicUrl,
    /// Only this machine can connect to the listener, so requests may also name `localhost`.
    pub is_local: bool,
}

/// For people, and for those who set up a proxy. It does not say which host it is: a page of another site might read it.
const OTHER_HOST: &str = "This host name is not SpiderPig's: use its public URL. If you did, a proxy names another host: \
let it pass on the browser's Host (in nginx: proxy_set_header Host $http_host), or set public_url in [api] to what people type";

/// Refuses a request that is not meant for this service or comes from another site's page.
///
/// # Errors
/// 400 without exactly one `Host`, 421 for another's, 403 for the `Origin` of another site.
pub fn check(names: Names, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    let host = check_host(names, uri, headers)?;
    if method.is_safe() {
        return Ok(());
    }
    check_origin(names, &host, headers)
}

/// The host that a request names.
fn check_host(names: Names, uri: &Uri, headers: &HeaderMap) -> Result<Authority, ApiError> {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return Err(ApiError::refused(StatusCode::BAD_REQUEST, "A request needs exactly one Host"));
    };
    let ours = |name: &str| Authority::parse(name).filter(|host| names.have_host(host));
    // `GET http://host/path` names the host a second time, and both must be ours.
    let is_ours_in_target = uri.authority().is_none_or(|name| ours(name.as_str()).is_some());
    if let Some(host) = host.to_str().ok().and_then(ours).filter(|_| is_ours_in_target) {
        return Ok(host);
    }
    Err(ApiError::refused(StatusCode::MISDIRECTED_REQUEST, OTHER_HOST))
}

fn check_origin(names: Names, host: &Authority, headers: &HeaderMap) -> Result<(), ApiError> {
    let is_ours = |origin: &str| {
        parse_origin(origin).is_some_and(|(scheme, authority)| names.have_origin(scheme, &authority, host))
    };
    let mut origins = headers.get_all(ORIGIN).iter();
    // Browsers add this one by themselves, also where they leave out the Origin.
    let is_cross_site = headers.get(SEC_FETCH_SITE).is_some_and(|site| site == "cross-site");
    if !is_cross_site && origins.all(|origin| origin.to_str().is_ok_and(is_ours)) {
        return Ok(());
    }
    Err(ApiError::refused(
        StatusCode::FORBIDDEN,
        "This request was made by a page of another site (its Origin is not SpiderPig's)",
    ))
}

impl Names<'_> {
    fn have_host(&self, host: &Authority) -> bool {
        self.public_url.names(host) || self.have_loopback(host)
    }

    /// The public URL itself: whoever can replace a page that came without TLS must not reach one with it. Or the page
    /// that this listener serves to this machine, by the very name and port of the request: another port is another
    /// program's, which may be anybody's.
    fn have_origin(&self, scheme: Scheme, origin: &Authority, host: &Authority) -> bool {
        let is_served_here = scheme == Scheme::Http && origin.is_at(host, scheme.default_port());
        (self.public_url.names(origin) && scheme == self.public_url.scheme)
            || (self.have_loopback(origin) && is_served_here)
    }

    fn have_loopback(&self, host: &Authority) -> bool {
        self.is_local && host.is_loopback()
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    struct Reached {
        public_url: PublicUrl,
        is_local: bool,
    }

    fn reached(public_url: &str, is_local: bool) -> Reached {
        Reached { public_url: public_url.parse().unwrap(), is_local }
    }

    impl Reached {
        fn names(&self) -> Names<'_> {
            Names { public_url: &self.public_url, is_local: self.is_local }
        }
    }

    fn status(by: &Reached, hosts: &[&'static str], origin: Option<&'static str>, target: &str) -> u16 {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_static(host));
        }
        if let Some(origin) = origin {
            headers.append(ORIGIN, HeaderValue::from_static(origin));
        }
        let checked = check(by.names(), &Method::POST, &target.parse().unwrap(), &headers);
        checked.map_or_else(|error| error.status().as_u16(), |()| 200)
    }

    #[test]
    fn only_the_public_host_is_ours_away_from_loopback() {
        let by = reached("https://deploy.example.org:8443", false);
        for good in ["deploy.example.org", "deploy.example.org:8443", "Deploy.Example.ORG"] {
            assert_eq!(status(&by, &[good], None, "/"), 200, "{good}");
        }
        for bad in [
            "deploy.example.org:80",
            "deploy.example.org:",
            "deploy.example.org:+8443",
            "example.org",
            "localhost",
            "127.0.0.1:8000",
            "",
            ":8443",
            "a@deploy.example.org",
            "deploy.example.org.evil.example",
        ] {
            assert_eq!(status(&by, &[bad], None, "/"), 421, "{bad}");
        }
    }

    #[test]
    fn loopback_names_are_ours_on_a_loopback_listener_with_any_port() {
        let by = reached("http://spiderpig.test", true);
        for good in ["localhost", "LOCALHOST:1", "127.0.0.1:65535", "[::1]", "[::1]:80", "spiderpig.test:80"] {
            assert_eq!(status(&by, &[good], None, "/"), 200, "{good}");
        }
        for bad in ["localhost:65536", "127.0.0.2", "::1", "[::2]", "[::1", "localhost.evil.example"] {
            assert_eq!(status(&by, &[bad], None, "/"), 421, "{bad}");
        }
    }

    #[test]
    fn exactly_one_host_is_needed() {
        let by = reached("http://spiderpig.test", true);
        assert_eq!(status(&by, &[], None, "/"), 400);
        assert_eq!(status(&by, &["localhost", "localhost"], None, "/"), 400);
    }

    #[test]
    fn the_host_in_the_target_must_be_ours_too() {
        let by = reached("http://spiderpig.test", true);
        assert_eq!(status(&by, &["localhost"], None, "http://localhost/"), 200);
        assert_eq!(status(&by, &["localhost"], None, "http://evil.example/"), 421);
        assert_eq!(status(&by, &["evil.example"], None, "http://localhost/"), 421);
    }

    #[test]
    fn a_page_elsewhere_cannot_post() {
        let by = reached("https://deploy.example.org", true);
        let host = ["localhost:8000"];
        for good in ["https://deploy.example.org", "https://deploy.example.org:443", "http://localhost:8000"] {
            assert_eq!(status(&by, &host, Some(good), "/"), 200, "{good}");
        }
        for bad in [
            "null",
            "",
            "http://deploy.example.org",
            "https://deploy.example.org:8443",
            "https://evil.example",
            "https://deploy.example.org/",
            "deploy.example.org",
            "ftp://localhost",
            "http://localhost:5173",
            "http://localhost",
            "http://127.0.0.1:8000",
            "https://localhost:8000",
        ] {
            assert_eq!(status(&by, &host, Some(bad), "/"), 403, "{bad}");
        }
    }

    #[test]
    fn a_page_on_another_port_of_this_machine_is_a_page_elsewhere() {
        for public_url in ["http://localhost:8000", "https://deploy.example.org"] {
            let by = reached(public_url, true);
            for (host, origin, expected) in [
                ("127.0.0.1:8000", "http://127.0.0.1:8000", 200),
                ("[::1]:8000", "http://[::1]:8000", 200),
                ("localhost", "http://localhost:80", 200),
                ("127.0.0.1:8000", "http://127.0.0.1:3000", 403),
                ("127.0.0.1:8000", "http://[::1]:8000", 403),
            ] {
                assert_eq!(status(&by, &[host], Some(origin), "/"), expected, "{host} {origin}");
            }
        }
    }

    #[test]
    fn a_page_elsewhere_cannot_post_without_its_origin_either() {
        let by = reached("http://spiderpig.test", true);
        let checked = |site: &'static str| {
            let headers = HeaderMap::from_iter([
                (HOST, HeaderValue::from_static("localhost")),
                (SEC_FETCH_SITE, HeaderValue::from_static(site)),
            ]);
            check(by.names(), &Method::POST, &Uri::from_static("/"), &headers)
        };
        assert_eq!(checked("cross-site").unwrap_err().status(), 403);
        assert!(checked("same-origin").is_ok() && checked("none").is_ok());
    }

    #[test]
    fn a_page_elsewhere_may_be_the_origin_of_a_read() {
        let headers = HeaderMap::from_iter([
            (HOST, HeaderValue::from_static("localhost")),
            (ORIGIN, HeaderValue::from_static("null")),
        ]);
        let by = reached("http://spiderpig.test", true);
        assert!(check(by.names(), &Method::GET, &Uri::from_static("/"), &headers).is_ok());
    }

    #[test]
    fn a_public_url_is_an_origin() {
        for bad in ["", "deploy.example.org", "ftp://a", "http://", "http://a/b", "http://a:x", "http://a b"] {
            assert_eq!(bad.parse::<PublicUrl>(), Err(InvalidPublicUrl(bad.into())), "{bad}");
        }
        assert_eq!("http://A:80/".parse::<PublicUrl>(), "http://a:80".parse());
    }
}
