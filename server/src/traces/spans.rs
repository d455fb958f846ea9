//! A request as spans: one of the kind SERVER for the whole, with one below it for each of its parts, in the messages of
//! OpenTelemetry's `trace.proto`.
//!
//! Attributes are those of OpenTelemetry's conventions (messaging, client, error) where they have one, and stand behind
//! `ottla.` where not. What clients choose is cut, so that a batch stays far below the 4 MiB that receivers take.

use std::time::Duration;

use storage::Env;

use super::{Request, Service};
use crate::protobuf::Message;

/// Characters of a text that a client chose.
const CHARS_MAX: usize = 128;
/// W3C's flag of a trace that is recorded.
const SAMPLED: u32 = 1;

/// Numbers of `trace.proto`.
const KIND_INTERNAL: u64 = 1;
const KIND_SERVER: u64 = 2;
const STATUS_ERROR: u64 = 2;

impl Request {
    /// Itself, and its parts.
    pub(super) fn span_count(&self) -> u64 {
        1 + self.parts().count() as u64
    }

    /// The parts that it had, by the metrics' names for them, in the order of time.
    fn parts(&self) -> impl Iterator<Item = (&'static str, Duration)> + use<> {
        let parts = self.parts;
        let wait = parts.wait.map(|wait| (self.waits_for.part(), wait));
        let send = self.response_bytes.map(|_| ("send", parts.send));
        [Some(("queue", parts.queue)), Some(("local", parts.local)), wait, send].into_iter().flatten()
    }

    fn attributes(&self) -> Vec<Message> {
        let mut all = vec![
            text("messaging.system", "kafka"),
            text("messaging.operation.name", self.api),
            text("client.address", &self.client.address.ip().to_string()),
            int("client.port", self.client.address.port().into()),
            int("ottla.api.version", self.version.into()),
            int("ottla.request.bytes", self.request_bytes as i64),
        ];
        all.extend(operation_type(self.api).map(|kind| text("messaging.operation.type", kind)));
        all.extend((!self.client.id.is_empty()).then(|| text("messaging.client.id", cut(&self.client.id))));
        if let Some((name, version)) = &self.client.software {
            all.push(text("ottla.client.software.name", cut(name)));
            all.push(text("ottla.client.software.version", cut(version)));
        }
        all.extend(self.response_bytes.map(|bytes| int("ottla.response.bytes", bytes as i64)));
        all.extend(self.error.map(|error| text("error.type", error)));
        all
    }
}

/// The types that OpenTelemetry knows of operations with messages.
fn operation_type(api: &str) -> Option<&'static str> {
    match api {
        "Produce" => Some("send"),
        "Fetch" => Some("receive"),
        "OffsetCommit" => Some("settle"),
        _ => None,
    }
}

/// Makes the body of a POST out of requests.
pub(super) struct Encoder {
    env: Env,
    /// The same for all of them.
    resource: Vec<u8>,
    scope: Vec<u8>,
}

impl Encoder {
    pub(super) fn new(env: Env, service: Service<'_>) -> Encoder {
        let version = env!("CARGO_PKG_VERSION");
        let attributes = [
            text("service.name", "ottla"),
            text("service.version", version),
            text("service.instance.id", &format!("{}/{}", service.cluster_id, service.node_id)),
            int("ottla.node.id", service.node_id.into()),
        ];
        Encoder {
            env,
            resource: Message::default().messages(1, attributes).into_bytes(),
            scope: Message::default().text(1, "ottla").text(2, version).into_bytes(),
        }
    }

    /// An `ExportTraceServiceRequest`.
    pub(super) fn encode(&self, requests: &[Request]) -> Vec<u8> {
        // The wall is read once for all: within a batch spans lie as they lay in truth, and as a whole up to a
        // millisecond early.
        let clock = &*self.env.clock;
        let now_nanos = u64::try_from(clock.now_ms()).unwrap_or(0).saturating_mul(1_000_000);
        let started_nanos = now_nanos.saturating_sub(nanos(clock.monotonic()));
        let spans = requests.iter().flat_map(|request| self.spans(request, started_nanos));
        let scope_spans = Message::default().bytes(1, &self.scope).messages(2, spans);
        let resource_spans = Message::default().bytes(1, &self.resource).message(2, scope_spans);
        Message::default().message(1, resource_spans).into_bytes()
    }

    /// `started_nanos`: what the wall said when the monotonic clock began.
    fn spans(&self, request: &Request, started_nanos: u64) -> Vec<Message> {
        let ids = Ids::random(&self.env, request.span_count());
        let begin = started_nanos + nanos(request.came);
        let mut at = begin;
        let mut spans: Vec<Message> = Vec::new();
        for (name, time) in request.parts() {
            let end = at + nanos(time);
            let span = ids.span(1 + spans.len(), name, KIND_INTERNAL, at, end);
            spans.push(span.bytes(4, ids.id(0)));
            at = end;
        }
        let whole = ids.span(0, request.api, KIND_SERVER, begin, at).messages(9, request.attributes());
        spans.push(match request.error {
            Some(_) => whole.message(15, Message::default().uint(3, STATUS_ERROR)),
            None => whole,
        });
        spans
    }
}

/// The ids of a trace and of its spans.
struct Ids(Vec<u8>);

const TRACE_ID_BYTES: usize = 16;
const SPAN_ID_BYTES: usize = 8;

impl Ids {
    fn random(env: &Env, spans: u64) -> Ids {
        let mut bytes = vec![0; TRACE_ID_BYTES + SPAN_ID_BYTES * spans as usize];
        env.random.fill(&mut bytes);
        Ids(bytes)
    }

    fn id(&self, span: usize) -> &[u8] {
        &self.0[TRACE_ID_BYTES + SPAN_ID_BYTES * span..][..SPAN_ID_BYTES]
    }

    /// A span without a parent or attributes.
    fn span(&self, span: usize, name: &str, kind: u64, begin: u64, end: u64) -> Message {
        let ids = Message::default().bytes(1, &self.0[..TRACE_ID_BYTES]).bytes(2, self.id(span));
        ids.text(5, name).uint(6, kind).fixed64(7, begin).fixed64(8, end).fixed32(16, SAMPLED)
    }
}

fn text(key: &str, value: &str) -> Message {
    Message::default().text(1, key).message(2, Message::default().text(1, value))
}

fn int(key: &str, value: i64) -> Message {
    Message::default().text(1, key).message(2, Message::default().int(3, value))
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(CHARS_MAX).map_or(text, |(at, _)| &text[..at])
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::{BATCH_MAX, Client};
    use super::*;
    use crate::metrics::{Parts, WaitsFor};
    use crate::protobuf::{Value, find};

    fn request() -> Request {
        let ms = Duration::from_millis;
        Request {
            api: "Fetch",
            version: 18,
            came: ms(5),
            parts: Parts { queue: ms(1), local: ms(2), wait: Some(ms(300)), send: ms(4) },
            waits_for: WaitsFor::Others,
            request_bytes: 100,
            response_bytes: Some(200),
            error: None,
            client: Client {
                address: ([127, 0, 0, 1], 4711).into(),
                id: "ä".repeat(1000).into(),
                software: Some(("x".repeat(1000), "1".repeat(1000))),
            },
        }
    }

    fn bytes(message: &[u8], field: u64) -> &[u8] {
        match find(message, field) {
            Some(Value::Bytes(bytes)) => bytes,
            other => panic!("field {field} is {other:?}"),
        }
    }

    #[test]
    fn what_is_counted_is_made() {
        let (env, ..) = Env::simulated(1);
        let encoder = Encoder::new(env, Service { cluster_id: "c", node_id: 0 });
        let waited = request();
        let at_once = Request { parts: Parts { wait: None, ..waited.parts }, ..request() };
        let silent = Request { response_bytes: None, ..at_once.clone() };
        for (request, spans) in [(waited, 5), (at_once, 4), (silent, 3)] {
            assert_eq!(request.span_count(), spans);
            assert_eq!(encoder.spans(&request, 0).len() as u64, spans);
        }
    }

    /// The last span of a batch is the whole of its last request.
    #[test]
    fn the_whole_ends_where_its_last_part_does() {
        let (env, _, clock) = Env::simulated(1);
        clock.advance(Duration::from_millis(1000));
        let now_nanos = env.clock.now_ms() as u64 * 1_000_000;
        let encoder = Encoder::new(env, Service { cluster_id: "c", node_id: 0 });
        let body = encoder.encode(&[Request { error: Some("UNKNOWN_TOPIC_OR_PARTITION"), ..request() }]);
        let span = bytes(bytes(bytes(&body, 1), 2), 2);
        assert_eq!(bytes(span, 5), b"Fetch");
        assert_eq!(find(span, 4), None, "it has no parent");
        assert_eq!(find(span, 7), Some(Value::Number(now_nanos - 995_000_000)));
        assert_eq!(find(span, 8), Some(Value::Number(now_nanos - 688_000_000)));
        assert_eq!(find(bytes(span, 15), 3), Some(Value::Number(STATUS_ERROR)));
    }

    #[test]
    fn a_batch_of_the_longest_texts_is_taken_by_receivers() {
        let (env, ..) = Env::simulated(1);
        let encoder = Encoder::new(env, Service { cluster_id: "c", node_id: 0 });
        let body = encoder.encode(&vec![request(); BATCH_MAX]);
        assert!(body.len() < 2 << 20, "{}", body.len());
    }
}
