package servers

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// Unprivileged gives folders to an account, for a program that does not run, or not
// fully, as root; it returns nil if this process is not root.
func Unprivileged(name string, folders ...string) (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	for _, f := range folders {
		if err := os.Chown(f, int(uid), int(gid)); err != nil {
			return nil, err
		}
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
