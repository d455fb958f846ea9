//! Files that nobody uses.

use super::*;

#[test]
fn files_that_nobody_uses_are_closed_once_they_are_flushed() {
    for durability in [Durability::Durable, Durability::Relaxed] {
        let world = World::new(LogConfig { flush_messages: 1, ..small(durability) });
        while world.log.segment_count() < 3 {
            world.append(5, 1);
        }
        world.dir.flush();
        let open = || world.log.segments.read().unwrap().iter().filter(|segment| segment.is_open()).count();
        let look = || {
            world.log.close_idle();
            open()
        };
        if durability == Durability::Durable {
            assert_eq!([look(), look(), look()], [3, 3, 3], "a commit of the journal flushes no segment");
            world.dir.checkpoint();
        }
        look();
        world.append(5, 1);
        assert_eq!(
            [look(), look()],
            [1, 1],
            "{durability:?}: the one with a batch that is not flushed stays"
        );
        world.dir.flush();
        world.dir.checkpoint();
        assert_eq!([look(), look()], [1, 0], "{durability:?}: the flush was a use of it");

        let before = everything(&world.log);
        assert_eq!(open(), 3, "reading opens them");
        assert_eq!([look(), look()], [3, 0], "{durability:?}: the first look finds them used");
        world.append(5, 1);
        world.dir.flush();
        assert_eq!(everything(&world.log).len(), before.len() + 5, "{durability:?}");
    }
}
