package ui

import "testing"

func TestDefaultFile(t *testing.T) {
	for _, tc := range []struct {
		files []choice
		want  int
	}{
		{nil, -1},
		{[]choice{{"a", 0}}, 0},
		{[]choice{{"a", 1}, {"b", 3}, {"c", 3}}, 1},
		{[]choice{{"sonde.iso", 9}, {"sonde_2.4.1_darwin_amd64.tar.gz", 2}, {"sonde_2.4.1_linux_amd64.tar.gz", 1}}, 2},
		{[]choice{{"tool-x86_64-unknown-linux-musl.tar.xz", 1}, {"big", 9}}, 0},
		{[]choice{{"tool-linux-x64.zip", 1}, {"big", 9}}, 0},
		{[]choice{{"tool-linux64.tgz", 1}, {"big", 9}}, 0},
		{[]choice{{"linux/amd64/tool.tar.zst", 1}, {"big", 9}}, 0},
		{[]choice{{"tool_linux_amd64.tar.gz.sig", 1}, {"big", 9}}, 1},     // no archive
		{[]choice{{"tool_linux_arm64.tar.gz", 1}, {"big", 9}}, 1},         // another processor
		{[]choice{{"linuxish_amd64x.tar.gz", 1}, {"big", 9}}, 1},          // other words
		{[]choice{{".tar.gz", 1}, {"linux/amd64/.tar.gz", 2}}, 1},         // only an ending
		{[]choice{{"a_linux_amd64.zip", 1}, {"b_linux_amd64.zip", 2}}, 0}, // the first
	} {
		if got := defaultFile(tc.files); got != tc.want {
			t.Errorf("%v: %d, want %d", tc.files, got, tc.want)
		}
	}
}
