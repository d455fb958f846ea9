"""librdkafka, by way of confluent-kafka: what every client of the suites does."""

import hashlib
import threading
import time

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

import librdkafka
from restarting import Written, begin, is_enough
from suite import FIRST_TIMESTAMP, SECONDS_TO_READ, expect, expect_equal, play, record, settled


def write_all(bootstrap, prefix, count, *codecs):
    for codec in codecs:
        librdkafka.write_records(bootstrap, f"{prefix}-{codec}", codec, 0, count)


def read_all(bootstrap, count, *topics):
    for topic in topics:
        librdkafka.read_records(bootstrap, topic, count)


def write(bootstrap, topic, values, **settings):
    """Writes values to partition 0 and returns what each was answered: an error, or an offset."""
    answers = {}

    def answered(number):
        def done(error, message):
            answers[number] = error.code() if error else message.offset()

        return done

    producer = Producer({"bootstrap.servers": bootstrap, **{name.replace("_", "."): v for name, v in settings.items()}})
    for number, value in enumerate(values):
        producer.produce(topic, value, partition=0, on_delivery=answered(number))
    expect_equal(producer.flush(SECONDS_TO_READ), 0, "what was not sent in time")
    return [answers[number] for number in range(len(values))]


def make_consumer(bootstrap, topic, offset=0, **settings):
    """A group has to be named, although none is used. An end of a partition is told, and so is an error."""
    settings = {name.replace("_", "."): v for name, v in settings.items()}
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False, **settings})
    consumer.assign([TopicPartition(topic, 0, offset)])
    return consumer


def take(consumer, count):
    taken = []
    until = time.monotonic() + SECONDS_TO_READ
    while len(taken) < count:
        expect(time.monotonic() < until, "only", len(taken), "of", count, "records came")
        for message in consumer.consume(count - len(taken), 0.5):
            expect_equal(message.error(), None, "the error of a message")
            taken.append(message)
    return taken


def values_from(bootstrap, topic, offset, count):
    consumer = make_consumer(bootstrap, topic, offset)
    found = [message.value() for message in take(consumer, count)]
    consumer.close()
    return found


def acknowledgements(bootstrap, topic):
    numbers = [b"%d" % i for i in range(30)]
    expect_equal(write(bootstrap, topic, numbers[:10], acks=1), list(range(10)), "the offsets of acks=1")
    expect_equal(write(bootstrap, topic, numbers[10:20], acks="all"), list(range(10, 20)), "the offsets of acks=all")
    write(bootstrap, topic, numbers[20:], acks=0)
    expect_equal(values_from(bootstrap, topic, 0, 30), numbers, "the values")


def idempotent(bootstrap, topic):
    numbers = [b"%d" % i for i in range(500)]
    answers = write(bootstrap, topic, numbers, enable_idempotence=True, linger_ms=1, batch_num_messages=7)
    expect_equal(answers, list(range(500)), "the offsets")
    expect_equal(values_from(bootstrap, topic, 0, 500), numbers, "the values")


def positions(bootstrap, topic):
    librdkafka.write_records(bootstrap, topic, "none", 0, 60)
    partition = TopicPartition(topic, 0)
    consumer = make_consumer(bootstrap, topic, OFFSET_BEGINNING)
    expect_equal(take(consumer, 60)[0].offset(), 0, "the first offset")
    expect_equal(consumer.get_watermark_offsets(partition, timeout=SECONDS_TO_READ), (0, 60), "the ends")
    consumer.seek(TopicPartition(topic, 0, 17))
    expect_equal(take(consumer, 43)[0].offset(), 17, "the offset that was sought")
    for asked, offset in [(0, 0), (30_000, 30), (30_001, 31), (59_000, 59), (60_000, OFFSET_END)]:
        wanted = TopicPartition(topic, 0, FIRST_TIMESTAMP + asked)
        [found] = consumer.offsets_for_times([wanted], timeout=SECONDS_TO_READ)
        expect_equal(found.offset, offset, f"the offset for {asked}")
    consumer.close()
    consumer = make_consumer(bootstrap, topic, OFFSET_END)
    expect_equal(consumer.consume(1, 1.0), [], "what comes at the end")
    librdkafka.write_records(bootstrap, topic, "none", 60, 1)
    expect_equal(take(consumer, 1)[0].offset(), 60, "the offset at the end")
    consumer.close()
    consumer = make_consumer(bootstrap, topic, 10_000, auto_offset_reset="error")
    [refused] = consumer.consume(1, SECONDS_TO_READ)
    expect_equal(refused.error().code(), KafkaError._AUTO_OFFSET_RESET, "the error beyond the end")
    consumer.close()


def empty_topic(bootstrap, topic):
    make_topic(AdminClient({"bootstrap.servers": bootstrap}), topic)
    consumer = make_consumer(bootstrap, topic, OFFSET_BEGINNING, enable_partition_eof=True)
    [end] = consumer.consume(1, SECONDS_TO_READ)
    expect_equal((end.error().code(), end.offset()), (KafkaError._PARTITION_EOF, 0), "the end of an empty topic")
    expect_equal(consumer.consume(1, 1.0), [], "what an empty topic gives")
    consumer.close()


def large(n, blocks):
    """Bytes that do not compress."""
    return b"".join(hashlib.sha256(b"%d %d" % (n, i)).digest() for i in range(blocks))


def large_records(bootstrap, topic):
    values = [large(n, 28_125) for n in range(3)]
    expect_equal(write(bootstrap, topic, values), [0, 1, 2], "the offsets")
    refused = write(bootstrap, topic, [b"x" * 1_100_000], message_max_bytes=4_000_000)
    expect_equal(refused, [KafkaError.MSG_SIZE_TOO_LARGE], "the error of a batch above message.max.bytes")
    expect_equal(write(bootstrap, topic, [b"after"]), [3], "the offset after it")
    expect(values_from(bootstrap, topic, 0, 4) == [*values, b"after"], "large values came back changed")

    larger = f"{topic}-5-mb"
    make_topic(AdminClient({"bootstrap.servers": bootstrap}), larger, {"max.message.bytes": "6000000"})
    values = [large(n, 156_250) for n in range(2)]
    expect_equal(write(bootstrap, larger, values, message_max_bytes=6_000_000), [0, 1], "the offsets")
    expect(values_from(bootstrap, larger, 0, 2) == values, "values of 5 MB came back changed")


def waited(futures):
    """What each resource is answered."""
    return {resource: future.result(SECONDS_TO_READ) for resource, future in futures.items()}


def refused(futures):
    """The code with which the only resource is refused."""
    [future] = futures.values()
    try:
        future.result(SECONDS_TO_READ)
    except KafkaException as e:
        return e.args[0].code()
    return None


def make_topic(admin, topic, settings=None, partitions=1):
    wish = NewTopic(topic, partitions, 1, config=settings or {})
    code = refused(admin.create_topics([wish]))
    settled(lambda: topic in admin.list_topics(timeout=SECONDS_TO_READ).topics, "the topic is not listed")
    return code


def everything_of_admin(bootstrap, topic):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    listed = lambda: admin.list_topics(timeout=SECONDS_TO_READ).topics
    expect(topic not in listed(), "the topic is there before it is made")
    expect_equal(make_topic(admin, topic, {"retention.ms": "-1"}, 3), None, "the error")
    expect_equal(make_topic(admin, topic), KafkaError.TOPIC_ALREADY_EXISTS, "the error of a second time")
    expect_equal(sorted(listed()[topic].partitions), [0, 1, 2], "the partitions")
    for wish, code in [
        (NewTopic("not/a/name", 1, 1), KafkaError.TOPIC_EXCEPTION),
        (NewTopic("wrong", 1, 3), KafkaError.INVALID_REPLICATION_FACTOR),
        (NewTopic("wrong", 1, 1, config={"retention.ms": "soon"}), KafkaError.INVALID_CONFIG),
    ]:
        expect_equal(refused(admin.create_topics([wish])), code, f"the error of {wish.topic}")
    expect_equal(refused(admin.create_topics([NewTopic("question", 1, 1)], validate_only=True)), None, "a question's error")
    expect("wrong" not in listed() and "question" not in listed(), "refused topics are listed")
    settings_of(admin, topic)
    cluster = admin.describe_cluster().result(SECONDS_TO_READ)
    expect_equal([f"{node.host}:{node.port}" for node in cluster.nodes], [bootstrap], "the brokers")
    expect(len(cluster.cluster_id) >= 16, "the cluster id", cluster.cluster_id)

    librdkafka.write_records(bootstrap, topic, "none", 0, 20)
    partition = TopicPartition(topic, 0)
    deleted = waited(admin.delete_records([TopicPartition(topic, 0, 7)]))
    expect_equal([found.low_watermark for found in deleted.values()], [7], "the low watermark")
    for spec, offset in [
        (OffsetSpec.earliest(), 7), (OffsetSpec.latest(), 20), (OffsetSpec.max_timestamp(), 19),
        (OffsetSpec.for_timestamp(FIRST_TIMESTAMP + 8500), 9),
    ]:
        asked = admin.list_offsets({partition: spec}, isolation_level=IsolationLevel.READ_COMMITTED)
        expect_equal([found.offset for found in waited(asked).values()], [offset], "a listed offset")
    consumer = make_consumer(bootstrap, topic, OFFSET_BEGINNING)
    expect_equal([message.offset() for message in take(consumer, 13)], list(range(7, 20)), "the records that are left")
    consumer.close()

    waited(admin.delete_topics([topic]))
    settled(lambda: topic not in listed(), "the deleted topic is listed")
    expect_equal(refused(admin.delete_topics([topic])), KafkaError.UNKNOWN_TOPIC_OR_PART, "the error of a second deletion")


def settings_of(admin, topic):
    """Described, altered one by one, altered all at once."""

    def resource(**settings):
        return ConfigResource(ResourceType.TOPIC, topic, **settings)

    def shown(name):
        [settings] = waited(admin.describe_configs([resource()])).values()
        return settings[name].value

    operation = ConfigEntry("retention.ms", "5000", incremental_operation=AlterConfigOpType.SET)
    waited(admin.incremental_alter_configs([resource(incremental_configs=[operation])]))
    settled(lambda: shown("retention.ms") == "5000", "the new setting is not shown")
    waited(admin.alter_configs([resource(set_config={"retention.ms": "-1", "cleanup.policy": "delete"})]))
    settled(lambda: shown("retention.ms") == "-1", "the newer setting is not shown")
    wrong = ConfigEntry("retention.ms", "soon", incremental_operation=AlterConfigOpType.SET)
    code = refused(admin.incremental_alter_configs([resource(incremental_configs=[wrong])]))
    expect_equal(code, KafkaError.INVALID_CONFIG, "the error of a wrong value")


def deleted_topic(bootstrap, topic):
    """A consumer is told that its topic is gone; what takes its place is read by one that is assigned to it anew."""
    librdkafka.write_records(bootstrap, topic, "none", 0, 20)
    consumer = make_consumer(bootstrap, topic, 0, auto_offset_reset="earliest")
    expect_equal(take(consumer, 20)[19].offset(), 19, "the last offset")
    admin = AdminClient({"bootstrap.servers": bootstrap})
    waited(admin.delete_topics([topic]))
    for message in consumer.consume(10, 1.5):
        expect(message.error() is not None, "a record came of a deleted topic")
        expect_equal(message.error().code(), KafkaError.UNKNOWN_TOPIC_OR_PART, "what is told of a deleted topic")
    make_topic(admin, topic)
    librdkafka.write_records(bootstrap, topic, "none", 0, 5)
    consumer.assign([TopicPartition(topic, 0, 0)])
    found = []
    until = time.monotonic() + SECONDS_TO_READ
    while len(found) < 5:
        expect(time.monotonic() < until, "only", found, "of the new topic came")
        # An error about the old one may still be under way.
        found.extend(message.offset() for message in consumer.consume(1, 0.5) if message.error() is None)
    expect_equal(found, list(range(5)), "the offsets of the new topic")
    consumer.close()


def more_partitions(bootstrap, topic):
    """A topic grows; what was written stays, and the new partition takes records."""
    librdkafka.write_records(bootstrap, topic, "none", 0, 5)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    waited(admin.create_partitions([NewPartitions(topic, 4)]))
    code = refused(admin.create_partitions([NewPartitions(topic, 2)]))
    expect_equal(code, KafkaError.INVALID_PARTITIONS, "the error of a smaller topic")
    partitions = lambda: admin.list_topics(topic, timeout=SECONDS_TO_READ).topics[topic].partitions
    settled(lambda: len(partitions()) == 4, "the topic has not grown")
    answers = []
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(topic, b"in the new one", partition=3, on_delivery=lambda *answer: answers.append(answer))
    producer.flush(SECONDS_TO_READ)
    [(error, message)] = answers
    expect_equal((error, message.partition(), message.offset()), (None, 3, 0), "where it was stored")
    librdkafka.read_records(bootstrap, topic, 5)


def through_a_restart(bootstrap, topic, guarantee):
    threads, written, failures = [], [], []
    for mode, settings in [("plain", {}), ("idempotent", {"enable.idempotence": True})]:
        of_mode = Written(mode, is_exact=mode == "idempotent" and guarantee == "exactly_once")
        written.append(of_mode)
        first = threading.Event()
        writing = (write_on, bootstrap, f"{topic}-{mode}", of_mode, settings, first)
        reading = (read_on, bootstrap, f"{topic}-{mode}", of_mode)
        for play_on, *words in (writing, reading):
            threads.append(threading.Thread(target=guarded, args=(failures, play_on, *words)))
            threads[-1].start()
            expect(first.wait(SECONDS_TO_READ), "the first record was not written")
    begin(topic)
    for thread in threads:
        thread.join()
    expect(not failures, "failed:", failures)
    for of_mode in written:
        of_mode.check()


def guarded(failures, play_on, *words):
    try:
        play_on(*words)
    except BaseException as e:
        failures.append(e)
        raise


def write_on(bootstrap, topic, written, settings, first):
    def answered(value):
        def done(error, message):
            if error is None:
                written.acknowledged(value, message.offset())
            else:
                written.failed(value, error)

        return done

    producer = Producer({"bootstrap.servers": bootstrap, **settings})
    while not is_enough():
        value = written.next_value()
        producer.produce(topic, b"%d" % value, partition=0, on_delivery=answered(value))
        if value == 0:
            producer.flush(SECONDS_TO_READ)
            first.set()
        producer.poll(0)
        written.pause()
    expect_equal(producer.flush(40), 0, "what was not sent in time")
    written.is_over.set()


def read_on(bootstrap, topic, written):
    consumer = make_consumer(bootstrap, topic, OFFSET_BEGINNING)
    end = None
    while end is None or len(written.found) < end:
        for message in consumer.consume(100, 0.2):
            expect_equal(message.error(), None, "the error of a message")
            written.found.append((message.offset(), int(message.value())))
        if end is None and written.is_over.is_set():
            end = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=SECONDS_TO_READ)[1]
        written.expect_time()
    consumer.close()


if __name__ == "__main__":
    play(
        {
            "write_all": write_all,
            "read_all": read_all,
            "acknowledgements": acknowledgements,
            "idempotent": idempotent,
            "positions": positions,
            "empty_topic": empty_topic,
            "large_records": large_records,
            "admin": everything_of_admin,
            "deleted_topic": deleted_topic,
            "more_partitions": more_partitions,
            "through_a_restart": through_a_restart,
        }
    )
