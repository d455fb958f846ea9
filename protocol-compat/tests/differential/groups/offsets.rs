//! Offsets that are committed, fetched and deleted without being a member.

use super::build::*;
use super::talk::Talk;
use anyhow::Result;
use kafka_protocol::messages::*;

const TOOL: Who<'static> = Who { member: "", instance: None, generation: -1 };

pub(super) fn all(talk: &mut Talk) -> Result<()> {
    let id = "offsets";
    for version in 2..=10 {
        commits(talk, version, id)?;
    }
    fetches(talk, id)?;
    deletes(talk, id)
}

fn commits(talk: &mut Talk, version: i16, id: &str) -> Result<()> {
    let of_version = format!("offsets-{version}");
    let ask = |talk: &mut Talk, what: &str, id: &str, who: Who<'_>, topics: &[(&str, &[Put<'_>])]| {
        talk.ask(version, what, |names| commit(names, version, id, who, topics))
    };
    ask(talk, "makes a group", &of_version, TOOL, &[("wide", &[(0, 1, 0, Some("new"))])])?;
    let at = i64::from(version);
    ask(talk, "one", id, TOOL, &[("wide", &[(0, at, 0, Some("one"))])])?;
    ask(
        talk,
        "several",
        id,
        TOOL,
        &[("wide", &[(1, at, 3, None), (2, at, -1, Some(""))]), ("plain", &[(0, at, 0, Some("zażółć"))])],
    )?;
    ask(
        talk,
        "some wrong",
        id,
        TOOL,
        &[
            ("wide", &[(7, at, 0, None), (3, at, 0, None), (-1, at, 0, None)]),
            ("absent", &[(0, at, 0, None)]),
        ],
    )?;
    let long = "n".repeat(4_096);
    let too_long = "n".repeat(4_097);
    let twice_as_wide = "ł".repeat(4_096);
    ask(
        talk,
        "long metadata",
        id,
        TOOL,
        &[(
            "wide",
            &[(4, at, 0, Some(&long)), (5, at, 0, Some(&too_long)), (6, at, 0, Some(&twice_as_wide))],
        )],
    )?;
    ask(
        talk,
        "odd offsets",
        id,
        TOOL,
        &[("wide", &[(4, -1, 0, None), (5, i64::MAX, 0, None), (6, -5, -7, None)])],
    )?;
    ask(talk, "a partition twice", id, TOOL, &[("wide", &[(3, 1, 0, None), (3, 2, 0, None)])])?;
    ask(talk, "a topic twice", id, TOOL, &[("wide", &[(3, 4, 0, None)]), ("wide", &[(3, 5, 0, None)])])?;
    ask(talk, "no partitions", id, TOOL, &[("wide", &[])])?;
    for generation in [0, 5, -2] {
        ask(
            talk,
            "a generation of a group without members",
            id,
            who("", generation),
            &[("wide", &[(0, 1, 0, None)])],
        )?;
        ask(
            talk,
            "a generation of no group",
            "no-group",
            who("", generation.max(0)),
            &[("wide", &[(0, 1, 0, None)])],
        )?;
    }
    ask(talk, "a member of a group without members", id, who("nobody", 1), &[("wide", &[(0, 1, 0, None)])])?;
    if version <= 4 {
        talk.ask(version, "kept for long", |names| {
            let topics: &[(&str, &[Put<'_>])] = &[("wide", &[(0, 77, 0, None)])];
            commit(names, version, id, TOOL, topics).with_retention_time_ms(86_400_000)
        })?;
    }
    if version == 10 {
        ask(talk, "the id zero", id, TOOL, &[("zero", &[(0, 1, 0, None)])])?;
    }
    talk.ask(version.min(6), "what it is now", |_| describe(&[id, &of_version]))
}

fn fetches(talk: &mut Talk, id: &str) -> Result<()> {
    let some: &[(&str, &[i32])] = &[("wide", &[0, 1, 2, 3, 4, 5, 6]), ("plain", &[0, 1])];
    let wrong: &[(&str, &[i32])] = &[("wide", &[99, -1, 0]), ("absent", &[0, 1])];
    talk.ask_in(1..=10, "some", |v, names| fetch(names, v, &[(id, None, Some(some))]))?;
    talk.ask_in(1..=10, "some wrong", |v, names| fetch(names, v, &[(id, None, Some(wrong))]))?;
    talk.ask_in(1..=10, "none", |v, names| fetch(names, v, &[(id, None, Some(&[]))]))?;
    talk.ask_in(1..=10, "no partitions", |v, names| fetch(names, v, &[(id, None, Some(&[("wide", &[])]))]))?;
    talk.ask_in(1..=10, "a partition twice", |v, names| {
        fetch(names, v, &[(id, None, Some(&[("wide", &[0, 0])]))])
    })?;
    talk.ask_in(2..=10, "all", |v, names| fetch(names, v, &[(id, None, None)]))?;
    talk.ask_in(2..=10, "all of no group", |v, names| fetch(names, v, &[("no-group", None, None)]))?;
    talk.ask_in(1..=10, "the empty group", |v, names| fetch(names, v, &[("", None, Some(some))]))?;
    talk.ask_in(7..=10, "stable ones", |v, names| {
        fetch(names, v, &[(id, None, Some(some))]).with_require_stable(true)
    })?;
    talk.ask_in(8..=10, "several groups", |v, names| {
        fetch(names, v, &[(id, None, None), ("no-group", None, Some(some)), ("offsets-2", None, Some(some))])
    })?;
    talk.ask_in(8..=10, "no groups", |_, _| OffsetFetchRequest::default())?;
    talk.ask_in(9..=10, "as a member", |v, names| {
        fetch(names, v, &[(id, Some(who("nobody", 1)), Some(some))])
    })?;
    talk.ask(10, "the id zero", |names| fetch(names, 10, &[(id, None, Some(&[("zero", &[0])]))]))
}

fn deletes(talk: &mut Talk, id: &str) -> Result<()> {
    talk.ask(0, "no group", |_| delete_offsets("no-group", &[("wide", &[0])]))?;
    talk.ask(0, "the empty group", |_| delete_offsets("", &[("wide", &[0])]))?;
    talk.ask(0, "none", |_| delete_offsets(id, &[]))?;
    talk.ask(0, "some", |_| delete_offsets(id, &[("wide", &[0, 6, 99]), ("absent", &[0])]))?;
    talk.ask(0, "again", |_| delete_offsets(id, &[("wide", &[0])]))?;
    talk.ask_in(2..=10, "what is left", |v, names| fetch(names, v, &[(id, None, None)]))?;
    talk.ask_in(3..=5, "groups of offsets", |_, _| ListGroupsRequest::default())?;
    talk.ask(2, "groups of offsets", |_| delete(&[id, "offsets-2", "no-group"]))?;
    talk.ask(9, "of a group that is gone", |names| fetch(names, 9, &[(id, None, None)]))
}
