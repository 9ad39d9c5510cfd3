package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/gocql/gocql"

	"skewless.example/online"
)

type store struct {
	session           *gocql.Session
	keyspace, project string
}

func (from store) manifest(service string) (found manifest, err error) {
	var text string
	query := from.session.Query("SELECT manifest FROM serving WHERE project = ? AND service = ?", from.project, service)
	if err = query.Scan(&text); err != nil {
		return found, fmt.Errorf("service %q: %w", service, err)
	}
	if err = json.Unmarshal([]byte(text), &found); err == nil && found.Format > 1 {
		err = fmt.Errorf("manifest of format %d: this program knows 1", found.Format)
	}
	return found, err
}

// inForce polls the timeline once; nil before the first revision.
func (from store) inForce(nowUs int64) (*online.Revision, error) {
	var rev, visible, previousRev, previousVisible *int64
	var views, previousViews map[string]online.Pointer
	var attempt gocql.UUID
	err := from.session.Query(
		"SELECT rev, visible_from_us, views, previous_rev, previous_visible_from_us, previous_views, attempt "+
			"FROM snapshot WHERE project = ?", from.project,
	).Scan(&rev, &visible, &views, &previousRev, &previousVisible, &previousViews, &attempt)
	if err == gocql.ErrNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	shown := []online.Revision{{Number: *rev, VisibleFromUs: *visible, Views: views}}
	if previousRev != nil {
		previous := online.Revision{Number: *previousRev, VisibleFromUs: *previousVisible, Views: previousViews}
		shown = append([]online.Revision{previous}, shown...)
	}
	var line online.Timeline
	line.Polled(0, nowUs, shown, func(after int64) (missed []online.Revision) {
		missed, err = from.log(after, attempt)
		return missed
	})
	return line.InForce(nowUs), err
}

// log reads the revisions after a number: the chain of parents that begins at an attempt.
func (from store) log(after int64, attempt gocql.UUID) ([]online.Revision, error) {
	type entry struct {
		revision online.Revision
		parent   *gocql.UUID
	}
	entries := map[gocql.UUID]entry{}
	rows := from.session.Query(
		"SELECT rev, visible_from_us, views, attempt, parent FROM snapshot_log WHERE project = ? AND rev > ?",
		from.project, after,
	).Iter().Scanner()
	for rows.Next() {
		var each entry
		var own gocql.UUID
		revision := &each.revision
		err := rows.Scan(&revision.Number, &revision.VisibleFromUs, &revision.Views, &own, &each.parent)
		if err != nil {
			return nil, err
		}
		entries[own] = each
	}
	var chain []online.Revision
	for next := &attempt; next != nil; {
		each, ok := entries[*next]
		if !ok {
			break
		}
		chain = append([]online.Revision{each.revision}, chain...)
		next = each.parent
	}
	return chain, rows.Err()
}

type answer struct {
	Key     []any         `json:"key"`
	Feature string        `json:"feature"`
	Status  online.Status `json:"status"`
	Value   any           `json:"value"`
}

func (from store) answers(
	view view, features []string, keys [][]any, inForce *online.Revision, nowUs int64,
) ([]answer, error) {
	rules := view.rules()
	var pointer *online.Pointer
	if inForce != nil {
		pointer = online.PointerOf(rules, inForce.Views)
	}
	rows := map[string]row{}
	partitions := make([]string, len(keys))
	if pointer != nil {
		var err error
		if partitions, err = encoded(column(view.Keys, 1), keys); err != nil {
			return nil, err
		}
		if rows, err = from.rows(view, features, partitions, pointer.Generation); err != nil {
			return nil, err
		}
	}
	types := map[string]string{}
	for _, pair := range view.Features {
		types[pair[0]] = pair[1]
	}
	var told []answer
	for place, key := range keys {
		judged := online.Answer{Status: online.NotFound}
		found, ok := rows[partitions[place]]
		if !isNobodys(key) {
			judged.Status = online.Unpublished
			if pointer != nil {
				judged = online.Judge(rules, *pointer, found.orNil(ok), nowUs)
			}
		}
		for each, feature := range features {
			value, status, err := of(judged, types[feature], found.cells, each)
			if err != nil {
				return nil, err
			}
			told = append(told, answer{key, view.Name + ":" + feature, status, value})
		}
	}
	return told, nil
}

func of(judged online.Answer, dtype string, cells []cell, place int) (any, online.Status, error) {
	if judged.Status != online.Present {
		return nil, judged.Status, nil
	}
	content := cells[place]
	if content == nil {
		return nil, judged.OfValue(true), nil
	}
	value, err := online.Decode(dtype, content)
	return online.Spell(dtype, value), judged.Status, err
}

// encoded gives the partition key of each entity; empty for one with a null part, which is nobody's.
func encoded(types []string, keys [][]any) ([]string, error) {
	partitions := make([]string, len(keys))
	for place, key := range keys {
		if len(key) != len(types) {
			return nil, fmt.Errorf("key %v has not the %d parts of %v", key, len(types), types)
		}
		if isNobodys(key) {
			continue
		}
		parts := make([]any, len(key))
		for each, part := range key {
			parts[each] = parsed(types[each], part)
		}
		partition, err := online.PartitionKey(types, parts)
		if err != nil {
			return nil, err
		}
		partitions[place] = string(partition)
	}
	return partitions, nil
}

// isNobodys tells whether a part of a key is null.
func isNobodys(key []any) bool {
	return slices.Contains(key, nil)
}

// parsed reads a key part as the vectors spell it; what cannot be read stays as it is and is refused later.
func parsed(dtype string, part any) any {
	text := fmt.Sprint(part)
	switch dtype {
	case "int32":
		if number, err := strconv.ParseInt(text, 10, 32); err == nil {
			return int32(number)
		}
	case "int64":
		if number, err := strconv.ParseInt(text, 10, 64); err == nil {
			return number
		}
	case "bytes":
		if content, err := hex.DecodeString(text); err == nil {
			return content
		}
	case "date":
		if day, err := time.Parse("2006-01-02", text); err == nil {
			return day
		}
	}
	return part
}
