//! A consumer that reads what has long left the page cache, beside a producer that sends at its own rate.

use std::fs::{self, File};
use std::path::Path;
use std::thread;

use anyhow::{Context, Result};
use rustix::fs::Advice;

use super::{Course, Figure, at_most, plain};
use crate::client::Client;
use crate::compare::settle_disk;
use crate::load::{Until, fetch, open_loop};
use crate::stats::ratio;

pub(super) const FIGURES: &[Figure] = &[
    plain("alone_p99_ms", "p99 ms alone"),
    plain("beside_p99_ms", "p99 ms beside"),
    at_most("p99_ratio", "x p99", 1.5),
    plain("read_megabytes_per_second", "MB/s read"),
];

const COLD: &str = "cold";
const LIVE: &str = "live";
const AGAIN: &str = "live-again";
const PER_SECOND: u32 = 1_000;
const RECORD_BYTES: usize = 100;
const FETCH_BYTES: i32 = 1 << 20;

pub(super) fn measure(course: &Course<'_>) -> Result<Vec<f64>> {
    let mut runner = course.start()?;
    let address = runner.launch.address;
    let mut client = Client::ready(address, || runner.process.check_alive())?;
    client.create_topic(COLD, course.bench.connections, &[])?;
    course.bench.fill(address, COLD)?;
    for topic in [LIVE, AGAIN] {
        client.create_topic(topic, 1, &[])?;
    }
    settle_disk(course.dir.path())?;
    let live = |topic| {
        let span = course.effort().span;
        let plan =
            open_loop::Plan { topic, acks: 1, record_bytes: RECORD_BYTES, per_second: PER_SECOND, span };
        open_loop::run(address, &plan)
    };
    let alone = live(LIVE)?.quantile_ms(0.99)?;
    drop_from_cache(course.dir.path())?;
    let (read, beside) = thread::scope(|scope| {
        let reading = scope.spawn(|| {
            // From the beginning again when it is at the end; but by then the cache has it.
            let until = Until::Elapsed(course.effort().span);
            let plan = fetch::Plan { topic: COLD, connections: 1, bytes_max: FETCH_BYTES, until };
            fetch::run(address, &plan)
        });
        let beside = live(AGAIN);
        (reading.join().expect("a reading thread does not panic"), beside)
    });
    let (read, beside) = (read?, beside?.quantile_ms(0.99)?);
    let rate = read.bytes as f64 / 1e6 / read.elapsed.as_secs_f64();
    Ok(vec![alone, beside, ratio(beside, alone).context("no time at all")?, rate])
}

/// Drops all files below a directory from the page cache; what is not on the disk yet stays.
fn drop_from_cache(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            drop_from_cache(&entry.path())?;
        } else {
            let file = File::open(entry.path())?;
            rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)
                .context("dropping a file from the cache")?;
        }
    }
    Ok(())
}
