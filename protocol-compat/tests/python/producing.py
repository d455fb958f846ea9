"""kafka-python writes and reads back: every codec, every kind of acknowledgement, large records, older protocols, and
no settings at all."""

import hashlib

from kafka import KafkaAdminClient
from kafka.errors import MessageSizeTooLargeError

from suite import (
    NOT_IDEMPOTENT,
    check,
    expect,
    expect_equal,
    make_consumer,
    make_producer,
    play,
    settled,
    take,
    write,
)


def write_records(bootstrap, topic, codec, first, count):
    with make_producer(bootstrap, compression_type=None if codec == "none" else codec, linger_ms=20) as producer:
        write(producer, topic, int(first), int(count))


def make_topic(bootstrap, topic, compression):
    """A topic that keeps its batches in a codec of its own."""
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        settings = {"num_partitions": 1, "replication_factor": 1, "configs": {"compression.type": compression}}
        admin.create_topics({topic: settings})
        settled(lambda: topic in admin.list_topics(), "the topic is not listed")


def read_records(bootstrap, topic, count):
    consumer, partition = make_consumer(bootstrap, topic, auto_offset_reset="earliest")
    for offset, found in enumerate(take(consumer, int(count))):
        check(found, offset)
    expect_equal(consumer.end_offsets([partition]), {partition: int(count)}, "the end")
    consumer.close()


def nothing_but_the_address(bootstrap, topic):
    """Not one setting besides the address, on either side."""
    with make_producer(bootstrap) as producer:
        write(producer, topic, 0, 30)
    consumer, partition = make_consumer(bootstrap, topic)
    consumer.seek_to_beginning(partition)
    for offset, found in enumerate(take(consumer, 30)):
        check(found, offset)
    consumer.close()


def acknowledgements(bootstrap, topic):
    """All three kinds, one after the other on one topic, without idempotence; acks=0 learns no offset."""
    with make_producer(bootstrap, acks=1, **NOT_IDEMPOTENT) as producer:
        write(producer, topic, 0, 10)
    with make_producer(bootstrap, acks="all", **NOT_IDEMPOTENT) as producer:
        write(producer, topic, 10, 10)
    with make_producer(bootstrap, acks=0, **NOT_IDEMPOTENT) as producer:
        for i in range(10):
            producer.send(topic, f"unanswered {i}".encode(), partition=0).get(timeout=20)
        producer.flush()
    consumer, _ = make_consumer(bootstrap, topic, auto_offset_reset="earliest")
    found = take(consumer, 30)
    for offset in range(20):
        check(found[offset], offset)
    expect_equal([f.value for f in found[20:]], [f"unanswered {i}".encode() for i in range(10)], "acks=0")
    consumer.close()


def large_records(bootstrap, topic):
    """Values of 900 kB that do not compress, one a batch; and the client's own limit still holds."""
    values = [b"".join(hashlib.sha256(b"%d %d" % (n, i)).digest() for i in range(28_125)) for n in range(3)]
    with make_producer(bootstrap) as producer:
        for n, value in enumerate(values):
            expect_equal(len(value), 900_000, "the size of a large value")
            expect_equal(producer.send(topic, value, partition=0).get(timeout=30).offset, n, "the offset")
        try:
            producer.send(topic, b"x" * 1_100_000, partition=0).get(timeout=30)
            expect(False, "a record above max_request_size was sent")
        except MessageSizeTooLargeError:
            pass
    consumer, _ = make_consumer(bootstrap, topic, auto_offset_reset="earliest")
    expect([found.value for found in take(consumer, 3)] == values, "large values came back changed")
    consumer.close()


def too_large_for_the_broker(bootstrap, topic):
    """A batch above message.max.bytes is refused with its own error, and the next record goes through. (An idempotent
    kafka-python producer gives up after a refusal.)"""
    with make_producer(bootstrap, max_request_size=4_000_000, **NOT_IDEMPOTENT) as producer:
        expect_equal(producer.send(topic, b"small", partition=0).get(timeout=30).offset, 0, "the offset")
        try:
            producer.send(topic, b"x" * 1_100_000, partition=0).get(timeout=30)
            expect(False, "a batch above message.max.bytes was taken")
        except MessageSizeTooLargeError:
            pass
        expect_equal(producer.send(topic, b"after", partition=0).get(timeout=30).offset, 1, "the offset after it")


def as_older_client(bootstrap, topic, release):
    """Speaks only what a client of that release's days spoke."""
    version = tuple(int(part) for part in release.split("."))
    with make_producer(bootstrap, api_version=version, enable_idempotence=version >= (0, 11), acks="all") as producer:
        write(producer, topic, 0, 30)
    consumer, partition = make_consumer(bootstrap, topic, api_version=version, auto_offset_reset="earliest")
    for offset, found in enumerate(take(consumer, 30)):
        check(found, offset)
    expect_equal(consumer.end_offsets([partition]), {partition: 30}, "the end")
    consumer.close()


def through_losses(bootstrap, count, *topics):
    """Sends numbers, to each topic 0, 1, ... in turn, in small batches, through connections that break; every send
    succeeds in the end."""
    with make_producer(
        bootstrap, enable_idempotence=True, batch_size=300, linger_ms=1, retry_backoff_ms=5, reconnect_backoff_ms=5,
        reconnect_backoff_max_ms=20,
    ) as producer:
        sent = []
        for i in range(int(count)):
            sent.append(producer.send(topics[i % len(topics)], b"%d" % (i // len(topics)), partition=0))
        for future in sent:
            future.get(timeout=40)


if __name__ == "__main__":
    play(
        {
            "write_records": write_records,
            "read_records": read_records,
            "make_topic": make_topic,
            "nothing_but_the_address": nothing_but_the_address,
            "acknowledgements": acknowledgements,
            "large_records": large_records,
            "too_large_for_the_broker": too_large_for_the_broker,
            "as_older_client": as_older_client,
            "through_losses": through_losses,
        }
    )
