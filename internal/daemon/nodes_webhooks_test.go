package daemon

import (
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"granary/internal/eventually"
	"granary/internal/metadb/metadbtest"
)

// inbox is a receiver that holds up what it is sent while it is shut, and knows
// what came from whom.
type inbox struct {
	mu      sync.Mutex
	open    chan struct{}  // closed while it is open
	now     map[string]int // by key: being delivered
	times   map[string]int // by key: came
	senders []string       // of each that came
	atOnce  []string       // keys that came while they were there
}

func (b *inbox) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // else nobody notices that a sender has gone
	key := r.Header.Get("Idempotency-Key")
	b.mu.Lock()
	if b.now[key]++; b.now[key] > 1 {
		b.atOnce = append(b.atOnce, key)
	}
	b.times[key]++
	b.senders = append(b.senders, r.Header.Get("X-Gitlab-Instance"))
	open := b.open
	b.mu.Unlock()
	select {
	case <-open:
	case <-r.Context().Done(): // whoever sent it is gone
	}
	b.mu.Lock()
	b.now[key]--
	b.mu.Unlock()
}

func (b *inbox) came() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.senders)
}

func (b *inbox) sender(n int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.senders[n]
}

// What several nodes have to tell is told by one of them at a time, and once
// where it arrives; what a node had in hand when it died is told by another,
// within seconds.
func TestDeliveriesOfManyNodes(t *testing.T) {
	t.Parallel()
	cluster, dir := metadbtest.NewServer(t), t.TempDir()
	environ := []string{"GRANARY_DATABASE=" + cluster.DSN("granary"), "GRANARY_ENCRYPTION_KEY=" + strings.Repeat("0a", 32)}
	nodes, urls := map[string]*process{}, []string{}
	for i := range 2 {
		p, url := startIn(t, environ, "--data-dir="+filepath.Join(dir, fmt.Sprint(i)), "--blobs=file:"+filepath.Join(dir, "blobs"), "--webhook-allow-networks=127.0.0.0/8")
		nodes[url], urls = p, append(urls, url)
	}
	box := &inbox{open: make(chan struct{}), now: map[string]int{}, times: map[string]int{}}
	receiver := httptest.NewServer(box)
	defer receiver.Close()
	resp, body := ask(t, "POST", urls[0]+"/api/v4/projects/root%2Fdemo/hooks?url="+receiver.URL, nil)
	if resp.StatusCode != http.StatusCreated {
		t.Fatal(resp.Status, body)
	}

	close(box.open)
	const many = 20
	for i := range many {
		if !put(t, urls[i%2], fmt.Sprintf("1.0.%d", i)) {
			t.Fatal("a publish failed")
		}
	}
	eventually.Holds(t, "all is told", func() bool { return box.came() == many })

	box.mu.Lock()
	box.open = make(chan struct{})
	box.mu.Unlock()
	if !put(t, urls[0], "2.0.0") {
		t.Fatal("a publish failed")
	}
	eventually.Holds(t, "one node begins to tell", func() bool { return box.came() == many+1 })
	dead := box.sender(many)
	nodes[dead].kill()
	close(box.open)
	eventually.Holds(t, "the other tells it", func() bool { return box.came() == many+2 })
	if by := box.sender(many + 1); by == dead || nodes[by] == nil {
		t.Errorf("%s told what %s had in hand", by, dead)
	}
	db, err := sql.Open("pgx", cluster.DSN("granary"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	eventually.Holds(t, "nothing waits any more", func() bool {
		waiting := -1
		if err := db.QueryRow(`SELECT COUNT(*) FROM hook_deliveries`).Scan(&waiting); err != nil {
			t.Error(err)
		}
		return waiting == 0
	})
	box.mu.Lock()
	defer box.mu.Unlock()
	twice := 0
	for _, n := range box.times {
		if n > 1 {
			twice++
		}
	}
	if len(box.atOnce) > 0 || len(box.times) != many+1 || twice != 1 {
		t.Errorf("%d told, %d of them twice, at once %q; want %d, 1 and none", len(box.times), twice, box.atOnce, many+1)
	}
}
