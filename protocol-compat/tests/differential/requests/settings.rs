//! Settings: described and altered.

use super::script::{Script, text};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::{
    AlterConfigsRequest, DescribeConfigsRequest, IncrementalAlterConfigsRequest,
    alter_configs_request as whole, incremental_alter_configs_request as single,
};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const LOGGER: i8 = 8;

pub(super) fn all(script: &mut Script) {
    describe(script);
    alter(script);
    change(script);
    // What came of it.
    script.ask("afterwards", |_| described(&[(TOPIC, "settings", None)]));
}

pub(super) fn described(resources: &[(i8, &str, Option<&[&str]>)]) -> DescribeConfigsRequest {
    let one = |(kind, name, keys): &(i8, &str, Option<&[&str]>)| {
        DescribeConfigsResource::default()
            .with_resource_type(*kind)
            .with_resource_name(text(name))
            .with_configuration_keys(keys.map(|keys| keys.iter().map(|key| text(key)).collect()))
    };
    DescribeConfigsRequest::default().with_resources(resources.iter().map(one).collect())
}

fn describe(script: &mut Script) {
    script.ask("all", |_| described(&[(TOPIC, "settings", None)]));
    script.ask("none named", |_| described(&[(TOPIC, "compacted", Some(&[]))]));
    script.ask("synonyms", |_| described(&[(TOPIC, "settings", None)]).with_include_synonyms(true));
    script.ask("docs", |v| {
        let asked = described(&[(TOPIC, "settings", Some(&["retention.ms"]))]);
        if v >= 3 { asked.with_include_documentation(true) } else { asked }
    });
    script.ask("some", |_| {
        described(&[(TOPIC, "settings", Some(&["retention.ms", "no.such", "cleanup.policy"]))])
    });
    script.ask("unknown topic", |_| described(&[(TOPIC, "absent", None)]));
    script.ask("bad names", |_| described(&[(TOPIC, "a b", None), (TOPIC, "", None)]));
    script.ask("the metadata", |_| described(&[(TOPIC, "__cluster_metadata", None)]));
    script.ask("nothing", |_| described(&[]));
    let of_broker: &[&str] =
        &["log.index.interval.bytes", "log.segment.bytes", "auto.create.topics.enable", "message.max.bytes"];
    script.ask("the broker", |_| described(&[(BROKER, "1", Some(of_broker))]));
    script.ask("the broker, synonyms", |_| {
        described(&[(BROKER, "1", Some(of_broker))]).with_include_synonyms(true)
    });
    script.ask("all brokers", |_| described(&[(BROKER, "", None)]));
    script.ask("another broker", |_| {
        described(&[(BROKER, "2", None), (BROKER, "one", None), (LOGGER, "2", None)])
    });
    script.ask("a logger without a broker", |_| described(&[(LOGGER, "", None)]));
    script
        .ask("unknown type", |_| described(&[(3, "x", None), (TOPIC, "settings", Some(&["retention.ms"]))]));
    script.ask("type 0", |_| described(&[(0, "", None)]));
    script.ask("negative type", |_| described(&[(-1, "", None)]));
}

/// A setting and its value.
pub(super) type Pair<'a> = (&'a str, Option<&'a str>);
/// A setting, what to do to it, a value.
pub(super) type Change<'a> = (&'a str, i8, Option<&'a str>);
/// A resource's type and name, and what is said of its settings.
pub(super) type About<'a, S> = (i8, &'a str, &'a [S]);

pub(super) fn replaced(resources: &[About<'_, Pair<'_>>], validate_only: bool) -> AlterConfigsRequest {
    let setting = |(name, value): &(&str, Option<&str>)| {
        whole::AlterableConfig::default().with_name(text(name)).with_value(value.map(text))
    };
    let one = |(kind, name, settings): &(i8, &str, &[(&str, Option<&str>)])| {
        whole::AlterConfigsResource::default()
            .with_resource_type(*kind)
            .with_resource_name(text(name))
            .with_configs(settings.iter().map(setting).collect())
    };
    AlterConfigsRequest::default()
        .with_resources(resources.iter().map(one).collect())
        .with_validate_only(validate_only)
}

fn alter(script: &mut Script) {
    let good: &[(&str, Option<&str>)] = &[("retention.ms", Some("123456"))];
    script.ask("one", |_| replaced(&[(TOPIC, "settings", good)], false));
    script.ask("validated", |_| replaced(&[(TOPIC, "settings", &[("retention.ms", Some("1"))])], true));
    script.ask("nothing", |_| replaced(&[], false));
    script.ask("no settings, validated", |_| replaced(&[(TOPIC, "settings", &[])], true));
    script.ask("unknown topic", |_| replaced(&[(TOPIC, "absent", good)], false));
    script.ask("bad names", |_| replaced(&[(TOPIC, "a b", good), (TOPIC, "", good)], false));
    wrong(|what, pairs| script.ask(what, |_| replaced(&[(TOPIC, "settings", pairs)], false)));
    script.ask("another broker", |_| replaced(&[(BROKER, "2", good), (BROKER, "one", &[])], false));
    script.ask("read only", |_| replaced(&[(BROKER, "1", &[("node.id", Some("7"))])], true));
    script.ask("a logger", |_| replaced(&[(LOGGER, "1", &[("root", Some("DEBUG"))])], true));
    script.ask("unknown type", |_| replaced(&[(3, "x", good)], false));
    script.ask("type 0", |_| replaced(&[(0, "", good)], false));
}

/// Settings that are wrong in themselves.
fn wrong(mut ask: impl FnMut(&str, &[(&str, Option<&str>)])) {
    let cases: [(&str, &[Pair<'_>]); 9] = [
        ("unknown setting", &[("no.such.setting", Some("1"))]),
        ("not a number", &[("retention.ms", Some("soon"))]),
        ("out of bounds", &[("segment.bytes", Some("1"))]),
        ("not one of", &[("cleanup.policy", Some("forget"))]),
        ("empty value", &[("cleanup.policy", Some(""))]),
        ("empty name", &[("", Some("1"))]),
        ("no value", &[("retention.ms", None)]),
        ("named twice", &[("retention.ms", Some("5")), ("retention.ms", Some("6"))]),
        ("they contradict", &[("min.compaction.lag.ms", Some("10")), ("max.compaction.lag.ms", Some("5"))]),
    ];
    for (what, pairs) in cases {
        ask(what, pairs);
    }
}

pub(super) fn changed(
    resources: &[About<'_, Change<'_>>],
    validate_only: bool,
) -> IncrementalAlterConfigsRequest {
    let setting = |(name, operation, value): &(&str, i8, Option<&str>)| {
        single::AlterableConfig::default()
            .with_name(text(name))
            .with_config_operation(*operation)
            .with_value(value.map(text))
    };
    let one = |(kind, name, settings): &About<'_, Change<'_>>| {
        single::AlterConfigsResource::default()
            .with_resource_type(*kind)
            .with_resource_name(text(name))
            .with_configs(settings.iter().map(setting).collect())
    };
    IncrementalAlterConfigsRequest::default()
        .with_resources(resources.iter().map(one).collect())
        .with_validate_only(validate_only)
}

fn change(script: &mut Script) {
    let (set, delete, append, subtract) = (0, 1, 2, 3);
    let topic =
        |script: &mut Script, what: &str, changes: &[(&str, i8, Option<&str>)], validate_only: bool| {
            script.ask(what, |_| changed(&[(TOPIC, "settings", changes)], validate_only));
        };
    topic(
        script,
        "set",
        &[("retention.ms", set, Some("7777")), ("segment.bytes", set, Some("2000000"))],
        false,
    );
    topic(script, "append", &[("cleanup.policy", append, Some("compact"))], false);
    topic(script, "append again", &[("cleanup.policy", append, Some("compact"))], false);
    topic(script, "subtract", &[("cleanup.policy", subtract, Some("delete"))], false);
    topic(script, "subtract what is not there", &[("cleanup.policy", subtract, Some("delete"))], false);
    topic(script, "delete", &[("segment.bytes", delete, None), ("cleanup.policy", delete, Some("x"))], false);
    topic(script, "delete again", &[("segment.bytes", delete, None)], false);
    topic(script, "delete an unknown one", &[("no.such.setting", delete, None)], false);
    topic(script, "append to what is no list", &[("retention.ms", append, Some("1"))], false);
    topic(script, "operation 4", &[("retention.ms", 4, Some("1"))], false);
    topic(script, "operation -1", &[("retention.ms", -1, Some("1"))], false);
    topic(script, "validated", &[("retention.ms", set, Some("1"))], true);
    topic(script, "no settings", &[], false);
    wrong(|what, pairs| {
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, set, *value)).collect();
        topic(script, what, &pairs, false);
    });
    let good: &[(&str, i8, Option<&str>)] = &[("retention.ms", set, Some("9999"))];
    script.ask("nothing", |_| changed(&[], false));
    script.ask("unknown topic", |_| changed(&[(TOPIC, "absent", good)], false));
    script.ask("bad names", |_| changed(&[(TOPIC, "a b", good), (TOPIC, "", good)], false));
    script.ask("one right, one wrong", |_| {
        changed(&[(TOPIC, "settings", good), (TOPIC, "absent", good)], false)
    });
    script.ask("a topic twice", |_| changed(&[(TOPIC, "settings", good), (TOPIC, "settings", good)], false));
    script.ask("another broker", |_| changed(&[(BROKER, "2", good), (BROKER, "one", &[])], false));
    script.ask("read only", |_| changed(&[(BROKER, "1", &[("node.id", set, Some("7"))])], true));
    script.ask("unknown type", |_| changed(&[(3, "x", good)], false));
}
