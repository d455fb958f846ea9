//! A good client among hostile ones: frames that claim to be huge, counts that lie, replies that nobody reads.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Course, Figure, at_most};
use crate::client::Client;
use crate::cpu;
use crate::load::{SILENCE_MAX, Silence, Until, connect, produce_timed};
use crate::wire::batch::Noise;
use crate::wire::request;

pub(super) const FIGURES: &[Figure] =
    &[at_most("worst_ms", "worst wait ms", 100.0), at_most("peak_megabytes", "peak MB", 256.0)];

const TOPIC: &str = "besieged";
const RECORD_BYTES: usize = 100;
/// Two are enough to keep two processors busy and leave the good client its turn.
const ATTACKERS: u64 = 2;
/// Connections that an attacker holds at once before it lets them go.
const HELD: usize = 100;
/// Frames of this size are within what brokers take.
const LARGE_FRAME: i32 = 100 << 20;
const UNREAD_REQUESTS: usize = 2_000;

pub(super) fn measure(course: &Course<'_>) -> Result<Vec<f64>> {
    let mut runner = course.start()?;
    let (pid, address) = (runner.process.pid(), runner.launch.address);
    Client::ready(address, || runner.process.check_alive())?.create_topic(TOPIC, 1, &[])?;
    cpu::forget_peak_memory(pid)?;
    let is_over = AtomicBool::new(false);
    let served = thread::scope(|scope| {
        for attacker in 0..ATTACKERS {
            let is_over = &is_over;
            scope.spawn(move || attack(address, attacker, is_over));
        }
        let until = Until::Elapsed(course.effort().span * 2);
        let plan = produce_timed::Plan { topic: TOPIC, record_bytes: RECORD_BYTES, until };
        let served = produce_timed::run(address, &plan);
        is_over.store(true, Ordering::Relaxed);
        served
    });
    runner.process.check_alive()?;
    let worst_ms = match served {
        Ok(served) => served.latency_ns.context("a run that times nothing")?.max() as f64 / 1e6,
        // A broker that leaves its good client without an answer has failed at this row, not the row at the broker.
        Err(error) if error.is::<Silence>() => SILENCE_MAX.as_secs_f64() * 1e3,
        Err(error) => return Err(error),
    };
    Ok(vec![worst_ms, cpu::peak_memory_bytes(pid)? as f64 / 1e6])
}

/// The same attacks in the same order for every broker. What becomes of one of them is the broker's business.
fn attack(address: SocketAddr, seed: u64, is_over: &AtomicBool) {
    let mut noise = Noise::new(seed);
    while !is_over.load(Ordering::Relaxed) {
        let mut held = Vec::new();
        while held.len() < HELD && !is_over.load(Ordering::Relaxed) {
            let Ok(mut stream) = connect(address) else { break };
            let kind = noise.next() % 5;
            // A broker that closes the connection in the middle of it has done well.
            let _ = strike(&mut stream, kind, &mut noise);
            held.push(stream);
        }
        thread::sleep(Duration::from_millis(10));
        held.iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }
}

fn strike(stream: &mut TcpStream, kind: u64, noise: &mut Noise) -> std::io::Result<()> {
    stream.set_write_timeout(Some(Duration::from_millis(200)))?;
    match kind {
        // A frame that never comes.
        0 => {
            stream.write_all(&LARGE_FRAME.to_be_bytes())?;
            stream.write_all(&noise.bytes(64 << 10))
        }
        // A length that no frame may have.
        1 => stream.write_all(&i32::MAX.to_be_bytes()),
        // A request with bytes that are none of it, its header sound: Produce, Fetch, Metadata …
        2 => {
            let mut frame = request::metadata(1, Some(TOPIC));
            let body = noise.bytes(400);
            frame.extend_from_slice(&body);
            frame[5] = (noise.next() % 20) as u8;
            let len = (frame.len() - 4) as i32;
            frame[..4].copy_from_slice(&len.to_be_bytes());
            stream.write_all(&frame)
        }
        // A count of two thousand million, where topics are to follow.
        3 => {
            let mut frame = request::metadata(1, None);
            let count_at = frame.len() - 5;
            frame.splice(count_at..count_at + 1, [0xff, 0xff, 0xff, 0xff, 0x07]);
            let len = (frame.len() - 4) as i32;
            frame[..4].copy_from_slice(&len.to_be_bytes());
            stream.write_all(&frame)
        }
        // Many requests, and nobody reads the replies.
        _ => {
            let frame = request::metadata(1, Some(TOPIC));
            (0..UNREAD_REQUESTS).try_for_each(|_| stream.write_all(&frame))
        }
    }
}
