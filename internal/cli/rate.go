package cli

import (
	"math"
	"strconv"
	"strings"
)

// parseRate reads bytes a second, with k, M or G for powers of 1024 as curl has them;
// "" is 0, no limit. flag is what a refusal calls it.
func parseRate(flag, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	number, unit := text, int64(1)
	if i := strings.IndexByte("kmg", strings.ToLower(text)[len(text)-1]); i >= 0 {
		number, unit = text[:len(text)-1], int64(1)<<(10*(i+1))
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/unit {
		return 0, usagef("%s is %q: want bytes a second, such as 500k or 2M", flag, text)
	}
	return n * unit, nil
}
