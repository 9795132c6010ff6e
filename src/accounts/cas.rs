//! Single sign-on by CAS: its protocol 3.0, as a service that takes tickets.
//! <https://apereo.github.io/cas/7.0.x/protocol/CAS-Protocol-Specification.html>
//!
//! A browser is sent to the server with the address of this service, and comes back to that address with a ticket. The
//! server is asked whose ticket it is. It takes each ticket once, and only together with the address that it was made for.
//! The address has a state, which belongs to the browser that was sent: so a ticket in a link signs nobody in who did not
//! ask for it. The server tells when somebody signs out there: see [`logout`].

mod answer;
pub mod logout;

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::outbound::{Outbound, OutboundError};

/// The path that people come back to with their ticket.
const LOGIN: &str = "/api/login";

/// All but the unreserved characters of RFC 3986.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A single sign-on server, and the address that it knows us by.
#[derive(Debug)]
pub struct Cas {
    server_url: String,
    public_url: String,
    service: Outbound,
}

/// Who somebody is, as the server has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The attribute `uid`.
    pub user: String,
    /// The values of the attribute `memberOf`: what the directory behind the server calls the groups.
    pub groups: Vec<String>,
}

/// Why a ticket signs nobody in. The texts follow the name of the server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CasError {
    /// It does not take the ticket: it is old, used, made up, or for another service.
    #[error("refuses the ticket: {code}: {message}")]
    Refused {
        /// What the protocol calls the reason, such as `INVALID_TICKET`.
        code: String,
        /// The server's words, cut short.
        message: String,
    },
    /// It does not answer.
    #[error(transparent)]
    Unreachable(#[from] OutboundError),
    /// Its answer is not what the protocol says, or lacks what is needed.
    #[error("sent an answer that is not taken: {0}")]
    Nonsense(String),
}

impl Cas {
    /// The server at an address, for the service that people reach at `public_url`; neither has a final slash. `time_limit`
    /// is how long an answer may take. This reads the certificates of the system from the disk.
    #[must_use]
    pub fn of(server_url: &str, public_url: &str, time_limit: Duration) -> Self {
        let service = Outbound::new(time_limit, "application/xml, text/xml");
        Self { server_url: server_url.to_owned(), public_url: public_url.to_owned(), service }
    }

    /// The address where somebody signs in who goes on to `next`, a path of ours. `state` is that of their browser.
    #[must_use]
    pub fn sign_in_url(&self, state: &str, next: &str) -> String {
        format!("{}/login?service={}", self.server_url, encode(&self.service_url(Some(state), next)))
    }

    /// The address where somebody signs out of everything.
    #[must_use]
    pub fn sign_out_url(&self) -> String {
        format!("{}/logout?service={}", self.server_url, encode(&format!("{}/", self.public_url)))
    }

    /// Asks the server whose ticket this is. `state` and `next` must be those with which the browser was sent away: the ticket
    /// is for that address only. A ticket that nobody was sent for has no state.
    ///
    /// # Errors
    /// [`CasError`].
    pub async fn validate(&self, ticket: &str, state: Option<&str>, next: &str) -> Result<Person, CasError> {
        let service = encode(&self.service_url(state, next));
        let url = format!("{}/p3/serviceValidate?service={service}&ticket={}", self.server_url, encode(ticket));
        answer::read(&self.service.get(&url).await?)
    }

    /// The address that a ticket is for.
    fn service_url(&self, state: Option<&str>, next: &str) -> String {
        let next = (next != "/").then(|| format!("next={}", encode(next)));
        let arguments: Vec<String> = state.map(|state| format!("state={state}")).into_iter().chain(next).collect();
        let query = if arguments.is_empty() { String::new() } else { format!("?{}", arguments.join("&")) };
        format!("{}{LOGIN}{query}", self.public_url)
    }
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, VALUE).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::percent;

    fn cas() -> Cas {
        Cas::of("https://idp.test/cas", "https://deploy.test", Duration::from_secs(5))
    }

    #[test]
    fn a_ticket_is_for_the_address_that_people_come_back_to() {
        assert_eq!(
            cas().sign_in_url("5f", "/"),
            "https://idp.test/cas/login?service=https%3A%2F%2Fdeploy.test%2Fapi%2Flogin%3Fstate%3D5f"
        );
        assert_eq!(cas().service_url(None, "/"), "https://deploy.test/api/login");
        assert_eq!(cas().service_url(None, "/jobs/7"), "https://deploy.test/api/login?next=%2Fjobs%2F7");
        let url = cas().sign_in_url("5f", "/jobs/7?a=b&c=ü#x");
        let (_, service) = url.split_once("?service=").unwrap();
        assert!(!service.contains(['&', '#', '?', '/']), "{service}");
        let service = percent::decode(service).unwrap();
        let (login, next) = service.split_once("?state=5f&next=").unwrap();
        assert_eq!(login, "https://deploy.test/api/login");
        assert!(!next.contains(['&', '#', '?', '/']), "{next}");
        assert_eq!(percent::decode(next).unwrap(), "/jobs/7?a=b&c=ü#x");
    }

    #[test]
    fn signing_out_ends_at_our_first_page() {
        assert_eq!(cas().sign_out_url(), "https://idp.test/cas/logout?service=https%3A%2F%2Fdeploy.test%2F");
    }

    #[test]
    fn errors_follow_the_name_of_the_server() {
        let refused = CasError::Refused { code: "INVALID_TICKET".into(), message: "no such ticket".into() };
        assert_eq!(refused.to_string(), "refuses the ticket: INVALID_TICKET: no such ticket");
        let slow = CasError::from(OutboundError::TooSlow(Duration::from_secs(5)));
        assert_eq!(slow.to_string(), "did not answer within 5 s");
    }
}
