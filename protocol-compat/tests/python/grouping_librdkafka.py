"""librdkafka, by way of confluent-kafka, as a member of a group: with its defaults, cooperatively, and as a static
member."""

import time
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from grouping import COUNT, PARTITIONS, SECONDS, make_topic, write
from suite import expect, expect_equal, play


def member(bootstrap, topic, **settings):
    names = {name.replace("_", "."): value for name, value in settings.items()}
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "readers", "auto.offset.reset": "earliest", **names}
    )
    consumer.subscribe([topic])
    return consumer


def take(members, count, done=lambda: True):
    """The values that all members read, until there are so many and `done` says so."""
    until = time.monotonic() + SECONDS
    values = []
    while len(values) < count or not done():
        expect(time.monotonic() < until, "only", len(values), "of", count, [len(m.assignment()) for m in members])
        for consumer in members:
            for message in consumer.consume(COUNT, 0.1):
                expect_equal(message.error(), None, "the error of a message")
                values.append(int(message.value()))
    return values


def alone(bootstrap, topic):
    make_topic(bootstrap, topic)
    write(bootstrap, topic, 0, COUNT)
    first = member(bootstrap, topic)
    expect_equal(sorted(take([first], COUNT)), list(range(COUNT)), "what the first member read")
    first.close()
    write(bootstrap, topic, COUNT, COUNT)
    second = member(bootstrap, topic)
    expect_equal(sorted(take([second], COUNT)), list(range(COUNT, 2 * COUNT)), "what the second read")
    second.commit(asynchronous=False)
    committed = second.committed([TopicPartition(topic, p) for p in range(PARTITIONS)], SECONDS)
    expect_equal([p.offset for p in committed], [2 * COUNT // PARTITIONS] * PARTITIONS, "the committed offsets")
    second.close()


def cooperatively(bootstrap, topic):
    """A second member takes over half of the partitions while the first goes on with the rest."""
    make_topic(bootstrap, topic)
    how = {"partition_assignment_strategy": "cooperative-sticky", "session_timeout_ms": 6000}
    first = member(bootstrap, topic, **how)
    take([first], 0, lambda: len(first.assignment()) == PARTITIONS)
    second = member(bootstrap, topic, **how)
    both = [first, second]
    take(both, 0, lambda: [len(m.assignment()) for m in both] == [PARTITIONS // 2] * 2)
    write(bootstrap, topic, 0, COUNT)
    expect_equal(sorted(take(both, COUNT)), list(range(COUNT)), "what both read")
    second.close()
    take([first], 0, lambda: len(first.assignment()) == PARTITIONS)
    first.close()


def static(bootstrap, topic):
    """A static member that comes back has what it had, without a rebalance of the other."""
    make_topic(bootstrap, topic)
    first, second = (member(bootstrap, topic, group_instance_id=name) for name in ("one", "two"))
    both = [first, second]
    take(both, 0, lambda: [len(m.assignment()) for m in both] == [PARTITIONS // 2] * 2)
    before = sorted(p.partition for p in second.assignment())
    second.close()
    again = member(bootstrap, topic, group_instance_id="two")
    take([first, again], 0, lambda: len(again.assignment()) == PARTITIONS // 2)
    expect_equal(sorted(p.partition for p in again.assignment()), before, "what it has again")
    expect_equal(len(first.assignment()), PARTITIONS // 2, "what the other has all the while")
    again.close()
    first.close()


def through_kills(bootstrap, topic):
    """Two members read and commit while the broker is killed: each record is read, no commit that was answered is lost,
    and both are members again."""
    make_topic(bootstrap, topic)
    how = {"session_timeout_ms": 6000, "enable_auto_commit": False}
    both = [member(bootstrap, topic, **how) for _ in range(2)]
    take(both, 0, lambda: [len(m.assignment()) for m in both] == [PARTITIONS // 2] * 2)
    producer = Producer({"bootstrap.servers": bootstrap})
    until = time.monotonic() + SECONDS
    seen, committed, sent = set(), {}, 0
    while not (Path("over").exists() and len(seen) == sent and shares_all(both)):
        expect(time.monotonic() < until, "read", len(seen), "of", sent, [len(m.assignment()) for m in both])
        if not Path("over").exists():
            producer.produce(topic, str(sent).encode(), partition=sent % PARTITIONS)
            sent += 1
        producer.poll(0)
        for consumer in both:
            messages = [m for m in consumer.consume(COUNT, 0.02) if m.error() is None]
            seen.update(int(m.value()) for m in messages)
            if messages:
                note_commit(consumer, committed)
        if sent == COUNT:
            Path("reading").touch()
    expect_equal(producer.flush(SECONDS), 0, "what was not sent")
    kept = both[0].committed([TopicPartition(topic, p) for p in range(PARTITIONS)], SECONDS)
    for partition in kept:
        wanted = committed.get(partition.partition, 0)
        expect(partition.offset >= wanted, "partition", partition.partition, "has", partition.offset, "not", wanted)
    for consumer in both:
        consumer.close()


def shares_all(members):
    return sorted(p.partition for m in members for p in m.assignment()) == list(range(PARTITIONS))


def note_commit(consumer, committed):
    """Commits what was read; only what was answered counts."""
    try:
        for partition in consumer.commit(asynchronous=False):
            if partition.error is None:
                known = committed.get(partition.partition, 0)
                committed[partition.partition] = max(known, partition.offset)
    except KafkaException:
        pass


if __name__ == "__main__":
    play({
        "alone": alone, "cooperatively": cooperatively, "static": static, "through_kills": through_kills,
    })
