import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;

/**
 * Frames of every API and version that Kafka serves, written by Kafka's own serialisers over messages whose fields
 * are filled by a seeded generator: nulls, empties, several elements, tagged fields, text outside ASCII.
 *
 * One frame a line: key, version, "request" or "response", version of the header, bytes in hexadecimal (without the
 * length prefix). The seed of a frame comes from its own coordinates, so a new API does not disturb the others.
 */
final class GoldenFrames {
    /** Varied frames of each version and direction, after the first, which holds a message as its constructor makes it. */
    private static final int VARIED = 3;
    /** Those that a client cannot do without get more. */
    private static final int VARIED_CORE = 5;
    private static final List<ApiKeys> CORE = List.of(ApiKeys.PRODUCE, ApiKeys.FETCH, ApiKeys.LIST_OFFSETS, ApiKeys.METADATA,
        ApiKeys.API_VERSIONS, ApiKeys.CREATE_TOPICS, ApiKeys.DELETE_TOPICS, ApiKeys.INIT_PRODUCER_ID,
        ApiKeys.OFFSET_FOR_LEADER_EPOCH, ApiKeys.DESCRIBE_CLUSTER, ApiKeys.DELETE_RECORDS, ApiKeys.DESCRIBE_CONFIGS,
        ApiKeys.ALTER_CONFIGS, ApiKeys.INCREMENTAL_ALTER_CONFIGS, ApiKeys.CREATE_PARTITIONS, ApiKeys.DESCRIBE_TOPIC_PARTITIONS);
    private static final String[] TEXTS = {"", "a", "orders", "orders.eu-west_1", "zażółć", "日本語", "😀 émoji", "x".repeat(130)};

    private Random random = new Random(0);

    String render() throws ReflectiveOperationException {
        StringBuilder out = new StringBuilder();
        for (ApiKeys key : ApiKeys.values()) {
            if (!key.hasValidVersion()) {
                continue;
            }
            int varied = CORE.contains(key) ? VARIED_CORE : VARIED;
            for (short version = key.oldestVersion(); version <= key.latestVersion(false); version++) {
                for (int i = 0; i <= varied; i++) {
                    out.append(request(key, version, i)).append(response(key, version, i));
                }
            }
        }
        return out.toString();
    }

    private void seed(ApiKeys key, short version, int index, int direction) {
        random = new Random(((key.id * 64L + version) * 64 + index) * 2 + direction);
        // The first draws of nearby seeds resemble each other.
        random.nextLong();
        random.nextLong();
    }

    private String request(ApiKeys key, short version, int index) throws ReflectiveOperationException {
        seed(key, version, index, 0);
        short headerVersion = key.requestHeaderVersion(version);
        RequestHeaderData header = new RequestHeaderData().setRequestApiKey(key.id).setRequestApiVersion(version)
            .setCorrelationId(random.nextInt()).setClientId(index == 1 ? null : text());
        if (headerVersion >= 2 && index == 2) {
            addUnknownTags(header);
        }
        ApiMessage body = key.messageType.newRequest();
        if (index > 0) {
            fill(body, version, key.messageType.requestSchemas()[version], 0);
        }
        return line(key, version, "request", headerVersion, header, body);
    }

    private String response(ApiKeys key, short version, int index) throws ReflectiveOperationException {
        seed(key, version, index, 1);
        short headerVersion = key.responseHeaderVersion(version);
        ResponseHeaderData header = new ResponseHeaderData().setCorrelationId(random.nextInt());
        ApiMessage body = key.messageType.newResponse();
        if (index > 0) {
            fill(body, version, key.messageType.responseSchemas()[version], 0);
        }
        return line(key, version, "response", headerVersion, header, body);
    }

    private static String line(ApiKeys key, short version, String kind, short headerVersion, Message header, Message body) {
        return key.id + " " + version + " " + kind + " " + headerVersion + " " + hex(header, headerVersion) + hex(body, version) + "\n";
    }

    private static String hex(Message message, short version) {
        ByteBuffer buffer = MessageUtil.toByteBufferAccessor(message, version).buffer();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    private void fill(Message message, short version, Schema schema, int depth) throws ReflectiveOperationException {
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields tagged) {
                for (Map.Entry<Integer, Field> entry : tagged.fields().entrySet()) {
                    if (random.nextInt(3) > 0) {
                        set(message, version, entry.getValue(), depth);
                    }
                }
                if (random.nextInt(4) == 0) {
                    addUnknownTags(message);
                }
            } else {
                set(message, version, bound.def, depth);
            }
        }
    }

    private void addUnknownTags(Message message) {
        byte[] data = new byte[random.nextInt(20)];
        random.nextBytes(data);
        message.unknownTaggedFields().add(new RawTaggedField(100 + random.nextInt(50), data));
        if (random.nextBoolean()) {
            message.unknownTaggedFields().add(new RawTaggedField(1000 + random.nextInt(100_000), new byte[0]));
        }
    }

    private void set(Message message, short version, Field field, int depth) throws ReflectiveOperationException {
        java.lang.reflect.Field target = member(message.getClass(), field.name);
        if (field.type.isNullable() && random.nextInt(4) == 0) {
            target.set(message, null);
        } else if (field.type.isArray()) {
            target.set(message, array(version, field.type, target, depth));
        } else if (field.type instanceof Schema schema) {
            target.set(message, struct(target.getType(), version, schema, depth));
        } else {
            target.set(message, scalar(field.type, target.getType()));
        }
    }

    private Object array(short version, Type type, java.lang.reflect.Field target, int depth) throws ReflectiveOperationException {
        // Lists name their element as a parameter of their own, the keyed collections as one of their superclass.
        ParameterizedType generic = (ParameterizedType) (target.getGenericType() instanceof ParameterizedType parameterized
            ? parameterized : target.getType().getGenericSuperclass());
        Class<?> elementClass = (Class<?>) generic.getActualTypeArguments()[0];
        @SuppressWarnings("unchecked")
        Collection<Object> out = target.getType().isInterface()
            ? new ArrayList<>() : (Collection<Object>) target.getType().getDeclaredConstructor().newInstance();
        int count = random.nextInt(depth == 0 ? 4 : 3);
        Type element = type.arrayElementType().orElseThrow();
        for (int i = 0; i < count; i++) {
            out.add(element instanceof Schema schema ? struct(elementClass, version, schema, depth) : scalar(element, elementClass));
        }
        return out;
    }

    private Object struct(Class<?> type, short version, Schema schema, int depth) throws ReflectiveOperationException {
        Message out = (Message) type.getDeclaredConstructor().newInstance();
        fill(out, version, schema, depth + 1);
        return out;
    }

    private Object scalar(Type type, Class<?> target) {
        if (type == Type.BOOLEAN) {
            return random.nextBoolean();
        } else if (type == Type.INT8) {
            return (byte) random.nextInt();
        } else if (type == Type.INT16) {
            return (short) random.nextInt();
        } else if (type == Type.UINT16) {
            return random.nextInt(1 << 16);
        } else if (type == Type.INT32) {
            return random.nextInt() >> random.nextInt(32);
        } else if (type == Type.UNSIGNED_INT32) {
            return random.nextLong() & 0xffffffffL;
        } else if (type == Type.INT64) {
            return random.nextLong() >> random.nextInt(64);
        } else if (type == Type.FLOAT64) {
            return random.nextGaussian();
        } else if (type == Type.UUID) {
            return new Uuid(random.nextLong(), random.nextLong());
        } else if (type.toString().endsWith("STRING")) {
            return text();
        } else if (type.toString().endsWith("BYTES")) {
            return bytes(target);
        } else if (type.toString().endsWith("RECORDS")) {
            return records();
        }
        throw new IllegalStateException("no rule for " + type);
    }

    private String text() {
        return TEXTS[random.nextInt(TEXTS.length)];
    }

    private Object bytes(Class<?> target) {
        byte[] out = new byte[random.nextInt(24)];
        random.nextBytes(out);
        return target == ByteBuffer.class ? ByteBuffer.wrap(out) : out;
    }

    private MemoryRecords records() {
        int count = random.nextInt(4);
        if (count == 0) {
            return MemoryRecords.EMPTY;
        }
        SimpleRecord[] records = new SimpleRecord[count];
        for (int i = 0; i < count; i++) {
            byte[] key = random.nextBoolean() ? null : text().getBytes(StandardCharsets.UTF_8);
            records[i] = new SimpleRecord(1_700_000_000_000L + i, key, text().getBytes(StandardCharsets.UTF_8));
        }
        return MemoryRecords.withRecords(RecordBatch.MAGIC_VALUE_V2, random.nextInt(1000), Compression.NONE, TimestampType.CREATE_TIME, records);
    }

    /** Schemas say kraft_version where the class says kRaftVersion: letters are what both agree on. */
    private static java.lang.reflect.Field member(Class<?> type, String snake) throws NoSuchFieldException {
        String letters = snake.replace("_", "");
        for (java.lang.reflect.Field field : type.getDeclaredFields()) {
            if (field.getName().equalsIgnoreCase(letters)) {
                field.setAccessible(true);
                return field;
            }
        }
        throw new NoSuchFieldException(type + " has no " + snake);
    }
}
