package main

import (
	"encoding/binary"

	"github.com/gocql/gocql"

	"skewless.example/online"
)

// cell takes the bytes of a cell as they are, so that the contract's rules decode it; nil is null.
type cell []byte

// UnmarshalCQL keeps the bytes.
func (into *cell) UnmarshalCQL(_ gocql.TypeInfo, content []byte) error {
	*into = nil
	if content != nil {
		*into = append(cell{}, content...)
	}
	return nil
}

// keyList is a list of partition keys, bound as the bytes that it is.
type keyList []string

// MarshalCQL writes the count, then each key with its length.
func (keys keyList) MarshalCQL(_ gocql.TypeInfo) ([]byte, error) {
	content := binary.BigEndian.AppendUint32(nil, uint32(len(keys)))
	for _, key := range keys {
		content = binary.BigEndian.AppendUint32(content, uint32(len(key)))
		content = append(content, key...)
	}
	return content, nil
}

type row struct {
	head  online.Row
	cells []cell
}

func (found row) orNil(exists bool) *online.Row {
	if !exists {
		return nil
	}
	return &found.head
}

const atOnce = 32

// rows reads the newest row of each entity up to a generation, by partition key.
func (from store) rows(view view, features, partitions []string, generation int64) (map[string]row, error) {
	found, asked := map[string]row{}, map[string]bool{}
	var group keyList
	for _, partition := range partitions {
		if partition == "" || asked[partition] {
			continue
		}
		asked[partition] = true
		if group = append(group, partition); len(group) == atOnce {
			if err := from.group(view, features, group, generation, found); err != nil {
				return nil, err
			}
			group = nil
		}
	}
	if len(group) == 0 {
		return found, nil
	}
	return found, from.group(view, features, group, generation, found)
}

func (from store) group(view view, features []string, group keyList, generation int64, found map[string]row) error {
	statement := online.SelectMany(from.keyspace, view.Table, column(view.Keys, 0), features)
	// a page of 0 rows switches paging off
	rows := from.session.Query(statement, group, generation).PageSize(0).Idempotent(true).Iter().Scanner()
	types := column(view.Keys, 1)
	for rows.Next() {
		each := row{cells: make([]cell, len(features))}
		parts := make([]cell, len(types)) // gocql hands a tuple out part by part
		targets := []any{&each.head.Generation, &each.head.EventUs, &each.head.State}
		for place := range each.cells {
			targets = append(targets, &each.cells[place])
		}
		for place := range parts {
			targets = append(targets, &parts[place])
		}
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		found[joined(types, parts)] = each
	}
	return rows.Err()
}

func joined(types []string, parts []cell) string {
	if !online.IsWrapped(types) {
		return string(parts[0])
	}
	var key []byte
	for _, part := range parts {
		key = binary.BigEndian.AppendUint32(key, uint32(len(part)))
		key = append(key, part...)
	}
	return string(key)
}
