//! What is wrong with a batch: each defect by itself, in every form that can have it.

use super::batch::{Batch, CONTROL, DELETE_HORIZON, Form, LOG_APPEND_TIME, Record, TRANSACTIONAL};
use super::batch::{sequence, varint};
use super::cases::{COMPACTED, Case, Meant, NEAR, NEAR_AFTER_MS, NEAR_BEFORE_MS, PLAIN, SMALL, SMALL_BYTES};
use super::cases::{STAMPED, UNREADABLE, noise};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

pub(crate) fn all(now: i64) -> Vec<Case> {
    let mut cases = Vec::new();
    for form in Form::ALL {
        headers(form, now, &mut cases);
        frames(form, now, &mut cases);
        records(form, now, &mut cases);
        times(form, now, &mut cases);
        sizes(form, now, &mut cases);
        if form.is_compressed() {
            streams(form, now, &mut cases);
        }
    }
    cases
}

fn three() -> Vec<Record> {
    (0..3).map(|offset| Record::new(offset, Some(b"key"), Some(b"a value that is not too short"))).collect()
}

fn name(form: Form, what: &str) -> String {
    format!("defect/{}/{what}", form.name())
}

/// One number of the header is not what it should be.
fn headers(form: Form, now: i64, cases: &mut Vec<Case>) {
    type Change = (&'static str, fn(&mut Batch));
    let changes: &[Change] = &[
        ("base offset 5", |b| b.base_offset = 5),
        ("base offset -1", |b| b.base_offset = -1),
        ("base offset huge", |b| b.base_offset = i64::MAX),
        ("leader epoch 9", |b| b.leader_epoch = 9),
        ("leader epoch -7", |b| b.leader_epoch = -7),
        ("magic 0", |b| b.magic = 0),
        ("magic 1", |b| b.magic = 1),
        ("magic 3", |b| b.magic = 3),
        ("magic -1", |b| b.magic = -1),
        ("checksum wrong", |b| b.crc = Some(0x1234_5678)),
        ("count 2", |b| b.count = 2),
        ("count 4", |b| b.count = 4),
        ("count 0", |b| b.count = 0),
        ("count -1", |b| b.count = -1),
        ("count huge", |b| b.count = i32::MAX),
        ("count and delta 2", |b| (b.count, b.last_offset_delta) = (2, 1)),
        ("count and delta 4", |b| (b.count, b.last_offset_delta) = (4, 3)),
        ("count and delta huge", |b| (b.count, b.last_offset_delta) = (i32::MAX, i32::MAX - 1)),
        ("last delta 1", |b| b.last_offset_delta = 1),
        ("last delta 3", |b| b.last_offset_delta = 3),
        ("last delta -1", |b| b.last_offset_delta = -1),
        ("last delta and count 0", |b| (b.count, b.last_offset_delta) = (0, -1)),
        ("control", |b| b.attributes |= CONTROL),
        ("control of a transaction", |b| b.attributes |= CONTROL | TRANSACTIONAL),
        ("delete horizon", |b| b.attributes |= DELETE_HORIZON),
        ("append time", |b| b.attributes |= LOG_APPEND_TIME),
        ("unused attribute 0x80", |b| b.attributes |= 0x80),
        ("unused attribute 0x4000", |b| b.attributes |= 0x4000),
        ("producer without sequence", |b| (b.producer_id, b.producer_epoch) = (7_000, 0)),
        ("producer without epoch", |b| (b.producer_id, b.sequence) = (7_001, 0)),
        ("sequence without producer", |b| b.sequence = 3),
        ("epoch without producer", |b| b.producer_epoch = 3),
        ("producer -2", |b| (b.producer_id, b.producer_epoch, b.sequence) = (-2, 0, 0)),
    ];
    for (what, change) in changes {
        let mut batch = Batch::of(form, now, &three());
        change(&mut batch);
        cases.push(Case::new(name(form, what), PLAIN, batch.encode()).meant(trips_over(form, what)));
    }
    for codec in [5, 6, 7] {
        let mut batch = Batch::of(form, now, &three());
        batch.attributes = batch.attributes & !7 | codec;
        let case = Case::new(name(form, &format!("codec {codec}")), PLAIN, batch.encode());
        cases.push(case.meant(Meant::Undecodable));
    }
}

/// In compressed records Kafka finds out while it reads them that there are fewer or more than the header says.
fn trips_over(form: Form, what: &str) -> Meant {
    let is_found_inside = what.starts_with("count and delta");
    if form.is_compressed() && is_found_inside { Meant::Undecodable } else { Meant::Nothing }
}

/// The batch is right, and what stands around it is not.
fn frames(form: Form, now: i64, cases: &mut Vec<Case>) {
    let batch = Batch::of(form, now, &three());
    let whole = batch.encode();
    let mut add = |what: &str, bytes: Vec<u8>| cases.push(Case::new(name(form, what), PLAIN, bytes));
    for length in [-1, 0, 13, 14, 48] {
        let bytes = Batch { length: Some(length), ..batch.clone() }.encode();
        add(&format!("length {length}"), bytes);
    }
    let true_length = (whole.len() - 12) as i32;
    for more in [-1, 1, 100] {
        let bytes = Batch { length: Some(true_length + more), ..batch.clone() }.encode();
        add(&format!("length {more:+}"), bytes);
    }
    let beyond = Batch { length: Some(i32::MAX), ..batch.clone() }.encode();
    cases.push(Case::new(name(form, "greatest length"), PLAIN, beyond).meant(Meant::Undecodable));
    let mut add = |what: &str, bytes: Vec<u8>| cases.push(Case::new(name(form, what), PLAIN, bytes));
    for cut in [1, 20, whole.len() - 61, whole.len() - 30, whole.len() - 5] {
        add(&format!("cut by {cut}"), whole[..whole.len() - cut].to_vec());
    }
    for tail in [1, 11, 12, 16, 17, 60, 61, 100] {
        add(&format!("{tail} zero bytes behind"), [&whole[..], &vec![0; tail]].concat());
    }
    add("one byte behind", [&whole[..], &[0xff]].concat());
    add("twice", [&whole[..], &whole].concat());
    add("and half of another", [&whole[..], &whole[..whole.len() / 2]].concat());
}

/// The records do not hold what they say.
fn records(form: Form, now: i64, cases: &mut Vec<Case>) {
    let bodies: Vec<Vec<u8>> = three().iter().map(Record::body).collect();
    let mut add = |what: &str, count: usize, plain: Vec<u8>| {
        let batch = Batch::with_plain(form, now, count, &plain);
        // Kafka reads compressed records without expecting them to be wrong, and does not look at their lengths.
        let (topic, meant) = match form.is_compressed() {
            true if what.starts_with("record length ") => (UNREADABLE, Meant::Unreadable),
            true => (PLAIN, Meant::Undecodable),
            false if what == "record length of six bytes" => (PLAIN, Meant::Undecodable),
            false => (PLAIN, Meant::Nothing),
        };
        cases.push(Case::new(name(form, what), topic, batch.encode()).meant(meant));
    };
    let lengthened = |by: i64| {
        let mut out = Vec::new();
        varint(&mut out, bodies[0].len() as i64 + by);
        out.extend_from_slice(&bodies[0]);
        out
    };
    for by in [-1, 1, 5, -3, 10_000] {
        add(&format!("record length {by:+}"), 1, lengthened(by));
    }
    add("record length -1", 1, vec![1]);
    add("record length 0", 1, vec![0]);
    add("record length huge", 1, vec![0xfe, 0xff, 0xff, 0xff, 0x0f]);
    add("record length of six bytes", 1, vec![0xff, 0xff, 0xff, 0xff, 0xff, 0x01]);
    add("no bytes", 1, Vec::new());
    add("a byte behind", 3, [sequence(&bodies), vec![0]].concat());
    add("a record behind", 2, sequence(&bodies));
    add("a record missing", 4, sequence(&bodies));
    let odd = |body: &[u8]| sequence(&[body.to_vec()]);
    // Attributes, time, offset, key, value, headers.
    add("record attributes", 1, odd(&[0xff, 0, 0, 1, 1, 0]));
    add("key length -2", 1, odd(&[0, 0, 0, 3, 1, 0]));
    add("value length -2", 1, odd(&[0, 0, 0, 1, 3, 0]));
    add("key beyond the record", 1, odd(&[0, 0, 0, 40, 1, 0]));
    add("value beyond the record", 1, odd(&[0, 0, 0, 1, 40, 0]));
    add("header count -1", 1, odd(&[0, 0, 0, 1, 1, 1]));
    add("header count 5", 1, odd(&[0, 0, 0, 1, 1, 10]));
    add("header count huge", 1, odd(&[0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f]));
    add("header without a key", 1, odd(&[0, 0, 0, 1, 1, 2, 1, 1]));
    add("header key -2", 1, odd(&[0, 0, 0, 1, 1, 2, 3, 1]));
    add("header value -2", 1, odd(&[0, 0, 0, 1, 1, 2, 0, 3]));
    add("header value beyond", 1, odd(&[0, 0, 0, 1, 1, 2, 0, 40]));
    add("offset of six bytes", 1, odd(&[0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 1, 1, 0]));
    add("time of eleven bytes", 1, odd(&[&[0][..], &[0xff; 10], &[1, 0, 1, 1, 0]].concat()));
    for (what, offsets) in [
        ("offsets from 1", [1, 2, 3]),
        ("offsets backwards", [2, 1, 0]),
        ("offsets twice", [0, 1, 1]),
        ("offsets with a gap", [0, 1, 5]),
        ("offset -1", [-1, 1, 2]),
    ] {
        let bodies: Vec<_> =
            offsets.iter().map(|offset| Record::new(*offset, Some(b"k"), Some(b"v")).body()).collect();
        add(what, 3, sequence(&bodies));
    }
}

/// Times out of bounds, and times that the header tells wrong.
fn times(form: Form, now: i64, cases: &mut Vec<Case>) {
    let at = |base: i64, time: i64| Batch::of(form, base, &[Record { time, ..three().remove(0) }]);
    let moments: Vec<(String, i64)> = [
        ("two hours ahead", now + 2 * HOUR_MS),
        ("half an hour ahead", now + HOUR_MS / 2),
        ("three minutes ahead", now + 3 * NEAR_AFTER_MS),
        ("half a minute ahead", now + NEAR_AFTER_MS / 2),
        ("an hour ago", now - HOUR_MS),
        ("two days ago", now - 2 * NEAR_BEFORE_MS),
        ("the epoch", 0),
        ("no time", -1),
        ("below no time", -2),
        ("the least", i64::MIN),
        ("the greatest", i64::MAX),
    ]
    .map(|(what, time)| (what.to_owned(), time))
    .into();
    for (what, time) in &moments {
        for topic in [PLAIN, NEAR, STAMPED, COMPACTED] {
            let what = format!("{topic}, {what}");
            cases.push(Case::new(name(form, &what), topic, at(*time, 0).encode()));
        }
    }
    for (what, delta) in [("far ahead by delta", 5 * HOUR_MS), ("far back by delta", -5 * NEAR_BEFORE_MS)] {
        for topic in [PLAIN, NEAR] {
            let what = format!("{topic}, {what}");
            cases.push(Case::new(name(form, &what), topic, at(now, delta).encode()));
        }
    }
    for (what, max_time) in
        [("max early", now - 5), ("max late", now + 500), ("max far", now + 9 * HOUR_MS), ("max none", -1)]
    {
        for topic in [PLAIN, NEAR, STAMPED, "to-zstd"] {
            let batch = Batch { max_time, ..Batch::of(form, now, &three()) };
            cases.push(Case::new(name(form, &format!("{topic}, {what}")), topic, batch.encode()));
        }
    }
    let late = |offset: i32| Record { time: 4 * HOUR_MS, ..Record::new(offset, Some(b"k"), Some(b"v")) };
    let some_late = [three().remove(0), late(1), late(2)];
    for topic in [PLAIN, COMPACTED, STAMPED] {
        let what = format!("{topic}, two of three ahead");
        cases.push(Case::new(name(form, &what), topic, Batch::of(form, now, &some_late).encode()));
    }
    let keyless = |offset: i32| Record::new(offset, None, Some(b"v"));
    let both = [late(0), keyless(1), keyless(2), Record { time: 4 * HOUR_MS, ..keyless(3) }];
    let what = "keyless and ahead";
    cases.push(Case::new(name(form, what), COMPACTED, Batch::of(form, now, &both).encode()));
    let turned = [keyless(0), late(1), keyless(2)];
    let what = "keyless first, then ahead";
    cases.push(Case::new(name(form, what), COMPACTED, Batch::of(form, now, &turned).encode()));
}

/// Around `max.message.bytes`.
fn sizes(form: Form, now: i64, cases: &mut Vec<Case>) {
    let of = |value: usize| Batch::of(form, now, &[Record::new(0, Some(b"k"), Some(&noise(value)))]).encode();
    let Some(exact) = (600..SMALL_BYTES).find(|value| of(*value).len() >= SMALL_BYTES) else {
        unreachable!("noise does not shrink")
    };
    for value in [exact - 1, exact, exact + 1, 2 * SMALL_BYTES] {
        for topic in [SMALL, "to-plain-small", "to-lz4-small"] {
            let what = format!("{topic}, {} bytes", of(value).len());
            cases.push(Case::new(name(form, &what), topic, of(value)));
        }
    }
    let even = Batch::of(form, now, &[Record::new(0, Some(b"k"), Some(&[b'x'; 4 * SMALL_BYTES]))]).encode();
    for topic in [SMALL, "to-plain-small", "to-lz4-small"] {
        cases.push(Case::new(name(form, &format!("{topic}, shrinks well")), topic, even.clone()));
    }
}

/// The compressed stream itself is damaged, or belongs to another codec.
fn streams(form: Form, now: i64, cases: &mut Vec<Case>) {
    let whole = Batch::of(form, now, &three());
    let mut add = |what: String, body: Vec<u8>| {
        let bytes = Batch { body, ..whole.clone() }.encode();
        cases.push(Case::new(name(form, &what), PLAIN, bytes).meant(Meant::Undecodable));
    };
    let body = &whole.body;
    add("an empty stream".to_owned(), Vec::new());
    for kept in [1, 4, body.len() / 2, body.len() - 1] {
        add(format!("a stream of {kept} bytes"), body[..kept].to_vec());
    }
    for at in [0, 1, 4, 6, body.len() / 2, body.len() - 2] {
        let mut changed = body.clone();
        changed[at] ^= 0x55;
        add(format!("stream byte {at} changed"), changed);
    }
    add("bytes behind the stream".to_owned(), [&body[..], b"behind"].concat());
    add("two streams".to_owned(), [&body[..], body].concat());
    add("noise as a stream".to_owned(), noise(300));
    let plain = sequence(&three().iter().map(Record::body).collect::<Vec<_>>());
    for other in Form::ALL.into_iter().filter(|other| *other != form) {
        add(format!("packed as {}", other.name()), other.pack(&plain));
    }
}
