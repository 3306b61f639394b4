package main

import (
	"os"
	"strconv"
	"syscall"
)

// politely is the niceness, 0 to 19, of what runs beside a server: a busy one then gets nearly
// all of a CPU that both want.
const politely = 19

// giveWay lowers the priority of this process, unless it is low already. Linux keeps it for
// each thread; a new one gets that of the thread that starts it.
func giveWay() {
	threads, _ := os.ReadDir("/proc/self/task") // without it, nothing is lowered
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		if now, err := syscall.Getpriority(syscall.PRIO_PROCESS, id); err == nil && 20-now < politely { // the kernel says 20 - niceness
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, politely) // the thread may have ended
		}
	}
}
