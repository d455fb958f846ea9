//! What clients are told to connect to: whether it can be resolved, is answered, and is not this machine's own name for
//! itself where others are served.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::{Finding, Patient};
use crate::config::{Host, Listener};

const NAME: &str = "advertised";
/// A resolver or a network that takes longer is told of.
const WAIT_MAX: Duration = Duration::from_millis(1_000);

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for told in &patient.config.advertised {
        let listener = patient.config.listeners.iter().find(|listener| listener.name == told.name);
        // With port 0 the broker says the one that it gets.
        let port = if told.port == 0 { listener.map_or(0, |listener| listener.port) } else { told.port };
        let shown = format!("{}://{}:{port}", told.name, told.host);
        found.push(match resolve(patient, &told.host, port) {
            Ok(addresses) => judge(patient, &shown, &addresses, listener),
            Err(why) => Finding::fail(
                NAME,
                format!("{shown}: {why}"),
                "set advertised.listeners to what clients can resolve",
            ),
        });
    }
    found
}

fn judge(
    patient: &Patient<'_>,
    shown: &str,
    addresses: &[SocketAddr],
    listener: Option<&Listener>,
) -> Finding {
    let serves_others = listener.is_some_and(|listener| serves_others(&listener.host));
    if serves_others && addresses.iter().all(|address| address.ip().is_loopback()) {
        return Finding::warn(
            NAME,
            format!("{shown} is what clients are told, and on other machines that is themselves"),
            "set advertised.listeners to this machine's name or address",
        );
    }
    if addresses.iter().all(|address| address.port() == 0) {
        return Finding::ok(NAME, format!("{shown} can be resolved; the port is the one that is free"));
    }
    match connect(patient, addresses) {
        Ok(address) => Finding::ok(NAME, format!("{shown} leads to {address} and is answered")),
        Err(error) => Finding::warn(
            NAME,
            format!("{shown}: {error}"),
            "if no proxy or balancer stands there that will be up later, set advertised.listeners to what leads here",
        ),
    }
}

/// Whether clients of other machines come in there.
fn serves_others(host: &Host) -> bool {
    match host {
        Host::Localhost => false,
        Host::All => true,
        Host::Address(address) => !address.is_loopback(),
        Host::Name(name) => name != "localhost",
    }
}

fn connect(patient: &Patient<'_>, addresses: &[SocketAddr]) -> io::Result<SocketAddr> {
    let mut failed = io::Error::from(io::ErrorKind::TimedOut);
    for address in addresses {
        let wait = WAIT_MAX.min(patient.time_left());
        if wait.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(address, wait) {
            Ok(_) => return Ok(*address),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Asks the resolver on a thread of its own, which a server of names that is silent may hold up for long.
pub(super) fn resolve(patient: &Patient<'_>, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let (answer, answered) = mpsc::channel();
    let name = host.to_owned();
    thread::spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        // Nobody waits any more.
        let _ = answer.send(found);
    });
    match answered.recv_timeout(WAIT_MAX.min(patient.time_left())) {
        Ok(Ok(addresses)) if addresses.is_empty() => Err(format!("{host} has no address")),
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(format!("{host} cannot be resolved: {error}")),
        Err(_) => Err(format!("{host} is not resolved within {} ms", WAIT_MAX.as_millis())),
    }
}
