import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Java consumers as members of groups, each in a thread of its own. Orders come in on standard input, events go out on
 * standard output, as in the programs of the other languages: they stand in {@code python/membership.py}.
 */
final class Members {
    private static final Duration STEP = Duration.ofMillis(100);
    private static final Duration COMMIT_LIMIT = Duration.ofSeconds(5);
    private static final String SESSION_MS = "6000";
    private static final String HEARTBEAT_MS = "1000";
    private static final String PACKAGE = "org.apache.kafka.clients.consumer.";
    private static final Map<String, String> ASSIGNORS = Map.of(
            "range", "RangeAssignor",
            "roundrobin", "RoundRobinAssignor",
            "sticky", "StickyAssignor",
            "cooperative-sticky", "CooperativeStickyAssignor");

    private static final Queue<Throwable> FAILURES = new ConcurrentLinkedQueue<>();

    private Members() {}

    public static void main(String[] args) throws Exception {
        Suite.play(Map.of("members", Members::follow), args);
    }

    private static void follow(String[] words) throws Exception {
        Map<String, Member> members = new HashMap<>();
        List<Thread> threads = new ArrayList<>();
        var orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = orders.readLine(); line != null; line = orders.readLine()) {
            String[] order = line.split(" ");
            if (order[0].equals("join")) {
                Member member = new Member(words[0], order);
                members.put(order[2], member);
                Thread thread = new Thread(member::run);
                threads.add(thread);
                thread.start();
            } else {
                members.remove(order[1]).isStopping = true;
            }
        }
        members.values().forEach(member -> member.isStopping = true);
        for (Thread thread : threads) {
            thread.join();
        }
        Suite.expect(FAILURES.isEmpty(), "a member failed: " + FAILURES.peek());
    }

    private static final class Member implements ConsumerRebalanceListener {
        private final String who;
        private final String topic;
        private final boolean commits;
        private final Map<String, Object> settings;
        private final Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
        private volatile boolean isStopping;
        private KafkaConsumer<byte[], byte[]> consumer;

        Member(String bootstrap, String[] order) {
            who = order[1] + " " + order[2];
            topic = order[3];
            String how = order[4];
            commits = !how.equals("default");
            settings = Suite.settings(
                    bootstrap, "group.id", order[1], "client.id", order[2], "auto.offset.reset", "earliest");
            if (commits) {
                settings.put("enable.auto.commit", "false");
            }
            if (how.equals("consumer")) {
                settings.put("group.protocol", how);
            } else if (commits) {
                settings.put("partition.assignment.strategy", PACKAGE + ASSIGNORS.get(how));
                settings.put("session.timeout.ms", SESSION_MS);
                settings.put("heartbeat.interval.ms", HEARTBEAT_MS);
            }
        }

        void run() {
            try {
                read();
            } catch (Throwable failure) {
                FAILURES.add(failure);
                failure.printStackTrace();
                say("failed " + who + " " + failure.toString().replace('\n', ' '));
            }
        }

        private void read() {
            try (var made = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
                consumer = made;
                if (commits) {
                    consumer.subscribe(List.of(topic), this);
                } else {
                    consumer.subscribe(List.of(topic));
                }
                while (!isStopping) {
                    var found = consumer.poll(STEP);
                    for (TopicPartition partition : found.partitions()) {
                        tell(partition, found.records(partition));
                    }
                    if (commits && !found.isEmpty()) {
                        commit();
                    }
                }
                if (commits) {
                    commit();
                }
            }
            say("left " + who);
        }

        /** Offsets come in their order; a gap begins a new line. */
        private void tell(TopicPartition partition, List<ConsumerRecord<byte[], byte[]>> records) {
            long first = records.get(0).offset();
            long end = first;
            for (var record : records) {
                if (record.offset() != end) {
                    say("read " + who + " " + partition.partition() + " " + first + " " + end);
                    first = record.offset();
                }
                end = record.offset() + 1;
            }
            say("read " + who + " " + partition.partition() + " " + first + " " + end);
            next.put(partition, new OffsetAndMetadata(end));
        }

        private void commit() {
            if (next.isEmpty()) {
                return;
            }
            try {
                consumer.commitSync(Map.copyOf(next), COMMIT_LIMIT);
            } catch (KafkaException e) {
                // It is tried again with what comes next, and whoever has the partition then begins where the last
                // commit is.
                return;
            }
            next.forEach((partition, offset) ->
                    say("committed " + who + " " + partition.partition() + " " + offset.offset()));
            next.clear();
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            commit();
            onPartitionsLost(partitions);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            partitions.forEach(next::remove);
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {}
    }

    private static void say(String line) {
        synchronized (Members.class) {
            System.out.println(line);
        }
    }
}
