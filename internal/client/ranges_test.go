package client_test

import (
	"errors"
	"strings"
	"testing"

	"granary/internal/client"
)

// A range with a typo is refused. It never becomes a wider one.
func TestMalformedRanges(t *testing.T) {
	there := []client.Package{{Version: "1.0.0"}, {Version: "1.4.2"}, {Version: "2.0.0"}, {Version: "3.0.0"}}
	for _, text := range []string{
		">=x", ">=X", ">=*", "<x", "!=*", "^", "~", ">=", "=", ">= ", ">=,", ">=1,<", "^x.1", "~*.*", "x", "X", "x.x", "*.*", "x.2.3", "*.1", "x - 2",
		"||", "1.x||", "||^1", "^1 || ", "^1||>=x", " ", ",", ">=1 <", ">=1 x", ">=1,*", "* *", "^1.2.3.4", "1.2.3.4 || 1", "1.x.3", "^1.", "^1..2", "^^3",
		">=a", "latest || 1", "1 | 2", "^1.2|", ">=1.0.0-", "=>", "<=>1", "><1", "~1x", "1|*", ">=1|*",
	} {
		_, err := client.Choose(there, text, false)
		if _, ok := errors.AsType[*client.RangeError](err); !ok {
			t.Errorf("Choose(%q) = %v", text, err)
		}
		if _, err = client.Highest(there, text, false); err == nil {
			t.Errorf("Highest(%q) found one", text)
		}
	}
	for text, want := range map[string]string{
		"*": "1.0.0 1.4.2 2.0.0 3.0.0", "1.x": "1.0.0 1.4.2", "1.X.x": "1.0.0 1.4.2", "1.4.*": "1.4.2", "^1.4": "1.4.2", "~1": "1.0.0 1.4.2",
		">=1.4 <3": "1.4.2 2.0.0", ">= 1.4, < 3": "1.4.2 2.0.0", "1.4 - 2.0.0": "1.4.2 2.0.0", "=1.0.0||>2": "1.0.0 3.0.0",
		"~0.0.0 || 3": "3.0.0", "~> v0.0.0, >=0": "", "~0.0.0-rc.1": "", "!=1.x": "2.0.0 3.0.0", "^v2": "2.0.0", "~>1.4": "1.4.2", "=>2": "2.0.0 3.0.0", ">=2.0.0-rc.1+b <3": "2.0.0", "<=1.x": "1.0.0 1.4.2",
	} {
		chosen, err := client.Choose(there, text, false)
		var got []string
		for _, p := range chosen {
			got = append(got, p.Version)
		}
		if err != nil && want == "" && client.KindOf(err) == client.NotFound {
			continue
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("Choose(%q) = %s, %v; want %s", text, got, err, want)
		}
	}
}
