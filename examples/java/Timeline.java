import java.util.List;
import java.util.TreeMap;
import java.util.function.LongFunction;

/** The revisions that a reader has seen. */
final class Timeline {
    record Revision(long number, long visibleFromUs) {}

    private final TreeMap<Long, Revision> held = new TreeMap<>();
    private final long intervalMs;
    private long confirmedMs;

    Timeline(long intervalMs) {
        this.intervalMs = intervalMs;
    }

    /**
     * Takes the row of `snapshot` (previous and current, ascending; empty when there is none) of a poll that began at a
     * time of a clock that never jumps. A poll that failed is simply not told.
     *
     * @param log reads the revisions after a number from `snapshot_log`
     */
    void polled(long beganMs, long nowUs, List<Revision> shown, LongFunction<List<Revision>> log) {
        long newest = held.isEmpty() ? 0 : held.lastKey();
        if (shown.isEmpty() || shown.get(shown.size() - 1).number() < newest) {
            if (newest == 0) confirmedMs = beganMs;
            return; // a replica that lags confirms nothing
        }
        Revision first = shown.get(0);
        boolean isBeginner = newest == 0; // needs what is in force, not what was
        if (first.number() > newest + 1 && (!isBeginner || first.visibleFromUs() > nowUs)) add(log.apply(newest));
        add(shown);
        confirmedMs = beganMs;
    }

    private void add(List<Revision> revisions) {
        revisions.forEach(each -> held.put(each.number(), each));
    }

    /** The newest revision whose instant has come; null before the first. */
    Revision inForce(long nowUs) {
        return held.descendingMap().values().stream().filter(each -> each.visibleFromUs() <= nowUs).findFirst()
                .orElse(null);
    }

    /** False when a revision may have come into force that this reader has not seen. */
    boolean isConfirmed(long atMs) {
        return atMs - confirmedMs <= 2 * intervalMs;
    }
}
