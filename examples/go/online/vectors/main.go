// Runs every case of docs/contract/vectors.json: go run ./vectors ../../../docs/contract/vectors.json
package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"time"

	"skewless.example/online"
)

const format = 1

type file struct {
	Format     int
	Statements []statement
	Keys       []key
	Values     []value
	Statuses   []status
	Timelines  []timeline
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: vectors FILE")
		os.Exit(2)
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	var cases file
	reader := json.NewDecoder(bytes.NewReader(text))
	reader.UseNumber()
	if err := reader.Decode(&cases); err != nil || cases.Format != format {
		fmt.Fprintf(os.Stderr, "not vectors of format %d: %v\n", format, err)
		os.Exit(2)
	}
	failed := run("statements", cases.Statements) + run("keys", cases.Keys) + run("values", cases.Values) +
		run("statuses", cases.Statuses) + run("timelines", cases.Timelines)
	if failed > 0 {
		os.Exit(1)
	}
}

type checked interface{ check() error }

func run[T checked](name string, cases []T) int {
	failed := 0
	for place, each := range cases {
		if err := each.check(); err != nil {
			failed++
			fmt.Printf("%s %d: %v\n", name, place, err)
		}
	}
	if len(cases) == 0 {
		failed++
	}
	fmt.Printf("%s: %d passed, %d failed\n", name, len(cases)-failed, failed)
	return failed
}

func same(what string, got, wanted any) error {
	if reflect.DeepEqual(got, wanted) {
		return nil
	}
	return fmt.Errorf("%s is %v, not %v", what, got, wanted)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

type statement struct {
	Keyspace, Table, One, Many string
	Keys                       [][2]string
	Features                   []string
}

func (each statement) check() error {
	var names []string
	for _, pair := range each.Keys {
		names = append(names, pair[0])
	}
	return firstOf(
		same("one", online.SelectOne(each.Keyspace, each.Table, names, each.Features), each.One),
		same("many", online.SelectMany(each.Keyspace, each.Table, names, each.Features), each.Many),
	)
}

type key struct {
	Types               []string
	Key                 []any
	CQLType             string `json:"cql_type"`
	Literal, Hex, Token string
}

func (each key) check() error {
	parts := make([]any, len(each.Key))
	for place, dtype := range each.Types {
		part, err := parsed(dtype, each.Key[place])
		if err != nil {
			return err
		}
		parts[place] = part
	}
	name, err := online.KeyType(each.Types)
	if err != nil {
		return err
	}
	partition, err := online.PartitionKey(each.Types, parts)
	if err != nil {
		return err
	}
	return firstOf(
		same("the type", name, each.CQLType),
		same("the literal", online.Literal(each.Types, parts), each.Literal),
		same("the partition key", hex.EncodeToString(partition), each.Hex),
		same("the token", strconv.FormatInt(online.Token(partition), 10), each.Token),
	)
}

// parsed reads a key part as the vectors spell it.
func parsed(dtype string, part any) (any, error) {
	text := fmt.Sprint(part)
	switch dtype {
	case "int32":
		number, err := strconv.ParseInt(text, 10, 32)
		return int32(number), err
	case "int64":
		return strconv.ParseInt(text, 10, 64)
	case "bytes":
		return hex.DecodeString(text)
	case "date":
		return time.Parse("2006-01-02", text)
	}
	return part, nil // bool, string
}

type value struct {
	Type    string
	CQLType string `json:"cql_type"`
	Name    string
	Value   any
	Hex     string
}

func (each value) check() error {
	name, err := online.CQLType(each.Type)
	if err != nil {
		return err
	}
	cell, err := hex.DecodeString(each.Hex)
	if err != nil {
		return err
	}
	decoded, err := online.Decode(each.Type, cell)
	if err != nil {
		return err
	}
	spelled := online.Spell(each.Type, decoded)
	if number, ok := spelled.(int32); ok {
		spelled = json.Number(strconv.Itoa(int(number)))
	}
	if list, ok := spelled.([]any); ok {
		for place, element := range list {
			if number, ok := element.(int32); ok {
				list[place] = json.Number(strconv.Itoa(int(number)))
			}
		}
	}
	return firstOf(same("the type", name, each.CQLType), same(each.Type+", "+each.Name+",", spelled, each.Value))
}
