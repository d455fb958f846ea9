//! Faults that the machine itself makes: a file system that is full or read-only, no file descriptors, slow flushes.
//!
//! Each is a test by name against the real binary. One that this machine cannot make is listed as `NOT RUN` with the
//! reason; with `OTTLA_REQUIRE_ALL=1` it fails.
#![expect(clippy::disallowed_methods, reason = "a process on the real machine, in real time")]

mod machine;
#[path = "../kill/process.rs"]
mod process;
#[path = "../kill/requests.rs"]
mod requests;
mod talk;

use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use storage::BatchHeader;

use machine::{Mount, Need};
use process::{Client, Home, PATIENCE, Process, Spec, budget, long_effort};
use talk::{batch, delete, fetch, produce};

const STORAGE_ERROR: i16 = 56;

fn main() {
    let faults = [
        trial("full_disk", Need::Mounts, full_disk),
        trial("read_only_at_start", Need::Mounts, read_only_at_start),
        trial("few_descriptors", Need::Prlimit, few_descriptors),
        trial("fewer_descriptors_than_logs", Need::Prlimit, fewer_descriptors_than_logs),
        trial("slow_flushes", Need::Strace, slow_flushes),
    ];
    libtest_mimic::run(&Arguments::from_args(), faults.into()).exit();
}

fn trial(name: &str, need: Need, play: fn()) -> Trial {
    let name = format!("faults::{name}");
    let Some(missing) = need.missing() else {
        return Trial::test(name, move || {
            let begun = Instant::now();
            play();
            assert!(long_effort() || begun.elapsed() < budget("faults::*"), "its time is used up");
            Ok(())
        });
    };
    let complaint = format!("NOT RUN: needs {missing}");
    let is_required = std::env::var_os("OTTLA_REQUIRE_ALL").is_some_and(|set| !set.is_empty());
    let trial = Trial::test(name, {
        let complaint = complaint.clone();
        move || Err(complaint.into())
    });
    trial.with_kind(complaint).with_ignored_flag(!is_required)
}

/// From the reserve on producers get 56 and readers go on; a deleted topic makes room, and producing resumes.
fn full_disk() {
    let home = Home::new("full");
    let mount = Mount::new("full", 128 << 20);
    let mut spec = Spec::new(&home, &["log.dir.min.free.bytes=33554432", "journal.bytes.max=33554432"]);
    spec.data = mount.path().join("data");
    let mut process = Process::start(&spec);
    let mut client = process.client();
    client.create("kept", 1, ("durability", "durable"));
    client.create("filler", 1, ("durability", "durable"));
    assert_eq!(produce(&mut client, "kept", 0, b"before"), (0, 0));
    let filled = fill(&mut client);
    assert!(filled > 20, "{filled} records fitted");
    let left = rustix::fs::statvfs(&spec.data).map(|fs| fs.f_bavail * fs.f_frsize).unwrap();
    assert!((1 << 20..32 << 20).contains(&left), "the reserve is kept: {left} bytes are left");
    assert_eq!(produce(&mut client, "kept", 0, b"x").0, STORAGE_ERROR, "every topic is refused");
    let (error, bytes) = fetch(&mut client, "kept", 0);
    assert_eq!((error, &bytes[16..]), (0, &batch(b"before")[16..]), "reads go on");
    assert_eq!(fetch(&mut client, "filler", filled - 1).0, 0);
    delete(&mut client, "filler");
    let begun = Instant::now();
    while produce(&mut client, "kept", 0, b"after").0 != 0 {
        assert!(begun.elapsed() < Duration::from_secs(5), "producing does not resume");
        std::thread::sleep(Duration::from_millis(50));
    }
    let (status, _) = process.terminate();
    assert!(status.success(), "{status}");
    drop(process);
    let process = Process::start(&spec);
    let (_, bytes) = fetch(&mut process.client(), "kept", 1);
    assert_eq!(bytes[16..], batch(b"after")[16..], "no refused record is in between");
}

/// Produces until it is refused; returns how many records were taken.
fn fill(client: &mut Client) -> i64 {
    let value = vec![b'x'; 900_000];
    let begun = Instant::now();
    for taken in 0.. {
        match produce(client, "filler", 0, &value) {
            (0, offset) => assert_eq!(offset, taken),
            (error, _) => {
                assert_eq!(error, STORAGE_ERROR);
                return taken;
            }
        }
        assert!(begun.elapsed() < PATIENCE, "the disk does not fill");
        // The room is looked at four times a second: not so fast that the reserve is used up in between.
        std::thread::sleep(Duration::from_millis(10));
    }
    unreachable!("the disk is finite")
}

/// Nothing can be written from the start: the process says so and ends.
fn read_only_at_start() {
    let home = Home::new("read-only");
    let mount = Mount::new("read-only", 4 << 20);
    mount.make_read_only();
    let mut spec = Spec::new(&home, &[]);
    spec.data = mount.path().join("data");
    let status = Process::spawn(&spec).wait();
    let said = std::fs::read_to_string(&spec.log).unwrap();
    assert!(status.code().is_some_and(|code| code != 0), "{status}");
    assert!(said.contains("Read-only file system"), "{said}");
    assert!(said.contains(spec.data.to_str().unwrap()), "it says where: {said}");
    assert!(!said.contains("panicked"), "{said}");
}

/// More connections than descriptors: who was accepted is served on, and the process stays.
fn few_descriptors() {
    let home = Home::new("descriptors");
    let mut spec = Spec::new(&home, &[]);
    spec.through = &["prlimit", "--nofile=96", "--"];
    let mut process = Process::start(&spec);
    let mut clients: Vec<Client> = (0..5).map(|_| process.client()).collect();
    clients[0].create("early", 1, ("durability", "durable"));
    for (n, client) in (0..).zip(&mut clients) {
        assert_eq!(produce(client, "early", 0, b"first"), (0, n));
    }
    // The kernel connects them all; the broker turns away what would take the descriptors that its logs need.
    let flood: Vec<_> = (0..100).map(|_| Client::connect(process.port).unwrap()).collect();
    for (n, client) in (5..).zip(&mut clients) {
        assert_eq!(produce(client, "early", 0, b"second"), (0, n), "a client that was in is served");
        assert_eq!(fetch(client, "early", n).0, 0);
    }
    drop(flood);
    let said = std::fs::read_to_string(&spec.log).unwrap();
    assert!(said.contains("`ulimit -n` leaves"), "the flood met the limit: {said}");
    let (status, _) = process.terminate();
    assert!(status.success(), "{status}");
}

/// More logs than descriptors: those that are open go on, through checkpoints too, the others get 56, and are taken as
/// soon as descriptors come free.
fn fewer_descriptors_than_logs() {
    const LOGS: i32 = 400;
    let home = Home::new("logs");
    let mut spec = Spec::new(&home, &["journal.bytes.max=33554432"]);
    spec.through = &["prlimit", "--nofile=256", "--"];
    let mut process = Process::start(&spec);
    let mut client = process.client();
    client.create("many", LOGS, ("durability", "durable"));
    client.create("late", 1, ("durability", "durable"));
    let open = fill_descriptors(&mut client, LOGS);
    assert_eq!(produce(&mut client, "late", 0, b"x").0, STORAGE_ERROR);
    // Enough for the journal to grow and to be used again, for which files have to be opened.
    let value = vec![b'x'; 900_000];
    let (_, end) = produce(&mut client, "many", 0, b"again");
    for n in 1..40 {
        assert_eq!(produce(&mut client, "many", 0, &value), (0, end + n), "an open log goes on");
    }
    // A checkpoint may have closed some; when none is left again, it is all the same.
    let more = fill_descriptors(&mut client, LOGS);
    println!("{open} logs of {LOGS} fitted, {more} behind a checkpoint");
    let (_, end) = produce(&mut client, "many", 0, b"again");
    for n in 1..40 {
        assert_eq!(produce(&mut client, "many", 0, &value), (0, end + n), "an open log goes on");
    }
    assert_eq!(fetch(&mut client, "many", 1).0, 0);
    delete(&mut client, "many");
    let begun = Instant::now();
    while produce(&mut client, "late", 0, b"late").0 != 0 {
        assert!(begun.elapsed() < PATIENCE, "descriptors came free, and the log is still refused");
        std::thread::sleep(Duration::from_millis(50));
    }
    let (status, _) = process.terminate();
    assert!(status.success(), "{status}");
    let said = std::fs::read_to_string(&spec.log).unwrap();
    assert!(!said.contains("panicked") && !said.contains("takes no more writes"), "{said}");
}

/// Produces into every log of the topic; returns how many take it, the others are refused for the time being.
fn fill_descriptors(client: &mut Client, logs: i32) -> usize {
    let errors: Vec<i16> = (0..logs).map(|log| produce(client, "many", log, b"x").0).collect();
    assert!(errors.iter().all(|error| [0, STORAGE_ERROR].contains(error)), "{errors:?}");
    let open = errors.iter().filter(|error| **error == 0).count();
    assert!((50..256).contains(&open), "{open} logs were taken");
    open
}

/// Every flush takes 20 ms longer: durable replies wait for them, relaxed ones do not, and the end is in order.
fn slow_flushes() {
    let home = Home::new("slow");
    let mut spec = Spec::new(&home, &["journal.direct=false"]);
    // The last is how a journal past the page cache is written.
    let calls = "trace=fdatasync,fsync,syncfs,pwritev2";
    let delay = "inject=fdatasync,fsync,syncfs,pwritev2:delay_enter=20000";
    // -D keeps the broker this test's own child, so that signals reach it and not the tracer.
    let tracer = ["strace", "-D", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", calls, "-e", delay];
    spec.through = &tracer;
    let mut process = Process::start(&spec);
    let mut client = process.client();
    client.create("durable", 1, ("durability", "durable"));
    client.create("relaxed", 1, ("durability", "relaxed"));
    let durable = median(&mut client, "durable");
    let relaxed = median(&mut client, "relaxed");
    assert!(durable >= Duration::from_millis(20), "a durable reply came before its flush: {durable:?}");
    assert!(relaxed < Duration::from_millis(10), "a relaxed reply waits for a flush: {relaxed:?}");
    let (status, took) = process.terminate();
    assert!(status.success() && took < Duration::from_secs(10), "{status} after {took:?}");
    drop(process);
    spec.through = &[];
    let process = Process::start(&spec);
    for topic in ["durable", "relaxed"] {
        let (_, bytes) = fetch(&mut process.client(), topic, 0);
        assert_eq!(bytes.len(), ROUNDS as usize * batch(b"000").len(), "{topic}");
        assert_eq!(BatchHeader::parse(&bytes).unwrap().base_offset.0, 0);
    }
}

const ROUNDS: i64 = 31;

/// The median time of a produce, one after the other.
fn median(client: &mut Client, topic: &str) -> Duration {
    let round = |n: i64| {
        let begun = Instant::now();
        assert_eq!(produce(client, topic, 0, format!("{n:03}").as_bytes()), (0, n));
        begun.elapsed()
    };
    let mut times: Vec<Duration> = (0..ROUNDS).map(round).collect();
    times.sort();
    times[times.len() / 2]
}
