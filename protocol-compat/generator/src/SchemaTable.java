import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.CompactArrayOf;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;

/**
 * Turns the request schemas into static Rust data for the guard.
 *
 * Two things go beyond a transcription. A decoded struct has room for the fields of every version, so its size in
 * memory is the union over all of them. And a tag that belongs to another version of the same struct is an error in
 * this one, not an unknown tag: Kafka's readers treat it so, and the codec too.
 */
final class SchemaTable {
    /** What all versions of one struct have together: sizes of its fields in memory, and its tags. */
    private static final class Union {
        final Map<String, Integer> fieldBytes = new TreeMap<>();
        final Set<Integer> tags = new TreeSet<>();

        int bytes() {
            // The map of unknown tags, then rounding up to the alignment of a pointer.
            int sum = 24 + fieldBytes.values().stream().mapToInt(Integer::intValue).sum();
            return (sum + 7) / 8 * 8;
        }
    }

    /** A rendered field: its Rust expression and the least bytes it takes on the wire; fixed if always so many. */
    private record Rendered(String rust, int wireMin, boolean fixed) { }

    private final Map<String, Union> unions = new TreeMap<>();
    /** Definition to name; equal definitions share a static. */
    private final Map<String, String> statics = new LinkedHashMap<>();
    /** Static to the places it describes, each with its versions; for the reader of the table. */
    private final Map<String, Map<String, List<Integer>>> users = new LinkedHashMap<>();

    String render() {
        StringBuilder index = new StringBuilder();
        int keys = 0;
        for (ApiKeys key : ApiKeys.values()) {
            keys = Math.max(keys, key.id + 1);
        }
        for (short id = 0; id < keys; id++) {
            ApiKeys key = ApiKeys.forId(id);
            index.append("    ").append(key.hasValidVersion() ? request(key) : "None").append(", // ").append(id).append(' ').append(key.name).append('\n');
        }
        StringBuilder out = new StringBuilder(Tables.BANNER);
        statics.forEach((definition, name) -> {
            out.append("\n// ").append(places(users.get(name))).append('\n');
            out.append("static ").append(name).append(": ").append(name.startsWith("A") ? "Array" : "Struct").append(" = ").append(definition).append(";\n");
        });
        out.append("\n/// By API key; a key that serves no version has none.\n");
        out.append("static REQUESTS: [Option<Request>; ").append(keys).append("] = [\n").append(index).append("];\n");
        return out.toString();
    }

    private String request(ApiKeys key) {
        ApiMessageType type = key.messageType;
        for (Schema schema : type.requestSchemas()) {
            if (schema != null) {
                unite(type.name, schema);
            }
        }
        List<String> versions = new ArrayList<>();
        for (short version = key.oldestVersion(); version <= key.latestVersion(false); version++) {
            versions.add("&" + struct(type.name, version, type.requestSchemas()[version]).rust);
        }
        return "Some(Request { min: " + key.oldestVersion() + ", versions: &[" + String.join(", ", versions) + "] })";
    }

    private void unite(String path, Schema schema) {
        Union union = unions.computeIfAbsent(path, p -> new Union());
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields tagged) {
                tagged.fields().forEach((tag, field) -> {
                    union.tags.add(tag);
                    unite(path, union, field);
                });
            } else {
                unite(path, union, bound.def);
            }
        }
    }

    private void unite(String path, Union union, Field field) {
        String inner = path + "." + field.name;
        Type element = field.type.arrayElementType().orElse(field.type);
        if (element instanceof Schema schema) {
            unite(inner, schema);
        }
        // Inner structs may still grow in a later version, hence the greatest size wins.
        union.fieldBytes.merge(field.name, memoryBytes(inner, field.type), Math::max);
    }

    private int memoryBytes(String path, Type type) {
        if (type.isArray()) {
            return 24;
        }
        if (type instanceof Schema) {
            return unions.get(path).bytes() + (type.isNullable() ? 8 : 0);
        }
        int fixed = fixedBytes(type);
        return fixed > 0 ? fixed : 32;
    }

    private static int fixedBytes(Type type) {
        if (type == Type.BOOLEAN || type == Type.INT8) {
            return 1;
        } else if (type == Type.INT16 || type == Type.UINT16) {
            return 2;
        } else if (type == Type.INT32 || type == Type.UNSIGNED_INT32) {
            return 4;
        } else if (type == Type.INT64 || type == Type.FLOAT64) {
            return 8;
        } else if (type == Type.UUID) {
            return 16;
        }
        return 0;
    }

    private Rendered struct(String path, int version, Schema schema) {
        List<String> fields = new ArrayList<>();
        String tags = "None";
        int wireMin = 0;
        int run = 0;
        boolean fixed = true;
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields tagged) {
                tags = "Some(&[" + tags(path, version, tagged) + "])";
                wireMin += 1;
                fixed = false;
                continue;
            }
            Rendered field = field(path + "." + bound.def.name, version, bound.def.type);
            wireMin += field.wireMin;
            if (field.fixed) {
                run += field.wireMin;
                continue;
            }
            fixed = false;
            flush(fields, run);
            run = 0;
            fields.add(field.rust);
        }
        flush(fields, run);
        String definition = "Struct { fields: &[" + String.join(", ", fields) + "], tags: " + tags + ", memory_bytes: " + unions.get(path).bytes() + " }";
        return new Rendered(share("S", definition, path, version), wireMin, fixed);
    }

    /** Neighbouring fields of fixed size are one step for the walk. */
    private static void flush(List<String> fields, int run) {
        if (run > 0) {
            fields.add("Fixed(" + run + ")");
        }
    }

    private String tags(String path, int version, TaggedFields tagged) {
        List<String> out = new ArrayList<>();
        for (int tag : unions.get(path).tags) {
            Field field = tagged.fields().get(tag);
            out.add("(" + tag + ", " + (field == null ? "NotInThisVersion" : field(path + "." + field.name, version, field.type).rust) + ")");
        }
        return String.join(", ", out);
    }

    private Rendered field(String path, int version, Type type) {
        if (type.isArray()) {
            return array(path, version, type);
        }
        if (type instanceof Schema schema) {
            Rendered struct = struct(path, version, schema);
            if (type.isNullable()) {
                return new Rendered("NullableStruct(&" + struct.rust + ")", 1, false);
            }
            return new Rendered("Inline(&" + struct.rust + ")", struct.wireMin, struct.fixed);
        }
        int fixed = fixedBytes(type);
        if (fixed > 0) {
            return new Rendered("Fixed(" + fixed + ")", fixed, true);
        }
        if (type == Type.STRING || type == Type.NULLABLE_STRING) {
            return new Rendered("Text(" + form(false, type) + ")", 2, false);
        } else if (type == Type.COMPACT_STRING || type == Type.COMPACT_NULLABLE_STRING) {
            return new Rendered("Text(" + form(true, type) + ")", 1, false);
        } else if (type == Type.BYTES || type == Type.NULLABLE_BYTES || type == Type.RECORDS || type == Type.NULLABLE_RECORDS) {
            return new Rendered("Blob(" + form(false, type) + ")", 4, false);
        } else if (type == Type.COMPACT_BYTES || type == Type.COMPACT_NULLABLE_BYTES || type == Type.COMPACT_RECORDS
                || type == Type.COMPACT_NULLABLE_RECORDS) {
            return new Rendered("Blob(" + form(true, type) + ")", 1, false);
        }
        throw new IllegalStateException("no rule for " + type + " at " + path);
    }

    private Rendered array(String path, int version, Type type) {
        boolean compact = type instanceof CompactArrayOf;
        Type elementType = type.arrayElementType().orElseThrow();
        Rendered element = field(path, version, elementType);
        if (element.wireMin == 0) {
            throw new IllegalStateException("elements of " + path + " can be empty: a count could not be bounded");
        }
        String definition = "Array { form: " + form(compact, type) + ", element: " + element.rust + ", wire_bytes_min: " + element.wireMin
            + ", wire_is_fixed: " + element.fixed + ", memory_bytes: " + memoryBytes(path, elementType) + " }";
        return new Rendered("Many(&" + share("A", definition, path, version) + ")", compact ? 1 : 4, false);
    }

    private static String form(boolean compact, Type type) {
        return (compact ? "Compact" : "Plain") + (type.isNullable() ? "Nullable" : "");
    }

    private String share(String prefix, String definition, String path, int version) {
        String name = statics.computeIfAbsent(definition, d -> prefix + statics.size());
        users.computeIfAbsent(name, n -> new LinkedHashMap<>()).computeIfAbsent(path, p -> new ArrayList<>()).add(version);
        return name;
    }

    private static String places(Map<String, List<Integer>> places) {
        List<String> out = new ArrayList<>();
        places.forEach((path, versions) -> {
            int first = versions.get(0);
            int last = versions.get(versions.size() - 1);
            out.add(path + " " + (first == last ? "" + first : first + "-" + last));
        });
        int shown = Math.min(out.size(), 4);
        String more = out.size() > shown ? " and " + (out.size() - shown) + " more" : "";
        return String.join(", ", out.subList(0, shown)) + more;
    }
}
