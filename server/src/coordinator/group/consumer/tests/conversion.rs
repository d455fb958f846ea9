//! Groups that go over from one protocol to the other, empty and alive.

use super::*;

/// A subscription as classic consumers write it: version 1, topics, no user data, what they have.
fn subscription(topic: &str, owned: &[i32]) -> Bytes {
    let mut out = vec![0, 1, 0, 0, 0, 1, 0, topic.len() as u8];
    out.extend(topic.as_bytes());
    out.extend((-1i32).to_be_bytes());
    out.extend(i32::from(!owned.is_empty()).to_be_bytes());
    if !owned.is_empty() {
        out.extend([0, topic.len() as u8]);
        out.extend(topic.as_bytes());
        out.extend((owned.len() as i32).to_be_bytes());
        owned.iter().for_each(|partition| out.extend(partition.to_be_bytes()));
    }
    out.into()
}

fn classic_join(member: &str, owned: &[i32]) -> Op {
    let protocol = Protocol { name: "range".into(), metadata: subscription("t", owned) };
    Op::Join(Box::new(Join {
        group: GROUP.into(),
        member: member.into(),
        new_member: "classic".into(),
        instance: None,
        client_id: "c".into(),
        client_host: "/h".into(),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: REBALANCE_MS,
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
        takes_member_id: true,
        skips_assignment: true,
    }))
}

impl World {
    fn classic_join(&mut self, owned: &[i32]) -> Joined {
        let Reply::Joined(joined) = self.ask(classic_join("classic", owned)) else { panic!() };
        *joined
    }

    fn classic_sync(
        &mut self,
        generation: i32,
        assignments: Vec<(Arc<str>, Bytes)>,
    ) -> Result<Vec<i32>, GroupError> {
        let who = As { member: "classic".into(), instance: None, generation };
        let (protocol_type, protocol) = (Some("consumer".into()), Some("range".into()));
        let op = Op::Sync(Sync { group: GROUP.into(), who, protocol_type, protocol, assignments });
        let Reply::Synced(synced) = self.ask(op) else { panic!() };
        let read = embedded::assignment(&synced?.assignment).unwrap();
        Ok(read.partitions.into_iter().flat_map(|(_, partitions)| partitions).collect())
    }

    fn classic_beat(&mut self, generation: i32) -> Result<(), GroupError> {
        let who = As { member: "classic".into(), instance: None, generation };
        let Reply::Beaten(outcome) = self.ask(Op::Heartbeat { group: GROUP.into(), who }) else { panic!() };
        outcome
    }

    fn is_classic(&self) -> bool {
        self.classic_state().is_some()
    }

    fn classic_state(&self) -> Option<&'static str> {
        match self.core.machine().group(GROUP) {
            Some(Group::Classic(classic)) => Some(classic.state_name()),
            _ => None,
        }
    }

    /// A live classic group of one member that has all.
    fn classic_group(&mut self) -> i32 {
        let Reply::Joined(joined) = self.ask(classic_join("", &[])) else { panic!() };
        assert_eq!(joined.error, Some(GroupError::MemberIdRequired));
        let waiter = self.send(classic_join("classic", &[]));
        self.wait_ms(1);
        let Some(Reply::Joined(joined)) = self.answers.remove(&waiter) else { panic!() };
        assert_eq!((joined.error, &*joined.leader), (None, "classic"));
        let all: Vec<i32> = (0..self.topics["t"] as i32).collect();
        let given = embedded::encode_assignment(1, &vec![("t".to_owned(), all.clone())]);
        assert_eq!(self.classic_sync(joined.generation, vec![("classic".into(), given)]), Ok(all));
        joined.generation
    }
}

#[test]
fn an_empty_group_becomes_one_of_either_protocol() {
    let mut world = World::new(&[("t", 1)]);
    let mut a = Client::new("a", &["t"]);
    a.beat(&mut world).unwrap();
    a.leave(&mut world, LEAVES).unwrap();
    assert!(!world.is_classic());
    let Reply::Joined(joined) = world.ask(classic_join("", &[])) else { panic!() };
    assert_eq!((joined.error, world.is_classic()), (Some(GroupError::MemberIdRequired), true));
    a.beat(&mut world).unwrap();
    assert_eq!((count(&a.has), world.state(), world.is_classic()), (1, "Stable", false));
    world.restart();
}

/// From classic to the newer protocol and back, with a member of each kind, who never have the same partition.
#[test]
fn a_live_group_goes_over_and_back() {
    let mut world = World::new(&[("t", 4)]);
    let generation = world.classic_group();
    let mut a = Client::new("a", &["t"]);
    a.beat(&mut world).unwrap();
    assert!(!world.is_classic() && a.has.is_empty());
    world.restart();
    // The target for both is made: the classic member is told to join, gives up, joins again and asks for its part.
    assert_eq!(world.classic_beat(generation), Err(GroupError::RebalanceInProgress));
    let joined = world.classic_join(&[0, 1, 2, 3]);
    assert_eq!((joined.error, joined.generation), (None, generation));
    let kept = world.classic_sync(generation, Vec::new()).unwrap();
    assert_eq!(kept.len(), 2);
    assert_eq!(world.classic_beat(generation), Err(GroupError::RebalanceInProgress));
    a.beat(&mut world).unwrap();
    assert!(a.has.is_empty(), "nothing is free before the other one has given it up");
    let joined = world.classic_join(&kept);
    assert_eq!(joined.generation, generation + 1);
    assert_eq!(world.classic_sync(generation + 1, Vec::new()).unwrap(), kept);
    assert_eq!(world.classic_beat(generation + 1), Ok(()));
    a.beat(&mut world).unwrap();
    let mut had: Vec<i32> = a.has[&id("t")].iter().copied().chain(kept.iter().copied()).collect();
    had.sort();
    assert_eq!((had, world.state()), (vec![0, 1, 2, 3], "Stable"));
    assert_eq!(world.classic_beat(generation), Err(GroupError::IllegalGeneration));
    world.restart();
    // The last member of the newer protocol goes: a classic group rebalances.
    a.leave(&mut world, LEAVES).unwrap();
    assert!(world.is_classic());
    world.restart();
    let waiter = world.send(classic_join("classic", &kept));
    let Some(Reply::Joined(joined)) = world.answers.remove(&waiter) else { panic!("everybody has joined") };
    assert_eq!((joined.error, &*joined.leader), (None, "classic"));
    assert!(joined.generation > generation + 1);
}

#[test]
fn who_waits_while_a_group_goes_over_joins_again() {
    let mut world = World::new(&[("t", 1)]);
    world.classic_group();
    let Op::Join(join) = classic_join("", &[]) else { panic!() };
    let second = Join { new_member: "second".into(), takes_member_id: false, ..*join };
    let waiter = world.send(Op::Join(Box::new(second)));
    Client::new("a", &["t"]).beat(&mut world).unwrap();
    let Some(Reply::Joined(joined)) = world.answers.remove(&waiter) else { panic!("it was not answered") };
    assert_eq!(joined.error, Some(GroupError::RebalanceInProgress));
    // Nothing is heard of anybody again.
    world.wait_ms(SESSION_MS);
    assert_eq!(world.state(), "Empty");
    world.restart();
}

/// Whoever has just come to a classic group has nothing yet, and must not stay so where the one that takes the group over
/// says nothing new.
#[test]
fn a_group_that_goes_over_in_the_middle_of_a_rebalance_makes_another() {
    let mut world = World::new(&[("t", 4)]);
    let join = |member: &str, new: &str, instance: Option<&str>| {
        let Op::Join(join) = classic_join(member, &[]) else { panic!() };
        let (new_member, instance) = (new.into(), instance.map(Into::into));
        Op::Join(Box::new(Join { new_member, instance, takes_member_id: false, ..*join }))
    };
    let waiter = world.send(join("", "classic", Some("i")));
    world.wait_ms(1);
    let Some(Reply::Joined(joined)) = world.answers.remove(&waiter) else { panic!() };
    let all = embedded::encode_assignment(1, &vec![("t".to_owned(), vec![0, 1, 2, 3])]);
    let had = world.classic_sync(joined.generation, vec![("classic".into(), all)]);
    assert_eq!((had, world.classic_state()), (Ok(vec![0, 1, 2, 3]), Some("Stable")));
    let waiter = world.send(join("", "second", None));
    assert_eq!(world.classic_state(), Some("PreparingRebalance"));

    // The first of them ends, and comes back as one of the newer protocol.
    let mut a = Client::of_instance("a", "i", &["t"]);
    a.beat(&mut world).unwrap();
    let Some(Reply::Joined(joined)) = world.answers.remove(&waiter) else { panic!("it was not answered") };
    assert_eq!((joined.error, world.is_classic()), (Some(GroupError::RebalanceInProgress), false));
    world.restart();
    for _ in 0..3 {
        a.beat(&mut world).unwrap();
    }
    let Reply::Joined(joined) = world.ask(join("second", "second", None)) else { panic!() };
    let who = As { member: "second".into(), instance: None, generation: joined.generation };
    let (protocol_type, protocol) = (Some("consumer".into()), Some("range".into()));
    let sync = Sync { group: GROUP.into(), who, protocol_type, protocol, assignments: Vec::new() };
    let Reply::Synced(Ok(synced)) = world.ask(Op::Sync(sync)) else { panic!() };
    let given = embedded::assignment(&synced.assignment).unwrap();
    let given: usize = given.partitions.iter().map(|(_, partitions)| partitions.len()).sum();
    assert_eq!((count(&a.has), given, world.state()), (2, 2, "Stable"));
}

#[test]
fn a_group_that_cannot_go_over_stays() {
    let mut world = World::new(&[("t", 1)]);
    world.classic_group();
    // An assignor of the clients' own keeps data along with the assignment.
    let joined = world.classic_join(&[]);
    let own = Bytes::from_static(b"\0\x01\0\0\0\0\0\0\0\x02ab");
    assert_eq!(world.classic_sync(joined.generation, vec![("classic".into(), own)]), Ok(vec![]));
    assert_eq!(Client::new("a", &["t"]).beat(&mut world), Err(GroupError::GroupNotFound));
    assert!(world.is_classic());
    assert_eq!(world.classic_beat(joined.generation), Ok(()));
}
