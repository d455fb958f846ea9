//! The real binary as a process, and a client that expects to be cut off.
//!
//! A process is ended by its own id only, and its end is waited for. What it wrote to stderr stays in a file beside its
//! data. This module must not know what any test asks of the broker.
#![expect(clippy::disallowed_methods, reason = "a process on the real machine")]
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use protocol_compat::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use protocol_compat::messages::{
    CreateTopicsRequest, Decodable, HeaderVersion, Request, StrBytes, TopicName,
};
use protocol_compat::versions::api_info;

/// A start, a reply or an end that takes longer than this never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const READY: &str = "ottla ready:";

/// A folder of this test alone, gone when it is dropped unless the test fails.
pub(crate) struct Home(PathBuf);

impl Home {
    pub(crate) fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("stderr")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the broker's files and log are left in {}", self.0.display());
        } else {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A broker that was spawned. Dropping it kills it.
pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) port: u16,
    ready: mpsc::Receiver<String>,
}

/// How a broker is started.
pub(crate) struct Spec<'s> {
    pub(crate) data: PathBuf,
    pub(crate) log: PathBuf,
    /// 0 takes a free one.
    pub(crate) port: u16,
    pub(crate) settings: &'s [&'s str],
    /// A program, with its arguments, that executes the binary in its own place.
    pub(crate) through: &'s [&'s str],
}

impl<'s> Spec<'s> {
    pub(crate) fn new(home: &Home, settings: &'s [&'s str]) -> Self {
        Self { data: home.data(), log: home.log(), port: 0, settings, through: &[] }
    }
}

/// What the environment of the tests says of settings is not the process's.
pub(crate) fn leave_settings_out(command: &mut Command) {
    let is_read =
        |name: &str| name.starts_with("OTTLA_") || name.starts_with("KAFKA_") || name == "CLUSTER_ID";
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_read(&name.to_string_lossy())) {
        command.env_remove(name);
    }
}

impl Process {
    /// Starts the binary without waiting for it.
    pub(crate) fn spawn(spec: &Spec<'_>) -> Self {
        let binary = env!("CARGO_BIN_EXE_ottla");
        let mut command = match spec.through {
            [] => Command::new(binary),
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments).arg(binary);
                command
            }
        };
        leave_settings_out(&mut command);
        let dirs = format!("log.dirs={}", spec.data.display());
        let listeners = format!("listeners=PLAINTEXT://127.0.0.1:{}", spec.port);
        for set in [&*dirs, &*listeners, "metrics.listener=off"].iter().chain(spec.settings) {
            command.args(["--set", set]);
        }
        let log = File::options().create(true).append(true).open(&spec.log).unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (said, ready) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok).filter(|line| line.starts_with(READY)) {
                // Nobody listens to a broker that was killed in its start.
                let _ = said.send(line);
            }
        });
        Self { child, port: spec.port, ready }
    }

    /// Starts it and waits until it serves.
    pub(crate) fn start(spec: &Spec<'_>) -> Self {
        Self::spawn(spec).wait_ready()
    }

    pub(crate) fn wait_ready(mut self) -> Self {
        let line = self.ready.recv_timeout(PATIENCE).expect("the broker says that it is ready");
        let port = line.split_whitespace().find_map(|word| word.strip_prefix("PLAINTEXT://127.0.0.1:"));
        self.port = port.expect("the address of the listener").parse().unwrap();
        self
    }

    /// SIGKILL. Returns when the process is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how the process ended and when.
    pub(crate) fn terminate(&mut self) -> (ExitStatus, Duration) {
        let begun = Instant::now();
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        (self.wait(), begun.elapsed())
    }

    /// Waits for an end that is to come by itself.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the process does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.port).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection on which requests may be pipelined; replies are taken in the order of the requests.
pub(crate) struct Client {
    stream: TcpStream,
    sent: i32,
    received: i32,
}

impl Client {
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, sent: 0, received: 0 })
    }

    pub(crate) fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.send(version, request).unwrap();
        self.receive::<R>(version).unwrap()
    }

    pub(crate) fn send<R: Request>(&mut self, version: i16, request: &R) -> io::Result<()> {
        self.sent += 1;
        let mut frame = BytesMut::new();
        frame.put_i32(0);
        frame.put_i16(R::KEY);
        frame.put_i16(version);
        frame.put_i32(self.sent);
        frame.put_i16(4);
        frame.put_slice(b"kill");
        if api_info(R::KEY).unwrap().is_flexible(version) {
            frame.put_u8(0);
        }
        request.encode(&mut frame, version).unwrap();
        let length = frame.len() as i32 - 4;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame)
    }

    /// The next reply; an error when the connection ends before it is whole.
    pub(crate) fn receive<R: Request>(&mut self, version: i16) -> io::Result<R::Response> {
        let mut prefix = [0; 4];
        self.stream.read_exact(&mut prefix)?;
        let mut frame = vec![0; i32::from_be_bytes(prefix) as usize];
        self.stream.read_exact(&mut frame)?;
        let mut frame = Bytes::from(frame);
        self.received += 1;
        assert_eq!(frame.split_to(4)[..], self.received.to_be_bytes(), "replies keep their order");
        if <R::Response as HeaderVersion>::header_version(version) >= 1 {
            assert_eq!(frame.split_to(1)[0], 0);
        }
        Ok(R::Response::decode(&mut frame, version).unwrap())
    }

    /// Makes a topic with one setting.
    pub(crate) fn create(&mut self, name: &str, partitions: i32, setting: (&str, &str)) {
        let config = CreatableTopicConfig::default()
            .with_name(StrBytes::from_string(setting.0.to_owned()))
            .with_value(Some(StrBytes::from_string(setting.1.to_owned())));
        let topic = CreatableTopic::default()
            .with_name(topic_name(name))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(vec![config]);
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(20_000);
        let reply = self.call(7, &request);
        assert_eq!(reply.topics[0].error_code, 0, "{reply:?}");
    }
}

pub(crate) fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}

/// The time that `.ci/budgets` gives to `name`, in which a test of that name must end.
pub(crate) fn budget(name: &str) -> Duration {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.ci/budgets");
    let text = fs::read_to_string(path).unwrap();
    let seconds = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    Duration::from_secs(seconds.unwrap_or_else(|| panic!(".ci/budgets has no line for {name}")))
}

pub(crate) fn long_effort() -> bool {
    std::env::var("OTTLA_EFFORT").is_ok_and(|effort| effort == "long")
}
