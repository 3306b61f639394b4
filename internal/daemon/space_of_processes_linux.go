package daemon

import (
	"os"
	"strings"
)

// processSpace names the machine, its start and the PID namespace, in which a PID means a
// process: containers of one host name have PIDs of their own. "" if that cannot be read.
func processSpace() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + " " + namespace
}
