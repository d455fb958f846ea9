//! Quotas at work, beside figures computed by hand from Kafka's rules.

use super::*;
use crate::cluster::Image;
use crate::cluster::image::of_quotas;
use crate::cluster::quota::Wanted;

const KAFKAS: Windows = Windows { count: 11, each_ms: 1000 };

/// An image with these quotas: (user, client id, name, value).
fn image(all: &[(&str, &str, &str, f64)]) -> Image {
    let wanted: Vec<Wanted> = all
        .iter()
        .map(|(user, id, key, value)| {
            let named = [("user", user), ("client-id", id)].into_iter().filter(|(_, name)| !name.is_empty());
            let entity = named.map(|(kind, name)| (kind.to_owned(), Some((*name).to_string())));
            Wanted { entity: entity.collect(), changes: vec![((*key).to_owned(), Some(*value))] }
        })
        .collect();
    of_quotas(&wanted)
}

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn left(throttle: Option<Throttle>, now: Duration) -> i32 {
    throttle.map_or(0, |throttle| throttle.left_ms(now))
}

fn measures() -> ClientQuotas {
    let bound = Bound { named_max: 1000, metrics: Metrics::new(&[], Default::default()) };
    ClientQuotas::within(KAFKAS, KAFKAS, &bound)
}

#[test]
fn a_producer_rests_until_its_rate_is_its_quota() {
    let image = image(&[("", "slow", "producer_byte_rate", 1000.0)]);
    let measures = measures();
    let (slow, quick) = (Client::new("u", "slow"), Client::new("u", "quick"));
    let produce =
        |client: &Client, bytes, ms| left(measures.produced(image.quotas(), client, bytes, at(ms)), at(ms));
    assert_eq!(produce(&slow, 10_000, 0), 0);
    // 15,000 in 10 s are 1,500 a second: half too much of ten seconds.
    assert_eq!(produce(&slow, 5_000, 0), 5_000);
    assert_eq!(produce(&quick, 1 << 30, 0), 0);
    // Five seconds later it is still taken over ten, the burst being all that there is; with its window it is forgotten.
    assert_eq!(produce(&slow, 0, 5_000), 5_000);
    assert_eq!(produce(&slow, 10_000, 11_000), 0);
}

#[test]
fn a_fetch_that_waits_does_not_count() {
    let image = image(&[("", "slow", "consumer_byte_rate", 1000.0)]);
    let measures = measures();
    let slow = Client::new("u", "slow");
    let fetch =
        |bytes, ms| left(measures.fetched(image.quotas(), &slow, bytes, Duration::ZERO, at(ms)), at(ms));
    assert_eq!(measures.fetch_bytes_max(image.quotas(), &slow), Some(10_000.0));
    assert_eq!(fetch(10_000, 0), 0);
    assert_eq!(fetch(2_000, 0), 2_000);
    assert_eq!(fetch(2_000, 0), 2_000, "what was not sent is not held against it");
    assert_eq!(fetch(1_000, 1_500), 500, "11,000 over 10.5 s");
    assert_eq!(fetch(2_000, 11_000), 0);
    assert_eq!(measures.fetch_bytes_max(image.quotas(), &Client::new("u", "quick")), None);
}

#[test]
fn time_is_bounded_in_percent_of_a_thread_and_rests_by_a_window() {
    let image = image(&[("u", "", "request_percentage", 10.0), ("u", "", "consumer_byte_rate", 1e9)]);
    let measures = measures();
    let client = Client::new("u", "any");
    let spend = |spent, ms| left(measures.spent(image.quotas(), &client, at(spent), at(ms)), at(ms));
    // 10 % of ten seconds.
    assert_eq!(spend(1000, 0), 0);
    // 10.5 %: half a percent too much of ten seconds in ten.
    assert_eq!(spend(50, 0), 500);
    assert_eq!(spend(5000, 0), 1000, "never longer than a window");
    // A fetch that rests for its time does not count its bytes either.
    let fetched = measures.fetched(image.quotas(), &client, 1 << 33, at(1), at(0));
    assert_eq!(fetched.map(|throttle| throttle.key), Some(Key::RequestPercentage));
}

#[test]
fn a_strict_quota_refuses_and_a_lenient_one_makes_rest() {
    let image = image(&[("u", "", "controller_mutation_rate", 2.0)]);
    let measures = measures();
    let client = Client::new("u", "any");
    let change = |partitions, is_strict, ms| {
        let change = Change { partitions, is_strict };
        let (is_allowed, rest) = measures.changed(image.quotas(), &client, change, at(ms));
        (is_allowed, left(rest, at(ms)))
    };
    // 2 a second in eleven windows are 22 at once; one change may take more than is left.
    assert_eq!(change(20, true, 0), (true, 0));
    assert_eq!(change(6, true, 0), (true, 0));
    assert_eq!(change(1, true, 0), (false, 2_000));
    assert_eq!(change(1, true, 500), (false, 1_500));
    assert_eq!(change(1, true, 2_000), (true, 0));
    assert_eq!(change(3, false, 2_000), (true, 2_000), "the lenient one lets it happen");
    let other = Client::new("other", "any");
    let free = measures.changed(image.quotas(), &other, Change { partitions: 99, is_strict: true }, at(0));
    assert_eq!(free, (true, None));
}

#[test]
fn an_address_that_comes_too_often_waits_outside() {
    let entity = [("ip".to_owned(), Some("10.0.0.1".to_owned()))].into_iter().collect();
    let wanted = Wanted { entity, changes: vec![("connection_creation_rate".to_owned(), Some(2.0))] };
    let image = of_quotas(&[wanted]);
    let measures = measures();
    let connect = |address: [u8; 4], ms| measures.connected(image.quotas(), address.into(), at(ms));
    // 2 a second over ten seconds.
    assert!((0..20).all(|_| connect([10, 0, 0, 1], 0).is_none()));
    // 21 over 10 s are 2.1: a twentieth too much of ten seconds.
    assert_eq!(connect([10, 0, 0, 1], 0), Some(at(500)));
    assert_eq!(connect([10, 0, 0, 1], 0), Some(at(500)), "who did not get in does not count");
    assert_eq!(connect([10, 0, 0, 2], 0), None);
    assert_eq!(connect([10, 0, 0, 1], 500), None);
}

#[test]
fn the_longer_rest_counts() {
    let rest = |key, ms| Throttle::new(key, at(0), ms);
    let (bytes, time) = (rest(Key::ProducerByteRate, 5), rest(Key::RequestPercentage, 9));
    assert_eq!(Throttle::longer(bytes, time), time);
    assert_eq!(Throttle::longer(time, bytes), time);
    assert_eq!(Throttle::longer(None, bytes), bytes);
    assert_eq!(rest(Key::ProducerByteRate, 0), None);
    let longest = rest(Key::ProducerByteRate, u64::MAX).unwrap();
    assert_eq!(longest.left_ms(at(0)), i32::MAX);
}

#[test]
fn the_rests_of_every_quota_are_counted() {
    let mut counted = crate::metrics::QUOTA_NAMES.to_vec();
    let mut all = Key::ALL.map(Key::name).to_vec();
    counted.sort_unstable();
    all.sort_unstable();
    assert_eq!(counted, all);
}
