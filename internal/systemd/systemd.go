// Package systemd takes over what systemd gives a service (sockets, the period of its
// watchdog), and tells it how the service is. Without systemd, which sets the
// variables that are read here, nothing happens. See sd_listen_fds(3), sd_notify(3) and
// sd_watchdog_enabled(3).
package systemd

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// Socket is a listening socket that systemd opened.
type Socket struct {
	Name     string // FileDescriptorName=; by default the socket unit's name, "granary.socket"; "" if none was given
	Listener net.Listener
}

const firstSocket = 3 // the number of the first descriptor

// Listeners takes over the sockets that were passed to this process, in their order;
// none if there are none. Programs that this one starts do not get them. It can be called once:
// it removes LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES from the environment.
//
// Anything but a listening stream socket is an error, which names it; then all are closed.
func Listeners() ([]Socket, error) {
	pid, number, names := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"} {
		if err := os.Unsetenv(name); err != nil {
			return nil, err
		}
	}
	if pid != strconv.Itoa(os.Getpid()) { // they are another process's, or there are none
		return nil, nil
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("LISTEN_FDS is %q: want the number of sockets that systemd passes", number)
	}
	var all []Socket
	for i := range n {
		s := Socket{Name: part(names, i)}
		var one error
		if s.Listener, one = takeOver(firstSocket + i); one != nil {
			err = cmp.Or(err, fmt.Errorf("the socket %q from systemd (descriptor %d): %w", s.Name, firstSocket+i, one))
			continue
		}
		all = append(all, s)
	}
	if err != nil {
		for _, s := range all {
			_ = s.Listener.Close() // it was not used
		}
		return nil, err
	}
	return all, nil
}

// part is one of several words with colons between them; "" if there are fewer.
func part(words string, i int) string {
	if all := strings.Split(words, ":"); i < len(all) {
		return all[i]
	}
	return ""
}

// Notify tells systemd the state of the service: lines such as "READY=1", "STATUS=text" and
// "WATCHDOG=1". It does nothing if systemd does not ask to be told.
func Notify(lines ...string) error {
	to := os.Getenv("NOTIFY_SOCKET")
	if to == "" {
		return nil
	}
	if to[0] != '/' && to[0] != '@' { // @: an abstract socket
		return fmt.Errorf("NOTIFY_SOCKET is %q: want a path, or @ and a name", to)
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: to, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // what was written is there
	_, err = conn.Write([]byte(strings.Join(lines, "\n")))
	return err
}

// Watchdog is the period in which systemd wants "WATCHDOG=1" at least once; 0 if it does
// not.
func Watchdog() time.Duration {
	pid := os.Getenv("WATCHDOG_PID")
	if pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	period, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || period <= 0 || period > int64(1<<62)/int64(time.Microsecond) {
		return 0
	}
	return time.Duration(period) * time.Microsecond
}

// Microseconds is a time as systemd takes it, in a line such as "EXTEND_TIMEOUT_USEC=30000000".
func Microseconds(d time.Duration) string { return strconv.FormatInt(d.Microseconds(), 10) }
