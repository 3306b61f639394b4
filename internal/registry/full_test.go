package registry_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"granary/internal/access"
	"granary/internal/blob/blobtest"
	"granary/internal/fault"
	"granary/internal/registry"
)

// While the space that is held back for deletions is in use, no file is accepted and
// no body is read. Existing files are served.
func TestFullTakesNoFiles(t *testing.T) {
	r := newRegistry(t)
	body := blobtest.Bytes(1, 5000)
	if err := r.publish(t.Context(), at("before"), body); err != nil {
		t.Fatal(err)
	}
	r.Full = func() bool { return true }
	unread := errors.New("the body was read")
	_, publish := r.Publish(t.Context(), r.admin, r.project, at("late"), failingReader{unread}, registry.PublishOptions{Length: -1})
	_, upload := r.Upload(t.Context(), r.admin, r.project, nil, func() (string, io.Reader, error) { return "f", failingReader{unread}, unread })
	for _, err := range []error{publish, upload} {
		if !fault.Is(err, fault.Unavailable) || errors.Is(err, unread) || !strings.Contains(err.Error(), "no space left on the server") {
			t.Errorf("%v", err)
		}
	}
	if got, err := r.read(t.Context(), at("before")); err != nil || len(got) != len(body) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, err := r.Publish(t.Context(), access.Actor{}, r.project, at("late"), nil, registry.PublishOptions{}); fault.Is(err, fault.Unavailable) {
		t.Error("a stranger is told of the disk")
	}
	r.Full = func() bool { return false }
	if err := r.publish(t.Context(), at("late"), body); err != nil {
		t.Error(err)
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }
