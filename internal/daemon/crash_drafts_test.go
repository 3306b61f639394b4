package daemon

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// stagedName is the package of all drafts. No path is put twice.
const stagedName = "staged"

// staged is a version that clients stage and make final, and what they know of it.
type staged struct {
	version  string
	sent     map[string]string // the digests of all files that were sent, by path
	taken    map[string]bool   // answered with 201
	asked    bool              // a finalise was sent
	final    bool              // one was answered, or the version was seen to be final
	manifest string            // of the final version
}

func (v *staged) path() string { return stagedName + "/" + v.version }

// draftLedger is the book of drafts of the one client that stages.
type draftLedger struct{ drafts []*staged }

// stage puts some files into a new draft.
func (k *killedServer) stage(rng *rand.Rand) *staged {
	v := &staged{version: fmt.Sprint("1.0.", len(k.drafts)), sent: map[string]string{}, taken: map[string]bool{}}
	k.drafts = append(k.drafts, v)
	for i := range 1 + rng.IntN(4) {
		file, body := fmt.Sprint("file", i), make([]byte, size(rng))
		seed := [32]byte{byte(rng.Uint64()), byte(rng.Uint64()), byte(rng.Uint64()), byte(rng.Uint64()), byte(rng.Uint64())}
		_, _ = rand.NewChaCha8(seed).Read(body) // never fails
		v.sent[file] = digestOf(body)
		switch status, _, text := k.request(http.MethodPut, v.path()+"/"+file+"?status=draft", strings.NewReader(string(body))); status {
		case http.StatusCreated:
			v.taken[file] = true
		case 0: // no answer
			return v
		default:
			k.wrong("PUT %s/%s?status=draft: %d %s", v.path(), file, status, text)
		}
	}
	return v
}

// finalise makes a version final that nobody else works at.
func (k *killedServer) finalise(v *staged, want int) {
	v.asked = true
	switch status, _, text := k.request(http.MethodPost, v.path(), nil); status {
	case want:
		v.final = true
	case 0: // no answer
	default:
		k.wrong("POST %s: %d %s, want %d", v.path(), status, text, want)
	}
}

// armed is the file that has the server count its commits.
func (k *killedServer) armed() string { return filepath.Dir(k.dir) + "/armed" }

// finaliseAll stages drafts, and then lets nothing be committed but finalises, of which
// one kills the server.
func (k *killedServer) finaliseAll(p plan) {
	rng := rand.New(rand.NewPCG(k.rng.Uint64(), k.rng.Uint64()))
	var drafts []*staged
	for range crashClients {
		drafts = append(drafts, k.stage(rng))
	}
	if err := os.WriteFile(k.armed(), nil, 0o600); err != nil {
		k.wrong("%v", err)
	}
	for _, v := range drafts {
		if k.alive() {
			k.finalise(v, http.StatusCreated)
		}
	}
	for i := 0; k.alive() && i < p.nth; i++ { // it should be dead
		time.Sleep(time.Second)
	}
}

// inspectDrafts reads what is not known to be final, or all, while nobody publishes, and
// makes it final.
func (k *killedServer) inspectDrafts(all bool) {
	for _, v := range k.drafts {
		if (v.final && v.manifest != "" && !all) || !k.alive() {
			continue
		}
		final, files, ok := k.lookAt(v)
		if !ok {
			continue
		}
		for path := range v.taken {
			if files[path] != v.sent[path] {
				k.wrong("%s/%s was taken, and is %q, not %s", v.path(), path, files[path], v.sent[path])
			}
		}
		for path, digest := range files {
			if v.sent[path] != digest {
				k.wrong("%s/%s is %s, and nobody sent it", v.path(), path, digest)
			}
		}
		manifest := fmt.Sprint(files)
		switch {
		case final && !v.asked, !final && v.final:
			k.wrong("%s: final %v, asked for: %v, answered: %v", v.path(), final, v.asked, v.final)
		case final && v.manifest != "" && v.manifest != manifest:
			k.wrong("%s was %s, and is %s", v.path(), v.manifest, manifest)
		case final:
			k.finalise(v, http.StatusOK)
			v.final, v.manifest = true, manifest
		case len(files) > 0:
			for path := range maps.Keys(files) {
				v.taken[path] = true // it was seen
			}
			k.finalise(v, http.StatusCreated)
		}
	}
}

// lookAt is whether a version is final, and the digests of its files: those that it lists,
// each compared with the bytes that a GET brings. There are none if there is no version.
// It is not ok if an answer did not come.
func (k *killedServer) lookAt(v *staged) (final bool, files map[string]string, ok bool) {
	for _, query := range []string{"", "?status=draft"} {
		resp, text := k.send(http.MethodGet, v.path()+query, nil)
		if resp == nil {
			return false, nil, false
		}
		if resp.StatusCode == http.StatusNotFound {
			continue
		}
		var resource struct {
			Status  string
			FinalAt *string `json:"final_at"`
		}
		if err := json.Unmarshal(text, &resource); err != nil || (resource.Status == "draft") != (query != "") || (resource.FinalAt == nil) != (query != "") {
			k.wrong("%s%s: %s %s %v", v.path(), query, resp.Status, text, err)
		}
		files, ok = k.listed(v, query)
		return resource.FinalAt != nil, files, ok
	}
	return false, nil, true
}

func (k *killedServer) listed(v *staged, query string) (files map[string]string, ok bool) {
	resp, text := k.send(http.MethodGet, v.path()+"/@SHA256SUMS"+query, nil)
	if resp == nil {
		return nil, false
	}
	files = map[string]string{}
	for line := range strings.Lines(string(text)) {
		digest, path, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		files[path] = digest
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		switch status, digest, text := k.request(http.MethodGet, v.path()+"/"+path+query, nil); {
		case status == 0:
			return nil, false
		case digest != files[path]:
			k.wrong("GET %s/%s%s: %d %s %s, want %s", v.path(), path, query, status, digest, text, files[path])
		}
	}
	return files, true
}
