// Package online reads the values of a skewless project: keys, values, statuses and the timeline, as
// docs/contract/online.md writes them down. It needs nothing but the standard library.
package online

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// CQLType names the column type that holds one of our types.
func CQLType(dtype string) (string, error) {
	if element, ok := inside(dtype, "array"); ok {
		name, err := CQLType(element)
		return "frozen<list<" + name + ">>", err
	}
	if length, ok := inside(dtype, "vector"); ok {
		return "vector<float, " + length + ">", nil
	}
	if _, ok := inside(dtype, "decimal"); ok {
		return "decimal", nil
	}
	name, ok := map[string]string{
		"bool": "boolean", "int32": "int", "int64": "bigint", "float32": "float", "float64": "double",
		"string": "text", "bytes": "blob", "date": "date", "timestamp": "bigint",
	}[dtype]
	if !ok {
		return "", fmt.Errorf("%q is none of the types", dtype)
	}
	return name, nil
}

func inside(dtype, name string) (string, bool) {
	if strings.HasPrefix(dtype, name+"<") && strings.HasSuffix(dtype, ">") {
		return dtype[len(name)+1 : len(dtype)-1], true
	}
	return "", false
}

// IsWrapped tells whether the partition key is a tuple: several parts, or one that may be empty.
func IsWrapped(types []string) bool {
	return len(types) > 1 || types[0] == "string" || types[0] == "bytes"
}

// KeyType names the type of the partition key's column.
func KeyType(types []string) (string, error) {
	names := make([]string, len(types))
	for place, dtype := range types {
		name, err := CQLType(dtype)
		if err != nil {
			return "", err
		}
		names[place] = name
	}
	if !IsWrapped(types) {
		return names[0], nil
	}
	return "frozen<tuple<" + strings.Join(names, ", ") + ">>", nil
}

// KeyColumn names the column of the partition key.
func KeyColumn(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return "k"
}

// PartitionKey gives the bytes that Cassandra hashes. Parts are bool, int32, int64, string, []byte and time.Time (date).
func PartitionKey(types []string, parts []any) ([]byte, error) {
	if len(types) != len(parts) {
		return nil, fmt.Errorf("%d parts for a key of %d", len(parts), len(types))
	}
	var key []byte
	for place, dtype := range types {
		part, err := partBytes(dtype, parts[place])
		if err != nil {
			return nil, err
		}
		if IsWrapped(types) {
			key = binary.BigEndian.AppendUint32(key, uint32(len(part)))
		}
		key = append(key, part...)
	}
	return key, nil
}

func partBytes(dtype string, part any) ([]byte, error) {
	switch value := part.(type) {
	case bool:
		if value {
			return []byte{1}, nil
		}
		return []byte{0}, nil
	case int32:
		return binary.BigEndian.AppendUint32(nil, uint32(value)), nil
	case int64:
		return binary.BigEndian.AppendUint64(nil, uint64(value)), nil
	case string:
		return []byte(value), nil
	case []byte:
		return value, nil
	case time.Time:
		return binary.BigEndian.AppendUint32(nil, uint32(value.Unix()/secondsOfDay+1<<31)), nil
	}
	return nil, fmt.Errorf("%T is no part of a key of type %s", part, dtype)
}

const secondsOfDay = 86_400

// Literal writes a partition key as CQL text, for a person at a prompt; programs bind it instead.
func Literal(types []string, parts []any) string {
	texts := make([]string, len(parts))
	for place, part := range parts {
		switch value := part.(type) {
		case string:
			texts[place] = "'" + strings.ReplaceAll(value, "'", "''") + "'"
		case []byte:
			texts[place] = "0x" + hex.EncodeToString(value)
		case time.Time:
			texts[place] = value.Format("'2006-01-02'")
		default:
			texts[place] = fmt.Sprint(value)
		}
	}
	if !IsWrapped(types) {
		return texts[0]
	}
	return "(" + strings.Join(texts, ", ") + ")"
}

const c1, c2 = 0x87c37b91114253d5, 0x4cf5ad432745937f

// Token is Cassandra's Murmur3 token of a partition key; most drivers work it out themselves.
func Token(key []byte) int64 {
	var h1, h2 uint64
	rest := key
	for ; len(rest) >= 16; rest = rest[16:] {
		h1 = (bits.RotateLeft64(h1^first(binary.LittleEndian.Uint64(rest)), 27)+h2)*5 + 0x52dce729
		h2 = (bits.RotateLeft64(h2^second(binary.LittleEndian.Uint64(rest[8:])), 31)+h1)*5 + 0x38495ab5
	}
	h2 ^= second(tail(rest[min(8, len(rest)):]))
	h1 ^= first(tail(rest[:min(8, len(rest))]))
	h1, h2 = h1^uint64(len(key)), h2^uint64(len(key))
	h1 += h2
	h2 += h1
	token := int64(mixed(h1) + mixed(h2))
	if token == -1<<63 {
		return 1<<63 - 1
	}
	return token
}

// Bytes of the tail count as signed, so a negative one flips every bit above it.
func tail(rest []byte) (number uint64) {
	for place, each := range rest {
		number ^= uint64(int64(int8(each))) << (8 * place)
	}
	return number
}

func first(k uint64) uint64  { return bits.RotateLeft64(k*c1, 31) * c2 }
func second(k uint64) uint64 { return bits.RotateLeft64(k*c2, 33) * c1 }

func mixed(number uint64) uint64 {
	number = (number ^ number>>33) * 0xff51afd7ed558ccd
	number = (number ^ number>>33) * 0xc4ceb9fe1a85ec53
	return number ^ number>>33
}
