//! What groups commit, who may, and when it is forgotten.

use super::*;

#[test]
fn who_may_commit() {
    let mut world = World::new();
    assert_eq!(world.commit("", 3, 1), Err(GroupError::GroupNotFound));
    let older = Commit { knows_unknown_groups: false, ..commit("", 3, 1) };
    assert!(matches!(world.ask(Op::Commit(older)), Reply::Committed(Err(GroupError::IllegalGeneration))));
    // Nobody's member makes a group that only commits.
    assert_eq!(world.commit("", -1, 5), Ok(vec![vec![Ok(())], vec![Ok(())]]));
    assert_eq!((world.offset("t"), world.state()), (Some(5), "Empty"));
    let (ids, generation) = world.stable(&["a"]);
    assert_eq!(world.commit("", -1, 6), Err(GroupError::UnknownMember));
    assert_eq!(world.commit("x", generation, 6), Err(GroupError::UnknownMember));
    assert_eq!(world.commit(&ids[0], generation - 1, 6), Err(GroupError::IllegalGeneration));
    assert_eq!(world.offset("t"), Some(5));
    let mut long = commit(&ids[0], generation, 7);
    long.topics[1].partitions[0].metadata = "12345678901".into();
    let Reply::Committed(outcome) = world.ask(Op::Commit(long)) else { panic!() };
    assert_eq!(outcome, Ok(vec![vec![Ok(())], vec![Err(GroupError::MetadataTooLarge)]]));
    world.restart();
    assert_eq!((world.offset("t"), world.offset("other")), (Some(7), Some(5)));
}

#[test]
fn a_commit_keeps_its_member_alive() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a"]);
    for offset in 0..5 {
        world.wait_ms(SESSION_MS - 1);
        assert!(world.commit(&ids[0], generation, offset).is_ok());
    }
    assert_eq!(world.state(), "Stable");
}

#[test]
fn a_commit_that_is_too_large_is_refused_whole() {
    let mut world = World::with(GroupSettings { batch_bytes_max: Arc::new(200.into()), ..settings() });
    assert_eq!(world.commit("", -1, 5), Err(GroupError::CommitTooLarge));
    assert_eq!((world.offset("t"), world.state()), (None, "none"));
}

#[test]
fn offsets_of_another_topic_of_the_name_do_not_count() {
    let mut world = World::new();
    world.commit("", -1, 5).unwrap();
    let ask = |topic_id| TopicPartitions { topic: "t".into(), topic_id, partitions: vec![0, 1] };
    let offsets = |world: &World, id| {
        let found = world.core.machine().offsets().fetch(GROUP, &[ask(id)]);
        found[0].partitions.iter().map(|(_, found)| found.as_ref().map(|c| c.offset)).collect::<Vec<_>>()
    };
    assert_eq!(offsets(&world, TopicId([9; 16])), [Some(5), None]);
    assert_eq!(offsets(&world, TopicId::ZERO), [Some(5), None]);
    assert_eq!(offsets(&world, TopicId([8; 16])), [None, None]);
    let all = world
        .core
        .machine()
        .offsets()
        .fetch_all(GROUP, |name| TopicId([if name == "t" { 8 } else { 9 }; 16]));
    assert_eq!(all.iter().map(|topic| &*topic.topic).collect::<Vec<_>>(), ["other"]);
    // The topic goes, and another one of the name stays out of it.
    world.ask(Op::ForgetTopic { topic: "t".into(), topic_id: TopicId([8; 16]) });
    assert_eq!(world.offset("t"), Some(5));
    world.ask(Op::ForgetTopic { topic: "t".into(), topic_id: TopicId([9; 16]) });
    world.restart();
    assert_eq!((world.offset("t"), world.offset("other")), (None, Some(5)));
}

#[test]
fn groups_and_offsets_are_deleted_when_nobody_uses_them() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a"]);
    world.commit(&ids[0], generation, 5).unwrap();
    let delete = |world: &mut World| {
        let Reply::GroupsDeleted(outcomes) = world.ask(Op::DeleteGroups { groups: vec![GROUP.into()] })
        else {
            panic!()
        };
        outcomes[0]
    };
    let delete_offsets = |world: &mut World| {
        let ask = |t: &str| TopicPartitions { topic: t.into(), topic_id: TopicId::ZERO, partitions: vec![0] };
        let op = Op::DeleteOffsets { group: GROUP.into(), topics: vec![ask("t"), ask("other")] };
        let Reply::OffsetsDeleted(outcomes) = world.ask(op) else { panic!() };
        outcomes
    };
    assert_eq!(delete(&mut world), Err(GroupError::GroupNotEmpty));
    // Its members read `t`.
    assert_eq!(delete_offsets(&mut world), Ok(vec![vec![Err(GroupError::SubscribedToTopic)], vec![Ok(())]]));
    assert_eq!((world.offset("t"), world.offset("other")), (Some(5), None));
    world.leave(&ids[0]).unwrap();
    assert_eq!(delete(&mut world), Ok(()));
    assert_eq!(delete(&mut world), Err(GroupError::GroupNotFound));
    assert_eq!(delete_offsets(&mut world), Err(GroupError::GroupNotFound));
    world.restart();
    assert_eq!((world.state(), world.offset("t")), ("none", None));
}

#[test]
fn offsets_grow_old_and_groups_go_with_their_last() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a"]);
    world.commit(&ids[0], generation, 5).unwrap();
    // A stable group keeps what it reads; what it does not read any more goes.
    for _ in 0..1_700_000 / 5_000 {
        world.wait_ms(5_000);
        assert_eq!(world.beat(&ids[0], generation), Ok(()));
    }
    assert_eq!((world.offset("t"), world.offset("other")), (Some(5), None));
    // From when it became empty, not from the commit.
    world.leave(&ids[0]).unwrap();
    world.wait_ms(600_000);
    assert_eq!(world.offset("t"), Some(5));
    world.wait_ms(600_000);
    world.wait_ms(600_000);
    assert_eq!((world.offset("t"), world.state()), (None, "none"));
    // A client of old chose how long.
    let short = Commit { retention_ms: Some(1_000), ..commit("", -1, 9) };
    world.ask(Op::Commit(short));
    world.restart();
    assert_eq!(world.offset("t"), Some(9));
    world.wait_ms(600_000);
    assert_eq!((world.offset("t"), world.state()), (None, "none"));
    world.restart();
    assert_eq!(world.state(), "none");
}
