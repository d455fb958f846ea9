//! Pushes as clients write them, and bytes that nobody would.

use super::*;
use crate::protobuf::Message;
use proptest::prelude::*;

pub(in super::super) fn attribute(name: &str, value: &str) -> Message {
    Message::default().text(1, name).message(2, Message::default().text(1, value))
}

/// A push of these metrics by a client of this group.
pub(in super::super) fn push(group: &str, metrics: Vec<Message>) -> Vec<u8> {
    let resource = Message::default().message(1, attribute("group_id", group));
    let scope = Message::default().messages(2, metrics);
    let of_resource = Message::default().message(1, resource).message(2, scope);
    Message::default().message(1, of_resource).into_bytes()
}

fn point(value: f64) -> Message {
    Message::default().message(7, attribute("topic", "t")).fixed64(3, 9).fixed64(4, value.to_bits())
}

pub(in super::super) fn gauge(name: &str, value: f64) -> Message {
    Message::default().text(1, name).message(5, Message::default().message(1, point(value)))
}

pub(in super::super) fn sum(name: &str, value: f64, temporality: u64) -> Message {
    let sum = Message::default().message(1, point(value)).uint(2, temporality).uint(3, 1);
    Message::default().text(1, name).message(7, sum)
}

pub(in super::super) fn histogram(name: &str, bounds: &[f64], counts: &[u64]) -> Message {
    let packed = |words: Vec<u64>| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let bits = bounds.iter().map(|bound| bound.to_bits()).collect();
    let point = Message::default()
        .message(9, attribute("topic", "t"))
        .fixed64(4, counts.iter().fold(0, |sum, count| sum.wrapping_add(*count)))
        .fixed64(5, 7.5f64.to_bits())
        .bytes(6, &packed(counts.to_vec()))
        .bytes(7, &packed(bits));
    let histogram = Message::default().message(1, point).uint(2, 2);
    Message::default().text(1, name).message(9, histogram)
}

fn expected(name: &str, sample: Sample) -> Point {
    Point { name: name.to_owned(), labels: vec![("topic".to_owned(), "t".to_owned())], sample }
}

#[test]
fn each_kind_of_point_is_read() {
    let bytes = push(
        "g",
        vec![gauge("a", 1.5), sum("b", 2.0, 1), sum("c", 3.0, 2), histogram("d", &[1.0, 2.0], &[4, 0, 1])],
    );
    let pushed = read(&bytes, 10).expect("it is right");
    assert_eq!(pushed.attributes, [("group_id".to_owned(), "g".to_owned())]);
    assert_eq!(
        pushed.points,
        [
            expected("a", Sample::Gauge(1.5)),
            expected("b", Sample::Sum { value: 2.0, is_delta: true }),
            expected("c", Sample::Sum { value: 3.0, is_delta: false }),
            expected(
                "d",
                Sample::Histogram {
                    sum: 7.5,
                    bounds: vec![1.0, 2.0],
                    counts: vec![4, 0, 1],
                    is_delta: false
                }
            ),
        ]
    );
    let two = read(&bytes, 2).expect("it is right");
    assert_eq!((two.points.len(), two.left_out), (2, 2));
}

#[test]
fn whole_numbers_attributes_of_every_kind_and_what_is_unknown() {
    let any = |kind: u32, number: u64| Message::default().uint(kind, number);
    let labels = [("b", any(2, 1)), ("i", any(3, -5i64 as u64)), ("list", Message::default().bytes(5, b""))];
    let labels = labels.map(|(name, value)| Message::default().text(1, name).message(2, value));
    let number = Message::default().fixed64(6, -3i64 as u64).messages(7, labels);
    let metric = Message::default()
        .text(1, "n")
        .text(2, "what it is")
        .message(5, Message::default().message(1, number))
        .message(11, Message::default().uint(1, 1));
    let pushed = read(&push("g", vec![metric]), 10).expect("it is right");
    let labels = [("b", "true"), ("i", "-5")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(
        pushed.points,
        [Point { name: "n".to_owned(), labels: labels.into(), sample: Sample::Gauge(-3.0) }]
    );
}

#[test]
fn a_histogram_that_contradicts_itself_is_left_out() {
    let many: Vec<f64> = (0..BUCKETS_MAX).map(|bound| bound as f64).collect();
    let ones = vec![1; BUCKETS_MAX + 1];
    let wrong: [(&[f64], &[u64]); 5] =
        [(&[1.0], &[1]), (&[2.0, 1.0], &[1, 1, 1]), (&[f64::NAN], &[1, 1]), (&[], &[]), (&many, &ones)];
    for (bounds, counts) in wrong {
        let bytes = push("g", vec![histogram("h", bounds, counts)]);
        assert_eq!(read(&bytes, 9).map(|pushed| pushed.points), Ok(Vec::new()), "{bounds:?}");
    }
}

#[test]
fn what_is_cut_or_no_text_is_refused() {
    let bytes = push("g", vec![gauge("a", 1.5), sum("b", 2.0, 1)]);
    for cut in 1..bytes.len() {
        assert_eq!(read(&bytes[..cut], 10), Err(Malformed), "{cut}");
    }
    assert_eq!(read(&bytes[..0], 10), Ok(Pushed::default()));
    let no_text = Message::default().bytes(1, &[0xff]);
    assert_eq!(read(&push("g", vec![no_text]), 10), Err(Malformed));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, points_max in 0usize..5) {
        crate::telemetry::fuzz::payload(&bytes);
        let _ = read(&bytes, points_max);
    }

    /// Whole messages with a few bytes changed get further than bytes that are nothing.
    #[test]
    fn a_push_with_wrong_bytes_is_read_or_refused(
        name in "[a-z.]{0,12}", value: f64, counts in prop::collection::vec(any::<u64>(), 0..4),
        changes in prop::collection::vec((any::<usize>(), any::<u8>()), 0..4),
    ) {
        let bounds: Vec<f64> = (1..counts.len()).map(|bound| bound as f64).collect();
        let metrics = vec![gauge(&name, value), sum(&name, value, 1), histogram(&name, &bounds, &counts)];
        let mut bytes = push("g", metrics);
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        crate::telemetry::fuzz::payload(&bytes);
    }
}
