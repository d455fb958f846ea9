//! Brokers' settings: what becomes of them in the image, and what is refused.

use storage::TopicId;

use super::super::Change;
use super::*;
use crate::cli::Cli;
use crate::cluster::apply::apply;
use crate::cluster::records::TopicCreated;
use crate::config::NotChanged;

const HERE: Scope = Scope::ThisBroker;

fn broker() -> Config {
    Config::load(&Cli::default(), []).expect("the defaults fit together")
}

fn changes(pairs: &[(&str, Change)]) -> Wanted {
    Wanted::Changes(pairs.iter().map(|(name, change)| ((*name).to_owned(), change.clone())).collect())
}

fn set(value: &str) -> Change {
    Change::Set(value.to_owned())
}

/// Whether there was anything to change.
fn alter(image: &mut Image, scope: Scope, wanted: &Wanted) -> Result<bool, ConfigRefusal> {
    let record = configure_broker(image, scope, wanted, &broker())?;
    let is_changed = record.is_some();
    record.into_iter().for_each(|record| apply(image, record));
    Ok(is_changed)
}

#[test]
fn settings_are_this_brokers_or_all_brokers() {
    let mut image = Image::default();
    let small = changes(&[("message.max.bytes", set("5"))]);
    assert_eq!(alter(&mut image, HERE, &small), Ok(true));
    assert_eq!(alter(&mut image, HERE, &small), Ok(false), "it has it");
    assert_eq!(alter(&mut image, Scope::AllBrokers, &changes(&[("log.retention.ms", set("7"))])), Ok(true));
    let stored = stored_settings(&image, broker().node_id);
    assert_eq!((stored.this_broker.len(), stored.all_brokers.len()), (1, 1));
    let others = stored_settings(&image, broker().node_id + 1);
    assert_eq!((others.this_broker.len(), others.all_brokers.len()), (0, 1));
    assert_eq!(alter(&mut image, HERE, &Wanted::Exactly(Layer::new())), Ok(true));
    assert_eq!(alter(&mut image, Scope::AllBrokers, &Wanted::Exactly(Layer::new())), Ok(true));
    assert_eq!(image, Image::default());
}

#[test]
fn lists_begin_with_kafkas_default() {
    let mut image = Image::default();
    let more = changes(&[("log.cleanup.policy", Change::Append("compact".to_owned()))]);
    assert_eq!(alter(&mut image, HERE, &more), Ok(true));
    let stored = stored_settings(&image, broker().node_id);
    assert_eq!(stored.this_broker["log.cleanup.policy"], "delete,compact");
    let no_list = changes(&[("message.max.bytes", Change::Append("5".to_owned()))]);
    assert!(matches!(alter(&mut image, HERE, &no_list), Err(ConfigRefusal::NoList { .. })));
}

#[test]
fn no_default_makes_a_topics_own_settings_invalid() {
    let mut image = Image::default();
    let configs = [("min.compaction.lag.ms", "10"), ("retention.ms", "-1")];
    let configs = configs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let created = TopicCreated { id: TopicId([1; 16]), name: "t".to_owned(), partitions: 1, configs };
    apply(&mut image, created.into());
    let lag = |value: &str| changes(&[("log.cleaner.max.compaction.lag.ms", set(value))]);
    let refused = alter(&mut image, Scope::AllBrokers, &lag("9"));
    assert!(matches!(refused, Err(ConfigRefusal::OfTopic { topic, .. }) if topic == "t"));
    assert_eq!(alter(&mut image, Scope::AllBrokers, &lag("10")), Ok(true));
}

/// A value that an older version stored and this one does not take is in nobody's way, and stays.
#[test]
fn what_is_stored_and_does_not_count_is_left_alone() {
    let mut image = Image::default();
    let stored = |value: &str| Some(value.to_owned());
    let odd = [("num.partitions".to_owned(), stored("3")), ("log.retention.ms".to_owned(), stored("soon"))];
    apply(&mut image, BrokerConfigured { node_id: Some(1), changes: odd.into() }.into());
    assert_eq!(alter(&mut image, HERE, &changes(&[("message.max.bytes", set("5"))])), Ok(true));
    assert_eq!(image.broker_configs(Some(1)).map(BTreeMap::len), Some(3));
    let again = changes(&[("num.partitions", set("4"))]);
    let refused = alter(&mut image, HERE, &again);
    assert_eq!(refused, Err(NotChanged::ReadOnly("num.partitions".to_owned()).into()));
    assert_eq!(alter(&mut image, HERE, &changes(&[("num.partitions", Change::Delete)])), Ok(true));
}
