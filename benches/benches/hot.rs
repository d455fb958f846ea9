//! The hot pieces by themselves, each on one thread: the cutting of frames, the guard, decoding, the check of batches, an
//! append, the assembly of a Fetch reply, and what the metrics take of a request.
//!
//!     cargo bench -p benches

#![expect(clippy::disallowed_methods, reason = "a bench measures the real machine: its clocks and its files")]

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use protocol_compat::fetch_encode::{self, FetchPartitionReply, FetchReply, FetchTopicReply, Payload};
use protocol_compat::frame::{self, Split};
use protocol_compat::guard::{self, Limits};
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::{ApiKey, ProduceRequest, StrBytes, TopicName, decode_body, encode_body};
use server::metrics::{CountedApi, Metrics, NamedMax, Observed, Parts, WaitsFor};
use storage::{
    BatchBuilder, DataDir, DataDirOptions, Durability, Env, LeaderEpoch, LogConfig, LogId, Origin,
    RecordValidation, Rules, TimestampType, TopicId, check, check_internal,
};

const PRODUCE: i16 = ApiKey::Produce as i16;
const PRODUCE_VERSION: i16 = 9;
const FETCH_VERSION: i16 = 12;
const RECORD_BYTES: usize = 100;
const BATCH_BYTES: usize = 16_384;
const FRAME_BYTES_MAX: usize = 1 << 20;
const NOW_MS: i64 = 1_700_000_000_000;

criterion_group!(hot, frames, batches, appends, fetches, counting);
criterion_main!(hot);

/// Full of records of 100 B, as a producer sends it.
fn batch() -> Bytes {
    let records = BATCH_BYTES / (RECORD_BYTES + 8);
    let empty = BatchBuilder::new(NOW_MS);
    (0..records).fold(empty, |batch, _| batch.push(None, Some(&[b'x'; RECORD_BYTES]), &[])).build()
}

fn produce_body() -> Bytes {
    let partition = PartitionProduceData::default().with_records(Some(batch()));
    let name = TopicName(StrBytes::from_static_str("hot"));
    let topic = TopicProduceData::default().with_name(name).with_partition_data(vec![partition]);
    let request = ProduceRequest::default().with_acks(1).with_timeout_ms(30_000).with_topic_data(vec![topic]);
    let mut body = BytesMut::new();
    encode_body(&request, PRODUCE_VERSION, &mut body).expect("the request is sound");
    body.freeze()
}

fn frames(criterion: &mut Criterion) {
    let body = produce_body();
    let mut framed = BytesMut::new();
    framed.extend_from_slice(&(body.len() as u32).to_be_bytes());
    framed.extend_from_slice(&body);
    let mut group = criterion.benchmark_group("frame");
    group.bench_function("cut", |bench| {
        let cut = |mut buffer: BytesMut| match frame::split(&mut buffer, FRAME_BYTES_MAX) {
            Ok(Split::Frame(frame)) => frame,
            other => panic!("no frame: {other:?}"),
        };
        bench.iter_batched(|| framed.clone(), cut, BatchSize::SmallInput);
    });
    group.bench_function("guard of Produce", |bench| {
        bench.iter(|| guard::check_body(PRODUCE, PRODUCE_VERSION, black_box(&body), &Limits::default()));
    });
    group.bench_function("decoding of Produce", |bench| {
        bench.iter(|| decode_body::<ProduceRequest>(PRODUCE, PRODUCE_VERSION, black_box(&body)));
    });
    group.finish();
}

fn rules(walk: RecordValidation) -> Rules {
    Rules {
        message_bytes_max: FRAME_BYTES_MAX,
        segment_bytes: 1 << 30,
        timestamp_type: TimestampType::CreateTime,
        before_max_ms: i64::MAX,
        after_max_ms: i64::MAX,
        now_ms: NOW_MS,
        compacted: false,
        walk,
        compression: None,
        zstd_allowed: true,
    }
}

fn batches(criterion: &mut Criterion) {
    let batch = batch();
    let mut group = criterion.benchmark_group("batch");
    group.throughput(Throughput::Bytes(batch.len() as u64));
    for (name, walk) in
        [("full check", RecordValidation::Full), ("check of the header", RecordValidation::Header)]
    {
        let rules = rules(walk);
        group.bench_function(name, |bench| bench.iter(|| check(black_box(batch.clone()), &rules)));
    }
    group.finish();
}

fn appends(criterion: &mut Criterion) {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("hot-{}", std::process::id()));
    let options = DataDirOptions { checkpoint_interval: Duration::from_secs(3600), ..Default::default() };
    let dir = DataDir::open(Env::real(), place.clone(), options).expect("the directory opens");
    let config = LogConfig { durability: Durability::Relaxed, ..Default::default() };
    let id = LogId { topic: TopicId([7; 16]), partition: 0 };
    let log = dir.open_log(id, "hot-0", config, LeaderEpoch(0)).expect("the log opens");
    let batch = batch();
    let mut group = criterion.benchmark_group("log");
    group.throughput(Throughput::Bytes(batch.len() as u64));
    group.bench_function("relaxed append", |bench| {
        let checked = || check_internal(batch.clone()).expect("the batch is sound");
        bench.iter_batched(
            checked,
            |checked| log.append(checked, Origin::Client, None),
            BatchSize::SmallInput,
        );
    });
    group.finish();
    drop(log);
    dir.close();
    drop(dir);
    std::fs::remove_dir_all(place).expect("the directory is this bench's own");
}

/// Records in a file, of which a reply knows the length.
struct Range;

impl Payload for Range {
    fn len(&self) -> usize {
        BATCH_BYTES
    }
}

fn fetches(criterion: &mut Criterion) {
    let partition =
        |index| FetchPartitionReply { records: vec![Range], ..FetchPartitionReply::failed(index, 0) };
    let reply = || FetchReply {
        throttle_ms: 0,
        error: 0,
        session_id: 0,
        topics: vec![FetchTopicReply {
            name: StrBytes::from_static_str("hot"),
            id: Default::default(),
            partitions: (0..10).map(partition).collect(),
        }],
        endpoints: Vec::new(),
    };
    criterion.bench_function("fetch/reply of 10 partitions", |bench| {
        bench.iter_batched(
            reply,
            |reply| fetch_encode::encode(reply, FETCH_VERSION, 1),
            BatchSize::SmallInput,
        );
    });
}

fn counting(criterion: &mut Criterion) {
    let api = CountedApi { key: PRODUCE, name: "Produce", waits_for: WaitsFor::Durability };
    let metrics = Metrics::new(&[api], NamedMax::default());
    let elapsed = Duration::from_micros(70);
    criterion.bench_function("metrics/one request", |bench| {
        bench.iter(|| {
            let api = metrics.api(PRODUCE);
            api.arrived();
            metrics.logs.appended(1, 1, RECORD_BYTES);
            api.observe(Observed { request_bytes: 100, response_bytes: 100, elapsed, failed: false });
            api.sent(Parts { queue: elapsed, local: elapsed, wait: Some(elapsed), send: elapsed });
        });
    });
}
