//! Places and who gets them.

use clap::Parser;

use super::*;
use crate::cli::Cli;

fn admission(settings: &[&str]) -> (Arc<Admission>, Vec<Arc<Listener>>) {
    let sets = settings.iter().flat_map(|set| ["--set", *set]);
    let cli = Cli::parse_from(std::iter::once("ottla").chain(sets));
    let config = Config::load(&cli, []).expect("settings that fit together");
    let listeners = config.listeners.iter().cloned().map(Arc::new).collect();
    (Admission::new(LiveConfig::new(config), Metrics::new(&[], Default::default())), listeners)
}

const NOW: Duration = Duration::from_secs(1000);

fn address(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

/// The answer, if there is one at once.
fn at_once<T>(wait: impl Future<Output = T>) -> Option<T> {
    let polled = pin!(wait).poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
    match polled {
        std::task::Poll::Ready(answer) => Some(answer),
        std::task::Poll::Pending => None,
    }
}

fn admit(admission: &Arc<Admission>, listener: &Arc<Listener>, from: u8) -> Option<Result<Place, Turned>> {
    at_once(admission.admit(listener, address(from), NOW))
}

#[tokio::test]
async fn whoever_finds_no_place_waits_for_one() {
    let (admission, listeners) = admission(&["max.connections=2"]);
    let first = admit(&admission, &listeners[0], 1).expect("a place").ok();
    let second = admit(&admission, &listeners[0], 2).expect("a place").expect("let in");
    assert!(first.is_some() && !second.is_wanted());
    let mut third = Box::pin(admission.admit(&listeners[0], address(3), NOW));
    assert!(at_once(third.as_mut()).is_none());
    assert!(second.is_wanted(), "those that are in can know that somebody waits");
    drop(first);
    assert!(third.await.is_ok());
    assert!(!second.is_wanted());
}

#[tokio::test]
async fn a_listener_has_a_bound_of_its_own() {
    let (admission, listeners) = admission(&[
        "listeners=A://127.0.0.1:0,B://127.0.0.1:0",
        "listener.security.protocol.map=A:PLAINTEXT,B:PLAINTEXT",
        "inter.broker.listener.name=B",
        "listener.name.a.max.connections=1",
        "max.connections=2",
    ]);
    let _of_a = admit(&admission, &listeners[0], 1).expect("a place").expect("let in");
    assert!(admit(&admission, &listeners[0], 1).is_none(), "one is all that A has");
    let of_b: Vec<_> = (0..2).filter_map(|_| admit(&admission, &listeners[1], 1)?.ok()).collect();
    assert_eq!(of_b.len(), 2, "what fills the others does not hold up the listener between brokers");
    assert!(admit(&admission, &listeners[1], 1).is_none(), "its own bound does, which is max.connections");
}

#[tokio::test]
async fn an_address_with_too_many_is_turned_away() {
    let (admission, listeners) =
        admission(&["max.connections.per.ip=1", "max.connections.per.ip.overrides=10.0.0.9:0,10.0.0.8:2"]);
    let listener = &listeners[0];
    let turned = |from| match admit(&admission, listener, from).expect("an answer") {
        Ok(place) => {
            std::mem::forget(place);
            None
        }
        Err(turned) => Some(turned),
    };
    assert_eq!(turned(1), None);
    assert_eq!(turned(1), Some(Turned::Address(1)));
    assert_eq!(turned(2), None);
    assert_eq!(turned(9), Some(Turned::Address(0)));
    assert_eq!((turned(8), turned(8), turned(8)), (None, None, Some(Turned::Address(2))));
}

#[tokio::test]
async fn those_that_come_too_fast_wait() {
    let (admission, listeners) = admission(&["max.connection.creation.rate=2"]);
    let burst: Vec<_> = (0..20).filter_map(|_| admit(&admission, &listeners[0], 1)).collect();
    assert_eq!(burst.len(), 20, "what ten seconds may bring");
    let begun = tokio::time::Instant::now();
    let place = admission.admit(&listeners[0], address(1), NOW).await;
    assert!(place.is_ok());
    assert!(begun.elapsed() >= Duration::from_millis(490), "half a second at two a second");
}
