//go:build unix

package systemd

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// takeOver makes a listener of a descriptor, which no longer reaches programs that this
// one starts.
func takeOver(fd int) (net.Listener, error) {
	syscall.CloseOnExec(fd)
	kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	if errors.Is(err, syscall.ENOTSOCK) {
		return nil, errors.New("want a socket, not a file, pipe or device")
	}
	if err != nil {
		return nil, os.NewSyscallError("getsockopt", err)
	}
	listens, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	if err != nil {
		return nil, os.NewSyscallError("getsockopt", err)
	}
	if kind != syscall.SOCK_STREAM || listens == 0 {
		return nil, errors.New("want one that accepts connections: ListenStream=, with Accept=no")
	}
	f := os.NewFile(uintptr(fd), "socket") //nolint:gosec // it is at least 3
	defer func() { _ = f.Close() }()       // the listener has a copy
	return net.FileListener(f)
}
