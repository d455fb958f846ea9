//! The decisions about quotas, as Apache Kafka's ClientQuotaControlManager makes them.

use storage::Env;

use super::super::apply::apply;
use super::*;

fn named(parts: &[(&str, Option<&str>)]) -> Named {
    parts.iter().map(|(kind, name)| ((*kind).to_owned(), name.map(str::to_owned))).collect()
}

fn wanted(parts: &[(&str, Option<&str>)], changes: &[(&str, Option<f64>)]) -> Wanted {
    let changes = changes.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
    Wanted { entity: named(parts), changes }
}

/// What becomes of one entity on its own, with how many records.
fn one(image: &Image, wanted: Wanted) -> Result<usize, QuotaRefusal> {
    let (records, mut outcomes) = alter(image, &[wanted]).unwrap();
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0).1.map(|()| records.len())
}

fn image(all: &[Wanted]) -> Image {
    let mut image = Image::default();
    let (records, outcomes) = alter(&image, all).unwrap();
    assert!(outcomes.iter().all(|(_, outcome)| outcome.is_ok()), "{outcomes:?}");
    records.into_iter().for_each(|record| apply(&mut image, record));
    image
}

const USER: (&str, Option<&str>) = ("user", Some("u"));
const CLIENT: (&str, Option<&str>) = ("client-id", Some("c"));
const ADDRESS: (&str, Option<&str>) = ("ip", Some("10.0.0.1"));

#[test]
fn entities_are_users_client_ids_both_or_addresses() {
    let rate = [("producer_byte_rate", Some(1.0))];
    for parts in [&[USER][..], &[CLIENT], &[USER, CLIENT], &[("user", None)], &[("client-id", None), USER]] {
        assert_eq!(one(&Image::default(), wanted(parts, &rate)), Ok(1), "{parts:?}");
    }
    let pace = [("connection_creation_rate", Some(1.0))];
    for name in [Some("10.0.0.1"), Some("::1"), Some("localhost"), None] {
        assert_eq!(one(&Image::default(), wanted(&[("ip", name)], &pace)), Ok(1), "{name:?}");
    }
    let refused = |parts: &[(&str, Option<&str>)]| one(&Image::default(), wanted(parts, &pace)).unwrap_err();
    assert_eq!(refused(&[]), QuotaRefusal::EmptyEntity);
    assert_eq!(refused(&[ADDRESS, USER]), QuotaRefusal::AddressWithOthers);
    assert_eq!(refused(&[ADDRESS, CLIENT]), QuotaRefusal::AddressWithOthers);
    assert_eq!(refused(&[("group", Some("g"))]), QuotaRefusal::UnknownType("group".to_owned()));
    assert_eq!(refused(&[("user", Some(""))]), QuotaRefusal::EmptyName("user"));
    assert_eq!(refused(&[("ip", Some(""))]), QuotaRefusal::EmptyName("ip"));
    for name in ["10.0.0.256", "no.such.host.invalid", "1 2"] {
        assert_eq!(refused(&[("ip", Some(name))]), QuotaRefusal::NoAddress(name.to_owned()));
    }
}

#[test]
fn values_have_their_bounds() {
    let set = |parts: &[(&str, Option<&str>)], key, value| {
        one(&Image::default(), wanted(parts, &[(key, Some(value))]))
    };
    for key in ["producer_byte_rate", "consumer_byte_rate"] {
        for good in [1.0, 1e-7 + 5.0, 9.223_372_036_854_775e18, i64::MAX as f64] {
            assert_eq!(set(&[USER], key, good), Ok(1), "{key} {good}");
        }
        assert!(matches!(set(&[USER], key, 1.5), Err(QuotaRefusal::Fractional(_))));
        assert!(matches!(set(&[USER], key, 0.5), Err(QuotaRefusal::Fractional(_))));
        assert!(matches!(set(&[USER], key, 1e19), Err(QuotaRefusal::TooLarge { .. })));
        assert!(matches!(set(&[USER], key, f64::INFINITY), Err(QuotaRefusal::TooLarge { .. })));
    }
    for key in ["request_percentage", "controller_mutation_rate"] {
        for good in [0.001, 1.5, 1e300, f64::INFINITY] {
            assert_eq!(set(&[USER, CLIENT], key, good), Ok(1), "{key} {good}");
        }
    }
    let pace = "connection_creation_rate";
    assert_eq!(set(&[ADDRESS], pace, 2_147_483_647.0), Ok(1));
    assert!(matches!(set(&[ADDRESS], pace, 2_147_483_648.0), Err(QuotaRefusal::TooLarge { .. })));
    assert!(matches!(set(&[ADDRESS], pace, 0.1), Err(QuotaRefusal::Fractional(_))));
    for key in Key::ALL {
        let parts = if key == Key::ConnectionCreationRate { [ADDRESS] } else { [USER] };
        for bad in [0.0, -0.0, -1.0, f64::NEG_INFINITY] {
            assert_eq!(set(&parts, key.name(), bad), Err(QuotaRefusal::NotPositive(key.name())), "{bad}");
        }
        assert_eq!(set(&parts, key.name(), f64::NAN), Ok(1), "Kafka takes it");
    }
    for (parts, key) in [(USER, pace), (ADDRESS, "producer_byte_rate"), (USER, "bytes")] {
        assert_eq!(set(&[parts], key, 1.0), Err(QuotaRefusal::UnknownKey(key.to_owned())));
    }
}

#[test]
fn what_is_as_wanted_costs_no_record() {
    let set = wanted(&[USER], &[("producer_byte_rate", Some(5.0)), ("request_percentage", Some(2.0))]);
    let image = image(std::slice::from_ref(&set));
    assert_eq!(one(&image, set), Ok(0));
    let change = wanted(&[USER], &[("producer_byte_rate", Some(6.0)), ("request_percentage", Some(2.0))]);
    assert_eq!(one(&image, change), Ok(1));
    let absent = [("consumer_byte_rate", None), ("no_such_rate", None), ("connection_creation_rate", None)];
    assert_eq!(one(&image, wanted(&[USER], &absent)), Ok(0));
    // One wrong value, and nothing of the entity changes.
    let mixed = wanted(&[USER], &[("producer_byte_rate", Some(7.0)), ("request_percentage", Some(-2.0))]);
    assert!(one(&image, mixed).is_err());
}

#[test]
fn an_entity_without_quotas_is_gone() {
    let both = [("producer_byte_rate", Some(5.0)), ("request_percentage", Some(2.0))];
    let mut image = image(&[wanted(&[USER], &both), wanted(&[CLIENT], &both[..1])]);
    assert!(image.quotas().bounds(Key::ProducerByteRate) && image.quotas().bounds(Key::RequestPercentage));
    assert!(!image.quotas().bounds(Key::ConsumerByteRate));
    let none = [("producer_byte_rate", None), ("request_percentage", None)];
    let (records, _) = alter(&image, &[wanted(&[USER], &none)]).unwrap();
    assert_eq!(records.len(), 2);
    records.into_iter().for_each(|record| apply(&mut image, record));
    assert_eq!(image.quotas().iter().count(), 1);
    assert!(image.quotas().bounds(Key::ProducerByteRate) && !image.quotas().bounds(Key::RequestPercentage));
    let (records, _) = alter(&image, &[wanted(&[CLIENT], &none)]).unwrap();
    records.into_iter().for_each(|record| apply(&mut image, record));
    assert_eq!(image, Image::default());
}

#[test]
fn an_address_has_the_quota_of_its_first_name_or_the_default() {
    let pace =
        |name: Option<&str>, rate: f64| wanted(&[("ip", name)], &[("connection_creation_rate", Some(rate))]);
    let rate = |image: &Image, address: &str| {
        image.quotas().connection_rate(address.parse().unwrap()).map(Value::get)
    };
    let mut with_all = image(&[pace(None, 1.0), pace(Some("10.0.0.1"), 2.0), pace(Some("localhost"), 3.0)]);
    for (address, expected) in
        [("10.0.0.1", 2.0), ("10.0.0.2", 1.0), ("127.0.0.1", 3.0), ("::1", 3.0), ("::2", 1.0)]
    {
        assert_eq!(rate(&with_all, address), Some(expected), "{address}");
    }
    let (records, _) = alter(&with_all, &[pace(Some("0:0:0:0:0:0:0:1"), 4.0)]).unwrap();
    records.into_iter().for_each(|record| apply(&mut with_all, record));
    assert_eq!(rate(&with_all, "::1"), Some(4.0));
    let none = [("connection_creation_rate", None)];
    for name in ["0:0:0:0:0:0:0:1", "localhost"] {
        let (records, _) = alter(&with_all, &[wanted(&[("ip", Some(name))], &none)]).unwrap();
        records.into_iter().for_each(|record| apply(&mut with_all, record));
    }
    assert_eq!((rate(&with_all, "::1"), rate(&with_all, "127.0.0.1")), (Some(1.0), Some(1.0)));
    assert_eq!(rate(&image(&[pace(Some("10.0.0.1"), 2.0)]), "10.0.0.2"), None);
}

#[test]
fn naming_twice_is_refused() {
    let twice = wanted(&[USER], &[("producer_byte_rate", Some(5.0)), ("producer_byte_rate", None)]);
    let refused = QuotaRefusal::KeyTwice("producer_byte_rate".to_owned());
    assert_eq!(one(&Image::default(), twice), Err(refused));
    let first = wanted(&[USER], &[("producer_byte_rate", Some(5.0))]);
    let second = wanted(&[USER], &[("consumer_byte_rate", Some(5.0))]);
    let other = wanted(&[CLIENT], &[("consumer_byte_rate", Some(5.0))]);
    let (records, outcomes) = alter(&Image::default(), &[first, second, other]).unwrap();
    let outcomes: Vec<_> = outcomes.into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, [Err(QuotaRefusal::EntityTwice), Ok(())]);
    assert_eq!(records.len(), 2, "the first changes of an entity and those of the others take place");
}

/// They are decided on under the lock of all changes.
#[test]
fn many_entities_and_many_changes_of_one_take_no_time() {
    let clock = Env::real().clock;
    let begun = clock.monotonic();
    let none = |n: usize| (format!("rate-{n}"), None);
    let crowd: Vec<Wanted> = (0..100_000)
        .map(|n| Wanted {
            entity: [("user".to_owned(), Some(format!("u{n}")))].into(),
            changes: vec![none(n)],
        })
        .collect();
    let one = Wanted {
        entity: [("user".to_owned(), Some("u".to_owned()))].into(),
        changes: (0..100_000).map(none).collect(),
    };
    assert!(alter(&Image::default(), &crowd).unwrap().0.is_empty());
    assert!(alter(&Image::default(), &[one]).unwrap().0.is_empty());
    let took = clock.monotonic() - begun;
    assert!(took.as_secs() < 20, "{took:?}");
}
