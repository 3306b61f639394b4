package certs

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

const (
	checkEvery = time.Hour       // whether each certificate is there, and new enough
	firstRetry = 5 * time.Minute // after a failure, twice as long after each more; authorities count failures
)

// ACMEOptions says whose certificates an ACME gets, and where from.
type ACMEOptions struct {
	Domains   []string // lower case; no others get a certificate
	Directory string   // the authority's address
	Email     string   // that the authority may write to; "" for none
	Cache     string   // a directory for keys and certificates, made when there is something to keep
	Log       *slog.Logger
}

// ACME gets certificates from an authority, and renews them when a third of their time
// is left. It agrees to the authority's terms of service. Make one with NewACME; it is
// safe for concurrent use.
//
// Only Keep asks the authority: handshakes wait for its first attempt, and use what is
// there.
type ACME struct {
	manager *autocert.Manager
	domains []string
	log     *slog.Logger
	tried   map[string]chan struct{} // closed after the first attempt of a domain

	mu      sync.Mutex
	expires map[string]time.Time // of the certificates that are there
}

// NewACME asks nobody and makes nothing.
func NewACME(o ACMEOptions) *ACME {
	a := &ACME{
		manager: &autocert.Manager{
			Prompt:     autocert.AcceptTOS,
			Cache:      autocert.DirCache(o.Cache),
			HostPolicy: autocert.HostWhitelist(o.Domains...),
			Email:      o.Email,
			Client:     &acme.Client{DirectoryURL: o.Directory, UserAgent: "granary"},
		},
		domains: o.Domains, log: o.Log, tried: map[string]chan struct{}{}, expires: map[string]time.Time{},
	}
	for _, d := range o.Domains {
		a.tried[d] = make(chan struct{})
	}
	return a
}

// Protocol is what the authority asks for in the handshake of its challenge tls-alpn-01.
func (a *ACME) Protocol() string { return acme.ALPNProto }

// Challenge answers the challenge http-01, on port 80, and leaves all else to next. From
// then on, that challenge is tried after the other.
func (a *ACME) Challenge(next http.Handler) http.Handler {
	challenge := a.manager.HTTPHandler(http.NotFoundHandler())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/.well-known/acme-challenge/") {
			next.ServeHTTP(w, r)
			return
		}
		if name, _, err := net.SplitHostPort(r.Host); err == nil { // autocert compares all of it
			r = r.Clone(r.Context())
			r.Host = name
		}
		challenge.ServeHTTP(w, r)
	})
}

// GetCertificate is for tls.Config. A client that names no server gets the certificate
// of the first domain.
func (a *ACME) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) { // the authority's challenge
		return a.manager.GetCertificate(hello)
	}
	name := strings.TrimSuffix(strings.ToLower(hello.ServerName), ".")
	if name == "" {
		name = a.domains[0]
	}
	tried, ours := a.tried[name]
	if !ours {
		return nil, fmt.Errorf("%q is none of the domains of acme", name)
	}
	select {
	case <-tried:
	case <-hello.Context().Done():
		return nil, hello.Context().Err()
	}
	a.mu.Lock()
	_, there := a.expires[name]
	a.mu.Unlock()
	if !there {
		return nil, fmt.Errorf("there is no certificate for %s yet", name)
	}
	return a.get(name)
}

// Expires is when each certificate expires, by its domain. What is not there is not in
// it.
func (a *ACME) Expires() map[string]time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make(map[string]time.Time, len(a.expires))
	for d, at := range a.expires {
		all[d] = at
	}
	return all
}

// Keep gets the certificates that are not there, and tells of those that are not
// renewed, until ctx is done. The authority's challenges must be answered meanwhile.
func (a *ACME) Keep(ctx context.Context) {
	var all sync.WaitGroup
	for _, d := range a.domains {
		all.Go(func() { a.keep(ctx, d) })
	}
	all.Wait()
}

func (a *ACME) keep(ctx context.Context, domain string) {
	first := sync.OnceFunc(func() { close(a.tried[domain]) })
	retry := firstRetry
	for {
		wait := checkEvery
		if err := a.check(domain); err != nil {
			wait, retry = retry, min(2*retry, checkEvery)
			a.log.Error("cannot get a certificate from the ACME authority", "domain", domain, "directory", a.manager.Client.DirectoryURL, "error", err, "again_in", wait)
		} else {
			retry = firstRetry
		}
		first()
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// check gets a certificate from memory, the cache or the authority.
func (a *ACME) check(domain string) error {
	cert, err := a.get(domain)
	if err != nil {
		return err
	}
	expires := cert.Leaf.NotAfter
	a.mu.Lock()
	before, had := a.expires[domain]
	a.expires[domain] = expires
	a.mu.Unlock()
	if left, life := time.Until(expires), expires.Sub(cert.Leaf.NotBefore); left < life/6 {
		a.log.Error("the certificate expires soon and the ACME authority has not renewed it", "domain", domain, "expires", expires)
	}
	if !had || !before.Equal(expires) {
		a.log.Info("a certificate is in use", "domain", domain, "expires", expires)
	}
	return nil
}

// get asks for a certificate with a key for ECDSA, which every client of TLS 1.2 knows:
// by what a client says of itself autocert would get a second one, with RSA, for clients
// that speak TLS 1.3 alone.
func (a *ACME) get(domain string) (*tls.Certificate, error) {
	return a.manager.GetCertificate(&tls.ClientHelloInfo{
		ServerName: domain, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	})
}
