package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"granary/internal/blob"
	"granary/internal/fault"
	"granary/internal/httpd"
	"granary/internal/sqldb"
)

// liveness says that the process answers.
func liveness(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, `{"status":"ok"}`)
}

// readiness says that requests can be served: the disks here have room, the
// database takes writes, and the blob store answers. The disks come first: of what
// they hold nothing answers either while they hang.
func (s *server) readiness(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), lookLimit)
	defer cancel()
	message, err := s.notReady(ctx)
	if err == nil {
		reply(w, http.StatusOK, `{"status":"ok"}`)
		return
	}
	httpd.Note(ctx, err)
	said, _ := json.Marshal(struct { // texts never fail
		Status  string `json:"status"`
		Message string `json:"message"`
	}{"failed", message})
	reply(w, http.StatusServiceUnavailable, string(said))
}

// ready is 1 if the server is, else 0.
func (s *server) ready() float64 {
	ctx, cancel := context.WithTimeout(context.Background(), lookLimit)
	defer cancel()
	if _, err := s.notReady(ctx); err != nil {
		return 0
	}
	return 1
}

// notReady returns why requests cannot be served: a message that anybody may read,
// and the cause.
func (s *server) notReady(ctx context.Context) (message string, err error) {
	if err := s.space.full(ctx); err != nil {
		return err.Error(), err
	}
	if err := s.looks.database.ask(ctx, s.db.Ping); err != nil {
		if e, ok := errors.AsType[*fault.Error](err); ok && (errors.Is(err, sqldb.ErrReplaced) || errors.Is(err, sqldb.ErrEmptied)) {
			return e.Msg, err
		}
		return "the database does not answer", err
	}
	if err := s.looks.blobs.ask(ctx, s.findNothing); err != nil {
		return "the blob store does not answer", err
	}
	return "", nil
}

// findNothing asks the blob store for a blob that it cannot have.
func (s *server) findNothing(ctx context.Context) error {
	_, err := s.blobs.Stat(ctx, blob.Digest{})
	if errors.Is(err, blob.ErrNotFound) {
		return nil
	}
	return err
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a prober that left needs no answer
}
