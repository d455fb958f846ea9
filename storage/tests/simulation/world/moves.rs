//! Logs that go from one data directory to the other, a few steps at a time, among everything else that happens.

use std::sync::Arc;

use storage::{Move, Step};

use super::{DIRS, LOGS, World};

const STEPS_MAX: u64 = 14;

impl World {
    /// The move goes on, or another begins.
    pub(super) fn relocate(&mut self) {
        let Some((number, moving)) = self.moving.take() else { return self.begin_move() };
        if self.below(12) == 0 {
            self.note(format!("the move of {number} is given up"));
            moving.cancel();
            return self.settle();
        }
        let mut moving = Some(moving);
        for _ in 0..1 + self.below(STEPS_MAX) {
            let Some(going) = &mut moving else { break };
            let piece = 1 + self.below(900) as usize;
            match going.step(piece) {
                Ok(Step::Copied(bytes)) => self.note(format!("{bytes} bytes of {number} are copied")),
                Ok(Step::Waiting) => {
                    self.note(format!("the move of {number} waits"));
                    break;
                }
                Ok(Step::Done(log)) => {
                    let under_test = &mut self.logs[number];
                    under_test.home = 1 - under_test.home;
                    let home = under_test.home;
                    // Who has the log from before goes on with that.
                    if self.random.below(2) == 0 {
                        under_test.log = Some(Arc::clone(&log));
                    }
                    self.seen.moves += 1;
                    self.note(format!("{number} lives in {home}, end {}", log.end_offset()));
                    moving = None;
                }
                Err(error) => {
                    self.note(format!("{number} is not moved: {error}"));
                    moving.take().into_iter().for_each(Move::cancel);
                }
            }
        }
        self.moving = moving.map(|moving| (number, moving));
        self.settle();
    }

    fn begin_move(&mut self) {
        let number = self.below(LOGS as u64) as usize;
        let target = 1 - self.logs[number].home;
        match Move::begin(&self.dirs[target], self.log(number), None) {
            Ok(moving) => {
                self.note(format!("{number} is to move to {}", DIRS[target]));
                self.moving = Some((number, moving));
            }
            Err(error) => self.note(format!("{number} cannot move: {error}")),
        }
    }

    /// A start goes on with a copy that was begun, or gives it up.
    pub(super) fn take_up(&mut self) {
        for copy in std::mem::take(&mut self.unfinished) {
            let number = self.logs.iter().position(|log| Some(log.id) == copy.log);
            let is_wanted = |number: &usize| self.logs[*number].home != copy.target && self.moving.is_none();
            let wanted = number.filter(is_wanted).filter(|_| self.below(3) > 0);
            let begun = wanted.map(|number| {
                (number, Move::begin(&self.dirs[copy.target], self.log(number), Some(&copy.name)))
            });
            match begun {
                Some((number, Ok(moving))) => {
                    self.note(format!("{number} goes on moving"));
                    self.moving = Some((number, moving));
                }
                // What cannot be removed is for the next start.
                _ => {
                    let discarded = self.dirs[copy.target].discard(&copy.name);
                    self.note(format!("a copy is given up: {}", discarded.is_ok()));
                }
            }
        }
    }

    /// The move of a log that was deleted meanwhile finds out, or is given up.
    pub(super) fn is_deleted_on_its_way(&mut self, number: usize) {
        if self.moving.as_ref().is_none_or(|(moving, _)| *moving != number) {
            return;
        }
        if let Some((_, mut moving)) = self.moving.take() {
            let is_gone = self.below(2) == 0 && moving.step(100).is_err();
            self.note(format!("the move of {number} ends with it: {is_gone}"));
            moving.cancel();
        }
    }
}
