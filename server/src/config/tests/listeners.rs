//! Where the broker listens and what clients are told.

use super::*;
use std::net::SocketAddr;

fn addresses(host: &Host) -> Vec<String> {
    host.addresses(9092).expect("no resolver needed").iter().map(SocketAddr::to_string).collect()
}

fn told(config: &Config) -> Vec<(&str, &str, u16)> {
    config.advertised.iter().map(|a| (a.name.as_str(), a.host.as_str(), a.port)).collect()
}

#[test]
fn the_default_is_both_loopback_addresses() {
    let config = load(&[]);
    assert_eq!(config.listeners.len(), 1);
    assert_eq!((config.listeners[0].name.as_str(), config.listeners[0].port), ("PLAINTEXT", 9092));
    assert_eq!(addresses(&config.listeners[0].host), ["127.0.0.1:9092", "[::1]:9092"]);
    assert_eq!(told(&config), [("PLAINTEXT", "localhost", 9092)]);
}

#[test]
fn hosts() {
    let host =
        |text: &str| load(&[("listeners", &format!("PLAINTEXT://{text}:9092"))]).listeners.remove(0).host;
    for all in ["", "0.0.0.0", "[::]"] {
        assert_eq!(host(all), Host::All, "{all}");
    }
    assert_eq!(addresses(&Host::All), ["0.0.0.0:9092", "[::]:9092"]);
    assert_eq!(addresses(&host("127.0.0.1")), ["127.0.0.1:9092"]);
    assert_eq!(addresses(&host("[::1]")), ["[::1]:9092"]);
    assert_eq!(host("LocalHost"), Host::Localhost);
    assert_eq!(host("broker-1.example.com"), Host::Name("broker-1.example.com".to_owned()));
    assert_eq!(host("broker-1.example.com").addresses(1), None);
}

#[test]
fn what_is_no_listener_is_refused() {
    for text in [
        "9092",
        "localhost:9092",
        "PLAINTEXT://localhost",
        "PLAINTEXT://h:65536",
        "PLAINTEXT://h:-1",
        "PLAINTEXT://h:+1",
        "://h:1",
        "PLAINTEXT://::1:9092",
        "PLAINTEXT://[::1:9092",
        "PLAINTEXT://[h]x:1",
        "PLAINTEXT://a b:1",
        "PLAINTEXT://h:",
    ] {
        let error = refused(&[("listeners", text)]);
        assert!(error.contains("NAME://host:port"), "{text}: {error}");
    }
    assert!(refused(&[("listeners", "")]).contains("at least one item"));
}

#[test]
fn several_listeners_need_names_and_ports_of_their_own() {
    let map = ("listener.security.protocol.map", "A:PLAINTEXT,B:PLAINTEXT");
    let load_two = |text: &str| try_load(&[map, ("listeners", text)]).map(|config| config.listeners.len());
    assert_eq!(load_two("A://localhost:1,b://localhost:2").expect("fine"), 2);
    assert_eq!(load_two("A://localhost:0,B://localhost:0").expect("port 0 is any free port"), 2);
    assert_eq!(load_two("A://127.0.0.1:1,B://[::1]:1").expect("two families"), 2);
    assert!(load_two("A://localhost:1,B://localhost:1").is_err());
    assert!(load_two("A://127.0.0.1:1,B://10.0.0.1:1").is_err());
    assert!(load_two("A://localhost:1,a://localhost:2").is_err());
}

#[test]
fn only_plaintext_is_served() {
    for protocol in ["SSL", "SASL_PLAINTEXT", "SASL_SSL"] {
        let error = refused(&[("listeners", &format!("{protocol}://localhost:9093"))]);
        assert!(error.contains("is not served yet") && error.contains("PLAINTEXT"), "{error}");
    }
    assert!(refused(&[("security.inter.broker.protocol", "SSL")]).contains("not served yet"));
    let error = refused(&[("listener.security.protocol.map", "A:TELNET")]);
    assert!(error.contains("PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"), "{error}");
    let error = refused(&[("listeners", "OUTSIDE://localhost:1")]);
    assert!(error.contains("a map that holds the listener OUTSIDE"), "{error}");
}

#[test]
fn a_listener_may_have_bounds_of_its_own() {
    let config = load(&[
        ("listeners", "A://localhost:1,B://localhost:2"),
        ("listener.security.protocol.map", "A:PLAINTEXT,B:PLAINTEXT"),
        ("inter.broker.listener.name", "A"),
        ("max.connections", "7"),
        ("listener.name.b.max.connections", "5"),
        ("listener.name.b.max.connection.creation.rate", "3"),
        ("listener.name.c.max.connections", "1"),
    ]);
    let bounds = |n: usize| (config.listeners[n].connections_max, config.listeners[n].creation_rate_max);
    assert_eq!((bounds(0), bounds(1)), ((7, i32::MAX as u32), (5, 3)));
    assert_eq!(config.inter_broker_listener, "A");
    assert!(!has_notice(&config, "listener.name.b.max.connections", "no effect"));
    assert!(has_notice(&config, "listener.name.c.max.connections", "no effect"), "there is no such listener");
    let name = "listener.name.plaintext.max.connections";
    assert!(refused(&[(name, "-1")]).contains(name));
}

#[test]
fn listeners_of_controllers_are_dropped_with_a_line() {
    let config = load(&[
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("advertised.listeners", "PLAINTEXT://h:9092,CONTROLLER://h:9093"),
        ("controller.listener.names", "controller"),
    ]);
    assert_eq!(config.listeners.len(), 1);
    assert_eq!(told(&config), [("PLAINTEXT", "h", 9092)]);
    assert!(has_notice(&config, "listeners", "CONTROLLER://:9093 is dropped"), "{:?}", config.notices);
    assert!(has_notice(&config, "advertised.listeners", "CONTROLLER://h:9093 is dropped"));
    assert!(refused(&[("controller.listener.names", "PLAINTEXT")]).contains("at least one listener"));
}

#[test]
fn advertised_listeners() {
    let with = |text: &str| try_load(&[("listeners", "PLAINTEXT://:9092"), ("advertised.listeners", text)]);
    assert_eq!(
        told(&with("PLAINTEXT://[2001:db8::1]:80").expect("fine")),
        [("PLAINTEXT", "2001:db8::1", 80)]
    );
    for bad in ["PLAINTEXT://0.0.0.0:9092", "PLAINTEXT://:9092", "OTHER://h:1", "h:1"] {
        assert!(with(bad).is_err(), "{bad}");
    }
    let open = load(&[("listeners", "PLAINTEXT://:9092")]);
    assert!(!open.advertised[0].host.is_empty());
    assert!(has_notice(&open, "advertised.listeners", "listens on all interfaces"), "{:?}", open.notices);
}

#[test]
fn the_listener_between_brokers_must_be_one_that_is_told() {
    load(&[("inter.broker.listener.name", "PLAINTEXT")]);
    assert!(refused(&[("inter.broker.listener.name", "INTERNAL")]).contains("PLAINTEXT"));
    let both = [("inter.broker.listener.name", "PLAINTEXT"), ("security.inter.broker.protocol", "PLAINTEXT")];
    assert!(refused(&both).contains("not both"));
}

#[test]
fn the_metrics_listener() {
    let endpoint =
        |text: &str| load(&[("metrics.listener", text)]).metrics_listener.map(|at| (at.host, at.port));
    assert_eq!(endpoint("off"), None);
    assert_eq!(endpoint("localhost:0"), Some((Host::Localhost, 0)));
    assert_eq!(endpoint(":9464"), Some((Host::All, 9464)));
    assert_eq!(endpoint("[::1]:1"), Some((Host::Address("::1".parse().expect("an address")), 1)));
}
