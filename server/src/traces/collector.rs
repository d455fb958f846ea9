//! A collector of OpenTelemetry over HTTP/1.1: one POST after the other, on one connection as long as the collector keeps it.
//!
//! What comes back is bounded and never trusted. Only the status counts, how long to wait, and how many spans of a batch were
//! refused. This speaks no TLS and follows nobody elsewhere.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config::{CollectorUrl, Host};
use crate::protobuf::{Value, find};

/// The head of an answer.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// A body that is longer is not read, and the connection ends.
const BODY_BYTES_MAX: usize = 64 << 10;
const PATH: &str = "/v1/traces";

/// What a collector says to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It has it, but for so many spans.
    Taken { rejected: u64 },
    /// It will never take it.
    Refused { status: u16 },
    /// It may take it later.
    Later { status: u16, after: Option<Duration> },
}

pub(super) struct Collector {
    url: CollectorUrl,
    connection: Option<TcpStream>,
}

impl Collector {
    pub(super) fn new(url: CollectorUrl) -> Collector {
        Collector { url, connection: None }
    }

    pub(super) fn url(&self) -> &CollectorUrl {
        &self.url
    }

    /// Gives it a batch. When this is dropped half-way the connection goes with it.
    pub(super) async fn post(&mut self, body: &[u8]) -> io::Result<Answer> {
        if let Some(kept) = self.connection.take() {
            // A collector closes a silent connection at any time; only a new one says whether it is away.
            if let Ok(answer) = self.exchange(kept, body).await {
                return Ok(answer);
            }
        }
        let fresh = self.connect().await?;
        self.exchange(fresh, body).await
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let CollectorUrl { host, port, .. } = &self.url;
        let stream = match host {
            Host::Name(name) => TcpStream::connect((name.as_str(), *port)).await?,
            host => TcpStream::connect(&*host.addresses(*port).unwrap_or_default()).await?,
        };
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn exchange(&mut self, mut stream: TcpStream, body: &[u8]) -> io::Result<Answer> {
        let CollectorUrl { host, port, path } = &self.url;
        let head = format!(
            "POST {path}{PATH} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/x-protobuf\r\n\
             Content-Length: {}\r\nUser-Agent: OTel-OTLP-Exporter-Ottla/{}\r\n\r\n",
            body.len(),
            env!("CARGO_PKG_VERSION"),
        );
        stream.write_all(&[head.as_bytes(), body].concat()).await?;
        let (head, mut rest) = read_head(&mut stream).await?;
        let body = match head.body_bytes {
            Some(count) if count <= BODY_BYTES_MAX && rest.len() <= count => {
                let have = rest.len();
                rest.resize(count, 0);
                stream.read_exact(&mut rest[have..]).await?;
                if head.stays {
                    self.connection = Some(stream);
                }
                rest
            }
            // Where it ends is not known, or not worth knowing.
            _ => Vec::new(),
        };
        Ok(head.answer(&body))
    }
}

async fn read_head(stream: &mut TcpStream) -> io::Result<(Head, Vec<u8>)> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let unlike = || io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP");
            let head = Head::parse(&bytes[..end]).ok_or_else(unlike)?;
            return Ok((head, bytes.split_off(end + 4)));
        }
        if bytes.len() > HEAD_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the head of the answer is too long"));
        }
    }
}

/// What counts of an answer's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// `None` if it is not said.
    body_bytes: Option<usize>,
    stays: bool,
    retry_after: Option<Duration>,
}

impl Head {
    fn parse(head: &[u8]) -> Option<Head> {
        let head = str::from_utf8(head).ok()?;
        let mut lines = head.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let version = first.next().filter(|version| version.starts_with("HTTP/1."))?;
        let status: u16 = first.next()?.parse().ok().filter(|status| (200..600).contains(status))?;
        let mut parsed = Head { status, body_bytes: None, stays: version != "HTTP/1.0", retry_after: None };
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let (name, value) = (name.to_ascii_lowercase(), value.trim());
            match &*name {
                "content-length" => parsed.body_bytes = Some(value.parse().ok()?),
                "connection" if value.eq_ignore_ascii_case("close") => parsed.stays = false,
                // A date is not understood, and as good as nothing.
                "retry-after" => parsed.retry_after = value.parse().ok().map(Duration::from_secs),
                _ => {}
            }
        }
        Some(parsed)
    }

    /// The statuses after which OpenTelemetry wants a batch sent again are four.
    fn answer(&self, body: &[u8]) -> Answer {
        match self.status {
            200..300 => Answer::Taken { rejected: rejected_spans(body) },
            status @ (429 | 502..=504) => Answer::Later { status, after: self.retry_after },
            status => Answer::Refused { status },
        }
    }
}

/// `partial_success.rejected_spans` of an `ExportTraceServiceResponse`.
fn rejected_spans(body: &[u8]) -> u64 {
    let Some(Value::Bytes(partial)) = find(body, 1) else { return 0 };
    match find(partial, 1) {
        Some(Value::Number(count)) => count,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use storage::env::{Random, SimRandom};

    /// Heads and bodies of answers that are understood.
    const KNOWN: [(&[u8], &[u8]); 3] = [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n", b"\x0a\x05\x08\x03\x12\x01x"),
        (b"HTTP/1.0 503 Away\r\nRetry-After: 3\r\n\r\n", b""),
        (b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\n\r\n", b"\x08\x96\x01"),
    ];
    const MUTATIONS: u32 = 200_000;

    fn understood(answer: &[u8]) -> Option<Answer> {
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        Some(Head::parse(&answer[..end])?.answer(&answer[end + 4..]))
    }

    fn mutate(random: &SimRandom, from: usize, bytes: &mut Vec<u8>) {
        let at = |bytes: &[u8]| from + random.below((bytes.len() - from) as u64 + 1) as usize;
        match random.below(4) {
            0 if bytes.len() > from => {
                let bit = random.below(((bytes.len() - from) * 8) as u64) as usize;
                bytes[from + bit / 8] ^= 1 << (bit % 8);
            }
            1 => bytes.truncate(at(bytes)),
            2 => {
                let (a, b) = (at(bytes), at(bytes));
                let piece = bytes[a.min(b)..a.max(b)].to_vec();
                bytes.splice(a..a, piece);
            }
            _ => {
                let mut more = [0; 10];
                random.fill(&mut more);
                let to = at(bytes);
                bytes.splice(to..to, more[..random.below(11) as usize].iter().copied());
            }
        }
    }

    #[test]
    fn mutated_answers_do_no_harm() {
        let random = SimRandom::new(1);
        for (head, body) in KNOWN {
            let status = |answer| std::mem::discriminant(&answer);
            let known = [head, body].concat();
            let right = understood(&known).map(status);
            assert!(right.is_some(), "{}", known.escape_ascii());
            for _ in 0..MUTATIONS {
                let only_body = random.below(2) == 0;
                let mut bytes = known.clone();
                for _ in 0..=random.below(4) {
                    mutate(&random, if only_body { head.len() } else { 0 }, &mut bytes);
                }
                let found = understood(&bytes);
                assert!(!only_body || found.map(status) == right, "{}", bytes.escape_ascii());
            }
        }
    }

    fn parse(text: &str) -> Option<Head> {
        Head::parse(text.as_bytes())
    }

    #[test]
    fn heads_of_answers() {
        let head = parse("HTTP/1.1 200 OK\r\ncontent-length:  7\r\nContent-Type: application/x-protobuf");
        let expected = Head { status: 200, body_bytes: Some(7), stays: true, retry_after: None };
        assert_eq!(head, Some(expected));
        let head = parse("HTTP/1.1 503 Away\r\nRetry-After: 3\r\nConnection: Close");
        let after = Some(Duration::from_secs(3));
        assert_eq!(head, Some(Head { status: 503, body_bytes: None, stays: false, retry_after: after }));
        assert_eq!(head.unwrap().answer(b""), Answer::Later { status: 503, after });
        assert!(!parse("HTTP/1.0 200 OK").unwrap().stays);
        for text in
            ["", "HTTP/2 200", "HTTP/1.1 abc", "HTTP/1.1 100 Continue", "HTTP/1.1 200\r\nContent-Length: -1"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_the_statuses_mean() {
        let answer = |status, body: &[u8]| {
            Head { status, body_bytes: None, stays: true, retry_after: None }.answer(body)
        };
        assert_eq!(answer(200, b""), Answer::Taken { rejected: 0 });
        // partial_success { rejected_spans: 3, error_message: "x" }
        assert_eq!(answer(200, b"\x0a\x05\x08\x03\x12\x01x"), Answer::Taken { rejected: 3 });
        for status in [400, 404, 413, 500] {
            assert_eq!(answer(status, b""), Answer::Refused { status });
        }
        for status in [429, 502, 503, 504] {
            assert_eq!(answer(status, b""), Answer::Later { status, after: None });
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_breaks_it(bytes: Vec<u8>, text in "HTTP/1[.]1 [0-9]{0,4}[ a-z]{0,3}(\r\n[a-zA-Z-]{0,15}:? ?[0-9a-z-]{0,22}){0,5}") {
            Head::parse(&bytes);
            if let Some(head) = parse(&text) {
                head.answer(&bytes);
            }
        }
    }
}
