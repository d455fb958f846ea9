//! The commits of a partition, and what of them must never be lost.

/// The commits of a partition in the order in which they were decided.
#[derive(Default)]
pub(crate) struct History {
    pub(crate) offsets: Vec<i64>,
    /// The last one that somebody knows of for sure.
    pub(crate) known: Option<usize>,
}

impl History {
    pub(crate) fn place_of(&self, offset: i64) -> Option<usize> {
        self.offsets.iter().rposition(|committed| *committed == offset)
    }

    /// What a new life found: nothing that anybody knew of may be missing.
    pub(crate) fn survived(&mut self, found: Option<i64>, partition: u8) {
        let place = found.map(|offset| self.place_of(offset).expect("nobody committed what was loaded"));
        assert!(place >= self.known, "partition {partition}: {found:?} was loaded, of {:?}", self.offsets);
        self.offsets.truncate(place.map_or(0, |place| place + 1));
        self.known = place;
    }
}
