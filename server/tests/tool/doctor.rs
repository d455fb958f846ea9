//! `ottla doctor` as the real binary: each case that can be provoked without rights.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::{Home, Process, Spec};
use crate::{Said, everything, text};

/// Ten times what it promises, for a machine that does other things.
const PATIENCE: Duration = Duration::from_secs(50);

/// `ottla doctor` for a broker in this home, with more settings.
fn doctor(home: &Home, settings: &[&str]) -> Said {
    run(command(home, settings))
}

fn command(home: &Home, settings: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    let dirs = format!("log.dirs={}", text(&home.data()));
    command.env_clear().args(["doctor", "--set", &dirs]);
    let quiet = ["listeners=PLAINTEXT://127.0.0.1:0", "metrics.listener=127.0.0.1:0"];
    for setting in quiet.iter().chain(settings) {
        command.args(["--set", setting]);
    }
    command
}

fn run(mut command: Command) -> Said {
    let begun = Instant::now();
    let output = command.output().unwrap();
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// Whether a line has this verdict, this name and these words.
fn has(said: &Said, verdict: &str, name: &str, words: &str) -> bool {
    let mut lines = said.out.lines().map(|line| (line, line.split_whitespace().collect::<Vec<_>>()));
    lines.any(|(line, found)| found[..2] == [verdict, name] && line.contains(words))
}

#[test]
fn a_machine_that_is_well() {
    let home = Home::new("doctor-well");
    let said = doctor(&home, &[]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    for name in ["settings", "kernel", "memory", "disk", "port", "advertised", "clock"] {
        assert!(has(&said, "ok", name, "") || has(&said, "warn", name, ""), "{name}: {}", said.out);
    }
    assert!(has(&said, "ok", "directory", "is not there yet"), "{}", said.out);
    assert!(said.out.contains("a write that lasts takes") && said.out.contains("a second"), "{}", said.out);
    assert!(everything(home.path()).is_empty() && !home.data().exists(), "something is left behind");
}

#[test]
fn json_has_the_same() {
    let home = Home::new("doctor-json");
    let mut json = command(&home, &[]);
    json.arg("--json");
    let said = run(json);
    assert_eq!(said.code, 0, "{}", said.err);
    let lines: Vec<serde_json::Value> =
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["verdict"] != "fail" && line["found"].is_string()));
    assert!(lines.iter().any(|line| line["name"] == "durability"), "{}", said.out);
}

#[test]
fn a_port_that_is_taken() {
    let home = Home::new("doctor-port");
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = other.local_addr().unwrap().port();
    let said = doctor(&home, &[&format!("listeners=PLAINTEXT://127.0.0.1:{port}")]);
    assert!(said.code == 1 && has(&said, "fail", "port", "somebody listens on"), "{}", said.out);
    let said = doctor(&home, &[&format!("metrics.listener=127.0.0.1:{port}")]);
    assert!(said.code == 1 && has(&said, "fail", "port", "metrics.listener"), "{}", said.out);
    drop(other);
    let said = doctor(&home, &[&format!("listeners=PLAINTEXT://127.0.0.1:{port}")]);
    assert_eq!(said.code, 0, "{}", said.out);
    assert!(has(&said, "ok", "advertised", "is answered"), "{}", said.out);
}

#[test]
fn a_directory_that_cannot_be_written_to() {
    let home = Home::new("doctor-file");
    fs::write(home.data(), b"a file").unwrap();
    let said = doctor(&home, &[]);
    assert!(said.code == 1 && has(&said, "fail", "directory", ""), "{}", said.out);
    assert_eq!(fs::read(home.data()).unwrap(), b"a file");
}

#[test]
fn a_directory_that_is_not_this_brokers() {
    let home = Home::new("doctor-locked");
    let mut process = Process::start(&Spec::new(&home, &[]));
    let said = doctor(&home, &[]);
    assert!(said.code == 1 && has(&said, "fail", "directory", "a broker runs on it"), "{}", said.out);
    assert!(process.terminate().0.success());
    let said = doctor(&home, &[]);
    assert!(said.code == 0 && has(&said, "ok", "directory", "belongs to this node"), "{}", said.out);
    let said = doctor(&home, &["node.id=7"]);
    assert!(said.code == 1 && has(&said, "fail", "directory", "belongs to node 1"), "{}", said.out);
    fs::write(home.data().join("meta.properties"), "version=1\ncluster.id=x\nnode.id=1\n").unwrap();
    let said = doctor(&home, &[]);
    assert!(said.code == 1 && has(&said, "fail", "directory", "ottla log adopt"), "{}", said.out);
}

#[test]
fn few_descriptors() {
    let home = Home::new("doctor-few");
    for (most, verdict, code) in [(200, "fail", 1), (2_000, "warn", 0)] {
        let wanted = command(&home, &[]);
        let mut few = Command::new("/bin/sh");
        // Both limits, so that the process cannot raise the one to the other.
        few.args(["-c", &format!("ulimit -n {most} && exec \"$0\" \"$@\"")]).arg(wanted.get_program());
        few.args(wanted.get_args());
        let said = run(few);
        assert_eq!(said.code, code, "{}", said.out);
        assert!(has(&said, verdict, "descriptors", &format!("may have {most} open files")), "{}", said.out);
    }
}

#[test]
fn a_bad_advertised_address() {
    let home = Home::new("doctor-told");
    let told = |listener: &str, advertised: &str| {
        let settings = [
            format!("listeners=PLAINTEXT://{listener}"),
            format!("advertised.listeners=PLAINTEXT://{advertised}"),
        ];
        doctor(&home, &[&settings[0], &settings[1]])
    };
    let said = told("127.0.0.1:0", "no-such-host.invalid:9092");
    assert!(said.code == 1 && has(&said, "fail", "advertised", "no-such-host.invalid"), "{}", said.out);
    let said = told("0.0.0.0:0", "localhost:9092");
    assert!(said.code == 0 && has(&said, "warn", "advertised", "themselves"), "{}", said.out);
    // Nobody listens there: the port was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let said = told("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    assert!(said.code == 0 && has(&said, "warn", "advertised", "advertised.listeners"), "{}", said.out);
}

#[test]
fn room_that_is_reserved() {
    let home = Home::new("doctor-room");
    let said = doctor(&home, &["log.dir.min.free.bytes=9000000000000000000"]);
    assert!(said.code == 1 && has(&said, "fail", "disk", "log.dir.min.free.bytes"), "{}", said.out);
}

#[test]
fn settings_that_are_wrong() {
    let home = Home::new("doctor-settings");
    let said = doctor(&home, &["num.partitions=none"]);
    assert!(said.code == 2 && said.out.is_empty() && said.err.contains("num.partitions"), "{}", said.err);
}

/// A kill in the middle leaves nothing.
#[test]
fn a_kill_leaves_nothing_behind() {
    let home = Home::new("doctor-killed");
    fs::create_dir(home.data()).unwrap();
    for wait_ms in [20, 60, 100, 200] {
        let mut child = command(&home, &[]).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait_ms));
        let pid = rustix::process::Pid::from_child(&child);
        // It may have ended by itself.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        child.wait().unwrap();
        assert!(everything(&home.data()).is_empty(), "after {wait_ms} ms");
    }
}
