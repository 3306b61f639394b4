package disk

import (
	"errors"
	"io/fs"
	"os"

	"granary/internal/blob"
)

// A blob or a note is a regular file. Whatever else has its name, somebody else has put
// there: a named pipe would hold its reader up for ever, and a symbolic link lead out of
// the store.

// openRegular opens a regular file to read, and nothing else. It does not wait.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|openFlags, 0)
	if err != nil {
		if info, failed := os.Lstat(path); failed == nil && !info.Mode().IsRegular() {
			err = notRegular(info)
		}
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = notRegular(info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// statRegular is the state of a regular file, and an error for anything else.
func statRegular(path string) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if err == nil {
		err = notRegular(info)
	}
	return info, err
}

// notRegular is the error for what is no regular file, which it names; nil for one.
func notRegular(info fs.FileInfo) error {
	mode := info.Mode()
	what := "something else"
	switch {
	case mode.IsRegular():
		return nil
	case mode&fs.ModeSymlink != 0:
		what = "a symbolic link"
	case mode.IsDir():
		what = "a directory"
	case mode&fs.ModeNamedPipe != 0:
		what = "a named pipe"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	}
	return irregularError{what}
}

// irregularError says what is in the place of a file. It is a blob.ErrUnreadable, whoever asks.
type irregularError struct{ what string }

func (e irregularError) Error() string {
	return "not a regular file: " + e.what + " is in the place of the file"
}

// Is implements what errors.Is asks for.
func (irregularError) Is(target error) bool { return target == blob.ErrUnreadable }
