package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"granary/internal/access"
	"granary/internal/api"
	"granary/internal/audit"
	"granary/internal/auth"
	"granary/internal/config"
	"granary/internal/fault"
	"granary/internal/page"
)

// Admin is the administrator at the command line of the server's machine. It
// needs no token, only a database that the process can read and write. It is used
// by one goroutine, which must Close it.
type Admin struct {
	server server
	cfg    config.Config
	root   access.Actor // after Login
	api    http.Handler // acts as root; nil before Login
	cause  error        // of the last answer above 499
}

// OpenAdmin opens the database of the settings; a server may be running on it.
// It creates, migrates and starts nothing. An error says what to do.
func OpenAdmin(ctx context.Context, cfg config.Config, version string) (*Admin, error) {
	a := &Admin{cfg: cfg}
	var err error
	if a.server.db, err = attach(ctx, cfg); err != nil {
		return nil, explainLost(ctx, cfg, err)
	}
	a.server.furnish(cfg, version)
	a.server.api.ExternalURL = a.address()
	a.server.api.Note = func(_ context.Context, err error) { a.cause = err }
	return a, nil
}

// address is what links in answers begin with: the server's address, if the
// settings name it.
func (a *Admin) address() string {
	listen := a.cfg.Listen
	if host, port, err := net.SplitHostPort(listen); err == nil && host == "" {
		listen = net.JoinHostPort("::", port)
	}
	return reachable(a.cfg, listen)
}

// Close lets go of the database.
func (a *Admin) Close() error { return a.server.db.Close() }

// Login makes later requests act as root. It fails if there is no user root, or if
// root is blocked or no administrator.
func (a *Admin) Login(ctx context.Context) error {
	root, err := a.server.db.FindUser(ctx, rootName)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return fmt.Errorf("cannot read the %s: %w", a.cfg.Database, err)
	}
	if err != nil || root.Blocked || !root.Admin {
		return errors.New("there is no administrator root who is not blocked; granary admin reset-root makes one")
	}
	a.root = console(root)
	a.api = a.server.api.As(a.root)
	return nil
}

// console is a user as an actor at the command line.
func console(u auth.User) access.Actor {
	return access.Actor{
		Kind: access.User, UserID: u.ID, Username: u.Username, Name: u.Name, Admin: true, Console: true, Scopes: []access.Scope{access.ScopeAPI},
	}
}

// RoundTrip answers a request to the API, after Login, as a server would, with
// the same deeds and checks. There is no network in between.
func (a *Admin) RoundTrip(r *http.Request) (*http.Response, error) {
	asked := r.Clone(r.Context())
	if asked.Body == nil {
		asked.Body = http.NoBody
	}
	w := &answer{header: http.Header{}, status: http.StatusOK}
	a.cause = nil
	a.api.ServeHTTP(w, asked)
	return &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()), Request: r,
	}, nil
}

// Cause returns why the last answer was a 5xx, as the server would log it; nil if it
// was not.
func (a *Admin) Cause() error { return a.cause }

// answer gathers what a handler says.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *answer) Header() http.Header         { return w.header }
func (w *answer) WriteHeader(status int)      { w.status = status }
func (w *answer) Write(b []byte) (int, error) { return w.body.Write(b) }

// ResetRoot makes sure that root exists, is an administrator and not blocked. It revokes
// root's personal tokens, ends root's sessions, and makes a new token with the scope api,
// which it also writes to the file. If it fails, it can be called again.
func (a *Admin) ResetRoot(ctx context.Context) (secret, file string, err error) {
	secret, file = newRootToken(), filepath.Join(a.cfg.DataDir, tokenFile)
	if err := writeSecret(file, secret); err != nil {
		return "", "", fmt.Errorf("cannot write the token to %s: %w; nothing was changed; --data-dir must name the server's data directory", file, plain(err))
	}
	s := &a.server
	root, err := s.makeRoot(ctx, audit.Author{Credential: audit.CommandLine})
	if err != nil {
		return "", "", err
	}
	actor := console(root)
	if err := s.auth.MakeAdministrator(ctx, actor, root.ID); err != nil {
		return "", "", err
	}
	if _, err := s.auth.BlockUser(ctx, actor, root.ID, false); err != nil {
		return "", "", err
	}
	if err := s.revokeAll(ctx, actor); err != nil {
		return "", "", err
	}
	if err := s.auth.EndSessions(ctx, actor, root.ID); err != nil {
		return "", "", err
	}
	_, err = s.auth.NewPersonalToken(ctx, audit.By(actor), auth.PersonalToken{
		UserID: root.ID, Name: "root token", Scopes: []access.Scope{access.ScopeAPI},
	}, secret)
	return secret, file, err
}

// SignInLink makes a link that signs a user in on the pages, once, within an hour. ref is a
// user name or an id. Login comes before.
func (a *Admin) SignInLink(ctx context.Context, ref string) (link string, expires time.Time, err error) {
	if !a.cfg.Pages {
		return "", time.Time{}, errors.New("the pages are off (pages=false): a link would lead nowhere")
	}
	u, err := a.server.db.FindUser(ctx, ref)
	if fault.Is(err, fault.NotFound) {
		return "", time.Time{}, fmt.Errorf("there is no user %q", ref)
	}
	if err != nil {
		return "", time.Time{}, fmt.Errorf("cannot read the %s: %w", a.cfg.Database, err)
	}
	code, expires, err := a.server.auth.MakeSignInLink(ctx, a.root, u.ID)
	return a.address() + api.SignInPath + code, expires, err
}

// revokeAll revokes the actor's own personal tokens, a page at a time.
func (s *server) revokeAll(ctx context.Context, a access.Actor) error {
	const pageSize = 100
	for {
		living := auth.TokenFilter{UserID: a.UserID, Revoked: new(false)}
		found, err := s.auth.ListPersonalTokens(ctx, a, living, page.Request{Number: 1, Size: pageSize})
		if err != nil || len(found.Rows) == 0 {
			return err
		}
		for _, t := range found.Rows {
			if err := s.auth.RevokePersonalToken(ctx, a, t.ID); err != nil {
				return err
			}
		}
	}
}
