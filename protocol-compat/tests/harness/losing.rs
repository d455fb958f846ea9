//! A proxy that loses connections at random, at the worst moment: when a broker has taken a Produce request and its reply
//! is on the way. Now and then the request itself is lost.
//!
//! Clients have to be sent here by the broker's `advertised.listeners`. Everything but Produce passes.

use crate::harness::random::Random;
use anyhow::{Context, Result};
use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, JoinHandle};

const PRODUCE: [u8; 2] = [0, 0];
/// No frame of the suites comes near this.
const FRAME_BYTES_MAX: usize = 64 << 20;
/// Of the losses, one in so many is of a request.
const REQUEST_ONE_IN: usize = 4;

pub(crate) struct Losing {
    address: String,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

struct State {
    broker: OnceLock<String>,
    random: Mutex<Random>,
    one_in: usize,
    is_over: AtomicBool,
    replies: AtomicUsize,
    requests: AtomicUsize,
}

impl Losing {
    /// Loses the connection of one Produce request in `one_in`.
    pub(crate) fn bind(seed: u64, one_in: usize) -> Result<Losing> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let state = Arc::new(State {
            broker: OnceLock::new(),
            random: Mutex::new(Random::seeded(seed)),
            one_in,
            is_over: AtomicBool::new(false),
            replies: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
        });
        let accepting = {
            let state = Arc::clone(&state);
            Some(thread::spawn(move || state.accept(&listener)))
        };
        Ok(Losing { address, state, accepting })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Where what arrives goes from now on.
    pub(crate) fn lead_to(&self, broker: &str) -> Result<()> {
        self.state.broker.set(broker.to_owned()).ok().context("it leads somewhere already")
    }

    /// How many replies and how many requests were lost.
    pub(crate) fn lost(&self) -> (usize, usize) {
        (self.state.replies.load(Ordering::SeqCst), self.state.requests.load(Ordering::SeqCst))
    }
}

impl Drop for Losing {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then sees that it is over.
        let _wakes = TcpStream::connect(&self.address);
        if let Some(accepting) = self.accepting.take() {
            accepting.join().expect("accepting does not panic");
        }
    }
}

enum Fate {
    Passes,
    LosesReply,
    LosesRequest,
}

impl State {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            let Some(broker) = self.broker.get() else { continue };
            // A client or a broker that is gone is no matter of the proxy's.
            let (Ok(client), Ok(broker)) = (client, TcpStream::connect(broker)) else { continue };
            let _unset = (client.set_nodelay(true), broker.set_nodelay(true));
            self.connect(client, broker);
        }
    }

    /// Two threads, which end with the connection.
    fn connect(self: &Arc<Self>, client: TcpStream, broker: TcpStream) {
        let doomed = Arc::new(Mutex::new(HashSet::new()));
        let (Ok(to_client), Ok(to_broker)) = (client.try_clone(), broker.try_clone()) else { return };
        let (state, marked) = (Arc::clone(self), Arc::clone(&doomed));
        thread::spawn(move || {
            let _ended = state.requests(&client, &to_broker, &marked);
            close(&client, &to_broker);
        });
        let state = Arc::clone(self);
        thread::spawn(move || {
            let _ended = state.replies(&broker, &to_client, &doomed);
            close(&broker, &to_client);
        });
    }

    fn requests(
        &self,
        mut client: &TcpStream,
        mut broker: &TcpStream,
        doomed: &Mutex<HashSet<[u8; 4]>>,
    ) -> io::Result<()> {
        loop {
            let frame = read_frame(&mut client)?;
            // Key, version and correlation id stand first.
            if let Some(head) = frame.get(4..12).filter(|head| head[..2] == PRODUCE) {
                match self.fate() {
                    Fate::Passes => {}
                    Fate::LosesReply => {
                        let correlation = head[4..].try_into().expect("four bytes");
                        doomed.lock().expect("no holder panics").insert(correlation);
                    }
                    Fate::LosesRequest => {
                        self.requests.fetch_add(1, Ordering::SeqCst);
                        return Ok(());
                    }
                }
            }
            broker.write_all(&frame)?;
        }
    }

    fn fate(&self) -> Fate {
        let mut random = self.random.lock().expect("no holder panics");
        match random.below(self.one_in) {
            0 if random.below(REQUEST_ONE_IN) == 0 => Fate::LosesRequest,
            0 => Fate::LosesReply,
            _ => Fate::Passes,
        }
    }

    fn replies(
        &self,
        mut broker: &TcpStream,
        mut client: &TcpStream,
        doomed: &Mutex<HashSet<[u8; 4]>>,
    ) -> io::Result<()> {
        loop {
            let frame = read_frame(&mut broker)?;
            let correlation = frame.get(4..8).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
            if correlation.is_some_and(|id| doomed.lock().expect("no holder panics").remove(&id)) {
                self.replies.fetch_add(1, Ordering::SeqCst);
                return Ok(());
            }
            client.write_all(&frame)?;
        }
    }
}

/// A frame with its length in front.
fn read_frame(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let bytes = usize::try_from(i32::from_be_bytes(length)).ok().filter(|bytes| *bytes <= FRAME_BYTES_MAX);
    let mut frame = vec![0; 4 + bytes.ok_or(io::ErrorKind::InvalidData)?];
    frame[..4].copy_from_slice(&length);
    stream.read_exact(&mut frame[4..])?;
    Ok(frame)
}

fn close(one: &TcpStream, other: &TcpStream) {
    // Either may be closed already.
    let _closed = (one.shutdown(Shutdown::Both), other.shutdown(Shutdown::Both));
}
