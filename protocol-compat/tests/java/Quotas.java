import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterClientQuotasOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.errors.InvalidRequestException;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.quota.ClientQuotaFilterComponent;

/** Quotas by the Java admin client, and how its producer and consumer keep to them. */
final class Quotas {
    static final Map<String, Suite.Part> PARTS =
            Map.of("administration", Quotas::administration, "obedience", Quotas::obedience);

    private static final String BYTES = "producer_byte_rate";
    private static final String READ = "consumer_byte_rate";

    private Quotas() {}

    public static void main(String[] args) throws Exception {
        Suite.play(PARTS, args);
    }

    private static <T> T answer(KafkaFuture<T> answer) throws Exception {
        return answer.get(20, TimeUnit.SECONDS);
    }

    private static ClientQuotaEntity entity(String... parts) {
        Map<String, String> named = new HashMap<>();
        for (int i = 0; i < parts.length; i += 2) {
            named.put(parts[i], parts[i + 1]);
        }
        return new ClientQuotaEntity(named);
    }

    private static List<ClientQuotaAlteration> change(ClientQuotaEntity entity, String key, Double value) {
        return List.of(new ClientQuotaAlteration(entity, List.of(new ClientQuotaAlteration.Op(key, value))));
    }

    private static Map<ClientQuotaEntity, Map<String, Double>> shown(Admin admin, ClientQuotaFilter filter)
            throws Exception {
        return answer(admin.describeClientQuotas(filter).entities());
    }

    private static void await(Admin admin, Map<ClientQuotaEntity, Map<String, Double>> wanted) throws Exception {
        Suite.settled(
                () -> java.util.Optional.of(shown(admin, ClientQuotaFilter.all())).filter(wanted::equals),
                "the quotas are not " + wanted);
    }

    /** Set, asked about, shown through every kind of filter, refused, removed. */
    private static void administration(String[] words) throws Exception {
        ClientQuotaEntity user = entity("user", "alice");
        ClientQuotaEntity both = entity("user", "alice", "client-id", null);
        ClientQuotaEntity address = entity("ip", "10.0.0.7");
        try (Admin admin = Admin.create(Suite.settings(words[0]))) {
            var asked = new AlterClientQuotasOptions().validateOnly(true);
            answer(admin.alterClientQuotas(change(user, BYTES, 1024.0), asked).all());
            await(admin, Map.of());
            answer(admin.alterClientQuotas(change(user, BYTES, 1024.0)).all());
            answer(admin.alterClientQuotas(change(both, "request_percentage", 12.5)).all());
            answer(admin.alterClientQuotas(change(address, "connection_creation_rate", 5.0)).all());
            var ofUser = Map.of(BYTES, 1024.0);
            var ofBoth = Map.of("request_percentage", 12.5);
            await(admin, Map.of(user, ofUser, both, ofBoth, address, Map.of("connection_creation_rate", 5.0)));

            var alice = ClientQuotaFilterComponent.ofEntity("user", "alice");
            Suite.expectEqual(
                    shown(admin, ClientQuotaFilter.contains(List.of(alice))), Map.of(user, ofUser, both, ofBoth), "alice's");
            Suite.expectEqual(
                    shown(admin, ClientQuotaFilter.containsOnly(List.of(alice))), Map.of(user, ofUser), "alice's alone");
            var anyDefault = ClientQuotaFilterComponent.ofDefaultEntity("client-id");
            Suite.expectEqual(
                    shown(admin, ClientQuotaFilter.contains(List.of(anyDefault))), Map.of(both, ofBoth), "the default's");
            var anyAddress = ClientQuotaFilterComponent.ofEntityType("ip");
            Suite.expectEqual(
                    shown(admin, ClientQuotaFilter.contains(List.of(anyAddress))).keySet(),
                    Collections.singleton(address),
                    "the addresses");

            var invalid = InvalidRequestException.class;
            Suite.expectFailure(invalid, admin.alterClientQuotas(change(user, "bytes", 1.0)).all());
            Suite.expectFailure(invalid, admin.alterClientQuotas(change(user, BYTES, -1.0)).all());
            Suite.expectFailure(invalid, admin.alterClientQuotas(change(user, BYTES, 1.5)).all());
            Suite.expectFailure(
                    invalid, admin.alterClientQuotas(change(entity("user", "a", "ip", "10.0.0.7"), BYTES, 1.0)).all());

            answer(admin.alterClientQuotas(change(user, BYTES, null)).all());
            answer(admin.alterClientQuotas(change(both, "request_percentage", null)).all());
            answer(admin.alterClientQuotas(change(address, "connection_creation_rate", null)).all());
            await(admin, Map.of());
        }
    }

    private static double metric(Map<? extends org.apache.kafka.common.MetricName, ? extends org.apache.kafka.common.Metric> all,
            String name) {
        return all.entrySet().stream()
                .filter(entry -> entry.getKey().name().equals(name))
                .mapToDouble(entry -> (Double) entry.getValue().metricValue())
                .max()
                .orElseThrow();
    }

    /** A producer and a consumer above their quotas: slowed, told so, and nothing is lost. */
    private static void obedience(String[] words) throws Exception {
        String name = words[1];
        int count = 60;
        byte[] value = new byte[10_000];
        try (Admin admin = Admin.create(Suite.settings(words[0]))) {
            answer(admin.createTopics(List.of(new NewTopic(name, 1, (short) 1))).all());
            ClientQuotaEntity slow = entity("client-id", "slow");
            answer(admin.alterClientQuotas(change(slow, BYTES, 150_000.0)).all());
            answer(admin.alterClientQuotas(change(slow, READ, 150_000.0)).all());
            await(admin, Map.of(slow, Map.of(BYTES, 150_000.0, READ, 150_000.0)));
        }
        long begun = System.nanoTime();
        try (var producer = Suite.producer(words[0], "client.id", "slow", "batch.size", 10_000)) {
            for (int i = 0; i < count; i++) {
                producer.send(new ProducerRecord<>(name, 0, null, value));
            }
            producer.flush();
            double told = metric(producer.metrics(), "produce-throttle-time-max");
            Suite.expect(told > 0, "the producer was told to wait " + told + " ms");
        }
        expectSlowed(begun, "writing");
        begun = System.nanoTime();
        try (var consumer = Suite.consumer(
                words[0], name, "client.id", "slow", "auto.offset.reset", "earliest", "max.partition.fetch.bytes", 100_000)) {
            Suite.expectEqual(Suite.take(consumer, count).size(), count, "the records");
            double told = metric(consumer.metrics(), "fetch-throttle-time-max");
            Suite.expect(told > 0, "the consumer was told to wait " + told + " ms");
        }
        expectSlowed(begun, "reading");
    }

    /** Of 600,000 bytes, a window of one second passes at once, with what goes over it; the rest takes two seconds at least. */
    private static void expectSlowed(long begun, String what) {
        double seconds = (System.nanoTime() - begun) / 1e9;
        Suite.expect(seconds > 1.5 && seconds < 15, what + " took " + seconds + " s");
    }
}
