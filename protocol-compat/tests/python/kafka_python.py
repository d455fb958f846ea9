"""kafka-python, the current release and 2.0.2 alike: what every client of the suites does."""

import threading

from kafka import KafkaAdminClient
from kafka.errors import InvalidPartitionsError, KafkaError, KafkaTimeoutError, TopicAlreadyExistsError

import administering_2_0
import consuming
import producing
from restarting import Written, begin, is_enough
from suite import (
    HAS_IDEMPOTENCE,
    NOT_IDEMPOTENT,
    SECONDS_TO_READ,
    check,
    expect,
    expect_equal,
    expect_raised,
    make_consumer,
    make_producer,
    play,
    settled,
    take,
    write,
)


def write_all(bootstrap, prefix, count, *codecs):
    for codec in codecs:
        producing.write_records(bootstrap, f"{prefix}-{codec}", codec, 0, count)


def read_all(bootstrap, count, *topics):
    for topic in topics:
        producing.read_records(bootstrap, topic, count)


def idempotent(bootstrap, topic):
    with make_producer(bootstrap, enable_idempotence=True, linger_ms=5) as producer:
        write(producer, topic, 0, 60)
    producing.read_records(bootstrap, topic, 60)


def create(admin, topic, settings=None):
    """Makes a topic, unless a consumer's question has done so."""
    wish = administering_2_0.wish(topic, settings) if not HAS_IDEMPOTENCE else {
        topic: {"num_partitions": 1, "replication_factor": 1, "configs": settings or {}}
    }
    try:
        admin.create_topics(wish)
    except TopicAlreadyExistsError:
        pass
    settled(lambda: topic in admin.list_topics(), "the topic is not listed")


def five_megabytes(bootstrap, topic):
    """A topic, a producer and nothing else that allow for it: a consumer takes one batch above its limits."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    create(admin, topic, {"max.message.bytes": "6000000"})
    admin.close()
    values = [bytes([n]) * 5_000_000 for n in range(2)]
    with make_producer(bootstrap, max_request_size=6_000_000) as producer:
        for n, value in enumerate(values):
            expect_equal(producer.send(topic, value, partition=0).get(timeout=30).offset, n, "the offset")
    consumer, _ = make_consumer(bootstrap, topic, auto_offset_reset="earliest")
    expect([found.value for found in take(consumer, 2)] == values, "values of 5 MB came back changed")
    consumer.close()


def deleted_topic(bootstrap, topic):
    """A topic goes and comes back beneath a consumer: nothing comes of the old one, everything of the new one."""
    with make_producer(bootstrap) as producer:
        write(producer, topic, 0, 20)
    consumer, _ = make_consumer(bootstrap, topic, auto_offset_reset="earliest")
    check(take(consumer, 20)[19], 19)
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.delete_topics([topic])
    expect_equal(consumer.poll(timeout_ms=1500), {}, "what comes of a deleted topic")
    create(admin, topic)
    admin.close()
    with make_producer(bootstrap) as producer:
        write(producer, topic, 0, 5)
    for offset, found in enumerate(take(consumer, 5)):
        check(found, offset)
    consumer.close()


def more_partitions(bootstrap, topic):
    """A topic grows; what was written stays, and the new partition takes records."""
    with make_producer(bootstrap) as producer:
        write(producer, topic, 0, 5)
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_partitions(administering_2_0.growth(topic, 4) if not HAS_IDEMPOTENCE else {topic: 4})
    expect_raised(
        InvalidPartitionsError,
        lambda: admin.create_partitions(administering_2_0.growth(topic, 2) if not HAS_IDEMPOTENCE else {topic: 2}),
    )
    settled(lambda: len(admin.describe_topics([topic])[0]["partitions"]) == 4, "the topic has not grown")
    admin.close()
    with make_producer(bootstrap) as producer:
        stored = producer.send(topic, b"in the new one", partition=3).get(timeout=SECONDS_TO_READ)
        expect_equal((stored.partition, stored.offset), (3, 0), "where it was stored")
    producing.read_records(bootstrap, topic, 5)


def through_a_restart(bootstrap, topic, guarantee):
    """Writes with defaults, and with idempotence where it has it, and reads meanwhile."""
    modes = {"plain": NOT_IDEMPOTENT}
    if HAS_IDEMPOTENCE:
        modes["idempotent"] = {"enable_idempotence": True}
    threads = []
    written = {}
    failures = []

    def guarded(target, *arguments):
        def run():
            try:
                target(*arguments)
            except BaseException as e:
                failures.append(e)
                raise

        threads.append(threading.Thread(target=run))
        threads[-1].start()

    for mode, settings in modes.items():
        # Without retries, which 2.0.2 has to be told of, a send fails while there is no broker.
        written[mode] = Written(
            mode, may_fail=not HAS_IDEMPOTENCE, is_exact=mode == "idempotent" and guarantee == "exactly_once"
        )
        first = threading.Event()
        guarded(write_on, bootstrap, f"{topic}-{mode}", settings, written[mode], first)
        expect(first.wait(SECONDS_TO_READ), "the first record was not written")
        guarded(read_on, bootstrap, f"{topic}-{mode}", written[mode])
    begin(topic)
    for thread in threads:
        thread.join()
    expect(not failures, "failed:", failures)
    for of_mode in written.values():
        of_mode.check()


def read_numbers(bootstrap, topic, count, guarantee):
    """What a client that cannot read has written: every number below the count, in order, and once if that is asked."""
    consumer, partition = make_consumer(bootstrap, topic, auto_offset_reset="earliest")
    end = consumer.end_offsets([partition])[partition]
    values = [int(found.value) for found in take(consumer, end)]
    consumer.close()
    seen = list(dict.fromkeys(values))
    expect_equal(seen, list(range(int(count))), "the numbers")
    expect(guarantee != "exactly_once" or values == seen, len(values) - len(seen), "numbers stand there twice")


def write_on(bootstrap, topic, settings, written, first):
    sent = []
    with make_producer(bootstrap, **settings) as producer:
        while not is_enough():
            value = written.next_value()
            try:
                sent.append((value, producer.send(topic, b"%d" % value, partition=0)))
            except KafkaError as e:
                written.failed(value, e)
            if not first.is_set():
                producer.flush()
                first.set()
            written.pause()
        for value, future in sent:
            try:
                written.acknowledged(value, future.get(timeout=40).offset)
            except KafkaError as e:
                written.failed(value, e)
    written.is_over.set()


def read_on(bootstrap, topic, written):
    consumer, partition = make_consumer(bootstrap, topic, auto_offset_reset="earliest")
    end = None
    while end is None or len(written.found) < end:
        for records in consumer.poll(timeout_ms=200).values():
            written.found.extend((record.offset, int(record.value)) for record in records)
        if end is None and written.is_over.is_set():
            try:
                end = consumer.end_offsets([partition])[partition]
            except KafkaTimeoutError:
                pass  # After a broker was away for seconds the client waits up to 30 s to connect again, as long as this.
        written.expect_time()
    consumer.close()


if __name__ == "__main__":
    play(
        {
            "write_all": write_all,
            "read_all": read_all,
            "nothing_but_the_address": producing.nothing_but_the_address,
            "acknowledgements": producing.acknowledgements,
            "idempotent": idempotent,
            "positions": consuming.positions,
            "empty_topic": consuming.empty_topic,
            "large_records": producing.large_records,
            "too_large_for_the_broker": producing.too_large_for_the_broker,
            "five_megabytes": five_megabytes,
            "admin_2_0": administering_2_0.everything,
            "deleted_topic": deleted_topic,
            "more_partitions": more_partitions,
            "through_a_restart": through_a_restart,
            "read_numbers": read_numbers,
        }
    )
