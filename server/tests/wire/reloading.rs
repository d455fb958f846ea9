//! The real binary and what it writes: SIGHUP has the file of settings read again, lines follow the levels of loggers,
//! and are JSON where that is wanted.
#![expect(clippy::disallowed_methods, reason = "files and processes of the real machine")]

use std::fs;
use std::time::{Duration, Instant};

use protocol_compat::messages::{DescribeConfigsRequest, StrBytes};

use super::configs::{BROKER, LOGGER, Op, SET, alter_request, asked};
use super::process::{Home, PATIENCE, Process, Spec};

/// A broker with `lines` as its file of settings, started with these words before it.
struct Started {
    home: Home,
    process: Process,
}

impl Started {
    fn new(name: &str, lines: &str, settings: &[&str], environment: &[&str]) -> Self {
        let home = Home::new(name);
        let file = home.path().join("server.properties");
        fs::write(&file, lines).unwrap();
        let script = format!("exec \"$0\" \"$@\" --config '{}'", file.display());
        let mut through: Vec<&str> = Vec::new();
        if !environment.is_empty() {
            through.push("env");
            through.extend(environment);
        }
        through.extend(["sh", "-c", &script]);
        let process = Process::start(&Spec { through: &through, ..Spec::new(&home, settings) });
        Self { home, process }
    }

    /// Gives the file another content and has it read, and waits for that line of the log.
    fn reload(&self, lines: &str, until: &str) {
        fs::write(self.home.path().join("server.properties"), lines).unwrap();
        let pid = rustix::process::Pid::from_child(&self.process.child);
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
        self.wait_for(until);
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.log()).unwrap()
    }

    fn wait_for(&self, line: &str) {
        let begun = Instant::now();
        while !self.log().contains(line) {
            assert!(begun.elapsed() < PATIENCE, "no `{line}` in {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn value(&self, name: &str) -> (Option<String>, i8) {
        let request =
            DescribeConfigsRequest::default().with_resources(vec![asked(BROKER, "1", Some(&[name]))]);
        let reply = self.process.client().call(1, &request);
        let config = &reply.results[0].configs[0];
        (config.value.as_ref().map(StrBytes::to_string), config.config_source)
    }

    fn alter(&self, kind: i8, ops: &[Op]) -> i16 {
        self.process.client().call(0, &alter_request(&[(kind, "1", ops)])).responses[0].error_code
    }

    fn stop(mut self) {
        assert!(self.process.terminate().0.success(), "{}", self.log());
    }
}

fn is(value: &str, source: i8) -> (Option<String>, i8) {
    (Some(value.to_owned()), source)
}

#[test]
fn a_sighup_has_the_file_read_again() {
    let from_elsewhere = ["OTTLA_LOG_SEGMENT_BYTES=2000000"];
    let started = Started::new(
        "reload",
        "message.max.bytes=1000\nlog.segment.bytes=1500000\nnum.partitions=2\n",
        &["max.connections=500"],
        &from_elsewhere,
    );
    assert_eq!(started.value("message.max.bytes"), is("1000", 4));
    let next = "message.max.bytes=2000\nlog.segment.bytes=1600000\nnum.partitions=3\nmax.connections=9\n\
                log.retention.hours=1\nnum.io.threads=9\n";
    started.reload(next, "setting=\"num.partitions\"");
    started.wait_for("setting=\"message.max.bytes\"");
    assert_eq!(started.value("message.max.bytes"), is("2000", 4));
    assert_eq!(started.value("log.retention.hours"), is("1", 4));
    assert_eq!(started.value("log.segment.bytes"), is("2000000", 4), "the environment goes before the file");
    assert_eq!(started.value("max.connections"), is("500", 4), "the command line goes before the file");
    assert_eq!(started.value("num.partitions"), is("2", 4));
    let log = started.log();
    let restart = log.lines().find(|line| line.contains("needs a restart")).unwrap();
    assert!(restart.contains("WARN") && restart.contains("num.partitions"), "{restart}");
    assert!(!log.contains("setting=\"log.segment.bytes\"") && !log.contains("setting=\"max.connections\""));
    // What is set while the broker runs goes before the file.
    assert_eq!(started.alter(BROKER, &[("message.max.bytes", SET, Some("5000"))]), 0);
    started.reload("message.max.bytes=3000\n", "a value set while it runs goes before it");
    assert_eq!(started.value("message.max.bytes"), is("5000", 2));
    assert_eq!(started.value("log.retention.hours"), is("168", 5), "a line that is gone is a default again");
    // A file that is wrong changes nothing.
    for (wrong, line) in [
        ("message.max.bytes=many\nlog.retention.hours=2\n", "the settings stay as they are"),
        ("log.retention.hours=2\nno.such.setting=1\n", "no.such.setting"),
        ("log.retention.hours=2\nsasl.jaas.config=secret\nmessage.max.bytes=-5\n", "`-5` is not allowed"),
    ] {
        started.reload(wrong, line);
        assert_eq!(started.value("log.retention.hours"), is("168", 5));
    }
    let log = started.log();
    assert_eq!(log.lines().filter(|line| line.contains(" ERROR ")).count(), 3, "one line each: {log}");
    assert!(!log.contains("secret"));
    started.stop();
}

#[test]
fn lines_follow_the_levels_of_loggers_and_may_be_json() {
    let started = Started::new("levels", "log.format=json\n", &[], &["RUST_LOG=warn,server::config=off"]);
    let says = |started: &Started, bytes: &str| {
        assert_eq!(started.alter(BROKER, &[("message.max.bytes", SET, Some(bytes))]), 0);
        started.log().contains(&format!("\"to\":\"{bytes}\""))
    };
    assert!(!says(&started, "1001"), "only warnings are wanted");
    assert_eq!(started.alter(LOGGER, &[("server::api", SET, Some("INFO"))]), 0);
    assert!(says(&started, "1002"));
    assert_eq!(started.alter(LOGGER, &[("server::api", SET, Some("FATAL"))]), 0);
    assert!(!says(&started, "1003"));
    assert_eq!(started.alter(LOGGER, &[("root", SET, Some("TRACE")), ("server::api", 1, None)]), 0);
    assert!(says(&started, "1004"), "the root's level counts again");
    assert_eq!(started.alter(LOGGER, &[("root", SET, Some("INFO"))]), 0);
    let log = started.log();
    assert!(log.lines().count() > 5);
    for line in log.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        for field in ["timestamp", "level", "target", "message"] {
            assert!(object[field].is_string(), "{field}: {line}");
        }
    }
    let changed = log.lines().find(|line| line.contains("\"to\":\"1002\"")).unwrap();
    let changed: serde_json::Value = serde_json::from_str(changed).unwrap();
    assert_eq!((&changed["setting"], &changed["from"]), (&"message.max.bytes".into(), &"1001".into()));
    assert_eq!(
        (&changed["level"], &changed["target"]),
        (&"INFO".into(), &"server::api::config_broker".into())
    );
    started.stop();
}
