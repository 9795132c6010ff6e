//! `[api]`: the address of the API, and the place of its own state.

use std::fmt;
use std::net::{AddrParseError, IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

use super::error::Fault;
use super::node::{Node, Section};
use super::units;

pub(super) const KEYS: &[&str] = &["listen", "public_url", "trusted_proxies", "state_directory", "log_format"];

/// The address of the API, and the place of its own state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// The address for connections, unless the service manager passes a socket.
    pub listen: Listen,
    /// The address that people type: scheme and host, without a final slash.
    pub public_url: String,
    /// The proxies whose `X-Forwarded-For` and `X-Request-ID` the API trusts.
    pub trusted_proxies: Vec<ClientAddress>,
    /// The state directory: sessions, second factors, tokens and the audit trail. All API processes of a spool share
    /// it. Absolute.
    pub state_directory: PathBuf,
    /// The format of the API's own log.
    pub log_format: LogFormat,
}

impl ApiConfig {
    pub(super) fn read(section: &Section) -> Result<Self, Fault> {
        let loopback = Listen::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)));
        Ok(Self {
            listen: section.read("listen", listen)?.unwrap_or(loopback),
            public_url: section
                .read("public_url", units::origin)?
                .unwrap_or_else(|| "http://localhost:8000".to_owned()),
            trusted_proxies: section.read("trusted_proxies", addresses)?.unwrap_or_default(),
            state_directory: section
                .read("state_directory", units::absolute_path)?
                .unwrap_or_else(|| "/var/lib/spiderpig-api".into()),
            log_format: section.read("log_format", log_format)?.unwrap_or_default(),
        })
    }
}

fn listen(node: &Node) -> Result<Listen, Fault> {
    let text = node.text("an address such as \"127.0.0.1:8000\"")?;
    text.parse().map_err(|error: ListenError| node.fault(error.to_string()))
}

fn addresses(node: &Node) -> Result<Vec<ClientAddress>, Fault> {
    let address = |item: &Node| {
        let parsed = item.text("an address")?.parse();
        parsed.map_err(|_| item.fault("must be an address such as \"192.0.2.1\" or \"2001:db8::1\", or \"unix\""))
    };
    node.items()?.iter().map(address).collect()
}

fn log_format(node: &Node) -> Result<LogFormat, Fault> {
    match node.text("a string")? {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(node.fault("must be \"text\" or \"json\"")),
    }
}

/// The format of a daemon's own log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object per line, for programs.
    Json,
}

/// The peer of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClientAddress {
    /// A host. An IPv4 address is always in IPv4 form, even if it came through an IPv6 socket.
    Ip(IpAddr),
    /// A process of this machine, through a Unix socket.
    Unix,
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address.to_canonical())
    }
}

impl FromStr for ClientAddress {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        if text == "unix" { Ok(Self::Unix) } else { text.parse::<IpAddr>().map(Self::from) }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(formatter),
            Self::Unix => formatter.write_str("unix"),
        }
    }
}

/// The address at which the API accepts connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// An address and a port.
    Tcp(SocketAddr),
    /// A Unix socket; an absolute path.
    Unix(PathBuf),
}

impl Listen {
    /// Whether only this machine can connect.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

/// A listen address in neither of the two forms.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "must be an IP address with a port, such as `127.0.0.1:8000` or `[::1]:8000`, \
     or a socket, `unix:/run/spiderpig/api.sock`"
)]
pub struct ListenError;

impl FromStr for Listen {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        match text.strip_prefix("unix:") {
            Some(path) if path.starts_with('/') && !path.contains(char::is_control) => Ok(Self::Unix(path.into())),
            Some(_) => Err(ListenError),
            None => text.parse().map(Self::Tcp).map_err(|_| ListenError),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses_survive_a_round_trip_and_know_who_can_connect() {
        for (text, local) in [
            ("127.0.0.1:8000", true),
            ("127.9.9.9:1", true),
            ("[::1]:8000", true),
            ("[::ffff:127.0.0.1]:8000", true),
            ("unix:/run/spiderpig/api.sock", true),
            ("0.0.0.0:8000", false),
            ("[::]:8000", false),
            ("192.0.2.1:80", false),
        ] {
            let listen: Listen = text.parse().unwrap();
            assert_eq!((listen.to_string().as_str(), listen.is_local()), (text, local));
        }
    }

    #[test]
    fn client_addresses_survive_a_round_trip() {
        for text in ["192.0.2.1", "2001:db8::1", "unix"] {
            assert_eq!(text.parse::<ClientAddress>().unwrap().to_string(), text);
        }
        assert_eq!("::ffff:192.0.2.1".parse::<ClientAddress>().unwrap().to_string(), "192.0.2.1");
        assert!("Unix".parse::<ClientAddress>().is_err());
    }

    #[test]
    fn other_listen_addresses_are_refused() {
        for text in
            ["", "8000", "localhost:8000", "127.0.0.1", "::1:8000x", "unix:", "unix:api.sock", "unix:/a\0", "/run/x"]
        {
            assert_eq!(text.parse::<Listen>(), Err(ListenError), "{text:?}");
        }
    }
}
