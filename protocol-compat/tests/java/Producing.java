import static java.util.Map.entry;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/** The Java client writes and reads back. */
final class Producing {
    private static final int LARGE_BYTES = 900_000;

    static final Map<String, Suite.Part> PARTS = Map.ofEntries(
            entry("write_records", Producing::writeRecords),
            entry("read_records", Producing::readRecords),
            entry("nothing_but_the_address", Producing::nothingButTheAddress),
            entry("acknowledgements", Producing::acknowledgements),
            entry("corners", Producing::corners),
            entry("large_records", Producing::largeRecords),
            entry("too_large_for_the_broker", Producing::tooLargeForTheBroker),
            entry("spread_over_partitions", Producing::spreadOverPartitions),
            entry("through_a_restart", Producing::throughARestart),
            entry("through_losses", Producing::throughLosses));

    private Producing() {}

    public static void main(String[] args) throws Exception {
        Suite.play(PARTS, args);
    }

    /** Words: address, topic, codec, first, count. */
    private static void writeRecords(String[] words) throws Exception {
        try (var producer = Suite.producer(words[0], "compression.type", words[2], "linger.ms", 20)) {
            Suite.write(producer, words[1], Integer.parseInt(words[3]), Integer.parseInt(words[4]));
        }
    }

    /** Words: address, topic, count. */
    private static void readRecords(String[] words) {
        int count = Integer.parseInt(words[2]);
        try (var consumer = Suite.consumer(words[0], words[1], "auto.offset.reset", "earliest")) {
            List<ConsumerRecord<byte[], byte[]>> found = Suite.take(consumer, count);
            IntStream.range(0, count).forEach(i -> Suite.check(found.get(i), i));
            TopicPartition partition = new TopicPartition(words[1], 0);
            Suite.expectEqual(consumer.endOffsets(Set.of(partition)), Map.of(partition, (long) count), "the end");
        }
    }

    /** Not one setting besides the address, on either side: the producer is idempotent and waits for all. */
    private static void nothingButTheAddress(String[] words) throws Exception {
        try (var producer = Suite.producer(words[0])) {
            Suite.write(producer, words[1], 0, 30);
        }
        try (var consumer = Suite.consumer(words[0], words[1])) {
            consumer.seekToBeginning(consumer.assignment());
            List<ConsumerRecord<byte[], byte[]>> found = Suite.take(consumer, 30);
            IntStream.range(0, 30).forEach(i -> Suite.check(found.get(i), i));
        }
    }

    private static void acknowledgements(String[] words) throws Exception {
        try (var producer = Suite.producer(words[0], "acks", "1", "enable.idempotence", false)) {
            Suite.write(producer, words[1], 0, 10);
        }
        try (var producer = Suite.producer(words[0], "acks", "all", "enable.idempotence", false)) {
            Suite.write(producer, words[1], 10, 10);
        }
        try (var producer = Suite.producer(words[0], "acks", "0", "enable.idempotence", false)) {
            for (int i = 20; i < 30; i++) {
                var unanswered = producer.send(Suite.record(words[1], i)).get(20, TimeUnit.SECONDS);
                Suite.expect(!unanswered.hasOffset(), "an unanswered record has offset " + unanswered.offset());
            }
        }
        readRecords(new String[] {words[0], words[1], "30"});
    }

    /** What kafka-python cannot write: a record of nulls alone, null values of headers, empty names, very many headers. */
    private static void corners(String[] words) throws Exception {
        List<Header> headers = new ArrayList<>();
        headers.add(new RecordHeader("null", (byte[]) null));
        headers.add(new RecordHeader("", new byte[0]));
        IntStream.range(0, 2_000).forEach(i -> headers.add(new RecordHeader("h" + i, Suite.utf8("v" + i))));
        List<ProducerRecord<byte[], byte[]>> written = List.of(
                new ProducerRecord<>(words[1], 0, 0L, null, null, List.of()),
                new ProducerRecord<>(words[1], 0, 1L, null, null, headers),
                new ProducerRecord<>(words[1], 0, Suite.FIRST_TIMESTAMP, new byte[30_000], null, List.of()));
        try (var producer = Suite.producer(words[0], "linger.ms", 20)) {
            written.forEach(producer::send);
        }
        try (var consumer = Suite.consumer(words[0], words[1], "auto.offset.reset", "earliest")) {
            List<ConsumerRecord<byte[], byte[]>> found = Suite.take(consumer, written.size());
            for (int i = 0; i < written.size(); i++) {
                Suite.expectEqual(found.get(i).timestamp(), written.get(i).timestamp(), "the timestamp of corner " + i);
                Suite.expectBytes(found.get(i).key(), written.get(i).key(), "the key of corner " + i);
                Suite.expectBytes(found.get(i).value(), written.get(i).value(), "the value of corner " + i);
                Suite.expectEqual(found.get(i).headers(), written.get(i).headers(), "the headers of corner " + i);
            }
        }
    }

    private static byte[] large(int n) {
        byte[] value = new byte[LARGE_BYTES];
        new Random(n).nextBytes(value);
        return value;
    }

    private static void largeRecords(String[] words) throws Exception {
        try (var producer = Suite.producer(words[0])) {
            for (int n = 0; n < 3; n++) {
                var stored = producer.send(new ProducerRecord<>(words[1], 0, null, large(n)));
                Suite.expectEqual(stored.get(30, TimeUnit.SECONDS).offset(), (long) n, "the offset");
            }
        }
        try (var consumer = Suite.consumer(words[0], words[1], "auto.offset.reset", "earliest")) {
            List<ConsumerRecord<byte[], byte[]>> found = Suite.take(consumer, 3);
            for (int n = 0; n < 3; n++) {
                byte[] value = found.get(n).value();
                Suite.expect(java.util.Arrays.equals(value, large(n)), "large value " + n + " came back changed");
            }
        }
    }

    /** A batch above message.max.bytes is refused with its own error, and the next record goes through. */
    private static void tooLargeForTheBroker(String[] words) throws Exception {
        try (var producer = Suite.producer(words[0], "max.request.size", 4_000_000)) {
            Suite.write(producer, words[1], 0, 1);
            var large = new ProducerRecord<byte[], byte[]>(words[1], 0, null, new byte[1_100_000]);
            Suite.expectFailure(RecordTooLargeException.class, producer.send(large));
            Suite.write(producer, words[1], 1, 1);
        }
    }

    /** Words: address, topic, partitions. Keyed records go to several partitions and keep their order in each. */
    private static void spreadOverPartitions(String[] words) throws Exception {
        int partitions = Integer.parseInt(words[2]);
        int count = 600;
        try (var producer = Suite.producer(words[0])) {
            for (int i = 0; i < count; i++) {
                byte[] key = Suite.utf8("key " + i % 40);
                producer.send(new ProducerRecord<>(words[1], key, Suite.utf8(Integer.toString(i))));
            }
        }
        try (var consumer = Suite.consumer(words[0], words[1], "auto.offset.reset", "earliest")) {
            consumer.assign(IntStream.range(0, partitions).mapToObj(p -> new TopicPartition(words[1], p)).toList());
            Map<String, Integer> lastOfKey = new HashMap<>();
            Set<Integer> seen = new HashSet<>();
            Set<Integer> used = new HashSet<>();
            for (ConsumerRecord<byte[], byte[]> found : Suite.take(consumer, count)) {
                int value = Integer.parseInt(new String(found.value()));
                Integer before = lastOfKey.put(new String(found.key()), value);
                Suite.expect(before == null || before < value, value + " came after " + before + " of the same key");
                Suite.expect(seen.add(value), value + " came twice");
                used.add(found.partition());
            }
            Suite.expectEqual(seen.size(), count, "how many records came");
            Suite.expectEqual(used.size(), partitions, "how many partitions were used");
        }
    }

    /**
     * Words: address, topic, seconds, guarantee. Writes while the broker ends and is started again beside it, then reads:
     * every acknowledged record is there at the offset that the producer was told, and none comes before one that was sent
     * earlier. Of `exactly_once` none is there twice. Of another guarantee it may be: what a broker says of a producer when
     * it is closed is its last batch, and more of them may be sent again. A file called `writing` says that it has begun.
     */
    private static void throughARestart(String[] words) throws Exception {
        Map<Long, Integer> acknowledged = new ConcurrentHashMap<>();
        List<Exception> failures = new ArrayList<>();
        boolean exactlyOnce = words.length > 3 && words[3].equals("exactly_once");
        int sent = 0;
        try (var producer = Suite.producer(words[0], "linger.ms", 1)) {
            long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(Long.parseLong(words[2]));
            while (System.nanoTime() < until) {
                int value = sent++;
                var record = new ProducerRecord<byte[], byte[]>(words[1], 0, null, Suite.utf8(Integer.toString(value)));
                producer.send(record, (stored, failure) -> {
                    if (failure == null) {
                        acknowledged.put(stored.offset(), value);
                    } else {
                        failures.add(failure);
                    }
                });
                if (value == 0) {
                    producer.flush();
                    Files.writeString(Path.of("writing"), "");
                }
                Thread.sleep(1);
            }
        }
        Suite.expect(failures.isEmpty(), "sends failed: " + failures.size() + ", first " + failures);
        Suite.expectEqual(acknowledged.size(), sent, "how many offsets were acknowledged");
        try (var consumer = Suite.consumer(words[0], words[1], "auto.offset.reset", "earliest")) {
            TopicPartition partition = new TopicPartition(words[1], 0);
            int stored = consumer.endOffsets(Set.of(partition)).get(partition).intValue();
            Map<Long, Integer> found = new HashMap<>();
            int next = 0;
            for (ConsumerRecord<byte[], byte[]> record : Suite.take(consumer, stored)) {
                int value = Integer.parseInt(new String(record.value()));
                Suite.expect(value <= next, value + " came before " + next);
                Suite.expect(value == next || !exactlyOnce, value + " came twice");
                next = Math.max(next, value + 1);
                found.put(record.offset(), value);
            }
            Suite.expectEqual(next, sent, "how many different records came");
            Suite.expect(stored == sent || !exactlyOnce, stored + " records are stored of " + sent);
            acknowledged.forEach((offset, value) ->
                Suite.expectEqual(found.get(offset), value, "the record acknowledged at offset " + offset));
        }
        System.out.println(sent + " records");
    }

    /**
     * Words: address, count, topics. Sends numbers, to each topic 0, 1, ... in turn, in small batches, through connections
     * that break; every send succeeds in the end.
     */
    private static void throughLosses(String[] words) throws Exception {
        int count = Integer.parseInt(words[1]);
        List<String> topics = List.of(words).subList(2, words.length);
        List<java.util.concurrent.Future<?>> sent = new ArrayList<>();
        try (var producer = Suite.producer(
                words[0], "batch.size", 300, "linger.ms", 1, "retry.backoff.ms", 1, "retry.backoff.max.ms", 10,
                "reconnect.backoff.ms", 1, "reconnect.backoff.max.ms", 10)) {
            for (int i = 0; i < count; i++) {
                byte[] value = Suite.utf8(Integer.toString(i / topics.size()));
                sent.add(producer.send(new ProducerRecord<>(topics.get(i % topics.size()), 0, null, value)));
            }
            for (var answer : sent) {
                answer.get(40, TimeUnit.SECONDS);
            }
        }
    }
}
