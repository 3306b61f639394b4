package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Where no file can be locked logins are kept all the same, and one line says so.
func TestLoginsWithoutLocks(t *testing.T) {
	for _, fault := range []syscall.Errno{syscall.ENOLCK, syscall.EOPNOTSUPP, syscall.ENOSYS} {
		dir := t.TempDir()
		env := Env{Environ: []string{"XDG_CONFIG_HOME=" + dir}}
		l := logins{Servers: map[string]string{"https://a.example/api/v4": "one", "https://b.example/api/v4": "two"}}
		path, err := l.write(env)
		if err != nil {
			t.Fatal(err)
		}
		var told bytes.Buffer
		env.Args, env.Stdout, env.Stderr, env.Stdin = []string{"logout", "a.example"}, &told, &told, strings.NewReader("")
		code := make(chan int, 1)
		go func() {
			if err := refuseLocks(fault); err != nil {
				t.Log(err)
				code <- -1
				return
			}
			code <- Main(t.Context(), env)
		}()
		got := <-code
		if got == -1 {
			t.Skip("no system call can be refused here")
		}
		if want := "granary: " + path + " cannot be locked ("; got != 0 || !strings.HasPrefix(told.String(), want) || strings.Count(told.String(), "\n") != 1 {
			t.Errorf("%v: exit %d, %s", fault, got, &told)
		}
		text, err := os.ReadFile(filepath.Join(dir, "granary", "logins.json"))
		l = logins{}
		if err != nil || json.Unmarshal(text, &l) != nil || len(l.Servers) != 1 || l.Servers["https://b.example/api/v4"] != "two" {
			t.Errorf("%v: %s %v", fault, text, err)
		}
	}
}

// refuseLocks makes the kernel answer flock with an error for as long as this
// goroutine runs: its thread ends with it.
func refuseLocks(fault syscall.Errno) error {
	runtime.LockOSThread()
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the call's number
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.SYS_FLOCK},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(fault)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
}
