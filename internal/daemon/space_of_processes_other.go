//go:build !linux

package daemon

import "os"

// processSpace names the machine, in which a PID means a process; "" if it has no name.
func processSpace() string {
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	return host
}
