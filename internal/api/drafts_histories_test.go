package api_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

const (
	draftClients = 8
	draftDeeds   = 200              // of each client in a history
	draftVerdict = 30 * time.Second // until the checker gives up, which fails the test
)

// draftHistory is what clients did to one version at a time.
type draftHistory struct {
	rng   *rand.Rand
	began time.Time
	do    func(client int, version string, d draftDeed) draftOutcome
}

// run lets all clients work between barriers, and checks each stretch from the state
// that was seen at its beginning. A number that is reserved allows little more, so that
// half of the time the next stretch is on another version.
func (h *draftHistory) run(t *testing.T) {
	state, number := versionState{standing: noVersion}, 0
	for left := draftDeeds; left > 0 && !t.Failed(); {
		n := min(left, 10+h.rng.IntN(11))
		left -= n
		version := fmt.Sprint("1.0.", number)
		done := h.stretch(version, n)
		seen := h.timed(0, version, draftDeed{what: "look"})
		done = append(done, seen)
		verdict, how := porcupine.CheckOperationsVerbose(state.linearizable(), done, draftVerdict)
		if verdict != porcupine.Ok {
			t.Errorf("%s: %s, from %v on:\n%s", version, verdict, state, told(done, how))
		}
		state = seen.Output.(draftOutcome).seen
		if state.reserved != (listing{}) && h.rng.IntN(3) > 0 {
			state, number = versionState{standing: noVersion}, number+1
		}
	}
}

// stretch lets each client do n deeds, all clients at once.
func (h *draftHistory) stretch(version string, n int) []porcupine.Operation {
	var clients sync.WaitGroup
	done := make([][]porcupine.Operation, draftClients)
	in := mood{plain: h.rng.IntN(41), finalise: 1 + h.rng.IntN(12)}
	for client := range done {
		rng := rand.New(rand.NewPCG(h.rng.Uint64(), h.rng.Uint64()))
		clients.Go(func() {
			for range n {
				done[client] = append(done[client], h.timed(client, version, in.invent(rng)))
			}
		})
	}
	clients.Wait()
	return slices.Concat(done...)
}

func (h *draftHistory) timed(client int, version string, d draftDeed) porcupine.Operation {
	call := time.Since(h.began)
	o := h.do(client, version, d)
	return porcupine.Operation{ClientId: client, Input: d, Call: int64(call), Output: o, Return: int64(time.Since(h.began))}
}

// mood is what the clients like in a stretch, of a hundred deeds. Of 40 PUTs those that
// are not plain are into drafts.
type mood struct{ plain, finalise int }

// invent chooses a deed. Those that end a draft or a version are rarer than those that
// fill it.
func (m mood) invent(rng *rand.Rand) draftDeed {
	d := draftDeed{path: rng.IntN(len(paths()))}
	some := func() content { return content(1 + rng.IntN(len(contents())-1)) }
	switch p := rng.IntN(100); {
	case p < m.plain:
		d.what, d.content = "put", some()
	case p < 40:
		d.what, d.content = "draft put", some()
	case p < 40+m.finalise:
		d.what = "finalise"
	case p < 40+m.finalise+m.finalise/2:
		d.what, d.expect = "finalise", listing{some(), content(rng.IntN(len(contents())))}
	case p < 72:
		d.what = "draft get"
	case p < 86:
		d.what = "get"
	case p < 92:
		d.what = "delete"
	case p < 96:
		d.what = "discard"
	default:
		d.what = "expire"
	}
	return d
}

// told is a history to be read, in the order in which the deeds began. Those that are in
// no place of the longest order that the model allows are marked.
func told(history []porcupine.Operation, how porcupine.LinearizationInfo) string {
	fits := map[porcupine.Operation]bool{}
	for _, order := range how.PartialLinearizationsOperations()[0] {
		if len(order) > len(fits) {
			clear(fits)
			for _, o := range order {
				fits[o] = true
			}
		}
	}
	slices.SortFunc(history, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	var lines strings.Builder
	for _, o := range history {
		mark := "  "
		if !fits[o] {
			mark = "? "
		}
		fmt.Fprintf(&lines, "%s%9.3f to %9.3f ms, client %d: %v: %v\n", mark, float64(o.Call)/1e6, float64(o.Return)/1e6, o.ClientId, o.Input, o.Output)
	}
	return lines.String()
}
