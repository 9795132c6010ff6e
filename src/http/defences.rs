//! What every response tells a browser, so that a mistake elsewhere does no harm.

use hyper::HeaderMap;
use hyper::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};

use super::host::PublicUrl;

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What is no page loads nothing, and stands in no frame. The page has a policy of its own.
const NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// Two years, as the lists of browsers ask for.
const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// Adds what is not there yet.
pub fn add(headers: &mut HeaderMap, public_url: &PublicUrl) {
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(NOTHING);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // An address may hold what was searched for; no other site has to know.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(CROSS_ORIGIN_OPENER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    if public_url.is_https() {
        headers.insert(STRICT_TRANSPORT_SECURITY, TWO_YEARS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_come_back_by_tls_only_if_that_is_how_they_came() {
        let with = |url: &str| {
            let mut headers = HeaderMap::new();
            add(&mut headers, &url.parse().unwrap());
            headers.get(STRICT_TRANSPORT_SECURITY).cloned()
        };
        assert_eq!(with("https://deploy.example.org"), Some(TWO_YEARS));
        assert_eq!(with("http://localhost:8000"), None);
    }

    #[test]
    fn the_policy_of_the_page_stays() {
        let own = HeaderValue::from_static("script-src 'self'");
        let mut headers = HeaderMap::from_iter([(CONTENT_SECURITY_POLICY, own.clone())]);
        add(&mut headers, &"http://localhost".parse().unwrap());
        assert_eq!(headers[CONTENT_SECURITY_POLICY], own);
    }
}
