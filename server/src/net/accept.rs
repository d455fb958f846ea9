//! Listeners: bound as configured, accepting until the broker stops.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::admission::{Admission, Place};
use super::connection;
use crate::api::{Broker, Peer};
use crate::config::{Config, Host, Listener};
use crate::security::Principal;

/// How long accepting rests when the process has no descriptor left; clients that are in stay untouched.
const ACCEPT_REST: Duration = Duration::from_millis(100);
/// Connections that are kept open, without being served, because their address has made too many.
const KEPT_OUTSIDE_MAX: usize = 1000;
/// How many times an address is tried on the port that the first one of its listener was given.
const PORT_TRIES: usize = 20;

/// A socket that listens, and the listener that it belongs to.
pub struct BoundListener {
    pub name: Arc<str>,
    pub address: SocketAddr,
    listener: Arc<Listener>,
    socket: std::net::TcpListener,
}

/// Binds every address of a listener. `localhost` is 127.0.0.1 and ::1 by rule, not by what a resolver says.
pub fn bind(listener: &Listener, config: &Config) -> io::Result<Vec<BoundListener>> {
    let addresses = match &listener.host {
        Host::Name(name) => {
            std::net::ToSocketAddrs::to_socket_addrs(&(name.as_str(), listener.port))?.take(1).collect()
        }
        host => host.addresses(listener.port).unwrap_or_default(),
    };
    let name: Arc<str> = listener.name.as_str().into();
    let listener = Arc::new(listener.clone());
    let bound = |socket: std::net::TcpListener| -> io::Result<BoundListener> {
        Ok(BoundListener {
            name: name.clone(),
            address: socket.local_addr()?,
            listener: listener.clone(),
            socket,
        })
    };
    bind_together(&addresses, config)?.into_iter().map(bound).collect()
}

/// All addresses on one port. With port 0 the first address finds one that another may not have free.
fn bind_together(addresses: &[SocketAddr], config: &Config) -> io::Result<Vec<std::net::TcpListener>> {
    let (first, others) = addresses.split_first().ok_or(io::ErrorKind::AddrNotAvailable)?;
    for tries_left in (0..PORT_TRIES).rev() {
        let socket = bind_one(*first, config)?;
        let port = socket.local_addr()?.port();
        let mut bound = vec![socket];
        match others.iter().try_for_each(|other| bind_other(*other, port, &mut bound, config)) {
            Ok(()) => return Ok(bound),
            Err(error) if first.port() == 0 && error.kind() == io::ErrorKind::AddrInUse && tries_left > 0 => {
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

/// One more address of a listener. A machine without IPv6 costs a line.
fn bind_other(
    address: SocketAddr,
    port: u16,
    bound: &mut Vec<std::net::TcpListener>,
    config: &Config,
) -> io::Result<()> {
    match bind_one(SocketAddr::new(address.ip(), port), config) {
        Ok(socket) => bound.push(socket),
        Err(error) if has_no_ipv6(&error) => {
            tracing::info!(%address, "this machine has no IPv6: not listening there")
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn has_no_ipv6(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

fn bind_one(address: SocketAddr, config: &Config) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A broker that was just stopped may start again on its port.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Accepted sockets inherit these; -1 leaves them to the kernel, which tunes them as it sees fit.
    if let Ok(bytes) = usize::try_from(config.socket_receive_buffer_bytes) {
        socket.set_recv_buffer_size(bytes)?;
    }
    if let Ok(bytes) = usize::try_from(config.socket_send_buffer_bytes) {
        socket.set_send_buffer_size(bytes)?;
    }
    socket.bind(&address.into())?;
    socket.listen(config.socket_listen_backlog_size)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Accepts on every socket until `stop` turns true, then waits for the connections to end.
pub async fn serve(
    listeners: Vec<BoundListener>,
    broker: Arc<Broker>,
    admission: Arc<Admission>,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let ids = Arc::new(AtomicU64::new(0));
    let outside = Arc::new(Semaphore::new(KEPT_OUTSIDE_MAX));
    let mut acceptors = JoinSet::new();
    for listener in listeners {
        let socket = TcpListener::from_std(listener.socket)?;
        let door = Door {
            name: listener.name,
            listener: listener.listener,
            broker: broker.clone(),
            admission: admission.clone(),
            stop: stop.clone(),
            ids: ids.clone(),
            outside: outside.clone(),
        };
        acceptors.spawn(door.accept_until_stopped(socket));
    }
    while acceptors.join_next().await.is_some() {}
    Ok(())
}

/// One listening socket at work.
struct Door {
    name: Arc<str>,
    listener: Arc<Listener>,
    broker: Arc<Broker>,
    admission: Arc<Admission>,
    stop: watch::Receiver<bool>,
    ids: Arc<AtomicU64>,
    /// Room for connections that are kept outside.
    outside: Arc<Semaphore>,
}

impl Door {
    async fn accept_until_stopped(self, socket: TcpListener) {
        let mut connections = JoinSet::new();
        let mut stop = self.stop.clone();
        loop {
            let accepted = tokio::select! {
                accepted = socket.accept() => accepted,
                _ = stop.wait_for(|stopping| *stopping) => break,
                // Ended connections are taken off the list as they end.
                Some(_) = connections.join_next() => continue,
            };
            match accepted {
                Ok((stream, address)) => {
                    if let Some(pause) = self.broker.keep_out(address.ip()) {
                        self.keep_out(stream, pause, &mut connections);
                        continue;
                    }
                    let admitted = tokio::select! {
                        place = self.place(address) => place,
                        _ = stop.wait_for(|stopping| *stopping) => break,
                    };
                    if let Some(place) = admitted {
                        self.let_in(stream, address, place, &mut connections);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections now; `ulimit -n` may be too low");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
        drop(socket);
        while connections.join_next().await.is_some() {}
    }

    /// A connection that came too soon after others of its address is closed, as in Kafka when its time is over: a client
    /// that comes again at once would only come more often. Meanwhile others are accepted.
    fn keep_out(&self, stream: TcpStream, pause: Duration, connections: &mut JoinSet<()>) {
        // Beyond the bound they are closed at once: descriptors are worth more.
        let Ok(held) = self.outside.clone().try_acquire_owned() else { return };
        let mut stop = self.stop.clone();
        connections.spawn(async move {
            let _ = tokio::time::timeout(pause, stop.wait_for(|stopping| *stopping)).await;
            drop((stream, held));
        });
    }

    /// Waits for the connection's place. Meanwhile nothing else is accepted here: clients wait in the kernel's queue.
    async fn place(&self, address: SocketAddr) -> Option<Place> {
        let now = self.broker.env.clock.monotonic();
        let ip = address.ip();
        match self.admission.admit(&self.listener, ip, now).await {
            Ok(place) => Some(place),
            Err(reason) => {
                if let Some(kept_back) = self.admission.telling.may_say("turned away", ip, now) {
                    tracing::warn!(%address, %reason, kept_back, "turned a connection away");
                }
                None
            }
        }
    }

    fn let_in(&self, stream: TcpStream, address: SocketAddr, place: Place, connections: &mut JoinSet<()>) {
        // A peer that vanished without a word is found out by the kernel.
        let alive = SockRef::from(&stream).set_keepalive(true);
        if let Err(error) = stream.set_nodelay(true).and(alive) {
            tracing::debug!(%address, %error, "the connection ended before it began");
            return;
        }
        let peer = Arc::new(Peer {
            principal: Principal::anonymous(),
            listener: self.name.clone(),
            address,
            connection_id: self.ids.fetch_add(1, Ordering::Relaxed),
            software: Default::default(),
            client_id: Default::default(),
        });
        let (broker, stop) = (self.broker.clone(), self.stop.clone());
        connections.spawn(connection::serve(stream, broker, peer, place, stop));
    }
}
