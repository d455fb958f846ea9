//! Requests that write: Produce beyond what its batches decide (those have a comparison of their own), DeleteRecords,
//! InitProducerId.

use super::script::{Script, id, topic};
use crate::differential::batch::{Batch, Form, Record};
use bytes::Bytes;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

/// The first version that names topics by their ids.
const BY_ID_FROM: i16 = 13;

fn batch(now: i64, count: i32) -> Bytes {
    let records: Vec<Record> =
        (0..count).map(|at| Record::new(at, Some(b"key"), Some(format!("value {at}").as_bytes()))).collect();
    Batch::of(Form::Plain, now, &records).encode().into()
}

fn data(v: i16, name: &str, partitions: &[(i32, Option<Bytes>)]) -> TopicProduceData {
    let one = |(index, records): &(i32, Option<Bytes>)| {
        PartitionProduceData::default().with_index(*index).with_records(records.clone())
    };
    let data = TopicProduceData::default().with_partition_data(partitions.iter().map(one).collect());
    if v >= BY_ID_FROM { data.with_topic_id(id(name)) } else { data.with_name(topic(name)) }
}

fn request(acks: i16, topics: Vec<TopicProduceData>) -> ProduceRequest {
    ProduceRequest::default().with_acks(acks).with_timeout_ms(30_000).with_topic_data(topics)
}

pub(super) fn produce(script: &mut Script, now: i64) {
    let one = batch(now, 1);
    let some = |records: &Bytes| Some(records.clone());
    for acks in [-1, 1, 0] {
        script.ask(&format!("acks {acks}"), |v| {
            request(acks, vec![data(v, "plain", &[(0, Some(batch(now, 3)))])])
        });
    }
    for acks in [2, -2, i16::MAX] {
        script.ask(&format!("acks {acks}"), |v| request(acks, vec![data(v, "plain", &[(0, some(&one))])]));
    }
    script.ask("several partitions", |v| {
        request(-1, vec![data(v, "plain", &[(1, some(&one)), (0, some(&one)), (2, some(&one))])])
    });
    script.ask("several topics, some wrong", |v| {
        request(
            -1,
            vec![
                data(v, "plain", &[(9, some(&one))]),
                data(v, "compacted", &[(0, some(&one))]),
                data(v, "absent", &[(0, some(&one))]),
            ],
        )
    });
    script.ask("unknown partition", |v| request(-1, vec![data(v, "plain", &[(3, some(&one))])]));
    script.ask("negative partition", |v| request(-1, vec![data(v, "plain", &[(-1, some(&one))])]));
    script.ask("unknown topic", |v| request(-1, vec![data(v, "absent", &[(0, some(&one))])]));
    script.ask("unknown topic, acks 0", |v| request(0, vec![data(v, "absent", &[(0, some(&one))])]));
    script.ask("internal topic", |v| request(-1, vec![data(v, "__share_group_state", &[(0, some(&one))])]));
    script.ask("no topics", |_| request(-1, Vec::new()));
    script.ask("no topics, acks 0", |_| request(0, Vec::new()));
    script.ask("no partitions", |v| request(-1, vec![data(v, "plain", &[])]));
    script.ask_of(&[3, 13], "null records", |v| request(-1, vec![data(v, "plain", &[(0, None)])]));
    script.ask("empty records", |v| request(-1, vec![data(v, "plain", &[(0, Some(Bytes::new()))])]));
    script.ask("timeout 0", |v| request(1, vec![data(v, "plain", &[(0, some(&one))])]).with_timeout_ms(0));
    script.ask("timeout -1", |v| request(1, vec![data(v, "plain", &[(0, some(&one))])]).with_timeout_ms(-1));
    script.ask("too large for the topic", |v| {
        request(-1, vec![data(v, "small", &[(0, Some(batch(now, 100)))])])
    });
    script.ask("a transaction that is none", |v| {
        let transactional = StrBytes::from_static_str("transaction");
        request(-1, vec![data(v, "plain", &[(0, some(&one))])])
            .with_transactional_id(Some(TransactionalId(transactional)))
    });
    script.ask("bad names", |v| {
        let named = |name: &str| {
            TopicProduceData::default()
                .with_name(topic(name))
                .with_partition_data(vec![PartitionProduceData::default().with_records(some(&one))])
        };
        if v >= BY_ID_FROM {
            let nil = data(v, "plain", &[(0, some(&one))]).with_topic_id(Uuid::nil());
            return request(-1, vec![nil]);
        }
        request(-1, vec![named(""), named("a b"), named(".")])
    });
    for twice in [1, 2] {
        let producer = Batch::of(Form::Plain, now, &[Record::new(0, None, Some(b"once"))]);
        script.ask(&format!("idempotent, time {twice}"), |v| {
            let records = producer.clone().produced_by(9_000 + i64::from(v), 0, 0).encode();
            request(-1, vec![data(v, "plain", &[(2, Some(records.into()))])])
        });
    }
    script.ask("a sequence behind a gap", |v| {
        let records = Batch::of(Form::Plain, now, &[Record::new(0, None, Some(b"late"))]).produced_by(
            9_000 + i64::from(v),
            0,
            7,
        );
        request(-1, vec![data(v, "plain", &[(2, Some(records.encode().into()))])])
    });
}

pub(super) fn delete_records(script: &mut Script) {
    let cut = |topics: &[(&str, &[(i32, i64)])]| {
        let partition = |(index, offset): &(i32, i64)| {
            DeleteRecordsPartition::default().with_partition_index(*index).with_offset(*offset)
        };
        let one = |(name, partitions): &(&str, &[(i32, i64)])| {
            DeleteRecordsTopic::default()
                .with_name(topic(name))
                .with_partitions(partitions.iter().map(partition).collect())
        };
        DeleteRecordsRequest::default().with_topics(topics.iter().map(one).collect()).with_timeout_ms(30_000)
    };
    script.ask("to 3", |_| cut(&[("plain", &[(1, 3)])]));
    script.ask("to 2, below the start", |_| cut(&[("plain", &[(1, 2)])]));
    script.ask("to the end", |_| cut(&[("plain", &[(2, -1)])]));
    script.ask("several", |_| cut(&[("plain", &[(1, 4), (0, 2)]), ("cut", &[(0, -1), (1, 0)])]));
    for offset in [-2, i64::MIN, i64::MAX, 1] {
        script.ask(&format!("an empty log to {offset}"), |_| cut(&[("empty", &[(0, offset)])]));
    }
    script.ask("unknown partition", |_| cut(&[("plain", &[(3, 0)])]));
    script.ask("negative partition", |_| cut(&[("plain", &[(-1, 0)])]));
    script.ask("unknown topic", |_| cut(&[("absent", &[(0, 0)])]));
    script.ask("bad name", |_| cut(&[("a b", &[(0, 0)]), ("", &[(0, 0)])]));
    script.ask("compacted", |_| cut(&[("compacted", &[(0, 0)])]));
    script.ask("internal", |_| cut(&[("__share_group_state", &[(0, 0)])]));
    script.ask("a partition twice", |_| cut(&[("plain", &[(1, 4), (1, 3)])]));
    script.ask("a topic twice", |_| cut(&[("plain", &[(1, 4)]), ("plain", &[(0, 2)])]));
    script.ask("none", |_| cut(&[]));
    script.ask("no partitions", |_| cut(&[("plain", &[])]));
}

pub(super) fn producer_ids(script: &mut Script) {
    let plain =
        || InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60_000);
    script.ask("idempotent", |_| plain());
    script.ask("timeout 0", |_| plain().with_transaction_timeout_ms(0));
    script.ask("timeout -1", |_| plain().with_transaction_timeout_ms(-1));
    script.ask("empty transactional id", |_| plain().with_transactional_id(Some(TransactionalId::default())));
    for (id, epoch) in [(5, 0), (5, -1), (-1, 0), (-1, -1), (-2, -2), (i64::MAX, i16::MAX), (0, 0)] {
        script.ask(&format!("had id {id}, epoch {epoch}"), |_| {
            plain().with_producer_id(ProducerId(id)).with_producer_epoch(epoch)
        });
    }
    script.ask("again", |_| plain());
    script.ask("and again", |_| plain().with_transaction_timeout_ms(i32::MAX));
}
