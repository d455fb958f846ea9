//! `ottla log` as the real binary, on directories that the real broker, or the storage itself, wrote.
#![expect(clippy::disallowed_methods, reason = "processes and files of the real machine")]

mod adopt;
mod doctor;
mod golden;
#[path = "../kill/process.rs"]
mod process;
#[path = "../kill/requests.rs"]
mod requests;
#[path = "../faults/talk.rs"]
#[allow(dead_code, reason = "each test binary uses its own part")]
mod talk;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use process::{Home, Process, Spec};
use talk::{batch, fetch, produce};

const TOPIC: &str = "orders";

/// What `ottla log` said and how it ended.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn ottla_log(args: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    let Output { status, stdout, stderr } =
        command.env_remove("RUST_LOG").arg("log").args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Every file below a directory with its content.
fn everything(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(everything(&entry));
        } else {
            let content = fs::read(&entry).unwrap();
            found.push((entry, content));
        }
    }
    found.sort();
    found
}

fn flip(path: &Path, at: usize) {
    let mut content = fs::read(path).unwrap();
    content[at] ^= 4;
    fs::write(path, content).unwrap();
}

/// A broker with three segments of one topic, and the offsets that they begin at.
fn filled(home: &Home) -> (Process, Vec<i64>) {
    let spec = Spec::new(home, &["log.segment.bytes=1048576"]);
    let process = Process::start(&spec);
    let mut client = process.client();
    client.create(TOPIC, 1, ("durability", "durable"));
    let value = vec![b'v'; 100_000];
    for offset in 0..24 {
        assert_eq!(produce(&mut client, TOPIC, 0, &value), (0, offset));
    }
    let names = fs::read_dir(log_dir(home)).unwrap().map(|entry| entry.unwrap().path());
    let mut bases: Vec<i64> = names
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "log"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().parse().unwrap())
        .collect();
    bases.sort_unstable();
    assert_eq!(bases, [0, 10, 20]);
    (process, bases)
}

fn log_dir(home: &Home) -> PathBuf {
    home.data().join(format!("{TOPIC}-0"))
}

fn segment(home: &Home, base: i64, suffix: &str) -> PathBuf {
    log_dir(home).join(format!("{base:020}.{suffix}"))
}

#[test]
fn a_running_broker_is_looked_at_and_not_repaired() {
    let home = Home::new("tool-live");
    let (mut process, _) = filled(&home);
    let data = home.data();
    let said = ottla_log(&["verify", text(&data)]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.out.contains("a broker has this directory"), "{}", said.out);
    for args in [&["repair", text(&data)][..], &["repair", "--dry-run", text(&data)]] {
        let said = ottla_log(args);
        assert_eq!((said.code, &*said.out), (1, ""), "{}", said.err);
        assert!(said.err.contains("is in use by a broker: stop that first"), "{}", said.err);
    }
    assert_eq!(ottla_log(&["dump", text(&segment(&home, 20, "log"))]).code, 0);
    assert_eq!(fetch(&mut process.client(), TOPIC, 23).0, 0, "the broker serves on");
    process.kill();
    let before = everything(&data);
    let said = ottla_log(&["verify", text(&data)]);
    assert_eq!(said.code, 0, "after a kill: {}{}", said.out, said.err);
    assert!(said.out.contains("no damage"), "{}", said.out);
    assert_eq!(said.err, "", "nothing under a second's work");
    assert!(everything(&data) == before, "nothing was written");
}

#[test]
fn a_wrong_bit_in_an_old_segment_costs_its_batch_only() {
    let home = Home::new("tool-repair");
    let (mut process, bases) = filled(&home);
    assert!(process.terminate().0.success());
    let (data, old) = (home.data(), segment(&home, bases[1], "log"));
    assert_eq!(ottla_log(&["verify", text(&data)]).code, 0);
    let size = fs::metadata(&old).unwrap().len() as usize / 10;
    flip(&old, 4 * size + 5_000);
    let damaged = everything(&data);

    let said = ottla_log(&["verify", text(&data)]);
    assert_eq!(said.code, 1, "{}", said.out);
    let place = format!("damage: {}, position {}, offset 14: ", old.display(), 4 * size);
    assert!(said.out.starts_with(&place), "{place}\n{}", said.out);
    assert!(said.out.contains("the log goes on at offset 15; `ottla log repair`"), "{}", said.out);
    let said = ottla_log(&["verify", "--json", text(&log_dir(&home))]);
    let lines: Vec<serde_json::Value> =
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((said.code, lines.len()), (1, 2), "{}", said.out);
    assert_eq!((&lines[0]["position"], &lines[0]["offset"]), (&(4 * size).into(), &14.into()));
    assert_eq!((&lines[1]["type"], &lines[1]["damages"]), (&"summary".into(), &1.into()));
    let said = ottla_log(&["dump", text(&old)]);
    assert_eq!(
        (said.code, said.out.lines().count()),
        (1, 11),
        "ten batches, one of them with a wrong checksum"
    );

    let said = ottla_log(&["repair", "--dry-run", text(&data)]);
    assert_eq!((said.code, said.out.starts_with(&place)), (1, true), "{}", said.out);
    assert!(everything(&data) == damaged, "nothing was changed");
    let said = ottla_log(&["repair", text(&data)]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let expected =
        format!("{TOPIC}-0: offsets 0 to below 24 in 3 segments; {size} damaged bytes were set aside");
    assert!(said.out.contains(&expected), "{}", said.out);
    assert!(said.out.ends_with("all is right now\n"), "{}", said.out);

    let said = ottla_log(&["verify", text(&data)]);
    assert_eq!(said.code, 0, "{}", said.out);
    let quarantine = segment(&home, bases[1], "quarantine");
    let noted = format!("note: {}: {size} bytes in 1 pieces were set aside", quarantine.display());
    assert!(said.out.starts_with(&noted) && said.out.lines().count() == 2, "{}", said.out);
    let said = ottla_log(&["dump", text(&quarantine)]);
    let piece = format!("piece position: 0 segmentPosition: {} size: {size} due: 14 next: 15\n", 4 * size);
    assert_eq!((said.code, said.out), (0, piece));

    let spec = Spec::new(&home, &["log.segment.bytes=1048576"]);
    let process = Process::start(&spec);
    let mut client = process.client();
    let value = vec![b'v'; 100_000];
    for offset in (0..24).filter(|offset| *offset != 14) {
        let (error, bytes) = fetch(&mut client, TOPIC, offset);
        assert_eq!((error, &bytes[..8]), (0, &offset.to_be_bytes()[..]));
        assert!(bytes[16..].starts_with(&batch(&value)[16..]), "offset {offset}");
    }
}

#[test]
fn kafkas_directory_is_refused_and_left_as_it_is() {
    let home = Home::new("tool-kafka");
    let data = home.data();
    fs::create_dir_all(data.join("t-0")).unwrap();
    let meta = "#\n#Thu Jan 01 00:00:00 UTC 2026\nversion=1\ncluster.id=x\nnode.id=1\n\
                directory.id=AAAAAAAAAAAAAAAAAAAAEA\n";
    fs::write(data.join("meta.properties"), meta).unwrap();
    let log = data.join("t-0/00000000000000000000.log");
    fs::write(&log, batch(b"kafka's")).unwrap();
    let before = everything(&data);
    let meta = data.join("meta.properties");
    let refused: [&[&str]; 5] = [
        &["verify", text(&data)],
        &["verify", text(&log)],
        &["repair", text(&data)],
        &["repair", "--dry-run", text(&data)],
        &["dump", text(&meta)],
    ];
    for args in refused {
        let said = ottla_log(args);
        assert_eq!((said.code, &*said.out), (2, ""), "{args:?}: {}", said.err);
        assert!(said.err.contains("was written by Apache Kafka; nothing in it was touched"), "{}", said.err);
    }
    let said = ottla_log(&["dump", "--records", text(&log)]);
    assert!(said.code == 0 && said.out.contains("value: \"kafka's\""), "{}{}", said.out, said.err);
    assert!(everything(&data) == before, "not a byte, not a file");
}

#[test]
fn what_cannot_be_done_is_said_with_the_code_for_it() {
    let home = Home::new("tool-usage");
    let empty = home.path().join("empty");
    fs::create_dir_all(&empty).unwrap();
    let cases: [(&[&str], &str); 7] = [
        (&["verify"], "PATH"),
        (&["verify", "/nonexistent"], "does not exist"),
        (&["verify", text(&empty)], "nothing that Ottla writes"),
        (&["repair", text(&empty)], "no meta.properties"),
        (&["dump", text(&empty)], "is a directory"),
        (&["dump", "/etc/hostname"], "nothing that Ottla writes"),
        (&["repair", "a", "b"], "unexpected argument"),
    ];
    for (args, words) in cases {
        let said = ottla_log(args);
        assert_eq!((said.code, &*said.out), (2, ""), "{args:?}: {}", said.err);
        assert!(said.err.contains(words), "{args:?}: {}", said.err);
    }
    assert_eq!(fs::read_dir(&empty).unwrap().count(), 0, "nothing was made");
    for command in ["verify", "dump", "repair"] {
        let said = ottla_log(&[command, "--help"]);
        assert!(said.code == 0 && said.out.contains("Exit codes:"), "{}", said.out);
    }
}
