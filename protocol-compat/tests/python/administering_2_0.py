"""The admin client of kafka-python 2.0.2, which speaks in lists of its own classes and in replies as they came."""

from kafka import KafkaAdminClient
from kafka.errors import (
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    InvalidTopicError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
)

from suite import expect, expect_equal, expect_raised, settled


def wish(topic, settings=None, partitions=1, replicas=1):
    # The current release has no such class, and no need of this function.
    from kafka.admin import NewTopic

    return [NewTopic(topic, partitions, replicas, topic_configs=settings)]


def growth(topic, count):
    from kafka.admin import NewPartitions

    return {topic: NewPartitions(count)}


def everything(bootstrap, topic):
    from kafka.admin import ConfigResource, ConfigResourceType

    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    expect(topic not in admin.list_topics(), "the topic is there before it is made")
    admin.create_topics(wish(topic, {"retention.ms": "86400000"}, partitions=3))
    settled(lambda: topic in admin.list_topics(), "the topic is not listed")
    described = admin.describe_topics([topic])[0]
    partitions = sorted((p["partition"], p["error_code"], p["isr"]) for p in described["partitions"])
    node = described["partitions"][0]["leader"]
    expect_equal(partitions, [(n, 0, [node]) for n in range(3)], "the partitions")

    def shown(name):
        [reply] = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        _, _, _, _, entries = reply.resources[0]
        return next(entry[1] for entry in entries if entry[0] == name)

    settled(lambda: shown("retention.ms") == "86400000", "the setting is not shown")
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": "5000"})])
    settled(lambda: shown("retention.ms") == "5000", "the new setting is not shown")

    expect_raised(TopicAlreadyExistsError, lambda: admin.create_topics(wish(topic)))
    expect_raised(InvalidTopicError, lambda: admin.create_topics(wish("not/a/name")))
    expect_raised(InvalidPartitionsError, lambda: admin.create_topics(wish("wrong", partitions=0)))
    expect_raised(InvalidReplicationFactorError, lambda: admin.create_topics(wish("wrong", replicas=3)))
    admin.create_topics(wish("only-a-question"), validate_only=True)
    listed = admin.list_topics()
    expect("wrong" not in listed and "only-a-question" not in listed, "refused topics are listed", listed)

    cluster = admin.describe_cluster()
    host, port = bootstrap.rsplit(":", 1)
    expect_equal([(b["host"], b["port"]) for b in cluster["brokers"]], [(host, int(port))], "the brokers")
    expect_equal(cluster["controller_id"], node, "the controller")
    expect(len(cluster["cluster_id"]) >= 16, "the cluster id", cluster)

    admin.delete_topics([topic])
    settled(lambda: topic not in admin.list_topics(), "the deleted topic is listed")
    expect_raised(UnknownTopicOrPartitionError, lambda: admin.delete_topics([topic]))
    admin.close()
