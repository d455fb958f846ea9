//! Tells a supervisor that asks for it where the broker is in its life: datagrams to the socket in `NOTIFY_SOCKET`, as systemd
//! has them for units of `Type=notify`.
//!
//! Without that variable nothing happens. A supervisor that cannot be told is a line of the log and holds up nothing.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

const VARIABLE: &str = "NOTIFY_SOCKET";

/// Clients are served at these addresses.
pub(crate) fn ready(addresses: &[String]) {
    tell(&format!("READY=1\nSTATUS=serves {}\n", addresses.join(" ")));
}

/// What has begun is brought to its end.
pub(crate) fn stopping() {
    tell("STOPPING=1\nSTATUS=stopping\n");
}

fn tell(message: &str) {
    let Some(socket) = std::env::var_os(VARIABLE).filter(|socket| !socket.is_empty()) else { return };
    if let Err(error) = send(&socket, message.as_bytes()) {
        tracing::warn!(%error, "the supervisor at {} cannot be told", socket.display());
    }
}

fn send(socket: &OsStr, message: &[u8]) -> io::Result<()> {
    let datagrams = UnixDatagram::unbound()?;
    // A supervisor that reads nothing must not hold up the broker.
    datagrams.set_nonblocking(true)?;
    datagrams.send_to_addr(message, &address(socket)?).map(drop)
}

/// A path, or behind an `@` a name of Linux's that is no file.
fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    match socket.as_bytes().split_first() {
        Some((b'@', name)) => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(socket),
    }
}
