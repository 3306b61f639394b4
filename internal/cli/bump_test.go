package cli

import (
	"testing"
)

func TestNextVersion(t *testing.T) {
	for _, tt := range []struct{ from, bump, pre, want string }{
		{"1.4.9", "", "", "1.4.10"},
		{"1.4.9", "patch", "", "1.4.10"},
		{"1.4.9", "minor", "", "1.5.0"},
		{"1.4.9", "major", "", "2.0.0"},
		{"1.4.9+build.7", "", "", "1.4.10"},
		{"1.5.0-rc.2", "", "", "1.5.0"},
		{"1.5.0-rc.2", "minor", "", "1.5.0"},
		{"1.5.0-rc.2", "major", "", "2.0.0"},
		{"2.0.0-rc.2", "major", "", "2.0.0"},
		{"1.5.1-rc.2", "minor", "", "1.6.0"},
		{"1.4.0", "", "rc", "1.4.1-rc.1"},
		{"1.4.0", "minor", "rc", "1.5.0-rc.1"},
		{"1.5.0-rc.9", "", "rc", "1.5.0-rc.10"},
		{"1.5.0-rc.9", "minor", "rc", "1.5.0-rc.10"},
		{"1.5.0-rc.9", "major", "rc", "2.0.0-rc.1"},
		{"1.5.0-beta.3", "", "rc", "1.5.0-rc.1"},
		{"1.5.0-rc.1", "", "beta", ""}, // would go back
		{"1.4.0", "", "rc.1", ""},
		{"1.4.0", "", "1", ""},
	} {
		from, err := parseVersion(tt.from)
		if err != nil {
			t.Fatal(err)
		}
		got, err := nextVersion(from, tt.bump, tt.pre)
		if tt.want == "" {
			if err == nil {
				t.Errorf("%+v: %s, want an error", tt, got)
			}
			continue
		}
		if err != nil || got.String() != tt.want {
			t.Errorf("%+v: %v %v", tt, got, err)
		}
		if !follows(from, got) {
			t.Errorf("%s does not follow %s", got, from)
		}
	}
	for _, bad := range []string{"", "1", "1.4", "v1.4.0", "01.4.0", "two"} {
		if v, err := parseVersion(bad); err == nil {
			t.Errorf("%q is %s", bad, v)
		}
	}
	for _, tt := range [][2]string{{"1.4.0", "1.4.2"}, {"1.4.0", "1.4.0"}, {"1.4.1", "1.4.0"}, {"1.5.0", "1.4.1"}, {"1.4.0", "1.5.0-rc.2"}, {"1.4.0", "1.5.0-rc.1.1"}} {
		old, _ := parseVersion(tt[0])
		v, err := parseVersion(tt[1])
		if err != nil || follows(old, v) {
			t.Errorf("%s follows %s, %v", tt[1], tt[0], err)
		}
	}
}
