package daemon

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/disk"
)

const (
	lockDead  = 10 * time.Minute // without a sign of life
	lockRenew = time.Minute
	lockCheck = 5 * time.Second
)

// placeLock is a lock on a place of backups: a note that its holder renews. Stores offer
// no way to make a note only if there is none, so two that begin in the same moment can
// both take it; one of them then finds the other's note, and fails. Backups only add to a
// place, so that none is harmed by that. Who removes something waits first, see settle.
type placeLock struct {
	notes blob.Notes // nil: there is no note, and nothing to renew
	mine  lockHolder

	checked time.Time // by checkNow
}

// lockHolder is what the note says.
type lockHolder struct {
	Token string    `json:"token"`
	Doing string    `json:"doing"` // "backup" or "forget"
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	Where string    `json:"where"` // the PID means a process, as processSpace says; "" if nobody knows
	Since time.Time `json:"since"`
	Seen  time.Time `json:"seen"`
}

func (h lockHolder) String() string {
	return fmt.Sprintf("a %s by process %d on %s, since %s", h.Doing, h.PID, h.Host, h.Since.UTC().Format(time.RFC3339))
}

// dead reports whether the holder gave no sign of life for long, or was a process that this
// one would see, and is gone.
func (h lockHolder) dead(now time.Time) bool {
	if now.Sub(h.Seen) > lockDead {
		return true
	}
	if h.Where == "" || h.Where != processSpace() {
		return false
	}
	p, err := os.FindProcess(h.PID)
	return h.PID == os.Getpid() || err == nil && errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

var errPlaceTaken = errors.New("another process works on it")

// takePlace takes the lock, or fails if another holder lives.
func takePlace(ctx context.Context, notes blob.Notes, doing string) (*placeLock, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("this machine has no name: %w", err)
	}
	other, has, err := readHolder(ctx, notes)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if has && !other.dead(now) {
		return nil, fmt.Errorf("%w: %s, seen %v ago; wait for its end (without a sign of life it counts as dead after %v; if it surely is, remove %s)",
			errPlaceTaken, other, now.Sub(other.Seen).Round(time.Second), lockDead, lockNote)
	}
	l := &placeLock{notes: notes, mine: lockHolder{Token: rand.Text(), Doing: doing, Host: host, PID: os.Getpid(), Where: processSpace(), Since: now}}
	return l, l.renew(ctx)
}

// renew says that the holder lives.
func (l *placeLock) renew(ctx context.Context) error {
	if l.notes == nil {
		return nil
	}
	alive := l.mine
	alive.Seen = time.Now()
	err := l.put(ctx, alive)
	if err == nil {
		l.mine.Seen = alive.Seen // and nothing else, which check reads at the same time
	}
	return err
}

func (l *placeLock) put(ctx context.Context, h lockHolder) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return l.notes.PutNote(ctx, lockNote, strings.NewReader(string(text)), int64(len(text)))
}

// check fails if another has taken the lock.
func (l *placeLock) check(ctx context.Context) error {
	if l.notes == nil {
		return nil
	}
	now, has, err := readHolder(ctx, l.notes)
	if err != nil {
		return err
	}
	if !has || now.Token != l.mine.Token {
		return fmt.Errorf("%w: %s; run this again", errPlaceTaken, now)
	}
	return nil
}

// checkNow is check before something is removed, if the last such check is some seconds old
// by the wall clock, which goes on while a machine sleeps.
func (l *placeLock) checkNow(ctx context.Context) error {
	now := time.Now().Round(0)
	if age := now.Sub(l.checked); 0 <= age && age < lockCheck {
		return nil
	}
	if err := l.check(ctx); err != nil {
		return err
	}
	l.checked = now
	return nil
}

// hold renews the lock while fn runs, whose context ends if the lock is lost.
func (l *placeLock) hold(ctx context.Context, fn func(context.Context) error) error {
	working, lose := context.WithCancelCause(ctx)
	var renewing sync.WaitGroup
	renewing.Go(func() {
		every(working, lockRenew, func() {
			err := l.check(working)
			if err == nil {
				err = l.renew(working)
			}
			if errors.Is(err, errPlaceTaken) || err != nil && time.Since(l.mine.Seen) > lockDead {
				lose(fmt.Errorf("the lock on the place is lost: %w", err))
			}
		})
	})
	err := fn(working)
	lost := context.Cause(working)
	lose(nil)
	renewing.Wait()
	if lost != nil && ctx.Err() == nil {
		return lost
	}
	if err == nil {
		err = l.check(ctx)
	}
	return err
}

// release gives the lock back.
func (l *placeLock) release(ctx context.Context) error {
	if l.notes == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := l.check(ctx); err != nil {
		return nil // it is another's, or will be dead soon
	}
	return l.notes.DeleteNote(ctx, lockNote)
}

// ofPlace says what the process that has a directory of backups does in it.
func (e heldError) ofPlace() error {
	note, err := disk.NoteIn(e.dir, lockNote)
	h, has, err := parseHolder(note, err)
	if err == nil && has && e.process == fmt.Sprintf(" (process %d)", h.PID) {
		return fmt.Errorf("%w: %s; wait for its end", errPlaceTaken, h)
	}
	return fmt.Errorf("%w: a granary%s; wait for its end", errPlaceTaken, e.process)
}

// readHolder is who has the lock.
func readHolder(ctx context.Context, notes blob.Notes) (h lockHolder, has bool, err error) {
	note, err := notes.Note(ctx, lockNote)
	return parseHolder(note, err)
}

func parseHolder(note io.ReadCloser, err error) (h lockHolder, has bool, _ error) {
	if errors.Is(err, blob.ErrNotFound) {
		return h, false, nil
	}
	text, err := textOf(note, err, mostMarker)
	if err != nil {
		return h, false, fmt.Errorf("cannot read %s: %w; if it alone cannot be read, and no backup runs, remove it", lockNote, err)
	}
	if err := json.Unmarshal(text, &h); err != nil {
		return h, false, fmt.Errorf("%s is damaged; remove it if no backup runs", lockNote)
	}
	return h, true, nil
}
