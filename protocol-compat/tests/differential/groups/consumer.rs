//! Groups of the KIP-848 protocol, and those that go over from one protocol to the other and back.

use super::battery::{self, Case};
use super::build::*;
use super::talk::{Names, Talk};
use anyhow::Result;
use kafka_protocol::messages::*;

/// Ids as clients make them.
const K1: &str = "kkkkkkkkkkkkkkkkkkkk-1";
const K2: &str = "kkkkkkkkkkkkkkkkkkkk-2";
const K3: &str = "kkkkkkkkkkkkkkkkkkkk-3";
const ALL: &[i32] = &[0, 1, 2, 3, 4, 5, 6];
const BOTH: &[i32] = &[0, 1];

pub(super) fn all(talk: &mut Talk) -> Result<()> {
    refused(talk)?;
    (0..=1).try_for_each(|version| lives(talk, version))?;
    two_members(talk)?;
    static_members(talk)?;
    subscriptions(talk)?;
    classic_members(talk)?;
    upgraded(talk)
}

fn look(talk: &mut Talk, what: &str, id: &str) -> Result<()> {
    talk.ask_in(0..=1, what, |_, _| describe_consumer(&[id]))?;
    talk.ask_in([0, 5, 6], what, |_, _| describe(&[id]))
}

/// A classic member reads a topic of two partitions where it shares with another: who gets one more of seven depends on
/// how Kafka hashes its id.
fn of_cut(request: JoinGroupRequest) -> JoinGroupRequest {
    let mut protocols = protocols(&["range"]);
    protocols[0].metadata = subscription(&["cut"]);
    request.with_protocols(protocols)
}

fn given_cut(names: &Names, request: SyncGroupRequest, member: &str) -> SyncGroupRequest {
    let given = sync_group_request::SyncGroupRequestAssignment::default()
        .with_member_id(names.member(member))
        .with_assignment(assignment("cut", BOTH));
    request.with_assignments(vec![given])
}

/// What is refused whatever group it is about.
fn refused(talk: &mut Talk) -> Result<()> {
    let id = "refused";
    type Change = fn(&Names, ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatRequest;
    let changes: [(&str, Change); 14] = [
        ("no member id", |_, beat| beat.with_member_id(text(""))),
        ("a blank member id", |_, beat| beat.with_member_id(text("  "))),
        ("no group", |_, beat| beat.with_group_id(group(""))),
        ("a blank group", |_, beat| beat.with_group_id(group(" "))),
        ("an empty instance", |_, beat| beat.with_instance_id(Some(text("")))),
        ("an empty rack", |_, beat| beat.with_rack_id(Some(text("")))),
        ("no rebalance timeout", |_, beat| beat.with_rebalance_timeout_ms(-1)),
        ("owns nothing that it says", |_, beat| beat.with_topic_partitions(None)),
        ("owns something already", |names, beat| {
            let some = owned(names, &[("wide", &[0])]);
            beat.with_topic_partitions(some)
        }),
        ("no subscription", |_, beat| beat.with_subscribed_topic_names(None)),
        ("an unknown assignor", |_, beat| beat.with_server_assignor(Some(text("sticky")))),
        ("an empty assignor", |_, beat| beat.with_server_assignor(Some(text("")))),
        ("of epoch 3", |_, beat| beat.with_member_epoch(3)),
        ("of epoch -3", |_, beat| beat.with_member_epoch(-3)),
    ];
    for (what, change) in changes {
        // Without a member's id, version 0 has one made.
        let versions = if what.contains("member id") { 1..=1 } else { 0..=1 };
        talk.ask_in(versions, what, |_, names| change(names, full_beat(names, id, K1, 0, &["wide"])))?;
    }
    for (what, pattern) in [("a bracket", "("), ("a star", "*"), ("a look ahead", "(?=a)")] {
        talk.ask(1, &format!("no pattern, {what}"), |names| {
            full_beat(names, id, K1, 0, &[]).with_subscribed_topic_regex(Some(text(pattern)))
        })?;
    }
    talk.ask_in([0, 1], "leaves without an instance for now", |_, names| beat(names, id, K1, -2))?;
    talk.ask_in(0..=1, "nothing came of it", |_, _| describe_consumer(&[id, "", id]))?;
    talk.ask_in(0..=1, "nobody", |_, _| describe_consumer(&[]))
}

/// A group of one member, from its beginning to its end.
fn lives(talk: &mut Talk, version: i16) -> Result<()> {
    let (id, symbol) = (format!("newer-{version}"), format!("newer-{version}"));
    let id = id.as_str();
    let m = if version == 0 { symbol.as_str() } else { K1 };
    let first = if version == 0 { "" } else { K1 };
    talk.ask_for(m, version, "joins", |names| full_beat(names, id, first, 0, &["wide"]))?;
    talk.ask(version, "joins again", |names| full_beat(names, id, m, 0, &["wide"]))?;
    talk.ask(version, "nothing new", |names| beat(names, id, m, 2))?;
    talk.ask(version, "says all", |names| full_beat(names, id, m, 2, &["wide"]))?;
    talk.ask(version, "has it all", |names| {
        let all = owned(names, &[("wide", ALL)]);
        beat(names, id, m, 2).with_topic_partitions(all)
    })?;
    for epoch in [3, 7, i32::MAX] {
        talk.ask(version, "a later epoch", |names| beat(names, id, m, epoch))?;
    }
    look(talk, "one member", id)?;
    talk.ask_in(4..=5, "with groups of both protocols", |v, _| {
        let listing = ListGroupsRequest::default();
        if v == 5 { listing.with_types_filter(vec![text("consumer")]) } else { listing }
    })?;
    if version == 1 {
        let case = Case {
            state: "consumer group",
            group: id,
            member: K1,
            instance: None,
            generation: 2,
            has_members: true,
            is_newer: true,
        };
        battery::all(talk, case)?;
    }
    talk.ask_in(9..=10, "of its epoch", |v, names| {
        commit(
            names,
            v,
            id,
            who(m, 2),
            &[("wide", &[(0, 11, 0, Some("note"))]), ("plain", &[(0, 1, 0, None)])],
        )
    })?;
    talk.ask(version, "other topics", |names| {
        full_beat(names, id, m, 2, &["plain", "absent"]).with_topic_partitions(owned(names, &[("wide", ALL)]))
    })?;
    talk.ask(version, "has given up", |names| {
        beat(names, id, m, 2).with_topic_partitions(owned(names, &[]))
    })?;
    look(talk, "other topics", id)?;
    talk.ask(version, "in the next epoch", |names| beat(names, id, m, 3))?;
    talk.ask(version, "of the epoch before", |names| beat(names, id, m, 2))?;
    talk.ask(version, "of the epoch before, with nothing", |names| {
        beat(names, id, m, 2).with_topic_partitions(owned(names, &[]))
    })?;
    for epoch in [2, 3, 4] {
        talk.ask_in(9..=10, "other topics", |v, names| {
            commit(
                names,
                v,
                id,
                who(m, epoch),
                &[("plain", &[(0, 1, 0, None)]), ("wide", &[(0, 1, 0, None)])],
            )
        })?;
    }
    talk.ask(version, "leaves", |names| beat(names, id, m, -1))?;
    talk.ask(version, "leaves again", |names| beat(names, id, m, -1))?;
    look(talk, "nobody is left", id)?;
    talk.ask_in(2..=10, "by a tool", |v, names| {
        commit(names, v, id, who("", -1), &[("wide", &[(0, 11, 0, None)])])
    })?;
    talk.ask_in(2..=10, "a generation", |v, names| {
        commit(names, v, id, who("", 1), &[("wide", &[(0, 11, 0, None)])])
    })?;
    talk.ask(version, "of an epoch", |names| beat(names, id, m, 3))?;
    talk.ask_in(0..=2, "nobody is left", |_, _| delete(&[id]))?;
    look(talk, "gone", id)
}

/// Two members share, and one follows the other out.
fn two_members(talk: &mut Talk) -> Result<()> {
    let id = "shared";
    talk.ask(1, "k1 joins", |names| full_beat(names, id, K1, 0, &["wide"]))?;
    talk.ask(1, "k2 joins", |names| full_beat(names, id, K2, 0, &["wide"]))?;
    look(talk, "k1 has not heard of it", id)?;
    talk.ask(1, "k1 is to give up", |names| beat(names, id, K1, 2))?;
    look(talk, "k1 has heard of it", id)?;
    talk.ask(1, "k1 still has all", |names| {
        beat(names, id, K1, 2).with_topic_partitions(owned(names, &[("wide", ALL)]))
    })?;
    talk.ask(1, "k2 waits", |names| beat(names, id, K2, 3))?;
    let case = Case {
        state: "reconciling",
        group: id,
        member: K1,
        instance: None,
        generation: 2,
        has_members: true,
        is_newer: true,
    };
    battery::all(talk, case)?;
    talk.ask(1, "k1 has given up", |names| {
        beat(names, id, K1, 2).with_topic_partitions(owned(names, &[("wide", &[0, 1, 2, 3])]))
    })?;
    talk.ask(1, "k2 gets the rest", |names| beat(names, id, K2, 3))?;
    look(talk, "both have theirs", id)?;
    for partition in [0, 6] {
        for epoch in [2, 3, 4] {
            talk.ask_in(9..=10, "k2", |v, names| {
                commit(names, v, id, who(K2, epoch), &[("wide", &[(partition, 1, 0, None)])])
            })?;
            talk.ask_in(9..=10, "k1", |v, names| {
                commit(names, v, id, who(K1, epoch), &[("wide", &[(partition, 1, 0, None)])])
            })?;
        }
    }
    talk.ask_in(2..=8, "k1, of an older version", |v, names| {
        commit(names, v, id, who(K1, 3), &[("wide", &[(0, 1, 0, None)])])
    })?;
    talk.ask(1, "a third joins", |names| full_beat(names, id, K3, 0, &["wide", "plain"]))?;
    talk.ask(1, "it leaves at once", |names| beat(names, id, K3, -1))?;
    look(talk, "without the third", id)?;
    talk.ask(1, "k1 leaves", |names| beat(names, id, K1, -1))?;
    talk.ask(1, "k2 gets all", |names| beat(names, id, K2, 3))?;
    look(talk, "k2 alone", id)?;
    talk.ask_in(3..=5, "k2 by an operator", |v, names| leave(names, v, id, &[(K2, None)]))?;
    look(talk, "after an operator", id)?;
    talk.ask(1, "k2 leaves", |names| beat(names, id, K2, -1))?;
    talk.ask(2, "shared", |_| delete(&[id]))
}

fn static_members(talk: &mut Talk) -> Result<()> {
    let id = "newer-static";
    let of = |names: &Names, member: &str, epoch: i32| {
        let beat = if epoch == 0 {
            full_beat(names, id, member, 0, &["wide"])
        } else {
            beat(names, id, member, epoch)
        };
        beat.with_instance_id(Some(text("one")))
    };
    talk.ask(1, "an instance joins", |names| of(names, K1, 0))?;
    talk.ask(1, "another process of the instance", |names| of(names, K2, 0))?;
    talk.ask(1, "another member of the instance", |names| of(names, K2, 2))?;
    talk.ask(1, "another member of the instance leaves", |names| of(names, K2, -1))?;
    talk.ask(1, "another member of the instance leaves for now", |names| of(names, K2, -2))?;
    talk.ask(1, "without its instance", |names| beat(names, id, K1, 2))?;
    let case = Case {
        state: "consumer group with an instance",
        group: id,
        member: K1,
        instance: Some("one"),
        generation: 2,
        has_members: true,
        is_newer: true,
    };
    battery::all(talk, case)?;
    talk.ask(1, "the instance leaves for now", |names| of(names, K1, -2))?;
    look(talk, "the instance has left for now", id)?;
    talk.ask(1, "of an epoch although it has left", |names| of(names, K1, 2))?;
    talk.ask(1, "the instance comes back", |names| of(names, K3, 0))?;
    look(talk, "the instance is back", id)?;
    talk.ask(1, "the member before", |names| of(names, K1, 2))?;
    talk.ask(1, "the one that came", |names| of(names, K3, 2))?;
    talk.ask(1, "the instance leaves", |names| of(names, K3, -1))?;
    look(talk, "the instance has left", id)?;
    talk.ask(2, "newer-static", |_| delete(&[id]))
}

/// Topics that are not there, assignors, racks.
fn subscriptions(talk: &mut Talk) -> Result<()> {
    let id = "subscriptions";
    talk.ask(1, "nothing", |names| full_beat(names, id, K1, 0, &[]))?;
    talk.ask(1, "absent", |names| full_beat(names, id, K1, 1, &["absent"]))?;
    look(talk, "absent", id)?;
    talk.ask(1, "range", |names| {
        full_beat(names, id, K1, 2, &["plain", "cut"])
            .with_server_assignor(Some(text("range")))
            .with_rack_id(Some(text("rack")))
    })?;
    look(talk, "range", id)?;
    talk.ask(1, "k2 with range", |names| {
        full_beat(names, id, K2, 0, &["plain", "cut"]).with_server_assignor(Some(text("range")))
    })?;
    talk.ask(1, "k1 of range", |names| beat(names, id, K1, 3))?;
    look(talk, "two with range", id)?;
    talk.ask(1, "k1 leaves", |names| beat(names, id, K1, -1))?;
    talk.ask(1, "k2 with uniform", |names| {
        beat(names, id, K2, 4).with_server_assignor(Some(text("uniform")))
    })?;
    look(talk, "uniform", id)?;
    talk.ask(1, "k2 leaves", |names| beat(names, id, K2, -1))?;
    talk.ask(2, "subscriptions", |_| delete(&[id]))
}

/// Members of the older protocol in a group of the newer one, until it is a classic group.
fn classic_members(talk: &mut Talk) -> Result<()> {
    let id = "mixed";
    talk.ask(1, "k1 joins", |names| full_beat(names, id, K1, 0, &["cut"]))?;
    talk.ask_for("x1", 9, "a classic member asks for an id", |names| {
        of_cut(join(names, 9, id, who("", -1)))
    })?;
    talk.ask(9, "a classic member joins", |names| of_cut(join(names, 9, id, who("x1", -1))))?;
    look(talk, "with a classic member", id)?;
    talk.ask(5, "the classic member syncs", |names| sync(names, 5, id, who("x1", 3), &[]))?;
    talk.ask(4, "the classic member", |names| heartbeat(names, id, who("x1", 3)))?;
    talk.ask(1, "k1 gives up", |names| beat(names, id, K1, 2))?;
    talk.ask(1, "k1 has given up", |names| {
        beat(names, id, K1, 2).with_topic_partitions(owned(names, &[("cut", &[0])]))
    })?;
    look(talk, "k1 has given up", id)?;
    talk.ask_in(0..=4, "the classic member has to join again", |_, names| {
        heartbeat(names, id, who("x1", 3))
    })?;
    talk.ask(9, "the classic member joins again", |names| of_cut(join(names, 9, id, who("x1", 3))))?;
    talk.ask(5, "the classic member syncs again", |names| sync(names, 5, id, who("x1", 3), &[]))?;
    look(talk, "the classic member has its part", id)?;
    for who in [who("x1", 3), who("x1", 2), who("x1", 4), who("x1", -1), who(K1, 3), who("nobody", 3)] {
        talk.ask_in(0..=4, "in a mixed group", |_, names| heartbeat(names, id, who))?;
        talk.ask_in(0..=5, "in a mixed group", |v, names| sync(names, v, id, who, &[]))?;
        talk.ask_in(2..=10, "in a mixed group", |v, names| {
            commit(names, v, id, who, &[("cut", &[(0, 1, 0, None), (1, 1, 0, None)])])
        })?;
    }
    talk.ask(9, "another protocol in a mixed group", |names| {
        join(names, 9, id, who("", -1)).with_protocols(protocols(&["mine"]))
    })?;
    talk.ask(1, "k1 leaves, and the group goes over", |names| beat(names, id, K1, -1))?;
    talk.ask_in(0..=6, "gone over", |_, _| describe(&[id]))?;
    talk.ask_in(0..=1, "gone over", |_, _| describe_consumer(&[id]))?;
    talk.ask_in(3..=5, "with a group that has gone over", |_, _| ListGroupsRequest::default())?;
    talk.ask(4, "in the group that has gone over", |names| heartbeat(names, id, who("x1", 4)))?;
    talk.ask(4, "in the group that has gone over, old", |names| heartbeat(names, id, who("x1", 3)))?;
    talk.ask(9, "joins the group that has gone over", |names| of_cut(join(names, 9, id, who("x1", 4))))?;
    talk.ask(5, "syncs in the group that has gone over", |names| {
        given_cut(names, sync(names, 5, id, who("x1", 4), &[]), "x1")
    })?;
    talk.ask_in(0..=6, "a generation further", |_, _| describe(&[id]))?;
    talk.ask(5, "x1 leaves", |names| leave(names, 5, id, &[("x1", None)]))?;
    // An empty group is of the kind of who comes.
    talk.ask(1, "k1 takes an empty classic group", |names| full_beat(names, id, K1, 0, &["cut"]))?;
    look(talk, "taken", id)?;
    talk.ask(1, "k1 leaves again", |names| beat(names, id, K1, -1))?;
    talk.ask_for("x2", 3, "a classic member takes an empty group", |names| {
        of_cut(join(names, 3, id, who("", -1)))
    })?;
    talk.ask_in(0..=6, "taken back", |_, _| describe(&[id]))?;
    talk.ask(5, "x2 leaves", |names| leave(names, 5, id, &[("x2", None)]))?;
    talk.ask(2, "mixed", |_| delete(&[id]))
}

/// A live classic group that a member of the newer protocol joins.
fn upgraded(talk: &mut Talk) -> Result<()> {
    let id = "upgraded";
    talk.ask_for("y1", 3, "a classic member", |names| of_cut(join(names, 3, id, who("", -1))))?;
    talk.ask(3, "y1 syncs", |names| given_cut(names, sync(names, 3, id, who("y1", 1), &[]), "y1"))?;
    talk.ask(1, "k1 joins for good", |names| full_beat(names, id, K1, 0, &["cut"]))?;
    look(talk, "gone over", id)?;
    talk.ask_in(0..=4, "y1", |_, names| heartbeat(names, id, who("y1", 1)))?;
    talk.ask_in(0..=5, "y1", |v, names| sync(names, v, id, who("y1", 1), &[]))?;
    talk.ask(3, "y1 joins again", |names| of_cut(join(names, 3, id, who("y1", 1))))?;
    look(talk, "y1 has joined again", id)?;
    talk.ask(3, "y1 syncs again", |names| sync(names, 3, id, who("y1", 1), &[]))?;
    talk.ask(5, "y1 leaves", |names| leave(names, 5, id, &[("y1", None)]))?;
    talk.ask(1, "k1 gets all", |names| beat(names, id, K1, 2))?;
    look(talk, "k1 alone", id)?;
    talk.ask(1, "k1 leaves", |names| beat(names, id, K1, -1))?;
    talk.ask(2, "upgraded", |_| delete(&[id]))
}
