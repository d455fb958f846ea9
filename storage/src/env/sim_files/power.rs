//! The simulated machine's power: counts the operations that change the disk, and goes in the middle of a chosen one.
//!
//! Invariant: once it is out, everything fails the same way until it is back. It must not know what operations do.

use std::io;

#[derive(Default)]
pub(super) struct Power {
    operations: u64,
    /// The power goes in the operation that finds this many before it.
    cut_at: Option<u64>,
    out: bool,
    /// How often the machine was started again.
    boots: u64,
}

/// What becomes of an operation that was begun.
#[must_use]
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Whole,
    /// The power goes while it is under way: nothing of it is certain.
    Cut,
}

impl Fate {
    /// What the caller of the operation hears.
    pub(super) fn end(self) -> io::Result<()> {
        match self {
            Fate::Whole => Ok(()),
            Fate::Cut => Err(gone()),
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("simulated: the power is out")
}

impl Power {
    /// Fails while the power is out.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.out { Err(gone()) } else { Ok(()) }
    }

    /// Begins an operation that changes the disk.
    pub(super) fn begin(&mut self) -> io::Result<Fate> {
        self.check()?;
        self.out = self.cut_at == Some(self.operations);
        self.operations += 1;
        Ok(if self.out { Fate::Cut } else { Fate::Whole })
    }

    pub(super) fn cut_after(&mut self, operations: u64) {
        self.cut_at = Some(self.operations.saturating_add(operations));
    }

    pub(super) fn back(&mut self) {
        self.stays();
        self.boots += 1;
    }

    /// It was not cut after all.
    pub(super) fn stays(&mut self) {
        (self.cut_at, self.out) = (None, false);
    }

    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    pub(super) fn boots(&self) -> u64 {
        self.boots
    }
}
