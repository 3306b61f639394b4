package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"granary/internal/blob/disk"
	"granary/internal/config"
)

// doThis makes this test binary do something else than to serve, so that it can be killed:
// "backup PLACE", "restore PLACE" or "rebuild". It dies where dieAt says, and a backup also at
// its n-th "report".
const doThis = "DAEMON_TEST_DO"

func doForTest() int {
	cfg, err := settings(os.Environ(), os.Args[1:]...)
	if err == nil {
		what, place, _ := strings.Cut(os.Getenv(doThis), " ")
		die := killAt(os.Getenv(dieAt), "")
		err = deedOf(context.Background(), what, cfg, place, die)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func deedOf(ctx context.Context, what string, cfg config.Config, place string, die func(string)) error {
	at := crashPoints{commit: die, store: func(p disk.Point) { die(string(p)) }}
	other, err := cfg.WithBlobs(place)
	if err != nil && what != "rebuild" {
		return err
	}
	switch what {
	case "backup":
		_, err = backUpWith(ctx, cfg, BackupOptions{To: other, Report: func(BackupProgress) { die("report") }, at: at})
	case "restore":
		_, err = Restore(ctx, cfg, RestoreOptions{From: other, Snapshot: "latest", Report: func(Copied) {}, at: at, askFor: time.Millisecond})
	default:
		_, err = Rebuild(ctx, cfg, RebuildOptions{Tell: func(Finding) error { return nil }, at: at, askFor: time.Millisecond})
	}
	return err
}

// backUpWith backs up beside a running server, or without one.
func backUpWith(ctx context.Context, cfg config.Config, o BackupOptions) (done BackedUp, err error) {
	a, err := OpenAdmin(ctx, cfg, "test")
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	return a.Backup(ctx, o)
}

// deedProcess is a process that does what deed says, and kills itself at a point, or never.
func deedProcess(t *testing.T, environ []string, deed, point string, nth int) (cmd *exec.Cmd, said *strings.Builder) {
	t.Helper()
	cmd, said = exec.CommandContext(t.Context(), os.Args[0], "--inline-max=4096"), &strings.Builder{}
	cmd.Env = append(bare(doThis+"="+deed, fmt.Sprintf("%s=%s %d", dieAt, point, nth), noReserve), environ...)
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, said
}

// wasKilled waits for the end of a process. One that ended by itself has to have ended well.
func wasKilled(t *testing.T, cmd *exec.Cmd, said *strings.Builder) bool {
	t.Helper()
	err := cmd.Wait()
	exit, is := errors.AsType[*exec.ExitError](err)
	if is && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil {
		t.Errorf("a process that was to be killed: %v, %s", err, said)
	}
	return false
}
