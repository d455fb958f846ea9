//! Producers with sequences: what happens to each batch depends on those before it.

use super::batch::{Batch, Form, Record};
use super::cases::{Case, PRODUCERS};

/// One batch of a producer: its epoch, its first sequence and how many records it has.
type Step = (i16, i32, usize);

const SCRIPTS: &[(&str, &[Step])] = &[
    ("in order", &[(0, 0, 3), (0, 3, 1), (0, 4, 5)]),
    ("begins in the middle", &[(0, 40, 2), (0, 42, 1)]),
    ("a gap", &[(0, 0, 3), (0, 5, 1), (0, 3, 1)]),
    ("a step back", &[(0, 0, 3), (0, 3, 3), (0, 4, 1)]),
    ("the last again", &[(0, 0, 3), (0, 0, 3), (0, 0, 3), (0, 3, 1)]),
    ("the fifth last again", &[(0, 0, 1), (0, 1, 1), (0, 2, 1), (0, 3, 1), (0, 4, 1), (0, 0, 1)]),
    ("the sixth last again", &[(0, 0, 1), (0, 1, 1), (0, 2, 1), (0, 3, 1), (0, 4, 1), (0, 5, 1), (0, 0, 1)]),
    ("again with fewer records", &[(0, 0, 3), (0, 0, 2)]),
    ("again with more records", &[(0, 0, 3), (0, 0, 4)]),
    ("overlapping", &[(0, 0, 3), (0, 2, 3)]),
    ("two in one again", &[(0, 0, 2), (0, 2, 2), (0, 0, 4)]),
    ("a newer epoch from 0", &[(0, 0, 3), (1, 0, 1), (1, 1, 1)]),
    ("a newer epoch going on", &[(0, 0, 3), (1, 3, 1)]),
    ("a much newer epoch", &[(0, 0, 3), (900, 0, 1)]),
    ("an older epoch", &[(5, 0, 3), (4, 3, 1), (4, 0, 1), (5, 3, 1)]),
    ("an older epoch's batch again", &[(0, 0, 3), (1, 0, 1), (0, 0, 3)]),
    ("a newer epoch, the same numbers again", &[(0, 0, 3), (1, 0, 3), (1, 0, 3)]),
    ("the greatest epoch", &[(i16::MAX, 0, 1), (i16::MAX, 1, 1)]),
    ("epoch -1", &[(-1, 0, 1), (-1, 1, 1)]),
    ("around the end", &[(0, i32::MAX - 1, 1), (0, i32::MAX, 1), (0, 0, 1), (0, 1, 1)]),
    ("over the end", &[(0, i32::MAX - 1, 4), (0, 2, 1), (0, i32::MAX - 1, 4)]),
    ("past the end wrongly", &[(0, i32::MAX, 1), (0, 1, 1)]),
    ("to the end exactly", &[(0, i32::MAX - 2, 3), (0, 0, 2), (0, i32::MAX - 2, 3)]),
    ("below zero", &[(0, 0, 1), (0, -1, 1), (0, i32::MIN, 1)]),
];

/// Every script in two forms, each by a producer of its own.
pub(crate) fn all(now: i64) -> Vec<Case> {
    let mut cases = Vec::new();
    let forms = [Form::Plain, Form::Zstd];
    for (number, (form, (what, steps))) in
        forms.iter().flat_map(|form| SCRIPTS.iter().map(move |script| (*form, *script))).enumerate()
    {
        let producer = 100_000 + number as i64;
        for (at, (epoch, sequence, count)) in steps.iter().enumerate() {
            let records: Vec<Record> = (0..*count as i32)
                .map(|offset| Record::new(offset, Some(b"key"), Some(format!("{at} {offset}").as_bytes())))
                .collect();
            let batch = Batch::of(form, now, &records).produced_by(producer, *epoch, *sequence);
            let name = format!("producer/{}/{what}/{at}", form.name());
            cases.push(Case::new(name, PRODUCERS, batch.encode()));
        }
    }
    cases
}
