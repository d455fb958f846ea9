//! Members that come, go, are slow, crash and lose answers, over restarts of the coordinator; and very many of them.

use super::*;

/// Prints what a large group costs. The bound is far from it: it stands against anything quadratic.
#[test]
fn thousands_of_members() {
    const MEMBERS: usize = 5_000;
    let mut large = settings();
    large.consumer.size_max = MEMBERS;
    let mut world = World::with(large, &[("t", MEMBERS as u32)]);
    let clock = Env::real().clock;
    let mut members: Vec<Client> = (0..MEMBERS).map(|n| Client::new(&format!("m{n}"), &["t"])).collect();
    for (what, rounds) in [("joins", 1), ("settling", 4), ("heartbeats", 1)] {
        let begun = clock.monotonic();
        for _ in 0..rounds {
            world.wait_ms(1_000);
            for member in &mut members {
                member.beat(&mut world).unwrap();
            }
        }
        let took = clock.monotonic() - begun;
        println!("{what} of {MEMBERS}: {:?} each", took / (rounds * MEMBERS) as u32);
        assert!(took < Duration::from_secs(120), "{what} took {took:?}");
    }
    assert_eq!(world.state(), "Stable");
    assert!(members.iter().all(|member| count(&member.has) == 1));
}

/// A small generator for the seeded run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Members do what members do. At no time two of them, as far as they were heard of in time, have the same partition; and
/// when they are left alone, everything is given out, evenly.
#[test]
fn no_partition_has_two_owners() {
    for seed in 0..40 {
        let mut random = Seeded(seed);
        let mut world = World::new(&[("t", 5), ("u", 2)]);
        let mut members: Vec<Client> = Vec::new();
        for step in 0..60 {
            let pick =
                |random: &mut Seeded, members: &[Client]| random.below(members.len().max(1) as u64) as usize;
            let at = pick(&mut random, &members);
            match random.below(12) {
                0 | 1 if members.len() < 5 => {
                    let topics: &[&str] = if random.below(3) == 0 { &["t"] } else { &["t", "u"] };
                    members.push(Client::new(&format!("m{step}"), topics));
                }
                2 if !members.is_empty() => drop(members.remove(at).leave(&mut world, LEAVES)),
                // It is gone without a word.
                3 if !members.is_empty() => drop(members.remove(at)),
                4 if !members.is_empty() => members[at].is_slow = !members[at].is_slow,
                // The answer is lost.
                5 if !members.is_empty() => drop(world.beat(members[at].request())),
                6 => world.restart(),
                7 => world.set_topic("u", 2 + random.below(3) as u32),
                8 if !members.is_empty() => {
                    members[at].topics = Some(["u".to_owned()].into());
                    members[at].says_all = true;
                }
                _ => world.wait_ms(random.below(4_000) as i32),
            }
            // Everybody is heard of at every step, in some order, so that no session ends but of those who are gone.
            let first = pick(&mut random, &members);
            for n in 0..members.len() {
                let n = (first + n) % members.len();
                members[n].follow();
                let _ = members[n].beat(&mut world);
                let owned = all(&members);
                let once: BTreeSet<_> = owned.iter().collect();
                assert_eq!(once.len(), owned.len(), "seed {seed} step {step}: {members:#?}");
            }
        }
        members.iter_mut().for_each(|member| member.is_slow = false);
        for _ in 0..60 {
            world.wait_ms(2_000);
            for member in &mut members {
                member.follow();
                let _ = member.beat(&mut world);
            }
        }
        let state = if members.is_empty() { ["Empty", "none"].to_vec() } else { vec!["Stable"] };
        assert!(state.contains(&world.state()), "seed {seed}: {}", world.state());
        for topic in ["t", "u"] {
            let reads = |member: &Client| member.topics.iter().flatten().any(|name| name == topic);
            let given =
                all(&members).into_iter().filter(|(given, _)| *given == id(topic)).collect::<Vec<_>>();
            let expected = if members.iter().any(reads) { world.topics[topic] } else { 0 };
            assert_eq!(given, partitions(topic, expected as i32), "seed {seed}");
        }
        world.restart();
    }
}
