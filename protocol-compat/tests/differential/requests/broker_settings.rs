//! Settings of brokers and levels of their loggers: altered, refused, described with where they come from.

use super::script::Script;
use super::settings::{Change, Pair, changed, described, replaced};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const LOGGER: i8 = 8;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// The one broker, and all of them.
const BOTH: [&str; 2] = ["1", ""];

pub(super) fn all(script: &mut Script) {
    taken(script);
    refused(script);
    replacing(script);
    loggers(script);
}

/// What is known of these settings now, by whom.
fn look(script: &mut Script, what: &str, names: &[&str]) {
    for broker in BOTH {
        script.ask(&format!("brokers' settings {what}, of '{broker}'"), |_| {
            described(&[(BROKER, broker, Some(names))]).with_include_synonyms(true)
        });
    }
    script.ask(&format!("brokers' settings {what}, of a topic"), |_| {
        let names = ["segment.bytes", "retention.ms", "cleanup.policy", "index.interval.bytes"];
        described(&[(TOPIC, "empty", Some(&names))]).with_include_synonyms(true)
    });
}

fn taken(script: &mut Script) {
    let names = [
        "log.segment.bytes",
        "log.retention.ms",
        "log.retention.hours",
        "log.cleanup.policy",
        "log.index.interval.bytes",
        "max.connections.per.ip",
        "log.cleaner.threads",
        "leader.replication.throttled.rate",
        "some.plugins.setting",
        "listener.name.other.max.connections",
    ];
    let steps: [(&str, &str, &[Change<'_>]); 12] = [
        (
            "for all",
            "",
            &[("log.segment.bytes", SET, Some("2000000")), ("log.retention.ms", SET, Some("70000"))],
        ),
        ("for one", "1", &[("log.segment.bytes", SET, Some("3000000"))]),
        ("a list longer", "1", &[("log.cleanup.policy", APPEND, Some("compact"))]),
        ("a list longer again", "1", &[("log.cleanup.policy", APPEND, Some("compact"))]),
        ("a list shorter", "1", &[("log.cleanup.policy", SUBTRACT, Some("delete"))]),
        ("bounds of connections", "", &[("max.connections.per.ip", SET, Some("1000"))]),
        ("of a listener", "1", &[("listener.name.other.max.connections", SET, Some("1000"))]),
        ("the compaction", "", &[("log.cleaner.threads", SET, Some("2"))]),
        ("a throttle", "1", &[("leader.replication.throttled.rate", SET, Some("1000"))]),
        ("a name that nobody knows", "1", &[("some.plugins.setting", SET, Some("1"))]),
        ("one that is not there less", "1", &[("log.flush.interval.ms", DELETE, None)]),
        ("none", "1", &[]),
    ];
    for (what, broker, changes) in steps {
        script.ask(&format!("brokers, {what}, validated"), |_| changed(&[(BROKER, broker, changes)], true));
        script.ask(&format!("brokers, {what}"), |_| changed(&[(BROKER, broker, changes)], false));
    }
    look(script, "set", &names);
    for broker in BOTH {
        let back: Vec<Change<'_>> =
            names.iter().filter(|name| !name.ends_with("hours")).map(|name| (*name, DELETE, None)).collect();
        script.ask(&format!("brokers, all taken back from '{broker}'"), |_| {
            changed(&[(BROKER, broker, &back)], false)
        });
    }
    look(script, "taken back", &names);
}

fn refused(script: &mut Script) {
    let cases: [(&str, Change<'_>); 22] = [
        ("read only", ("socket.request.max.bytes", SET, Some("2"))),
        ("read only, less", ("socket.request.max.bytes", DELETE, None)),
        ("hours", ("log.retention.hours", SET, Some("2"))),
        ("no number", ("log.retention.ms", SET, Some("soon"))),
        ("out of bounds", ("log.segment.bytes", SET, Some("1"))),
        ("not one of", ("log.cleanup.policy", SET, Some("forget"))),
        ("no retention", ("log.retention.ms", SET, Some("0"))),
        ("no value", ("log.retention.ms", SET, None)),
        ("empty value", ("log.retention.ms", SET, Some(""))),
        ("no list", ("log.retention.ms", APPEND, Some("5"))),
        ("a list of nobody", ("some.plugins.setting", APPEND, Some("5"))),
        ("less of a list of nobody", ("some.plugins.setting", SUBTRACT, Some("5"))),
        ("operation 4", ("log.retention.ms", 4, Some("5"))),
        ("operation -1", ("log.retention.ms", -1, Some("5"))),
        ("a secret without its listener", ("ssl.keystore.password", SET, Some("x"))),
        ("many more threads", ("num.io.threads", SET, Some("100"))),
        ("fewer threads", ("background.threads", SET, Some("1"))),
        ("no threads", ("num.io.threads", SET, Some("0"))),
        ("a negative throttle", ("leader.replication.throttled.rate", SET, Some("-1"))),
        ("addresses that are none", ("max.connections.per.ip.overrides", SET, Some("127.0.0.1:many"))),
        ("negative connections", ("listener.name.other.max.connections", SET, Some("-1"))),
        ("a share beyond one", ("log.cleaner.min.cleanable.ratio", SET, Some("1.5"))),
    ];
    for (what, change) in cases {
        for broker in BOTH {
            script.ask(&format!("brokers, {what}, of '{broker}'"), |_| {
                changed(&[(BROKER, broker, &[change])], false)
            });
        }
    }
    script.ask("brokers, one for each broker", |_| {
        changed(&[(BROKER, "", &[("ssl.client.auth", SET, Some("none"))])], true)
    });
    let fine: &[Change<'_>] = &[("log.retention.ms", SET, Some("70000"))];
    script.ask("brokers, one right, one wrong", |_| {
        changed(&[(BROKER, "1", &[fine[0], ("socket.request.max.bytes", SET, Some("2"))])], false)
    });
    script.ask("brokers, another, and none", |_| {
        changed(&[(BROKER, "2", fine), (BROKER, "one", fine), (BROKER, "-1", fine)], false)
    });
    script.ask("brokers, one twice", |_| changed(&[(BROKER, "1", fine), (BROKER, "1", fine)], false));
    look(script, "after what was refused", &["log.retention.ms", "socket.request.max.bytes"]);
}

fn replacing(script: &mut Script) {
    let all: &[Pair<'static>] =
        &[("log.retention.ms", Some("90000")), ("message.max.bytes", Some("2000000"))];
    let fewer: &[Pair<'static>] = &[("log.retention.ms", Some("80000"))];
    // Kafka's controller sets it for all brokers when it makes a cluster, and does not let it go.
    let kept = |broker: &str, pairs: &[Pair<'static>]| {
        let of_all = broker.is_empty().then_some(("min.insync.replicas", Some("1")));
        [pairs, of_all.as_slice()].concat()
    };
    let names = ["log.retention.ms", "message.max.bytes"];
    for broker in BOTH {
        script.ask(&format!("brokers, whole, of '{broker}'"), |_| {
            replaced(&[(BROKER, broker, &kept(broker, all))], false)
        });
        script.ask(&format!("brokers, less, of '{broker}'"), |_| {
            replaced(&[(BROKER, broker, &kept(broker, fewer))], false)
        });
        let none_too: &[Pair<'_>] = &[("log.retention.ms", None)];
        let read_only: &[Pair<'_>] = &[("socket.request.max.bytes", Some("2"))];
        script.ask(&format!("brokers, wrong, of '{broker}'"), |_| {
            replaced(&[(BROKER, broker, read_only)], false)
        });
        script.ask(&format!("brokers, no value, of '{broker}'"), |_| {
            replaced(&[(BROKER, broker, none_too)], false)
        });
    }
    look(script, "replaced", &names);
    for broker in BOTH {
        script.ask(&format!("brokers, nothing, of '{broker}'"), |_| {
            replaced(&[(BROKER, broker, &kept(broker, &[]))], false)
        });
    }
    look(script, "replaced by nothing", &names);
}

fn loggers(script: &mut Script) {
    let cases: [(&str, &[Change<'_>]); 10] = [
        ("the root", &[("root", SET, Some("WARN"))]),
        ("none", &[]),
        ("of nobody", &[("no.such.logger", SET, Some("INFO"))]),
        ("of nobody, less", &[("no.such.logger", DELETE, None)]),
        ("a level of nobody", &[("root", SET, Some("LOUD"))]),
        ("a small level", &[("root", SET, Some("info"))]),
        ("no root", &[("root", DELETE, None)]),
        ("a list", &[("root", APPEND, Some("INFO")), ("no.such.logger", SUBTRACT, Some("INFO"))]),
        ("no level", &[("root", SET, None)]),
        ("operation 4", &[("root", 4, Some("INFO"))]),
    ];
    for (what, changes) in cases {
        script.ask(&format!("loggers, {what}, validated"), |_| changed(&[(LOGGER, "1", changes)], true));
        script.ask(&format!("loggers, {what}"), |_| changed(&[(LOGGER, "1", changes)], false));
    }
    script.ask("loggers, no broker", |_| changed(&[(LOGGER, "", &[]), (LOGGER, "2", &[])], false));
    script.ask("loggers", |_| {
        described(&[(LOGGER, "1", Some(&["root", "no.such.logger"]))]).with_include_synonyms(true)
    });
    script.ask("loggers, back", |_| changed(&[(LOGGER, "1", &[("root", SET, Some("INFO"))])], false));
}
