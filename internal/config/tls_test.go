package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What only shows when settings of TLS meet.
func TestTLSTogether(t *testing.T) {
	const plain = "http-redirect-listen is \":80\" (--http-redirect-listen): "
	for _, tt := range []struct {
		args []string
		want []string
		tls  bool
	}{
		{nil, nil, false},
		{[]string{"--tls-cert=c.pem", "--tls-key=k.pem", "--http-redirect-listen=:80"}, nil, true},
		{[]string{"--acme=a.example,b.example", "--http-redirect-listen=:80"}, nil, true},
		{[]string{"--acme=a.example", "--external-url=http://a.example"}, []string{`external-url is "http://a.example" (--external-url): want https://..., since this server speaks TLS`}, true},
		{[]string{"--tls-cert=c.pem"}, []string{`tls-cert is "c.pem" (--tls-cert): want tls-key, too: the file of the certificate's key`}, true},
		{[]string{"--tls-key=k.pem"}, []string{`tls-key is "k.pem" (--tls-key): want tls-cert, too: the file of the key's certificate`}, false},
		{[]string{"--tls-cert=c.pem", "--tls-key=k.pem", "--acme=a.example"}, []string{`acme is "a.example" (--acme): want it or tls-cert, not both`}, true},
		{[]string{"--http-redirect-listen=:80"}, []string{plain + "want it only with tls-cert or acme: without TLS there is no https to send clients to"}, false},
		{[]string{"--acme=a.example", "--listen=:80", "--http-redirect-listen=:80"}, []string{plain + "want another address than those of listen, metrics-listen and pprof-listen"}, true},
		{[]string{"--acme=a.example", "--listen=:0", "--http-redirect-listen=:0"}, nil, true},
	} {
		c, faults := load(t, tt.args, nil, "")
		if diff := cmp.Diff(tt.want, faults); diff != "" || c.TLS() != tt.tls {
			t.Errorf("%q: TLS is %v; -want +got:\n%s", tt.args, c.TLS(), diff)
		}
	}
}
