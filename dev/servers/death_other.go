//go:build !linux

package servers

import "syscall"

// dieWithUs works on Linux only; elsewhere a killed process leaves its programs
// behind.
func dieWithUs(*syscall.SysProcAttr) {}
