//! Hostile frames through the whole request path of a real broker in this process: header, guard, decode, API, reply.
//!
//! Whatever comes in, a request begins or is refused; nothing panics, and the broker serves an honest client afterwards.
//! `OTTLA_EFFORT=long` plays a hundred times as many frames; `OTTLA_SIM_SEED` plays others.

#[path = "../../../protocol-compat/tests/golden/frames.rs"]
mod frames;
#[path = "../wire/harness.rs"]
mod harness;
#[path = "../../../protocol-compat/tests/golden_hostile/mutate.rs"]
mod mutate;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use server::api::{self, Peer, Then};
use server::security::Principal;

use harness::{Broker, TestDir};
use mutate::{Random, mutated};

const FRAMES: usize = 100_000;
const FRAMES_LONG: usize = 10_000_000;
const SEED: u64 = 20_261_121;

fn environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// One poll: most waits are decided at once, and the rest is dropped as when a client hangs up.
fn poll_once<T>(wait: impl Future<Output = T>) {
    let _ = pin!(wait).poll(&mut Context::from_waker(Waker::noop()));
}

/// What becomes of a request once the metadata that it saw is on the disk: every reply waits for that, and how long it takes
/// is the machine's affair.
fn decided<R>(mut then: Then<R>) -> Then<R> {
    while let Then::Gate(wait) = then {
        then = tokio::runtime::Handle::current().block_on(wait);
    }
    then
}

#[test]
fn no_frame_brings_the_broker_down() {
    let dir = TestDir::new();
    // Small segments, so that lucky batches roll, and room for the topics that lucky frames create.
    let broker = Broker::start(&dir, &["log.durability=relaxed"]);
    let _runtime = broker.enter();
    let peer = Arc::new(Peer {
        principal: Principal::anonymous(),
        listener: "PLAINTEXT".into(),
        address: ([127, 0, 0, 1], 1).into(),
        connection_id: 1,
        software: Default::default(),
    });
    let served: Vec<_> = frames::all()
        .into_iter()
        .filter(|golden| golden.is_request && api::TABLE.iter().any(|api| api.key == golden.key))
        .collect();
    let mut random = Random(environment("OTTLA_SIM_SEED").unwrap_or(SEED));
    let long = std::env::var("OTTLA_EFFORT").is_ok_and(|effort| effort == "long");
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..if long { FRAMES_LONG } else { FRAMES } {
        let frame: Bytes = mutated(&served, &mut random);
        let outcome = match api::begin(broker.services(), &peer, frame) {
            Err(_) => "refused",
            Ok(begun) => match decided(begun.then) {
                Then::Now(answer) if answer.failed => "answered with an error",
                Then::Now(_) => "answered",
                Then::Later(wait) => {
                    poll_once(wait);
                    "parked"
                }
                Then::Gate(_) => unreachable!("waited for"),
                Then::Silent => "silent",
                Then::Placing(wait, _) => {
                    poll_once(wait);
                    "waiting for a place"
                }
                Then::Close => "closed",
            },
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    println!("{outcomes:?}");
    for expected in ["refused", "answered", "answered with an error"] {
        assert!(outcomes.get(expected).is_some_and(|n| *n > 100), "too few {expected}: {outcomes:?}");
    }
    let reply = broker.client().call(0, &protocol_compat::messages::ApiVersionsRequest::default());
    assert_eq!(reply.error_code, 0);
}
