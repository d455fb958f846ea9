import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** The admin client of release 2.8, whose calls know names of topics only. */
final class Administering {
    static final Map<String, Suite.Part> PARTS =
            Map.of("topics", Administering::topics, "configs", Administering::configs, "deletion", Administering::deletion);

    private Administering() {}

    private static <T> T wait(KafkaFuture<T> answer) throws Exception {
        return answer.get(20, TimeUnit.SECONDS);
    }

    private static NewTopic newTopic(String name, int partitions) {
        return new NewTopic(name, Optional.of(partitions), Optional.empty());
    }

    private static Set<String> names(Admin admin) throws Exception {
        return wait(admin.listTopics().names());
    }

    private static void topics(String[] words) throws Exception {
        String name = words[1];
        try (Admin admin = Admin.create(Suite.settings(words[0]))) {
            Suite.expect(!names(admin).contains(name), "the topic is there before it is made");
            var made = admin.createTopics(List.of(newTopic(name, 3).configs(Map.of("retention.ms", "86400000"))));
            wait(made.all());
            Suite.expectEqual(wait(made.numPartitions(name)), 3, "the partitions in the answer");
            Suite.expectEqual(wait(made.config(name)).get("retention.ms").value(), "86400000", "the setting in the answer");
            Suite.settled(
                    () -> names(admin).contains(name) ? Optional.of(true) : Optional.empty(), "the topic is not listed");
            TopicDescription described = wait(admin.describeTopics(Set.of(name)).all()).get(name);
            Suite.expectEqual(described.partitions().size(), 3, "the partitions");
            described.partitions().forEach(p -> Suite.expectEqual(p.isr(), p.replicas(), "the replicas in sync"));
            var node = wait(admin.describeCluster().controller());
            Suite.expectEqual(node.host() + ":" + node.port(), words[0], "the controller");

            refuse(admin, TopicExistsException.class, newTopic(name, 1));
            refuse(admin, InvalidTopicException.class, newTopic("not/a/name", 1));
            refuse(admin, InvalidReplicationFactorException.class, new NewTopic("wrong", 1, (short) 3));
            refuse(admin, InvalidConfigurationException.class, newTopic("wrong", 1).configs(Map.of("retention.ms", "soon")));
            var question = new CreateTopicsOptions().validateOnly(true);
            wait(admin.createTopics(List.of(newTopic("only-a-question", 2)), question).all());
            Set<String> listed = names(admin);
            Suite.expect(!listed.contains("wrong") && !listed.contains("only-a-question"), "refused topics in " + listed);

            wait(admin.deleteTopics(Set.of(name)).all());
            Suite.settled(
                    () -> names(admin).contains(name) ? Optional.empty() : Optional.of(true), "the deleted topic is listed");
            Suite.expectFailure(UnknownTopicOrPartitionException.class, admin.deleteTopics(Set.of(name)).all());
        }
    }

    private static void refuse(Admin admin, Class<? extends Throwable> wanted, NewTopic topic) throws Exception {
        Suite.expectFailure(wanted, admin.createTopics(List.of(topic)).all());
    }

    private static void configs(String[] words) throws Exception {
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, words[1]);
        try (Admin admin = Admin.create(Suite.settings(words[0]))) {
            wait(admin.createTopics(List.of(newTopic(words[1], 1))).all());
            becomes(admin, topic, "604800000");
            var set = new AlterConfigOp(new ConfigEntry("retention.ms", "5000"), OpType.SET);
            wait(admin.incrementalAlterConfigs(Map.of(topic, List.of(set))).all());
            becomes(admin, topic, "5000");
            var wrong = new AlterConfigOp(new ConfigEntry("retention.ms", "soon"), OpType.SET);
            var refused = admin.incrementalAlterConfigs(Map.of(topic, List.of(wrong))).all();
            Suite.expectFailure(InvalidConfigurationException.class, refused);
            var deleted = new AlterConfigOp(new ConfigEntry("retention.ms", null), OpType.DELETE);
            wait(admin.incrementalAlterConfigs(Map.of(topic, List.of(deleted))).all());
            becomes(admin, topic, "604800000");
        }
    }

    private static void becomes(Admin admin, ConfigResource topic, String value) throws Exception {
        Suite.settled(() -> {
            var described = wait(admin.describeConfigs(List.of(topic)).all()).get(topic);
            return described.get("retention.ms").value().equals(value) ? Optional.of(true) : Optional.empty();
        }, "retention.ms is not " + value);
    }

    private static void deletion(String[] words) throws Exception {
        try (var producer = Suite.producer(words[0])) {
            Suite.write(producer, words[1], 0, 20);
        }
        TopicPartition partition = new TopicPartition(words[1], 0);
        try (Admin admin = Admin.create(Suite.settings(words[0]))) {
            var wish = Map.of(partition, RecordsToDelete.beforeOffset(7));
            long low = wait(admin.deleteRecords(wish).lowWatermarks().get(partition)).lowWatermark();
            Suite.expectEqual(low, 7L, "the low watermark");
            var tooFar = Map.of(partition, RecordsToDelete.beforeOffset(21));
            Suite.expectFailure(
                    OffsetOutOfRangeException.class, admin.deleteRecords(tooFar).lowWatermarks().get(partition));
            Map<OffsetSpec, Long> asked = Map.of(
                    OffsetSpec.earliest(), 7L,
                    OffsetSpec.latest(), 20L,
                    OffsetSpec.forTimestamp(Suite.FIRST_TIMESTAMP + 8_500), 9L);
            for (var pair : asked.entrySet()) {
                var found = wait(admin.listOffsets(Map.of(partition, pair.getKey())).all()).get(partition);
                Suite.expectEqual(found.offset(), pair.getValue(), "a listed offset");
            }
        }
    }
}
