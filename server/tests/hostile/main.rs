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
use storage::Together;

use harness::{Broker, TestDir};
use mutate::{Random, mutated};

const FRAMES: usize = 100_000;
const FRAMES_LONG: usize = 10_000_000;
const SEED: u64 = 20_261_121;

fn environment<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

fn peer() -> Arc<Peer> {
    Arc::new(Peer {
        principal: Principal::anonymous(),
        listener: "PLAINTEXT".into(),
        address: ([127, 0, 0, 1], 1).into(),
        connection_id: 1,
        software: Default::default(),
        client_id: Default::default(),
    })
}

/// The golden requests of every API in the table: a new one takes part as soon as it is there.
fn served() -> Vec<frames::Golden> {
    let of_table = |golden: &frames::Golden| api::TABLE.iter().any(|api| api.key == golden.key);
    let served: Vec<_> = frames::all().into_iter().filter(|g| g.is_request && of_table(g)).collect();
    let without = api::TABLE.iter().find(|api| !served.iter().any(|golden| golden.key == api.key));
    assert!(without.is_none(), "no golden frame of {without:?}");
    served
}

/// One poll: most waits are decided at once, and the rest is dropped as when a client hangs up.
fn poll_once<T>(wait: impl Future<Output = T>) {
    let _ = pin!(wait).poll(&mut Context::from_waker(Waker::noop()));
}

/// What becomes of a request once the metadata that it saw is on the disk: every reply waits for that, and how long it takes
/// is the machine's affair.
fn decided<R>(mut then: Then<R>) -> Then<R> {
    loop {
        then = match then {
            Then::Gate(wait) => tokio::runtime::Handle::current().block_on(wait),
            Then::AfterAppends(decide) => decide(),
            decided => return decided,
        }
    }
}

/// Counts and lengths that no frame can keep: as four bytes, and as a variable-length number.
const LIES: [&[u8]; 6] = [
    &1_000_000_000u32.to_be_bytes(),
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0],
    &[0x80, 0x94, 0xeb, 0xdc, 0x03],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
];

/// A count of a billion in every place of every request that is served, in every version. None may take memory or time.
#[test]
fn a_count_that_lies_is_refused_wherever_it_stands() {
    let dir = TestDir::new();
    let broker = Broker::start(&dir, &["log.durability=relaxed", "auto.create.topics.enable=false"]);
    let _runtime = broker.enter();
    let peer = peer();
    let (mut begun, mut refused) = (0, 0);
    for golden in served() {
        for at in 8..golden.bytes.len() {
            for lie in LIES {
                let mut frame = golden.bytes[..at].to_vec();
                frame.extend_from_slice(lie);
                frame.extend_from_slice(golden.bytes.get(at + 4..).unwrap_or_default());
                match api::begin(broker.services(), &peer, frame.into(), None) {
                    Ok(request) => {
                        drop(decided(request.then));
                        begun += 1;
                    }
                    Err(_) => refused += 1,
                }
            }
        }
    }
    println!("{begun} begun, {refused} refused");
    assert!(refused > begun, "most lies are found out: {begun} begun, {refused} refused");
    let reply = broker.client().call(0, &protocol_compat::messages::ApiVersionsRequest::default());
    assert_eq!(reply.error_code, 0);
}

#[test]
fn no_frame_brings_the_broker_down() {
    let dir = TestDir::new();
    // Small segments, so that lucky batches roll, and room for the topics that lucky frames create.
    let broker = Broker::start(&dir, &["log.durability=relaxed"]);
    let _runtime = broker.enter();
    let (peer, served) = (peer(), served());
    let mut random = Random(environment("OTTLA_SIM_SEED").unwrap_or(SEED));
    let long = std::env::var("OTTLA_EFFORT").is_ok_and(|effort| effort == "long");
    let together = Arc::new(Together::default());
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..if long { FRAMES_LONG } else { FRAMES } {
        let frame: Bytes = mutated(&served, &mut random);
        let joint = (random.below(2) == 0).then_some(&together);
        let begun = api::begin(broker.services(), &peer, frame, joint);
        together.write();
        let outcome = match begun {
            Err(_) => "refused",
            Ok(begun) => match decided(begun.then) {
                Then::Now(answer) if !answer.errors.is_empty() => "answered with an error",
                Then::Now(_) => "answered",
                Then::Later(wait) => {
                    poll_once(wait);
                    "parked"
                }
                Then::Gate(_) | Then::AfterAppends(_) => unreachable!("waited for"),
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
