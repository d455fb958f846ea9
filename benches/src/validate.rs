//! The validation bench: what it costs to check a producer's batch by codec, and to write it anew in another.
//!
//! Invariants: one thread, counted by its own CPU time, so that neighbours do not show; megabytes are of plain records,
//! whatever the codec makes of them; each figure is the median of several spans, the first thrown away. The records are
//! made up, alike in every run, and compress about as JSON does.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use clap::Args;
use serde_json::{Value, json};
use storage::codec::compress;
use storage::{BatchBuilder, BatchHeader, Codec, Encoding, RecordValidation, Rules, TimestampType, check};

use crate::cpu::thread_cpu;
use crate::stats::median;

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
/// Plain bytes of a batch: a producer's default, and the largest by default.
const SIZES: [(&str, usize); 2] = [("16 KiB", 16 << 10), ("1 MiB", 1 << 20)];
const NOW_MS: i64 = 1_700_000_000_000;
const HEADER_BYTES: usize = 61;
const OVERHEAD_BYTES: usize = 12;
const CRC_FROM: usize = 21;

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// Short spans, good for a first look
    #[arg(long)]
    quick: bool,
    /// Write all figures to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

struct Effort {
    span: Duration,
    spans: usize,
}

/// One line of the table, in MB/s of plain records.
struct Figures {
    codec: Codec,
    size: &'static str,
    ratio: f64,
    check: f64,
    /// From plain to the codec; for plain itself, from zstd.
    anew: f64,
}

pub(crate) fn run(args: &ValidateArgs) -> Result<()> {
    let effort = if args.quick {
        Effort { span: Duration::from_millis(100), spans: 3 }
    } else {
        Effort { span: Duration::from_secs(1), spans: 7 }
    };
    println!("MB of plain records per second of one thread's CPU\n");
    println!("{:<8} {:<8} {:>7} {:>12} {:>12}", "codec", "batch", "ratio", "check", "anew");
    let mut all = Vec::new();
    for (codec, (size, bytes)) in CODECS.iter().flat_map(|codec| SIZES.map(|size| (*codec, size))) {
        let figures = measure(codec, size, bytes, &effort)?;
        let Figures { ratio, check, anew, .. } = figures;
        println!("{:<8} {size:<8} {ratio:>7.2} {check:>12.0} {anew:>12.0}", name(codec));
        all.push(figures);
    }
    let Some(path) = &args.json else { return Ok(()) };
    let rows: Vec<Value> = all.iter().map(row_json).collect();
    let document =
        json!({ "format": 1, "quick": args.quick, "machine": crate::machine_json()?, "rows": rows });
    crate::write_document(path, &document)
}

fn row_json(row: &Figures) -> Value {
    json!({
        "codec": name(row.codec),
        "batch": row.size,
        "ratio": row.ratio,
        "check_mb_per_cpu_second": row.check,
        "anew_mb_per_cpu_second": row.anew,
    })
}

fn name(codec: Codec) -> String {
    format!("{codec:?}").to_lowercase()
}

fn measure(codec: Codec, size: &'static str, bytes: usize, effort: &Effort) -> Result<Figures> {
    let plain = plain_batch(bytes)?;
    let sent = packed(&plain, codec)?;
    let from = packed(&plain, if codec == Codec::None { Codec::Zstd } else { Codec::None })?;
    let speed = |batch: &Bytes, rules: &Rules| speed(effort, plain.len(), batch, rules);
    Ok(Figures {
        codec,
        size,
        ratio: plain.len() as f64 / sent.len() as f64,
        check: speed(&sent, &rules(None))?,
        anew: speed(&from, &rules(Some(Encoding::of(codec))))?,
    })
}

fn speed(effort: &Effort, plain_bytes: usize, batch: &Bytes, rules: &Rules) -> Result<f64> {
    let mut samples = Vec::new();
    for _ in 0..=effort.spans {
        let begun = thread_cpu();
        let mut batches = 0u64;
        let mut spent = Duration::ZERO;
        while spent < effort.span {
            check(batch.clone(), rules)?;
            batches += 1;
            spent = thread_cpu() - begun;
        }
        samples.push((batches * plain_bytes as u64) as f64 / spent.as_secs_f64() / 1e6);
    }
    samples.remove(0);
    median(samples).context("no span was measured")
}

fn rules(compression: Option<Encoding>) -> Rules {
    Rules {
        message_bytes_max: 16 << 20,
        segment_bytes: 1 << 30,
        timestamp_type: TimestampType::CreateTime,
        before_max_ms: i64::MAX,
        after_max_ms: 3_600_000,
        now_ms: NOW_MS,
        compacted: false,
        walk: RecordValidation::Full,
        compression,
        zstd_allowed: true,
    }
}

/// Records of about 300 bytes, as an application might write them.
fn plain_batch(bytes: usize) -> Result<Bytes> {
    const CITIES: [&str; 6] = ["Lisboa", "Wrocław", "Oulu", "Graz", "Bergen", "Nantes"];
    const STATES: [&str; 4] = ["created", "paid", "shipped", "returned"];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let (mut batch, mut taken, mut number) = (BatchBuilder::new(NOW_MS), HEADER_BYTES, 0i64);
    while taken < bytes {
        let (id, customer, amount) = (random(), random() % 100_000, random() % 1_000_000);
        let mut value = format!("{{\"order\":\"{id:016x}\",\"customer\":{customer},\"amount\":{amount},");
        let (city, order_state) = (CITIES[random() as usize % 6], STATES[random() as usize % 4]);
        write!(value, "\"city\":\"{city}\",\"state\":\"{order_state}\",\"items\":[")?;
        for _ in 0..5 {
            write!(value, "{{\"sku\":\"SKU-{:05}\",\"count\":{}}},", random() % 5000, random() % 9)?;
        }
        value.push_str("]}");
        let key = format!("customer-{customer}");
        taken += value.len() + key.len() + 12;
        batch = batch.push_at(NOW_MS - 1000 + number, Some(key.as_bytes()), Some(value.as_bytes()), &[]);
        number += 1;
    }
    Ok(batch.build())
}

/// The batch as a producer with this codec sends it.
fn packed(plain: &Bytes, codec: Codec) -> Result<Bytes> {
    let mut header = BatchHeader::parse(plain)?;
    let records = compress(Encoding::of(codec), &plain[HEADER_BYTES..]);
    header.attributes |= i16::from(codec.id());
    header.length = i32::try_from(HEADER_BYTES - OVERHEAD_BYTES + records.len())?;
    header.crc = crc32c::crc32c_append(crc32c::crc32c(&header.encode()[CRC_FROM..]), &records);
    Ok([&header.encode()[..], &records].concat().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_gives_figures() {
        let effort = Effort { span: Duration::from_millis(1), spans: 1 };
        for codec in CODECS {
            let figures = measure(codec, "small", 4 << 10, &effort).unwrap();
            assert!(figures.check > 0.0 && figures.anew > 0.0, "{codec:?}");
            assert!(codec == Codec::None || figures.ratio > 1.2, "{codec:?}: {}", figures.ratio);
        }
    }
}
