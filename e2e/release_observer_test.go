package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// observer looks at a package all the time, in every way in which somebody may find a
// version, while a tool publishes it. Version 1.3.0 is there before, with the same names
// of files. One look comes after the other: what one has seen of 1.4.0, none after it may
// miss.
type observer struct {
	token    string
	packages string // the address of the project's packages
	files    map[string][]byte

	end, ended chan struct{}
	rounds     chan struct{} // one for each round that nobody waited for yet
	looks      int
	seen       string   // how 1.4.0 was seen first
	parts      []string // what was missing after that
}

// observe begins to look, and ends with the test at the latest.
func observe(t *testing.T, project string, files map[string][]byte) *observer {
	t.Helper()
	o := &observer{
		token: ciToken, packages: project + "/packages", files: files,
		end: make(chan struct{}), ended: make(chan struct{}), rounds: make(chan struct{}, 1),
	}
	go func() {
		defer close(o.ended)
		for {
			select {
			case <-o.end:
				return
			case <-t.Context().Done():
				return
			default:
				o.round()
				select {
				case o.rounds <- struct{}{}:
				default:
				}
			}
		}
	}()
	return o
}

// next waits until a whole round has been made since the call.
func (o *observer) next() {
	for range 3 { // one from before, one that had begun
		<-o.rounds
	}
}

// stop ends the looking after one more round, and returns what it missed.
func (o *observer) stop() (parts []string) {
	close(o.end)
	<-o.ended
	o.round()
	return o.parts
}

// round looks once in every way.
func (o *observer) round() {
	generic := o.packages + "/generic/tool/"
	for name, body := range o.files {
		status, got := o.get(generic + "1.4.0/" + name)
		o.note("file "+name, status == http.StatusOK && bytes.Equal(got, body))
		status, got = o.get(generic + "latest/" + name)
		o.note("latest "+name, status == http.StatusOK && bytes.Equal(got, body))
	}
	status, _ := o.get(generic + "1.4.0")
	o.note("the version", status == http.StatusOK)
	_, got := o.get(generic + "latest")
	o.note("latest", strings.Contains(string(got), `"version":"1.4.0"`))
	_, sums := o.get(generic + "1.4.0/@SHA256SUMS")
	o.note("the list of digests", bytes.Count(sums, []byte("\n")) == len(o.files))
	o.lists()
}

func (o *observer) lists() {
	var listed []struct {
		ID      int
		Version string
	}
	_, got := o.get(o.packages + "?package_name=tool")
	_ = json.Unmarshal(got, &listed) // an answer that is no list has none
	id := 0
	for _, p := range listed {
		if p.Version == "1.4.0" {
			id = p.ID
		}
	}
	o.note("the list of packages", id != 0)
	if id == 0 {
		return
	}
	var files []struct {
		Name string `json:"file_name"`
	}
	_, got = o.get(fmt.Sprint(o.packages, "/", id, "/package_files?per_page=100"))
	_ = json.Unmarshal(got, &files) // the same
	o.note("the list of files", len(files) == len(o.files))
}

// note notes that a look has found 1.4.0, or all of it, or has not.
func (o *observer) note(look string, found bool) {
	o.looks++
	switch {
	case found && o.seen == "":
		o.seen = look
	case !found && o.seen != "" && !slices.Contains(o.parts, look):
		o.parts = append(o.parts, look)
	}
}

// get returns no status for an answer that did not come, such as at the test's end.
func (o *observer) get(address string) (status int, body []byte) {
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return 0, nil
	}
	req.Header.Set("Private-Token", o.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	body, _ = io.ReadAll(resp.Body)
	return resp.StatusCode, body
}
