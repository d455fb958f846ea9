//! Each answer here was seen on Apache Kafka 4.3.1.

use super::super::apply::apply;
use super::super::records::TopicCreated;
use super::*;
use crate::cli::Cli;
use storage::TopicId;

const POLICY: &str = "cleanup.policy";
const REPLICAS: &str = "leader.replication.throttled.replicas";

fn broker() -> Config {
    Config::load(&Cli::default(), []).expect("the defaults fit together")
}

fn image(configs: &[(&str, &str)]) -> Image {
    let mut image = Image::default();
    let configs = configs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let created = TopicCreated { id: TopicId([1; 16]), name: "t".to_owned(), partitions: 1, configs };
    apply(&mut image, created.into());
    image
}

fn alter(image: &mut Image, topic: &str, changes: &[(&str, Change)]) -> Result<(), ConfigRefusal> {
    let changes = changes.iter().map(|(name, change)| ((*name).to_owned(), change.clone())).collect();
    let record = configure_topic(image, topic, &Wanted::Changes(changes), &broker())?;
    record.into_iter().for_each(|record| apply(image, record));
    Ok(())
}

fn set(value: &str) -> Change {
    Change::Set(value.to_owned())
}

fn append(items: &str) -> Change {
    Change::Append(items.to_owned())
}

fn subtract(items: &str) -> Change {
    Change::Subtract(items.to_owned())
}

fn own(image: &Image, name: &str) -> Option<String> {
    image.topic("t").expect("it is there").configs.get(name).cloned()
}

/// A list from `start` (or the default) by one change after the other.
fn list(name: &str, start: Option<&str>, changes: &[Change]) -> Option<String> {
    let mut image = image(&start.map(|value| (name, value)).into_iter().collect::<Vec<_>>());
    for change in changes {
        alter(&mut image, "t", &[(name, change.clone())]).expect("allowed");
    }
    own(&image, name)
}

#[test]
fn lists_grow_and_shrink_as_kafkas_do() {
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(list(POLICY, None, &[append("compact")]), some("delete,compact"), "from the default");
    assert_eq!(list(POLICY, None, &[append("delete")]), some("delete"));
    assert_eq!(list(POLICY, None, &[subtract("delete")]), some(""));
    assert_eq!(list(POLICY, None, &[subtract("compact")]), some("delete"));
    assert_eq!(list(POLICY, Some("delete"), &[subtract("delete"), append("compact")]), some("compact"));
    assert_eq!(list(POLICY, Some("delete"), &[append("compact"), append("compact")]), some("delete,compact"));
    assert_eq!(list(POLICY, Some("delete,compact"), &[subtract("compact,delete")]), some(""));
    assert_eq!(list(POLICY, Some("delete"), &[append("delete,compact,,")]), some("delete,compact"));
    assert_eq!(list(POLICY, Some("compact, delete"), &[append("delete")]), some("compact, delete,delete"));
    assert_eq!(list(POLICY, Some("delete"), &[Change::Delete]), None);
    assert_eq!(list(POLICY, None, &[Change::Delete]), None);
    assert_eq!(list(REPLICAS, Some("3:1,3:1"), &[subtract("0:1,1:1,3:1")]), some("3:1"), "the first of each");
    assert_eq!(list(REPLICAS, None, &[append("3:1,3:1")]), some("3:1"));
    assert_eq!(list(REPLICAS, Some(""), &[append("")]), some(""));
}

#[test]
fn what_is_refused_changes_nothing() {
    let mut image = image(&[("retention.ms", "1"), (POLICY, "delete")]);
    let before = image.clone();
    let no_list = |what, name: &str| Err(ConfigRefusal::NoList { what, name: name.to_owned() });
    assert_eq!(alter(&mut image, "t", &[("retention.ms", append("1"))]), no_list("APPEND", "retention.ms"));
    assert_eq!(
        alter(&mut image, "t", &[("retention.ms", subtract("1"))]),
        no_list("SUBTRACT", "retention.ms")
    );
    assert_eq!(alter(&mut image, "t", &[("nope", append("1"))]), no_list("APPEND", "nope"));
    for (name, change) in [
        ("nope", set("1")),
        ("retention.ms", set("-2")),
        ("retention.ms", set("soon")),
        (POLICY, append("shred")),
        (POLICY, append("")),
        (POLICY, append(",delete")),
        ("remote.storage.enable", set("true")),
    ] {
        let refused = alter(&mut image, "t", &[(name, change.clone()), ("segment.ms", set("5"))]);
        assert!(matches!(refused, Err(ConfigRefusal::Value(_))), "{name} {change:?}: {refused:?}");
    }
    let lags = [("min.compaction.lag.ms", set("9")), ("max.compaction.lag.ms", set("8"))];
    assert!(matches!(alter(&mut image, "t", &lags), Err(ConfigRefusal::Value(_))));
    assert_eq!(image, before);
    assert_eq!(alter(&mut image, "t", &[("nope", Change::Delete)]), Ok(()), "nobody has it");
}

#[test]
fn settings_are_judged_before_the_topics_existence() {
    let mut image = image(&[]);
    let unknown = Err(Refusal::UnknownName("nobody".to_owned()).into());
    assert_eq!(alter(&mut image, "nobody", &[("retention.ms", set("1"))]), unknown);
    assert_eq!(alter(&mut image, "nobody", &[]), unknown);
    let value = alter(&mut image, "nobody", &[("retention.ms", set("x"))]);
    assert!(matches!(value, Err(ConfigRefusal::Value(_))));
    assert_eq!(alter(&mut image, "", &[]), Err(ConfigRefusal::NoName));
    let name = alter(&mut image, "a/b", &[("retention.ms", set("x"))]);
    assert!(matches!(name, Err(ConfigRefusal::Topic(Refusal::InvalidName(_)))));
    let no_list = alter(&mut image, "a/b", &[("retention.ms", append("x"))]);
    assert!(matches!(no_list, Err(ConfigRefusal::NoList { .. })));
}

#[test]
fn all_settings_at_once_replace_all() {
    let mut image = image(&[("retention.ms", "1"), ("segment.ms", "7")]);
    let exactly = Wanted::Exactly(BTreeMap::from([
        ("segment.ms".to_owned(), "7".to_owned()),
        ("flush.ms".to_owned(), "3".to_owned()),
    ]));
    let record = configure_topic(&image, "t", &exactly, &broker()).expect("allowed").expect("a change");
    let changes = [("flush.ms".to_owned(), Some("3".to_owned())), ("retention.ms".to_owned(), None)];
    assert_eq!(record, TopicConfigured { id: TopicId([1; 16]), changes: changes.into() }.into());
    apply(&mut image, record);
    assert_eq!(configure_topic(&image, "t", &exactly, &broker()), Ok(None), "it has them");
    let none = Wanted::Exactly(BTreeMap::new());
    let record = configure_topic(&image, "t", &none, &broker()).expect("allowed").expect("a change");
    apply(&mut image, record);
    assert_eq!(image.topic("t").expect("there").configs, BTreeMap::new());
}
