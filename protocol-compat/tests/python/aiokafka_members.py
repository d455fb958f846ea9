"""aiokafka as members of groups, each a task of one loop."""

import asyncio
import threading

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import KafkaError

from membership import COMMIT_SECONDS, HEARTBEAT_MS, SESSION_MS, Events, orders
from suite import play

ASSIGNORS = {
    assignor.name: assignor
    for assignor in (RangePartitionAssignor, RoundRobinPartitionAssignor, StickyPartitionAssignor)
}


class Member(ConsumerRebalanceListener):
    def __init__(self, bootstrap, group, member, topic, how):
        self.events = Events(group, member)
        self.topic = topic
        self.is_stopping = False
        self.settings = {
            "bootstrap_servers": bootstrap, "group_id": group, "auto_offset_reset": "earliest", "client_id": member}
        self.commits = how != "default"
        if self.commits:
            self.settings.update(
                partition_assignment_strategy=[ASSIGNORS[how]],
                enable_auto_commit=False,
                session_timeout_ms=SESSION_MS,
                heartbeat_interval_ms=HEARTBEAT_MS,
            )
        self.next = {}

    async def run(self):
        try:
            await self.follow()
        except BaseException as failure:
            self.events.failed(failure)
            raise

    async def follow(self):
        self.consumer = AIOKafkaConsumer(**self.settings)
        self.consumer.subscribe([self.topic], listener=self if self.commits else None)
        await self.consumer.start()
        while not self.is_stopping:
            found = await self.consumer.getmany(timeout_ms=100)
            for partition, records in found.items():
                self.events.read(partition.partition, [record.offset for record in records])
                self.next[partition] = records[-1].offset + 1
            if found and self.commits:
                await self.commit()
        if self.commits:
            await self.commit()
        await self.consumer.stop()
        self.events.left()

    async def commit(self):
        wanted = dict(self.next)
        if not wanted:
            return
        try:
            await asyncio.wait_for(self.consumer.commit(wanted), COMMIT_SECONDS)
        except (KafkaError, asyncio.TimeoutError):
            # It is tried again with what comes next, and whoever has the partition then begins where the last commit is.
            return
        for partition, offset in wanted.items():
            self.events.committed(partition.partition, offset)
            if self.next.get(partition) == offset:
                del self.next[partition]

    async def on_partitions_revoked(self, revoked):
        await self.commit()
        self.next = {}

    async def on_partitions_assigned(self, assigned):
        pass


async def follow(bootstrap):
    loop = asyncio.get_running_loop()
    queue = asyncio.Queue()

    def listen():
        for order in orders():
            loop.call_soon_threadsafe(queue.put_nowait, order)
        loop.call_soon_threadsafe(queue.put_nowait, None)

    threading.Thread(target=listen, daemon=True).start()
    members, tasks = {}, []
    while (order := await queue.get()) is not None:
        if order[0] == "join":
            members[order[2]] = Member(bootstrap, *order[1:])
            tasks.append(asyncio.create_task(members[order[2]].run()))
        else:
            members.pop(order[1]).is_stopping = True
    for member in members.values():
        member.is_stopping = True
    await asyncio.gather(*tasks)


def members(bootstrap):
    asyncio.run(follow(bootstrap))


if __name__ == "__main__":
    play({"members": members})
