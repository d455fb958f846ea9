//! A broker in this process on a free port, and a client that speaks one version at a time.
#![expect(clippy::disallowed_methods, reason = "a test's directory on the real machine")]
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use clap::Parser;
use protocol_compat::messages::{Decodable, HeaderVersion, Request};
use protocol_compat::versions::api_info;
use server::cli::Cli;
use server::config::Config;
use server::node::Node;
use storage::{BatchBuilder, Env};

/// A reply that takes longer than this is one that never comes.
const PATIENCE: Duration = Duration::from_secs(20);

static TESTS: AtomicU32 = AtomicU32::new(0);

/// A data directory of this test alone, gone when it is dropped.
pub(crate) struct TestDir(PathBuf);

impl TestDir {
    pub(crate) fn new() -> Self {
        let number = TESTS.fetch_add(1, Ordering::Relaxed);
        let dir =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("wire-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        Self(dir)
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A broker with its own runtime.
pub(crate) struct Broker {
    runtime: tokio::runtime::Runtime,
    node: Option<Node>,
    port: u16,
}

impl Broker {
    pub(crate) fn start(dir: &TestDir, settings: &[&str]) -> Self {
        Self::start_in(Env::real(), dir, settings)
    }

    /// A broker whose files are perhaps not just the machine's.
    pub(crate) fn start_in(env: Env, dir: &TestDir, settings: &[&str]) -> Self {
        let log_dirs = format!("log.dirs={}", dir.0.display());
        let always = [&*log_dirs, "listeners=PLAINTEXT://127.0.0.1:0", "metrics.listener=off"];
        let sets = always.iter().chain(settings).flat_map(|s| ["--set", *s]);
        let cli = Cli::parse_from(std::iter::once("ottla").chain(sets));
        let config = Config::load(&cli, []).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let node = runtime.block_on(Node::start(config, env)).unwrap();
        let port = node.addresses()[0].rsplit(':').next().unwrap().parse().unwrap();
        Self { runtime, node: Some(node), port }
    }

    pub(crate) fn client(&self) -> Client {
        Client::to(self.port)
    }

    /// The first address of a listener.
    pub(crate) fn address_of(&self, listener: &str) -> std::net::SocketAddr {
        let addresses = self.node.as_ref().unwrap().addresses();
        let found = addresses.iter().find_map(|a| a.strip_prefix(listener)?.strip_prefix("://"));
        found.unwrap_or_else(|| panic!("no {listener} in {addresses:?}")).parse().unwrap()
    }

    /// The services behind the sockets, for tests that need none.
    pub(crate) fn services(&self) -> &std::sync::Arc<server::api::Broker> {
        self.node.as_ref().unwrap().broker()
    }

    /// Makes the broker's runtime the one of this thread.
    pub(crate) fn enter(&self) -> tokio::runtime::EnterGuard<'_> {
        self.runtime.enter()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some(node) = self.node.take() {
            self.runtime.block_on(node.stop()).unwrap();
        }
    }
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    correlation_id: i32,
    client_id: &'static str,
}

impl Client {
    /// A client of whatever broker listens on this port.
    pub(crate) fn to(port: u16) -> Self {
        Self::over(TcpStream::connect(("127.0.0.1", port)).unwrap())
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, correlation_id: 0, client_id: "test" }
    }

    /// The same under another client id.
    pub(crate) fn named(self, client_id: &'static str) -> Self {
        Self { client_id, ..self }
    }

    /// One request and its reply, both in `version`.
    pub(crate) fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.send(version, request);
        self.receive::<R>(version)
    }

    pub(crate) fn send<R: Request>(&mut self, version: i16, request: &R) {
        let frame = self.frame(version, request);
        self.stream.write_all(&frame).unwrap();
    }

    /// The request's bytes, to be sent with others.
    pub(crate) fn frame<R: Request>(&mut self, version: i16, request: &R) -> Vec<u8> {
        self.correlation_id += 1;
        // ListOffsets 11 has the bytes of version 10, which is as far as the codec goes.
        let codec_version = protocol_compat::versions::codec_version(R::KEY, version);
        let mut body = BytesMut::new();
        request.encode(&mut body, codec_version).unwrap();
        self.raw_frame(R::KEY, version, self.correlation_id, &body)
    }

    pub(crate) fn send_raw(&mut self, key: i16, version: i16, correlation_id: i32, body: &[u8]) {
        let frame = self.raw_frame(key, version, correlation_id, body);
        self.stream.write_all(&frame).unwrap();
    }

    fn raw_frame(&self, key: i16, version: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
        let mut frame = BytesMut::new();
        frame.put_i16(key);
        frame.put_i16(version);
        frame.put_i32(correlation_id);
        frame.put_i16(self.client_id.len() as i16);
        frame.put_slice(self.client_id.as_bytes());
        if api_info(key).is_some_and(|api| api.is_flexible(version)) {
            frame.put_u8(0);
        }
        frame.put_slice(body);
        let mut whole = (frame.len() as i32).to_be_bytes().to_vec();
        whole.extend(frame);
        whole
    }

    pub(crate) fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        let (correlation_id, body) = self.receive_raw().expect("a reply");
        assert_eq!(correlation_id, self.correlation_id);
        let codec_version = protocol_compat::versions::reply_codec_version(R::KEY, version);
        let mut body = body;
        if <R::Response as HeaderVersion>::header_version(codec_version) >= 1 {
            assert_eq!(body.split_to(1)[0], 0, "no tagged fields in the header");
        }
        let reply = R::Response::decode(&mut body, codec_version).unwrap();
        assert!(body.is_empty(), "{} bytes behind the reply", body.len());
        reply
    }

    /// Reads and forgets the next frame; false when the connection ends before it is whole.
    pub(crate) fn receive_raw_if_whole(&mut self) -> bool {
        let mut prefix = [0; 4];
        let Ok(()) = self.stream.read_exact(&mut prefix) else { return false };
        self.stream.read_exact(&mut vec![0; i32::from_be_bytes(prefix) as usize]).is_ok()
    }

    /// The next frame; `None` when the broker has closed the connection.
    pub(crate) fn receive_raw(&mut self) -> Option<(i32, Bytes)> {
        let mut prefix = [0; 4];
        self.stream.read_exact(&mut prefix).ok()?;
        let mut frame = vec![0; i32::from_be_bytes(prefix) as usize];
        self.stream.read_exact(&mut frame).unwrap();
        let mut frame = Bytes::from(frame);
        let correlation_id = i32::from_be_bytes(frame.split_to(4)[..].try_into().unwrap());
        Some((correlation_id, frame))
    }
}

/// A batch of one record for each value, timestamps rising by one from `time`.
pub(crate) fn batch(time: i64, values: &[&str]) -> Bytes {
    let records = values.iter().zip(time..);
    records
        .fold(BatchBuilder::new(time), |b, (value, at)| b.push_at(at, None, Some(value.as_bytes()), &[]))
        .build()
}
