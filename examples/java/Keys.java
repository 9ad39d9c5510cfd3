import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** The partition key: its type, its bytes, its token. Parts are Boolean, Integer, Long, String, byte[] and LocalDate. */
final class Keys {
    private static final Map<String, String> SCALARS = Map.of(
            "bool", "boolean", "int32", "int", "int64", "bigint", "float32", "float", "float64", "double",
            "string", "text", "bytes", "blob", "date", "date", "timestamp", "bigint");

    private Keys() {}

    /** Names the column type that holds one of our types. */
    static String cqlType(String type) {
        String element = inside(type, "array");
        if (element != null) return "frozen<list<" + cqlType(element) + ">>";
        String length = inside(type, "vector");
        if (length != null) return "vector<float, " + length + ">";
        return inside(type, "decimal") != null ? "decimal" : SCALARS.get(type);
    }

    /** What stands between the brackets of array, vector or decimal; null when it is none. */
    static String inside(String type, String name) {
        return type.startsWith(name + "<") ? type.substring(name.length() + 1, type.length() - 1) : null;
    }

    static boolean isWrapped(List<String> types) {
        return types.size() > 1 || types.get(0).equals("string") || types.get(0).equals("bytes");
    }

    static String keyType(List<String> types) {
        String names = types.stream().map(Keys::cqlType).collect(Collectors.joining(", "));
        return isWrapped(types) ? "frozen<tuple<" + names + ">>" : names;
    }

    static String column(List<String> names) {
        return names.size() == 1 ? names.get(0) : "k";
    }

    static byte[] partition(List<String> types, List<Object> parts) {
        ByteArrayOutputStream key = new ByteArrayOutputStream();
        for (Object each : parts) {
            byte[] part = bytes(each);
            if (isWrapped(types)) key.writeBytes(ByteBuffer.allocate(4).putInt(part.length).array());
            key.writeBytes(part);
        }
        return key.toByteArray();
    }

    private static byte[] bytes(Object part) {
        if (part instanceof Boolean value) return new byte[] {(byte) (value ? 1 : 0)};
        if (part instanceof Integer value) return ByteBuffer.allocate(4).putInt(value).array();
        if (part instanceof Long value) return ByteBuffer.allocate(8).putLong(value).array();
        if (part instanceof String value) return value.getBytes(StandardCharsets.UTF_8);
        if (part instanceof LocalDate value) {
            return ByteBuffer.allocate(4).putInt((int) (value.toEpochDay() + (1L << 31))).array();
        }
        return (byte[]) part;
    }

    /** The key as CQL text, for a person at a prompt; programs bind it instead. */
    static String literal(List<String> types, List<Object> parts) {
        List<String> texts = new ArrayList<>();
        for (Object part : parts) {
            if (part instanceof byte[] value) texts.add("0x" + HexFormat.of().formatHex(value));
            else if (part instanceof Boolean || part instanceof Number) texts.add(part.toString());
            else texts.add("'" + part.toString().replace("'", "''") + "'");
        }
        String text = String.join(", ", texts);
        return isWrapped(types) ? "(" + text + ")" : text;
    }

    /** Cassandra's Murmur3 token; most drivers work it out themselves. */
    static long token(byte[] key) {
        ByteBuffer blocks = ByteBuffer.wrap(key).order(ByteOrder.LITTLE_ENDIAN);
        long h1 = 0;
        long h2 = 0;
        while (blocks.remaining() >= 16) {
            h1 = (Long.rotateLeft(h1 ^ first(blocks.getLong()), 27) + h2) * 5 + 0x52dce729L;
            h2 = (Long.rotateLeft(h2 ^ second(blocks.getLong()), 31) + h1) * 5 + 0x38495ab5L;
        }
        int begin = blocks.position();
        h2 ^= second(tail(key, begin + 8, key.length));
        h1 ^= first(tail(key, begin, Math.min(begin + 8, key.length)));
        h1 ^= key.length;
        h2 ^= key.length;
        h1 += h2;
        h2 += h1;
        long token = mixed(h1) + mixed(h2);
        return token == Long.MIN_VALUE ? Long.MAX_VALUE : token;
    }

    /** Bytes are signed here, as in Cassandra, so a negative one flips every bit above it. */
    private static long tail(byte[] key, int begin, int end) {
        long number = 0;
        for (int place = begin; place < end; place++) number ^= (long) key[place] << 8 * (place - begin);
        return number;
    }

    private static long first(long k) {
        return Long.rotateLeft(k * 0x87c37b91114253d5L, 31) * 0x4cf5ad432745937fL;
    }

    private static long second(long k) {
        return Long.rotateLeft(k * 0x4cf5ad432745937fL, 33) * 0x87c37b91114253d5L;
    }

    private static long mixed(long number) {
        long once = (number ^ number >>> 33) * 0xff51afd7ed558ccdL;
        long twice = (once ^ once >>> 33) * 0xc4ceb9fe1a85ec53L;
        return twice ^ twice >>> 33;
    }
}
