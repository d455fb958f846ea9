//! The controller over simulated files: what it answered is what the next life loads.

use std::convert::Infallible;
use std::path::PathBuf;

use storage::{DataDir, DataDirOptions, LeaderEpoch, LogConfig, LogId, TopicId};

use super::super::records::{BrokerStarted, ProducerIdsReserved};
use super::*;

const LOG: LogId = LogId { topic: TopicId([1; 16]), partition: 0 };

fn open(env: &Env) -> (Arc<DataDir>, Controller) {
    let dir = DataDir::open(env.clone(), PathBuf::from("/data"), DataDirOptions::default()).unwrap();
    let log = dir.open_log(LOG, "__cluster_metadata-0", LogConfig::default(), LeaderEpoch(0)).unwrap();
    let controller = Controller::load(log, env.clone()).unwrap();
    (dir, controller)
}

fn start(controller: &Controller) -> Arc<Seen> {
    let record = BrokerStarted { node_id: 1 };
    controller.execute(|_| Ok::<_, Infallible>((vec![record.into()], ()))).1
}

#[test]
fn every_life_loads_what_the_last_one_answered() {
    let (env, _files, _clock) = Env::simulated(7);
    for life in 0..5 {
        let (dir, controller) = open(&env);
        assert_eq!(controller.seen().image.producer_id_next(), life * 10);
        start(&controller);
        let next = (life + 1) * 10;
        let (answer, seen) =
            controller.execute(|_| Ok::<_, Infallible>((vec![ProducerIdsReserved { next }.into()], "done")));
        assert!(matches!(answer, Ok("done")));
        seen.last_append.clone().unwrap().wait().unwrap();
        assert!(seen.is_durable());
        assert_eq!(controller.seen().image.leader_epoch().0 as i64, life);
        dir.close();
    }
}

#[test]
fn a_refusal_changes_nothing() {
    let (env, _files, _clock) = Env::simulated(7);
    let (dir, controller) = open(&env);
    let before = start(&controller);
    let (answer, seen) = controller.execute(|_| Err::<(Vec<Record>, ()), _>("no"));
    assert!(matches!(answer, Err(CommandError::Refused("no"))));
    assert!(Arc::ptr_eq(&seen, &before));
    dir.close();
}
