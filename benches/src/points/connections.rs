//! What connections cost that say nothing, to the broker's memory and to one that says something.

use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result};

use super::{Course, Figure, at_most, plain};
use crate::client::Client;
use crate::cpu;
use crate::load::{Until, produce_timed};
use crate::stats::ratio;

pub(super) const FIGURES: &[Figure] = &[
    at_most("connection_kib", "KiB each", 20.0),
    plain("alone_p99_ms", "p99 ms alone"),
    plain("beside_p99_ms", "p99 ms beside them"),
    at_most("p99_ratio", "x p99", 1.5),
];

const TOPIC: &str = "connections";
const RECORD_BYTES: usize = 100;

pub(super) fn measure(course: &Course<'_>, connections: usize) -> Result<Vec<f64>> {
    let mut runner = course.start()?;
    let (pid, address) = (runner.process.pid(), runner.launch.address);
    Client::ready(address, || runner.process.check_alive())?.create_topic(TOPIC, 1, &[])?;
    let records = || {
        let until = Until::Elapsed(course.effort().span);
        produce_timed::run(address, &produce_timed::Plan { topic: TOPIC, record_bytes: RECORD_BYTES, until })
    };
    // The first of them warms up what the others find.
    records()?;
    let alone = records()?.quantile_ms(0.99)?;
    let before = cpu::resident_bytes(pid)?;
    let silent = silent(address, connections)?;
    let grown = cpu::resident_bytes(pid)?.saturating_sub(before) as f64;
    let beside = records()?.quantile_ms(0.99)?;
    drop(silent);
    let kib_each = grown / 1024.0 / connections as f64;
    Ok(vec![kib_each, alone, beside, ratio(beside, alone).context("no time at all")?])
}

/// So many connections that have said who they are, and nothing since.
pub(super) fn silent(address: SocketAddr, connections: usize) -> Result<Vec<TcpStream>> {
    let connect = |_| {
        let mut client = Client::connect(address)?;
        client.check_versions()?;
        Ok(client.into_stream())
    };
    (0..connections).map(connect).collect()
}
