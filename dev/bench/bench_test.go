package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// The client against Go's own server: bodies of both kinds up, sized and
// chunked ones down, all on one connection.
func TestConn(t *testing.T) {
	blob := bytes.Repeat([]byte("granary "), 400<<10)
	var mu sync.Mutex
	got := map[string][sha256.Size]byte{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("PRIVATE-TOKEN") != "secret":
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == "PUT":
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			got[r.URL.Path] = sha256.Sum256(body)
			w.WriteHeader(http.StatusCreated)
		case r.URL.Path == "/chunked":
			_, _ = w.Write(blob[:100])
			w.(http.Flusher).Flush()
			_, _ = w.Write(blob[100:])
		case r.URL.Path == "/empty":
			w.WriteHeader(http.StatusNoContent)
		default:
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(blob))
		}
	}))
	defer srv.Close()
	c, err := dial(t.Context(), strings.TrimPrefix(srv.URL, "http://"), "secret")
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()

	h, err := newHead(filepath.Join(t.TempDir(), "head"), 3<<20)
	if err != nil {
		t.Fatal(err)
	}
	all := newBodies()
	for path, b := range map[string]body{"/a": all.large(h), "/b": all.large(h), "/c": all.small()} {
		if status, err := c.put(path, b); err != nil || status != 201 {
			t.Errorf("PUT %s: %d, %v", path, status, err)
		}
		for _, get := range []struct {
			path   string
			status int
			n      int
		}{{"/x", 200, len(blob)}, {"/chunked", 200, len(blob)}, {"/empty", 204, 0}} {
			if status, n, err := c.get(get.path); err != nil || status != get.status || n != int64(get.n) {
				t.Errorf("GET %s: %d, %d bytes, %v", get.path, status, n, err)
			}
		}
	}
	if len(got) != 3 || got["/a"] == got["/b"] {
		t.Error("contents repeat")
	}
}

func TestReadHeader(t *testing.T) {
	for _, c := range []struct {
		in   string
		want header
		ok   bool
	}{
		{"HTTP/1.1 201 Created\r\nContent-Length: 7\r\n\r\n", header{201, 7, false}, true},
		{"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\nX: a:b\r\n\r\n", header{200, -1, true}, true},
		{"HTTP/1.1 204\r\n\r\n", header{204, -1, false}, true},
		{"HTTP/1.1 abc\r\n\r\n", header{}, false},
		{"SSH-2.0\r\n\r\n", header{}, false},
		{"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", header{}, false},
		{"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", header{}, false},
		{"HTTP/1.1 200 OK\r\n", header{}, false},
	} {
		got, err := readHeader(bufio.NewReader(strings.NewReader(c.in)))
		if (err == nil) != c.ok || c.ok && got != c.want {
			t.Errorf("%q: got %+v, %v", c.in, got, err)
		}
	}
}

func TestParseProc(t *testing.T) {
	s, err := parseStat("42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 150 50 20 10 20 0 1 0 100 1 1")
	if err != nil || s.pid != 42 || s.parent != 7 || s.cpu != 2.3 {
		t.Errorf("stat: %+v, %v", s, err)
	}
	for _, bad := range []string{"", "42", "42 (a) S 7", "x (a) S 7 42 42 0 -1 1 1 2 3 4 150 50 20 10 20"} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("stat: %q passed", bad)
		}
	}
	if n := parsePeak("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"); n != 2<<20 {
		t.Errorf("peak: %d", n)
	}
	if n := parsePeak("Name:\tkthread\n"); n != 0 {
		t.Errorf("peak of none: %d", n)
	}
	if b := parseMachine("cpu  100 200 300 9999 9999 100 100 200 55 0\ncpu0 1\n"); b != 10 {
		t.Errorf("machine: %v", b)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{10, 1, 2, 3}, 2.5}} {
		if got := median(c.in); got != c.want {
			t.Errorf("%v: %v", c.in, got)
		}
	}
}

func TestPrintTable(t *testing.T) {
	small := func(ops int, cpu float64) sample { return sample{ops: ops, seconds: 2, cpu: cpu, memory: 20 << 20} }
	var out strings.Builder
	err := printTable(&out, "granary", []result{
		{name: "publish 4 KiB x 16", samples: [][]sample{{small(100, 0.01), small(300, 0.03), small(200, 0.02)},
			{small(200, 0), small(200, 0), small(200, 0)}}},
		{name: "publish 1 GiB x 1", large: true, samples: [][]sample{{{ops: 1, bytes: 1 << 30, seconds: 1, cpu: 1.5, errors: 2, others: 0.25}}, nil}},
	})
	want := `
scenario            granary    nginx  ratio (min..max)   CPU granary  CPU nginx  RSS granary  RSS nginx  errors  others  rounds
publish 4 KiB x 16  100/s      100/s  1.00 (0.50..1.50)  100 us       -          20 MiB       20 MiB     0       0%      3
publish 1 GiB x 1   1074 MB/s  -      -                  1.50 s/GiB   -          -            -          2       25%     1
`
	if got := "\n" + out.String(); err != nil || got != want {
		t.Errorf("%v, got:%s", err, got)
	}
}

func TestPrintParts(t *testing.T) {
	small := func(ops int, granary, own float64) sample {
		return sample{ops: ops, seconds: 2, memory: 20 << 20, busy: 0.5, parts: map[string]float64{"granary": granary, ownPart: own}}
	}
	large := sample{ops: 1, bytes: 1 << 30, seconds: 1, parts: map[string]float64{"S3": 2.5}, errors: 1, others: 0.25}
	results := []result{
		{name: "publish 4 KiB x 16", servers: []string{"embedded", "1 node"},
			samples: [][]sample{{small(400, 0.04, 0.02), small(200, 0.02, 0.01)}, {small(100, 0.01, 0), small(100, 0.01, 0)}}},
		{name: "publish 1 GiB x 1", large: true, servers: []string{"embedded", "1 node"}, samples: [][]sample{{large}, nil}},
	}
	var out strings.Builder
	err := printParts(&out, "cluster", "ratio", []string{"granary", "S3", ownPart}, results, func(r result, i int) string { return r.ratio(i, 0) })
	want := `
cluster                       rate       ratio              CPU granary  S3          bench  busy  RSS a node  errors  others  rounds
publish 4 KiB x 16  embedded  150/s      -                  100 us       -           50 us  50%   20 MiB      0       0%      2
                    1 node    50/s       0.38 (0.25..0.50)  100 us       -           -      50%   20 MiB      0       0%      2
publish 1 GiB x 1   embedded  1074 MB/s  -                  -            2.50 s/GiB  -      -     -           1       25%     1
                    1 node    -          -                  -            -           -      -     -           0       0%      0
`
	if got := out.String(); err != nil || got != want {
		t.Errorf("%v, got:%s", err, got)
	}
}

func TestPrintClients(t *testing.T) {
	results := []result{{name: "pull x", samples: [][]sample{{{ops: 2000, seconds: 1, memory: 30 << 20}}, {{ops: 200, seconds: 2}}, {{ops: 2000, seconds: 2}}}}}
	for before, want := range map[string]string{
		"":    "pull x  2000 files/s  100 files/s  20.00 (20.00..20.00)  30 MiB       1\n",
		"old": "pull x  2000 files/s  100 files/s  20.00 (20.00..20.00)  1000 files/s  2.00 (2.00..2.00)  30 MiB       1\n",
	} {
		var b strings.Builder
		if err := printClients(&b, options{before: before}.contenders(), results); err != nil || !strings.HasSuffix(b.String(), want) {
			t.Errorf("%v\n%s\nwant %s", err, b.String(), want)
		}
	}
}

// TestJudge: what takes more CPU than the budget fails, and what was not measured.
func TestJudge(t *testing.T) {
	took := func(cpu ...float64) (samples []sample) {
		for _, c := range cpu {
			samples = append(samples, sample{ops: 1000, seconds: 1, cpu: c})
		}
		return samples
	}
	for _, tt := range []struct {
		ours, before []sample
		says         string // "" passes
	}{
		{took(1.04, 1.2, 1), took(1, 1, 1), ""},
		{took(1.06, 1.2, 1), took(1, 1, 1), "publish takes 1.06 times the CPU of before, above the budget of +5 %"},
		{took(0.5), took(1), ""},
		{nil, nil, "publish: nothing was measured"},
	} {
		var out strings.Builder
		err := judge(&out, []result{{name: "publish", samples: [][]sample{tt.ours, tt.before}}}, 5)
		if (err == nil) != (tt.says == "") || err != nil && err.Error() != tt.says {
			t.Errorf("%v, want %q\n%s", err, tt.says, &out)
		}
	}
}

func TestSizes(t *testing.T) {
	for in, want := range map[string]int64{"4096": 4096, "4KiB": 4096, "64MiB": 64 << 20, "1GiB": 1 << 30} {
		if got, err := parseSize(in); err != nil || got != want {
			t.Errorf("%s: %d, %v", in, got, err)
		}
	}
	for _, bad := range []string{"", "GiB", "1GB", "-1MiB", "9999999999999GiB"} {
		if n, err := parseSize(bad); err == nil {
			t.Errorf("%q: %d", bad, n)
		}
	}
	for in, want := range map[int64]string{1 << 30: "1 GiB", 1536 << 20: "1536 MiB", 4096: "4 KiB", 1000: "1000 B"} {
		if got := sizeText(in); got != want {
			t.Errorf("%d: %s", in, got)
		}
	}
}

func TestLoggedAddress(t *testing.T) {
	for in, want := range map[string]string{
		"time=x msg=listening addr=127.0.0.1:0":                                          "",
		"listen 127.0.0.1:0\n{\"msg\":\"listening\",\"url\":\"http://127.0.0.1:41234\"}": "127.0.0.1:41234",
	} {
		if got := loggedAddress(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

// The order of the scenarios is part of what they measure.
func TestScenariosKeepSmallFilesToTheEnd(t *testing.T) {
	smallYet := false
	for _, s := range scenarios(16, 4) {
		if s.large && smallYet {
			t.Errorf("%s comes after small files", s.name(1<<30))
		}
		smallYet = smallYet || !s.large
	}
}
