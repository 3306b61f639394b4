package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"granary/internal/client"
)

// shelf is a version of a package on a server, as push and copy find it there.
type shelf struct {
	client   *client.Client
	at       client.Coordinates     // without a path
	id       int64                  // of the package; 0 if no list shows it
	unlisted bool                   // no list shows its files, but each can be requested
	listed   map[string]client.File // its files, by path
}

// planned is one file that is to be on a shelf, as results show it.
type planned struct {
	Path      string `json:"path"`
	Size      int64  `json:"size"`
	SHA256    string `json:"sha256,omitempty"`
	Action    string `json:"action"`    // what is done: "upload" or "copy"; or "unchanged"; "refused" with dry-run; "missing" if a push ended early
	Confirmed bool   `json:"confirmed"` // the server returned the same digest

	fresh  bool // no file had the name when the plan was made
	beside bool // a file with other bytes has the name
	begun  bool // it was on its way
	sent   bool // and has arrived
}

// list reads what the version has.
func (s *shelf) list(ctx context.Context) error {
	if s.id == 0 {
		return nil
	}
	files, err := s.client.Files(ctx, s.at.Project, s.id)
	s.listed = map[string]client.File{}
	for _, f := range files {
		s.listed[f.Path] = f
	}
	return err
}

// decide sets the action of a file whose digest is sum's: f.Action is the action for a
// missing file, and stays or changes. Bytes that the server has lost are sent again.
func (s *shelf) decide(ctx context.Context, f *planned, force bool, sum func() (string, error)) (err error) {
	old, taken := s.listed[f.Path]
	lost := false
	if s.unlisted {
		if old, taken, lost, err = s.stat(ctx, f.Path); err != nil {
			return err
		}
	}
	if !taken {
		f.fresh = !lost
		return nil
	}
	if old.Size == f.Size && old.SHA256 != "" {
		if f.SHA256, err = sum(); err != nil {
			return err
		}
	}
	if old.Size != f.Size || old.SHA256 == "" || old.SHA256 != f.SHA256 {
		if f.beside = true; !force {
			f.Action = "refused"
		}
		return nil
	}
	if !s.unlisted { // what was just asked for has been given
		if lost, err := s.client.Lost(ctx, s.at.File(f.Path)); lost || err != nil {
			return err
		}
	}
	f.Action, f.Confirmed = "unchanged", true
	return nil
}

// stat asks for a file that no list shows. If the server refuses, the publish or
// checkNames will report its words.
func (s *shelf) stat(ctx context.Context, path string) (f client.File, taken, lost bool, err error) {
	f, err = s.client.Stat(ctx, s.at.File(path))
	if e, ok := errors.AsType[*client.Error](err); ok && e.Status == http.StatusInternalServerError {
		if lost, lostErr := s.client.Lost(ctx, s.at.File(path)); lost || lostErr != nil {
			return f, false, lost, lostErr
		}
	}
	switch client.KindOf(err) {
	case client.NotFound, client.Refused:
		return f, false, false, nil
	}
	return f, err == nil, false, err
}

// settle checks which files have arrived that were being sent when err ended the push:
// their answers may be lost. If err is not an answer of the server, settle asks
// nothing: the server may not be reachable.
func (s *shelf) settle(ctx context.Context, err error, n int, file func(i int) *planned) {
	if statusOf(err) == 0 {
		return
	}
	for i := range n {
		f := file(i)
		if !f.begun || f.sent || f.SHA256 == "" {
			continue
		}
		there, err := s.client.Stat(ctx, s.at.File(f.Path))
		same := there.SHA256 == f.SHA256 || there.SHA256 == "" && f.fresh // GitLab gives no digest here
		f.sent = err == nil && there.Size == f.Size && same
	}
}

// confirm gets the digests of n files whose answers had none: servers without
// select=package_file have them only in the package's list.
func (s *shelf) confirm(ctx context.Context, n int, file func(i int) *planned) error {
	var open []*planned
	for i := range n {
		if f := file(i); !f.Confirmed {
			open = append(open, f)
		}
	}
	if s.unlisted || len(open) == 0 {
		return nil
	}
	found, err := s.client.Packages(ctx, s.at.Project, s.at.Name, s.at.Version)
	if err != nil || len(found) == 0 {
		return err
	}
	s.id = found[len(found)-1].ID
	if err := s.list(ctx); err != nil {
		return err
	}
	for _, f := range open {
		switch got := s.listed[f.Path].SHA256; got {
		case "":
		case f.SHA256:
			f.Confirmed = true
		default:
			return fmt.Errorf("%s: the server has other bytes than were sent: SHA-256 %s, want %s", s.at.File(f.Path), got, f.SHA256)
		}
	}
	return nil
}
