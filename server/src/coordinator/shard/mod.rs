//! The runtime of a coordinator's partition: one state machine over one log, generic over the machine.
//!
//! ```text
//! request → decide → records + answers → append → [log durable] → answers leave
//! ```
//!
//! There is one writer at a time, under the shard's lock; answers are handed on when it is released. A request that
//! cannot be answered yet (a member waits for a rebalance) leaves a waiter with the machine and costs no task; all timers
//! of a shard are one heap and one task. Every answer, of a read too, leaves only when the last record that the machine
//! has taken in is durable: nobody learns of a commit that a crash can take back.
//!
//! When an append or a flush fails, the machine is dropped with everybody who waits, and made anew from what is durable
//! of the log. If the data directory is offline by then, it answers reads and no writes. This module must not know what
//! its machines are about, nor Kafka's messages.

mod core;
mod machine;
mod timers;

pub use self::core::{Core, LoadError, Turn};
pub use machine::{KeyValue, Machine, Now, Out, Waiter};

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use storage::{AppendError, Env, Log, Ticket};
use tokio::sync::{Notify, oneshot};

/// How long a shard that failed is left alone.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A timer that is further away is looked at again after this time.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

/// Why a shard does not answer. All of it passes, here or at another coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    #[error("the coordinator is still reading its log")]
    Loading,
    #[error("this coordinator is not there, or takes no writes")]
    Gone,
    #[error("the coordinator's log did not become durable in time")]
    TimedOut,
}

/// An answer, or the wait for it. What it waits for has begun, and ends even if the wait is dropped.
pub enum Pending<R> {
    Now(Result<R, ShardError>),
    Later(Pin<Box<dyn Future<Output = Result<R, ShardError>> + Send>>),
}

impl<R: Send + 'static> Pending<R> {
    pub fn failed(error: ShardError) -> Self {
        Self::Now(Err(error))
    }

    pub fn map<S: Send + 'static>(self, f: impl FnOnce(R) -> S + Send + 'static) -> Pending<S> {
        match self {
            Self::Now(result) => Pending::Now(result.map(f)),
            Self::Later(wait) => Pending::Later(Box::pin(async move { wait.await.map(f) })),
        }
    }

    pub async fn wait(self) -> Result<R, ShardError> {
        match self {
            Self::Now(result) => result,
            Self::Later(wait) => wait.await,
        }
    }
}

/// How far a shard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nobody asked for it yet, or it failed.
    Absent,
    /// It has read up to this offset of its log.
    Loading {
        next: i64,
        end: i64,
    },
    Live,
    Closed,
}

pub struct Shard<M: Machine> {
    inner: Arc<Inner<M>>,
}

impl<M: Machine> Clone for Shard<M> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

type MakeMachine<M> = Box<dyn Fn() -> M + Send + Sync>;

struct Inner<M: Machine> {
    log: Arc<Log>,
    env: Env,
    /// How long an answer may wait for the log.
    durable_timeout: Duration,
    make: MakeMachine<M>,
    state: Mutex<State<M>>,
    /// The log takes no writes until the broker is started again.
    is_offline: AtomicBool,
    loaded_to: AtomicI64,
    /// Rung when the task that waits for timers has to look again.
    look: Notify,
}

enum State<M: Machine> {
    Absent { not_before: Duration },
    Loading,
    Live(Box<Live<M>>),
    Closed,
}

struct Live<M: Machine> {
    core: Core<M>,
    /// Tells this machine from those that were here before it.
    life: u64,
    waiters: HashMap<Waiter, oneshot::Sender<Decided<M::Reply>>>,
    next_waiter: u64,
    /// When the task of the timers looks again by itself.
    looks_at: Option<Duration>,
}

/// An answer, and what must be durable before it leaves.
struct Decided<R> {
    reply: R,
    seen: Option<Ticket>,
    life: u64,
}

/// Answers on their way to those who waited, sent when the shard's lock is released.
type Outbox<R> = Vec<(oneshot::Sender<Decided<R>>, Decided<R>)>;

fn send<R>(outbox: Outbox<R>) {
    for (waiter, decided) in outbox {
        // Whoever is gone need not know.
        let _ = waiter.send(decided);
    }
}

impl<M: Machine> Shard<M> {
    /// A shard over `log`, which nothing reads yet.
    pub fn new(
        log: Arc<Log>,
        env: Env,
        durable_timeout: Duration,
        make: impl Fn() -> M + Send + Sync + 'static,
    ) -> Self {
        let inner = Inner {
            log,
            env,
            durable_timeout,
            make: Box::new(make),
            state: Mutex::new(State::Absent { not_before: Duration::ZERO }),
            is_offline: AtomicBool::new(false),
            loaded_to: AtomicI64::new(0),
            look: Notify::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    pub fn log(&self) -> &Arc<Log> {
        &self.inner.log
    }

    pub fn phase(&self) -> Phase {
        match &*self.inner.lock() {
            State::Absent { .. } => Phase::Absent,
            State::Loading => Phase::Loading {
                next: self.inner.loaded_to.load(Ordering::Relaxed),
                end: self.inner.log.high_watermark().0,
            },
            State::Live(_) => Phase::Live,
            State::Closed => Phase::Closed,
        }
    }

    /// Begins to load it, if nobody has.
    pub fn load(&self) {
        let mut state = self.inner.lock();
        // Whether it is live at once or not is no matter here.
        let _ = self.inner.live(&mut state);
    }

    /// Decides on a request at once; the answer may come late.
    pub fn write(&self, op: M::Op) -> Pending<M::Reply> {
        let inner = &self.inner;
        let mut state = inner.lock();
        if inner.is_offline.load(Ordering::Relaxed) {
            return Pending::failed(ShardError::Gone);
        }
        let live = match inner.live(&mut state) {
            Ok(live) => live,
            Err(error) => return Pending::failed(error),
        };
        let waiter = Waiter(live.next_waiter);
        live.next_waiter += 1;
        let turn = match live.core.decide(op, waiter, inner.now()) {
            Ok(turn) => turn,
            Err(error) => return Pending::failed(inner.fail(&mut state, &error)),
        };
        let (mut mine, outbox) = live.deliver(turn, Some(waiter));
        let wait = match mine.take() {
            Some(decided) => Ok(decided),
            None => {
                let (sender, receiver) = oneshot::channel();
                live.waiters.insert(waiter, sender);
                Err(receiver)
            }
        };
        inner.look_early(live);
        drop(state);
        send(outbox);
        match wait {
            Ok(decided) => inner.answer(decided),
            Err(receiver) => {
                let inner = inner.clone();
                Pending::Later(Box::pin(async move {
                    // The machine was dropped, and its waiters with it.
                    let decided = receiver.await.map_err(|_| ShardError::Gone)?;
                    inner.answer(decided).wait().await
                }))
            }
        }
    }

    /// Reads the state; the answer waits until what it saw is durable.
    pub fn read<R: Send + 'static>(&self, look: impl FnOnce(&M) -> R) -> Pending<R> {
        let mut state = self.inner.lock();
        let live = match self.inner.live(&mut state) {
            Ok(live) => live,
            Err(error) => return Pending::failed(error),
        };
        let reply = look(live.core.machine());
        let decided = Decided { reply, seen: live.core.seen(), life: live.life };
        drop(state);
        self.inner.answer(decided)
    }

    /// Looks at the state for the metrics, if it is there. It may not be durable yet.
    pub fn glance<R>(&self, look: impl FnOnce(&M) -> R) -> Option<R> {
        match &*self.inner.lock() {
            State::Live(live) => Some(look(live.core.machine())),
            _ => None,
        }
    }

    /// Ends everything: whoever waits is sent away, and no timer rings any more.
    pub fn close(&self) {
        *self.inner.lock() = State::Closed;
        self.inner.look.notify_one();
    }
}

impl<M: Machine> Live<M> {
    /// Sorts a turn's answers: one may be the caller's own.
    fn deliver(
        &mut self,
        turn: Turn<M::Reply>,
        caller: Option<Waiter>,
    ) -> (Option<Decided<M::Reply>>, Outbox<M::Reply>) {
        let (mut mine, mut outbox) = (None, Vec::new());
        for (waiter, reply) in turn.answers {
            let decided = Decided { reply, seen: turn.seen.clone(), life: self.life };
            if Some(waiter) == caller {
                mine = Some(decided);
            } else if let Some(sender) = self.waiters.remove(&waiter) {
                outbox.push((sender, decided));
            }
        }
        (mine, outbox)
    }
}

impl<M: Machine> Inner<M> {
    /// A machine whose turn panicked is thrown away: nobody knows what it took in.
    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(|poisoned| {
            self.state.clear_poison();
            let mut state = poisoned.into_inner();
            if matches!(*state, State::Live(_)) {
                *state = State::Absent { not_before: Duration::ZERO };
            }
            state
        })
    }

    fn now(&self) -> Now {
        Now { at: self.env.clock.monotonic(), wall_ms: self.env.clock.now_ms() }
    }

    /// The machine, if it is there. An absent one begins to load; one with nothing to read is there at once.
    fn live<'a>(self: &Arc<Self>, state: &'a mut State<M>) -> Result<&'a mut Live<M>, ShardError> {
        if let State::Absent { not_before } = state
            && *not_before <= self.env.clock.monotonic()
        {
            if self.log.start_offset() == self.log.high_watermark() {
                let loaded = Core::load((self.make)(), self.log.clone(), || self.now(), |_| {});
                self.loaded(state, loaded);
            } else {
                *state = State::Loading;
                self.begin_loading();
            }
        }
        match state {
            State::Live(live) => Ok(live),
            State::Loading => Err(ShardError::Loading),
            State::Absent { .. } | State::Closed => Err(ShardError::Gone),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "rare and long: it reads a whole log")]
    fn begin_loading(self: &Arc<Self>) {
        let inner = self.clone();
        tokio::task::spawn_blocking(move || {
            let began = inner.env.clock.monotonic();
            let step = |next: storage::Offset| inner.loaded_to.store(next.0, Ordering::Relaxed);
            let loaded = Core::load((inner.make)(), inner.log.clone(), || inner.now(), step);
            if loaded.is_ok() {
                let ms = (inner.env.clock.monotonic() - began).as_millis() as u64;
                tracing::info!(log = inner.log.dir_name(), end = %inner.log.high_watermark(), ms, "a coordinator is loaded");
            }
            let mut state = inner.lock();
            if matches!(*state, State::Loading) {
                inner.loaded(&mut state, loaded);
            }
        });
    }

    fn loaded(self: &Arc<Self>, state: &mut State<M>, loaded: Result<Core<M>, LoadError>) {
        let core = match loaded {
            Ok(core) => core,
            Err(error) => {
                tracing::error!(log = self.log.dir_name(), %error, "a coordinator cannot read its log");
                *state = State::Absent { not_before: self.env.clock.monotonic() + RETRY_AFTER };
                return;
            }
        };
        let life = self.env.random.next_u64();
        let (waiters, looks_at) = (HashMap::new(), None);
        *state = State::Live(Box::new(Live { core, life, waiters, next_waiter: 0, looks_at }));
        // A log that takes nothing is none to decide on.
        if !self.is_offline.load(Ordering::Relaxed) {
            tokio::spawn(self.clone().watch_timers(life));
        }
    }

    /// The machine is dropped. Says what its clients learn.
    fn fail(&self, state: &mut State<M>, error: &AppendError) -> ShardError {
        tracing::warn!(log = self.log.dir_name(), %error, "a coordinator starts over: its log took no records");
        match error {
            AppendError::Offline { .. } => self.is_offline.store(true, Ordering::Relaxed),
            AppendError::Closed | AppendError::Deleted => {
                *state = State::Closed;
                return ShardError::Gone;
            }
            _ => {}
        }
        *state = State::Absent { not_before: self.env.clock.monotonic() + RETRY_AFTER };
        self.look.notify_one();
        ShardError::Gone
    }

    /// As [`Inner::fail`], for who learns of it late: the machine of that life may be gone already.
    fn failed(&self, life: u64, error: &AppendError) -> ShardError {
        let mut state = self.lock();
        match &*state {
            State::Live(live) if live.life == life => self.fail(&mut state, error),
            _ => ShardError::Gone,
        }
    }

    fn answer<R: Send + 'static>(self: &Arc<Self>, decided: Decided<R>) -> Pending<R> {
        let Decided { reply, seen, life } = decided;
        let Some(ticket) = seen else { return Pending::Now(Ok(reply)) };
        let inner = self.clone();
        Pending::Later(Box::pin(async move {
            match tokio::time::timeout(inner.durable_timeout, ticket).await {
                Ok(Ok(_)) => Ok(reply),
                Ok(Err(error)) => Err(inner.failed(life, &error)),
                Err(_) => Err(ShardError::TimedOut),
            }
        }))
    }

    /// Wakes the task of the timers if one is due before it would look.
    fn look_early(&self, live: &Live<M>) {
        if let Some(next) = live.core.next_timer()
            && live.looks_at.is_none_or(|at| next < at)
        {
            self.look.notify_one();
        }
    }

    /// Lets timers ring for as long as the machine lives.
    async fn watch_timers(self: Arc<Self>, life: u64) {
        loop {
            let rang = {
                let mut state = self.lock();
                let State::Live(live) = &mut *state else { return };
                if live.life != life {
                    // The call was perhaps for the one that came after.
                    self.look.notify_one();
                    return;
                }
                let now = self.now();
                match live.core.ring(now) {
                    Ok(turn) => {
                        let (_, outbox) = live.deliver(turn, None);
                        let until = live.core.next_timer().map_or(SLEEP_MAX, |at| at.saturating_sub(now.at));
                        let until = until.min(SLEEP_MAX);
                        live.looks_at = Some(now.at + until);
                        Ok((outbox, until))
                    }
                    Err(error) => Err(self.fail(&mut state, &error)),
                }
            };
            let Ok((outbox, until)) = rang else { return };
            send(outbox);
            tokio::select! {
                () = tokio::time::sleep(until) => {}
                () = self.look.notified() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
