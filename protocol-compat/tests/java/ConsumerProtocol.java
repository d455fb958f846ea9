import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** The Java client as a member of a group of the newer protocol, whose assignments the broker makes. */
final class ConsumerProtocol {
    private static final int PARTITIONS = 6;
    private static final int COUNT = 120;
    private static final Duration STEP = Duration.ofMillis(200);
    private static final long PATIENCE_NANOS = 90_000_000_000L;

    private ConsumerProtocol() {}

    public static void main(String[] args) throws Exception {
        Suite.play(
                Map.of(
                        "scaling", ConsumerProtocol::scaling,
                        "fixed", ConsumerProtocol::fixed,
                        "migration", ConsumerProtocol::migration,
                        "pattern", ConsumerProtocol::pattern),
                args);
    }

    /** One member, three, one again, while records are written: each is read, and its offset kept. */
    private static void scaling(String[] words) throws Exception {
        makeTopic(words[0], words[1]);
        Set<Integer> seen = new TreeSet<>();
        List<KafkaConsumer<byte[], byte[]>> members = new ArrayList<>();
        try {
            members.add(member(words, Map.of()));
            write(words, 0);
            until(() -> read(members, seen) && seen.size() == COUNT && shares(members, PARTITIONS));
            members.add(member(words, Map.of()));
            members.add(member(words, Map.of()));
            write(words, COUNT);
            until(() -> read(members, seen) && shares(members, PARTITIONS / 3));
            describe(words[0], 3);
            write(words, 2 * COUNT);
            until(() -> read(members, seen) && seen.size() == 3 * COUNT);
            members.remove(2).close();
            members.remove(1).close();
            write(words, 3 * COUNT);
            until(() -> read(members, seen) && seen.size() == 4 * COUNT && shares(members, PARTITIONS));
            members.get(0).commitSync();
            long sum = 0;
            for (var committed : members.get(0).committed(members.get(0).assignment()).values()) {
                sum += committed.offset();
            }
            Suite.expectEqual(sum, 4L * COUNT, "the committed offsets");
            describe(words[0], 1);
        } finally {
            members.forEach(KafkaConsumer::close);
        }
        try (var admin = Admin.create(Map.of("bootstrap.servers", words[0]))) {
            var group = admin.describeConsumerGroups(List.of("readers")).all().get().get("readers");
            Suite.expectEqual(group.groupState(), GroupState.EMPTY, "the state without members");
            admin.deleteConsumerGroups(List.of("readers")).all().get();
            Suite.expectEqual(admin.listGroups().all().get().size(), 0, "groups that are left");
        }
    }

    /** An instance that goes and comes back finds what it had; ranges go by the order of instances. */
    private static void fixed(String[] words) throws Exception {
        makeTopic(words[0], words[1]);
        Map<String, String> first = Map.of("group.instance.id", "first", "group.remote.assignor", "range");
        Map<String, String> second = Map.of("group.instance.id", "second", "group.remote.assignor", "range");
        List<KafkaConsumer<byte[], byte[]>> members = new ArrayList<>();
        try {
            members.add(member(words, first));
            members.add(member(words, second));
            until(() -> read(members, new TreeSet<>()) && shares(members, PARTITIONS / 2));
            Set<TopicPartition> had = members.get(0).assignment();
            Suite.expect(had.contains(new TopicPartition(words[1], 0)), "the first instance has " + had);
            members.remove(0).close();
            members.add(0, member(words, first));
            until(() -> read(members, new TreeSet<>()) && shares(members, PARTITIONS / 2));
            Suite.expectEqual(members.get(0).assignment(), had, "what the instance has again");
        } finally {
            members.forEach(KafkaConsumer::close);
        }
    }

    /** A live group goes over to the newer protocol with a member of it, and back when that leaves. */
    private static void migration(String[] words) throws Exception {
        makeTopic(words[0], words[1]);
        Set<Integer> seen = new TreeSet<>();
        List<KafkaConsumer<byte[], byte[]>> members = new ArrayList<>();
        try {
            members.add(member(words, Map.of("group.protocol", "classic")));
            write(words, 0);
            until(() -> read(members, seen) && seen.size() == COUNT && shares(members, PARTITIONS));
            expectType(words[0], GroupType.CLASSIC);
            members.add(member(words, Map.of()));
            until(() -> read(members, seen) && shares(members, PARTITIONS / 2));
            expectType(words[0], GroupType.CONSUMER);
            write(words, COUNT);
            until(() -> read(members, seen) && seen.size() == 2 * COUNT);
            members.remove(1).close();
            write(words, 2 * COUNT);
            until(() -> read(members, seen) && seen.size() == 3 * COUNT && shares(members, PARTITIONS));
            expectType(words[0], GroupType.CLASSIC);
            members.get(0).commitSync();
        } finally {
            members.forEach(KafkaConsumer::close);
        }
    }

    private static void expectType(String server, GroupType type) throws Exception {
        try (var admin = Admin.create(Map.of("bootstrap.servers", server))) {
            var listed = admin.listGroups().all().get().iterator().next();
            Suite.expectEqual(listed.type().get(), type, "the type in the list");
        }
    }

    /** A topic that is made later is found. */
    private static void pattern(String[] words) throws Exception {
        makeTopic(words[0], words[1] + "-1");
        try (var member = new KafkaConsumer<>(
                settings(words, Map.of()), new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            member.subscribe(new SubscriptionPattern(words[1] + "-[0-9]"));
            List<KafkaConsumer<byte[], byte[]>> members = List.of(member);
            until(() -> read(members, new TreeSet<>()) && shares(members, PARTITIONS));
            makeTopic(words[0], words[1] + "-2");
            makeTopic(words[0], words[1] + "-x");
            until(() -> read(members, new TreeSet<>()) && shares(members, 2 * PARTITIONS));
        }
    }

    private static void describe(String server, int members) throws Exception {
        try (var admin = Admin.create(Map.of("bootstrap.servers", server))) {
            var group = admin.describeConsumerGroups(List.of("readers")).all().get().get("readers");
            Suite.expectEqual(group.type(), GroupType.CONSUMER, "the type");
            Suite.expectEqual(group.groupState(), GroupState.STABLE, "the state");
            Suite.expectEqual(group.partitionAssignor(), "uniform", "the assignor");
            Suite.expectEqual(group.members().size(), members, "members");
            for (var member : group.members()) {
                int has = member.assignment().topicPartitions().size();
                Suite.expectEqual(has, PARTITIONS / members, "partitions of a member");
                Suite.expectEqual(member.targetAssignment().get(), member.assignment(), "what it is to have");
            }
        }
        expectType(server, GroupType.CONSUMER);
    }

    private interface Question {
        boolean holds();
    }

    private static void until(Question question) {
        long end = System.nanoTime() + PATIENCE_NANOS;
        while (!question.holds()) {
            Suite.expect(System.nanoTime() < end, "what was waited for did not come");
        }
    }

    private static boolean read(List<KafkaConsumer<byte[], byte[]>> members, Set<Integer> seen) {
        for (var member : members) {
            for (ConsumerRecord<byte[], byte[]> record : member.poll(STEP)) {
                seen.add(Integer.parseInt(new String(record.value(), java.nio.charset.StandardCharsets.UTF_8)));
            }
        }
        return true;
    }

    private static boolean shares(List<KafkaConsumer<byte[], byte[]>> members, int each) {
        return members.stream().allMatch(member -> member.assignment().size() == each);
    }

    private static void makeTopic(String server, String topic) throws Exception {
        try (var admin = Admin.create(Map.of("bootstrap.servers", server))) {
            admin.createTopics(List.of(new NewTopic(topic, PARTITIONS, (short) 1))).all().get();
        }
    }

    private static void write(String[] words, int from) {
        try (var producer = Suite.producer(words[0])) {
            for (int i = from; i < from + COUNT; i++) {
                producer.send(new ProducerRecord<>(words[1], i % PARTITIONS, null, Suite.utf8(Integer.toString(i))));
            }
        }
    }

    private static Map<String, Object> settings(String[] words, Map<String, String> more) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", words[0]);
        settings.put("group.id", "readers");
        settings.put("group.protocol", "consumer");
        settings.put("auto.offset.reset", "earliest");
        settings.put("metadata.max.age.ms", "2000");
        settings.putAll(more);
        return settings;
    }

    private static KafkaConsumer<byte[], byte[]> member(String[] words, Map<String, String> more) {
        var consumer = new KafkaConsumer<>(
                settings(words, more), new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumer.subscribe(List.of(words[1]));
        return consumer;
    }
}
