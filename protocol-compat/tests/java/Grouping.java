import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** The Java client as a member of a group, with its defaults: it subscribes, shares, commits, and goes on where it was. */
final class Grouping {
    private static final int PARTITIONS = 6;
    private static final int COUNT = 120;
    private static final Duration STEP = Duration.ofMillis(200);
    private static final long PATIENCE_NANOS = 60_000_000_000L;

    private Grouping() {}

    public static void main(String[] args) throws Exception {
        Suite.play(Map.of("alone", Grouping::alone, "together", Grouping::together), args);
    }

    private static void alone(String[] words) throws Exception {
        makeTopic(words);
        write(words, 0);
        try (var first = member(words)) {
            Suite.expectEqual(take(first, COUNT), numbers(0), "what the first member read");
        }
        write(words, COUNT);
        try (var second = member(words)) {
            Suite.expectEqual(take(second, COUNT), numbers(COUNT), "what the second read");
            second.commitSync();
            TopicPartition partition = new TopicPartition(words[1], 0);
            OffsetAndMetadata committed = second.committed(Set.of(partition)).get(partition);
            Suite.expectEqual(committed.offset(), 2L * COUNT / PARTITIONS, "the committed offset");
        }
        administer(words);
    }

    private static void together(String[] words) throws Exception {
        makeTopic(words);
        try (var first = member(words)) {
            var second = member(words);
            until(() -> {
                first.poll(STEP);
                second.poll(STEP);
                return first.assignment().size() == PARTITIONS / 2 && second.assignment().size() == PARTITIONS / 2;
            });
            write(words, 0);
            Set<Integer> seen = new TreeSet<>();
            until(() -> {
                first.poll(STEP).forEach(r -> seen.add(number(r.value())));
                second.poll(STEP).forEach(r -> seen.add(number(r.value())));
                return seen.size() == COUNT;
            });
            second.close();
            until(() -> {
                first.poll(STEP);
                return first.assignment().size() == PARTITIONS;
            });
        }
    }

    private static void administer(String[] words) throws Exception {
        try (var admin = Admin.create(Map.of("bootstrap.servers", words[0]))) {
            var listed = admin.listGroups().all().get();
            Suite.expect(listed.stream().anyMatch(g -> g.groupId().equals("readers")), "the groups are " + listed);
            var group = admin.describeConsumerGroups(List.of("readers")).all().get().get("readers");
            Suite.expectEqual(group.groupState().toString(), "Empty", "the state");
            var offsets = admin.listConsumerGroupOffsets("readers").partitionsToOffsetAndMetadata().get();
            Suite.expectEqual(offsets.size(), PARTITIONS, "partitions with an offset");
            TopicPartition partition = new TopicPartition(words[1], 0);
            admin.alterConsumerGroupOffsets("readers", Map.of(partition, new OffsetAndMetadata(7, "moved"))).all().get();
            offsets = admin.listConsumerGroupOffsets("readers").partitionsToOffsetAndMetadata().get();
            Suite.expectEqual(offsets.get(partition), new OffsetAndMetadata(7, "moved"), "the offset that was set");
            admin.deleteConsumerGroupOffsets("readers", Set.of(partition)).all().get();
            admin.deleteConsumerGroups(List.of("readers")).all().get();
            Suite.expectEqual(admin.listGroups().all().get().size(), 0, "groups that are left");
        }
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

    private static void makeTopic(String[] words) throws Exception {
        try (var admin = Admin.create(Map.of("bootstrap.servers", words[0]))) {
            admin.createTopics(List.of(new NewTopic(words[1], PARTITIONS, (short) 1))).all().get();
        }
    }

    private static void write(String[] words, int from) {
        try (var producer = Suite.producer(words[0])) {
            for (int i = from; i < from + COUNT; i++) {
                producer.send(new ProducerRecord<>(words[1], i % PARTITIONS, null, Suite.utf8(Integer.toString(i))));
            }
        }
    }

    private static KafkaConsumer<byte[], byte[]> member(String[] words) {
        Map<String, Object> settings =
                Map.of("bootstrap.servers", words[0], "group.id", "readers", "auto.offset.reset", "earliest");
        var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumer.subscribe(List.of(words[1]));
        return consumer;
    }

    private static List<Integer> take(KafkaConsumer<byte[], byte[]> consumer, int count) {
        List<Integer> values = new ArrayList<>();
        until(() -> {
            consumer.poll(STEP).forEach(r -> values.add(number(r.value())));
            return values.size() >= count;
        });
        values.sort(null);
        return values;
    }

    private static int number(byte[] value) {
        return Integer.parseInt(new String(value, java.nio.charset.StandardCharsets.UTF_8));
    }

    private static List<Integer> numbers(int from) {
        List<Integer> numbers = new ArrayList<>();
        for (int i = from; i < from + COUNT; i++) {
            numbers.add(i);
        }
        return numbers;
    }
}
