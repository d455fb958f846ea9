//! The power goes in the middle of every single operation: what was answered stays, what was deleted does not come back.

use super::*;

/// What was promised to clients.
#[derive(Default)]
struct Promised {
    /// Below this no record is to be seen.
    start: i64,
    /// Below this every record from the start on is.
    end: i64,
}

/// One life of a log: appends, deletions, retention and checkpoints, until the power goes.
fn live(world: &mut World, promised: &mut Promised, from: i64) {
    let mut asked: Vec<NewStart> = Vec::new();
    let mut tickets: Vec<Ticket> = Vec::new();
    for step in 0..30 {
        let now = world.env.clock.now_ms();
        tickets.push(world.append(now));
        tickets.push(world.append(now));
        world.clock.advance(Duration::from_secs(400));
        match (step + from) % 6 {
            1 => world.dir.flush(),
            3 => world.dir.checkpoint(),
            4 => world.dir.retain(),
            5 if step % 4 == 1 => {
                let high = world.log.high_watermark();
                asked.extend(world.log.delete_records(Some(Offset(high.0 - high.0 % 3))));
            }
            _ => {}
        }
        for start in asked.extract_if(.., |asked| asked.peek().is_some()) {
            if let Some(Ok(start)) = start.peek() {
                promised.start = promised.start.max(start.0);
            }
        }
        for ticket in tickets.extract_if(.., |ticket| ticket.peek().is_some()) {
            if let (Some(Ok(appended)), Durability::Durable) = (ticket.peek(), world.config.durability) {
                promised.end = promised.end.max(appended.last.0 + 1);
            }
        }
        if world.files.power_is_out() {
            return;
        }
    }
}

fn check(world: &World, promised: &Promised, what: &str) {
    let (start, end) = (world.start(), world.log.end_offset().0);
    assert!(start >= promised.start, "{what}: the start went back to {start} from {}", promised.start);
    assert!(end >= promised.end.max(start), "{what}: the log ends at {end}, not {}", promised.end);
    let offsets = world.offsets();
    let (first, last) = (offsets.first(), offsets.last());
    assert!(first.is_none_or(|first| *first >= start), "{what}");
    if world.config.durability == Durability::Durable {
        assert_eq!(offsets, (start..end).collect::<Vec<_>>(), "{what}");
    } else {
        assert!(offsets.windows(2).all(|pair| pair[0] < pair[1]), "{what}: {offsets:?}");
        assert!(last.is_none_or(|last| *last < end), "{what}");
    }
    assert!(world.names_with(".deleted").is_empty(), "{what}: {:?}", world.names());
}

fn crash_everywhere(durability: Durability, seed: u64, stride: u64) {
    let (mut removed, mut deleted) = (0, 0);
    for cut in (1..).step_by(stride as usize) {
        let config = LogConfig {
            retention: Some(HOUR),
            retention_bytes: Some(900),
            file_delete_delay: Duration::from_secs(500),
            ..small(durability)
        };
        let mut world = World::of_seed(seed + cut, config);
        let mut promised = Promised::default();
        world.files.cut_power_after(cut);
        live(&mut world, &mut promised, 0);
        let is_over = !world.files.power_is_out();
        removed += world.dir.stats().removed_segments;
        deleted += i64::from(promised.start > 0);
        world.crash();
        let what = format!("{durability:?}, seed {seed}, cut {cut}");
        check(&world, &promised, &what);
        // A second life goes on from there, and ends by a kill.
        let mut promised = Promised { start: world.start(), end: world.log.end_offset().0 };
        live(&mut world, &mut promised, 3);
        world.dir.flush();
        world.kill();
        check(&world, &promised, &what);
        if is_over {
            break;
        }
    }
    assert!(removed > 100 && deleted > 20, "{removed} segments removed, {deleted} deletions answered");
}

#[test]
fn on_a_durable_log() {
    crash_everywhere(Durability::Durable, 100, 3);
}

#[test]
fn on_a_relaxed_log() {
    crash_everywhere(Durability::Relaxed, 5_000, 3);
}
