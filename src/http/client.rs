//! Where a request comes from, as far as that can be believed.
//!
//! Anybody can write `X-Forwarded-For`, so it is read only if the connection itself comes from a trusted proxy, and
//! from its right end, where the proxy nearest to us wrote: each entry is believed as long as its writer is trusted. Who
//! comes through a unix socket is trusted only if `trusted_proxies` has the word `unix`, because every account that may
//! open the socket could otherwise choose its address.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;
use hyper::header::HeaderName;

use super::request_id::RequestId;
use crate::config::ClientAddress;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Who asks, and what the request is called.
#[derive(Clone, Debug)]
pub struct Client {
    /// Where the request comes from: the last hop that is not a trusted proxy.
    pub address: ClientAddress,
    /// The request's name.
    pub request_id: RequestId,
}

impl Client {
    /// Of a request that came with these fields over a connection from `peer`.
    #[must_use]
    pub fn of(peer: ClientAddress, headers: &HeaderMap, trusted_proxies: &[ClientAddress]) -> Self {
        if !trusted_proxies.contains(&peer) {
            return Self { address: peer, request_id: RequestId::fresh() };
        }
        Self { address: forwarded_for(peer, headers, trusted_proxies), request_id: RequestId::from_proxy(headers) }
    }
}

/// Goes back hop by hop from a trusted one, to the first that is not, or behind which nothing can be understood.
fn forwarded_for(peer: ClientAddress, headers: &HeaderMap, trusted_proxies: &[ClientAddress]) -> ClientAddress {
    // What is no text cannot be understood, and ends the way back like any other nonsense.
    let fields = headers.get_all(X_FORWARDED_FOR).iter().map(|field| field.to_str().unwrap_or_default());
    let mut last = peer;
    for hop in fields.rev().flat_map(|field| field.rsplit(',')) {
        let Some(address) = parse_hop(hop.trim()) else { return last };
        last = address;
        if !trusted_proxies.contains(&address) {
            return last;
        }
    }
    last
}

/// An address; some proxies add the port.
fn parse_hop(text: &str) -> Option<ClientAddress> {
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = bracketed.unwrap_or(text).parse::<IpAddr>();
    let address = address.or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(ClientAddress::from)
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;
    use crate::http::request_id::X_REQUEST_ID;

    fn address(peer: &str, fields: &[&str], trusted: &[&str]) -> String {
        let field = |value: &&str| (X_FORWARDED_FOR, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        let trusted: Vec<ClientAddress> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        Client::of(peer.parse().unwrap(), &fields.iter().map(field).collect(), &trusted).address.to_string()
    }

    #[test]
    fn an_untrusted_peer_cannot_choose_its_address_or_its_request_id() {
        assert_eq!(address("203.0.113.9", &["192.0.2.1"], &[]), "203.0.113.9");
        assert_eq!(address("203.0.113.9", &["192.0.2.1"], &["192.0.2.1"]), "203.0.113.9");
        assert_eq!(address("unix", &["192.0.2.1"], &["127.0.0.1"]), "unix");
        let headers = HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_static("mine"))]);
        let peer = "203.0.113.9".parse().unwrap();
        assert_ne!(Client::of(peer, &headers, &[]).request_id.as_str(), "mine");
        assert_eq!(Client::of(peer, &headers, &[peer]).request_id.as_str(), "mine");
    }

    #[test]
    fn trusted_hops_are_skipped_from_the_right() {
        let trusted = ["192.0.2.1", "192.0.2.2", "unix"];
        assert_eq!(address("192.0.2.1", &["198.51.100.7"], &trusted), "198.51.100.7");
        assert_eq!(address("192.0.2.1", &["6.6.6.6, 198.51.100.7,192.0.2.2"], &trusted), "198.51.100.7");
        assert_eq!(address("192.0.2.1", &["6.6.6.6", "198.51.100.7", "192.0.2.2"], &trusted), "198.51.100.7");
        assert_eq!(address("unix", &["198.51.100.7"], &trusted), "198.51.100.7");
        assert_eq!(address("192.0.2.1", &["192.0.2.2"], &trusted), "192.0.2.2", "all are trusted: the farthest");
        assert_eq!(address("192.0.2.1", &[], &trusted), "192.0.2.1");
    }

    #[test]
    fn nonsense_ends_at_the_last_good_hop() {
        let trusted = ["192.0.2.1", "192.0.2.2"];
        for field in ["unknown", "", ",", "_hidden", "1.2.3", "unix", "\u{e9}", "198.51.100.7,", "198.51.100.7 evil"] {
            assert_eq!(address("192.0.2.1", &[field], &trusted), "192.0.2.1", "{field:?}");
        }
        assert_eq!(address("192.0.2.1", &["198.51.100.7, ???, 192.0.2.2"], &trusted), "192.0.2.2");
    }

    #[test]
    fn hops_may_have_ports_and_be_of_either_family() {
        for (hop, expected) in [
            ("198.51.100.7:4711", "198.51.100.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
        ] {
            assert_eq!(address("192.0.2.1", &[hop], &["192.0.2.1"]), expected);
        }
        assert_eq!(address("::ffff:192.0.2.1", &["198.51.100.7"], &["192.0.2.1"]), "198.51.100.7");
    }
}
