import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** Cells: bytes to Boolean, Integer, Long, Float, Double, String, byte[], LocalDate, Instant, BigDecimal, List. */
final class Values {
    private Values() {}

    static Object decode(String type, ByteBuffer cell) {
        String element = Keys.inside(type, "array");
        if (element != null) return array(element, cell);
        if (Keys.inside(type, "vector") != null) {
            List<Object> values = new ArrayList<>();
            while (cell.hasRemaining()) values.add(cell.getFloat());
            return values;
        }
        if (Keys.inside(type, "decimal") != null) {
            int scale = cell.getInt();
            return new BigDecimal(new BigInteger(rest(cell)), scale);
        }
        return switch (type) {
            case "bool" -> cell.get() != 0;
            case "int32" -> cell.getInt();
            case "int64" -> cell.getLong();
            case "float32" -> cell.getFloat();
            case "float64" -> cell.getDouble();
            case "string" -> new String(rest(cell), StandardCharsets.UTF_8);
            case "bytes" -> rest(cell);
            case "date" -> LocalDate.ofEpochDay(Integer.toUnsignedLong(cell.getInt()) - (1L << 31));
            case "timestamp" -> Instant.EPOCH.plus(cell.getLong(), ChronoUnit.MICROS);
            default -> throw new IllegalArgumentException(type + " is none of the types");
        };
    }

    private static List<Object> array(String element, ByteBuffer cell) {
        List<Object> values = new ArrayList<>();
        for (int left = cell.getInt(); left > 0; left--) {
            int size = cell.getInt();
            values.add(decode(element, cell.slice(cell.position(), size)));
            cell.position(cell.position() + size);
        }
        return values;
    }

    private static byte[] rest(ByteBuffer cell) {
        byte[] content = new byte[cell.remaining()];
        cell.get(content);
        return content;
    }

    /** Writes a decoded value as the vectors do: floats by their bits, 64-bit integers and times as text. */
    static Object spell(Object value) {
        if (value instanceof List<?> list) {
            List<Object> spelled = new ArrayList<>();
            list.forEach(each -> spelled.add(spell(each)));
            return spelled;
        }
        if (value instanceof Integer number) return BigDecimal.valueOf(number);
        if (value instanceof Float number) return HexFormat.of().toHexDigits(Float.floatToRawIntBits(number));
        if (value instanceof Double number) return HexFormat.of().toHexDigits(Double.doubleToRawLongBits(number));
        if (value instanceof byte[] content) return HexFormat.of().formatHex(content);
        if (value instanceof Instant instant) {
            // ChronoUnit.MICROS.between counts nanoseconds on its way, which overflow in year 1.
            return Long.toString(instant.getEpochSecond() * 1_000_000 + instant.getNano() / 1_000);
        }
        if (value instanceof BigDecimal number) return number.toPlainString();
        return value instanceof Boolean ? value : value.toString();
    }
}
