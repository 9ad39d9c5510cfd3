package online

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// Decimal is an exact number: Unscaled × 10^-Scale. 1.50 and 1.5 are two values.
type Decimal struct {
	Unscaled *big.Int
	Scale    int32
}

// Decode reads the body of a cell: bool, int32, int64, float32, float64, string, []byte, time.Time (dates and
// timestamps), Decimal, or []any of them for arrays and vectors.
func Decode(dtype string, cell []byte) (any, error) {
	if element, ok := inside(dtype, "array"); ok {
		return decodeArray(element, cell)
	}
	if length, ok := inside(dtype, "vector"); ok {
		return decodeVector(length, cell)
	}
	if _, ok := inside(dtype, "decimal"); ok {
		return decodeDecimal(cell)
	}
	switch dtype {
	case "string":
		return string(cell), nil
	case "bytes":
		return append([]byte{}, cell...), nil
	}
	return decodeFixed(dtype, cell)
}

func decodeFixed(dtype string, cell []byte) (any, error) {
	size := map[string]int{
		"bool": 1, "int32": 4, "float32": 4, "date": 4, "int64": 8, "float64": 8, "timestamp": 8,
	}[dtype]
	if size == 0 || len(cell) != size {
		return nil, fmt.Errorf("%d bytes are no %s", len(cell), dtype)
	}
	switch dtype {
	case "bool":
		return cell[0] != 0, nil
	case "int32":
		return int32(binary.BigEndian.Uint32(cell)), nil
	case "float32":
		return math.Float32frombits(binary.BigEndian.Uint32(cell)), nil
	case "date":
		return time.Unix((int64(binary.BigEndian.Uint32(cell))-1<<31)*secondsOfDay, 0).UTC(), nil
	case "int64":
		return int64(binary.BigEndian.Uint64(cell)), nil
	case "float64":
		return math.Float64frombits(binary.BigEndian.Uint64(cell)), nil
	}
	return time.UnixMicro(int64(binary.BigEndian.Uint64(cell))).UTC(), nil
}

func decodeDecimal(cell []byte) (any, error) {
	if len(cell) < 5 {
		return nil, fmt.Errorf("%d bytes are no decimal", len(cell))
	}
	unscaled := new(big.Int).SetBytes(cell[4:])
	if cell[4] > 127 { // two's complement
		unscaled.Sub(unscaled, new(big.Int).Lsh(big.NewInt(1), uint(8*len(cell[4:]))))
	}
	return Decimal{unscaled, int32(binary.BigEndian.Uint32(cell))}, nil
}

func decodeVector(length string, cell []byte) (any, error) {
	count, err := strconv.Atoi(length)
	if err != nil || len(cell) != 4*count {
		return nil, fmt.Errorf("%d bytes are no vector of %s", len(cell), length)
	}
	values := make([]any, count)
	for place := range values {
		values[place] = math.Float32frombits(binary.BigEndian.Uint32(cell[4*place:]))
	}
	return values, nil
}

func decodeArray(element string, cell []byte) (any, error) {
	read := func() (int, error) {
		if len(cell) < 4 {
			return 0, fmt.Errorf("the array ends early")
		}
		number := int(int32(binary.BigEndian.Uint32(cell)))
		cell = cell[4:]
		if number < 0 || number > len(cell) {
			return 0, fmt.Errorf("the array has an impossible length %d", number)
		}
		return number, nil
	}
	count, err := read()
	if err != nil {
		return nil, err
	}
	values := make([]any, count)
	for place := range values {
		size, err := read()
		if err != nil {
			return nil, err
		}
		if values[place], err = Decode(element, cell[:size]); err != nil {
			return nil, err
		}
		cell = cell[size:]
	}
	return values, nil
}

// Spell writes a decoded value as the vectors do: floats by their bits, 64-bit integers and times as text.
func Spell(dtype string, value any) any {
	switch value := value.(type) {
	case []any:
		element, ok := inside(dtype, "array")
		if !ok {
			element = "float32"
		}
		spelled := make([]any, len(value))
		for place, each := range value {
			spelled[place] = Spell(element, each)
		}
		return spelled
	case int64:
		return strconv.FormatInt(value, 10)
	case float32:
		return fmt.Sprintf("%08x", math.Float32bits(value))
	case float64:
		return fmt.Sprintf("%016x", math.Float64bits(value))
	case []byte:
		return hex.EncodeToString(value)
	case time.Time:
		if dtype == "date" {
			return value.Format("2006-01-02")
		}
		return strconv.FormatInt(value.UnixMicro(), 10)
	case Decimal:
		return value.String()
	}
	return value
}

// String writes all digits, with exactly Scale of them behind the point.
func (decimal Decimal) String() string {
	digits, sign := new(big.Int).Abs(decimal.Unscaled).String(), ""
	if decimal.Unscaled.Sign() < 0 {
		sign = "-"
	}
	scale := int(decimal.Scale)
	if scale == 0 {
		return sign + digits
	}
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}
