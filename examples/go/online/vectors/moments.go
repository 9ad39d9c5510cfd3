package main

import (
	"encoding/json"
	"fmt"

	"skewless.example/online"
)

// number is a 64-bit integer, which the vectors spell as text; null leaves the pointer nil.
type number = *json.Number

func integer(text number) *int64 {
	if text == nil {
		return nil
	}
	found, err := text.Int64()
	if err != nil {
		panic(err) // the file is broken
	}
	return &found
}

func told(text number) string {
	if text == nil {
		return "null"
	}
	return text.String()
}

type status struct {
	Name string
	View struct {
		Reference, Table string
		TTLUs            number     `json:"ttl_us"`
		ScheduleUs       *[2]number `json:"schedule_us"`
	}
	ViewsInForce map[string][3]string `json:"views_in_force"`
	IsKeyNull    bool                 `json:"is_key_null"`
	Reply        string
	Rows         [][4]number
	NowUs        number `json:"now_us"`
	Expected     struct {
		Status        string
		Value         number
		EventUs       number `json:"event_us"`
		AgeUs         number `json:"age_us"`
		Generation    number
		RowGeneration number `json:"row_generation"`
	}
}

func (each status) check() error {
	wanted := each.Expected
	got := each.answer()
	expected := outcome{
		wanted.Status, told(wanted.Value), told(wanted.EventUs), told(wanted.AgeUs), told(wanted.Generation),
		told(wanted.RowGeneration),
	}
	return same(fmt.Sprintf("%q", each.Name), got, expected)
}

type outcome struct{ status, value, eventUs, ageUs, generation, rowGeneration string }

func (each status) answer() outcome {
	nothing := outcome{"", "null", "null", "null", "null", "null"}
	view := online.View{Reference: each.View.Reference, Table: each.View.Table, TTLUs: integer(each.View.TTLUs)}
	if each.View.ScheduleUs != nil {
		view.ScheduleUs = &[2]int64{*integer(each.View.ScheduleUs[0]), *integer(each.View.ScheduleUs[1])}
	}
	pointer := online.PointerOf(view, each.pointers())
	if pointer != nil {
		nothing.generation = fmt.Sprint(pointer.Generation)
	}
	switch {
	case each.IsKeyNull:
		nothing.status = string(online.NotFound)
		return nothing
	case pointer == nil:
		nothing.status = string(online.Unpublished)
		return nothing
	case each.Reply == "late":
		nothing.status = string(online.Timeout)
		return nothing
	case each.Reply == "failed":
		nothing.status = string(online.Failed)
		return nothing
	}
	row, cell := each.newest(pointer.Generation)
	answer := online.Judge(view, *pointer, row, *integer(each.NowUs))
	nothing.status = string(answer.OfValue(cell == nil))
	if answer.HasRow {
		nothing.eventUs, nothing.ageUs = fmt.Sprint(*row.EventUs), fmt.Sprint(answer.AgeUs)
		nothing.rowGeneration = fmt.Sprint(row.Generation)
	}
	if answer.Status == online.Present {
		nothing.value = told(cell)
	}
	return nothing
}

func (each status) pointers() map[string]online.Pointer {
	pointers := map[string]online.Pointer{}
	for reference, cells := range each.ViewsInForce {
		generation, throughUs := json.Number(cells[1]), json.Number(cells[2])
		pointers[reference] = online.Pointer{
			Table: cells[0], Generation: *integer(&generation), ThroughUs: *integer(&throughUs),
		}
	}
	return pointers
}

// newest does what the statement makes Cassandra do.
func (each status) newest(generation int64) (*online.Row, number) {
	var found *online.Row
	var cell number
	for _, cells := range each.Rows {
		gen := *integer(cells[0])
		if gen > generation || (found != nil && gen < found.Generation) {
			continue
		}
		found, cell = &online.Row{Generation: gen, EventUs: integer(cells[1])}, cells[3]
		if state := integer(cells[2]); state != nil {
			code := int8(*state)
			found.State = &code
		}
	}
	return found, cell
}

type timeline struct {
	Name       string
	IntervalMs int64 `json:"interval_ms"`
	Revisions  [][2]number
	Steps      []struct {
		AtMs     int64  `json:"at_ms"`
		NowUs    number `json:"now_us"`
		Shows    any
		Expected struct {
			InForce     number `json:"in_force"`
			Unconfirmed bool
		}
	}
}

func (each timeline) check() error {
	var all []online.Revision
	for _, pair := range each.Revisions {
		all = append(all, online.Revision{Number: *integer(pair[0]), VisibleFromUs: *integer(pair[1])})
	}
	line := online.Timeline{IntervalMs: each.IntervalMs}
	for place, step := range each.Steps {
		nowUs := *integer(step.NowUs)
		if shows, ok := step.Shows.(json.Number); ok { // neither null nor "silent"
			count := int(*integer(&shows))
			log := func(after int64) []online.Revision { return all[after:count] }
			line.Polled(step.AtMs, nowUs, all[max(0, count-2):count], log)
		}
		inForce := "null"
		if revision := line.InForce(nowUs); revision != nil {
			inForce = fmt.Sprint(revision.Number)
		}
		got := fmt.Sprint(inForce, !line.IsConfirmed(step.AtMs))
		wanted := fmt.Sprint(told(step.Expected.InForce), step.Expected.Unconfirmed)
		if err := same(fmt.Sprintf("%q, step %d,", each.Name, place), got, wanted); err != nil {
			return err
		}
	}
	return nil
}
