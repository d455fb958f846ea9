"""kafka-python's admin client: topics made, seen, refused and deleted; settings described and altered; records deleted;
the cluster described."""

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import (
    InvalidPartitionsError,
    InvalidReplicationFactorError,
    InvalidTopicError,
    OffsetOutOfRangeError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
)

from suite import expect, expect_equal, expect_raised, make_consumer, make_producer, play, settled, take, write


def topics(bootstrap, topic):
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        expect(topic not in admin.list_topics(), "the topic is there before it is made")
        made = admin.create_topics({topic: {"num_partitions": 3, "replication_factor": 1}})
        expect_equal([(t["name"], t["error_code"]) for t in made["topics"]], [(topic, 0)], "the answer")
        settled(lambda: topic in admin.list_topics(), "the topic is not listed")
        described = admin.describe_topics([topic])[0]
        partitions = sorted((p["partition_index"], p["error_code"]) for p in described["partitions"])
        expect_equal(partitions, [(0, 0), (1, 0), (2, 0)], "the partitions")
        refused(admin, topic)
        admin.delete_topics([topic])
        settled(lambda: topic not in admin.list_topics(), "the deleted topic is listed")
        expect_raised(UnknownTopicOrPartitionError, lambda: admin.delete_topics([topic]))
        # The name is free again, for a topic that shares nothing with the deleted one.
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}})
        settled(lambda: topic in admin.list_topics(), "the topic made again is not listed")
        again = admin.describe_topics([topic])[0]
        expect(again["topic_id"] != described["topic_id"], "the new topic has the old one's id")
    with make_producer(bootstrap) as producer:
        write(producer, topic, 0, 3)


def refused(admin, topic):
    """Each wrong wish has its own error and changes nothing."""
    one = {"num_partitions": 1, "replication_factor": 1}
    expect_raised(TopicAlreadyExistsError, lambda: admin.create_topics({topic: one}))
    expect_raised(InvalidTopicError, lambda: admin.create_topics({"not/a/name": one}))
    expect_raised(InvalidPartitionsError, lambda: admin.create_topics({"wrong": {**one, "num_partitions": 0}}))
    too_many = {**one, "replication_factor": 3}
    expect_raised(InvalidReplicationFactorError, lambda: admin.create_topics({"wrong": too_many}))
    admin.create_topics({"only-a-question": one}, validate_only=True)
    listed = admin.list_topics()
    expect("wrong" not in listed and "only-a-question" not in listed, "refused topics are listed", listed)


def cluster(bootstrap, topic):
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        described = admin.describe_cluster()
        expect(len(described["cluster_id"]) >= 16, "the cluster id", described)
        host, port = bootstrap.rsplit(":", 1)
        brokers = [(b["host"], b["port"]) for b in described["brokers"]]
        expect_equal(brokers, [(host, int(port))], "the brokers")
        expect_equal(described["controller_id"], described["brokers"][0]["broker_id"], "the controller")


def configs(bootstrap, topic):
    """Single settings and all of them, described before and after."""
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}})

        def of_topic(settings=None):
            return ConfigResource(ConfigResourceType.TOPIC, topic, settings)

        def shown(name):
            described = admin.describe_configs([of_topic()], include_synonyms=True, config_filter="all")
            setting = described["topic"][topic].get(name, {})
            return setting.get("value"), setting.get("config_source")

        def becomes(name, value, source):
            settled(lambda: shown(name) == (value, source), name, "is not", value, "from", source)

        def altered(settings, **options):
            return admin.alter_configs([of_topic(settings)], **options)["topic"][topic]

        becomes("retention.ms", "604800000", "DEFAULT_CONFIG")
        answer = altered({"retention.ms": "5000", "cleanup.policy": ("APPEND", "compact")})
        expect_equal(answer, "OK", "the answer")
        becomes("retention.ms", "5000", "DYNAMIC_TOPIC_CONFIG")
        becomes("cleanup.policy", "delete,compact", "DYNAMIC_TOPIC_CONFIG")
        expect_equal(altered({"cleanup.policy": ("SUBTRACT", "compact")}), "OK", "the answer")
        expect_equal(altered({"retention.ms": ("DELETE", None)}), "OK", "the answer")
        becomes("cleanup.policy", "delete", "DYNAMIC_TOPIC_CONFIG")
        becomes("retention.ms", "604800000", "DEFAULT_CONFIG")
        expect("InvalidConfig" in altered({"retention.ms": "soon"}), "a wrong value is taken")
        expect_equal(altered({"retention.ms": "7"}, validate_only=True), "OK", "the answer to a question")
        # Without the incremental API all settings are replaced; the client fills in those that it does not name.
        expect_equal(altered({"retention.ms": "9000"}, incremental=False), "OK", "the answer")
        becomes("retention.ms", "9000", "DYNAMIC_TOPIC_CONFIG")
        becomes("cleanup.policy", "delete", "DYNAMIC_TOPIC_CONFIG")
        node = admin.describe_cluster()["brokers"][0]["broker_id"]
        broker = ConfigResource(ConfigResourceType.BROKER, str(node))
        settings = admin.describe_configs([broker], config_filter="all")["broker"][str(node)]
        expect_equal(settings["auto.create.topics.enable"]["value"], "true", "a setting of the broker")


def deletion(bootstrap, topic):
    """Records are deleted up to an offset, and all of them; what is left is found and read."""
    partition = TopicPartition(topic, 0)
    with make_producer(bootstrap) as producer:
        write(producer, topic, 0, 20)
    with KafkaAdminClient(bootstrap_servers=bootstrap) as admin:

        def low_watermark(before):
            return admin.delete_records({partition: before})[partition]["low_watermark"]

        def found(spec):
            return admin.list_partition_offsets({partition: spec})[partition].offset

        expect_equal(low_watermark(7), 7, "the low watermark")
        expect_raised(OffsetOutOfRangeError, lambda: low_watermark(21))
        expect_equal((found(OffsetSpec.EARLIEST), found(OffsetSpec.LATEST)), (7, 20), "the ends")
        expect_equal(found(OffsetSpec.MAX_TIMESTAMP), 19, "the record with the greatest time")
        reader, _ = make_consumer(bootstrap, topic, auto_offset_reset="earliest")
        expect_equal([r.offset for r in take(reader, 13)], list(range(7, 20)), "the records that are left")
        reader.close()
        expect_equal(low_watermark(-1), 20, "the low watermark when all are deleted")
        expect_equal((found(OffsetSpec.EARLIEST), found(OffsetSpec.LATEST)), (20, 20), "the ends of none")


def auto_creation(bootstrap, topic):
    """The first record makes its topic; a question about all topics makes none; a deleted topic's data does not come
    back with its name."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    expect(topic not in consumer.topics(), "the topic is there before the first record")
    with make_producer(bootstrap) as producer:
        write(producer, topic, 0, 5)
        expect(topic in consumer.topics(), "the topic is not there after the first record")
        expect_equal(consumer.partitions_for_topic(topic), {0}, "its partitions")
        expect_equal(consumer.end_offsets([TopicPartition(topic, 0)]), {TopicPartition(topic, 0): 5}, "its end")
    consumer.close()
    reader, _ = make_consumer(bootstrap, topic, auto_offset_reset="earliest")
    expect_equal(len(take(reader, 5)), 5, "the records")
    reader.close()


if __name__ == "__main__":
    play(
        {
            "topics": topics,
            "configs": configs,
            "cluster": cluster,
            "deletion": deletion,
            "auto_creation": auto_creation,
        }
    )
