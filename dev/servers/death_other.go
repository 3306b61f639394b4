//go:build !linux

package servers

import "syscall"

// dieWithUs is for Linux only; elsewhere who is killed leaves its programs
// behind.
func dieWithUs(*syscall.SysProcAttr) {}
