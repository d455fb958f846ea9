//! Where the broker listens and what it tells clients: `NAME://host:port` and the security protocol behind each name.
//!
//! Nothing is resolved or bound here. `localhost` means both loopback addresses by rule, so that a machine's resolver has no
//! say in who may connect; any other name is left to whoever binds.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Kafka's security protocols. Only `Plaintext` is served now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityProtocol {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl SecurityProtocol {
    pub const ALL: [SecurityProtocol; 4] = [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl];

    pub fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }
}

/// The host part of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// 127.0.0.1 and ::1.
    Localhost,
    /// Every interface, IPv4 and IPv6.
    All,
    Address(IpAddr),
    /// A name that the resolver must know when it is bound.
    Name(String),
}

impl Host {
    fn parse(text: &str) -> Option<Host> {
        let bare = text.strip_prefix('[').map_or(Some(text), |rest| rest.strip_suffix(']'))?;
        let address = bare.parse::<IpAddr>();
        match address {
            // An IPv6 address needs its brackets: without them its last group could be a port.
            Ok(IpAddr::V6(_)) if bare == text => None,
            Ok(address) if address.is_unspecified() => Some(Host::All),
            Ok(address) => Some(Host::Address(address)),
            Err(_) if text.is_empty() => Some(Host::All),
            Err(_) if text.eq_ignore_ascii_case("localhost") => Some(Host::Localhost),
            Err(_) if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) => {
                Some(Host::Name(text.to_owned()))
            }
            Err(_) => None,
        }
    }

    /// The addresses to bind, or `None` where a resolver must be asked. All but the first may be missing on a machine.
    pub fn addresses(&self, port: u16) -> Option<Vec<SocketAddr>> {
        let both =
            |v4: Ipv4Addr, v6: Ipv6Addr| vec![SocketAddr::from((v4, port)), SocketAddr::from((v6, port))];
        match self {
            Host::Localhost => Some(both(Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST)),
            Host::All => Some(both(Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED)),
            Host::Address(address) => Some(vec![SocketAddr::new(*address, port)]),
            Host::Name(_) => None,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Localhost => f.write_str("localhost"),
            Host::All => Ok(()),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Host::Address(address) => write!(f, "{address}"),
            Host::Name(name) => f.write_str(name),
        }
    }
}

/// `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub host: Host,
    /// 0 takes any free port.
    pub port: u16,
}

impl Endpoint {
    pub fn parse(text: &str) -> Option<Endpoint> {
        let (host, port) = text.rsplit_once(':')?;
        if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Endpoint { host: Host::parse(host)?, port: port.parse().ok()? })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// A listener that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// In upper case, as Kafka keeps it.
    pub name: String,
    pub protocol: SecurityProtocol,
    pub host: Host,
    /// 0 takes any free port.
    pub port: u16,
    /// Connections at once.
    pub connections_max: usize,
    /// New connections in a second.
    pub creation_rate_max: u32,
}

/// What clients of a listener are told to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    pub name: String,
    pub host: String,
    /// 0 stands for the port that was bound.
    pub port: u16,
}

/// `NAME://host:port` in its parts, the name in upper case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) at: Endpoint,
}

pub(super) const NAMED_ALLOWED: &str =
    "NAME://host:port, where the port is from 0 to 65535 and an IPv6 address is in [brackets]";

impl Named {
    pub(super) fn parse(text: &str) -> Option<Named> {
        let (name, at) = text.split_once("://")?;
        let is_name = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        is_name.then(|| Some(Named { name: name.to_ascii_uppercase(), at: Endpoint::parse(at)? }))?
    }
}

/// `listener.security.protocol.map`: pairs of name and protocol, each name once.
pub(super) fn protocol_map(text: &str) -> Result<Vec<(String, SecurityProtocol)>, String> {
    let mut map: Vec<(String, SecurityProtocol)> = Vec::new();
    for pair in super::kinds::items(text) {
        let parts =
            pair.split_once(':').map(|(name, protocol)| (name.trim().to_ascii_uppercase(), protocol.trim()));
        let Some((name, Some(protocol))) =
            parts.map(|(name, protocol)| (name, SecurityProtocol::parse(protocol)))
        else {
            let protocols = SecurityProtocol::ALL.map(SecurityProtocol::name).join(", ");
            return Err(format!("NAME:PROTOCOL pairs between commas, where PROTOCOL is one of {protocols}"));
        };
        if map.iter().any(|(known, _)| *known == name) {
            return Err(format!("each name once; {name} is there twice"));
        }
        map.push((name, protocol));
    }
    Ok(map)
}
