"""kafka-python as members of groups, each in a thread of its own."""

import faulthandler
import logging
import os
import threading
import time

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.errors import KafkaConnectionError, KafkaError
from kafka.structs import OffsetAndMetadata

from membership import COMMIT_SECONDS, HEARTBEAT_MS, RECONNECT_MS_MAX, SESSION_MS, Events, by_threads, expect_no_failure
from suite import make_producer, play

# kafka-python 3.0.12 loses a member for good whose poll ends between its answer as a leader (SyncGroup) and the reply to
# that, where it had joined again because of new metadata: `need_rejoin` then says no, so that nobody looks at the join
# that has ended, and no heartbeat is sent any more. Of 148 starts on a busy machine one was lost with 100 ms.
POLL_MS = 1_000

ASSIGNORS = {
    assignor.name: assignor
    for assignor in (
        RangePartitionAssignor, RoundRobinPartitionAssignor, StickyPartitionAssignor, CooperativeStickyAssignor)
}


class Member(ConsumerRebalanceListener):
    def __init__(self, bootstrap, group, member, topic, how):
        self.events = Events(group, member)
        self.topic = topic
        self.stopping = threading.Event()
        self.settings = {
            "bootstrap_servers": bootstrap, "group_id": group, "auto_offset_reset": "earliest", "client_id": member}
        self.commits = how != "default"
        if self.commits:
            self.settings.update(
                partition_assignment_strategy=[ASSIGNORS[how]],
                enable_auto_commit=False,
                session_timeout_ms=SESSION_MS,
                heartbeat_interval_ms=HEARTBEAT_MS,
                reconnect_backoff_max_ms=RECONNECT_MS_MAX,
            )
        self.next = {}

    def make(self):
        """It asks the broker what it is, which may be away."""
        while True:
            try:
                return KafkaConsumer(**self.settings)
            except KafkaConnectionError:
                time.sleep(0.1)

    def run(self):
        self.consumer = self.make()
        self.consumer.subscribe([self.topic], listener=self if self.commits else None)
        while not self.stopping.is_set():
            found = self.poll()
            for partition, records in found.items():
                self.events.read(partition.partition, [record.offset for record in records])
                self.next[partition] = records[-1].offset + 1
            if found and self.commits:
                self.commit()
        if self.commits:
            self.commit()
        self.consumer.close()
        self.events.left()

    def poll(self):
        """Where others wait for a broker that is away, this client says so."""
        try:
            return self.consumer.poll(timeout_ms=POLL_MS)
        except KafkaConnectionError:
            time.sleep(0.1)
            return {}

    def commit(self):
        wanted = dict(self.next)
        if not wanted:
            return
        try:
            offsets = {partition: OffsetAndMetadata(offset, "", -1) for partition, offset in wanted.items()}
            self.consumer.commit(offsets, timeout_ms=1000 * COMMIT_SECONDS)
        except KafkaError:
            # It is tried again with what comes next, and whoever has the partition then begins where the last commit is.
            return
        for partition, offset in wanted.items():
            self.events.committed(partition.partition, offset)
            if self.next.get(partition) == offset:
                del self.next[partition]

    def on_partitions_revoked(self, revoked):
        # It is called where nothing can be waited for, a commit neither; what a poll brought was committed behind it.
        self.forget(revoked)

    def on_partitions_lost(self, lost):
        self.forget(lost)

    def on_partitions_assigned(self, assigned):
        pass

    def forget(self, partitions):
        for partition in partitions:
            self.next.pop(TopicPartition(partition.topic, partition.partition), None)


def members(bootstrap):
    # For whoever looks into a member that does not come: the client's words, and where its threads stand.
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(threadName)s %(name)s %(message)s")
    faulthandler.dump_traceback_later(45)
    by_threads(lambda *order: Member(bootstrap, *order))
    expect_no_failure()


def write(bootstrap, topic, partitions):
    """Writes to each partition in turn until there is a file called `stop`."""
    sent = 0
    with make_producer(bootstrap) as producer:
        while not os.path.exists("stop"):
            producer.send(topic, b"%d" % sent, partition=sent % int(partitions))
            sent += 1
            time.sleep(0.002)
        producer.flush()


if __name__ == "__main__":
    play({"members": members, "write": write})
