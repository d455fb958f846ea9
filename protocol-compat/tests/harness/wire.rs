//! Frames over a plain socket: enough to ask whether somebody serves, and to be rude on purpose.

use anyhow::{Context, Result, bail, ensure};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// No reply that the suites ask for comes near this.
const REPLY_BYTES_MAX: usize = 64 << 20;

/// One connection that speaks in frames.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Reply(Vec<u8>),
    /// The other side closed the connection.
    Closed,
    /// Nothing, in the time given.
    Nothing,
}

impl Connection {
    /// Connects; reads wait at most `patience`.
    pub(crate) fn open(address: &str, patience: Duration) -> Result<Self> {
        let resolved =
            address.to_socket_addrs()?.next().with_context(|| format!("{address} resolves to nothing"))?;
        let stream = TcpStream::connect_timeout(&resolved, Duration::from_secs(5))
            .with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(Duration::from_secs(5)))?;
        Ok(Self { stream })
    }

    /// Sends bytes as they are. Whether the other side still takes them is the answer.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// One reply, without its length.
    pub(crate) fn receive(&mut self) -> Result<Heard> {
        let mut length = [0; 4];
        match self.stream.read_exact(&mut length) {
            Ok(()) => {}
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(Heard::Nothing);
            }
            Err(_) => return Ok(Heard::Closed),
        }
        let length = usize::try_from(i32::from_be_bytes(length)).context("a reply of negative length")?;
        ensure!(length <= REPLY_BYTES_MAX, "a reply of {length} bytes");
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).context("the reply's body")?;
        Ok(Heard::Reply(body))
    }

    /// Sends a whole frame and returns the reply to it.
    pub(crate) fn ask(&mut self, frame: &[u8]) -> Result<Vec<u8>> {
        ensure!(self.send_raw(frame), "the connection takes no more bytes");
        match self.receive()? {
            Heard::Reply(body) => Ok(body),
            other => bail!("asked and heard {other:?}"),
        }
    }
}

/// ApiVersions version 0 with this correlation id: a question that every broker answers.
pub(crate) fn api_versions_v0(correlation: i32) -> Vec<u8> {
    let mut frame = vec![0, 0, 0, 10, 0, 18, 0, 0];
    frame.extend(correlation.to_be_bytes());
    frame.extend((-1i16).to_be_bytes());
    frame
}

/// Whether a broker says that it serves an API.
pub(crate) fn serves(address: &str, key: i16) -> Result<bool> {
    let reply = Connection::open(address, Duration::from_secs(5))?.ask(&api_versions_v0(1))?;
    // Correlation, error and count, then for each API its key and the two ends of its versions.
    let keys = reply.get(10..).context("an answer without APIs")?.chunks_exact(6);
    Ok(keys.into_iter().any(|api| api[..2] == key.to_be_bytes()))
}

/// Asks ApiVersions once: a whole answer without an error is what counts as serving.
pub(crate) fn answers(address: &str) -> Result<()> {
    const CORRELATION: i32 = 7;
    let reply = Connection::open(address, Duration::from_secs(5))?.ask(&api_versions_v0(CORRELATION))?;
    ensure!(reply.len() > 10, "an answer of {} bytes", reply.len());
    ensure!(reply[..4] == CORRELATION.to_be_bytes(), "the answer belongs to another question");
    ensure!(reply[4..6] == [0, 0], "ApiVersions answers an error");
    Ok(())
}
