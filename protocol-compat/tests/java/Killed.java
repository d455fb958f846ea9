import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;

/** The Java producer, with not one setting besides the address, while its broker is killed again and again. */
final class Killed {
    private Killed() {}

    public static void main(String[] args) throws Exception {
        Suite.play(Map.of("through_kills", Killed::throughKills), args);
    }

    /**
     * Words: address, topic, partitions. Sends to each partition the numbers 0, 1, … until there is a file called `stop`.
     * It is the only writer: a number that is stored once and in its order is stored at the offset of the same number. A
     * file called `writing-` and the topic says that it has begun.
     */
    private static void throughKills(String[] words) throws Exception {
        int partitions = Integer.parseInt(words[2]);
        Queue<String> failures = new ConcurrentLinkedQueue<>();
        AtomicInteger acknowledged = new AtomicInteger();
        int sent = 0;
        try (KafkaProducer<byte[], byte[]> producer = Suite.producer(words[0])) {
            while (!Files.exists(Path.of("stop")) && failures.isEmpty()) {
                int partition = sent % partitions;
                int value = sent / partitions;
                byte[] text = Suite.utf8(Integer.toString(value));
                producer.send(new ProducerRecord<>(words[1], partition, null, text), (stored, failure) -> {
                    acknowledged.incrementAndGet();
                    if (failure != null) {
                        failures.add("record " + value + " of " + partition + " failed: " + failure);
                    } else if (stored.offset() != value) {
                        failures.add("record " + value + " of " + partition + " is said to be at " + stored.offset());
                    }
                });
                sent++;
                if (sent == partitions) {
                    producer.flush();
                    Files.writeString(Path.of("writing-" + words[1]), "");
                }
                Thread.sleep(1);
            }
        }
        Suite.expect(failures.isEmpty(), failures.size() + " failures, the first: " + failures.peek());
        Suite.expectEqual(acknowledged.get(), sent, "how many were acknowledged");
        System.out.println("SENT " + sent);
    }
}
