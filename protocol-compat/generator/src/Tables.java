import java.util.Arrays;
import java.util.Comparator;
import java.util.Locale;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.server.common.Feature;
import org.apache.kafka.server.common.MetadataVersion;

/** The flat tables: API keys with their versions, features with their ranges, error codes. */
final class Tables {
    static final String BANNER = "// Generated from the jars of Apache Kafka 4.3.1 by protocol-compat/generator. Do not edit.\n";

    private Tables() { }

    static String apis() {
        StringBuilder out = new StringBuilder(BANNER);
        ApiKeys[] keys = ApiKeys.values();
        Arrays.sort(keys, Comparator.comparingInt(key -> key.id));
        out.append("\npub static APIS: &[ApiInfo] = &[\n");
        for (ApiKeys key : keys) {
            if (key.hasValidVersion()) {
                out.append(api(key));
            }
        }
        out.append("];\n\n/// What a broker of this release says it supports, `metadata.version` first.\n");
        out.append("pub static FEATURES: &[Feature] = &[\n");
        out.append(feature(MetadataVersion.FEATURE_NAME, MetadataVersion.MINIMUM_VERSION.featureLevel(),
            MetadataVersion.latestProduction().featureLevel()));
        Feature.PRODUCTION_FEATURES.stream().sorted(Comparator.comparing(Feature::featureName))
            .forEach(f -> out.append(feature(f.featureName(), f.minimumProduction(), f.latestProduction())));
        return out.append("];\n").toString();
    }

    private static String api(ApiKeys key) {
        short min = key.oldestVersion();
        short max = key.latestVersion(false);
        // ApiVersions is the one API whose response header never grows tags; the server relies on it.
        for (short version = min; version <= max; version++) {
            int expected = key == ApiKeys.API_VERSIONS ? 0 : key.requestHeaderVersion(version) - 1;
            if (key.responseHeaderVersion(version) != expected) {
                throw new IllegalStateException(key + " " + version + " breaks the rule for response headers");
            }
        }
        short advertised = key.toApiVersionForApiResponse(false, ApiMessageType.ListenerType.BROKER)
            .or(() -> key.toApiVersion(false)).orElseThrow().minVersion();
        String flexible = "None";
        for (short version = max; version >= min; version--) {
            if (key.requestHeaderVersion(version) >= 2) {
                flexible = "Some(" + version + ")";
            }
        }
        return String.format(Locale.ROOT,
            "    ApiInfo { key: %d, name: \"%s\", min: %d, max: %d, advertised_min: %d, first_flexible: %s, on_broker: %b, on_controller: %b },%n",
            key.id, key.name, min, max, advertised, flexible, key.inScope(ApiMessageType.ListenerType.BROKER),
            key.inScope(ApiMessageType.ListenerType.CONTROLLER));
    }

    private static String feature(String name, short min, short max) {
        return String.format(Locale.ROOT, "    Feature { name: \"%s\", min: %d, max: %d },%n", name, min, max);
    }

    static String errors() {
        StringBuilder out = new StringBuilder(BANNER).append("\nerror_codes! {\n");
        Errors[] errors = Errors.values();
        Arrays.sort(errors, Comparator.comparingInt(Errors::code));
        for (Errors error : errors) {
            boolean retriable = error.exception() instanceof RetriableException;
            out.append(String.format(Locale.ROOT, "    %s = %d, \"%s\", %b;%n", camel(error.name()), error.code(), error.name(), retriable));
        }
        return out.append("}\n").toString();
    }

    private static String camel(String screaming) {
        StringBuilder out = new StringBuilder();
        for (String word : screaming.split("_")) {
            out.append(word.charAt(0)).append(word.substring(1).toLowerCase(Locale.ROOT));
        }
        return out.toString();
    }
}
