import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Writes, or with --check compares, every file that this project derives from Kafka's own jars.
 *
 * The output depends on nothing but the jars: no clock, no locale, no hash order, fixed seeds.
 */
public final class Generate {
    private Generate() { }

    public static void main(String[] arguments) throws Exception {
        boolean check = arguments.length == 2 && arguments[1].equals("--check");
        if (arguments.length != 1 && !check) {
            System.err.println("usage: Generate PROTOCOL_COMPAT_DIRECTORY [--check]");
            System.exit(2);
        }
        Path root = Path.of(arguments[0]);
        Map<String, String> files = new LinkedHashMap<>();
        files.put("src/generated/requests.rs", new SchemaTable().render());
        files.put("src/generated/apis.rs", Tables.apis());
        files.put("src/generated/errors.rs", Tables.errors());
        files.put("tests/golden/kafka-4.3.1.frames", new GoldenFrames().render());
        boolean same = true;
        for (Map.Entry<String, String> file : files.entrySet()) {
            same &= check ? isCurrent(root.resolve(file.getKey()), file.getValue()) : write(root.resolve(file.getKey()), file.getValue());
        }
        System.exit(same ? 0 : 1);
    }

    private static boolean write(Path path, String text) throws IOException {
        Files.createDirectories(path.getParent());
        Files.writeString(path, text, StandardCharsets.UTF_8);
        return true;
    }

    private static boolean isCurrent(Path path, String text) throws IOException {
        boolean current = Files.exists(path) && Files.readString(path, StandardCharsets.UTF_8).equals(text);
        if (!current) {
            System.err.println(path + " is not what the generator writes");
        }
        return current;
    }
}
