import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.AlterConfigsOptions;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConfigEntry.ConfigSource;
import org.apache.kafka.clients.admin.ConfigEntry.ConfigType;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidRequestException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.PolicyViolationException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** The Java admin client: topics made, seen, refused and deleted; offsets listed, records deleted; the cluster described. */
final class Administering {
    static final Map<String, Suite.Part> PARTS = Map.of(
            "topics", Administering::topics,
            "cluster", Administering::cluster,
            "offsets", Administering::offsets,
            "configs", Administering::configs,
            "deletion", Administering::deletion,
            "identity", Administering::identity);

    private Administering() {}

    public static void main(String[] args) throws Exception {
        Suite.play(PARTS, args);
    }

    private static <T> T wait(KafkaFuture<T> answer) throws Exception {
        return answer.get(20, TimeUnit.SECONDS);
    }

    private static NewTopic newTopic(String name, int partitions) {
        return new NewTopic(name, Optional.of(partitions), Optional.empty());
    }

    private static Set<String> names(Admin admin) throws Exception {
        return wait(admin.listTopics(new ListTopicsOptions().listInternal(false)).names());
    }

    private static void topics(String[] words) throws Exception {
        String name = words[1];
        try (Admin admin = Admin.create(Suite.settings(words[0]))) {
            Suite.expect(!names(admin).contains(name), "the topic is there before it is made");
            var made = admin.createTopics(List.of(newTopic(name, 3).configs(Map.of("retention.ms", "86400000"))));
            wait(made.all());
            Suite.expectEqual(wait(made.numPartitions(name)), 3, "the partitions in the answer");
            Suite.expectEqual(wait(made.config(name)).get("retention.ms").value(), "86400000", "the setting in the answer");
            TopicDescription described = described(admin, name);
            Suite.expectEqual(described.topicId(), wait(made.topicId(name)), "the topic's id");
            Suite.expectEqual(described.partitions().size(), 3, "the partitions");
            described.partitions().forEach(p -> Suite.expectEqual(p.isr(), p.replicas(), "the replicas in sync"));
            Suite.expectEqual(describedById(admin, described.topicId()).name(), name, "the name by id");
            refused(admin, name);

            wait(admin.deleteTopics(Set.of(name)).all());
            gone(admin, name);
            Suite.expectFailure(UnknownTopicOrPartitionException.class, admin.deleteTopics(Set.of(name)).all());

            wait(admin.createTopics(List.of(newTopic(name, 1))).all());
            Uuid again = described(admin, name).topicId();
            Suite.expect(!again.equals(described.topicId()), "the new topic has the old one's id");
            wait(admin.deleteTopics(TopicCollection.ofTopicIds(Set.of(again))).all());
            gone(admin, name);
        }
    }

    private static TopicDescription described(Admin admin, String name) throws Exception {
        return Suite.settled(() -> {
            try {
                return Optional.of(wait(admin.describeTopics(Set.of(name)).allTopicNames()).get(name));
            } catch (ExecutionException e) {
                Suite.expect(e.getCause() instanceof UnknownTopicOrPartitionException, "describing failed: " + e);
                return Optional.empty();
            }
        }, "the new topic is not described");
    }

    private static void gone(Admin admin, String name) throws Exception {
        Suite.settled(
                () -> names(admin).contains(name) ? Optional.empty() : Optional.of(true), "the deleted topic is listed");
    }

    private static TopicDescription describedById(Admin admin, Uuid id) throws Exception {
        return wait(admin.describeTopics(TopicCollection.ofTopicIds(Set.of(id))).allTopicIds()).get(id);
    }

    /** Each wrong wish has its own error and changes nothing. */
    private static void refused(Admin admin, String name) throws Exception {
        refuse(admin, TopicExistsException.class, newTopic(name, 1));
        refuse(admin, InvalidTopicException.class, newTopic("not/a/name", 1));
        refuse(admin, InvalidPartitionsException.class, newTopic("wrong", 0));
        refuse(admin, InvalidReplicationFactorException.class, new NewTopic("wrong", 1, (short) 3));
        refuse(admin, InvalidConfigurationException.class, newTopic("wrong", 1).configs(Map.of("retention.ms", "soon")));
        refuse(admin, InvalidConfigurationException.class, newTopic("wrong", 1).configs(Map.of("no.such.setting", "1")));
        var question = new CreateTopicsOptions().validateOnly(true);
        wait(admin.createTopics(List.of(newTopic("only-a-question", 2)), question).all());
        Set<String> listed = names(admin);
        Suite.expect(!listed.contains("wrong") && !listed.contains("only-a-question"), "refused topics in " + listed);
        var unknown = admin.describeTopics(Set.of("nobody-made-this")).allTopicNames();
        Suite.expectFailure(UnknownTopicOrPartitionException.class, unknown);
    }

    private static void refuse(Admin admin, Class<? extends Throwable> wanted, NewTopic topic) throws Exception {
        var answer = admin.createTopics(List.of(topic)).all();
        Suite.expectFailure(wanted, answer);
    }

    private static void cluster(String[] words) throws Exception {
        try (Admin admin = Admin.create(Suite.settings(words[0]))) {
            var described = admin.describeCluster();
            Suite.expect(wait(described.clusterId()).length() >= 16, "the cluster id is " + wait(described.clusterId()));
            List<String> nodes = wait(described.nodes()).stream().map(n -> n.host() + ":" + n.port()).toList();
            Suite.expectEqual(nodes, List.of(words[0]), "the nodes");
            Node controller = wait(described.controller());
            Suite.expectEqual(controller.host() + ":" + controller.port(), words[0], "the controller");
        }
    }

    /** Offsets through the admin client: first, last, by time, and the record with the greatest timestamp. */
    private static void offsets(String[] words) throws Exception {
        try (var producer = Suite.producer(words[0])) {
            Suite.write(producer, words[1], 0, 20);
        }
        TopicPartition partition = new TopicPartition(words[1], 0);
        try (Admin admin = Admin.create(Suite.settings(words[0]))) {
            Map<OffsetSpec, Long> asked = Map.of(
                    OffsetSpec.earliest(), 0L,
                    OffsetSpec.latest(), 20L,
                    OffsetSpec.maxTimestamp(), 19L,
                    OffsetSpec.forTimestamp(Suite.FIRST_TIMESTAMP + 4_500), 5L,
                    OffsetSpec.forTimestamp(Suite.FIRST_TIMESTAMP + 90_000), -1L);
            for (var pair : asked.entrySet()) {
                var found = wait(admin.listOffsets(Map.of(partition, pair.getKey())).all()).get(partition);
                Suite.expectEqual(found.offset(), pair.getValue(), "the offset for " + pair.getKey());
            }
        }
    }

    /** Settings described with synonyms and docs, changed by every operation, refused, and set back as they were shown. */
    private static void configs(String[] words) throws Exception {
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, words[1]);
        try (Admin admin = Admin.create(Suite.settings(words[0]))) {
            var made = admin.createTopics(List.of(newTopic(words[1], 1).configs(Map.of("segment.bytes", "2000000"))));
            Config answered = wait(made.config(words[1]));
            shows(admin, topic, "segment.bytes", "2000000", ConfigSource.DYNAMIC_TOPIC_CONFIG);
            Suite.expectEqual(names(answered), names(described(admin, topic)), "the settings that creation answers");
            ConfigEntry segment = described(admin, topic).get("segment.bytes");
            Suite.expectEqual(segment.type(), ConfigType.INT, "the type");
            Suite.expect(segment.documentation().length() > 20, "the doc is " + segment.documentation());
            Suite.expect(!segment.isReadOnly() && !segment.isSensitive(), "it can be set and shown: " + segment);
            List<String> synonyms =
                    segment.synonyms().stream().map(s -> s.name() + "=" + s.value() + " " + s.source()).toList();
            List<String> wanted = List.of(
                    "segment.bytes=2000000 DYNAMIC_TOPIC_CONFIG", "log.segment.bytes=1073741824 DEFAULT_CONFIG");
            Suite.expectEqual(synonyms, wanted, "the synonyms");

            wait(alter(admin, topic, set("retention.ms", "5000"), op("cleanup.policy", "compact", OpType.APPEND)));
            shows(admin, topic, "cleanup.policy", "delete,compact", ConfigSource.DYNAMIC_TOPIC_CONFIG);
            shows(admin, topic, "retention.ms", "5000", ConfigSource.DYNAMIC_TOPIC_CONFIG);
            wait(alter(admin, topic, op("cleanup.policy", "delete", OpType.SUBTRACT), op("retention.ms", null, OpType.DELETE)));
            shows(admin, topic, "cleanup.policy", "compact", ConfigSource.DYNAMIC_TOPIC_CONFIG);
            shows(admin, topic, "retention.ms", "604800000", ConfigSource.DEFAULT_CONFIG);
            wrong(admin, topic);

            List<AlterConfigOp> all = described(admin, topic).entries().stream()
                    .map(entry -> set(entry.name(), entry.value()))
                    .toList();
            wait(alter(admin, topic, all.toArray(AlterConfigOp[]::new)));
            shows(admin, topic, "retention.ms", "604800000", ConfigSource.DYNAMIC_TOPIC_CONFIG);
            brokersSettings(admin);
        }
    }

    /** Each wrong change has its own error and changes nothing. */
    private static void wrong(Admin admin, ConfigResource topic) throws Exception {
        var config = InvalidConfigurationException.class;
        Suite.expectFailure(config, alter(admin, topic, set("segment.ms", "7"), set("retention.ms", "soon")));
        Suite.expectFailure(config, alter(admin, topic, set("no.such.setting", "1")));
        Suite.expectFailure(config, alter(admin, topic, op("retention.ms", "1", OpType.APPEND)));
        ConfigResource nobody = new ConfigResource(ConfigResource.Type.TOPIC, "nobody-made-this");
        Suite.expectFailure(UnknownTopicOrPartitionException.class, alter(admin, nobody, set("retention.ms", "1")));
        Suite.expectFailure(UnknownTopicOrPartitionException.class, admin.describeConfigs(List.of(nobody)).all());
        Map<ConfigResource, Collection<AlterConfigOp>> question = Map.of(topic, List.of(set("segment.ms", "7")));
        wait(admin.incrementalAlterConfigs(question, new AlterConfigsOptions().validateOnly(true)).all());
        shows(admin, topic, "segment.ms", "604800000", ConfigSource.DEFAULT_CONFIG);
    }

    private static void brokersSettings(Admin admin) throws Exception {
        String id = wait(admin.describeCluster().controller()).idString();
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, id);
        Config settings = described(admin, broker);
        Suite.expectEqual(settings.get("auto.create.topics.enable").value(), "true", "a setting of the broker");
        Suite.expect(settings.get("log.dirs").isReadOnly(), "the directories can be changed");
        var refused = alter(admin, broker, set("log.dirs", "elsewhere"));
        Suite.expectFailure(InvalidRequestException.class, refused);
    }

    private static AlterConfigOp op(String name, String value, OpType type) {
        return new AlterConfigOp(new ConfigEntry(name, value), type);
    }

    private static AlterConfigOp set(String name, String value) {
        return op(name, value, OpType.SET);
    }

    private static KafkaFuture<Void> alter(Admin admin, ConfigResource resource, AlterConfigOp... ops) {
        return admin.incrementalAlterConfigs(Map.of(resource, List.of(ops))).all();
    }

    private static Config described(Admin admin, ConfigResource resource) throws Exception {
        var options = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
        return wait(admin.describeConfigs(List.of(resource), options).all()).get(resource);
    }

    private static Set<String> names(Config config) {
        return config.entries().stream().map(ConfigEntry::name).collect(Collectors.toSet());
    }

    private static void shows(Admin admin, ConfigResource resource, String name, String value, ConfigSource source)
            throws Exception {
        Suite.settled(() -> {
            try {
                ConfigEntry entry = described(admin, resource).get(name);
                boolean holds = entry.value().equals(value) && entry.source() == source;
                return holds ? Optional.of(true) : Optional.empty();
            } catch (ExecutionException e) {
                Suite.expect(e.getCause() instanceof UnknownTopicOrPartitionException, "describing failed: " + e);
                return Optional.empty();
            }
        }, name + " is not " + value + " from " + source);
    }

    /** Records deleted up to an offset, and all of them; what is refused; what is found behind that. */
    private static void deletion(String[] words) throws Exception {
        try (var producer = Suite.producer(words[0])) {
            Suite.write(producer, words[1], 0, 20);
        }
        TopicPartition partition = new TopicPartition(words[1], 0);
        try (Admin admin = Admin.create(Suite.settings(words[0]))) {
            Suite.expectEqual(wait(deleted(admin, partition, 7)), 7L, "the low watermark");
            Suite.expectEqual(wait(deleted(admin, partition, 5)), 7L, "the low watermark after a lower wish");
            Suite.expectFailure(OffsetOutOfRangeException.class, deleted(admin, partition, 21));
            Suite.expectEqual(found(admin, partition, OffsetSpec.earliest()), 7L, "the first offset");
            Suite.expectEqual(found(admin, partition, OffsetSpec.maxTimestamp()), 19L, "the greatest time");
            Suite.expectEqual(found(admin, partition, OffsetSpec.forTimestamp(0)), 7L, "the first record");
            Suite.expectEqual(wait(deleted(admin, partition, -1)), 20L, "the low watermark when all are deleted");
            Suite.expectEqual(found(admin, partition, OffsetSpec.earliest()), 20L, "the first offset of none");
            Suite.expectEqual(found(admin, partition, OffsetSpec.forTimestamp(0)), -1L, "a record of none");
            String compacted = words[1] + "-compacted";
            wait(admin.createTopics(List.of(newTopic(compacted, 1).configs(Map.of("cleanup.policy", "compact")))).all());
            Suite.expectFailure(PolicyViolationException.class, deleted(admin, new TopicPartition(compacted, 0), -1));
        }
    }

    private static KafkaFuture<Long> deleted(Admin admin, TopicPartition partition, long before) {
        var wish = Map.of(partition, RecordsToDelete.beforeOffset(before));
        return admin.deleteRecords(wish).lowWatermarks().get(partition).thenApply(done -> done.lowWatermark());
    }

    private static long found(Admin admin, TopicPartition partition, OffsetSpec spec) throws Exception {
        return wait(admin.listOffsets(Map.of(partition, spec)).all()).get(partition).offset();
    }

    /** Prints what must survive a restart: the cluster's id, the node's id, the topic's id. */
    private static void identity(String[] words) throws Exception {
        try (Admin admin = Admin.create(Suite.settings(words[0]))) {
            String nodes = wait(admin.describeCluster().nodes()).stream().map(Node::idString).collect(Collectors.joining());
            String cluster = wait(admin.describeCluster().clusterId());
            System.out.println("IDENTITY " + cluster + " " + nodes + " " + described(admin, words[1]).topicId());
        }
    }
}
