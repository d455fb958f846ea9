//! The addresses to listen on: whether they are free.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use super::advertised::{self, resolve};
use super::{Finding, Patient};
use crate::config::Host;

const NAME: &str = "port";

pub(super) fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    // Held until all are asked: two listeners may want the same.
    let mut held = Vec::new();
    for listener in &patient.config.listeners {
        let shown = format!("{}://{}:{}", listener.name, listener.host, listener.port);
        found.extend(free(patient, &shown, &listener.host, listener.port, &mut held));
    }
    if let Some(endpoint) = &patient.config.metrics_listener {
        let shown = format!("metrics.listener {endpoint}");
        found.extend(free(patient, &shown, &endpoint.host, endpoint.port, &mut held));
    }
    // While somebody listens, what clients are told can be tried.
    found.extend(advertised::check(patient));
    found
}

fn free(
    patient: &Patient<'_>,
    shown: &str,
    host: &Host,
    port: u16,
    held: &mut Vec<TcpListener>,
) -> Vec<Finding> {
    let addresses = match (host, host.addresses(port)) {
        (_, Some(addresses)) => addresses,
        (Host::Name(name), _) => match resolve(patient, name, port) {
            Ok(addresses) => addresses.into_iter().take(1).collect(),
            Err(why) => {
                let advice = "name an address of this machine, or teach its resolver the name";
                return vec![Finding::fail(NAME, format!("{shown}: {why}"), advice)];
            }
        },
        _ => Vec::new(),
    };
    for (place, address) in addresses.iter().enumerate() {
        match bind(*address) {
            Ok(socket) => held.push(socket),
            // A machine without IPv6 listens on the other.
            Err(error) if place > 0 && error.kind() != io::ErrorKind::AddrInUse => {}
            Err(error) => return vec![taken(shown, *address, &error)],
        }
    }
    vec![Finding::ok(NAME, format!("{shown} is free"))]
}

fn taken(shown: &str, address: SocketAddr, error: &io::Error) -> Finding {
    let (what, advice) = match error.kind() {
        io::ErrorKind::AddrInUse => {
            (format!("{shown}: somebody listens on {address}"), "stop that, or choose another port")
        }
        io::ErrorKind::PermissionDenied => {
            (format!("{shown}: {address} needs more rights"), "choose a port from 1024 on")
        }
        io::ErrorKind::AddrNotAvailable => {
            (format!("{shown}: {address} is no address of this machine"), "name one that is")
        }
        _ => (format!("{shown}: {address}: {error}"), "choose another address"),
    };
    Finding::fail(NAME, what, advice)
}

/// As the broker does.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(1)?;
    Ok(socket.into())
}
