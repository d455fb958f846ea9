"""librdkafka, by way of confluent-kafka, as members of groups, each in a thread of its own."""

import threading
import time

from confluent_kafka import Consumer, KafkaException, TopicPartition

from membership import HEARTBEAT_MS, SESSION_MS, Events, by_threads, expect_no_failure
from suite import play

RECORDS_BETWEEN_COMMITS = 500
SECONDS_TO_ANSWER = 1


class Member:
    def __init__(self, bootstrap, group, member, topic, how):
        self.events = Events(group, member)
        self.topic = topic
        self.stopping = threading.Event()
        self.settings = {
            "bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest", "client.id": member}
        self.commits = how != "default"
        if how == "consumer":
            self.settings["group.protocol"] = how
        elif self.commits:
            self.settings["partition.assignment.strategy"] = how
            self.settings["session.timeout.ms"] = SESSION_MS
            self.settings["heartbeat.interval.ms"] = HEARTBEAT_MS
        if self.commits:
            self.settings["enable.auto.commit"] = False
            self.settings["on_commit"] = self.answered
        self.read = {}
        self.next = {}
        self.asked = None

    def run(self):
        self.consumer = Consumer(self.settings)
        if self.commits:
            self.consumer.subscribe([self.topic], on_revoke=self.revoked, on_lost=self.lost)
        else:
            self.consumer.subscribe([self.topic])
        while not self.stopping.is_set():
            count = 0
            # One by one: a rebalance in the middle of a batch would take away what the batch holds.
            while count < RECORDS_BETWEEN_COMMITS and (message := self.consumer.poll(0 if count else 0.1)):
                count += 1
                if message.error() is None:
                    self.read.setdefault(message.partition(), []).append(message.offset())
            self.tell()
            if count and self.commits:
                self.commit()
        if self.commits:
            self.last_commit()
        self.consumer.close()
        self.events.left()

    def tell(self):
        for partition, offsets in self.read.items():
            self.events.read(partition, offsets)
            self.next[partition] = offsets[-1] + 1
        self.read = {}

    def commit(self):
        """It is not waited for, since that would hold up a member for long whose broker is away; and one at a time, since
        one that is tried again could come behind a later one and take it back. What fails is tried again with what comes
        next, and whoever has the partition then begins where the last commit is."""
        if self.next and self.asked is None:
            self.asked = time.monotonic()
            self.consumer.commit(offsets=self.wanted(), asynchronous=True)

    def wanted(self):
        return [TopicPartition(self.topic, partition, offset) for partition, offset in self.next.items()]

    def answered(self, error, partitions):
        self.asked = None
        for found in partitions if error is None else ():
            if found.error is None:
                self.events.committed(found.partition, found.offset)
                if self.next.get(found.partition) == found.offset:
                    del self.next[found.partition]

    def last_commit(self):
        """One that is under way for long is about to be tried again."""
        is_late = self.asked is not None and time.monotonic() - self.asked > SECONDS_TO_ANSWER
        if self.next and not is_late:
            try:
                self.answered(None, self.consumer.commit(offsets=self.wanted(), asynchronous=False))
            except KafkaException:
                pass

    def revoked(self, _consumer, partitions):
        self.tell()
        self.last_commit()
        self.lost(_consumer, partitions)

    def lost(self, _consumer, partitions):
        self.tell()
        for partition in partitions:
            self.next.pop(partition.partition, None)


def members(bootstrap):
    by_threads(lambda *order: Member(bootstrap, *order))
    expect_no_failure()


if __name__ == "__main__":
    play({"members": members})
