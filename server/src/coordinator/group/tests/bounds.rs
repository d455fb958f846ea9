//! What clients make at will has a bound, and who is sent away by it may come again.

use super::*;

fn of_group(group: &str, op: Join) -> Join {
    Join { group: group.into(), ..op }
}

fn commit_of(group: &str) -> Commit {
    Commit { group: group.into(), ..commit("", -1, 1) }
}

#[test]
fn groups() {
    let mut world = World::new();
    for n in 0..GROUPS_MAX {
        assert!(matches!(world.ask(Op::Commit(commit_of(&format!("g{n}")))), Reply::Committed(Ok(_))));
    }
    let figures = |world: &World| world.settings.group_bound.figures();
    assert_eq!(figures(&world), BoundFigures { max: GROUPS_MAX, used: GROUPS_MAX, hits: 0 });
    // Nobody makes a further one, in none of the ways.
    let refused = Some(GroupError::TooManyGroups);
    let Reply::Committed(committed) = world.ask(Op::Commit(commit_of("more"))) else { panic!() };
    assert_eq!(committed.err(), refused);
    let Reply::Joined(joined) = world.ask(of_group("more", join("", "m")).into()) else { panic!() };
    assert_eq!(joined.error, refused);
    let beat = Beat {
        group: "more".into(),
        member: "m".into(),
        epoch: 0,
        instance: None,
        rack: None,
        client_id: "c".into(),
        client_host: "/h".into(),
        rebalance_timeout_ms: Some(REBALANCE_MS),
        topics: Some(Default::default()),
        pattern: None,
        assignor: None,
        owned: Some(Default::default()),
    };
    let Reply::ConsumerBeaten(beaten) = world.ask(Op::Beat(Box::new(beat))) else { panic!() };
    assert_eq!((beaten.err(), figures(&world).hits), (refused, 3));
    // Those that are there go on.
    assert!(matches!(world.ask(Op::Commit(commit_of("g0"))), Reply::Committed(Ok(_))));
    world.restart();
    assert_eq!(figures(&world).used, GROUPS_MAX, "a restart counts anew");
    world.ask(Op::DeleteGroups { groups: vec!["g1".into()] });
    assert_eq!(figures(&world).used, GROUPS_MAX - 1);
    assert!(matches!(world.ask(Op::Commit(commit_of("more"))), Reply::Committed(Ok(_))));
}

#[test]
fn ids_that_nobody_has_joined_with() {
    let mut world = World::new();
    let groups = ["a", "b"];
    let mut given = Vec::new();
    for n in 0..PENDING_MAX {
        let op = of_group(groups[n % groups.len()], join("", &format!("m{n}")));
        let Reply::Joined(joined) = world.ask(op.into()) else { panic!() };
        assert_eq!(joined.error, Some(GroupError::MemberIdRequired));
        given.push(joined.member);
    }
    let asked = |world: &mut World| match world.ask(of_group("a", join("", "more")).into()) {
        Reply::Joined(joined) => joined.error,
        other => panic!("{other:?}"),
    };
    let figures = |world: &World| world.settings.pending_bound.figures();
    assert_eq!(asked(&mut world), Some(GroupError::TooManyPending));
    assert_eq!(figures(&world), BoundFigures { max: PENDING_MAX, used: PENDING_MAX, hits: 1 });
    // Who joins with his makes room, as does who leaves, or never comes.
    world.send(of_group("a", join(&given[0], "m0")).into());
    assert_eq!(asked(&mut world), Some(GroupError::MemberIdRequired));
    assert_eq!(asked(&mut world), Some(GroupError::TooManyPending));
    let leaving = vec![Leaving { member: given[1].clone(), instance: None }];
    world.ask(Op::Leave { group: "b".into(), members: leaving });
    assert_eq!(figures(&world).used, PENDING_MAX - 1);
    world.wait_ms(SESSION_MS);
    assert_eq!(figures(&world).used, 0);
    asked(&mut world);
    world.restart();
    assert_eq!(figures(&world).used, 0, "a restart knows of none");
}
