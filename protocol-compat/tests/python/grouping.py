"""kafka-python as a member of a group, with its defaults: it subscribes, shares partitions, commits, and goes on where
it was."""

import threading
import time

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic

from suite import expect, expect_equal, make_producer, play

PARTITIONS = 6
COUNT = 120
SECONDS = 60


def make_topic(bootstrap, topic):
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    admin.close()


def write(bootstrap, topic, first, count):
    with make_producer(bootstrap) as producer:
        for i in range(first, first + count):
            producer.send(topic, str(i).encode(), partition=i % PARTITIONS)
        producer.flush()


def write_numbers(bootstrap, topic, first, count):
    write(bootstrap, topic, int(first), int(count))


def member(bootstrap, topic, **settings):
    return KafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id="readers", auto_offset_reset="earliest", **settings
    )


def take(consumer, count):
    """The values that come, until there are so many."""
    until = time.monotonic() + SECONDS
    values = []
    while len(values) < count:
        expect(time.monotonic() < until, "only", len(values), "of", count, "came in time")
        for records in consumer.poll(timeout_ms=200).values():
            values.extend(int(r.value) for r in records)
    return values


def alone(bootstrap, topic):
    """One member reads all, commits when it closes, and the next goes on behind that."""
    make_topic(bootstrap, topic)
    write(bootstrap, topic, 0, COUNT)
    first = member(bootstrap, topic)
    expect_equal(sorted(take(first, COUNT)), list(range(COUNT)), "what the first member read")
    expect_equal(len(first.assignment()), PARTITIONS, "its partitions")
    first.close()
    write(bootstrap, topic, COUNT, COUNT)
    second = member(bootstrap, topic)
    expect_equal(sorted(take(second, COUNT)), list(range(COUNT, 2 * COUNT)), "what the second read")
    second.commit()
    committed = {p: second.committed(TopicPartition(topic, p)) for p in range(PARTITIONS)}
    expect_equal(committed, {p: 2 * COUNT // PARTITIONS for p in range(PARTITIONS)}, "the committed offsets")
    second.close()


def together(bootstrap, topic):
    """Two members share the partitions; when one leaves the other has all."""
    make_topic(bootstrap, topic)
    members = [member(bootstrap, topic, client_id=f"member-{n}") for n in range(2)]
    stop = [threading.Event() for _ in members]
    seen = []

    def read(consumer, stopping):
        while not stopping.is_set():
            for records in consumer.poll(timeout_ms=100).values():
                seen.extend(int(r.value) for r in records)
        consumer.close()

    threads = [threading.Thread(target=read, args=pair) for pair in zip(members, stop)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + SECONDS
    while [len(m.assignment()) for m in members] != [PARTITIONS // 2] * 2:
        expect(time.monotonic() < until, "shared as", [m.assignment() for m in members])
        time.sleep(0.1)
    write(bootstrap, topic, 0, COUNT)
    while len(set(seen)) < COUNT:
        expect(time.monotonic() < until, "both together read", len(set(seen)))
        time.sleep(0.1)
    stop[0].set()
    threads[0].join(SECONDS)
    while len(members[1].assignment()) != PARTITIONS:
        expect(time.monotonic() < until, "left alone it has", members[1].assignment())
        time.sleep(0.1)
    stop[1].set()
    threads[1].join(SECONDS)
    expect_equal(sorted(seen), list(range(COUNT)), "what both read, nothing twice as they stopped in order")
    described(bootstrap)


def described(bootstrap):
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    groups = [group["group_id"] for group in admin.list_groups()]
    expect("readers" in groups, "the groups are", groups)
    admin.close()


if __name__ == "__main__":
    play({"alone": alone, "together": together, "write": write_numbers})
