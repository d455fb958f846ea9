//! Where a collector of OpenTelemetry is reached: `http://host:port`, and what stands before its own paths.
//!
//! Nothing is resolved here.

use std::fmt;

use super::listeners::{Endpoint, Host};

/// The address of a collector that speaks OTLP over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorUrl {
    pub host: Host,
    pub port: u16,
    /// Begins with a slash and does not end with one, or is empty.
    pub path: String,
}

impl CollectorUrl {
    pub fn parse(text: &str) -> Option<CollectorUrl> {
        let rest = text.strip_prefix("http://")?;
        let (at, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let Endpoint { host, port } = Endpoint::parse(at)?;
        let is_path = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~%".contains(&byte));
        let is_one_place = host != Host::All && port != 0;
        (is_path && is_one_place).then(|| CollectorUrl {
            host,
            port,
            path: path.trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for CollectorUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_collectors() {
        for (text, shown) in [
            ("http://localhost:4318", "http://localhost:4318"),
            ("http://10.0.0.1:4318/", "http://10.0.0.1:4318"),
            ("http://[::1]:4318/a/b/", "http://[::1]:4318/a/b"),
            ("http://otel-collector.svc:80/api", "http://otel-collector.svc:80/api"),
        ] {
            assert_eq!(CollectorUrl::parse(text).expect(text).to_string(), shown);
        }
        for text in [
            "https://localhost:4318",
            "localhost:4318",
            "http://localhost",
            "http://:4318",
            "http://0.0.0.0:4318",
            "http://localhost:0",
            "http://localhost:4318/a b",
            "http://localhost:4318/a\r\nX: y",
            "http://user@localhost:4318",
        ] {
            assert_eq!(CollectorUrl::parse(text), None, "{text}");
        }
    }
}
