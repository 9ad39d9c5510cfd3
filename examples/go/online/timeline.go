package online

// Revision is one published map of views, by its number.
type Revision struct {
	Number, VisibleFromUs int64
	Views                 map[string]Pointer
}

// Timeline holds the revisions that a reader has seen, ascending.
type Timeline struct {
	IntervalMs  int64
	held        []Revision
	confirmedMs int64
}

// Polled takes the row of `snapshot` (previous and current, ascending; empty when there is none) of a poll that began at
// a time of a clock that never jumps. log reads revisions after a number from `snapshot_log`.
// A poll that failed is simply not told.
func (line *Timeline) Polled(beganMs, nowUs int64, shown []Revision, log func(after int64) []Revision) {
	var newest int64
	if len(line.held) > 0 {
		newest = line.held[len(line.held)-1].Number
	}
	if len(shown) == 0 || shown[len(shown)-1].Number < newest {
		if newest == 0 {
			line.confirmedMs = beganMs
		}
		return // a replica that lags confirms nothing
	}
	missed := shown[0].Number > newest+1
	if newest == 0 { // a beginner needs what is in force, not what was
		missed = shown[0].Number > 1 && shown[0].VisibleFromUs > nowUs
	}
	if missed {
		line.add(log(newest))
	}
	line.add(shown)
	line.confirmedMs = beganMs
}

func (line *Timeline) add(revisions []Revision) {
	for _, each := range revisions {
		if len(line.held) == 0 || each.Number > line.held[len(line.held)-1].Number {
			line.held = append(line.held, each)
		}
	}
}

// InForce is the newest revision whose instant has come; nil before the first.
func (line *Timeline) InForce(nowUs int64) *Revision {
	for place := len(line.held) - 1; place >= 0; place-- {
		if line.held[place].VisibleFromUs <= nowUs {
			return &line.held[place]
		}
	}
	return nil
}

// IsConfirmed is false when a revision may have come into force that this reader has not seen.
func (line *Timeline) IsConfirmed(atMs int64) bool {
	return atMs-line.confirmedMs <= 2*line.IntervalMs
}
