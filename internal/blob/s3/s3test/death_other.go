//go:build !linux

package s3test

import "syscall"

// dieWithUs is for Linux only; elsewhere a test that is killed leaves its server
// behind.
func dieWithUs() *syscall.SysProcAttr { return nil }
