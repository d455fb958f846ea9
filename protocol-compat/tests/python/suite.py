"""What the Python programs share: the records that every client of the suites writes and expects, a check that names
what it found, and the entry that runs parts of a program by name.

The records are the same, byte for byte, in the programs of every language, so that one client can read what another
wrote. It runs beside kafka-python 2.0.2 as beside the current one.
"""

import contextlib
import os
import sys
import time

if sys.version_info >= (3, 12):
    # kafka-python 2.0.2 carries an old `six`, which newer Pythons cannot import; the current `six` takes its place.
    with contextlib.suppress(ImportError):
        import six

        sys.modules["kafka.vendor.six.moves"] = six.moves

import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

HAS_IDEMPOTENCE = not kafka.__version__.startswith("2.")
NOT_IDEMPOTENT = {"enable_idempotence": False} if HAS_IDEMPOTENCE else {}

FIRST_TIMESTAMP = 1_700_000_000_000
SECONDS_TO_READ = 20


def expect(holds, *found):
    if not holds:
        raise AssertionError(" ".join(str(part) for part in found))


def settled(question, *otherwise):
    """Waits until a question about a change just made is answered with something. An answer is expected at once; where
    the broker under test is known to show its own changes late, the environment grants it some patience."""
    until = time.monotonic() + float(os.environ["SUITE_PATIENCE_SECONDS"])
    while not question():
        expect(time.monotonic() < until, *otherwise)
        time.sleep(0.02)


def expect_equal(found, wanted, what):
    expect(found == wanted, what, "is", repr(found)[:300], "and should be", repr(wanted)[:300])


def expect_raised(error, action):
    try:
        action()
    except error:
        return
    expect(False, "no", error.__name__)


def record(i):
    """Key, value, headers and timestamp of the record that belongs at offset i: nulls, empties, and more than ASCII."""
    value = f"τιμή 🦦 {i} ".encode() + b"x" * (i * 37 % 400)
    if i % 7 == 3:
        value = None
    elif i % 7 == 4:
        value = b""
    key = f"κλειδί-{i}".encode()
    if i % 5 == 0 and value is not None:
        key = None
    elif i % 5 == 1:
        key = b""
    headers = []
    if i % 3 != 0:
        headers = [("заголовок", f"значение-{i}".encode()), ("заголовок", b"")]
    return key, value, headers, FIRST_TIMESTAMP + 1000 * i


def write(producer, topic, first, count):
    """Writes records first… of partition 0 and checks where each was stored."""
    sent = []
    for i in range(first, first + count):
        key, value, headers, timestamp = record(i)
        sent.append(producer.send(topic, value, key, headers, partition=0, timestamp_ms=timestamp))
    for i, future in enumerate(sent, first):
        stored = future.get(timeout=SECONDS_TO_READ)
        expect_equal((stored.topic, stored.partition, stored.offset), (topic, 0, i), "where a record was stored")


def check(found, offset):
    """Checks that a consumed record is the one that belongs at this offset."""
    key, value, headers, timestamp = record(offset)
    expect_equal(found.offset, offset, "the offset")
    expect_equal(found.key, key, f"the key at {offset}")
    expect_equal(found.value, value, f"the value at {offset}")
    expect_equal([tuple(header) for header in found.headers], headers, f"the headers at {offset}")
    expect_equal((found.timestamp_type, found.timestamp), (0, timestamp), f"the timestamp at {offset}")


def make_producer(bootstrap, **settings):
    """A producer for a `with`, which closes it; the one of 2.0.2 knows no `with` of its own."""
    return contextlib.closing(KafkaProducer(bootstrap_servers=bootstrap, **settings))


def make_consumer(bootstrap, topic, **settings):
    """A consumer of partition 0, without a group, and the partition."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, **settings)
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    return consumer, partition


def take(consumer, count, seconds=SECONDS_TO_READ):
    """The next records until there are `count` of them."""
    taken = []
    until = time.monotonic() + seconds
    while len(taken) < count:
        expect(time.monotonic() < until, "only", len(taken), "of", count, "records within", seconds, "s")
        for records in consumer.poll(timeout_ms=500).values():
            taken.extend(records)
    return taken


def expect_silence(consumer, seconds=1.0):
    """Nothing comes, and the consumer says so in time."""
    asked = time.monotonic()
    found = consumer.poll(timeout_ms=int(seconds * 1000))
    waited = time.monotonic() - asked
    expect_equal(found, {}, "what an empty topic gives")
    expect(seconds * 0.8 <= waited <= seconds + 2, "a poll of", seconds, "s took", waited)


def play(parts):
    """Runs the parts that the command line names, with the words behind each, and says of each that it came to its end.
    `--` stands between two."""
    words = sys.argv[1:] + ["--"]
    while words:
        end = words.index("--")
        name, *of_part = words[:end]
        words = words[end + 1 :]
        parts[name](*of_part)
        print(f"PASS {name}")
