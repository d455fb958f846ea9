//! Who may ask and push when, and what becomes of it.

use std::collections::BTreeMap;

use storage::env::SimClock;

use super::otlp::tests::{gauge, push as payload, sum};
use super::*;
use crate::cli::Cli;
use crate::cluster::Image;
use crate::cluster::client_metrics::subscribe;
use crate::config::variable_of;
use crate::metrics::{NamedMax, render_pushed};

struct World {
    telemetry: Telemetry,
    clock: SimClock,
    image: Image,
}

impl World {
    fn new(settings: &[(&str, &str)]) -> World {
        let settings = settings.iter().map(|(name, value)| (variable_of(name), (*value).to_owned()));
        let (env, _, clock) = Env::simulated(1);
        let config = Config::load(&Cli::default(), settings).expect("they are right");
        let metrics = Metrics::new(&[], NamedMax::default());
        World { telemetry: Telemetry::new(&config, env, metrics), clock, image: Image::default() }
    }

    fn subscribe(&mut self, name: &str, settings: &[(&str, &str)]) {
        subscribe(&mut self.image, name, settings);
    }

    fn pass(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
    }

    fn ask(&self, instance: Option<InstanceId>) -> Result<(InstanceId, Subscribed), TelemetryError> {
        self.telemetry.subscribed(self.image.client_subscriptions(), client("c"), instance)
    }

    fn push(&self, instance: InstanceId, change: impl FnOnce(&mut Push<'_>)) -> Result<(), TelemetryError> {
        let known = Subscribed::of(instance, &client("c"), &self.read());
        let bytes = payload("g", vec![gauge("org.apache.kafka.up", 1.0), sum("sent", 2.0, 1)]);
        let mut push = Push { instance, subscription: known.id, is_last: false, codec: 0, payload: &bytes };
        change(&mut push);
        // What is changed may not outlive the bytes: it is pushed here.
        self.telemetry.push(self.image.client_subscriptions(), client("c"), push)
    }

    fn read(&self) -> BTreeMap<String, crate::config::ClientSubscription> {
        let read = |settings| crate::config::ClientSubscription::read(settings).expect("it is right");
        let all = self.image.client_subscriptions().iter();
        all.map(|(name, settings)| (name.to_string(), read(settings))).collect()
    }

    fn shown(&self) -> Vec<String> {
        let shown = render_pushed(&self.telemetry.pushed());
        shown.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }
}

fn client(id: &str) -> ClientInfo {
    let address = "127.0.0.1:9".parse().expect("an address");
    let software = Some(("sw".to_owned(), "1.0".to_owned()));
    ClientInfo { client_id: id.to_owned(), software, address, connection_id: 1 }
}

fn id(number: u128) -> InstanceId {
    InstanceId::new(number.to_be_bytes()).expect("not reserved")
}

/// Kafka's own ids, computed by its classes for the same instance.
#[test]
fn a_subscription_has_kafkas_id() {
    let mut world = World::new(&[]);
    let instance = id(0x0123_4567_89ab_cdef_0123_4567_89ab_cdf0);
    let of = |world: &World| Subscribed::of(instance, &client("c"), &world.read());
    assert_eq!(of(&world).id, KAFKAS_IDS[0]);
    world.subscribe("a", &[("metrics", "org.apache.kafka.producer.,b"), ("interval.ms", "1000")]);
    world.subscribe("b", &[("metrics", "c,b"), ("match", "client_id=c")]);
    world.subscribe("no", &[("metrics", "x"), ("match", "client_id=d"), ("interval.ms", "100")]);
    assert_eq!(of(&world).metrics, ["org.apache.kafka.producer.", "b", "c"]);
    assert_eq!((of(&world).interval_ms, of(&world).id), (1000, KAFKAS_IDS[1]));
    world.subscribe("all", &[("metrics", "*")]);
    assert_eq!((of(&world).metrics, of(&world).id), (vec!["*".to_owned()], KAFKAS_IDS[2]));
}

const KAFKAS_IDS: [i32; 3] = [-725_132_351, -755_246_379, 848_016_038];

#[test]
fn who_comes_too_early_waits() {
    let mut world = World::new(&[]);
    world.subscribe("a", &[("metrics", "*"), ("interval.ms", "1000")]);
    let (instance, _) = world.ask(None).expect("the first");
    assert_eq!(world.ask(Some(instance)), Err(TelemetryError::TooEarly));
    assert_eq!(world.push(instance, |_| {}), Ok(()), "at once behind the question");
    assert_eq!(world.push(instance, |_| {}), Err(TelemetryError::TooEarly));
    world.pass(999);
    assert_eq!(world.push(instance, |_| {}), Err(TelemetryError::TooEarly));
    world.pass(1);
    assert_eq!(world.push(instance, |_| {}), Ok(()));
    assert_eq!(world.ask(Some(instance)), Err(TelemetryError::TooEarly), "it pushed just now");
    assert_eq!(world.push(instance, |push| push.is_last = true), Ok(()), "the last one is never too early");
    assert_eq!(world.push(instance, |_| {}), Err(TelemetryError::Over));
}

#[test]
fn what_is_wrong_is_told_in_kafkas_order() {
    let mut world = World::new(&[("telemetry.max.bytes", "100")]);
    world.subscribe("a", &[("metrics", "*"), ("interval.ms", "100")]);
    let (instance, _) = world.ask(None).expect("the first");
    let large = [0; 101];
    let wrong = |push: &mut Push<'_>| push.codec = 5;
    assert_eq!(world.push(instance, |push| push.subscription ^= 1), Err(TelemetryError::OtherSubscription));
    assert_eq!(world.ask(Some(instance)).map(|(id, _)| id), Ok(instance), "it was told to ask again");
    world.pass(100);
    assert_eq!(world.push(instance, wrong), Err(TelemetryError::UnknownCodec));
    assert_eq!(world.ask(Some(instance)).map(|(id, _)| id), Ok(instance));
    world.pass(100);
    let pushed = |payload: &[u8], codec: i8| {
        world.telemetry.push(
            world.image.client_subscriptions(),
            client("c"),
            Push {
                instance,
                subscription: Subscribed::of(instance, &client("c"), &world.read()).id,
                is_last: false,
                codec,
                payload,
            },
        )
    };
    assert_eq!(pushed(&large, 0), Err(TelemetryError::TooLarge));
    world.pass(100);
    assert_eq!(pushed(&[1], 0), Err(TelemetryError::Unreadable));
    world.pass(100);
    assert_eq!(pushed(&[1], 4), Err(TelemetryError::Unreadable), "not compressed");
    world.pass(100);
    let bomb = storage::codec::compress(storage::Encoding::of(Codec::Zstd), &[0; 101]);
    assert_eq!(pushed(&bomb, 4), Err(TelemetryError::Unreadable), "more than there may be comes out of it");
    world.pass(100);
    for codec in CODECS {
        let bytes =
            storage::codec::compress(storage::Encoding::of(codec), &payload("g", vec![gauge("a", 1.0)]));
        assert_eq!(pushed(&bytes, codec.id() as i8), Ok(()), "{codec:?}");
        world.pass(100);
    }
    assert_eq!(pushed(&[], 0), Ok(()), "nothing to say");
}

#[test]
fn other_subscriptions_count_at_once() {
    let mut world = World::new(&[]);
    let (instance, before) = world.ask(None).expect("the first");
    assert_eq!((before.metrics.len(), before.interval_ms), (0, 300_000));
    world.subscribe("a", &[("metrics", "x"), ("interval.ms", "500")]);
    let old = |push: &mut Push<'_>| push.subscription = before.id;
    assert_eq!(world.push(instance, old), Err(TelemetryError::OtherSubscription));
    let (_, now) = world.ask(Some(instance)).expect("it was told to ask again");
    assert_eq!((now.metrics.as_slice(), now.interval_ms), (&["x".to_owned()][..], 500));
}

#[test]
fn what_is_pushed_is_shown_until_the_client_is_silent_or_says_goodbye() {
    let mut world = World::new(&[("metrics.client.instances.max", "1")]);
    world.subscribe("a", &[("metrics", "*"), ("interval.ms", "1000")]);
    let (one, other) = (id(1 << 100), id(1 << 101));
    assert_eq!(world.push(one, |_| {}), Ok(()));
    assert_eq!(world.push(other, |_| {}), Ok(()), "there is no room to show it");
    let labels = format!(
        "client_id=\"c\",client_instance_id=\"{one}\",client_software_name=\"sw\",client_software_version=\"1.0\",group_id=\"g\",topic=\"t\""
    );
    assert_eq!(
        world.shown(),
        [format!("ottla_client_sent_total{{{labels}}} 2"), format!("ottla_client_up{{{labels}}} 1")]
    );
    world.pass(1000);
    assert_eq!(world.push(one, |_| {}), Ok(()));
    assert_eq!(world.shown()[0], format!("ottla_client_sent_total{{{labels}}} 4"), "it grew by two");
    world.pass(2999);
    assert_eq!(world.shown().len(), 2);
    world.pass(1);
    assert!(world.shown().is_empty(), "three intervals of silence");
    assert_eq!(world.push(other, |_| {}), Ok(()));
    assert!(world.shown()[0].contains(&other.to_string()), "there is room now");
    assert_eq!(world.push(other, |push| push.is_last = true), Ok(()));
    assert!(world.shown().is_empty());
}

#[test]
fn a_new_instance_gets_an_id_and_loses_nothing_with_its_connection() {
    let world = World::new(&[]);
    let (instance, subscribed) = world.ask(None).expect("the first");
    assert!(InstanceId::new(instance.bytes()).is_some());
    world.telemetry.disconnected(1);
    assert_eq!(world.ask(Some(instance)), Ok((instance, subscribed)), "it is not known any more");
}
