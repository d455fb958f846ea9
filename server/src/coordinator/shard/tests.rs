//! The runtime with a machine that counts: answers leave when their records are durable, failures start over.

use std::path::PathBuf;

use storage::{DataDir, DataDirOptions, Durability, Flushing, LeaderEpoch, LogConfig, LogId, TopicId};

use super::*;

const LOG: LogId = LogId { topic: TopicId([1; 16]), partition: 0 };
/// Ten times what anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Counts; its count is its log's number of records.
#[derive(Default)]
struct Counter {
    count: u64,
    waiting: Vec<Waiter>,
}

enum Op {
    Count,
    /// Answered with the next count, or by the timer.
    Wait,
    Panic,
}

impl Machine for Counter {
    type Op = Op;
    type Reply = u64;
    type Timer = ();

    fn decide(&mut self, op: Op, waiter: Waiter, now: Now, out: &mut Out<Self>) {
        match op {
            Op::Count => {
                self.count += 1;
                out.record(KeyValue { key: b"k".to_vec(), value: Some(b"v".to_vec()) });
                out.answer(waiter, self.count);
                self.waiting.drain(..).for_each(|waiter| out.answer(waiter, self.count));
            }
            Op::Wait => {
                self.waiting.push(waiter);
                out.set_timer((), now.at + Duration::from_millis(50));
            }
            Op::Panic => panic!("a bug"),
        }
    }

    fn ring(&mut self, _: (), _: Now, out: &mut Out<Self>) {
        self.waiting.drain(..).for_each(|waiter| out.answer(waiter, self.count));
    }

    fn replay(&mut self, key: &[u8], _: Option<&[u8]>) -> Result<(), String> {
        if key != b"k" {
            return Err("not mine".to_owned());
        }
        self.count += 1;
        Ok(())
    }

    fn loaded(&mut self, _: Now, _: &mut Out<Self>) {}
}

fn open(env: &Env, flushing: Flushing) -> (Arc<DataDir>, Shard<Counter>) {
    let options = DataDirOptions { flushing, ..DataDirOptions::default() };
    let dir = DataDir::open(env.clone(), PathBuf::from("/data"), options).unwrap();
    let config = LogConfig { durability: Durability::Durable, ..LogConfig::default() };
    let log = dir.open_log(LOG, "counter-0", config, LeaderEpoch(0)).unwrap();
    // The clock of the machine, so that its timers ring by themselves.
    let env = Env { clock: Env::real().clock, ..env.clone() };
    (dir, Shard::new(log, env, PATIENCE, Counter::default))
}

/// Simulated files, which no thread flushes unless the test does.
fn env() -> Env {
    Env::simulated(7).0
}

async fn within<T>(wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.expect("in time")
}

async fn live(shard: &Shard<Counter>) -> u64 {
    let deadline = PATIENCE.as_millis() / 10;
    for _ in 0..deadline {
        match shard.read(|counter| counter.count).wait().await {
            Ok(count) => return count,
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    panic!("the shard does not come back: {:?}", shard.phase())
}

#[tokio::test]
async fn what_is_answered_is_what_the_next_life_loads() {
    let env = env();
    for life in 0..3u64 {
        let (dir, shard) = open(&env, Flushing::Thread);
        assert_eq!(live(&shard).await, life * 2);
        assert_eq!(within(shard.write(Op::Count).wait()).await, Ok(life * 2 + 1));
        assert_eq!(within(shard.write(Op::Count).wait()).await, Ok(life * 2 + 2));
        shard.close();
        dir.close();
    }
}

#[tokio::test]
async fn no_answer_leaves_before_what_it_saw_is_durable() {
    let env = env();
    let (dir, shard) = open(&env, Flushing::Manual);
    assert_eq!(within(shard.read(|counter| counter.count).wait()).await, Ok(0), "nothing to wait for");
    let waiting = shard.write(Op::Wait);
    let written = shard.write(Op::Count);
    let read = shard.read(|counter| counter.count);
    let (mut waiting, mut written, mut read) =
        (Box::pin(waiting.wait()), Box::pin(written.wait()), Box::pin(read.wait()));
    let soon = Duration::from_millis(100);
    assert!(tokio::time::timeout(soon, &mut written).await.is_err(), "a write");
    assert!(tokio::time::timeout(soon, &mut read).await.is_err(), "a read that saw it");
    assert!(tokio::time::timeout(soon, &mut waiting).await.is_err(), "who waited for it");
    dir.flush();
    assert_eq!((within(written).await, within(read).await, within(waiting).await), (Ok(1), Ok(1), Ok(1)));
    dir.close();
}

#[tokio::test]
async fn timers_ring_by_themselves() {
    let env = env();
    let (dir, shard) = open(&env, Flushing::Thread);
    assert_eq!(within(shard.write(Op::Wait).wait()).await, Ok(0));
    dir.close();
}

#[tokio::test]
async fn a_closed_shard_sends_everybody_away() {
    let env = env();
    let (dir, shard) = open(&env, Flushing::Thread);
    assert_eq!(live(&shard).await, 0);
    let waiting = shard.write(Op::Wait);
    shard.close();
    assert_eq!(within(waiting.wait()).await, Err(ShardError::Gone));
    assert_eq!(within(shard.write(Op::Count).wait()).await, Err(ShardError::Gone));
    dir.close();
}

#[tokio::test]
async fn a_bug_costs_a_machine_and_not_its_log() {
    let env = env();
    let (dir, shard) = open(&env, Flushing::Thread);
    assert_eq!(within(shard.write(Op::Count).wait()).await, Ok(1));
    let hit = shard.clone();
    assert!(tokio::task::spawn(async move { hit.write(Op::Panic).wait().await }).await.is_err());
    assert_eq!(live(&shard).await, 1);
    dir.close();
}

#[tokio::test]
async fn after_a_failed_flush_it_reads_and_does_not_write() {
    let (env, files, _clock) = Env::simulated(7);
    let (dir, shard) = open(&env, Flushing::Manual);
    let kept = shard.write(Op::Count);
    dir.flush();
    assert_eq!(within(kept.wait()).await, Ok(1));
    let (lost, waiting) = (shard.write(Op::Count), shard.write(Op::Wait));
    files.fail_durable_after(1);
    dir.flush();
    assert_eq!(within(lost.wait()).await, Err(ShardError::Gone));
    assert_eq!(within(waiting.wait()).await, Err(ShardError::Gone));
    assert_eq!(live(&shard).await, 1, "what was durable, and nothing else");
    assert_eq!(within(shard.write(Op::Count).wait()).await, Err(ShardError::Gone));
    dir.close();
}
