//! `/metrics`, `/healthz` and `/readyz` over HTTP/1.1, one request a connection.
//!
//! Every read, write and queue here is bounded: connections at once, bytes of a request, time of an exchange. A peer that breaks
//! a bound loses its connection and nothing else happens. This is no web server: it knows three paths and two methods, and it
//! changes nothing in the broker.

use super::health::{Health, State};
use super::limits::Limit;
use super::{LimitMetrics, Metrics};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Bytes of a request's head; scrapers send a few hundred.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Bytes that are read and thrown away behind a head, so that closing does not cut off the answer.
const REST_BYTES_MAX: usize = 64 * 1024;

/// A pause behind a failed accept: the usual reason is a lack of descriptors, which does not pass at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The bounds of the listener; both have settings.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// `metrics.connections.max`
    pub connections_max: usize,
    /// `metrics.request.timeout.ms`
    pub request_timeout: Duration,
}

/// Serves until it is dropped; exchanges that have begun then run to their end or their timeout.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>, health: Arc<Health>, limits: HttpLimits) {
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    metrics.limit(Limit::MetricsConnections).max.set(limits.connections_max as f64);
    loop {
        if slots.available_permits() == 0 {
            metrics.limit(Limit::MetricsConnections).hits.increment(1);
        }
        // Whoever finds no slot waits in the kernel's backlog, where it costs no memory of ours.
        let slot = Arc::clone(&slots).acquire_owned().await.expect("nobody closes the semaphore");
        let stream = match listener.accept().await {
            Ok((stream, _peer)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the metrics listener cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (metrics, health) = (Arc::clone(&metrics), Arc::clone(&health));
        tokio::spawn(async move {
            let _used = Used::one(metrics.limit(Limit::MetricsConnections));
            // Both outcomes end the connection, and neither is anybody's business but the peer's.
            let _ = tokio::time::timeout(limits.request_timeout, exchange(&stream, &metrics, &health)).await;
            drop(slot);
        });
    }
}

/// Holds one of a limit for as long as it lives.
struct Used<'a>(&'a LimitMetrics);

impl<'a> Used<'a> {
    fn one(limit: &'a LimitMetrics) -> Used<'a> {
        limit.used.increment(1.0);
        Used(limit)
    }
}

impl Drop for Used<'_> {
    fn drop(&mut self) {
        self.0.used.decrement(1.0);
    }
}

async fn exchange(stream: &TcpStream, metrics: &Arc<Metrics>, health: &Health) -> io::Result<()> {
    let reply = match read_head(stream).await? {
        Head::Whole(head) => respond(&head, metrics, health).await?,
        Head::TooLong => Reply::plain(431, "the request's head is too long\n").into_bytes(Body::Sent),
        Head::CutShort => return Ok(()),
    };
    write_all(stream, &reply).await?;
    socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Write)?;
    discard_rest(stream).await
}

enum Head {
    Whole(Vec<u8>),
    TooLong,
    CutShort,
}

async fn read_head(stream: &TcpStream) -> io::Result<Head> {
    let mut head = Vec::with_capacity(1024);
    let mut chunk = [0; 1024];
    loop {
        let count = read_some(stream, &mut chunk).await?;
        if count == 0 {
            return Ok(Head::CutShort);
        }
        head.extend_from_slice(&chunk[..count]);
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            head.truncate(end);
            return Ok(Head::Whole(head));
        }
        if head.len() > HEAD_BYTES_MAX {
            return Ok(Head::TooLong);
        }
    }
}

async fn read_some(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        stream.readable().await?;
        match stream.try_read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            outcome => return outcome,
        }
    }
}

async fn write_all(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Closing with unread bytes makes the kernel reset the connection, and the peer may then lose an answer it has not read.
async fn discard_rest(stream: &TcpStream) -> io::Result<()> {
    let mut chunk = [0; 1024];
    let mut left = REST_BYTES_MAX;
    while left > 0 {
        match read_some(stream, &mut chunk).await? {
            0 => break,
            count => left = left.saturating_sub(count),
        }
    }
    Ok(())
}

/// The answer to a request's head.
async fn respond(head: &[u8], metrics: &Arc<Metrics>, health: &Health) -> io::Result<Vec<u8>> {
    let Some((method, path)) = request_line(head) else {
        return Ok(Reply::plain(400, "this is not an HTTP/1 request\n").into_bytes(Body::Sent));
    };
    let body = match method {
        "GET" => Body::Sent,
        "HEAD" => Body::OnlyMeasured,
        _ => return Ok(Reply::plain(405, "only GET and HEAD\n").into_bytes(Body::Sent)),
    };
    let state = health.state();
    let status = |good| if good { 200 } else { 503 };
    let reply = match path {
        "/metrics" => Reply { status: 200, content_type: METRICS_TYPE, body: rendered(metrics).await? },
        "/healthz" => Reply::plain(status(state != State::Failed), format!("{}\n", state.word())),
        "/readyz" => Reply::plain(status(state == State::Ready), format!("{}\n", state.word())),
        _ => Reply::plain(404, "there are /metrics, /healthz and /readyz\n"),
    };
    Ok(reply.into_bytes(body))
}

/// It looks at every partition and group, for which no connection of a client is to wait.
#[expect(clippy::disallowed_methods, reason = "many milliseconds with many partitions, a few times a minute")]
async fn rendered(metrics: &Arc<Metrics>) -> io::Result<String> {
    let metrics = Arc::clone(metrics);
    tokio::task::spawn_blocking(move || metrics.render()).await.map_err(io::Error::other)
}

/// Method and path of `GET /path?query HTTP/1.1`.
fn request_line(head: &[u8]) -> Option<(&str, &str)> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let mut parts = std::str::from_utf8(line).ok()?.split(' ');
    let (method, target, version) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !version.starts_with("HTTP/1.") || !target.starts_with('/') {
        return None;
    }
    Some((method, target.split('?').next()?))
}

const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";
const PLAIN_TYPE: &str = "text/plain; charset=utf-8";

struct Reply {
    status: u16,
    content_type: &'static str,
    body: String,
}

/// HEAD is answered with the length of a body that is not sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    Sent,
    OnlyMeasured,
}

impl Reply {
    fn plain(status: u16, body: impl Into<String>) -> Reply {
        Reply { status, content_type: PLAIN_TYPE, body: body.into() }
    }

    fn into_bytes(self, body: Body) -> Vec<u8> {
        let Reply { status, content_type, body: text } = self;
        let (reason, length) = (reason(status), text.len());
        let allow = if status == 405 { "Allow: GET, HEAD\r\n" } else { "" };
        let mut bytes = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
             {allow}Cache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        .into_bytes();
        if body == Body::Sent {
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    }
}
