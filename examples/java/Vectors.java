import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;

/** Runs every case of docs/contract/vectors.json. */
public final class Vectors {
    private static final BigDecimal FORMAT = BigDecimal.ONE;

    public static void main(String[] arguments) throws Exception {
        Map<String, Object> file = map(Json.read(Files.readString(Path.of(arguments[0]))));
        if (!FORMAT.equals(file.get("format"))) {
            System.err.println("not vectors of format " + FORMAT);
            System.exit(2);
        }
        int failed = run(file, "statements", Vectors::statement) + run(file, "keys", Vectors::key)
                + run(file, "values", Vectors::value) + run(file, "statuses", Vectors::status)
                + run(file, "timelines", Vectors::timeline);
        System.exit(failed > 0 ? 1 : 0);
    }

    /** Counts the cases whose pairs of (got, wanted) differ. */
    private static int run(Map<String, Object> file, String name, Function<Map<String, Object>, List<Object>> pairs) {
        List<Object> cases = list(file.get(name));
        int failed = cases.isEmpty() ? 1 : 0;
        for (int number = 0; number < cases.size(); number++) {
            List<Object> told = pairs.apply(map(cases.get(number)));
            boolean isSame = true;
            for (int place = 0; place < told.size(); place += 2) {
                if (Objects.equals(told.get(place), told.get(place + 1))) continue;
                System.out.printf("%s %d: %s, not %s%n", name, number, told.get(place), told.get(place + 1));
                isSame = false;
            }
            if (!isSame) failed++;
        }
        System.out.printf("%s: %d passed, %d failed%n", name, cases.size() - failed, failed);
        return failed;
    }

    private static List<Object> statement(Map<String, Object> one) {
        List<String> keys = new ArrayList<>();
        for (Object pair : list(one.get("keys"))) keys.add((String) list(pair).get(0));
        StringBuilder features = new StringBuilder();
        for (Object feature : list(one.get("features"))) features.append(", \"").append(feature).append('"');
        String column = '"' + Keys.column(keys) + '"';
        String source = " FROM \"" + one.get("keyspace") + "\".\"" + one.get("table") + "\" WHERE " + column;
        String select = "SELECT gen, event_us, state" + features;
        return Arrays.asList(
                select + source + " = ? AND gen <= ? LIMIT 1", one.get("one"),
                select + ", " + column + source + " IN ? AND gen <= ? PER PARTITION LIMIT 1", one.get("many"));
    }

    private static List<Object> key(Map<String, Object> one) {
        List<String> types = new ArrayList<>();
        List<Object> parts = new ArrayList<>();
        for (Object type : list(one.get("types"))) {
            parts.add(parsed((String) type, list(one.get("key")).get(types.size())));
            types.add((String) type);
        }
        byte[] partition = Keys.partition(types, parts);
        return Arrays.asList(
                Keys.keyType(types), one.get("cql_type"),
                Keys.literal(types, parts), one.get("literal"),
                HexFormat.of().formatHex(partition), one.get("hex"),
                Long.toString(Keys.token(partition)), one.get("token"));
    }

    private static Object parsed(String type, Object part) {
        return switch (type) {
            case "int32" -> ((BigDecimal) part).intValueExact();
            case "int64" -> Long.valueOf((String) part);
            case "bytes" -> HexFormat.of().parseHex((String) part);
            case "date" -> LocalDate.parse((String) part);
            default -> part; // bool, string
        };
    }

    private static List<Object> value(Map<String, Object> one) {
        String type = (String) one.get("type");
        Object decoded = Values.decode(type, ByteBuffer.wrap(HexFormat.of().parseHex((String) one.get("hex"))));
        return Arrays.asList(Keys.cqlType(type), one.get("cql_type"), Values.spell(decoded), one.get("value"));
    }

    private static List<Object> status(Map<String, Object> one) {
        Map<String, Object> told = new HashMap<>(map(one.get("expected")));
        told.replaceAll((name, each) -> null);
        Map<String, Object> about = map(one.get("view"));
        List<Object> schedule = about.get("schedule_us") == null ? null : list(about.get("schedule_us"));
        Statuses.View view = new Statuses.View(
                (String) about.get("reference"), (String) about.get("table"), integer(about.get("ttl_us")),
                schedule == null ? null : integer(schedule.get(0)), schedule == null ? null : integer(schedule.get(1)));
        Statuses.Pointer pointer = Statuses.pointerOf(view, pointers(one.get("views_in_force")));
        if (pointer != null) told.put("generation", Long.toString(pointer.generation()));
        if (one.get("is_key_null").equals(true)) told.put("status", "NOT_FOUND");
        else if (pointer == null) told.put("status", "UNPUBLISHED");
        else if (one.get("reply").equals("late")) told.put("status", "TIMEOUT");
        else if (one.get("reply").equals("failed")) told.put("status", "ERROR");
        else tell(told, view, pointer, newest(list(one.get("rows")), pointer.generation()), integer(one.get("now_us")));
        return Arrays.asList(told, one.get("expected"));
    }

    private static void tell(
            Map<String, Object> told, Statuses.View view, Statuses.Pointer pointer, List<Object> cells, long nowUs) {
        Statuses.Row row = cells == null ? null : new Statuses.Row(
                integer(cells.get(0)), integer(cells.get(1)),
                cells.get(2) == null ? null : ((BigDecimal) cells.get(2)).intValueExact());
        Statuses.Answer answer = Statuses.judge(view, pointer, row, nowUs);
        Object cell = cells == null ? null : cells.get(3);
        told.put("status", answer.ofValue(cell).name());
        if (answer.status() == Statuses.Status.PRESENT) told.put("value", cell);
        if (answer.ageUs() != null) {
            told.put("event_us", row.eventUs().toString());
            told.put("age_us", answer.ageUs().toString());
            told.put("row_generation", Long.toString(row.generation()));
        }
    }

    /** Does what the statement makes Cassandra do. */
    private static List<Object> newest(List<Object> rows, long generation) {
        List<Object> found = null;
        for (Object each : rows) {
            long number = integer(list(each).get(0));
            if (number <= generation && (found == null || number > integer(found.get(0)))) found = list(each);
        }
        return found;
    }

    private static Map<String, Statuses.Pointer> pointers(Object views) {
        Map<String, Statuses.Pointer> found = new HashMap<>();
        if (views != null) {
            map(views).forEach((reference, each) -> found.put(reference, new Statuses.Pointer(
                    (String) list(each).get(0), integer(list(each).get(1)), integer(list(each).get(2)))));
        }
        return found;
    }

    private static List<Object> timeline(Map<String, Object> one) {
        List<Timeline.Revision> all = new ArrayList<>();
        for (Object pair : list(one.get("revisions"))) {
            all.add(new Timeline.Revision(integer(list(pair).get(0)), integer(list(pair).get(1))));
        }
        Timeline line = new Timeline(((BigDecimal) one.get("interval_ms")).longValueExact());
        List<Object> told = new ArrayList<>();
        for (Object each : list(one.get("steps"))) {
            Map<String, Object> step = map(each);
            long atMs = ((BigDecimal) step.get("at_ms")).longValueExact();
            long nowUs = integer(step.get("now_us"));
            if (step.get("shows") instanceof BigDecimal shows) { // neither null nor "silent"
                int count = shows.intValueExact();
                List<Timeline.Revision> shown = all.subList(Math.max(0, count - 2), count);
                line.polled(atMs, nowUs, shown, after -> all.subList((int) after, count));
            }
            Timeline.Revision inForce = line.inForce(nowUs);
            Map<String, Object> found = new HashMap<>();
            found.put("in_force", inForce == null ? null : Long.toString(inForce.number()));
            found.put("unconfirmed", !line.isConfirmed(atMs));
            told.add(found);
            told.add(step.get("expected"));
        }
        return told;
    }

    /** A 64-bit integer, which the vectors spell as text. */
    private static Long integer(Object text) {
        return text == null ? null : Long.valueOf((String) text);
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> map(Object value) {
        return (Map<String, Object>) value;
    }

    @SuppressWarnings("unchecked")
    private static List<Object> list(Object value) {
        return (List<Object>) value;
    }
}
