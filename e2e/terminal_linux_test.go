package e2e

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// terminal runs granary on a terminal of its own, and prints what a person would
// have seen there. With -type the file is typed, and with -interrupt SIGINT is
// sent, as soon as the terminal does not show what is typed any more. At the end it
// has to do so again. With -answer the file is typed at once.
func terminal(ts *testscript.TestScript, neg bool, args []string) {
	var answer func(screen *os.File, p *os.Process) error
	var ahead []byte
	switch {
	case len(args) > 2 && args[0] == "-answer":
		ahead = []byte(ts.ReadFile(args[1]))
		args = args[2:]
	case len(args) > 2 && args[0] == "-type":
		text := []byte(ts.ReadFile(args[1]))
		answer = func(screen *os.File, _ *os.Process) error { _, err := screen.Write(text); return err }
		args = args[2:]
	case len(args) > 1 && args[0] == "-interrupt":
		answer = func(_ *os.File, p *os.Process) error { return p.Signal(os.Interrupt) }
		args = args[1:]
	case len(args) == 0:
		ts.Fatalf("usage: terminal [-type FILE | -answer FILE | -interrupt] granary arguments")
	}
	screen, tty, err := openTerminal()
	ts.Check(err)
	defer screen.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, granaryPath(ts), args...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), clientEnviron(ts)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	_, err = screen.Write(ahead)
	ts.Check(err)
	ts.Check(cmd.Start())
	seen := make(chan []byte)
	go func() { seen <- readScreen(screen) }()
	if answer != nil {
		for echoes(ts, screen) && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		ts.Check(answer(screen, cmd.Process))
	}
	ended := cmd.Wait()
	restored := echoes(ts, screen)
	_, err = tty.WriteString(atEnd)
	ts.Check(err)
	text := <-seen
	_ = tty.Close()
	_, err = ts.Stdout().Write(text)
	ts.Check(err)
	if (ended != nil) != neg || !restored {
		ts.Fatalf("it ended with %v; the terminal shows what is typed: %t\n%s", ended, restored, text)
	}
}

// atEnd is what the terminal shows last. Without, the kernel may drop what was shown
// right before nobody had the terminal any more.
const atEnd = "\x04"

// readScreen is all that a terminal shows before atEnd.
func readScreen(screen io.Reader) []byte {
	text, _ := bufio.NewReader(screen).ReadBytes(atEnd[0]) // an error is shown by what is missing
	return bytes.TrimSuffix(text, []byte(atEnd))
}

// openTerminal makes a terminal of 80 columns, and returns what a person has of
// it and what the program has.
func openTerminal() (screen, tty *os.File, err error) {
	screen, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(screen.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80})
	}
	if err == nil {
		tty, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		_ = screen.Close()
	}
	return screen, tty, err
}

// echoes reports whether a terminal shows what is typed.
func echoes(ts *testscript.TestScript, screen *os.File) bool {
	state, err := unix.IoctlGetTermios(int(screen.Fd()), unix.TCGETS)
	ts.Check(err)
	return state.Lflag&unix.ECHO != 0
}
