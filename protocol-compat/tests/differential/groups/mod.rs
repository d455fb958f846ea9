//! The same requests about groups, good and wrong, to Apache Kafka and to Ottla, in every state that a group can be in:
//! the replies must be the same field by field.
//!
//! Both brokers live through the same history. Members that wait for each other have connections of their own.

mod battery;
mod build;
mod classic;
mod consumer;
mod offsets;
mod replies;
mod report;
mod talk;

use self::build::text;
use self::talk::Talk;
use crate::harness::Stage;
use anyhow::{Context, Result};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::*;

/// Topics of [`super::requests`] that groups read.
const TOPICS: &[&str] = &["wide", "plain", "cut"];
const METADATA_VERSION: i16 = 12;
const UNKNOWN_MEMBER: i16 = 25;
/// So many ids fall on enough partitions of the offsets topic.
const WARM_UP: usize = 40;

/// Settings that keep waiting times out of the comparison.
pub(super) const SETTINGS: &[(&str, &str)] =
    &[("group.initial.rebalance.delay.ms", "0"), ("group.consumer.assignment.interval.ms", "0")];

pub(super) fn are_answered_alike(stage: &Stage, kafka: &str, ottla: &str) -> Result<()> {
    let mut talk = Talk::new(kafka, ottla);
    make_ready(stage, &mut talk)?;
    let outcome = converse(&mut talk);
    // What differed may be why the rest did not come to pass.
    outcome.and_then(|()| talk.report.judge()).with_context(|| talk.report.shown())
}

fn converse(talk: &mut Talk) -> Result<()> {
    finders(talk)?;
    classic::all(talk)?;
    offsets::all(talk)?;
    consumer::all(talk)?;
    lists(talk)
}

/// The topics' ids are known, and every partition of the offsets topic is served.
fn make_ready(stage: &Stage, talk: &mut Talk) -> Result<()> {
    let asked = |name: &&str| MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
    let metadata = MetadataRequest::default().with_topics(Some(TOPICS.iter().map(asked).collect()));
    stage.wait_for("the topics' ids", || {
        talk.until::<MetadataRequest>(METADATA_VERSION, &metadata, |reply, names| {
            for topic in reply.topics.iter().filter(|topic| topic.error_code == 0) {
                names.learn_topic(topic.name.as_ref().map_or("", |name| &**name), topic.topic_id);
            }
            reply.topics.iter().all(|topic| topic.error_code == 0)
        })
    })?;
    let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![text("warm")]);
    stage.wait_for("a coordinator", || {
        talk.until::<FindCoordinatorRequest>(6, &find, |reply, _| {
            reply.coordinators.iter().all(|found| found.error_code == 0)
        })
    })?;
    let ids = (0..WARM_UP).map(|n| format!("warm-{n}"));
    for id in ids.chain(["newer-0", "newer-1", "shared", "mixed", "upgraded", "states"].map(str::to_owned)) {
        let beat =
            HeartbeatRequest::default().with_group_id(GroupId(text(&id))).with_member_id(text("nobody"));
        stage.wait_for("the coordinators to be loaded", || {
            talk.until::<HeartbeatRequest>(4, &beat, |reply, _| reply.error_code == UNKNOWN_MEMBER)
        })?;
    }
    Ok(())
}

fn finders(talk: &mut Talk) -> Result<()> {
    let (groups, shares) = (0, 2);
    talk.ask_in(0..=6, "a group", |v, _| match v {
        4.. => FindCoordinatorRequest::default().with_coordinator_keys(vec![text("a"), text("b")]),
        _ => FindCoordinatorRequest::default().with_key(text("a")),
    })?;
    talk.ask_in(4..=6, "nothing", |_, _| FindCoordinatorRequest::default())?;
    talk.ask_in(4..=6, "one twice", |_, _| {
        FindCoordinatorRequest::default().with_coordinator_keys(vec![text("a"), text("a")])
    })?;
    for kind in [groups, 3, -1, i8::MAX] {
        talk.ask_in(1..=6, &format!("a key of type {kind}"), |v, _| {
            let request = FindCoordinatorRequest::default().with_key_type(kind);
            match v {
                4.. => request.with_coordinator_keys(vec![text("a")]),
                _ => request.with_key(text("a")),
            }
        })?;
    }
    talk.ask_in(4..=6, "a share group", |_, _| {
        FindCoordinatorRequest::default().with_key_type(shares).with_coordinator_keys(vec![text("no colons")])
    })?;
    talk.ask_in(0..=3, "the empty group", |_, _| FindCoordinatorRequest::default())
}

/// What is left in the end, and how it is filtered.
fn lists(talk: &mut Talk) -> Result<()> {
    talk.ask_in(0..=5, "all", |_, _| ListGroupsRequest::default())?;
    let filters: [&[&str]; 7] = [
        &["Empty"],
        &["empty"],
        &["Stable", "Dead"],
        &["nonsense"],
        &[""],
        &["Empty", "nonsense"],
        &[" Empty "],
    ];
    for states in filters {
        talk.ask_in(4..=5, &format!("states {states:?}"), |_, _| {
            ListGroupsRequest::default().with_states_filter(states.iter().map(|state| text(state)).collect())
        })?;
    }
    let filters: [&[&str]; 6] =
        [&["classic"], &["Consumer"], &["share"], &["nonsense"], &[""], &["classic", "consumer"]];
    for types in filters {
        talk.ask(5, &format!("types {types:?}"), |_| {
            ListGroupsRequest::default().with_types_filter(types.iter().map(|kind| text(kind)).collect())
        })?;
    }
    talk.ask_in(0..=6, "several groups", |_, _| build::describe(&["offsets-3", "none", "", "offsets-3"]))?;
    talk.ask_in(0..=6, "no groups", |_, _| build::describe(&[]))?;
    talk.ask_in(0..=2, "no groups", |_, _| build::delete(&[]))?;
    talk.ask_in(0..=2, "the empty group", |_, _| build::delete(&[""]))
}
