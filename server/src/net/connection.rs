//! One connection: frames in, replies out in the same order.
//!
//! A turn begins every complete frame that may begin, then writes all decided replies at once. Only consecutive Produce
//! requests overlap; any other request begins when every earlier reply of the connection is decided, because Kafka
//! serves one request of a connection at a time and clients rely on it. Produce requests that are here at once append
//! together, and are decided when that is written. Back-pressure is not reading. A request whose records wait for their
//! place in a log counts as memory until they have it, whether or not it is answered by then. How patient a connection is
//! stands in `deadlines`, when it rests for its client's quotas in `resting`, what is told of it in `telling`.

mod deadlines;
mod resting;
mod telling;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use protocol_compat::frame::{self, PREFIX_BYTES, Split};
use protocol_compat::messages::ApiKey;
use storage::Together;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Sleep;

use self::deadlines::{ALARM_REST_MAX, Deadlines, Partial};
use super::admission::Place;
use super::buffers::{self, COPY_OUT_BELOW_BYTES, READ_STEP_BYTES};
use super::end::End;
use super::memory::Share;
use super::output::Output;
use super::replies::ReplyShare;
use super::timing::{Arrived, Replied, Unsent};
use crate::api::{self, Answer, Broker, Deferred, Parked, Peer, Then};
use crate::metrics::Limit;
use crate::quotas::Client;

/// Turns in a row before other connections of this thread are let in.
const TURNS_MAX: usize = 16;
/// Requests begin for this long before other connections of this thread are let in.
const TURN: Duration = Duration::from_millis(1);
/// How long a stopping broker waits for what has begun.
const DRAIN: Duration = Duration::from_secs(2);

/// Serves a connection to its end.
pub(super) async fn serve(
    stream: TcpStream,
    broker: Arc<Broker>,
    peer: Arc<Peer>,
    place: Place,
    mut stop: watch::Receiver<bool>,
) {
    broker.metrics.connections.accepted();
    let mut connection = Connection::new(stream, broker, peer, place);
    let ended = tokio::select! {
        end = poll_fn(|cx| connection.poll(cx)) => Some(end),
        _ = stop.wait_for(|stopping| *stopping) => None,
    };
    let end = match ended {
        Some(end) => end,
        None => {
            connection.finish(End::Stopping);
            tokio::time::timeout(DRAIN, poll_fn(|cx| connection.poll(cx))).await.unwrap_or(End::Stopping)
        }
    };
    connection.report(&end);
    connection.leave();
}

/// A request that has begun and whose reply is not decided.
struct Pending {
    request: Arrived,
    wait: Wait,
}

enum Wait {
    Reply(Parked<Answer>),
    Gate(Parked<Then<Answer>>),
}

/// A request whose appends are made together with others', until they are written.
struct Joint {
    request: Arrived,
    decide: Deferred<Then<Answer>>,
}

/// A request whose records wait for their place in their logs: its bytes are still in memory.
struct Placing {
    bytes: usize,
    wait: Parked<bool>,
    /// No reply tells of it, so that what comes behind it has to wait if it is to see it.
    is_silent: bool,
}

struct Connection {
    stream: TcpStream,
    broker: Arc<Broker>,
    peer: Arc<Peer>,
    /// Bytes of a frame that is not complete.
    received: BytesMut,
    /// Whole frames that may not begin yet. Bounded: while there is one, nothing is read.
    inbox: VecDeque<Bytes>,
    /// When the last byte of these came.
    inbox_since: Duration,
    /// Set once the small ones of them have left the buffer that they came in.
    inbox_is_own: bool,
    /// The part of both in what all connections may hold.
    memory: Share,
    /// Free again when the connection ends.
    place: Place,
    /// Set once a whole request has come.
    has_asked: bool,
    /// Set while the bound on that keeps this connection from reading.
    starved: bool,
    /// Begun, in order. Bounded by `max_in_flight_requests_per_connection`.
    parked: VecDeque<Pending>,
    /// Begun behind those in this turn, in order. Bounded with them.
    joint: Vec<Joint>,
    /// What these append.
    together: Arc<Together>,
    /// Begun, answered or not, and still in memory. Bounded likewise.
    placing: Vec<Placing>,
    /// Decided, in order. Bounded: above `response_buffer_bytes_max` nothing begins.
    output: Output,
    /// The part of it in what all connections may hold.
    replies: ReplyShare,
    /// Whose replies these are.
    unsent: Unsent,
    /// When the peer last took some of it, or could first have.
    last_taken: Duration,
    /// Set when the connection is to end once what is decided has been sent.
    ending: Option<End>,
    /// When others of this thread are to have their turn, and whether it is.
    let_in_at: Duration,
    is_others_turn: bool,
    /// When bytes last moved, and when the partial frame began.
    last_active: Duration,
    partial: Option<Partial>,
    /// Set while this side reads nothing: a partial frame's time does not run then.
    paused: bool,
    deadlines: Deadlines,
    alarm: Pin<Box<Sleep>>,
    /// Until this is over nothing is read and nothing begins: the client took more than its quotas allow.
    resting: Option<Pin<Box<Sleep>>>,
    /// Whose quota the time counts against that is spent on sending.
    timed: Option<Arc<Client>>,
}

impl Connection {
    fn new(stream: TcpStream, broker: Arc<Broker>, peer: Arc<Peer>, place: Place) -> Self {
        let now = broker.env.clock.monotonic();
        let deadlines = Deadlines::new(&broker.config.load());
        let alarm = Box::pin(tokio::time::sleep(deadlines.idle.min(deadlines.progress).min(ALARM_REST_MAX)));
        let (memory, replies) = (place.memory(peer.connection_id), place.replies());
        Self {
            stream,
            broker,
            peer,
            received: BytesMut::new(),
            inbox: VecDeque::new(),
            inbox_since: now,
            inbox_is_own: false,
            memory,
            place,
            has_asked: false,
            starved: false,
            parked: VecDeque::new(),
            joint: Vec::new(),
            together: Arc::default(),
            placing: Vec::new(),
            output: Output::default(),
            replies,
            unsent: Unsent::default(),
            last_taken: now,
            ending: None,
            let_in_at: now,
            is_others_turn: false,
            last_active: now,
            partial: None,
            paused: false,
            deadlines,
            alarm,
            resting: None,
            timed: None,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.let_in_at = self.broker.env.clock.monotonic() + TURN;
        for _ in 0..TURNS_MAX {
            match self.turn(cx) {
                Ok(true) => {}
                Ok(false) => {
                    if self.is_drained()
                        && let Some(end) = self.ending.take()
                    {
                        return Poll::Ready(end);
                    }
                    self.rest();
                    return self.poll_alarm(cx);
                }
                Err(end) => return Poll::Ready(end),
            }
            if self.is_others_turn {
                break;
            }
        }
        self.is_others_turn = false;
        self.rest();
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Between two turns: the thread has its buffer back, and what stays here is accounted for.
    fn rest(&mut self) {
        buffers::give_back(&mut self.received);
        // A small frame that has to wait must not keep the whole buffer that it came in.
        if !std::mem::replace(&mut self.inbox_is_own, true) {
            for frame in self.inbox.iter_mut().filter(|frame| frame.len() < COPY_OUT_BELOW_BYTES) {
                *frame = Bytes::copy_from_slice(frame);
            }
        }
        let waiting: usize = self.inbox.iter().map(Bytes::len).sum();
        self.memory.hold(self.received.capacity() + waiting, self.placing_bytes());
        self.replies.hold(self.output.own_bytes());
    }

    fn placing_bytes(&self) -> usize {
        let gated = self.parked.iter().filter(|pending| matches!(pending.wait, Wait::Gate(_)));
        let gated: usize = gated.map(|pending| pending.request.bytes).sum();
        gated + self.placing.iter().map(|placing| placing.bytes).sum::<usize>()
    }

    /// What still waits for its place counts as memory although the connection is over.
    fn leave(self) {
        let placing_bytes = self.placing_bytes();
        self.parked.iter().for_each(|pending| self.abandon(pending.request.key));
        self.inbox.iter().for_each(|frame| self.abandon(api::key_of(frame)));
        let Self { placing, mut memory, .. } = self;
        if placing.is_empty() {
            return;
        }
        memory.hold(0, placing_bytes);
        tokio::spawn(async move {
            for request in placing {
                // Nobody is left to be told how it ended.
                let _ = request.wait.await;
            }
            drop(memory);
        });
    }

    /// One turn. True when anything moved, so that another turn may find more.
    fn turn(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let mut moved = self.wake(cx);
        moved |= self.collect(cx)?;
        moved |= self.begin_frames()?;
        moved |= self.collect(cx)?;
        moved |= self.write(cx)?;
        moved |= self.read(cx)?;
        Ok(moved)
    }

    /// Moves decided replies from the front of the queue to the output, and lets go of requests that have their place.
    fn collect(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        let mut moved = self.let_go_of_placed(cx);
        // Replies that are found decided together have one time.
        let mut now = None;
        while let Some(front) = self.parked.front_mut() {
            let decided = match &mut front.wait {
                Wait::Reply(wait) => wait.as_mut().poll(cx).map(Then::Now),
                Wait::Gate(wait) => wait.as_mut().poll(cx),
            };
            let Poll::Ready(then) = decided else { break };
            let Some(Pending { request, .. }) = self.parked.pop_front() else { break };
            moved = true;
            let at = *now.get_or_insert_with(|| self.broker.env.clock.monotonic());
            if !matches!(then, Then::Now(_)) {
                now = None;
            }
            self.decided(request, then, at)?;
        }
        Ok(moved)
    }

    /// The front of the queue goes on, or is over.
    fn decided(&mut self, request: Arrived, then: Then<Answer>, now: Duration) -> Result<(), End> {
        match then {
            Then::Later(wait) => self.parked.push_front(Pending { request, wait: Wait::Reply(wait) }),
            Then::Gate(wait) => self.parked.push_front(Pending { request, wait: Wait::Gate(wait) }),
            Then::Now(answer) => self.reply(request, answer, now)?,
            Then::Silent => self.observe_silent(request, now, false),
            Then::Close => {
                self.observe_silent(request, now, true);
                self.finish(End::SilentFailure);
            }
            Then::AfterAppends(decide) => self.decided(request, decide(), now)?,
            Then::Placing(wait, then) => {
                self.hold_until_placed(request, wait, &then);
                self.decided(request, *then, now)?;
            }
        }
        Ok(())
    }

    fn hold_until_placed(&mut self, request: Arrived, wait: Parked<bool>, then: &Then<Answer>) {
        let is_silent = matches!(then, Then::Silent);
        self.placing.push(Placing { bytes: request.bytes, wait, is_silent });
    }

    fn let_go_of_placed(&mut self, cx: &mut Context<'_>) -> bool {
        let (before, mut refused) = (self.placing.len(), false);
        self.placing.retain_mut(|placing| match placing.wait.as_mut().poll(cx) {
            Poll::Ready(is_well) => {
                refused |= !is_well;
                false
            }
            Poll::Pending => true,
        });
        if refused {
            self.finish(End::SilentFailure);
        }
        self.placing.len() < before
    }

    fn begin_frames(&mut self) -> Result<bool, End> {
        let mut moved = false;
        // One begins where the work of the one before ended.
        let mut now = None;
        while self.ending.is_none()
            && self.resting.is_none()
            && self.inbox.front().is_some_and(|frame| self.may_begin(frame))
        {
            let at = now.unwrap_or_else(|| self.broker.env.clock.monotonic());
            // Many that are quick or one that is long: what is left waits until others had their turn.
            if moved && at >= self.let_in_at {
                self.is_others_turn = true;
                break;
            }
            let Some(frame) = self.inbox.pop_front() else { break };
            moved = true;
            let (key, bytes) = (api::key_of(&frame), frame.len() + PREFIX_BYTES);
            let traced = self.broker.traces.samples().then(|| api::version_of(&frame));
            // A Produce behind another one, or before one that is here already.
            let is_joint = key == PRODUCE
                && (!self.joint.is_empty() || self.inbox.front().is_some_and(|next| api::is_produce(next)));
            let together = is_joint.then_some(&self.together);
            let then = match api::begin(&self.broker, &self.peer, frame, together) {
                Ok(begun) => {
                    self.timed = begun.timed;
                    self.rest_for(begun.throttled);
                    begun.then
                }
                Err(refused) => {
                    self.abandon(key);
                    self.write_together()?;
                    self.finish(refused.into());
                    break;
                }
            };
            let ended = self.broker.env.clock.monotonic();
            now = Some(ended);
            let request = Arrived { key, traced, bytes, came: self.inbox_since, began: at, parked: None };
            if let Then::AfterAppends(decide) = then {
                self.joint.push(Joint { request, decide });
                continue;
            }
            self.write_together()?;
            self.begun(request, then, ended)?;
        }
        self.write_together()?;
        Ok(moved)
    }

    /// Ends what is appended together: it is decided what becomes of those requests.
    fn write_together(&mut self) -> Result<(), End> {
        self.together.write();
        if self.joint.is_empty() {
            return Ok(());
        }
        let now = self.broker.env.clock.monotonic();
        let mut well = Ok(());
        for Joint { request, decide } in std::mem::take(&mut self.joint) {
            match well {
                Ok(()) => well = self.begun(request, decide(), now),
                // The connection ends with the one before.
                Err(_) => self.abandon(request.key),
            }
        }
        well
    }

    /// A request takes its place behind those that have begun before it.
    fn begun(&mut self, mut request: Arrived, then: Then<Answer>, now: Duration) -> Result<(), End> {
        if matches!(then, Then::Later(_) | Then::Gate(_)) || !self.parked.is_empty() {
            request.parked.get_or_insert(now);
        }
        match then {
            // Earlier replies are still waited for: this one is decided and keeps its place behind them.
            Then::Now(answer) if !self.parked.is_empty() => {
                let wait = Wait::Reply(Box::pin(std::future::ready(answer)));
                self.parked.push_back(Pending { request, wait });
            }
            Then::Now(answer) => self.reply(request, answer, now)?,
            Then::Later(wait) => self.parked.push_back(Pending { request, wait: Wait::Reply(wait) }),
            Then::Gate(wait) => self.parked.push_back(Pending { request, wait: Wait::Gate(wait) }),
            Then::Silent => self.observe_silent(request, now, false),
            Then::Close => {
                self.observe_silent(request, now, true);
                self.finish(End::SilentFailure);
            }
            Then::AfterAppends(decide) => self.begun(request, decide(), now)?,
            Then::Placing(wait, then) => {
                self.hold_until_placed(request, wait, &then);
                self.begun(request, *then, now)?;
            }
        }
        Ok(())
    }

    /// The order rule, and the bounds that hold a pipelining client.
    fn may_begin(&self, frame: &[u8]) -> bool {
        let (config, metrics) = (self.broker.config.load(), &self.broker.metrics);
        if self.output.bytes() > config.response_buffer_bytes_max {
            metrics.limit(Limit::ResponseBuffer).hits.increment(1);
            return false;
        }
        if !self.output.is_empty() && self.replies.is_full() {
            metrics.limit(Limit::ResponseBytes).hits.increment(1);
            return false;
        }
        if (self.parked.len() + self.joint.len()).max(self.placing.len())
            >= config.max_in_flight_requests_per_connection
        {
            metrics.limit(Limit::RequestsPerConnection).hits.increment(1);
            return false;
        }
        if api::is_produce(frame) {
            // If the last one parked is a Produce, all are: nothing else lets it begin before it is decided.
            let overlaps = |p: &Pending| p.request.key == PRODUCE && matches!(p.wait, Wait::Reply(_));
            return self.parked.back().is_none_or(overlaps);
        }
        self.parked.is_empty()
            && self.joint.is_empty()
            && !self.placing.iter().any(|placing| placing.is_silent)
    }

    fn reply(&mut self, request: Arrived, answer: Answer, now: Duration) -> Result<(), End> {
        self.rest_for(answer.throttled);
        let before = self.output.bytes();
        if before == 0 {
            self.last_taken = now;
        }
        let pushed = answer.frame.map_err(End::from).and_then(|frame| Ok(self.output.push(frame)?));
        pushed.inspect_err(|_| self.abandon(request.key))?;
        let bytes = self.output.bytes() - before;
        let metrics = self.broker.metrics.api(request.key);
        if !answer.errors.is_empty() {
            metrics.answered_errors(answer.errors.by_name());
        }
        metrics.observe(request.observed(bytes, now, !answer.errors.is_empty()));
        let replied = request.traced.map(|_| Box::new(Replied { bytes, error: answer.errors.first() }));
        self.unsent.push(request, bytes, now, replied);
        Ok(())
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        if self.output.is_empty() {
            return Ok(false);
        }
        let began = self.timed.as_ref().map(|_| self.broker.env.clock.monotonic());
        let written = self.output.poll_write(&self.stream, &self.broker.cold_reads, cx)?;
        self.count_time_since(began);
        match written {
            Poll::Ready(sent) => {
                self.last_active = self.broker.env.clock.monotonic();
                self.last_taken = self.last_active;
                self.count_sent(self.last_active);
                Ok(sent > 0)
            }
            Poll::Pending => Ok(false),
        }
    }

    /// Reads once and cuts the frames. While a frame waits to begin, nothing is read: the peer's window closes.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<bool, End> {
        if self.ending.is_some() || self.resting.is_some() || !self.inbox.is_empty() {
            self.paused = true;
            return Ok(false);
        }
        let may_grow = self.memory.may_grow();
        let holds_some = !self.received.is_empty() || !self.placing.is_empty();
        self.starved = !may_grow && holds_some;
        if self.starved {
            // Its own requests are in the way: that is not the peer's doing.
            self.paused |= !self.placing.is_empty();
            return Ok(false);
        }
        if std::mem::take(&mut self.paused)
            && let Some(partial) = &mut self.partial
        {
            partial.since = self.broker.env.clock.monotonic();
        }
        let frame_bytes_max = self.broker.config.load().socket_request_max_bytes;
        let room = match frame::split(&mut self.received, frame_bytes_max)? {
            Split::Frame(_) => unreachable!("every read cuts all whole frames"),
            Split::Missing(missing) if self.received.len() > READ_STEP_BYTES => {
                frame::growth(self.received.len(), missing, READ_STEP_BYTES)
            }
            Split::Missing(_) => READ_STEP_BYTES,
        };
        buffers::borrow(&mut self.received, room);
        // Small requests come in even when the memory of requests is full: they need none once they have begun.
        let most = if may_grow { usize::MAX } else { COPY_OUT_BELOW_BYTES - 1 };
        let read = pin!(self.stream.read_buf(&mut (&mut self.received).limit(most))).poll(cx);
        let Poll::Ready(read) = read else { return Ok(false) };
        if read? == 0 {
            self.finish(End::PeerClosed);
            return Ok(true);
        }
        self.last_active = self.broker.env.clock.monotonic();
        while let Split::Frame(frame) = frame::split(&mut self.received, frame_bytes_max)? {
            (self.partial, self.has_asked, self.inbox_is_own) = (None, true, false);
            self.inbox_since = self.last_active;
            self.broker.metrics.api(api::key_of(&frame)).arrived();
            self.inbox.push_back(frame);
        }
        self.partial = Partial::after(self.partial, self.last_active, self.received.len());
        Ok(true)
    }

    /// Ends the connection after what has begun is decided and sent; only for data nobody waits any longer. The first
    /// reason stands. A peer that sends no more may still read, so it is answered, too.
    fn finish(&mut self, end: End) {
        self.inbox.iter().for_each(|frame| self.abandon(api::key_of(frame)));
        self.inbox.clear();
        let fetches = self.parked.iter().filter(|pending| pending.request.key == FETCH);
        self.broker.metrics.api(FETCH).abandoned(fetches.count());
        self.parked.retain(|pending| pending.request.key != FETCH);
        self.ending.get_or_insert(end);
    }

    fn is_drained(&self) -> bool {
        self.parked.is_empty() && self.output.is_empty()
    }
}

const PRODUCE: i16 = ApiKey::Produce as i16;
const FETCH: i16 = ApiKey::Fetch as i16;
