package daemon

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/disk"
	"granary/internal/config"
	"granary/internal/sqldb"
)

// rollCallNote is how a rebuild, a restore or a server that starts asks whether a server with
// another database uses a bucket, which nothing can lock: it puts a text of its own there, and
// each server appends its name to what has none. So nothing is written while nobody asks, no
// clock is compared, and a server that was killed holds nobody up for longer than any other that
// does not answer.
const rollCallNote = "roll-call"

// errStranger ends a server whose bucket another database's server uses.
var errStranger = errors.New("two databases would write into one store")

const (
	answerEvery = 5 * time.Second  // a server looks so often whether somebody asks
	answerIn    = 15 * time.Second // so long one waits for the answers
)

// keepServersAway locks a directory of blobs until release. It fails if a server uses it,
// with whatever database.
func (s *server) keepServersAway(cfg config.Config) error {
	if cfg.Blobs.Scheme != "file" {
		return nil
	}
	err := s.ownDirectory(cfg.Blobs.Path, blobsFlag(cfg))
	if cfg.Database.Scheme == "postgres" && errors.Is(err, errors.ErrUnsupported) {
		return nil // of such a directory the nodes have no lock either
	}
	return err
}

// refuseServed fails if a server answers that it uses a bucket, with whatever database. tell is
// told that this takes a while; it may be nil. wait is answerIn, if it is 0.
func refuseServed(ctx context.Context, cfg config.Config, blobs blob.Source, wait time.Duration, tell func(string)) error {
	bucket, is := blobs.(blob.Notes)
	if cfg.Blobs.Scheme == "file" || !is {
		return nil
	}
	identity, err := readIdentity(blobs.Note(ctx, identityNote))
	if err != nil || identity == "" {
		return err // no server has ever used it
	}
	wait = cmp.Or(wait, answerIn)
	if tell != nil {
		tell(fmt.Sprintf("asking whether a server still uses %s, for %v", cfg.Blobs, wait))
	}
	question := rand.Text()
	waited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	asked, answer, err := callRoll(ctx, bucket, question, waited.Done())
	if err != nil {
		return fmt.Errorf("cannot ask whether a server uses %s: %w", cfg.Blobs, err)
	}
	if asked != question {
		answer = "a server that starts, or another rebuild or restore, asks the same"
	}
	if answer != "" {
		return fmt.Errorf("a server uses %s: %s; stop it, and any other, and run this again: two databases would write into one store", cfg.Blobs, answer)
	}
	return nil
}

// callRoll puts the question, and returns the question that is there when enough was waited,
// which is another one if somebody else asked meanwhile, and who answered it; "" if nobody did.
func callRoll(ctx context.Context, bucket blob.Notes, question string, enough <-chan struct{}) (asked, answer string, err error) {
	if err := bucket.PutNote(ctx, rollCallNote, strings.NewReader(question), int64(len(question))); err != nil {
		return "", "", err
	}
	<-enough
	if ctx.Err() != nil {
		return "", "", context.Cause(ctx)
	}
	text, err := readRollCall(bucket.Note(ctx, rollCallNote))
	if err != nil {
		return "", "", err
	}
	asked, answer, _ = strings.Cut(text, " ")
	if asked != question {
		return asked, answer, nil
	}
	return asked, answer, bucket.DeleteNote(ctx, rollCallNote)
}

// refuseStrangers asks, before this server writes more than blobs, whether a server with another
// database uses the bucket, and then returns an errStranger. Until the bucket can be asked it
// asks again. When ctx is done, the answers until then count, so that a server that is stopped
// soon still writes its records. wait is answerIn, if it is 0. Of a directory the server has a
// lock.
func (s *server) refuseStrangers(ctx context.Context, place config.Location, wait time.Duration, log *slog.Logger) error {
	if _, is := s.blobs.(*disk.Store); is {
		return nil
	}
	asking, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastRecords, stop) })()
	question := s.db.NodeID()
	for asked, answer := "", ""; ; {
		waited, cancel := context.WithTimeout(ctx, cmp.Or(wait, answerIn))
		s.tasks.do(asking, log, "roll call", func(ctx context.Context) (_ int, err error) {
			asked, answer, err = callRoll(ctx, s.blobs, question, waited.Done())
			return 0, err
		})
		cancel()
		switch {
		case asked == question && answer != "":
			return fmt.Errorf("a server with another database uses %s: %s; %w. Stop that server first, or give this one a store of its own", place, answer, errStranger)
		case asked != "":
			return nil // who asked later than this server hears it
		case ctx.Err() != nil:
			return context.Cause(ctx)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryUpkeep):
		}
	}
}

// answerRollCall answers who asks whether a server uses the bucket, unless it is a node of this
// server's own database.
func (s *server) answerRollCall(ctx context.Context, log *slog.Logger) {
	if _, is := s.blobs.(*disk.Store); is {
		return
	}
	s.tasks.do(ctx, log, "roll call", func(ctx context.Context) (int, error) {
		question, err := readRollCall(s.blobs.Note(ctx, rollCallNote))
		if err != nil || question == "" || strings.Contains(question, " ") {
			return 0, err // nobody asks, or one has answered
		}
		nodes, err := s.db.Nodes(ctx)
		if err != nil || slices.ContainsFunc(nodes, func(n sqldb.Node) bool { return n.ID == question }) {
			return 0, err
		}
		answer := question + " " + s.db.NodeID()
		return 0, s.blobs.PutNote(ctx, rollCallNote, strings.NewReader(answer), int64(len(answer)))
	})
}

// readRollCall is the text of the note; "" if there is none.
func readRollCall(note io.ReadCloser, err error) (string, error) {
	if errors.Is(err, blob.ErrNotFound) {
		return "", nil
	}
	text, err := textOf(note, err, mostMarker)
	return string(text), err
}
