//! A topic changes between durable and relaxed while it is written, and the process is killed in between: nothing that was
//! acknowledged is lost, and the settings of the next life are those of the last reply, or of the request behind it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use protocol_compat::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol_compat::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol_compat::messages::{
    DescribeConfigsRequest, IncrementalAlterConfigsRequest, ProduceRequest, StrBytes,
    describe_configs_request::DescribeConfigsResource,
};
use storage::BatchHeader;
use storage::env::SimRandom;

use crate::SEED;
use crate::process::{Client, Home, Process, Spec, topic_name};
use crate::produce::{BatchId, batches_of, call_fetch};
use crate::requests;

const TOPIC: &str = "switched";
const KILLS: u64 = 8;
const MODES: [&str; 2] = ["relaxed", "durable"];

#[test]
fn nothing_acknowledged_is_lost_while_the_mode_changes() {
    let home = Home::new("switching");
    let mut spec = Spec::new(&home, &["log.segment.bytes=1048576", "log.dir.min.free.bytes=0"]);
    let mut process = Process::start(&spec);
    spec.port = process.port;
    process.client().create(TOPIC, 1, ("durability", "durable"));
    let random = SimRandom::new(SEED);
    let (mut acknowledged, mut switches) = (Vec::new(), 0);
    for life in 0..KILLS {
        let killed = AtomicBool::new(false);
        let (port, run) = (process.port, Duration::from_millis(50 + random.below(250)));
        let (wanted, asked) = std::thread::scope(|scope| {
            let producer = scope.spawn(|| produce(port, TOPIC, life, &killed));
            let switcher = scope.spawn(|| switch(port, &killed));
            std::thread::sleep(run);
            killed.store(true, Ordering::SeqCst);
            process.kill();
            acknowledged.extend(producer.join().unwrap());
            switcher.join().unwrap()
        });
        switches += asked;
        drop(process);
        process = Process::start(&spec);
        let mut client = process.client();
        let mode = described(&mut client);
        assert!(wanted.is_none_or(|(answered, sent)| mode == answered || mode == sent), "{mode}, {wanted:?}");
        check(&mut client, TOPIC, &acknowledged);
    }
    assert!(switches > KILLS && acknowledged.len() as u64 > KILLS, "{switches}, {}", acknowledged.len());
}

/// One batch after the other until the connection ends; answers where each acknowledged one stands.
pub(crate) fn produce(port: u16, topic: &str, producer: u64, killed: &AtomicBool) -> Vec<(i64, BatchId)> {
    let mut acknowledged = Vec::new();
    let ended = produce_on(port, topic, producer, &mut acknowledged);
    assert!(killed.load(Ordering::SeqCst), "cut off before the kill: {ended:?}");
    acknowledged
}

fn produce_on(
    port: u16,
    topic: &str,
    producer: u64,
    acknowledged: &mut Vec<(i64, BatchId)>,
) -> io::Result<()> {
    let mut client = Client::connect(port)?;
    for number in 0.. {
        let batch = BatchId { producer, number };
        let data = PartitionProduceData::default().with_records(Some(batch.bytes()));
        let data = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
        let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(20_000);
        client.send(9, &request.with_topic_data(vec![data]))?;
        let reply = client.receive::<ProduceRequest>(9)?;
        let answer = &reply.responses[0].partition_responses[0];
        assert_eq!(answer.error_code, 0, "{answer:?}");
        acknowledged.push((answer.base_offset, batch));
    }
    Ok(())
}

/// Changes the mode until the connection ends. Answers the last mode that was answered and the one asked for behind it,
/// and how often it was changed.
fn switch(port: u16, killed: &AtomicBool) -> (Option<(&'static str, &'static str)>, u64) {
    let mut last = None;
    let mut answers = 0;
    let ended = (|| -> io::Result<()> {
        let mut client = Client::connect(port)?;
        for mode in MODES.into_iter().cycle() {
            last = last.map(|(answered, _)| (answered, mode));
            client.send(1, &set_durability(mode))?;
            let reply = client.receive::<IncrementalAlterConfigsRequest>(1)?;
            assert_eq!(reply.responses[0].error_code, 0, "{reply:?}");
            last = Some((mode, mode));
            answers += 1;
        }
        Ok(())
    })();
    assert!(killed.load(Ordering::SeqCst), "cut off before the kill: {ended:?}");
    (last, answers)
}

fn set_durability(mode: &'static str) -> IncrementalAlterConfigsRequest {
    let config = AlterableConfig::default()
        .with_name(StrBytes::from_static_str("durability"))
        .with_value(Some(StrBytes::from_static_str(mode)));
    let resource = AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(StrBytes::from_static_str(TOPIC))
        .with_configs(vec![config]);
    IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
}

fn described(client: &mut Client) -> String {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(StrBytes::from_static_str(TOPIC))
        .with_configuration_keys(Some(vec![StrBytes::from_static_str("durability")]));
    let reply = client.call(4, &DescribeConfigsRequest::default().with_resources(vec![resource]));
    reply.results[0].configs[0].value.as_ref().unwrap().to_string()
}

/// Every acknowledged batch stands at its offset with its bytes.
pub(crate) fn check(client: &mut Client, topic: &str, acknowledged: &[(i64, BatchId)]) {
    let mut found = std::collections::BTreeMap::new();
    let mut next = 0;
    loop {
        let request = requests::fetch(topic_name(topic), &[(0, next)], 0, 4 << 20);
        let (_, batches, high_watermark) = batches_of(call_fetch(client, &request)).remove(0);
        for batch in &batches {
            let header = BatchHeader::parse(batch).unwrap();
            assert_eq!(header.base_offset.0, next, "offsets are continuous");
            found.insert(header.base_offset.0, batch.clone());
            next = header.next_offset().0;
        }
        if next >= high_watermark {
            break;
        }
        assert!(!batches.is_empty(), "nothing comes at {next} of {high_watermark}");
    }
    for (offset, batch) in acknowledged {
        let stored =
            found.get(offset).unwrap_or_else(|| panic!("{batch:?}, acknowledged at {offset}, is lost"));
        assert_eq!(stored[16..], batch.bytes()[16..], "the bytes of {batch:?}");
    }
}
