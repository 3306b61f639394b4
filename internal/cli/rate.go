package cli

import (
	"math"
	"strconv"
	"strings"
)

// parseRate reads bytes a second, with the units of curl, and with those that sizes have in
// the settings: powers of 1024 all of them. "" is 0, no limit. flag is what a refusal calls it.
func parseRate(flag, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	units := map[string]int64{
		"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
	}
	number := strings.TrimRight(text, "kmgtibKMGTIB")
	unit, known := units[strings.ToLower(text[len(number):])]
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || !known || n < 1 || n > math.MaxInt64/unit {
		return 0, usagef("%s is %q: want bytes a second, such as 500k, 2M or 20MiB", flag, text)
	}
	return n * unit, nil
}
