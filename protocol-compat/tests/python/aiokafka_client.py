"""aiokafka: what every client of the suites does, in one event loop."""

import asyncio
import hashlib
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidPartitionsError, MessageSizeTooLargeError, OffsetOutOfRangeError

from restarting import Written, begin, is_enough
from suite import FIRST_TIMESTAMP, SECONDS_TO_READ, check, expect, expect_equal, play, record


def make_producer(bootstrap, **settings):
    return AIOKafkaProducer(bootstrap_servers=bootstrap, **settings)


async def make_consumer(bootstrap, topic, **settings):
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, **settings)
    await consumer.start()
    consumer.assign([TopicPartition(topic, 0)])
    return consumer, TopicPartition(topic, 0)


async def settled_position(consumer, partition):
    """A consumer that is just assigned asks where the end is, and the answer undoes a wish to seek that came meanwhile."""
    await consumer.position(partition)


async def write(producer, topic, first, count):
    sent = []
    for i in range(first, first + count):
        key, value, headers, timestamp = record(i)
        sent.append(await producer.send(topic, value, key, 0, timestamp, headers))
    for i, future in enumerate(sent, first):
        expect_equal((await asyncio.wait_for(future, SECONDS_TO_READ)).offset, i, "where a record was stored")


async def take(consumer, count, seconds=SECONDS_TO_READ):
    taken = []
    until = time.monotonic() + seconds
    while len(taken) < count:
        expect(time.monotonic() < until, "only", len(taken), "of", count, "records within", seconds, "s")
        for records in (await consumer.getmany(timeout_ms=500)).values():
            taken.extend(records)
    return taken


async def read_back(bootstrap, topic, count):
    consumer, partition = await make_consumer(bootstrap, topic, auto_offset_reset="earliest")
    try:
        for offset, found in enumerate(await take(consumer, count)):
            check(found, offset)
        expect_equal(await consumer.end_offsets([partition]), {partition: count}, "the end")
    finally:
        await consumer.stop()


async def write_all(bootstrap, prefix, count, *codecs):
    for codec in codecs:
        compression = None if codec == "none" else codec
        async with make_producer(bootstrap, compression_type=compression, linger_ms=20) as producer:
            await write(producer, f"{prefix}-{codec}", 0, int(count))


async def read_all(bootstrap, count, *topics):
    for topic in topics:
        await read_back(bootstrap, topic, int(count))


async def nothing_but_the_address(bootstrap, topic):
    async with make_producer(bootstrap) as producer:
        await write(producer, topic, 0, 30)
    consumer, partition = await make_consumer(bootstrap, topic)
    await settled_position(consumer, partition)
    await consumer.seek_to_beginning(partition)
    for offset, found in enumerate(await take(consumer, 30)):
        check(found, offset)
    await consumer.stop()


async def acknowledgements(bootstrap, topic):
    async with make_producer(bootstrap, acks=1) as producer:
        await write(producer, topic, 0, 10)
    async with make_producer(bootstrap, acks="all") as producer:
        await write(producer, topic, 10, 10)
    async with make_producer(bootstrap, acks=0) as producer:
        for i in range(20, 30):
            key, value, headers, timestamp = record(i)
            await producer.send_and_wait(topic, value, key, 0, timestamp, headers)
        # Who waits for no answer is not told that an unanswered record has arrived: it is read before the connection ends.
        await read_back(bootstrap, topic, 30)


async def idempotent(bootstrap, topic):
    async with make_producer(bootstrap, enable_idempotence=True) as producer:
        await write(producer, topic, 0, 60)
    await read_back(bootstrap, topic, 60)


async def positions(bootstrap, topic):
    async with make_producer(bootstrap, linger_ms=20) as producer:
        await write(producer, topic, 0, 60)
        consumer, partition = await make_consumer(bootstrap, topic)
        await settled_position(consumer, partition)
        expect_equal(await consumer.beginning_offsets([partition]), {partition: 0}, "the beginning")
        await consumer.seek_to_beginning(partition)
        check((await take(consumer, 60))[0], 0)
        consumer.seek(partition, 17)
        check((await take(consumer, 43))[0], 17)
        for asked, offset in [(0, 0), (30_000, 30), (30_001, 31), (59_000, 59)]:
            found = (await consumer.offsets_for_times({partition: FIRST_TIMESTAMP + asked}))[partition]
            wanted = (offset, FIRST_TIMESTAMP + 1000 * offset)
            expect_equal((found.offset, found.timestamp), wanted, f"the offset for {asked}")
        after_all = await consumer.offsets_for_times({partition: FIRST_TIMESTAMP + 60_000})
        expect_equal(after_all, {partition: None}, "the offset for a time after the last record")
        await consumer.seek_to_end(partition)
        expect_equal(await consumer.position(partition), 60, "the position at the end")
        await write(producer, topic, 60, 1)
        check((await take(consumer, 1))[0], 60)
        await consumer.stop()
    strict, _ = await make_consumer(bootstrap, topic, auto_offset_reset="none")
    strict.seek(partition, 10_000)
    try:
        await asyncio.wait_for(strict.getone(), SECONDS_TO_READ)
        expect(False, "a record came from beyond the end")
    except OffsetOutOfRangeError:
        pass
    await strict.stop()


async def empty_topic(bootstrap, topic):
    consumer, partition = await make_consumer(bootstrap, topic, auto_offset_reset="earliest")
    for _ in range(2):
        asked = time.monotonic()
        expect_equal(await consumer.getmany(timeout_ms=1000), {}, "what an empty topic gives")
        expect(0.8 <= time.monotonic() - asked < 10, "a wait of a second took", time.monotonic() - asked)
    expect_equal(await consumer.end_offsets([partition]), {partition: 0}, "the end of an empty topic")
    await consumer.stop()


def large(n, blocks):
    """Bytes that do not compress."""
    return b"".join(hashlib.sha256(b"%d %d" % (n, i)).digest() for i in range(blocks))


async def large_records(bootstrap, topic):
    """Records of 900 kB as they are; one above the broker's limit, refused; then records of 5 MB in a topic that
    allows them."""
    async with make_producer(bootstrap) as producer:
        for n in range(3):
            expect_equal((await producer.send_and_wait(topic, large(n, 28_125), partition=0)).offset, n, "the offset")
    async with make_producer(bootstrap, max_request_size=4_000_000) as producer:
        try:
            await producer.send_and_wait(topic, b"x" * 1_100_000, partition=0)
            expect(False, "a batch above message.max.bytes was taken")
        except MessageSizeTooLargeError:
            pass
        expect_equal((await producer.send_and_wait(topic, b"after", partition=0)).offset, 3, "the offset after it")
    consumer, _ = await make_consumer(bootstrap, topic, auto_offset_reset="earliest")
    found = [record.value for record in await take(consumer, 4)]
    expect(found == [large(n, 28_125) for n in range(3)] + [b"after"], "large values came back changed")
    await consumer.stop()

    larger = f"{topic}-5-mb"
    async with admin_client(bootstrap) as admin:
        await make_topic(admin, larger, {"max.message.bytes": "6000000"})
    async with make_producer(bootstrap, max_request_size=6_000_000) as producer:
        for n in range(2):
            sent = await producer.send_and_wait(larger, large(n, 156_250), partition=0)
            expect_equal(sent.offset, n, "the offset")
    consumer, _ = await make_consumer(bootstrap, larger, auto_offset_reset="earliest")
    found = [record.value for record in await take(consumer, 2)]
    expect(found == [large(n, 156_250) for n in range(2)], "values of 5 MB came back changed")
    await consumer.stop()


class admin_client:
    """The admin client for an `async with`, of which it knows none itself."""

    def __init__(self, bootstrap):
        self.admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)

    async def __aenter__(self):
        await self.admin.start()
        return self.admin

    async def __aexit__(self, *_):
        await self.admin.close()


async def answered(question, *otherwise):
    """As `settled`, of a question that has to be awaited."""
    until = time.monotonic() + 10
    while not await question():
        expect(time.monotonic() < until, *otherwise)
        await asyncio.sleep(0.05)


async def make_topic(admin, topic, settings=None, partitions=1):
    reply = await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=settings or {})])
    code = reply.topic_errors[0][1]

    async def is_listed():
        return topic in await admin.list_topics()

    await answered(is_listed, "the topic is not listed")
    return code


async def everything_of_admin(bootstrap, topic):
    async with admin_client(bootstrap) as admin:
        expect(topic not in await admin.list_topics(), "the topic is there before it is made")
        expect_equal(await make_topic(admin, topic, {"retention.ms": "86400000"}, 3), 0, "the error")
        expect_equal(await make_topic(admin, topic), 36, "the error of a second time")
        for wish, code in [
            (NewTopic("not/a/name", 1, 1), 17), (NewTopic("wrong", 0, 1), 37), (NewTopic("wrong", 1, 3), 38),
            (NewTopic("wrong", 1, 1, topic_configs={"retention.ms": "soon"}), 40),
        ]:
            reply = await admin.create_topics([wish])
            expect_equal(reply.topic_errors[0][1], code, f"the error of {wish.name}")
        expect("wrong" not in await admin.list_topics(), "a refused topic is listed")
        described = (await admin.describe_topics([topic]))[0]
        expect_equal(sorted(p["partition"] for p in described["partitions"]), [0, 1, 2], "the partitions")

        async def shown(name):
            [reply] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {})])
            return next(entry[1] for entry in reply.resources[0][4] if entry[0] == name)

        expect_equal(await shown("retention.ms"), "86400000", "the setting")
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "5000"})])

        async def is_altered():
            return await shown("retention.ms") == "5000"

        await answered(is_altered, "the new setting is not shown")
        cluster = await admin.describe_cluster()
        host, port = bootstrap.rsplit(":", 1)
        expect_equal([(b["host"], b["port"]) for b in cluster["brokers"]], [(host, int(port))], "the brokers")

        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "-1"})])
        async with make_producer(bootstrap) as producer:
            await write(producer, topic, 0, 20)
        partition = TopicPartition(topic, 0)
        low = await admin.delete_records({partition: RecordsToDelete(before_offset=7)})
        expect_equal(low, {partition: 7}, "the low watermark")
        consumer, _ = await make_consumer(bootstrap, topic, auto_offset_reset="earliest")
        expect_equal([r.offset for r in await take(consumer, 13)], list(range(7, 20)), "the records that are left")
        await consumer.stop()

        reply = await admin.delete_topics([topic])
        expect_equal(reply.topic_error_codes[0][1], 0, "the error of a deletion")

        async def is_gone():
            return topic not in await admin.list_topics()

        await answered(is_gone, "the deleted topic is listed")


async def deleted_topic(bootstrap, topic):
    async with make_producer(bootstrap) as producer:
        await write(producer, topic, 0, 20)
    consumer, _ = await make_consumer(bootstrap, topic, auto_offset_reset="earliest")
    check((await take(consumer, 20))[19], 19)
    async with admin_client(bootstrap) as admin:
        await admin.delete_topics([topic])
        expect_equal(await consumer.getmany(timeout_ms=1500), {}, "what comes of a deleted topic")
        await make_topic(admin, topic)
    async with make_producer(bootstrap) as producer:
        await write(producer, topic, 0, 5)
    for offset, found in enumerate(await take(consumer, 5)):
        check(found, offset)
    await consumer.stop()


async def more_partitions(bootstrap, topic):
    """A topic grows; what was written stays, and the new partition takes records."""
    async with make_producer(bootstrap) as producer:
        await write(producer, topic, 0, 5)
    async with admin_client(bootstrap) as admin:
        await admin.create_partitions({topic: NewPartitions(4)})
        try:
            await admin.create_partitions({topic: NewPartitions(2)})
            expect(False, "a topic became smaller")
        except InvalidPartitionsError:
            pass

        async def has_grown():
            return len((await admin.describe_topics([topic]))[0]["partitions"]) == 4

        await answered(has_grown, "the topic has not grown")
    async with make_producer(bootstrap) as producer:
        stored = await producer.send_and_wait(topic, b"in the new one", partition=3)
        expect_equal((stored.partition, stored.offset), (3, 0), "where it was stored")
    await read_back(bootstrap, topic, 5)


async def through_a_restart(bootstrap, topic, guarantee):
    tasks, written = [], []
    for mode, settings in [("plain", {}), ("idempotent", {"enable_idempotence": True})]:
        of_mode = Written(mode, is_exact=mode == "idempotent" and guarantee == "exactly_once")
        written.append(of_mode)
        producer = make_producer(bootstrap, **settings)
        await producer.start()
        first = await producer.send_and_wait(f"{topic}-{mode}", b"%d" % of_mode.next_value(), partition=0)
        of_mode.acknowledged(0, first.offset)
        tasks.append(asyncio.create_task(write_on(producer, f"{topic}-{mode}", of_mode)))
        tasks.append(asyncio.create_task(read_on(bootstrap, f"{topic}-{mode}", of_mode)))
    begin(topic)
    await asyncio.gather(*tasks)
    for of_mode in written:
        of_mode.check()


async def write_on(producer, topic, written):
    sent = []
    while not is_enough():
        value = written.next_value()
        sent.append((value, await producer.send(topic, b"%d" % value, partition=0)))
        await asyncio.sleep(0.005)
    for value, future in sent:
        written.acknowledged(value, (await asyncio.wait_for(future, 40)).offset)
    await producer.stop()
    written.is_over.set()


async def read_on(bootstrap, topic, written):
    consumer, partition = await make_consumer(bootstrap, topic, auto_offset_reset="earliest")
    end = None
    while end is None or len(written.found) < end:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            written.found.extend((record.offset, int(record.value)) for record in records)
        if end is None and written.is_over.is_set():
            end = (await consumer.end_offsets([partition]))[partition]
        written.expect_time()
    await consumer.stop()


PARTS = {
    "write_all": write_all,
    "read_all": read_all,
    "nothing_but_the_address": nothing_but_the_address,
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

if __name__ == "__main__":
    play({name: lambda *words, part=part: asyncio.run(part(*words)) for name, part in PARTS.items()})
