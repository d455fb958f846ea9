//! Where a client may come in, and what address it is told: listeners by name, both families, and a port that is another
//! one outside than inside, as a container's is.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use protocol_compat::messages::{DescribeClusterRequest, MetadataRequest};

use super::harness::{Broker, Client, TestDir};

const TWO: [&str; 3] = [
    "listener.security.protocol.map=INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT",
    "inter.broker.listener.name=INSIDE",
    "advertised.listeners=OUTSIDE://broker.example.com:19092",
];

/// What Metadata says, after DescribeCluster has said the same.
fn told(client: &mut Client) -> (String, i32) {
    let metadata = client.call(12, &MetadataRequest::default().with_topics(Some(Vec::new())));
    let cluster = client.call(1, &DescribeClusterRequest::default().with_endpoint_type(1));
    let ([broker], [described]) = (&metadata.brokers[..], &cluster.brokers[..]) else {
        panic!("one broker, not {metadata:?} and {cluster:?}");
    };
    assert_eq!((&broker.host, broker.port), (&described.host, described.port));
    (broker.host.to_string(), broker.port)
}

fn client_at(address: SocketAddr) -> Client {
    Client::over(TcpStream::connect_timeout(&address, Duration::from_secs(10)).unwrap())
}

#[test]
fn each_listener_tells_its_own_address() {
    let dir = TestDir::new();
    let settings = [&["listeners=INSIDE://127.0.0.1:0,OUTSIDE://127.0.0.1:0"][..], &TWO].concat();
    let broker = Broker::start(&dir, &settings);
    let inside = broker.address_of("INSIDE");
    let outside = broker.address_of("OUTSIDE");
    assert_ne!(inside.port(), outside.port());
    assert_eq!(told(&mut client_at(inside)), ("127.0.0.1".to_owned(), i32::from(inside.port())));
    assert_eq!(told(&mut client_at(outside)), ("broker.example.com".to_owned(), 19092));
}

/// A port outside that leads to another one inside, once that is known.
fn forwarder(to: Arc<OnceLock<SocketAddr>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for outer in listener.incoming().map_while(Result::ok) {
            let Ok(inner) = TcpStream::connect(to.wait()) else { return };
            let (back, forth) = ((inner.try_clone().unwrap(), outer.try_clone().unwrap()), (outer, inner));
            for (from, to) in [back, forth] {
                std::thread::spawn(move || pump(from, to));
            }
        }
    });
    address
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).is_err() {
            return;
        }
    }
}

/// The broker listens on all interfaces; clients know only the port outside, and are told that one.
#[test]
fn a_port_of_a_container_leads_back_to_itself() {
    let dir = TestDir::new();
    // The broker is told of the port outside before it has one inside.
    let inside = Arc::new(OnceLock::new());
    let outside = forwarder(inside.clone());
    let advertised = format!("advertised.listeners=PLAINTEXT://{outside}");
    let broker = Broker::start(&dir, &["listeners=PLAINTEXT://0.0.0.0:0", &advertised]);
    inside.set(SocketAddr::from(([127, 0, 0, 1], broker.port()))).unwrap();
    assert_ne!(outside.port(), broker.port());
    let (host, port) = told(&mut client_at(outside));
    assert_eq!((&*host, port), ("127.0.0.1", i32::from(outside.port())));
    // What it is told leads to the broker again.
    let again: SocketAddr = format!("{host}:{port}").parse().unwrap();
    assert_eq!(told(&mut client_at(again)), (host, port));
    drop(broker);
}

#[test]
fn both_families_answer_where_the_machine_has_both() {
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    for host in ["localhost", "0.0.0.0", "[::]", ""] {
        let dir = TestDir::new();
        let broker = Broker::start(&dir, &[&format!("listeners=PLAINTEXT://{host}:0")]);
        let port = broker.port();
        told(&mut client_at(SocketAddr::from(([127, 0, 0, 1], port))));
        if has_ipv6 {
            told(&mut client_at(format!("[::1]:{port}").parse().unwrap()));
        }
    }
    if has_ipv6 {
        let dir = TestDir::new();
        let broker = Broker::start(&dir, &["listeners=PLAINTEXT://[::1]:0"]);
        let here: SocketAddr = format!("[::1]:{}", broker.port()).parse().unwrap();
        // In an answer an IPv6 address has no brackets.
        assert_eq!(told(&mut client_at(here)), ("::1".to_owned(), i32::from(broker.port())));
        assert!(TcpStream::connect(("127.0.0.1", broker.port())).is_err(), "one family was asked for");
    }
}
