package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// movingTries is how often each program is tried in each of three ways.
func movingTries() int {
	if os.Getenv("GRANARY_TEST_VERSIONS") == "all" { // make proof-versions
		return 100
	}
	return 2
}

// fetcher is a program that downloads the address $1 into the file f.
type fetcher struct {
	name, fresh string
	again       string // continues; "" if it is not tried
	// axel asks twice, and cuts the file of the second answer at the length of the first
	// (findings/axel-cuts-what-grew.sh). No answer could prevent it but an error.
	cuts bool
}

func fetchers() []fetcher {
	const (
		curl  = `curl -q -sS -o f `
		wget  = `wget --no-config -nv -O f `
		aria2 = `aria2c --no-conf -q -x4 -s4 -k1M --auto-file-renaming=false -o f `
		lftp  = `set cmd:fail-exit yes; set http:use-propfind no; set net:max-retries 1; `
	)
	return []fetcher{
		{name: "curl -f", fresh: curl + `-f "$1"`, again: curl + `-f -C - "$1"`},
		{name: "curl", fresh: curl + `"$1"`, again: curl + `-C - "$1"`},
		{name: "wget", fresh: wget + `"$1"`, again: wget + `-c "$1"`},
		{name: "aria2c -x4", fresh: aria2 + `"$1"`, again: aria2 + `-c "$1"`},
		{name: "axel -n 4", fresh: `axel -q -n 4 -o f "$1"`, again: `axel -q -n 4 -o f "$1"`, cuts: true},
		{name: "lftp get", fresh: `lftp -c "` + lftp + `get '$1' -o f"`, again: `lftp -c "` + lftp + `get -c '$1' -o f"`},
		// Its -c keeps the length of the old version, and writes the new one over its beginning.
		{name: "lftp pget", fresh: `lftp -c "` + lftp + `pget -n 4 '$1' -o f"`},
	}
}

// start runs a command in a folder, in a process group of its own.
func (f fetcher) start(t *testing.T, dir, command, address string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	tool(t, strings.Fields(f.name)[0])
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "exec "+command, "sh", address)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "NO_PROXY=*", "no_proxy=*", "HOME="+dir)
	said := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, said
}

// run reports whether a command ended with 0, and what it said.
func (f fetcher) run(t *testing.T, dir, command, address string) (bool, string) {
	t.Helper()
	cmd, said := f.start(t, dir, command, address)
	err := cmd.Wait()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		t.Fatal(err)
	}
	return err == nil, said.String()
}

// mover moves the latest version of a name every 50 ms: first it publishes higher ones, and
// once there are 60, it yanks the highest, one by one, and brings them back.
type mover struct {
	t         *testing.T
	name      string // its address
	paced     string // the server, so slow that latest moves several times during a download
	published int
	latest    atomic.Int64
	moves     atomic.Int64
}

func (m *mover) move(ctx context.Context) {
	const most = 60
	every := time.NewTicker(50 * time.Millisecond)
	defer every.Stop()
	for down := false; ; m.moves.Add(1) {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		now := int(m.latest.Load())
		down = now == most-1 || down && now > 1
		switch {
		case m.published < most:
			m.publish()
		case down:
			m.call(http.MethodPatch, now, []byte("yanked=true"), http.StatusOK)
			m.latest.Add(-1)
		default:
			m.call(http.MethodPatch, now+1, []byte("yanked=false"), http.StatusOK)
			m.latest.Add(1)
		}
	}
}

func (m *mover) publish() {
	m.call(http.MethodPut, m.published, movingBody(m.published), http.StatusCreated)
	m.latest.Store(int64(m.published))
	m.published++
}

// call changes a version. It works on after the test's context is done.
func (m *mover) call(method string, n int, body []byte, want int) {
	address := m.name + "/1.0." + strconv.Itoa(n)
	if method == http.MethodPut {
		address += "/f"
	}
	req, err := http.NewRequest(method, address, bytes.NewReader(body))
	if err != nil {
		m.t.Error(err)
		return
	}
	req.Header.Set("Private-Token", ciToken)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		m.t.Error(err)
		return
	}
	resp.Body.Close()
	if resp.StatusCode != want {
		m.t.Errorf("%s %s: %s", method, address, resp.Status)
	}
}

// movingBody is the file of a version, which says so in each of its blocks of 32 bytes.
// Neighbours differ in size.
func movingBody(n int) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "this is a block of version %4d\n", n), 64<<10+n%2*2048)
}

// whole reports whether a file is that of one version, or also, with cuts, its first MiB
// and more.
func whole(content []byte, cuts bool) bool {
	var n int
	if _, err := fmt.Sscanf(string(content[:min(len(content), 32)]), "this is a block of version %d\n", &n); err != nil {
		return false
	}
	body := movingBody(n)
	return bytes.Equal(content, body) || cuts && len(content) > 1<<20 && bytes.HasPrefix(body, content)
}

// TestToolsAtAMovingLatest: other people's programs at a latest that moves every 50 ms get
// the whole file of one version. If they continue with a part of another version, they end
// with an error and leave the part as it is, or also get one whole file.
func TestToolsAtAMovingLatest(t *testing.T) {
	t.Parallel()
	p := &ciProject{t: t, url: startServer(t) + "/api/v4"}
	id := made(p.do("POST", "/projects", url.Values{"name": {"moving"}, "visibility": {"public"}}, 201))
	m := &mover{t: t, name: p.url + "/projects/" + id + "/packages/generic/app"}
	m.paced = paced(t, host(t, p.url))
	for range 3 {
		m.publish()
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { m.move(ctx); close(ended) }()
	defer func() { stop(); <-ended }()
	t.Run("of", func(t *testing.T) {
		for i, f := range fetchers() {
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				m.tries(t, f, rand.New(rand.NewPCG(15, uint64(i))))
			})
		}
	})
}

// tries tries a program afresh, with the part of an old version, and with what a killed
// run left.
func (m *mover) tries(t *testing.T, f fetcher, random *rand.Rand) {
	address := strings.Replace(m.name, host(t, m.name), host(t, m.paced), 1) + "/latest/f"
	var tried, moved, restarted, refused int
	for ; tried < movingTries(); tried++ {
		dir, before := t.TempDir(), m.moves.Load()
		ok, said := f.run(t, dir, f.fresh, address)
		if got, err := os.ReadFile(filepath.Join(dir, "f")); !ok || err != nil || !whole(got, f.cuts) {
			t.Fatalf("afresh: exit 0 %v, %d bytes, %v\n%s", ok, len(got), err, said)
		}
		if m.moves.Load() > before {
			moved++
		}
		if f.again == "" {
			continue
		}
		for _, leave := range []func(dir string){
			func(dir string) {
				old := movingBody(random.IntN(int(m.latest.Load())))
				write(t, dir, "f", old[:1+random.IntN(len(old))])
			},
			func(dir string) {
				cmd, _ := f.start(t, dir, f.fresh, address)
				time.Sleep(time.Duration(60+random.IntN(240)) * time.Millisecond)
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) // aria2c and axel write down what they have
				_ = cmd.Wait()
			},
		} {
			dir := t.TempDir()
			leave(dir)
			if _, err := os.Stat(filepath.Join(dir, "f")); err != nil { // it was killed too early
				continue
			}
			if m.again(t, f, dir, address) {
				restarted++
			} else {
				refused++
			}
		}
	}
	t.Logf("%s: latest moved during %d of %d fresh downloads; with a part %d ended with an error, %d got a whole file",
		f.name, moved, tried, refused, restarted)
	if moved == 0 || refused == 0 && f.again != "" {
		t.Error("this tests nothing")
	}
}

// again continues a download, once latest is another version, and reports whether it got
// the whole file of one.
func (m *mover) again(t *testing.T, f fetcher, dir, address string) bool {
	t.Helper()
	path := filepath.Join(dir, "f")
	part, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for before := m.moves.Load(); m.moves.Load() == before && !t.Failed(); {
		time.Sleep(5 * time.Millisecond)
	}
	ok, said := f.run(t, dir, f.again, address)
	got, err := os.ReadFile(path)
	switch {
	case err != nil:
		t.Fatal(err)
	case ok && !whole(got, f.cuts):
		t.Fatalf("exit 0, and %d bytes that are no version's file, after a part of %d bytes\n%s", len(got), len(part), said)
	case !ok && !bytes.Equal(got, part):
		t.Fatalf("an error, and %d bytes in place of the part of %d\n%s", len(got), len(part), said)
	}
	return ok
}
