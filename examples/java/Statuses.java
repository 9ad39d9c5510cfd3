import java.util.Map;

/** The status rules, top to bottom. */
final class Statuses {
    enum Status { PRESENT, NULL, NOT_FOUND, DELETED, EXPIRED, UNPUBLISHED, TIMEOUT, ERROR }

    /** What the manifest says of a view; ttlUs and everyUs may be null. */
    record View(String reference, String table, Long ttlUs, Long everyUs, Long offsetUs) {}

    /** What a revision says of a view. */
    record Pointer(String table, long generation, long throughUs) {}

    /** The newest row at or before the pointer's generation. */
    record Row(long generation, Long eventUs, Integer state) {}

    /** What a row says of all its features; ageUs is null without a row. PRESENT means: look at each value. */
    record Answer(Status status, Long ageUs) {
        Status ofValue(Object cell) {
            return status == Status.PRESENT && cell == null ? Status.NULL : status;
        }
    }

    private Statuses() {}

    /** The pointer of a view; null when the revision in force does not know it: UNPUBLISHED. */
    static Pointer pointerOf(View view, Map<String, Pointer> inForce) {
        Pointer pointer = inForce.get(view.reference());
        return pointer != null && pointer.table().equals(view.table()) ? pointer : null;
    }

    static Answer judge(View view, Pointer pointer, Row row, long nowUs) {
        if (row == null || row.eventUs() == null || Integer.valueOf(2).equals(row.state())) {
            return new Answer(Status.NOT_FOUND, null);
        }
        long age = nowUs - freshAt(view, pointer, row.eventUs(), nowUs);
        if (Integer.valueOf(1).equals(row.state())) return new Answer(Status.DELETED, age);
        if (view.ttlUs() != null && age >= view.ttlUs()) return new Answer(Status.EXPIRED, age);
        return new Answer(Status.PRESENT, age);
    }

    private static long freshAt(View view, Pointer pointer, long eventUs, long nowUs) {
        if (view.everyUs() == null) return eventUs;
        long lastTick = nowUs - Math.floorMod(nowUs - view.offsetUs(), view.everyUs());
        return Math.min(pointer.throughUs(), lastTick);
    }
}
