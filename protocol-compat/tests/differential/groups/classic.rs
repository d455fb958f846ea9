//! Groups of the classic protocol, through all their states, with dynamic and with static members.

use super::battery::{self, Case};
use super::build::*;
use super::talk::Talk;
use anyhow::Result;
use kafka_protocol::messages::*;

const NEWEST: i16 = 9;
const BOTH: &[i32] = &[0, 1];

pub(super) fn all(talk: &mut Talk) -> Result<()> {
    unknown(talk)?;
    (0..=NEWEST).try_for_each(|version| lives(talk, version))?;
    through_the_states(talk)?;
    pending(talk)?;
    (5..=NEWEST).try_for_each(|version| static_members(talk, version))?;
    protocols_of_groups(talk)
}

fn unknown(talk: &mut Talk) -> Result<()> {
    battery::all(
        talk,
        Case {
            state: "unknown group",
            group: "unknown",
            member: "somebody",
            instance: None,
            generation: 3,
            has_members: false,
            is_newer: false,
        },
    )?;
    talk.ask_in(0..=2, "an unknown group", |_, _| delete(&["unknown"]))
}

/// Joins as version 4 and later have it: the id first. The reply waits for whoever else is to join.
fn joins(talk: &mut Talk, symbol: &str, version: i16, id: &str) -> Result<()> {
    if version < 4 {
        return talk.ask_for(symbol, version, "joins", |names| join(names, version, id, who("", -1)));
    }
    talk.ask_for(symbol, version, "asks for an id", |names| join(names, version, id, who("", -1)))?;
    talk.ask_for(symbol, version, "joins", |names| join(names, version, id, who(symbol, -1)))
}

/// A group of one member, from its beginning to its end.
fn lives(talk: &mut Talk, version: i16) -> Result<()> {
    let (id, symbol) = (format!("life-{version}"), format!("life-{version}"));
    let (id, m) = (id.as_str(), symbol.as_str());
    let (syncs, beats, leaves, looks) = (version.min(5), version.min(4), version.min(5), version.min(6));
    joins(talk, m, version, id)?;
    talk.ask(beats, "before it syncs", |names| heartbeat(names, id, who(m, 1)))?;
    let commits = version.max(2);
    talk.ask(commits, "before it syncs", |names| {
        commit(names, commits, id, who(m, 1), &[("wide", &[(0, 1, -1, None)])])
    })?;
    talk.ask_for(m, version, "joins again before it syncs", |names| join(names, version, id, who(m, 1)))?;
    talk.ask(syncs, "the leader", |names| sync(names, syncs, id, who(m, 1), &[(m, BOTH)]))?;
    talk.ask(syncs, "again", |names| sync(names, syncs, id, who(m, 1), &[]))?;
    talk.ask(beats, "stable", |names| heartbeat(names, id, who(m, 1)))?;
    talk.ask(commits, "stable", |names| {
        commit(names, commits, id, who(m, 1), &[("wide", &[(0, 5, 0, Some("note")), (1, 6, -1, None)])])
    })?;
    let fetches = version.max(1);
    talk.ask(fetches, "stable", |names| {
        fetch(names, fetches, &[(id, Some(who(m, 1)), Some(&[("wide", &[0, 1, 2])]))])
    })?;
    talk.ask(looks, "stable", |_| describe(&[id]))?;
    talk.ask_for(m, version, "the leader joins again", |names| join(names, version, id, who(m, 1)))?;
    talk.ask(beats, "of the generation before", |names| heartbeat(names, id, who(m, 1)))?;
    talk.ask(syncs, "of the generation before", |names| sync(names, syncs, id, who(m, 1), &[(m, BOTH)]))?;
    talk.ask(syncs, "nothing for itself", |names| sync(names, syncs, id, who(m, 2), &[]))?;
    talk.ask(looks, "with nothing", |_| describe(&[id]))?;
    talk.ask_in(0..=2, "with a member", |_, _| delete(&[id]))?;
    talk.ask(leaves, "the last", |names| leave(names, leaves, id, &[(m, None)]))?;
    talk.ask(leaves, "the last again", |names| leave(names, leaves, id, &[(m, None)]))?;
    talk.ask(looks, "empty", |_| describe(&[id]))?;
    talk.ask(version, "joins an empty group with an old id", |names| join(names, version, id, who(m, 2)))?;
    talk.ask(beats, "empty", |names| heartbeat(names, id, who(m, 3)))?;
    talk.ask(syncs, "empty", |names| sync(names, syncs, id, who(m, 3), &[]))?;
    if version == NEWEST {
        let empty = Case {
            state: "empty",
            group: id,
            member: m,
            instance: None,
            generation: 3,
            has_members: false,
            is_newer: false,
        };
        battery::all(talk, empty)?;
        // What commits without being a member.
        talk.ask_in(2..=10, "empty, by a tool", |v, names| {
            commit(names, v, id, who("", -1), &[("wide", &[(2, 9, 0, Some(""))])])
        })?;
        talk.ask_in(2..=10, "empty, generation -1 of a member", |v, names| {
            commit(names, v, id, who(m, -1), &[("wide", &[(2, 9, 0, Some(""))])])
        })?;
        talk.ask(0, "of an empty group", |_| delete_offsets(id, &[("wide", &[0, 5])]))?;
    }
    let deletes = version.min(2);
    talk.ask(deletes, "empty", |_| delete(&[id]))?;
    talk.ask(deletes, "again", |_| delete(&[id]))?;
    talk.ask(looks, "gone", |_| describe(&[id]))?;
    talk.ask(fetches, "gone", |names| fetch(names, fetches, &[(id, None, Some(&[("wide", &[0])]))]))
}

/// Two members, and a round of questions in each state that they go through.
fn through_the_states(talk: &mut Talk) -> Result<()> {
    let id = "states";
    let in_state = |state, generation| Case {
        state,
        group: id,
        member: "s1",
        instance: None,
        generation,
        has_members: true,
        is_newer: false,
    };
    joins(talk, "s1", NEWEST, id)?;
    battery::all(talk, in_state("completing", 1))?;
    talk.ask(5, "s1 syncs", |names| sync(names, 5, id, who("s1", 1), &[("s1", BOTH)]))?;
    battery::all(talk, in_state("stable", 1))?;
    // Another one comes: who is in it has to join again.
    talk.ask_for("s2", NEWEST, "s2 asks for an id", |names| join(names, NEWEST, id, who("", -1)))?;
    let s2_joins = talk.post(2, NEWEST, "s2 joins", |names| join(names, NEWEST, id, who("s2", -1)))?;
    settle(talk, id, "s1", 1)?;
    battery::all(talk, in_state("preparing", 1))?;
    talk.ask(NEWEST, "s2 joins elsewhere, too", |names| {
        // The group is being put together, and this one fits nobody.
        join(names, NEWEST, id, who("", -1)).with_protocols(protocols(&["mine"]))
    })?;
    let s1_joins = talk.post(1, NEWEST, "s1 joins again", |names| join(names, NEWEST, id, who("s1", 1)))?;
    talk.hear::<JoinGroupRequest>(s1_joins, None)?;
    talk.hear::<JoinGroupRequest>(s2_joins, None)?;
    battery::all(talk, in_state("completing with two", 2))?;
    let s2_syncs = talk.post(2, 5, "s2 syncs", |names| sync(names, 5, id, who("s2", 2), &[]))?;
    talk.ask(4, "s2, which waits", |names| heartbeat(names, id, who("s2", 2)))?;
    talk.ask(5, "s1 syncs for both", |names| {
        sync(names, 5, id, who("s1", 2), &[("s1", &[0]), ("s2", &[1])])
    })?;
    talk.hear::<SyncGroupRequest>(s2_syncs, None)?;
    battery::all(talk, in_state("stable with two", 2))?;
    // A follower that joins again changes nothing; with other metadata it does.
    talk.ask_in(0..=NEWEST, "a follower again", |v, names| join(names, v, id, who("s2", 2)))?;
    let changed = talk.post(2, NEWEST, "a follower changes", |names| {
        let mut changed = protocols(&["range"]);
        changed[0].metadata = subscription(&["wide", "plain"]);
        join(names, NEWEST, id, who("s2", 2)).with_protocols(changed)
    })?;
    settle(talk, id, "s1", 2)?;
    // Who leaves is not waited for.
    talk.ask(5, "s1 leaves and strangers do not", |names| {
        leave(names, 5, id, &[("s1", None), ("nobody", None), ("s1", None)])
    })?;
    talk.hear::<JoinGroupRequest>(changed, None)?;
    talk.ask(5, "s2 leads", |names| sync(names, 5, id, who("s2", 3), &[("s2", BOTH)]))?;
    talk.ask_in(0..=6, "s2 alone", |_, _| describe(&[id]))?;
    talk.ask(4, "s1, which has left", |names| heartbeat(names, id, who("s1", 3)))?;
    talk.ask_in(2..=10, "s1, which has left", |v, names| {
        commit(names, v, id, who("s1", 2), &[("wide", &[(0, 3, 0, None)])])
    })?;
    talk.ask(5, "s2 leaves", |names| leave(names, 5, id, &[("s2", None)]))?;
    talk.ask(2, "it and others", |_| delete(&[id, "unknown", id, ""]))
}

/// Waits until both have begun the rebalance that somebody's join asks for.
fn settle(talk: &mut Talk, id: &str, member: &str, generation: i32) -> Result<()> {
    const REBALANCE_IN_PROGRESS: i16 = 27;
    talk.until_in_names::<HeartbeatRequest>(
        4,
        |names| heartbeat(names, id, who(member, generation)),
        |reply| reply.error_code == REBALANCE_IN_PROGRESS,
    )
}

/// Ids that were given and not used yet.
fn pending(talk: &mut Talk) -> Result<()> {
    let id = "pending";
    talk.ask_for("p1", 5, "asks for an id", |names| join(names, 5, id, who("", -1)))?;
    // Apache Kafka shows what was there at the last record of the coordinator's partition: no record, no group.
    talk.ask(9, "of nobody", |names| commit(names, 9, id, who("", -1), &[("wide", &[(1, 3, 0, None)])]))?;
    talk.ask_in(0..=6, "of which an id was asked", |_, _| describe(&[id]))?;
    talk.ask_in(0..=4, "a pending id", |_, names| heartbeat(names, id, who("p1", 0)))?;
    talk.ask_in(0..=5, "a pending id", |v, names| sync(names, v, id, who("p1", 0), &[]))?;
    talk.ask_in(2..=10, "a pending id", |v, names| {
        commit(names, v, id, who("p1", 0), &[("wide", &[(0, 3, 0, None)])])
    })?;
    talk.ask_in(5..=NEWEST, "a pending id with an instance", |v, names| {
        join(names, v, id, who("p1", -1).instance("instance"))
    })?;
    talk.ask(5, "a pending id", |names| leave(names, 5, id, &[("p1", None)]))?;
    talk.ask(5, "a pending id again", |names| leave(names, 5, id, &[("p1", None)]))?;
    talk.ask_in(4..=NEWEST, "a pending id that has left", |v, names| join(names, v, id, who("p1", -1)))?;
    talk.ask_in(0..=2, "of which an id was asked", |_, _| delete(&[id]))
}

/// Members that are known by their instances.
fn static_members(talk: &mut Talk, version: i16) -> Result<()> {
    let (id, old, new) = (format!("static-{version}"), format!("old-{version}"), format!("new-{version}"));
    let (id, old, new) = (id.as_str(), old.as_str(), new.as_str());
    let of = |member, generation| who(member, generation).instance("one");
    talk.ask_for(old, version, "an instance joins", |names| join(names, version, id, of("", -1)))?;
    talk.ask(5, "an instance", |names| sync(names, 5, id, of(old, 1), &[(old, BOTH)]))?;
    let case = |state, member, generation| Case {
        state,
        group: id,
        member,
        instance: Some("one"),
        generation,
        has_members: true,
        is_newer: false,
    };
    if version == NEWEST {
        battery::all(talk, case("stable with an instance", old, 1))?;
    }
    // It has started again, and says the same as before.
    talk.ask_for(new, version, "an instance comes back", |names| join(names, version, id, of("", -1)))?;
    talk.ask(5, "it says that nothing is to be done", |names| sync(names, 5, id, of(new, 1), &[]))?;
    for (what, member) in [("the old id", old), ("the new id", new)] {
        talk.ask_in(3..=4, what, |_, names| heartbeat(names, id, of(member, 1)))?;
        talk.ask_in(3..=5, what, |v, names| sync(names, v, id, of(member, 1), &[]))?;
        talk.ask_in(7..=10, what, |v, names| {
            commit(names, v, id, of(member, 1), &[("wide", &[(0, 2, 0, None)])])
        })?;
        // Without its instance.
        talk.ask_in(0..=4, what, |_, names| heartbeat(names, id, who(member, 1)))?;
    }
    talk.ask_in(5..=9, "the old id", |v, names| join(names, v, id, of(old, 1)))?;
    talk.ask_in(4..=6, "an instance", |_, _| describe(&[id]))?;
    talk.ask_in(3..=5, "the old id of an instance", |v, names| leave(names, v, id, &[(old, Some("one"))]))?;
    if version == NEWEST {
        battery::all(talk, case("stable with an instance that came back", new, 1))?;
    }
    // With another protocol it begins another generation.
    talk.ask_for(old, version, "an instance comes back with more", |names| {
        join(names, version, id, of("", -1)).with_protocols(protocols(&["range", "sticky"]))
    })?;
    talk.ask(5, "an instance with more", |names| sync(names, 5, id, of(old, 2), &[(old, BOTH)]))?;
    talk.ask_in(4..=6, "an instance with more", |_, _| describe(&[id]))?;
    talk.ask(5, "an instance by itself", |names| {
        leave(names, 5, id, &[("", Some("one")), ("", Some("two")), (old, Some("one"))])
    })?;
    talk.ask_in(0..=6, "nobody is left", |_, _| describe(&[id]))?;
    talk.ask_in(0..=2, "nobody is left", |_, _| delete(&[id]))
}

/// What members of one group must have in common.
fn protocols_of_groups(talk: &mut Talk) -> Result<()> {
    let id = "protocols";
    let with = |names: &super::talk::Names, member: &str, known: &[&str]| {
        join(names, 3, id, who(member, -1)).with_protocols(protocols(known))
    };
    talk.ask_for("c1", 3, "knows three", |names| with(names, "", &["sticky", "range", "mine"]))?;
    talk.ask_in(0..=5, "", |v, names| match v {
        5 => sync(names, v, id, who("c1", 1), &[]).with_protocol_name(Some(text("sticky"))),
        _ => sync(names, v, id, who("c1", 1), &[("c1", BOTH)]),
    })?;
    let second = talk.post(2, 3, "knows two", |names| with(names, "", &["range", "mine"]))?;
    settle(talk, id, "c1", 1)?;
    let first = talk.post(1, 3, "prefers one", |names| with(names, "c1", &["sticky", "range", "mine"]))?;
    talk.hear::<JoinGroupRequest>(first, None)?;
    talk.hear::<JoinGroupRequest>(second, Some("c2"))?;
    talk.ask(3, "another type", |names| with(names, "", &["range"]).with_protocol_type(text("connect")))?;
    talk.ask(3, "none in common", |names| with(names, "", &["sticky"]))?;
    talk.ask(3, "c1 leaves", |names| leave(names, 3, id, &[("c1", None), ("c2", None)]))?;
    // Another kind of group may use the id now.
    talk.ask_for("c3", 3, "of Connect", |names| {
        with(names, "", &["compatible"]).with_protocol_type(text("connect"))
    })?;
    talk.ask(3, "of Connect", |names| sync(names, 3, id, who("c3", 4), &[("c3", BOTH)]))?;
    talk.ask_in(0..=6, "of Connect", |_, _| describe(&[id]))?;
    talk.ask_in(4..=5, "with a group of Connect", |_, _| ListGroupsRequest::default())?;
    talk.ask(0, "of Connect", |_| delete_offsets(id, &[("wide", &[0])]))?;
    talk.ask(1, "a consumer joins a group of Connect", |names| {
        full_beat(names, id, "aaaaaaaaaaaaaaaaaaaaaa", 0, &["wide"])
    })?;
    talk.ask(3, "c3 leaves", |names| leave(names, 3, id, &[("c3", None)]))?;
    talk.ask(2, "of Connect", |_| delete(&[id]))
}
