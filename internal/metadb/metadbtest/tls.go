package metadbtest

import (
	"os"
	"path/filepath"
	"testing"
)

// DemandTLS has the server speak TLS with a certificate and its key, both PEM,
// and makes a database "encrypted" that is to be had by TLS only.
func (c *Server) DemandTLS(tb testing.TB, certificate, key []byte) {
	tb.Helper()
	c.Run(tb, `CREATE DATABASE encrypted`)
	for name, text := range map[string][]byte{
		"server.crt": certificate,
		"server.key": key,
		"pg_hba.conf": []byte("hostssl encrypted all all trust\n" +
			"host granary,postgres all all trust\n"),
	} {
		path := filepath.Join(c.data(), name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			tb.Fatal(err)
		}
		if as := c.process.User; as != nil {
			if err := os.Chown(path, int(as.Uid), int(as.Gid)); err != nil {
				tb.Fatal(err)
			}
		}
	}
	c.process.Args = append(c.process.Args, "-c", "ssl=on")
	if err := c.Kill(); err != nil {
		tb.Fatal(err)
	}
	if err := c.Start(); err != nil {
		tb.Fatal(err)
	}
}
