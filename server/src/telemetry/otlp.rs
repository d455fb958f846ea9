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
#[path = "otlp_tests.rs"]
pub(super) mod tests;
