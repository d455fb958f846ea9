"""kafka-python's producer, with not one setting besides the address, while its broker is killed again and again."""

import os
import time

from suite import expect, expect_equal, make_producer, play


def through_kills(bootstrap, topic, partitions):
    """Sends to each partition the numbers 0, 1, ... until there is a file called `stop`. It is the only writer: a number
    that is stored once and in its order is stored at the offset of the same number. A file called `writing-` and the topic
    says that it has begun."""
    partitions = int(partitions)
    failures = []
    answered = 0

    def stored(value, found):
        nonlocal answered
        answered += 1
        if found.offset != value:
            failures.append(f"record {value} of {found.partition} is said to be at {found.offset}")

    sent = 0
    with make_producer(bootstrap) as producer:
        expect(producer.config["enable_idempotence"], "this release is not idempotent by itself")
        while not os.path.exists("stop") and not failures:
            value, partition = divmod(sent, partitions)
            future = producer.send(topic, b"%d" % value, partition=partition)
            future.add_callback(stored, value)
            future.add_errback(lambda failure, value=value, partition=partition: failures.append(
                f"record {value} of {partition} failed: {failure!r}"))
            sent += 1
            if sent == partitions:
                producer.flush()
                open(f"writing-{topic}", "w").close()
            time.sleep(0.001)
        producer.flush()
    expect(not failures, len(failures), "failures, the first:", failures[:1])
    expect_equal(answered, sent, "how many were acknowledged")
    print("SENT", sent)


if __name__ == "__main__":
    play({"through_kills": through_kills})
