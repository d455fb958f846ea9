"""librdkafka, by way of confluent-kafka, as members of groups, each in a thread of its own."""

import threading

from confluent_kafka import Consumer, KafkaException, TopicPartition

from membership import HEARTBEAT_MS, RECONNECT_MS_MAX, SESSION_MS, Events, by_threads, expect_no_failure
from suite import play

RECORDS_BETWEEN_COMMITS = 500


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
            self.settings["reconnect.backoff.max.ms"] = RECONNECT_MS_MAX
            self.settings["enable.auto.commit"] = False
        self.read = {}
        self.next = {}

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
            self.commit()
        self.consumer.close()
        self.events.left()

    def tell(self):
        for partition, offsets in self.read.items():
            self.events.read(partition, offsets)
            self.next[partition] = offsets[-1] + 1
        self.read = {}

    def commit(self):
        """It is waited for: one that is under way while the member gives partitions up is tried again in the name of the
        generation that the member has by then, and takes back what their next owners have committed. What fails is
        tried again with what comes next, and whoever has the partition then begins where the last commit is."""
        wanted = [TopicPartition(self.topic, partition, offset) for partition, offset in self.next.items()]
        try:
            answered = self.consumer.commit(offsets=wanted, asynchronous=False) if wanted else ()
        except KafkaException:
            return
        for found in answered:
            if found.error is None:
                self.events.committed(found.partition, found.offset)
                del self.next[found.partition]

    def revoked(self, _consumer, partitions):
        self.tell()
        self.commit()
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
