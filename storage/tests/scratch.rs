#![allow(clippy::all)]
use bytes::Bytes;
use std::path::PathBuf;
use storage::*;
#[test]
fn scratch() {
    let p = PathBuf::from("/tmp/scratch-dump");
    let _ = Env::real().files.remove_dir_all(&p);
    for clean in [false, true] {
        let d = DataDir::open(Env::real(), p.clone(), DataDirOptions::default()).unwrap();
        let cfg = LogConfig {
            segment_bytes: 50_000,
            index_interval_bytes: 1000,
            segment_index_bytes: 1 << 20,
            durability: Durability::Durable,
        };
        let name = if clean { "t-0" } else { "u-0" };
        let l = d
            .open_log(
                LogId { topic: TopicId([if clean { 9 } else { 8 }; 16]), partition: 0 },
                name,
                cfg,
                LeaderEpoch(3),
            )
            .unwrap();
        for i in 0..600i64 {
            let mut b = BatchBuilder::new(1700000000000 + i * 10 - if i % 7 == 0 { 500 } else { 0 });
            for j in 0..(1 + i % 5) {
                b = b.push_at(
                    1700000000000 + i * 10 + j,
                    Some(b"k"),
                    Some(format!("value {i} {j} {}", "x".repeat((i % 90) as usize)).as_bytes()),
                    &[("h", Some(b"v"))],
                );
            }
            l.append(check_internal(b.build()).unwrap(), Origin::Client, None).wait().unwrap();
        }
        if clean {
            d.close();
        }
    }
    let t = std::time::Instant::now();
    // throughput
    let d = DataDir::open(Env::real(), p.join("perf"), DataDirOptions::default()).unwrap();
    let l = d
        .open_log(
            LogId { topic: TopicId([7; 16]), partition: 0 },
            "p-0",
            LogConfig { durability: Durability::Relaxed, ..Default::default() },
            LeaderEpoch(3),
        )
        .unwrap();
    let mut b = BatchBuilder::new(1);
    for _ in 0..145 {
        b = b.push(None, Some(&[1u8; 100]), &[]);
    }
    let batch: Bytes = b.build();
    let rules = Rules {
        message_bytes_max: 1 << 20,
        segment_bytes: 1 << 30,
        timestamp_type: TimestampType::CreateTime,
        before_max_ms: i64::MAX,
        after_max_ms: i64::MAX,
        now_ms: 5,
        compacted: false,
        walk: RecordValidation::Full,
        zstd_allowed: true,
    };
    let n = 60_000;
    let c0 = std::time::Instant::now();
    for _ in 0..n {
        check(batch.clone(), &rules).unwrap();
    }
    println!("check {:?}/batch of {} B", c0.elapsed() / n, batch.len());
    let c0 = std::time::Instant::now();
    for _ in 0..n {
        l.append(check(batch.clone(), &rules).unwrap(), Origin::Client, None).wait().unwrap();
    }
    println!("append {:?}", c0.elapsed() / n);
    let end = l.end_offset().0;
    let c0 = std::time::Instant::now();
    for i in 0..100_000i64 {
        l.read(Offset((i * 7919) % end), 1 << 20, true, Bound::HighWatermark).unwrap();
    }
    println!("read plan random {:?}", c0.elapsed() / 100_000);
    let c0 = std::time::Instant::now();
    for i in 0..100_000i64 {
        l.read(Offset(end - 1), 1 << 20, true, Bound::HighWatermark).unwrap();
    }
    println!("read plan tail {:?}", c0.elapsed() / 100_000);
    drop(l);
    drop(d);
    let c0 = std::time::Instant::now();
    let d = DataDir::open(Env::real(), p.join("perf"), DataDirOptions::default()).unwrap();
    let l = d
        .open_log(
            LogId { topic: TopicId([7; 16]), partition: 0 },
            "p-0",
            LogConfig { durability: Durability::Relaxed, ..Default::default() },
            LeaderEpoch(3),
        )
        .unwrap();
    println!("recovery of {} MB without checkpoint {:?}", l.size_bytes() >> 20, c0.elapsed());
    d.close();
    drop(l);
    drop(d);
    let c0 = std::time::Instant::now();
    let d = DataDir::open(Env::real(), p.join("perf"), DataDirOptions::default()).unwrap();
    let l = d
        .open_log(
            LogId { topic: TopicId([7; 16]), partition: 0 },
            "p-0",
            LogConfig { durability: Durability::Durable, ..Default::default() },
            LeaderEpoch(3),
        )
        .unwrap();
    println!("clean {:?}", c0.elapsed());
    let c0 = std::time::Instant::now();
    for _ in 0..2000 {
        l.append(check(batch.clone(), &rules).unwrap(), Origin::Client, None).wait().unwrap();
    }
    println!("durable one at a time {:?}", c0.elapsed() / 2000);
    let c0 = std::time::Instant::now();
    let mut last = None;
    for _ in 0..20000 {
        last = Some(l.append(check(batch.clone(), &rules).unwrap(), Origin::Client, None));
    }
    last.unwrap().wait().unwrap();
    println!("durable pipelined {:?}", c0.elapsed() / 20000);
    println!("total {:?}", t.elapsed());
}
