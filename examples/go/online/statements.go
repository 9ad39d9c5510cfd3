package online

import "strings"

// SelectOne reads the newest row of one entity up to a generation; bind key and generation.
func SelectOne(keyspace, table string, keys, features []string) string {
	return "SELECT gen, event_us, state" + columns(features) + source(keyspace, table, keys) + "= ? AND gen <= ? LIMIT 1"
}

// SelectMany reads the newest row of each of many entities; bind a list of keys and a generation, and switch paging off.
func SelectMany(keyspace, table string, keys, features []string) string {
	return "SELECT gen, event_us, state" + columns(append(append([]string{}, features...), KeyColumn(keys))) +
		source(keyspace, table, keys) + "IN ? AND gen <= ? PER PARTITION LIMIT 1"
}

func columns(names []string) string {
	var text strings.Builder
	for _, name := range names {
		text.WriteString(`, "` + name + `"`)
	}
	return text.String()
}

func source(keyspace, table string, keys []string) string {
	return ` FROM "` + keyspace + `"."` + table + `" WHERE "` + KeyColumn(keys) + `" `
}
