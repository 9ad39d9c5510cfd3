// Reads a service for some entities, by the rules of docs/contract/online.md:
//
//	go run . -host 127.0.0.1 -port 9042 -project shop -service basket '[["42"], ["7"]]'
//
// Keys are lists in the order of the entity's key columns, spelled as in vectors.json, and so are the values printed:
// one line of JSON per entity and feature. It reads once; a server would keep the timeline and poll it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/gocql/gocql"

	"skewless.example/online"
)

func main() {
	host := flag.String("host", "127.0.0.1", "of a node")
	port := flag.Int("port", 9042, "of the native protocol")
	keyspace := flag.String("keyspace", "", "of the project; skewless_<project> when empty")
	project := flag.String("project", "", "whose service is read")
	service := flag.String("service", "", "that is read")
	nowUs := flag.Int64("now-us", time.Now().UnixMicro(), "the instant of the question")
	flag.Parse()
	if *keyspace == "" {
		*keyspace = "skewless_" + *project
	}
	if err := read(*host, *port, store{keyspace: *keyspace, project: *project}, *service, *nowUs, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(host string, port int, from store, service string, nowUs int64, asked string) error {
	keys, err := keysOf(asked)
	if err != nil {
		return err
	}
	cluster := gocql.NewCluster(host)
	cluster.Port, cluster.Keyspace, cluster.Consistency = port, from.keyspace, gocql.LocalQuorum
	cluster.Timeout = 5 * time.Second
	if from.session, err = cluster.CreateSession(); err != nil {
		return err
	}
	defer from.session.Close()
	manifest, err := from.manifest(service)
	if err != nil {
		return err
	}
	inForce, err := from.inForce(nowUs)
	if err != nil {
		return err
	}
	for _, view := range manifest.Views {
		answers, err := from.answers(view, manifest.wanted(view.Name), keys, inForce, nowUs)
		if err != nil {
			return err
		}
		for _, each := range answers {
			if err := json.NewEncoder(os.Stdout).Encode(each); err != nil {
				return err
			}
		}
	}
	return nil
}

func keysOf(asked string) ([][]any, error) {
	var keys [][]any
	if err := json.Unmarshal([]byte(asked), &keys); err != nil {
		return nil, fmt.Errorf("keys are a JSON list of lists, not %q: %w", asked, err)
	}
	return keys, nil
}

type manifest struct {
	Format   int
	Features [][2]string
	Views    []view
}

type view struct {
	Name, Table    string
	Version        int
	Keys, Features [][2]string
	TTLUs          *int64    `json:"ttl_us"`
	ScheduleUs     *[2]int64 `json:"schedule_us"`
}

func (manifest manifest) wanted(view string) []string {
	var names []string
	for _, pair := range manifest.Features {
		if pair[0] == view {
			names = append(names, pair[1])
		}
	}
	return names
}

func (view view) rules() online.View {
	reference := fmt.Sprintf("%s@%d", view.Name, view.Version)
	return online.View{Reference: reference, Table: view.Table, TTLUs: view.TTLUs, ScheduleUs: view.ScheduleUs}
}

func column(pairs [][2]string, place int) []string {
	names := make([]string, len(pairs))
	for each, pair := range pairs {
		names[each] = pair[place]
	}
	return names
}
