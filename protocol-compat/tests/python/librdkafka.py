"""librdkafka, by way of confluent-kafka, writes the records that every client of the suites writes, and reads them."""

import time

from confluent_kafka import TIMESTAMP_CREATE_TIME, Consumer, Producer, TopicPartition

from suite import SECONDS_TO_READ, expect, expect_equal, play, record


def write_records(bootstrap, topic, codec, first, count):
    stored = []
    producer = Producer({"bootstrap.servers": bootstrap, "compression.type": codec, "linger.ms": 20})
    for i in range(int(first), int(first) + int(count)):
        key, value, headers, timestamp = record(i)
        producer.produce(
            topic, value, key, partition=0, timestamp=timestamp, headers=headers,
            on_delivery=lambda error, message, wanted=i: stored.append((error, message.offset(), wanted)),
        )
    expect_equal(producer.flush(SECONDS_TO_READ), 0, "what was not sent in time")
    expect_equal(len(stored), int(count), "how many were answered")
    for error, offset, wanted in stored:
        expect_equal((error, offset), (None, wanted), "where a record was stored")


def read_records(bootstrap, topic, count):
    # A group has to be named, although none is used: the partition is assigned by hand and nothing is committed.
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found = []
    until = time.monotonic() + SECONDS_TO_READ
    while len(found) < int(count):
        expect(time.monotonic() < until, "only", len(found), "of", count, "records came")
        found.extend(consumer.consume(int(count) - len(found), 0.5))
    for offset, message in enumerate(found):
        expect_equal(message.error(), None, f"the error at {offset}")
        key, value, headers, timestamp = record(offset)
        expect_equal(message.offset(), offset, "the offset")
        expect_equal(message.key(), key, f"the key at {offset}")
        expect_equal(message.value(), value, f"the value at {offset}")
        expect_equal(message.headers() or [], headers, f"the headers at {offset}")
        expect_equal(message.timestamp(), (TIMESTAMP_CREATE_TIME, timestamp), f"the timestamp at {offset}")
    _, end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=SECONDS_TO_READ)
    expect_equal(end, int(count), "the end")
    consumer.close()


def through_losses(bootstrap, count, *topics):
    """Sends numbers, to each topic 0, 1, ... in turn, in small batches, through connections that break; every send
    succeeds in the end."""
    answers = []
    producer = Producer({
        "bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 1, "batch.num.messages": 5,
        "retry.backoff.ms": 1, "retry.backoff.max.ms": 10, "reconnect.backoff.ms": 1, "reconnect.backoff.max.ms": 10,
    })
    for i in range(int(count)):
        producer.produce(
            topics[i % len(topics)], b"%d" % (i // len(topics)), partition=0,
            on_delivery=lambda error, message: answers.append(error),
        )
        producer.poll(0)
    expect_equal(producer.flush(40), 0, "what was not sent in time")
    expect_equal(len(answers), int(count), "how many were answered")
    expect_equal(set(answers), {None}, "the errors")


if __name__ == "__main__":
    play({"write_records": write_records, "read_records": read_records, "through_losses": through_losses})
