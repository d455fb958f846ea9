//! What is asked in every state that a group can be in, and changes nothing: wrong members, wrong generations, wrong
//! protocols, and questions.

use super::build::*;
use super::talk::Talk;
use anyhow::Result;
use kafka_protocol::messages::*;

/// A group in some state, for a round of questions.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) state: &'a str,
    pub(super) group: &'a str,
    /// A member of it, if it has one; otherwise the symbol of nobody.
    pub(super) member: &'a str,
    pub(super) instance: Option<&'a str>,
    pub(super) generation: i32,
    /// Deleting it is refused.
    pub(super) has_members: bool,
    /// It is a group of the newer protocol.
    pub(super) is_newer: bool,
}

const NOBODY: &str = "nobody";
const ONE: &[Put<'static>] = &[(0, 7, -1, Some("note"))];

impl Case<'_> {
    fn named(&self, what: &str) -> String {
        format!("{}: {what}", self.state)
    }
}

pub(super) fn all(talk: &mut Talk, case: Case<'_>) -> Result<()> {
    heartbeats(talk, case)?;
    syncs(talk, case)?;
    joins(talk, case)?;
    leaves(talk, case)?;
    commits(talk, case)?;
    fetches(talk, case)?;
    beats(talk, case)?;
    looks(talk, case)
}

/// Who asks wrongly, and the right one.
fn askers<'a>(case: &Case<'a>) -> Vec<(&'static str, Who<'a>)> {
    let right = Who { member: case.member, instance: case.instance, generation: case.generation };
    let mut askers = vec![
        ("a member of it", right),
        ("nobody", who(NOBODY, case.generation)),
        ("without an id", who("", case.generation)),
        ("a later generation", Who { generation: case.generation + 7, ..right }),
        ("an earlier generation", Who { generation: case.generation - 1, ..right }),
        ("generation -1", Who { generation: -1, ..right }),
        ("an unknown instance", right.instance("no-such-instance")),
    ];
    if let Some(instance) = case.instance {
        askers.push(("another's instance", who(NOBODY, case.generation).instance(instance)));
    }
    askers
}

fn heartbeats(talk: &mut Talk, case: Case<'_>) -> Result<()> {
    for (what, who) in askers(&case) {
        let versions = if who.instance.is_some() { 3..=4 } else { 0..=4 };
        talk.ask_in(versions, &case.named(what), |_, names| heartbeat(names, case.group, who))?;
    }
    talk.ask_in(0..=4, &case.named("no group"), |_, names| heartbeat(names, "", who(case.member, 1)))
}

fn syncs(talk: &mut Talk, case: Case<'_>) -> Result<()> {
    for (what, who) in askers(&case).into_iter().skip(1) {
        let versions = if who.instance.is_some() { 3..=5 } else { 0..=5 };
        talk.ask_in(versions, &case.named(what), |v, names| sync(names, v, case.group, who, &[]))?;
    }
    let right = Who { member: case.member, instance: case.instance, generation: case.generation };
    let named = |protocol_type: Option<&'static str>, protocol: Option<&'static str>| {
        move |names: &super::talk::Names| {
            sync(names, 5, case.group, right, &[])
                .with_protocol_type(protocol_type.map(text))
                .with_protocol_name(protocol.map(text))
        }
    };
    talk.ask(5, &case.named("another type"), named(Some("connect"), Some("range")))?;
    talk.ask(5, &case.named("another protocol"), named(Some("consumer"), Some("sticky")))?;
    talk.ask(5, &case.named("no type"), named(None, Some("range")))?;
    talk.ask(5, &case.named("no protocol"), named(Some("consumer"), None))?;
    talk.ask_in([0, 5], &case.named("no group"), |v, names| sync(names, v, "", right, &[]))
}

fn joins(talk: &mut Talk, case: Case<'_>) -> Result<()> {
    let group_of = case.group;
    // In a group of the newer protocol anybody is welcome who knows what its classic members know.
    if !case.is_newer {
        talk.ask_in(0..=9, &case.named("nobody"), |v, names| join(names, v, group_of, who(NOBODY, -1)))?;
    }
    talk.ask_in(0..=9, &case.named("no protocols"), |v, names| {
        join(names, v, group_of, who(NOBODY, -1)).with_protocols(Vec::new())
    })?;
    talk.ask_in(0..=9, &case.named("no type"), |v, names| {
        join(names, v, group_of, who(NOBODY, -1)).with_protocol_type(text(""))
    })?;
    for timeout in [1, 1_800_001, -1] {
        talk.ask_in([0, 4, 9], &case.named("session timeout"), |v, names| {
            join(names, v, group_of, who(case.member, -1)).with_session_timeout_ms(timeout)
        })?;
    }
    talk.ask_in([0, 5, 9], &case.named("no group"), |v, names| join(names, v, "", who("", -1)))?;
    talk.ask_in(5..=9, &case.named("nobody with an instance"), |v, names| {
        join(names, v, group_of, who(NOBODY, -1).instance("no-such-instance"))
    })?;
    if !case.has_members {
        return Ok(());
    }
    talk.ask_in(0..=9, &case.named("another type"), |v, names| {
        join(names, v, group_of, who(case.member, -1)).with_protocol_type(text("connect"))
    })?;
    if !case.is_newer {
        talk.ask_in(0..=9, &case.named("protocols of nobody else"), |v, names| {
            join(names, v, group_of, who("", -1)).with_protocols(protocols(&["sticky", "mine"]))
        })?;
    }
    if let Some(instance) = case.instance {
        talk.ask_in(5..=9, &case.named("another's instance"), |v, names| {
            join(names, v, group_of, who(NOBODY, -1).instance(instance))
        })?;
    }
    Ok(())
}

fn leaves(talk: &mut Talk, case: Case<'_>) -> Result<()> {
    let group_of = case.group;
    talk.ask_in(0..=5, &case.named("nobody"), |v, names| leave(names, v, group_of, &[(NOBODY, None)]))?;
    talk.ask_in(0..=5, &case.named("without an id"), |v, names| leave(names, v, group_of, &[("", None)]))?;
    talk.ask_in([2, 5], &case.named("no group"), |v, names| leave(names, v, "", &[(NOBODY, None)]))?;
    talk.ask_in(3..=5, &case.named("several that are none"), |v, names| {
        let strangers = [(NOBODY, None), ("", Some("no-such-instance")), (NOBODY, Some("no-such-instance"))];
        leave(names, v, group_of, &strangers)
    })?;
    talk.ask_in(3..=5, &case.named("none at all"), |v, names| leave(names, v, group_of, &[]))?;
    talk.ask_in(3..=5, &case.named("with a wrong instance"), |v, names| {
        leave(names, v, group_of, &[(case.member, Some("no-such-instance"))])
    })?;
    if let Some(instance) = case.instance {
        talk.ask_in(3..=5, &case.named("another's instance"), |v, names| {
            leave(names, v, group_of, &[(NOBODY, Some(instance))])
        })?;
    }
    Ok(())
}

fn commits(talk: &mut Talk, case: Case<'_>) -> Result<()> {
    for (what, who) in askers(&case) {
        // Without a member and a generation it is what tools do, and makes a group of an unknown one.
        if !case.has_members && who.generation < 0 {
            continue;
        }
        let versions = if who.instance.is_some() { 7..=10 } else { 2..=10 };
        talk.ask_in(versions, &case.named(what), |v, names| {
            commit(names, v, case.group, who, &[("wide", ONE)])
        })?;
    }
    let right = Who { member: case.member, instance: None, generation: case.generation };
    talk.ask_in(2..=10, &case.named("no topics"), |v, names| commit(names, v, case.group, right, &[]))?;
    talk.ask_in(2..=10, &case.named("an unknown topic"), |v, names| {
        commit(names, v, case.group, right, &[("absent", ONE)])
    })?;
    talk.ask_in([2, 9], &case.named("no group"), |v, names| commit(names, v, "", right, &[("wide", ONE)]))
}

fn fetches(talk: &mut Talk, case: Case<'_>) -> Result<()> {
    let wide: &[(&str, &[i32])] = &[("wide", &[0, 1, 6])];
    talk.ask_in(1..=10, &case.named("some"), |v, names| fetch(names, v, &[(case.group, None, Some(wide))]))?;
    talk.ask_in(2..=10, &case.named("all"), |v, names| fetch(names, v, &[(case.group, None, None)]))?;
    for (what, who) in askers(&case).into_iter().filter(|(_, who)| who.instance.is_none()) {
        talk.ask_in(9..=10, &case.named(what), |v, names| {
            fetch(names, v, &[(case.group, Some(who), Some(wide))])
        })?;
    }
    Ok(())
}

/// Heartbeats of the newer protocol that join nothing.
fn beats(talk: &mut Talk, case: Case<'_>) -> Result<()> {
    let group_of = case.group;
    for epoch in [1, case.generation + 1, i32::MAX, -1] {
        talk.ask_in(0..=1, &case.named(&format!("nobody of epoch {epoch}")), |_, names| {
            beat(names, group_of, NOBODY, epoch)
        })?;
    }
    for epoch in [-3, i32::MIN, -2] {
        talk.ask_in(0..=1, &case.named(&format!("epoch {epoch}")), |_, names| {
            beat(names, group_of, NOBODY, epoch)
        })?;
    }
    talk.ask_in(0..=1, &case.named("leaves for now"), |_, names| {
        beat(names, group_of, NOBODY, -2).with_instance_id(Some(text("no-such-instance")))
    })
}

/// Questions about the group, and deletions that are refused.
fn looks(talk: &mut Talk, case: Case<'_>) -> Result<()> {
    let group_of = case.group;
    talk.ask_in(0..=6, &case.named("described"), |_, _| describe(&[group_of]))?;
    talk.ask_in(3..=6, &case.named("described with operations"), |_, _| {
        describe(&[group_of]).with_include_authorized_operations(true)
    })?;
    talk.ask_in(0..=1, &case.named("described as a consumer group"), |_, _| {
        describe_consumer(&[group_of]).with_include_authorized_operations(true)
    })?;
    talk.ask_in(0..=5, &case.named("listed"), |_, _| ListGroupsRequest::default())?;
    talk.ask_in(0..=6, &case.named("its coordinator"), |v, _| match v {
        4.. => FindCoordinatorRequest::default().with_coordinator_keys(vec![text(group_of)]),
        _ => FindCoordinatorRequest::default().with_key(text(group_of)),
    })?;
    talk.ask(0, &case.named("a topic that is not there"), |_| delete_offsets(group_of, &[("absent", &[0])]))?;
    talk.ask(0, &case.named("a partition that is not there"), |_| {
        delete_offsets(group_of, &[("wide", &[99])])
    })?;
    talk.ask(0, &case.named("no topics"), |_| delete_offsets(group_of, &[]))?;
    if case.has_members {
        talk.ask(0, &case.named("what it reads"), |_| delete_offsets(group_of, &[("wide", &[0, 1, 99])]))?;
        talk.ask(0, &case.named("what it does not read"), |_| delete_offsets(group_of, &[("plain", &[0])]))?;
        talk.ask_in(0..=2, &case.named("deleted"), |_, _| delete(&[group_of]))?;
    }
    Ok(())
}
