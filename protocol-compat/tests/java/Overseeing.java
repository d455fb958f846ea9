import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListConfigResourcesOptions;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.ClassicGroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.UnknownMemberIdException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** The questions of the Java admin client of this release that no other program asks: features, resources, members. */
final class Overseeing {
    private static final String GROUP = "readers";

    private Overseeing() {}

    public static void main(String[] args) throws Exception {
        Map<String, Suite.Part> parts = Map.of(
                "features", Overseeing::features,
                "resources", Overseeing::resources,
                "members", Overseeing::members);
        Suite.play(parts, args);
    }

    private static <T> T answer(KafkaFuture<T> answer) throws Exception {
        return answer.get(20, TimeUnit.SECONDS);
    }

    private static void features(String[] words) throws Exception {
        try (Admin admin = Admin.create(Suite.settings(words[0]))) {
            var features = answer(admin.describeFeatures().featureMetadata());
            for (String name : List.of("metadata.version", "group.version")) {
                var supported = features.supportedFeatures().get(name);
                var finalized = features.finalizedFeatures().get(name);
                Suite.expect(supported.minVersion() <= finalized.minVersionLevel(), name + ": " + features);
                Suite.expect(finalized.maxVersionLevel() <= supported.maxVersion(), name + ": " + features);
            }
        }
    }

    private static void resources(String[] words) throws Exception {
        try (Admin admin = Admin.create(Suite.settings(words[0]))) {
            answer(admin.createTopics(List.of(new NewTopic(words[1], Optional.of(1), Optional.empty()))).all());
            ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, GROUP);
            var heartbeat = new ConfigEntry("consumer.heartbeat.interval.ms", "6000");
            var set = List.of(new AlterConfigOp(heartbeat, AlterConfigOp.OpType.SET));
            answer(admin.incrementalAlterConfigs(Map.of(group, set)).all());
            Suite.settled(
                    () -> {
                        var all = answer(admin.listConfigResources().all());
                        var topic = new ConfigResource(ConfigResource.Type.TOPIC, words[1]);
                        return all.containsAll(List.of(group, topic)) ? Optional.of(true) : Optional.empty();
                    },
                    "a resource is not listed");
            var types = Set.of(ConfigResource.Type.GROUP);
            var groups = answer(admin.listConfigResources(types, new ListConfigResourcesOptions()).all());
            Suite.expectEqual(List.copyOf(groups), List.of(group), "the resources of groups");
        }
    }

    /** A static member is described and removed by whoever knows its name. */
    private static void members(String[] words) throws Exception {
        Map<String, Object> settings = Suite.settings(
                words[0], "group.id", GROUP, "group.instance.id", "one", "group.protocol", "classic");
        try (Admin admin = Admin.create(Suite.settings(words[0]));
                var member = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            answer(admin.createTopics(List.of(new NewTopic(words[1], Optional.of(2), Optional.empty()))).all());
            member.subscribe(List.of(words[1]));
            for (int i = 0; member.assignment().size() < 2; i++) {
                Suite.expect(i < 100, "the member has " + member.assignment());
                member.poll(Duration.ofMillis(200));
            }
            var group = answer(admin.describeClassicGroups(List.of(GROUP)).all()).get(GROUP);
            Suite.expectEqual(group.state(), ClassicGroupState.STABLE, "the state");
            Suite.expectEqual(group.protocol(), "consumer", "the protocol");
            var described = group.members().iterator().next();
            Suite.expectEqual(described.groupInstanceId(), Optional.of("one"), "the member");
            Suite.expectEqual(described.assignment().topicPartitions(), member.assignment(), "what it reads");
            var classic = new ListGroupsOptions().withTypes(Set.of(GroupType.CLASSIC));
            Suite.expectEqual(answer(admin.listGroups(classic).all()).size(), 1, "classic groups");
            var modern = new ListGroupsOptions().withTypes(Set.of(GroupType.CONSUMER));
            Suite.expectEqual(answer(admin.listGroups(modern).all()).size(), 0, "groups of the newer protocol");

            var one = new RemoveMembersFromConsumerGroupOptions(Set.of(new MemberToRemove("one")));
            answer(admin.removeMembersFromConsumerGroup(GROUP, one).all());
            Suite.expectFailure(UnknownMemberIdException.class, admin.removeMembersFromConsumerGroup(GROUP, one).all());
            group = answer(admin.describeClassicGroups(List.of(GROUP)).all()).get(GROUP);
            Suite.expectEqual(group.members().size(), 0, "members that are left");
        }
    }
}
