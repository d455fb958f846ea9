//! Clients' metrics as they push them: OpenTelemetry's `MetricsData`, read field by field.
//!
//! What is malformed is refused; what is only unknown, or more than is kept, is left out. Invariants: no length that the
//! bytes claim is believed, and what is kept is bounded by the caller's count of points and the constants here. The kinds
//! of points that no client of Kafka pushes (summaries, exponential histograms) are left out.

use crate::metrics::{Point, Sample};
use crate::protobuf::{Fields, Malformed, Value};

/// Longest name of a metric or an attribute, and longest value of an attribute.
const TEXT_BYTES_MAX: usize = 255;
/// Attributes of one point, and of a client.
const ATTRIBUTES_MAX: usize = 8;
/// Buckets of a histogram.
const BUCKETS_MAX: usize = 64;
/// OpenTelemetry's number for a sum since the last push.
const DELTA: u64 = 1;

/// What a client pushed.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Pushed {
    /// What it says of itself.
    pub(super) attributes: Vec<(String, String)>,
    pub(super) points: Vec<Point>,
    /// Points that there was no room for.
    pub(super) left_out: usize,
}

/// Reads a push, of which at most so many points are kept.
pub(super) fn read(payload: &[u8], points_max: usize) -> Result<Pushed, Malformed> {
    let mut reader = Reader { pushed: Pushed::default(), points_max };
    for resource_metrics in messages(payload, 1) {
        let resource_metrics = resource_metrics?;
        for resource in messages(resource_metrics, 1) {
            attributes(resource?, 1, &mut reader.pushed.attributes)?;
        }
        for scope_metrics in messages(resource_metrics, 2) {
            for metric in messages(scope_metrics?, 2) {
                reader.metric(metric?)?;
            }
        }
    }
    Ok(reader.pushed)
}

struct Reader {
    pushed: Pushed,
    points_max: usize,
}

impl Reader {
    fn metric(&mut self, metric: &[u8]) -> Result<(), Malformed> {
        let mut name = "";
        for field in Fields::of(metric) {
            if let (1, Value::Bytes(bytes)) = field? {
                name = text(bytes)?;
            }
        }
        for field in Fields::of(metric) {
            match field? {
                (5, Value::Bytes(gauge)) => {
                    self.points(name, gauge, |point| Ok(number(point)?.map(Sample::Gauge)))?;
                }
                (7, Value::Bytes(sum)) => {
                    let (is_delta, is_rising) = (last_number(sum, 2)? == DELTA, last_number(sum, 3)? != 0);
                    self.points(name, sum, |point| {
                        let sample = |value| match is_rising || is_delta {
                            true => Sample::Sum { value, is_delta },
                            false => Sample::Gauge(value),
                        };
                        Ok(number(point)?.map(sample))
                    })?;
                }
                (9, Value::Bytes(histogram)) => {
                    let is_delta = last_number(histogram, 2)? == DELTA;
                    self.points(name, histogram, |point| buckets(point, is_delta))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The points of a metric, which have the same number whatever its kind.
    fn points(
        &mut self,
        name: &str,
        data: &[u8],
        sample: impl Fn(&[u8]) -> Result<Option<Sample>, Malformed>,
    ) -> Result<(), Malformed> {
        for point in messages(data, 1) {
            let point = point?;
            let Some(sample) = sample(point)? else { continue };
            if self.pushed.points.len() == self.points_max || name.len() > TEXT_BYTES_MAX {
                self.pushed.left_out += 1;
                continue;
            }
            // A histogram's point has its attributes elsewhere, so that its counts are not taken for them.
            let number = if matches!(sample, Sample::Histogram { .. }) { 9 } else { 7 };
            let mut labels = Vec::new();
            attributes(point, number, &mut labels)?;
            self.pushed.points.push(Point { name: name.to_owned(), labels, sample });
        }
        Ok(())
    }
}

/// The messages that a message has under one number.
fn messages(message: &[u8], number: u64) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    Fields::of(message).filter_map(move |field| match field {
        Ok((found, Value::Bytes(bytes))) if found == number => Some(Ok(bytes)),
        Ok(_) => None,
        Err(malformed) => Some(Err(malformed)),
    })
}

fn last_number(message: &[u8], number: u64) -> Result<u64, Malformed> {
    let mut last = 0;
    for field in Fields::of(message) {
        if let (found, Value::Number(value)) = field?
            && found == number
        {
            last = value;
        }
    }
    Ok(last)
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed)
}

/// The value of a point that is one number; `None` where it has none.
fn number(point: &[u8]) -> Result<Option<f64>, Malformed> {
    let mut value = None;
    for field in Fields::of(point) {
        match field? {
            (4, Value::Number(bits)) => value = Some(f64::from_bits(bits)),
            (6, Value::Number(bits)) => value = Some(bits as i64 as f64),
            _ => {}
        }
    }
    Ok(value)
}

/// The value of a histogram's point; `None` where its bounds and counts do not fit together, or are too many.
fn buckets(point: &[u8], is_delta: bool) -> Result<Option<Sample>, Malformed> {
    let (mut sum, mut counts, mut bounds) = (0.0, Vec::new(), Vec::new());
    for field in Fields::of(point) {
        match field? {
            (5, Value::Number(bits)) => sum = f64::from_bits(bits),
            (6, value) => words(value, &mut counts)?,
            (7, value) => words(value, &mut bounds)?,
            _ => {}
        }
    }
    let bounds: Vec<f64> = bounds.into_iter().map(f64::from_bits).collect();
    let is_rising =
        bounds.is_sorted_by(|less, more| less < more) && bounds.iter().all(|bound| bound.is_finite());
    let fits = counts.len() == bounds.len() + 1 && counts.len() <= BUCKETS_MAX && is_rising;
    Ok(fits.then_some(Sample::Histogram { sum, bounds, counts, is_delta }))
}

/// Numbers of eight bytes, packed or one by one. One more than can be kept is enough to know that they are too many.
fn words(value: Value<'_>, into: &mut Vec<u64>) -> Result<(), Malformed> {
    let room = (BUCKETS_MAX + 1).saturating_sub(into.len());
    match value {
        Value::Number(word) => into.extend([word].into_iter().take(room)),
        Value::Bytes(packed) => {
            let (words, []) = packed.as_chunks::<8>() else { return Err(Malformed) };
            into.extend(words.iter().take(room).map(|word| u64::from_le_bytes(*word)));
        }
    }
    Ok(())
}

/// The attributes that a message has under this number, added to others.
fn attributes(message: &[u8], number: u64, into: &mut Vec<(String, String)>) -> Result<(), Malformed> {
    for attribute in messages(message, number) {
        let (mut key, mut value) = ("", None);
        for field in Fields::of(attribute?) {
            match field? {
                (1, Value::Bytes(bytes)) => key = text(bytes)?,
                (2, Value::Bytes(any)) => value = scalar(any)?,
                _ => {}
            }
        }
        let Some(value) = value.filter(|value| value.len().max(key.len()) <= TEXT_BYTES_MAX) else {
            continue;
        };
        if into.len() < ATTRIBUTES_MAX {
            into.push((key.to_owned(), value));
        }
    }
    Ok(())
}

/// An attribute's value as text; `None` for a list, a map or bytes.
fn scalar(any: &[u8]) -> Result<Option<String>, Malformed> {
    let mut value = None;
    for field in Fields::of(any) {
        value = match field? {
            (1, Value::Bytes(bytes)) => Some(text(bytes)?.to_owned()),
            (2, Value::Number(flag)) => Some((flag != 0).to_string()),
            (3, Value::Number(number)) => Some((number as i64).to_string()),
            (4, Value::Number(bits)) => Some(f64::from_bits(bits).to_string()),
            _ => value,
        };
    }
    Ok(value)
}

#[cfg(test)]
pub(super) mod tests {
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
            vec![
                gauge("a", 1.5),
                sum("b", 2.0, 1),
                sum("c", 3.0, 2),
                histogram("d", &[1.0, 2.0], &[4, 0, 1]),
            ],
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
        let labels =
            [("b", any(2, 1)), ("i", any(3, -5i64 as u64)), ("list", Message::default().bytes(5, b""))];
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
}
