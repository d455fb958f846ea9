//! The rows themselves.

use std::time::Duration;

use super::{Batches, Bound, Goal, Row, Setup, Work};
use crate::limits::LimitKind;
use crate::load::java::Tool;
use crate::stats::Metric;
use crate::wire::batch::Codec;

const SATURATION: &[Metric] = &[
    Metric::MegabytesPerSecond,
    Metric::RequestsPerSecond,
    Metric::CpuSecondsPerGb,
    Metric::CpuMicrosPerRequest,
    Metric::PeakMegabytes,
    Metric::GeneratorCpuSecondsPerGb,
];
const JAVA_VOLUME: &[Metric] = &[
    Metric::MegabytesPerSecond,
    Metric::CpuSecondsPerGb,
    Metric::PeakMegabytes,
    Metric::GeneratorCpuSecondsPerGb,
];
const SMALL_REQUESTS: &[Metric] = &[
    Metric::RequestsPerSecond,
    Metric::CpuMicrosPerRequest,
    Metric::PeakMegabytes,
    Metric::GeneratorCpuMicrosPerRequest,
];
const LATENCY: &[Metric] = &[
    Metric::AverageMs,
    Metric::P50Ms,
    Metric::P99Ms,
    Metric::P999Ms,
    Metric::CpuMicrosPerRequest,
    Metric::PeakMegabytes,
    Metric::GeneratorCpuMicrosPerRequest,
];

/// How many requests there are is given by the members, and shows that all of them came.
const BY_THE_CLOCK: &[Metric] = &[
    Metric::RequestsPerSecond,
    Metric::AverageMs,
    Metric::P50Ms,
    Metric::P99Ms,
    Metric::P999Ms,
    Metric::CpuMicrosPerRequest,
    Metric::PeakMegabytes,
    Metric::GeneratorCpuMicrosPerRequest,
];

pub(super) const fn at_least(factor: f64, metric: Metric) -> Goal {
    Goal { metric, bound: Bound::AtLeast(factor) }
}

pub(super) const fn at_most(factor: f64, metric: Metric) -> Goal {
    Goal { metric, bound: Bound::AtMost(factor) }
}

const PRODUCE_GOALS: &[Goal] =
    &[at_least(4.0, Metric::MegabytesPerSecond), at_most(0.2, Metric::CpuSecondsPerGb)];
const PRODUCE_LIMITS: &[LimitKind] = &[LimitKind::Loopback, LimitKind::PageCache, LimitKind::Flush];
const RATE_AND_CPU: &[Metric] = &[Metric::MegabytesPerSecond, Metric::CpuSecondsPerGb];

/// What it takes that every reply is flushed: Kafka flushes behind each append, as one of `durability=durable` does.
const FLUSHED: Setup =
    Setup { connections: Some(64), topic: &[("flush.messages", "1")], is_durable: true, ..Setup::PLAIN };

/// All rows, in the order in which they run.
pub(crate) const ROWS: &[Row] = &[
    Row {
        number: 1,
        id: "1",
        title: "produce 100 B records in 16 KiB batches, acks=1",
        work: Work::Volume { batches: Batches::plain(100), acks: 1 },
        setup: Setup::PLAIN,
        columns: SATURATION,
        ratios: RATE_AND_CPU,
        goals: PRODUCE_GOALS,
        limits: PRODUCE_LIMITS,
    },
    Row {
        number: 2,
        id: "2",
        title: "produce 100 B records in 16 KiB batches, acks=all",
        work: Work::Volume { batches: Batches::plain(100), acks: -1 },
        setup: Setup::PLAIN,
        columns: SATURATION,
        ratios: RATE_AND_CPU,
        goals: &[at_least(4.0, Metric::MegabytesPerSecond)],
        limits: PRODUCE_LIMITS,
    },
    Row {
        number: 3,
        id: "3",
        title: "produce 1 KiB records in 16 KiB batches, acks=1",
        work: Work::Volume { batches: Batches::plain(1024), acks: 1 },
        setup: Setup::PLAIN,
        columns: SATURATION,
        ratios: RATE_AND_CPU,
        goals: PRODUCE_GOALS,
        limits: PRODUCE_LIMITS,
    },
    Row {
        number: 4,
        id: "4",
        title: "produce 1 KiB records in 1 MB batches, acks=1",
        work: Work::Volume { batches: Batches { batch_bytes: 1_000_000, ..Batches::plain(1024) }, acks: 1 },
        setup: Setup::PLAIN,
        columns: SATURATION,
        ratios: RATE_AND_CPU,
        goals: &[at_least(2.5, Metric::MegabytesPerSecond), at_most(0.35, Metric::CpuSecondsPerGb)],
        limits: PRODUCE_LIMITS,
    },
    Row {
        number: 5,
        id: "5-lz4",
        title: "produce 100 B records in 16 KiB lz4 batches, acks=1",
        work: Work::Volume { batches: Batches { codec: Codec::Lz4, ..Batches::plain(100) }, acks: 1 },
        setup: Setup::PLAIN,
        columns: SATURATION,
        ratios: RATE_AND_CPU,
        goals: &[at_least(2.0, Metric::MegabytesPerSecond)],
        limits: PRODUCE_LIMITS,
    },
    Row {
        number: 5,
        id: "5-zstd",
        title: "produce 100 B records in 16 KiB zstd batches, acks=1",
        work: Work::Volume { batches: Batches { codec: Codec::Zstd, ..Batches::plain(100) }, acks: 1 },
        setup: Setup::PLAIN,
        columns: SATURATION,
        ratios: RATE_AND_CPU,
        goals: &[at_least(4.0, Metric::MegabytesPerSecond)],
        limits: PRODUCE_LIMITS,
    },
    Row {
        number: 6,
        id: "6",
        title: "one 100 B record a request, 5 in flight, acks=1",
        work: Work::SingleRecords { record_bytes: 100, in_flight: 5 },
        setup: Setup::PLAIN,
        columns: SMALL_REQUESTS,
        ratios: &[Metric::RequestsPerSecond, Metric::CpuMicrosPerRequest],
        goals: &[at_least(3.0, Metric::RequestsPerSecond)],
        limits: &[LimitKind::Echo, LimitKind::Flush],
    },
    Row {
        number: 7,
        id: "7",
        title: "one 100 B record at a time, produced and fetched before the next",
        work: Work::RoundTrips { record_bytes: 100 },
        setup: Setup::PLAIN,
        columns: LATENCY,
        ratios: &[Metric::AverageMs, Metric::P99Ms, Metric::CpuMicrosPerRequest],
        goals: &[at_most(0.4, Metric::AverageMs), at_most(0.4, Metric::P99Ms)],
        limits: &[LimitKind::RoundTrip, LimitKind::Flush],
    },
    Row {
        number: 8,
        id: "8",
        title: "1,000 records of 100 B a second, from when each was due until it is fetched",
        work: Work::OpenLoop { record_bytes: 100, per_second: 1_000 },
        setup: Setup::PLAIN,
        columns: LATENCY,
        ratios: &[Metric::P50Ms, Metric::P99Ms, Metric::CpuMicrosPerRequest],
        goals: &[
            at_most(0.5, Metric::P50Ms),
            at_most(0.2, Metric::P99Ms),
            at_most(0.15, Metric::CpuMicrosPerRequest),
        ],
        limits: &[LimitKind::RoundTrip, LimitKind::Flush],
    },
    Row {
        number: 9,
        id: "9-batches",
        title: "every reply flushed, 64 connections: 1 KiB records in 16 KiB batches",
        work: Work::Volume { batches: Batches::plain(1024), acks: 1 },
        setup: FLUSHED,
        columns: SATURATION,
        ratios: RATE_AND_CPU,
        goals: &[at_least(8.0, Metric::MegabytesPerSecond)],
        limits: &[LimitKind::Flush],
    },
    Row {
        number: 9,
        id: "9-single",
        title: "every reply flushed, 64 connections: one 100 B record a request",
        work: Work::SingleRecords { record_bytes: 100, in_flight: 1 },
        setup: FLUSHED,
        columns: SMALL_REQUESTS,
        ratios: &[Metric::RequestsPerSecond, Metric::CpuMicrosPerRequest],
        goals: &[at_least(8.0, Metric::RequestsPerSecond)],
        limits: &[LimitKind::Flush],
    },
    Row {
        number: 9,
        id: "9-batches-2ms",
        title: "every reply flushed, 64 connections: 1 KiB records in 16 KiB batches, each flush 2 ms longer",
        work: Work::Volume { batches: Batches::plain(1024), acks: 1 },
        setup: Setup { flush_delay: Some(Duration::from_millis(2)), ..FLUSHED },
        columns: SATURATION,
        ratios: RATE_AND_CPU,
        goals: &[at_least(30.0, Metric::MegabytesPerSecond)],
        limits: &[LimitKind::Flush],
    },
    Row {
        number: 9,
        id: "9-single-2ms",
        title: "every reply flushed, 64 connections: one 100 B record a request, each flush 2 ms longer",
        work: Work::SingleRecords { record_bytes: 100, in_flight: 1 },
        setup: Setup { flush_delay: Some(Duration::from_millis(2)), ..FLUSHED },
        columns: SMALL_REQUESTS,
        ratios: &[Metric::RequestsPerSecond, Metric::CpuMicrosPerRequest],
        goals: &[at_least(30.0, Metric::RequestsPerSecond)],
        limits: &[LimitKind::Flush],
    },
    Row {
        number: 10,
        id: "10-1MiB",
        title: "fetch, 1 MiB at a time",
        work: Work::Fetch { bytes_max: 1 << 20 },
        setup: Setup::PLAIN,
        columns: SATURATION,
        ratios: RATE_AND_CPU,
        goals: &[at_least(1.0, Metric::MegabytesPerSecond), at_most(1.1, Metric::CpuSecondsPerGb)],
        limits: &[LimitKind::Sendfile],
    },
    Row {
        number: 10,
        id: "10-64KiB",
        title: "fetch, 64 KiB at a time",
        work: Work::Fetch { bytes_max: 64 << 10 },
        setup: Setup::PLAIN,
        columns: SATURATION,
        ratios: RATE_AND_CPU,
        goals: &[at_least(2.0, Metric::MegabytesPerSecond)],
        limits: &[LimitKind::Sendfile],
    },
    Row {
        number: 3,
        id: "3-java",
        title: "Kafka's producer-perf-test: 1 KiB records",
        work: Work::Java(Tool::Producer { record_bytes: 1_024 }),
        setup: Setup::PLAIN,
        columns: JAVA_VOLUME,
        ratios: RATE_AND_CPU,
        goals: &[],
        limits: &[],
    },
    Row {
        number: 7,
        id: "7-java",
        title: "Kafka's EndToEndLatency: one 100 B record at a time",
        work: Work::Java(Tool::EndToEnd { record_bytes: 100 }),
        setup: Setup::PLAIN,
        columns: &[
            Metric::AverageMs,
            Metric::CpuMicrosPerRequest,
            Metric::PeakMegabytes,
            Metric::GeneratorCpuMicrosPerRequest,
        ],
        ratios: &[Metric::AverageMs, Metric::CpuMicrosPerRequest],
        goals: &[],
        limits: &[LimitKind::RoundTrip],
    },
    Row {
        number: 10,
        id: "10-java",
        title: "Kafka's consumer-perf-test: 1 KiB records",
        work: Work::Java(Tool::Consumer { record_bytes: 1_024 }),
        setup: Setup::PLAIN,
        columns: JAVA_VOLUME,
        ratios: RATE_AND_CPU,
        goals: &[],
        limits: &[LimitKind::Sendfile],
    },
    Row {
        number: 18,
        id: "18-groups",
        title: "1,000 groups of 10 members: a heartbeat and a commit of each every 5 s",
        work: Work::Groups { groups: 1_000, members: 10 },
        setup: Setup::PLAIN,
        columns: BY_THE_CLOCK,
        ratios: &[Metric::P99Ms, Metric::CpuMicrosPerRequest, Metric::PeakMegabytes],
        goals: &[],
        limits: &[LimitKind::RoundTrip, LimitKind::Flush],
    },
];
