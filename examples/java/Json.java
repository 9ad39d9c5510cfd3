import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads JSON into Map, List, String, Boolean, BigDecimal and null; the JDK has no reader of its own. */
final class Json {
    private final String text;
    private int place;

    private Json(String text) {
        this.text = text;
    }

    static Object read(String text) {
        Json json = new Json(text);
        Object value = json.value();
        json.blanks();
        if (json.place != text.length()) throw json.broken();
        return value;
    }

    private Object value() {
        blanks();
        if (place == text.length()) throw broken();
        switch (text.charAt(place)) {
            case '{':
                return object();
            case '[':
                return list();
            case '"':
                return string();
            default:
                return word();
        }
    }

    private Map<String, Object> object() {
        Map<String, Object> found = new LinkedHashMap<>();
        place++;
        while (!ends('}', found.isEmpty())) {
            blanks();
            String name = string();
            take(':');
            found.put(name, value());
        }
        return found;
    }

    private List<Object> list() {
        List<Object> found = new ArrayList<>();
        place++;
        while (!ends(']', found.isEmpty())) found.add(value());
        return found;
    }

    private boolean ends(char end, boolean isFirst) {
        blanks();
        if (place < text.length() && text.charAt(place) == end) {
            place++;
            return true;
        }
        if (!isFirst) take(',');
        return false;
    }

    private void take(char wanted) {
        blanks();
        if (place == text.length() || text.charAt(place++) != wanted) throw broken();
    }

    private String string() {
        StringBuilder found = new StringBuilder();
        take('"');
        while (true) {
            char each = text.charAt(place++);
            if (each == '"') return found.toString();
            found.append(each == '\\' ? escaped() : each);
        }
    }

    private char escaped() {
        char kind = text.charAt(place++);
        if (kind == 'u') {
            place += 4;
            return (char) Integer.parseInt(text.substring(place - 4, place), 16);
        }
        int known = "nrtbf".indexOf(kind);
        return known < 0 ? kind : "\n\r\t\b\f".charAt(known);
    }

    private Object word() {
        int begin = place;
        while (place < text.length() && ",]} \n\r\t".indexOf(text.charAt(place)) < 0) place++;
        String word = text.substring(begin, place);
        return switch (word) {
            case "true" -> true;
            case "false" -> false;
            case "null" -> null;
            default -> new BigDecimal(word);
        };
    }

    private void blanks() {
        while (place < text.length() && " \n\r\t".indexOf(text.charAt(place)) >= 0) place++;
    }

    private IllegalArgumentException broken() {
        return new IllegalArgumentException("no JSON at character " + place);
    }
}
