//! Members of the classic protocol: how they come together, stay and go.

use super::*;

#[test]
fn two_members_from_nothing_to_stable_and_over_a_restart() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a", "b"]);
    assert_eq!(generation, 1);
    let before = world.core.machine().describe(GROUP).unwrap();
    assert_eq!((&*before.protocol, before.members.len()), ("range", 2));
    world.restart();
    assert_eq!(world.core.machine().describe(GROUP).unwrap(), before, "the next life knows it all");
    assert_eq!(world.beat(&ids[0], generation), Ok(()));
    assert_eq!(world.beat(&ids[0], generation + 1), Err(GroupError::IllegalGeneration));
    assert_eq!(world.beat("stranger", generation), Err(GroupError::UnknownMember));
}

#[test]
fn the_first_rebalance_waits_longer_for_each_who_comes_but_not_for_ever() {
    let mut world = World::new();
    let (_, first) = world.join_anew("a");
    world.wait_ms(DELAY_MS - 1);
    assert!(world.is_waiting(first));
    let (_, second) = world.join_anew("b");
    world.wait_ms(1);
    assert!(world.is_waiting(first) && world.is_waiting(second), "one came, so it waits once more");
    world.wait_ms(DELAY_MS);
    assert_eq!((world.joined(first).generation, world.joined(second).generation), (1, 1));
}

#[test]
fn the_leader_alone_learns_the_members() {
    let mut world = World::new();
    let (a, first) = world.join_anew("a");
    let (b, second) = world.join_anew("b");
    world.wait_ms(DELAY_MS);
    world.wait_ms(DELAY_MS);
    let (first, second) = (world.joined(first), world.joined(second));
    assert_eq!((&first.leader, &second.leader), (&a, &a));
    let ids: Vec<_> = first.members.iter().map(|member| &member.id).collect();
    assert_eq!((ids, second.members.len()), (vec![&a, &b], 0));
}

#[test]
fn who_comes_later_sets_off_a_rebalance_of_all() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a"]);
    let (b, waiter) = world.join_anew("b");
    assert_eq!((world.state(), world.is_waiting(waiter)), ("PreparingRebalance", true));
    assert_eq!(world.beat(&ids[0], generation), Err(GroupError::RebalanceInProgress));
    let again = world.send(join(&ids[0], "a").into());
    let (first, second) = (world.joined(again), world.joined(waiter));
    assert_eq!((first.generation, second.generation), (generation + 1, generation + 1));
    assert_eq!((&first.leader, first.members.len()), (&ids[0], 2));
    assert_eq!(world.commit(&b, generation + 1, 1), Err(GroupError::RebalanceInProgress));
    let leader = world.assign(&ids[0], generation + 1, &[&ids[0], &b]);
    assert!(world.synced(leader).is_ok());
    let late = world.send(sync(&b, generation + 1, Vec::new()));
    assert_eq!(world.synced(late).unwrap().assignment, b.as_bytes());
}

#[test]
fn a_rebalance_that_is_not_finished_leaves_the_old_generation_after_a_restart() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a"]);
    let (_, waiter) = world.join_anew("b");
    let again = world.send(join(&ids[0], "a").into());
    assert_eq!(
        (world.joined(again).generation, world.joined(waiter).generation),
        (generation + 1, generation + 1)
    );
    world.restart();
    assert_eq!((world.state(), world.beat(&ids[0], generation)), ("Stable", Ok(())));
    assert_eq!(world.beat("b-id", generation + 1), Err(GroupError::UnknownMember));
}

#[test]
fn who_does_not_join_in_time_is_out() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a", "b"]);
    let (_, waiter) = world.join_anew("c");
    let again = world.send(join(&ids[0], "a").into());
    for _ in 0..REBALANCE_MS / 5_000 {
        // `b` is alive and does not join.
        world.wait_ms(5_000);
        let _ = world.beat(&ids[1], generation);
    }
    assert_eq!((world.joined(again).generation, world.joined(waiter).generation), (2, 2));
    assert_eq!(world.beat(&ids[1], generation), Err(GroupError::UnknownMember));
}

#[test]
fn silence_for_a_session_ends_a_membership() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a", "b"]);
    world.wait_ms(SESSION_MS - 1);
    assert_eq!(world.beat(&ids[0], generation), Ok(()));
    world.wait_ms(1);
    assert_eq!(world.state(), "PreparingRebalance");
    world.wait_ms(SESSION_MS);
    assert_eq!((world.state(), world.core.machine().describe(GROUP).unwrap().members.len()), ("Empty", 0));
    world.restart();
    assert_eq!(world.state(), "Empty");
}

#[test]
fn an_id_that_is_never_used_is_forgotten() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a"]);
    let Reply::Joined(given) = world.ask(join("", "b").into()) else { panic!() };
    assert_eq!(given.error, Some(GroupError::MemberIdRequired));
    // A rebalance waits for who was given an id.
    let mut changed = join(&ids[0], "a");
    changed.protocols[0].metadata = Bytes::from_static(b"new");
    let again = world.send(changed.into());
    assert!(world.is_waiting(again));
    world.wait_ms(SESSION_MS);
    assert_eq!(world.joined(again).generation, generation + 1);
    let late = world.ask(join("b-id", "b").into());
    assert!(matches!(late, Reply::Joined(j) if j.error == Some(GroupError::UnknownMember)));
}

#[test]
fn who_never_asks_for_the_assignment_is_out() {
    let mut world = World::new();
    let (a, first) = world.join_anew("a");
    let (b, second) = world.join_anew("b");
    world.wait_ms(DELAY_MS);
    world.wait_ms(DELAY_MS);
    world.joined(first);
    world.joined(second);
    let leader = world.assign(&a, 1, &[&a, &b]);
    assert!(world.synced(leader).is_ok());
    for _ in 0..REBALANCE_MS / 5_000 {
        world.wait_ms(5_000);
        let _ = (world.beat(&a, 1), world.beat(&b, 1));
    }
    assert_eq!(world.state(), "PreparingRebalance");
    assert_eq!(world.beat(&b, 1), Err(GroupError::UnknownMember));
}

#[test]
fn leaving_by_request() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a", "b"]);
    assert_eq!(world.leave("nobody"), Err(GroupError::UnknownMember));
    assert_eq!(world.leave(&ids[1]), Ok(()));
    assert_eq!(world.beat(&ids[0], generation), Err(GroupError::RebalanceInProgress));
    assert_eq!(world.leave(&ids[0]), Ok(()));
    assert_eq!(world.state(), "Empty");
}

#[test]
fn a_static_member_comes_back_without_a_rebalance() {
    let mut world = World::new();
    let instance = |member: &str, new: &str| Join {
        instance: Some("i".into()),
        new_member: new.into(),
        ..join(member, "s")
    };
    let waiter = world.send(instance("", "s-1").into());
    world.wait_ms(DELAY_MS);
    let joined = world.joined(waiter);
    assert_eq!((joined.error, &*joined.member, joined.generation), (None, "s-1", 1));
    let assigned = world.assign("s-1", 1, &[&"s-1".into()]);
    assert!(world.synced(assigned).is_ok());
    world.restart();
    let Reply::Joined(again) = world.ask(instance("", "s-2").into()) else { panic!() };
    assert_eq!(
        (again.error, &*again.member, again.generation, again.skip_assignment),
        (None, "s-2", 1, true)
    );
    assert_eq!((&*again.leader, again.members.len(), world.state()), ("s-2", 1, "Stable"));
    let assigned = world.send(sync("s-2", 1, Vec::new()));
    assert_eq!(world.synced(assigned).unwrap().assignment, "s-1".as_bytes(), "it keeps what it had");
    // The old one is fenced, in this life and the next.
    for _ in 0..2 {
        let old = As { instance: Some("i".into()), ..who("s-1", 1) };
        let Reply::Beaten(fenced) = world.ask(Op::Heartbeat { group: GROUP.into(), who: old }) else {
            panic!()
        };
        assert_eq!(fenced, Err(GroupError::FencedInstance));
        world.restart();
    }
    // A client that does not know how to skip is told of the leader before, so that it assigns nothing.
    let older = Join { skips_assignment: false, ..instance("", "s-3") };
    let Reply::Joined(again) = world.ask(older.into()) else { panic!() };
    assert_eq!((&*again.leader, &*again.member, again.members.len()), ("s-2", "s-3", 0));
}

#[test]
fn protocols_must_fit_and_most_votes_count() {
    let mut world = World::new();
    let (ids, _) = world.stable(&["a", "b"]);
    let stranger = Join { protocols: vec![protocol("sticky")], ..join("", "c") };
    let refused = world.ask(stranger.into());
    assert!(matches!(refused, Reply::Joined(j) if j.error == Some(GroupError::InconsistentProtocol)));
    let other_type = Join { protocol_type: "connect".into(), ..join("", "c") };
    let refused = world.ask(other_type.into());
    assert!(matches!(refused, Reply::Joined(j) if j.error == Some(GroupError::InconsistentProtocol)));
    let turned =
        |id: &str| Join { protocols: vec![protocol("roundrobin"), protocol("range")], ..join(id, "x") };
    let (first, second) = (world.send(turned(&ids[0]).into()), world.send(turned(&ids[1]).into()));
    assert_eq!(world.joined(first).protocol.as_deref(), Some("roundrobin"));
    assert_eq!(world.joined(second).protocol.as_deref(), Some("roundrobin"));
}

#[test]
fn a_full_group_takes_nobody() {
    let mut world = World::with(GroupSettings { size_max: 2, ..settings() });
    world.stable(&["a", "b"]);
    let refused = world.ask(join("", "c").into());
    assert!(matches!(refused, Reply::Joined(j) if j.error == Some(GroupError::GroupFull)));
    assert_eq!(world.state(), "Stable");
}

#[test]
fn a_lost_answer_is_given_again() {
    let mut world = World::new();
    let (ids, generation) = world.stable(&["a", "b"]);
    let Reply::Joined(told) = world.ask(join(&ids[1], "b").into()) else { panic!() };
    assert_eq!((told.error, told.generation, told.members.len()), (None, generation, 0));
    assert_eq!(world.state(), "Stable", "a follower who says nothing new disturbs nobody");
    let again = world.send(sync(&ids[1], generation, Vec::new()));
    assert_eq!(world.synced(again).unwrap().assignment, ids[1].as_bytes());
    let leader = world.send(join(&ids[0], "a").into());
    assert_eq!((world.is_waiting(leader), world.state()), (true, "PreparingRebalance"));
}

/// One timer for each member, and none piles up however often they are heard.
#[test]
fn ten_thousand_members_are_one_group() {
    const MEMBERS: usize = 10_000;
    let mut world = World::with(GroupSettings {
        size_max: MEMBERS,
        batch_bytes_max: Arc::new((8 << 20).into()),
        ..settings()
    });
    let waiting: Vec<_> = (0..MEMBERS)
        .map(|n| {
            let name = format!("m{n}");
            let known = Join { takes_member_id: false, ..join("", &name) };
            (Arc::<str>::from(format!("{name}-id")), world.send(known.into()))
        })
        .collect();
    world.wait_ms(DELAY_MS);
    world.wait_ms(DELAY_MS);
    let joined: Vec<Joined> = waiting.iter().map(|(_, waiter)| world.joined(*waiter)).collect();
    assert_eq!(joined.iter().map(|j| j.members.len()).sum::<usize>(), MEMBERS, "the leader alone is told");
    let ids: Vec<&Arc<str>> = waiting.iter().map(|(id, _)| id).collect();
    let leader = world.assign(&joined[0].leader, 1, &ids);
    assert!(world.synced(leader).is_ok());
    for id in &ids {
        let waiter = world.send(sync(id, 1, Vec::new()));
        assert_eq!(world.synced(waiter).unwrap().assignment, id.as_bytes());
    }
    for _ in 0..3 {
        world.wait_ms(SESSION_MS - 1);
        for id in &ids {
            assert_eq!(world.beat(id, 1), Ok(()));
        }
    }
    // The members', and that of the sweep.
    assert_eq!((world.state(), world.core.timer_count()), ("Stable", MEMBERS + 1));
    world.restart();
    assert_eq!(world.core.machine().describe(GROUP).unwrap().members.len(), MEMBERS);
    assert_eq!(world.core.timer_count(), MEMBERS + 1);
}

/// Whoever says that he needs no time to join again is waited for a little all the same: a timer that rings at once, and is
/// set again each time, would hold up all groups of the shard.
#[test]
fn static_members_that_are_away_hold_up_nobody() {
    let mut world = World::new();
    let hasty = |member: &str, name: &str| Join { rebalance_timeout_ms: 0, ..join(member, name) };
    let first = world.send(Join { instance: Some("i".into()), ..hasty("", "s") }.into());
    world.wait_ms(DELAY_MS);
    let first = world.joined(first);
    let assigned = world.assign(&first.leader, first.generation, &[&first.member]);
    assert!(world.synced(assigned).is_ok());
    let Reply::Joined(given) = world.ask(hasty("", "d").into()) else { panic!() };
    let second = world.send(hasty(&given.member, "d").into());
    world.wait_ms(10);
    assert_eq!(world.joined(second).leader, given.member);
    assert_eq!(world.leave(&given.member), Ok(()));
    // Only the static member is left, and it does not come.
    for _ in 0..5 {
        world.wait_ms(10);
        assert_eq!(world.state(), "PreparingRebalance");
    }
    world.wait_ms(SESSION_MS);
    assert_eq!(world.state(), "Empty");
}

/// As one is that has come from the newer protocol, whose members have not joined again yet.
#[test]
fn a_group_without_a_leader_makes_another_generation() {
    let member = |id: &str| GroupMember {
        id: id.to_owned(),
        instance: None,
        client_id: String::new(),
        client_host: String::new(),
        rebalance_timeout_ms: REBALANCE_MS,
        session_timeout_ms: SESSION_MS,
        subscription: Bytes::new(),
        assignment: Bytes::new(),
    };
    let kept = GroupMetadata {
        protocol_type: "consumer".to_owned(),
        generation: 4,
        protocol: Some("range".to_owned()),
        leader: None,
        changed_ms: -1,
        members: vec![member("a"), member("b")],
    };
    let mut world = World::new();
    world.restart_with(&Record::ClassicGroup(GROUP.to_owned(), Some(kept)));
    assert_eq!(world.state(), "PreparingRebalance");
    assert_eq!(world.beat("a", 4), Err(GroupError::RebalanceInProgress));
    let second = world.send(join("b", "b").into());
    let first = world.send(join("a", "a").into());
    let (first, second) = (world.joined(first), world.joined(second));
    assert_eq!((first.generation, second.generation), (5, 5));
    assert_eq!(first.leader, second.leader);
    let leader = if &*first.leader == "a" { first } else { second };
    assert_eq!((&leader.member, leader.members.len()), (&leader.leader, 2));
}
