import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.TopicExistsException;

/**
 * What every client of the suites does, by the Java client of any release since 2.8, beside the parts of the other
 * programs: all of them in one JVM, one after the other.
 */
final class EveryClient {
    private static final int FIVE_MEGABYTES = 5_000_000;

    private EveryClient() {}

    public static void main(String[] args) throws Exception {
        Map<String, Suite.Part> parts = new HashMap<>(Producing.PARTS);
        parts.putAll(Consuming.PARTS);
        parts.putAll(Administering.PARTS);
        parts.putAll(Map.of(
                "write_all", EveryClient::writeAll,
                "read_all", EveryClient::readAll,
                "idempotent", EveryClient::idempotent,
                "five_megabytes", EveryClient::fiveMegabytes,
                "deleted_topic", EveryClient::deletedTopic,
                "more_partitions", EveryClient::morePartitions,
                "through_a_restart", EveryClient::throughARestart));
        Suite.play(parts, args);
    }

    /** Words: address, the topics' beginning, count, codecs. */
    private static void writeAll(String[] words) throws Exception {
        for (String codec : List.of(words).subList(3, words.length)) {
            try (var producer = Suite.producer(words[0], "compression.type", codec, "linger.ms", 20)) {
                Suite.write(producer, words[1] + "-" + codec, 0, Integer.parseInt(words[2]));
            }
        }
    }

    /** Words: address, count, topics. */
    private static void readAll(String[] words) throws Exception {
        for (String topic : List.of(words).subList(2, words.length)) {
            Producing.PARTS.get("read_records").play(new String[] {words[0], topic, words[1]});
        }
    }

    private static void idempotent(String[] words) throws Exception {
        try (var producer = Suite.producer(
                words[0], "acks", "all", "enable.idempotence", true, "batch.size", 500, "linger.ms", 1)) {
            Suite.write(producer, words[1], 0, 60);
        }
        Producing.PARTS.get("read_records").play(new String[] {words[0], words[1], "60"});
    }

    private static void create(Admin admin, NewTopic topic) throws Exception {
        try {
            admin.createTopics(List.of(topic)).all().get(20, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            // A consumer's question may have made it.
            Suite.expect(e.getCause() instanceof TopicExistsException, "making " + topic + " failed: " + e);
        }
        Suite.settled(() -> {
            boolean isListed = admin.listTopics().names().get(20, TimeUnit.SECONDS).contains(topic.name());
            return isListed ? Optional.of(true) : Optional.empty();
        }, "the topic is not listed");
    }

    private static byte[] fiveMegabytesOf(int n) {
        byte[] value = new byte[FIVE_MEGABYTES];
        new Random(n).nextBytes(value);
        return value;
    }

    /** A topic and a producer that allow for it: a consumer takes one batch above its limits. */
    private static void fiveMegabytes(String[] words) throws Exception {
        try (Admin admin = Admin.create(Suite.settings(words[0]))) {
            NewTopic topic = new NewTopic(words[1], Optional.of(1), Optional.empty());
            create(admin, topic.configs(Map.of("max.message.bytes", "6000000")));
        }
        try (var producer = Suite.producer(words[0], "max.request.size", 6_000_000)) {
            for (int n = 0; n < 2; n++) {
                var stored = producer.send(new ProducerRecord<>(words[1], 0, null, fiveMegabytesOf(n)));
                Suite.expectEqual(stored.get(30, TimeUnit.SECONDS).offset(), (long) n, "the offset");
            }
        }
        try (var consumer = Suite.consumer(words[0], words[1], "auto.offset.reset", "earliest")) {
            var found = Suite.take(consumer, 2);
            for (int n = 0; n < 2; n++) {
                boolean isSame = java.util.Arrays.equals(found.get(n).value(), fiveMegabytesOf(n));
                Suite.expect(isSame, "5 MB came back changed");
            }
        }
    }

    /** A topic goes and comes back beneath a consumer: nothing comes of the old one, everything of the new one. */
    private static void deletedTopic(String[] words) throws Exception {
        try (var consumer = Suite.consumer(words[0], words[1], "auto.offset.reset", "earliest");
                Admin admin = Admin.create(Suite.settings(words[0]))) {
            try (var producer = Suite.producer(words[0])) {
                Suite.write(producer, words[1], 0, 20);
            }
            Suite.check(Suite.take(consumer, 20).get(19), 19);
            admin.deleteTopics(Set.of(words[1])).all().get(20, TimeUnit.SECONDS);
            Suite.expect(consumer.poll(Duration.ofMillis(1_500)).isEmpty(), "records came of a deleted topic");
            create(admin, new NewTopic(words[1], Optional.of(1), Optional.empty()));
            try (var producer = Suite.producer(words[0])) {
                Suite.write(producer, words[1], 0, 5);
            }
            var found = Suite.take(consumer, 5);
            IntStream.range(0, 5).forEach(i -> Suite.check(found.get(i), i));
        }
    }

    /** A topic grows; what was written stays, and the new partition takes records. */
    private static void morePartitions(String[] words) throws Exception {
        try (var producer = Suite.producer(words[0])) {
            Suite.write(producer, words[1], 0, 5);
        }
        try (Admin admin = Admin.create(Suite.settings(words[0]))) {
            admin.createPartitions(Map.of(words[1], NewPartitions.increaseTo(4))).all().get(20, TimeUnit.SECONDS);
            var smaller = admin.createPartitions(Map.of(words[1], NewPartitions.increaseTo(2))).all();
            Suite.expectFailure(InvalidPartitionsException.class, smaller);
            Suite.settled(() -> {
                // How the admin client says it differs between the releases.
                try (var consumer = Suite.consumer(words[0], words[1])) {
                    boolean hasGrown = consumer.partitionsFor(words[1]).size() == 4;
                    return hasGrown ? Optional.of(true) : Optional.empty();
                }
            }, "the topic has not grown");
        }
        try (var producer = Suite.producer(words[0])) {
            var stored = producer.send(new ProducerRecord<>(words[1], 3, null, Suite.utf8("in the new one")));
            Suite.expectEqual(stored.get(20, TimeUnit.SECONDS).toString(), words[1] + "-3@0", "where it was stored");
        }
        Producing.PARTS.get("read_records").play(new String[] {words[0], words[1], "5"});
    }

    /** One producer's numbers: what was sent, where each was said to be, and what a consumer found. */
    private static final class Written {
        final String topic;
        final boolean isExact;
        final AtomicInteger sent = new AtomicInteger();
        final Map<Long, Integer> acknowledged = new ConcurrentHashMap<>();
        final Map<Integer, Exception> failures = new ConcurrentHashMap<>();
        final List<Integer> found = new ArrayList<>();
        volatile boolean isOver;

        Written(String topic, boolean isExact) {
            this.topic = topic;
            this.isExact = isExact;
        }

        void check() {
            Suite.expect(failures.isEmpty(), topic + ": " + failures);
            Suite.expect(sent.get() > 100, topic + ": only " + sent + " were sent");
            acknowledged.forEach((offset, value) ->
                    Suite.expectEqual(found.get(offset.intValue()), value, topic + ": the value at " + offset));
            Set<Integer> different = new HashSet<>(found);
            Suite.expectEqual(different.size(), sent.get(), topic + ": how many different values were found");
            if (isExact) {
                Suite.expectEqual(found, IntStream.range(0, sent.get()).boxed().toList(), topic + ": the values");
            }
            System.out.println(topic + ": " + sent + " sent, " + (found.size() - different.size()) + " doubled");
        }
    }

    /**
     * Words: address, topics' beginning, guarantee. Writes, by a producer with defaults and by an idempotent one, and reads
     * meanwhile, while the broker ends and is started again, until a file called {@code enough} says that this is over.
     */
    private static void throughARestart(String[] words) throws Exception {
        boolean isExact = words[2].equals("exactly_once");
        Map<Written, Object[]> modes = Map.of(
                new Written(words[1] + "-plain", false), new Object[] {},
                new Written(words[1] + "-idempotent", isExact),
                new Object[] {"enable.idempotence", true, "acks", "all"});
        // A failure of one has to end the program.
        ExecutorService threads = Executors.newCachedThreadPool(work -> {
            Thread thread = new Thread(work);
            thread.setDaemon(true);
            return thread;
        });
        List<Future<?>> running = new ArrayList<>();
        for (var mode : modes.entrySet()) {
            Written written = mode.getKey();
            running.add(threads.submit(() -> writeOn(words[0], written, mode.getValue())));
            long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
            while (written.acknowledged.isEmpty()) {
                Suite.expect(System.nanoTime() < until, "the first record was not written");
                Thread.sleep(20);
            }
            running.add(threads.submit(() -> readOn(words[0], written)));
        }
        Files.writeString(Path.of("writing-" + words[1]), "");
        for (Future<?> future : running) {
            future.get();
        }
        threads.shutdown();
        modes.keySet().forEach(Written::check);
    }

    private static Void writeOn(String bootstrap, Written written, Object[] settings) throws Exception {
        try (var producer = Suite.producer(bootstrap, settings)) {
            while (!Files.exists(Path.of("enough"))) {
                int value = written.sent.getAndIncrement();
                byte[] text = Suite.utf8(Integer.toString(value));
                producer.send(new ProducerRecord<>(written.topic, 0, null, text), (stored, failure) -> {
                    if (failure == null) {
                        written.acknowledged.put(stored.offset(), value);
                    } else {
                        written.failures.put(value, failure);
                    }
                });
                Thread.sleep(5);
            }
        } finally {
            written.isOver = true;
        }
        return null;
    }

    private static Void readOn(String bootstrap, Written written) {
        TopicPartition partition = new TopicPartition(written.topic, 0);
        try (var consumer = Suite.consumer(bootstrap, written.topic, "auto.offset.reset", "earliest")) {
            long end = -1;
            long until = Long.MAX_VALUE;
            while (end < 0 || written.found.size() < end) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    Suite.expectEqual(record.offset(), (long) written.found.size(), written.topic + ": the offset");
                    written.found.add(Integer.parseInt(new String(record.value())));
                }
                if (end < 0 && written.isOver) {
                    end = consumer.endOffsets(Set.of(partition)).get(partition);
                    until = System.nanoTime() + Suite.TIME_TO_READ.toNanos();
                }
                Suite.expect(System.nanoTime() < until, written.topic + ": the reader does not come to the end");
            }
        }
        return null;
    }
}
