import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * What the Java programs share: the records that every client of the suites writes and expects, checks that name what
 * they found, and the entry that runs one part of a program by name.
 *
 * <p>The records are the same, byte for byte, in the programs of every language, so that one client can read what another
 * wrote. Everything here compiles with kafka-clients 2.8 as with the current release.
 */
final class Suite {
    static final long FIRST_TIMESTAMP = 1_700_000_000_000L;
    static final Duration TIME_TO_READ = Duration.ofSeconds(20);

    private Suite() {}

    /** One part of a program. */
    interface Part {
        void play(String[] words) throws Exception;
    }

    /**
     * Runs the parts that the command line names, with the words behind each, and says of each that it came to its end.
     * {@code --} stands between two.
     */
    static void play(Map<String, Part> parts, String[] args) throws Exception {
        for (int begin = 0; begin < args.length; ) {
            int end = begin;
            while (end < args.length && !args[end].equals("--")) {
                end++;
            }
            parts.get(args[begin]).play(Arrays.copyOfRange(args, begin + 1, end));
            System.out.println("PASS " + args[begin]);
            begin = end + 1;
        }
    }

    static void expect(boolean holds, String found) {
        if (!holds) {
            throw new AssertionError(found);
        }
    }

    static void expectEqual(Object found, Object wanted, String what) {
        expect(Objects.equals(found, wanted), what + " is " + found + " and should be " + wanted);
    }

    static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** The record that belongs at offset i of partition 0: nulls, empties, and more than ASCII. */
    static ProducerRecord<byte[], byte[]> record(String topic, int i) {
        byte[] value = utf8("τιμή 🦦 " + i + " " + "x".repeat(i * 37 % 400));
        if (i % 7 == 3) {
            value = null;
        } else if (i % 7 == 4) {
            value = new byte[0];
        }
        byte[] key = utf8("κλειδί-" + i);
        if (i % 5 == 0 && value != null) {
            key = null;
        } else if (i % 5 == 1) {
            key = new byte[0];
        }
        List<Header> headers = new ArrayList<>();
        if (i % 3 != 0) {
            headers.add(new RecordHeader("заголовок", utf8("значение-" + i)));
            headers.add(new RecordHeader("заголовок", new byte[0]));
        }
        return new ProducerRecord<>(topic, 0, FIRST_TIMESTAMP + 1000L * i, key, value, headers);
    }

    /** Writes records first… and checks where each was stored. */
    static void write(KafkaProducer<byte[], byte[]> producer, String topic, int first, int count) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (int i = first; i < first + count; i++) {
            sent.add(producer.send(record(topic, i)));
        }
        for (int i = 0; i < count; i++) {
            RecordMetadata stored = sent.get(i).get(20, TimeUnit.SECONDS);
            expectEqual(stored.topic() + "-" + stored.partition(), topic + "-0", "the partition");
            expectEqual(stored.offset(), (long) first + i, "the offset that the producer was told");
            expectEqual(stored.timestamp(), FIRST_TIMESTAMP + 1000L * (first + i), "the timestamp");
        }
    }

    /** Checks that a consumed record is the one that belongs at this offset. */
    static void check(ConsumerRecord<byte[], byte[]> found, int offset) {
        ProducerRecord<byte[], byte[]> wanted = record(found.topic(), offset);
        expectEqual(found.offset(), (long) offset, "the offset");
        expectBytes(found.key(), wanted.key(), "the key at " + offset);
        expectBytes(found.value(), wanted.value(), "the value at " + offset);
        expectEqual(found.timestampType(), TimestampType.CREATE_TIME, "the kind of timestamp");
        expectEqual(found.timestamp(), wanted.timestamp(), "the timestamp at " + offset);
        Header[] headers = found.headers().toArray();
        Header[] wantedHeaders = wanted.headers().toArray();
        expectEqual(headers.length, wantedHeaders.length, "how many headers at " + offset);
        for (int h = 0; h < headers.length; h++) {
            expectEqual(headers[h].key(), wantedHeaders[h].key(), "a header's key at " + offset);
            expectBytes(headers[h].value(), wantedHeaders[h].value(), "a header's value at " + offset);
        }
    }

    static void expectBytes(byte[] found, byte[] wanted, String what) {
        expect(Arrays.equals(found, wanted), what + " is " + shown(found) + " and should be " + shown(wanted));
    }

    private static String shown(byte[] bytes) {
        return bytes == null ? "null" : "\"" + new String(bytes, StandardCharsets.UTF_8) + "\"";
    }

    /** Pairs of names and values over the address, and nothing else. */
    static Map<String, Object> settings(String bootstrap, Object... more) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < more.length; i += 2) {
            settings.put((String) more[i], more[i + 1]);
        }
        return settings;
    }

    static KafkaProducer<byte[], byte[]> producer(String bootstrap, Object... more) {
        return new KafkaProducer<>(settings(bootstrap, more), new ByteArraySerializer(), new ByteArraySerializer());
    }

    /** A consumer of partition 0, without a group. */
    static KafkaConsumer<byte[], byte[]> consumer(String bootstrap, String topic, Object... more) {
        KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                settings(bootstrap, more), new ByteArrayDeserializer(), new ByteArrayDeserializer());
        consumer.assign(List.of(new TopicPartition(topic, 0)));
        return consumer;
    }

    /** The next records until there are as many as asked. */
    static List<ConsumerRecord<byte[], byte[]>> take(KafkaConsumer<byte[], byte[]> consumer, int count) {
        List<ConsumerRecord<byte[], byte[]>> taken = new ArrayList<>();
        long until = System.nanoTime() + TIME_TO_READ.toNanos();
        while (taken.size() < count) {
            expect(System.nanoTime() < until, "only " + taken.size() + " of " + count + " records came");
            consumer.poll(Duration.ofMillis(500)).forEach(taken::add);
        }
        return taken;
    }

    /**
     * What a question about a change just made answers. An answer is expected at once; where the broker under test is
     * known to show its own changes late, the environment grants it some patience.
     */
    static <T> T settled(Callable<Optional<T>> question, String otherwise) throws Exception {
        long patience = Long.parseLong(System.getenv("SUITE_PATIENCE_SECONDS"));
        long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(patience);
        while (true) {
            Optional<T> answer = question.call();
            if (answer.isPresent()) {
                return answer.get();
            }
            expect(System.nanoTime() < until, otherwise);
            Thread.sleep(20);
        }
    }

    /** The error that an answer carries, and it must carry one of this kind. */
    static void expectFailure(Class<? extends Throwable> wanted, Future<?> answer) throws Exception {
        try {
            answer.get(20, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            expect(wanted.isInstance(e.getCause()), "refused with " + e.getCause() + " instead of " + wanted);
            return;
        }
        throw new AssertionError("nothing was refused; expected " + wanted);
    }
}
