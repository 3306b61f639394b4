package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestPushersMeet: two pushes of other bytes of one version, killed at any moment and run
// again, with --force or without. What becomes final is wholly one's, nobody sees a part,
// and a push that ends with 0 has published its own.
func TestPushersMeet(t *testing.T) {
	t.Parallel()
	p := &ciProject{t: t, url: startServer(t, "--naming=relaxed") + "/api/v4"}
	p.id = made(p.do("POST", "/projects", url.Values{"name": {"tools"}}, 201))
	dir := t.TempDir()
	granary := filepath.Join(dir, "granary")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", granary, "../cmd/granary").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // no secret
	finals, kills := 0, 0
	for round := range 8 {
		r := &pushRace{t: t, granary: granary, dir: filepath.Join(dir, fmt.Sprint(round)), project: p, version: fmt.Sprintf("1.%d.0", round)}
		r.files(rnd, round%2 == 0)
		for range 3 {
			kills += r.together(rnd)
			r.whole()
		}
		if r.final >= 0 {
			finals++
		}
	}
	if finals == 0 || kills == 0 {
		t.Errorf("%d of 8 versions became final, and %d pushes were killed: the test tries too little", finals, kills)
	}
}

// pushRace is one version that two want to publish.
type pushRace struct {
	t       *testing.T
	granary string
	dir     string
	project *ciProject
	version string

	mu    sync.Mutex
	final int // who has published, -1 for nobody yet
}

// files makes what the two want to publish; the first file may be equal.
func (r *pushRace) files(rnd *rand.Rand, equal bool) {
	r.final = -1
	for who := range 2 {
		sub := filepath.Join(r.dir, fmt.Sprint(who))
		if err := os.MkdirAll(sub, 0o755); err != nil {
			r.t.Fatal(err)
		}
		for i := range 6 {
			data := bytes.Repeat([]byte{byte('a' + who)}, 1+rnd.IntN(200_000))
			if i == 0 && equal {
				data = []byte("equal")
			}
			write(r.t, sub, fmt.Sprint(i), data)
		}
	}
}

// together runs both pushes once, and kills some. It returns how many it killed.
func (r *pushRace) together(rnd *rand.Rand) (kills int) {
	var both sync.WaitGroup
	var killed [2]bool
	for who := range 2 {
		args := []string{"push", "--quiet", r.project.id, "tool@" + r.version, filepath.Join(r.dir, fmt.Sprint(who))}
		if rnd.IntN(3) == 0 {
			args = append(args, "--force")
		}
		after := time.Duration(rnd.IntN(60)) * time.Millisecond
		kill := rnd.IntN(2) == 0
		cmd := exec.CommandContext(r.t.Context(), r.granary, args...)
		cmd.Env = []string{"HOME=" + r.dir, "NO_PROXY=*", "GRANARY_SERVER=" + r.project.url, "GRANARY_TOKEN=" + ciToken}
		both.Go(func() {
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				r.t.Error(err)
				return
			}
			if kill {
				timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // it may have ended
				defer timer.Stop()
			}
			err := cmd.Wait()
			killed[who] = r.ended(who, out.Bytes(), err)
		})
	}
	both.Wait()
	return len(slices.DeleteFunc(killed[:], func(k bool) bool { return !k }))
}

// ended judges the end of a push, and reports whether it was killed.
func (r *pushRace) ended(who int, out []byte, err error) (killed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	code := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		code = e.ExitCode()
	}
	switch {
	case code == -1:
		return true
	case code == 0 && (r.final < 0 || r.final == who):
		r.final = who
	case code == 0:
		r.t.Errorf("%s: both pushes say that they have published", r.version)
	case code != 3:
		r.t.Errorf("%s: exit code %d: %s", r.version, code, out)
	}
	return false
}

// whole checks that the version is not there, or is one's.
func (r *pushRace) whole() {
	resp := use(r.t, r.dir, "curl", "-sS", "-w", "\n%{http_code}", "-H", "PRIVATE-TOKEN: "+ciToken, r.project.url+"/projects/"+r.project.id+"/packages/generic/tool/"+r.version+"/@SHA256SUMS")
	text, status := resp[:len(resp)-4], resp[len(resp)-3:]
	if status == "404" {
		if r.final >= 0 {
			r.t.Errorf("%s: a push says that it has published, and nothing is there", r.version)
		}
		return
	}
	sums := map[int]string{}
	for who := range 2 {
		sums[who] = use(r.t, filepath.Join(r.dir, fmt.Sprint(who)), "sha256sum", "0", "1", "2", "3", "4", "5")
	}
	for _, who := range slices.Sorted(maps.Keys(sums)) {
		if sums[who] == text+"\n" || sums[who] == text {
			if r.final >= 0 && r.final != who {
				r.t.Errorf("%s: %d has published, and what is there is %d's", r.version, r.final, who)
			}
			r.final = who // a push that was killed may have been the one
			return
		}
	}
	r.t.Errorf("%s is a mixture, or not whole: %s %s", r.version, status, text)
}
