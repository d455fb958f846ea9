"""What the admin client of kafka-python asks beyond topics and settings: groups and their offsets, producers, directories,
the quorum, elections, moves."""

import time

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, MemberToRemove, OffsetSpec
from kafka.errors import InvalidReplicationAssignmentError, NoError
from kafka.structs import OffsetAndMetadata

from suite import expect, expect_equal, make_producer, play, write

GROUP = "readers"


def made(admin, bootstrap, topic):
    """Two partitions, ten records in the first."""
    admin.create_topics({topic: {"num_partitions": 2, "replication_factor": 1}})
    admin.wait_for_topics([topic])
    with make_producer(bootstrap) as producer:
        write(producer, topic, 0, 10)
    return TopicPartition(topic, 0)


def groups(bootstrap, topic):
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        first = made(admin, bootstrap, topic)
        wanted = OffsetAndMetadata(5, "mark", -1)
        expect_equal(admin.alter_group_offsets(GROUP, {first: wanted}), {first: NoError}, "the altered offset")
        expect_equal(admin.list_group_offsets(GROUP), {GROUP: {first: wanted}}, "the offsets")
        reset = admin.reset_group_offsets(GROUP, {first: OffsetSpec.LATEST})
        expect_equal(reset, {first: {"error": NoError, "offset": 10}}, "the offset that was reset")
        expect_equal(admin.delete_group_offsets(GROUP, [first]), {first: NoError}, "the deleted offset")
        expect_equal(admin.list_group_offsets(GROUP)[GROUP], {}, "the offsets that are left")

        member = KafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=GROUP, group_instance_id="one")
        until = time.monotonic() + 20
        while not member.assignment():
            expect(time.monotonic() < until, "the member has no partitions")
            member.poll(200)
        described = admin.describe_groups([GROUP])[GROUP]
        expect_equal(described["group_state"], "Stable", "the state")
        expect_equal([m["group_instance_id"] for m in described["members"]], ["one"], "the members")
        expect(any(g["group_id"] == GROUP for g in admin.list_groups()), admin.list_groups())
        removed = admin.remove_group_members(GROUP, [MemberToRemove(group_instance_id="one")])
        expect_equal(list(removed.values()), [NoError], "the removal")
        expect_equal(admin.describe_groups([GROUP])[GROUP]["members"], [], "the members that are left")
        member.close(autocommit=False)
        expect_equal(admin.delete_groups([GROUP]), {GROUP: "OK"}, "the deletion")
        expect(not any(g["group_id"] == GROUP for g in admin.list_groups()), admin.list_groups())


def cluster(bootstrap, topic):
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        first = made(admin, bootstrap, topic)
        node = admin.describe_cluster()["brokers"][0]["broker_id"]
        expect(len(admin.api_versions()) > 30, admin.api_versions())
        features = admin.describe_features()
        low, high = features["metadata.version"]["supported"]
        expect(low < high and "group.version" in features, features)

        dirs = admin.describe_log_dirs()
        expect_equal([one["broker"] for one in dirs], [node], "the brokers with directories")
        sizes = {
            (one["name"], partition["partition_index"]): partition["partition_size"]
            for log_dir in dirs[0]["log_dirs"]
            for one in log_dir["topics"]
            for partition in one["partitions"]
        }
        expect(sizes[topic, 0] > 0 and sizes[topic, 1] == 0, sizes)
        quorum = admin.describe_metadata_quorum()["topics"][0]["partitions"][0]
        expect_equal(quorum["leader_id"], node, "the quorum's leader")
        expect_equal([voter["replica_id"] for voter in quorum["current_voters"]], [node], "the voters")
        producers = admin.describe_producers([first])[first].active_producers
        expect_equal([producer.last_sequence for producer in producers], [9], "the producers")
        described = admin.describe_topic_partitions([topic])["topics"][0]["partitions"]
        expect_equal([partition["isr_nodes"] for partition in described], [[node]] * 2, "the replicas in sync")

        expect_equal(admin.alter_partition_reassignments({first: [node]}), {first: None}, "a move to where it is")
        away = admin.alter_partition_reassignments({first: [node + 1]})
        expect_equal(away, {first: InvalidReplicationAssignmentError}, "a move to nobody")
        expect_equal(admin.list_partition_reassignments(), {}, "the moves")

        expect(topic in admin.list_config_resources()["topic"], admin.list_config_resources())
        setting = ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "5000"})
        admin.alter_configs([setting])
        reset = admin.reset_configs([ConfigResource(ConfigResourceType.TOPIC, topic, ["retention.ms"])])
        expect_equal(reset, {"topic": {topic: "OK"}}, "the setting that was reset")


if __name__ == "__main__":
    play({"groups": groups, "cluster": cluster})
