"""kafka-python reads: from every kind of position, from an empty topic, and while it waits for the next record."""

import socket
import threading
import time

from kafka.errors import OffsetOutOfRangeError

from suite import (
    FIRST_TIMESTAMP,
    check,
    expect,
    expect_equal,
    expect_silence,
    make_consumer,
    make_producer,
    play,
    take,
    write,
)

COUNT = 60
LONG_POLL_MS = 10_000


def positions(bootstrap, topic):
    """Beginning, end, an offset inside a batch, a timestamp, and what lies outside."""
    with make_producer(bootstrap, linger_ms=20) as producer:
        write(producer, topic, 0, COUNT)
        consumer, partition = make_consumer(bootstrap, topic)
        expect_equal(consumer.beginning_offsets([partition]), {partition: 0}, "the beginning")
        expect_equal(consumer.end_offsets([partition]), {partition: COUNT}, "the end")

        consumer.seek_to_beginning(partition)
        check(take(consumer, COUNT)[0], 0)
        consumer.seek(partition, 17)
        check(take(consumer, COUNT - 17)[0], 17)

        by_time(consumer, partition)

        consumer.seek_to_end(partition)
        expect_equal(consumer.position(partition), COUNT, "the position at the end")
        expect_silence(consumer)
        write(producer, topic, COUNT, 1)
        check(take(consumer, 1)[0], COUNT)
    consumer.close()
    outside(bootstrap, topic)


def by_time(consumer, partition):
    """The first record at or after a time, to the record and not to the batch; none after the last."""
    for asked, offset in [(0, 0), (30_000, 30), (30_001, 31), (59_000, 59)]:
        found = consumer.offsets_for_times({partition: FIRST_TIMESTAMP + asked})[partition]
        expect_equal((found.offset, found.timestamp), (offset, FIRST_TIMESTAMP + 1000 * offset), f"the offset for {asked}")
    after_all = consumer.offsets_for_times({partition: FIRST_TIMESTAMP + 1000 * COUNT})
    expect_equal(after_all, {partition: None}, "the offset for a time after the last record")
    consumer.seek(partition, 31)
    check(take(consumer, 1)[0], 31)


def outside(bootstrap, topic):
    """An offset that does not exist: an error without a reset rule, the beginning with one."""
    consumer, partition = make_consumer(bootstrap, topic, auto_offset_reset="none")
    consumer.seek(partition, 10_000)
    try:
        take(consumer, 1, seconds=5)
        expect(False, "a record came from beyond the end")
    except OffsetOutOfRangeError:
        pass
    consumer.close()
    consumer, partition = make_consumer(bootstrap, topic, auto_offset_reset="earliest")
    consumer.seek(partition, 10_000)
    check(take(consumer, 1)[0], 0)
    consumer.close()


def empty_topic(bootstrap, topic):
    """A topic without records gives nothing, in the time that was asked, again and again."""
    consumer, partition = make_consumer(bootstrap, topic, auto_offset_reset="earliest")
    consumer.poll(timeout_ms=1_000)
    for _ in range(2):
        expect_silence(consumer)
    expect_equal(consumer.end_offsets([partition]), {partition: 0}, "the end of an empty topic")
    consumer.close()


def long_poll(bootstrap, topic):
    """Two consumers wait in fetches of ten seconds; a record must reach both long before these run out."""
    with make_producer(bootstrap) as producer:
        write(producer, topic, 0, 1)
        heard = {}

        def listen(name, first_poll):
            consumer, partition = make_consumer(bootstrap, topic, fetch_max_wait_ms=LONG_POLL_MS)
            consumer.seek(partition, 0)
            check(take(consumer, 1)[0], 0)
            first_poll.set()
            check(take(consumer, 1)[0], 1)
            heard[name] = time.monotonic()
            consumer.close()

        listeners = []
        for name in ("first", "second"):
            waiting = threading.Event()
            listener = threading.Thread(target=listen, args=(name, waiting))
            listener.start()
            listeners.append(listener)
            expect(waiting.wait(timeout=20), name, "never read the first record")
        # Both have asked for the second record when this time is over.
        time.sleep(1.5)
        sent = time.monotonic()
        write(producer, topic, 1, 1)
        for listener in listeners:
            listener.join()
        expect_equal(sorted(heard), ["first", "second"], "who heard the record")
        slowest = max(heard.values()) - sent
        expect(slowest < 1.5, "a waiting consumer got the record only after", slowest, "s")
        print(f"slowest wake-up {slowest * 1000:.1f} ms")


def wait_until_cut_off(bootstrap, topic):
    """Waits in a fetch while the broker is stopped. A file called `waiting` says that it does."""
    with make_producer(bootstrap) as producer:
        write(producer, topic, 0, 1)
    consumer, _ = make_consumer(bootstrap, topic, fetch_max_wait_ms=20_000, auto_offset_reset="earliest")
    check(take(consumer, 1)[0], 0)
    consumer.poll(timeout_ms=500)
    with open("waiting", "w"):
        pass
    host, port = bootstrap.rsplit(":", 1)
    until = time.monotonic() + 30
    while is_served(host, int(port)):
        expect(time.monotonic() < until, "the broker was not stopped")
        expect_equal(consumer.poll(timeout_ms=100), {}, "what comes while nothing is written")
    consumer.close(timeout_ms=100)


def is_served(host, port):
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    play({"positions": positions, "empty_topic": empty_topic, "long_poll": long_poll, "wait_until_cut_off": wait_until_cut_off})
