//go:build !linux

package e2e

import "github.com/rogpeppe/go-internal/testscript"

func terminal(ts *testscript.TestScript, _ bool, _ []string) {
	ts.Fatalf("terminals are made here for Linux alone")
}
