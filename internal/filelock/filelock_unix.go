//go:build unix

package filelock

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

func try(f *os.File, shared bool) (bool, error) {
	how := syscall.LOCK_EX
	if shared {
		how = syscall.LOCK_SH
	}
	err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return false, nil
	case errors.Is(err, syscall.ENOLCK): // a network's file system without its lock server
		err = fmt.Errorf("%w (%w)", errors.ErrUnsupported, err)
	}
	return err == nil, err
}

func release(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_UN) }
