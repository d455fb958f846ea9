import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.LogTruncationException;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.common.Metric;
import org.apache.kafka.common.TopicPartition;

/** The Java client reads: from every kind of position, from an empty topic, and while it waits for the next record. */
final class Consuming {
    private static final int COUNT = 60;
    /** What is added to the number of a record that takes the place of another. */
    private static final int OTHER = 1_000;

    static final Map<String, Suite.Part> PARTS = Map.of(
            "positions", Consuming::positions,
            "empty_topic", Consuming::emptyTopic,
            "small_fetches", Consuming::smallFetches,
            "read_committed", Consuming::readCommitted,
            "long_poll", Consuming::longPoll,
            "lost_tail", Consuming::lostTail);

    private Consuming() {}

    public static void main(String[] args) throws Exception {
        Suite.play(PARTS, args);
    }

    private static void positions(String[] words) throws Exception {
        TopicPartition partition = new TopicPartition(words[1], 0);
        try (var producer = Suite.producer(words[0], "linger.ms", 20)) {
            Suite.write(producer, words[1], 0, COUNT);
            try (var consumer = Suite.consumer(words[0], words[1])) {
                Suite.expectEqual(consumer.beginningOffsets(Set.of(partition)), Map.of(partition, 0L), "the beginning");
                Suite.expectEqual(consumer.endOffsets(Set.of(partition)), Map.of(partition, (long) COUNT), "the end");
                consumer.seekToBeginning(Set.of(partition));
                Suite.check(Suite.take(consumer, COUNT).get(0), 0);
                consumer.seek(partition, 17);
                Suite.check(Suite.take(consumer, COUNT - 17).get(0), 17);
                byTime(consumer, partition);
                consumer.seekToEnd(Set.of(partition));
                Suite.expectEqual(consumer.position(partition), (long) COUNT, "the position at the end");
                Suite.write(producer, words[1], COUNT, 1);
                Suite.check(Suite.take(consumer, 1).get(0), COUNT);
                Suite.expectEqual(metric(consumer, "records-lag"), 0.0, "the lag at the end");
            }
        }
        outside(words[0], partition);
    }

    /** The first record at or after a time, to the record and not to the batch; none after the last. */
    private static void byTime(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition) {
        int[][] asked = {{0, 0}, {30_000, 30}, {30_001, 31}, {59_000, 59}};
        for (int[] pair : asked) {
            var found = consumer.offsetsForTimes(Map.of(partition, Suite.FIRST_TIMESTAMP + pair[0])).get(partition);
            Suite.expectEqual(found.offset(), (long) pair[1], "the offset for " + pair[0]);
            Suite.expectEqual(found.timestamp(), Suite.FIRST_TIMESTAMP + 1000L * pair[1], "its timestamp");
        }
        var late = consumer.offsetsForTimes(Map.of(partition, Suite.FIRST_TIMESTAMP + 1000L * COUNT));
        Suite.expectEqual(late.get(partition), null, "the offset for a time after the last record");
    }

    /** An offset that does not exist: an error without a reset rule, the beginning with one. */
    private static void outside(String bootstrap, TopicPartition partition) {
        try (var consumer = Suite.consumer(bootstrap, partition.topic(), "auto.offset.reset", "none")) {
            consumer.seek(partition, 10_000);
            Suite.take(consumer, 1);
            throw new AssertionError("a record came from beyond the end");
        } catch (OffsetOutOfRangeException e) {
            Suite.expectEqual(e.partitions(), Set.of(partition), "whose offset is out of range");
        }
        try (var consumer = Suite.consumer(bootstrap, partition.topic(), "auto.offset.reset", "earliest")) {
            consumer.seek(partition, 10_000);
            Suite.check(Suite.take(consumer, 1).get(0), 0);
        }
    }

    /** Nothing comes from an empty topic; the broker holds each question for the time asked instead of spinning. */
    private static void emptyTopic(String[] words) {
        try (var consumer = Suite.consumer(words[0], words[1], "auto.offset.reset", "earliest", "fetch.max.wait.ms", 500)) {
            consumer.poll(Duration.ofSeconds(2));
            double fetchesBefore = fetches(consumer);
            long asked = System.nanoTime();
            Suite.expectEqual(consumer.poll(Duration.ofSeconds(4)).count(), 0, "how many records came");
            long waited = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - asked);
            Suite.expect(waited >= 3_900 && waited < 6_000, "a poll of 4 s took " + waited + " ms");
            double made = fetches(consumer) - fetchesBefore;
            Suite.expect(made >= 4 && made <= 12, made + " fetches of 500 ms in " + waited + " ms");
        }
    }

    private static double fetches(KafkaConsumer<byte[], byte[]> consumer) {
        return metric(consumer, "fetch-total");
    }

    private static double metric(KafkaConsumer<byte[], byte[]> consumer, String name) {
        for (Metric metric : consumer.metrics().values()) {
            if (metric.metricName().name().equals(name)) {
                return (Double) metric.metricValue();
            }
        }
        throw new AssertionError("the consumer has no metric " + name);
    }

    /** Fetches smaller than one batch still make progress, over many batches. */
    private static void smallFetches(String[] words) throws Exception {
        try (var producer = Suite.producer(words[0], "batch.size", 2_000, "linger.ms", 5)) {
            Suite.write(producer, words[1], 0, 500);
        }
        Object[] small = {"auto.offset.reset", "earliest", "max.partition.fetch.bytes", 100, "fetch.max.bytes", 100};
        try (var consumer = Suite.consumer(words[0], words[1], small)) {
            var found = Suite.take(consumer, 500);
            for (int i = 0; i < 500; i++) {
                Suite.check(found.get(i), i);
            }
        }
    }

    /**
     * Two consumers have read everything when the broker loses the end of it, and other records take its place and more.
     * The one without a reset rule is told where its history ends, the other goes on from there; neither is given other
     * records as if they came next.
     */
    private static void lostTail(String[] words) throws Exception {
        TopicPartition partition = new TopicPartition(words[1], 0);
        try (var strict = Suite.consumer(words[0], words[1], "auto.offset.reset", "none");
                var lenient = Suite.consumer(words[0], words[1], "auto.offset.reset", "earliest")) {
            try (var producer = Suite.producer(words[0], "batch.size", 1_000, "linger.ms", 5)) {
                Suite.write(producer, words[1], 0, COUNT);
            }
            for (var consumer : List.of(strict, lenient)) {
                consumer.seekToBeginning(Set.of(partition));
                Suite.check(Suite.take(consumer, COUNT).get(COUNT - 1), COUNT - 1);
            }
            int kept = keptAfterLoss();
            try (var producer = Suite.producer(words[0])) {
                for (int i = kept; i < kept + COUNT; i++) {
                    var stored = producer.send(Suite.record(words[1], OTHER + i)).get(20, TimeUnit.SECONDS);
                    Suite.expectEqual(stored.offset(), (long) i, "the offset of another record");
                }
            }
            try {
                Suite.take(strict, 1);
                throw new AssertionError("records came as if none had been lost");
            } catch (LogTruncationException e) {
                var parted = e.divergentOffsets().get(partition);
                Suite.expectEqual(parted.offset(), (long) kept, "where the histories part");
            }
            List<ConsumerRecord<byte[], byte[]>> found = Suite.take(lenient, COUNT);
            for (int i = 0; i < COUNT; i++) {
                Suite.expectEqual(found.get(i).offset(), (long) kept + i, "the offset behind the loss");
                byte[] wanted = Suite.record(words[1], OTHER + kept + i).value();
                Suite.expectBytes(found.get(i).value(), wanted, "the value behind the loss");
            }
        }
    }

    /** Says that everything is read, and waits until the broker is back; how many records it has kept is in a file. */
    private static int keptAfterLoss() throws Exception {
        Files.writeString(Path.of("read"), "");
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!Files.exists(Path.of("back"))) {
            Suite.expect(System.nanoTime() < until, "the broker did not come back");
            Thread.sleep(20);
        }
        return Integer.parseInt(Files.readString(Path.of("back")));
    }

    /** Without transactions, read_committed sees what everybody sees. */
    private static void readCommitted(String[] words) throws Exception {
        try (var producer = Suite.producer(words[0])) {
            Suite.write(producer, words[1], 0, 20);
        }
        Object[] committed = {"auto.offset.reset", "earliest", "isolation.level", "read_committed"};
        try (var consumer = Suite.consumer(words[0], words[1], committed)) {
            var found = Suite.take(consumer, 20);
            Suite.check(found.get(19), 19);
            TopicPartition partition = new TopicPartition(words[1], 0);
            Suite.expectEqual(consumer.endOffsets(Set.of(partition)), Map.of(partition, 20L), "the stable end");
        }
    }

    /** Two consumers wait in fetches of ten seconds; a record must reach both long before these run out. */
    private static void longPoll(String[] words) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(2);
        try (var producer = Suite.producer(words[0])) {
            Suite.write(producer, words[1], 0, 1);
            CountDownLatch waiting = new CountDownLatch(2);
            Callable<Long> listen = () -> {
                try (var consumer = Suite.consumer(words[0], words[1], "fetch.max.wait.ms", 10_000)) {
                    consumer.seek(new TopicPartition(words[1], 0), 0);
                    Suite.check(Suite.take(consumer, 1).get(0), 0);
                    waiting.countDown();
                    Suite.check(Suite.take(consumer, 1).get(0), 1);
                    return System.nanoTime();
                }
            };
            List<Future<Long>> listeners = new ArrayList<>(Arrays.asList(threads.submit(listen), threads.submit(listen)));
            Suite.expect(waiting.await(20, TimeUnit.SECONDS), "a listener never read the first record");
            // Both have asked for the second record when this time is over.
            Thread.sleep(1_500);
            long sent = System.nanoTime();
            Suite.write(producer, words[1], 1, 1);
            for (Future<Long> listener : listeners) {
                long waited = TimeUnit.NANOSECONDS.toMillis(listener.get(20, TimeUnit.SECONDS) - sent);
                Suite.expect(waited < 1_500, "a waiting consumer got the record only after " + waited + " ms");
                System.out.println("woken after " + waited + " ms");
            }
        } finally {
            threads.shutdownNow();
        }
    }
}
