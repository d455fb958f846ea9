"""What the admin client of librdkafka asks, by way of confluent-kafka: every call of it whose API is served."""

from confluent_kafka import ConsumerGroupTopicPartitions, ElectionType, KafkaError, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

from suite import expect, expect_equal, make_producer, play, settled, write

GROUP = "readers"


def answered(futures):
    return [future.result(20) for future in futures.values()]


def administration(bootstrap, topic):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    answered(admin.create_topics([NewTopic(topic, 1, 1)]))
    settled(lambda: topic in admin.list_topics(timeout=20).topics, "the topic is not listed")
    with make_producer(bootstrap) as producer:
        write(producer, topic, 0, 10)
    first = TopicPartition(topic, 0)

    cluster = admin.describe_cluster().result(20)
    expect_equal(cluster.cluster_id, admin.list_topics(timeout=20).cluster_id, "the cluster's id")
    expect_equal([f"{node.host}:{node.port}" for node in cluster.nodes], [bootstrap], "the nodes")
    answered(admin.create_partitions([NewPartitions(topic, 3)]))
    settled(lambda: len(partitions(admin, topic)) == 3, "the partitions are not there")
    expect_equal([p.leader.id for p in partitions(admin, topic)], [cluster.controller.id] * 3, "the leaders")
    expect_equal(offset(admin, first, OffsetSpec.latest()), 10, "the end")
    deleted = answered(admin.delete_records([TopicPartition(topic, 0, 3)]))
    expect_equal([one.low_watermark for one in deleted], [3], "the begin")
    expect_equal(offset(admin, first, OffsetSpec.earliest()), 3, "the begin")
    ((_, error),) = admin.elect_leaders(ElectionType.PREFERRED, [first]).result(20).items()
    expect_equal(error.code(), KafkaError.ELECTION_NOT_NEEDED, "the election")

    settings(admin, topic)
    groups(admin, first)
    answered(admin.delete_topics([topic]))
    settled(lambda: topic not in admin.list_topics(timeout=20).topics, "the deleted topic is listed")


def partitions(admin, topic):
    (described,) = answered(admin.describe_topics(TopicCollection([topic])))
    return described.partitions


def offset(admin, partition, spec):
    (found,) = answered(admin.list_offsets({partition: spec}))
    return found.offset


def settings(admin, topic):
    def shown():
        (described,) = answered(admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]))
        return described["retention.ms"].value

    before = shown()
    steps = [(AlterConfigOpType.SET, "5000", "5000"), (AlterConfigOpType.DELETE, None, before)]
    for operation, value, wanted in steps:
        entry = ConfigEntry("retention.ms", value, incremental_operation=operation)
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
        answered(admin.incremental_alter_configs([resource]))
        settled(lambda wanted=wanted: shown() == wanted, "the setting is not shown")


def groups(admin, partition):
    committed = ConsumerGroupTopicPartitions(GROUP, [TopicPartition(partition.topic, partition.partition, 4)])
    answered(admin.alter_consumer_group_offsets([committed]))
    (found,) = answered(admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(GROUP)]))
    expect_equal([(p.partition, p.offset) for p in found.topic_partitions], [(0, 4)], "the offsets")
    listed = admin.list_consumer_groups().result(20)
    expect(GROUP in [group.group_id for group in listed.valid] and not listed.errors, listed)
    (described,) = answered(admin.describe_consumer_groups([GROUP]))
    expect_equal((described.state.name, described.members), ("EMPTY", []), "the group")
    answered(admin.delete_consumer_groups([GROUP]))
    expect_equal(admin.list_consumer_groups().result(20).valid, [], "the groups that are left")


if __name__ == "__main__":
    play({"administration": administration})
