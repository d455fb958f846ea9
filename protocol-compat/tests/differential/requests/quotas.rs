//! Quotas of clients and addresses: set, shown, removed, and what is wrong with them. None of them holds up this client.

use super::script::{Script, text};
use kafka_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::{AlterClientQuotasRequest, DescribeClientQuotasRequest};

type Part<'a> = (&'a str, Option<&'a str>);
type Op<'a> = (&'a str, Option<f64>);

const USER: Part<'_> = ("user", Some("alice"));
const CLIENT: Part<'_> = ("client-id", Some("reports"));
const ADDRESS: Part<'_> = ("ip", Some("10.0.0.7"));
const BYTES: &str = "producer_byte_rate";
const READ: &str = "consumer_byte_rate";
const TIME: &str = "request_percentage";
const CHANGES: &str = "controller_mutation_rate";
const PACE: &str = "connection_creation_rate";
/// More than anybody takes: defaults hold for this client, too.
const PLENTY: f64 = 1e15;

fn entry(entity: &[Part<'_>], ops: &[Op<'_>]) -> EntryData {
    let part = |(kind, name): &Part<'_>| {
        EntityData::default().with_entity_type(text(kind)).with_entity_name(name.map(text))
    };
    let op = |(key, value): &Op<'_>| {
        let op = OpData::default().with_key(text(key)).with_remove(value.is_none());
        op.with_value(value.unwrap_or(0.0))
    };
    EntryData::default().with_entity(entity.iter().map(part).collect()).with_ops(ops.iter().map(op).collect())
}

fn alter(script: &mut Script, what: &str, entries: &[(&[Part<'_>], &[Op<'_>])]) {
    let entries: Vec<EntryData> = entries.iter().map(|(entity, ops)| entry(entity, ops)).collect();
    for validate_only in [true, false] {
        let request = AlterClientQuotasRequest::default().with_entries(entries.clone());
        let name = if validate_only { format!("{what}, validated") } else { what.to_owned() };
        script.ask(&name, |_| request.clone().with_validate_only(validate_only));
    }
}

/// Type, how it is matched, and with what.
type Component<'a> = (&'a str, i8, Option<&'a str>);

fn describe(script: &mut Script, what: &str, components: &[Component<'_>]) {
    let component = |(kind, how, name): &Component<'_>| {
        ComponentData::default().with_entity_type(text(kind)).with_match_type(*how).with_match(name.map(text))
    };
    for strict in [false, true] {
        let name = if strict { format!("{what}, strictly") } else { what.to_owned() };
        script.ask(&name, |_| {
            DescribeClientQuotasRequest::default()
                .with_components(components.iter().map(component).collect())
                .with_strict(strict)
        });
    }
}

const FILTERS: &[(&str, &[Component<'_>])] = &[
    ("all", &[]),
    ("a user", &[("user", 0, Some("alice"))]),
    ("another user", &[("user", 0, Some("bob"))]),
    ("the default user", &[("user", 1, None)]),
    ("any user", &[("user", 2, None)]),
    ("a client id", &[("client-id", 0, Some("reports"))]),
    ("the default client id", &[("client-id", 1, None)]),
    ("any client id", &[("client-id", 2, None)]),
    ("both", &[("user", 0, Some("alice")), ("client-id", 0, Some("reports"))]),
    ("both, the other way", &[("client-id", 2, None), ("user", 2, None)]),
    ("an address", &[("ip", 0, Some("10.0.0.7"))]),
    ("the default address", &[("ip", 1, None)]),
    ("any address", &[("ip", 2, None)]),
    ("an address and a user", &[("ip", 2, None), ("user", 2, None)]),
    ("a type without name", &[("", 2, None)]),
    ("an unknown type", &[("group", 2, None)]),
    ("an unknown type behind a wrong match", &[("user", 7, None), ("group", 2, None)]),
    ("a type twice", &[("user", 2, None), ("user", 1, None)]),
    ("an unknown match", &[("user", 3, None)]),
    ("exactly nothing", &[("user", 0, None)]),
    ("exactly an empty name", &[("user", 0, Some(""))]),
    ("the default with a name", &[("user", 1, Some("alice"))]),
    ("any with a name", &[("user", 2, Some("alice"))]),
];

pub(super) fn all(script: &mut Script) {
    for (what, components) in FILTERS {
        describe(script, &format!("none is set: {what}"), components);
    }
    good(script);
    for (what, components) in FILTERS {
        describe(script, what, components);
    }
    wrong(script);
    values(script);
    describe(script, "what the wrong ones left", &[]);
    removed(script);
    describe(script, "what is left", &[]);
}

fn good(script: &mut Script) {
    let of_user = [(BYTES, Some(1024.0)), (READ, Some(2048.0)), (TIME, Some(12.5)), (CHANGES, Some(0.5))];
    alter(script, "all quotas of a user", &[(&[USER], &of_user)]);
    alter(script, "again", &[(&[USER], &of_user)]);
    alter(script, "another value", &[(&[USER], &[(BYTES, Some(4096.0))])]);
    alter(script, "a client id", &[(&[CLIENT], &[(READ, Some(1.0))])]);
    alter(script, "both", &[(&[USER, CLIENT], &[(READ, Some(1e9))])]);
    alter(
        script,
        "defaults",
        &[
            (&[("user", None)], &[(BYTES, Some(PLENTY))]),
            (&[("client-id", None)], &[(BYTES, Some(PLENTY))]),
            (&[("user", None), ("client-id", None)], &[(READ, Some(PLENTY))]),
            (&[("user", Some("alice")), ("client-id", None)], &[(TIME, Some(50.0))]),
        ],
    );
    alter(script, "an address", &[(&[ADDRESS], &[(PACE, Some(5.0))])]);
    alter(script, "an address of six", &[(&[("ip", Some("2001:db8::1"))], &[(PACE, Some(5.0))])]);
    alter(script, "localhost", &[(&[("ip", Some("localhost"))], &[(PACE, Some(1_000_000.0))])]);
    alter(script, "the default address", &[(&[("ip", None)], &[(PACE, Some(1_000_000.0))])]);
    alter(script, "no changes", &[(&[USER], &[])]);
    alter(script, "no entries", &[]);
    alter(script, "removal of what is not there", &[(&[USER], &[(PACE, None), ("no_such_rate", None)])]);
}

fn wrong(script: &mut Script) {
    let rate: &[Op<'_>] = &[(BYTES, Some(1.0))];
    let pace: &[Op<'_>] = &[(PACE, Some(1.0))];
    alter(script, "no entity", &[(&[], rate)]);
    alter(script, "an unknown type", &[(&[("group", Some("g"))], rate)]);
    alter(script, "an empty name", &[(&[("user", Some(""))], rate), (&[("ip", Some(""))], pace)]);
    alter(script, "an address with a user", &[(&[ADDRESS, USER], pace)]);
    alter(script, "an address with a client id", &[(&[ADDRESS, CLIENT], rate)]);
    alter(script, "no address", &[(&[("ip", Some("no.such.host.invalid"))], pace)]);
    alter(script, "half an address", &[(&[("ip", Some("10.0.0.256"))], pace)]);
    alter(script, "an unknown quota", &[(&[USER], &[("bytes", Some(1.0))])]);
    alter(script, "a user's quota of an address", &[(&[ADDRESS], rate)]);
    alter(script, "an address's quota of a user", &[(&[USER], pace)]);
    alter(script, "a quota twice", &[(&[USER], &[(BYTES, Some(1.0)), (BYTES, Some(2.0))])]);
    alter(script, "an entity twice", &[(&[("user", Some("bob"))], rate), (&[("user", Some("bob"))], rate)]);
    alter(script, "a type twice", &[(&[("user", Some("bob")), ("user", Some("carol"))], rate)]);
    alter(
        script,
        "good beside bad",
        &[(&[("user", Some("dave"))], &[(BYTES, Some(-1.0))]), (&[CLIENT], rate)],
    );
    alter(script, "a good change beside a bad one", &[(&[USER], &[(READ, Some(7.0)), (BYTES, Some(0.0))])]);
}

fn values(script: &mut Script) {
    for key in [BYTES, READ, TIME, CHANGES, PACE] {
        let entity = if key == PACE { ADDRESS } else { ("user", Some("erin")) };
        for value in [
            0.0,
            -0.0,
            -1.0,
            0.5,
            1.000_000_1,
            1.000_01,
            2_147_483_647.0,
            2_147_483_648.0,
            9.223_372_036_854_775e18,
            9.3e18,
            1e300,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MIN_POSITIVE,
        ] {
            alter(script, &format!("{key} of {value:e}"), &[(&[entity], &[(key, Some(value))])]);
        }
        let entry = entry(&[entity], &[(key, Some(f64::NAN))]);
        let request = AlterClientQuotasRequest::default().with_entries(vec![entry]).with_validate_only(true);
        script.ask(&format!("{key} of no number, validated"), |_| request.clone());
    }
    let short = entry(&[("ip", Some("10.1"))], &[(PACE, Some(1.0))]);
    let request = AlterClientQuotasRequest::default().with_entries(vec![short]).with_validate_only(true);
    script.ask("an address with parts left out, validated", |_| request.clone());
}

fn removed(script: &mut Script) {
    let none: &[Op<'_>] = &[(BYTES, None), (READ, None), (TIME, None), (CHANGES, None)];
    let no_pace: &[Op<'_>] = &[(PACE, None)];
    alter(script, "one removed, one set", &[(&[USER], &[(BYTES, None), (READ, Some(5.0))])]);
    describe(script, "after one was removed", &[("user", 0, Some("alice"))]);
    for part in [
        &[USER][..],
        &[CLIENT],
        &[USER, CLIENT],
        &[("user", None)],
        &[("client-id", None)],
        &[("user", None), ("client-id", None)],
        &[USER, ("client-id", None)],
        &[("user", Some("bob"))],
        &[("user", Some("carol"))],
        &[("user", Some("erin"))],
    ] {
        alter(script, "all removed", &[(part, none)]);
    }
    for name in [Some("10.0.0.7"), Some("2001:db8::1"), Some("localhost"), None] {
        alter(script, "an address's removed", &[(&[("ip", name)], no_pace)]);
    }
}
