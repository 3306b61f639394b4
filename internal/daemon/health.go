package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"granary/internal/blob"
	"granary/internal/httpd"
)

// liveness says that the process answers.
func liveness(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, `{"status":"ok"}`)
}

// readiness says that requests can be served: the database takes writes, the blob
// store answers, and the disks here have room.
func (s *server) readiness(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	if err := s.db.Ping(ctx); err != nil {
		httpd.Note(ctx, err)
		reply(w, http.StatusServiceUnavailable, `{"status":"failed","message":"the database does not answer"}`)
		return
	}
	if _, err := s.blobs.Stat(ctx, blob.Digest{}); err != nil && !errors.Is(err, blob.ErrNotFound) {
		httpd.Note(ctx, err)
		reply(w, http.StatusServiceUnavailable, `{"status":"failed","message":"the blob store does not answer"}`)
		return
	}
	if err := s.space.full(); err != nil {
		httpd.Note(ctx, err)
		said, _ := json.Marshal(map[string]string{"status": "failed", "message": err.Error()}) // texts never fail
		reply(w, http.StatusServiceUnavailable, string(said))
		return
	}
	reply(w, http.StatusOK, `{"status":"ok"}`)
}

func reply(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a prober that left needs no answer
}
