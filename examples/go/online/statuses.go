package online

// Status says why a value is there or not.
type Status string

// The statuses. Timeout and Failed are the caller's: nobody answered in time, or the store said no.
const (
	Present     Status = "PRESENT"
	Null        Status = "NULL"
	NotFound    Status = "NOT_FOUND"
	Deleted     Status = "DELETED"
	Expired     Status = "EXPIRED"
	Unpublished Status = "UNPUBLISHED"
	Timeout     Status = "TIMEOUT"
	Failed      Status = "ERROR"
)

// View is what the manifest of a service says of a view; Schedule is its period and offset.
type View struct {
	Reference, Table string
	TTLUs            *int64
	ScheduleUs       *[2]int64
}

// Pointer is what a revision says of a view.
type Pointer struct {
	Table                 string
	Generation, ThroughUs int64
}

// Row is the newest row at or before the pointer's generation.
type Row struct {
	Generation int64
	EventUs    *int64
	State      *int8
}

// Answer is what the row says of all its features; AgeUs counts only where HasRow.
type Answer struct {
	Status Status
	AgeUs  int64
	HasRow bool
}

// PointerOf finds the pointer of a view; nil when the revision in force does not know it: UNPUBLISHED.
func PointerOf(view View, inForce map[string]Pointer) *Pointer {
	pointer, ok := inForce[view.Reference]
	if !ok || pointer.Table != view.Table {
		return nil
	}
	return &pointer
}

// Judge applies the rule to the newest row; PRESENT means: look at each value.
func Judge(view View, pointer Pointer, row *Row, nowUs int64) Answer {
	if row == nil || row.EventUs == nil || (row.State != nil && *row.State == 2) {
		return Answer{Status: NotFound}
	}
	age := nowUs - freshAt(view, pointer, *row.EventUs, nowUs)
	switch {
	case row.State != nil && *row.State == 1:
		return Answer{Deleted, age, true}
	case view.TTLUs != nil && age >= *view.TTLUs:
		return Answer{Expired, age, true}
	}
	return Answer{Present, age, true}
}

// OfValue is the status of one feature within a row.
func (answer Answer) OfValue(isNull bool) Status {
	if answer.Status == Present && isNull {
		return Null
	}
	return answer.Status
}

func freshAt(view View, pointer Pointer, eventUs, nowUs int64) int64 {
	if view.ScheduleUs == nil {
		return eventUs
	}
	every, offset := view.ScheduleUs[0], view.ScheduleUs[1]
	since := (nowUs - offset) % every
	if since < 0 { // the last tick lies before the instant, also before 1970
		since += every
	}
	return min(pointer.ThroughUs, nowUs-since)
}
