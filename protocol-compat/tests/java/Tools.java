import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs several of Apache Kafka's command line tools one after the other: a process for each would spend more time on
 * starting than on work.
 *
 * <p>Every word list is a tool's class and its words, with {@code ---} between two. Behind each tool's output a line says
 * with which status it would have ended its process.
 */
final class Tools {
    /** Takes the place of the end of the process. */
    private static final class Ended extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    private static Integer status;

    private Tools() {}

    public static void main(String[] args) throws Exception {
        Exit.setExitProcedure(Tools::end);
        Exit.setHaltProcedure(Tools::end);
        PrintStream out = System.out;
        List<String> words = new ArrayList<>();
        for (String word : args) {
            if (word.equals("---")) {
                run(words, out);
                words.clear();
            } else {
                words.add(word);
            }
        }
        run(words, out);
        out.println("PASS tools");
        out.flush();
        Runtime.getRuntime().halt(0);
    }

    /** Some tools take their own end for a failure: the first status counts, and what is said behind it does not. */
    private static void end(int asked, String message) {
        if (status == null) {
            status = asked;
            System.setOut(new PrintStream(OutputStream.nullOutputStream()));
            System.setErr(System.out);
        }
        throw new Ended();
    }

    private static void run(List<String> words, PrintStream out) throws Exception {
        var said = new ByteArrayOutputStream();
        PrintStream err = System.err;
        PrintStream both = new PrintStream(said, true, StandardCharsets.UTF_8);
        status = null;
        System.setOut(both);
        System.setErr(both);
        try {
            scala.Console$.MODULE$.setOutDirect(both);
            scala.Console$.MODULE$.setErrDirect(both);
            String[] rest = words.subList(1, words.size()).toArray(String[]::new);
            Class.forName(words.get(0)).getMethod("main", String[].class).invoke(null, (Object) rest);
        } catch (InvocationTargetException e) {
            if (status == null) {
                e.getCause().printStackTrace(both);
                status = 1;
            }
        } finally {
            System.setOut(out);
            System.setErr(err);
        }
        both.flush();
        out.println(said.toString(StandardCharsets.UTF_8).stripTrailing());
        out.println("ENDED " + (status == null ? 0 : status) + " " + words.get(0));
    }
}
