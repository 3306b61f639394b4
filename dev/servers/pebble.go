package servers

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Pebble is Let's Encrypt's ACME authority for tests. Its certificates are believed by
// nobody who does not know Root. Every domain is on loopback for it.
type Pebble struct {
	*Process
	Directory string // the address for ACME
	Authority string // PEM file of the certificate that Directory shows

	manage string
	names  net.Listener
}

// NewPebble prepares an authority that writes into dir only. It finds domains' servers at
// two ports of loopback: for the challenge tls-alpn-01, and for http-01.
func NewPebble(ctx context.Context, dir string, tlsPort, httpPort int) (*Pebble, error) {
	program, err := Built("pebble", "github.com/letsencrypt/pebble/v2")
	if err != nil {
		return nil, err
	}
	at, err := FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	manage, err := FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	cert, key, err := SelfSigned(dir, time.Now().AddDate(0, 1, 0), "127.0.0.1")
	if err != nil {
		return nil, err
	}
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": at, "managementListenAddress": manage, "certificate": cert, "privateKey": key,
		"httpPort": httpPort, "tlsPort": tlsPort, "keyAlgorithm": "ecdsa", "retryAfter": map[string]int{"authz": 1, "order": 1},
	}})
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return nil, err
	}
	names, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Pebble{Directory: "https://" + at + "/dir", Authority: cert, manage: "https://" + manage, names: names}
	p.Process = &Process{
		Name: "pebble", Log: filepath.Join(dir, "pebble.log"),
		Args: []string{program, "-config", file, "-dnsserver", names.Addr().String()},
		Env:  []string{"PEBBLE_VA_NOSLEEP=1"}, // else it waits up to 15 s before each challenge
		Ready: func(ctx context.Context) error {
			_, err := p.get(ctx, "/roots/0")
			return err
		},
	}
	go answerLoopback(names)
	return p, nil
}

// Root is the certificate, in PEM, of the authority that signs.
func (p *Pebble) Root(ctx context.Context) ([]byte, error) { return p.get(ctx, "/roots/0") }

// Stop ends the authority and its names.
func (p *Pebble) Stop() {
	_ = p.names.Close()
	p.Process.Stop()
}

func (p *Pebble) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.manage+path, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // it was started here
	}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return text, err
}

// answerLoopback is a name server for which every domain is 127.0.0.1. pebble asks over TCP.
func answerLoopback(names net.Listener) {
	for {
		c, err := names.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(5 * time.Second))
			_ = answerOne(c) // who asked asks again
		}()
	}
}

// answerOne takes a question and answers it; both have their length before them.
func answerOne(c net.Conn) error {
	var length [2]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		return err
	}
	query := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(c, query); err != nil {
		return err
	}
	answer, err := loopback(query)
	if err == nil {
		_, err = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)) //nolint:gosec // it is short
	}
	return err
}

func loopback(query []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return nil, err
	}
	if len(m.Questions) != 1 {
		return nil, fmt.Errorf("%d questions", len(m.Questions))
	}
	m.Response, m.Additionals = true, nil
	if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
		}}
	}
	return m.Pack()
}
