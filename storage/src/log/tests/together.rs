//! Appends of one thread that are written together.

use super::*;

impl World {
    fn append_together(&self, count: usize, timestamp: i64, together: &Together) -> Ticket {
        let checked = check_internal(batch(count, timestamp)).unwrap();
        self.log.append_together(checked, Origin::Client, None, Some(together))
    }

    fn last_lsn(&self) -> u64 {
        self.log.writer.lock().unwrap().last_lsn
    }
}

fn last_of(ticket: &Ticket) -> i64 {
    ticket.peek().unwrap().unwrap().last.0
}

#[test]
fn they_are_one_record_of_the_journal_and_others_queue_up_behind_them() {
    let world = World::new(LogConfig { segment_bytes: 1 << 20, ..small(Durability::Durable) });
    world.append(1, 1);
    let (end, lsn) = (world.log.end_offset(), world.last_lsn());
    let together = Together::default();
    let mut tickets: Vec<Ticket> = (0..5).map(|at| world.append_together(2, at, &together)).collect();
    tickets.push(world.append(3, 9));
    assert_eq!((world.log.end_offset(), world.last_lsn()), (end, lsn), "nothing is written yet");
    assert!(tickets.iter().all(|ticket| !ticket.is_placed()));
    together.write();
    assert!(tickets.iter().all(|ticket| ticket.is_placed() && ticket.peek().is_none()));
    assert_eq!((world.log.end_offset(), world.last_lsn()), (Offset(14), lsn + 1));
    world.dir.flush();
    assert_eq!(tickets.iter().map(last_of).collect::<Vec<_>>(), [2, 4, 6, 8, 10, 13]);

    assert!(world.append(1, 10).is_placed(), "the turn is over");
}

#[test]
fn one_that_is_dropped_has_written() {
    let world = World::new(small(Durability::Relaxed));
    let together = Together::default();
    let ticket = world.append_together(2, 1, &together);
    drop(together);
    assert_eq!((last_of(&ticket), world.log.end_offset()), (1, Offset(2)));
}

#[test]
fn many_are_written_whatever_a_round_takes() {
    let world = World::new(LogConfig { segment_bytes: 20_000, ..small(Durability::Relaxed) });
    let together = Together::default();
    let tickets: Vec<Ticket> = (0..1_000).map(|at| world.append_together(1, at, &together)).collect();
    together.write();
    assert!(tickets.iter().map(last_of).eq(0..1_000));
    assert!(world.log.segment_count() > 1 && everything(&world.log).len() == 1_000);
}

#[test]
fn what_is_refused_anyway_is_refused_at_once() {
    let world = World::new(small(Durability::Relaxed));
    let (log, together) = (Arc::clone(&world.log), Together::default());
    let before = world.append_together(1, 1, &together);
    world.dir.delete_log(&log).unwrap();
    let after = world.append_together(1, 2, &together);
    assert!(!after.is_placed(), "in its order: the one before is not written yet");
    together.write();
    assert_eq!(
        [before.peek(), after.peek()],
        [Some(Err(AppendError::Deleted)), Some(Err(AppendError::Deleted))]
    );
    let checked = check_internal(batch(1, 3)).unwrap();
    let late = log.append_together(checked, Origin::Client, None, Some(&together));
    assert_eq!(late.peek(), Some(Err(AppendError::Deleted)));
}

#[test]
fn who_moves_a_log_gets_the_turn_behind_them() {
    let world = World::new(small(Durability::Relaxed));
    let together = Together::default();
    let ticket = world.append_together(2, 1, &together);
    assert!(!world.log.hold_appends());
    together.write();
    assert!(world.log.hold_appends() && !ticket.is_placed(), "they wait until the log has moved");
    world.log.let_appends_go();
    assert_eq!(last_of(&ticket), 1);
}
