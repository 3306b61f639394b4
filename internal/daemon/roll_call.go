package daemon

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/disk"
	"granary/internal/config"
)

// rollCallNote is how a rebuild or restore asks whether a server uses a bucket, which nothing
// can lock: it puts a text of its own there, and each server appends its name to what has none.
// So nothing is written while nobody asks, no clock is compared, and a server that was killed
// holds nobody up for longer than any other that does not answer.
const rollCallNote = "roll-call"

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
	answer, err := callRoll(ctx, bucket, wait)
	if err != nil {
		return fmt.Errorf("cannot ask whether a server uses %s: %w", cfg.Blobs, err)
	}
	if answer != "" {
		return fmt.Errorf("a server uses %s: %s; stop it, and any other, and run this again: two databases would write into one store", cfg.Blobs, answer)
	}
	return nil
}

// callRoll asks, and returns who answered; "" if nobody did.
func callRoll(ctx context.Context, bucket blob.Notes, wait time.Duration) (answer string, err error) {
	question := rand.Text()
	if err := bucket.PutNote(ctx, rollCallNote, strings.NewReader(question), int64(len(question))); err != nil {
		return "", err
	}
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case <-time.After(wait):
	}
	text, err := readRollCall(bucket.Note(ctx, rollCallNote))
	if err != nil {
		return "", err
	}
	asked, answer, _ := strings.Cut(text, " ")
	if asked != question {
		return "another rebuild or restore, which asks the same", nil
	}
	return answer, bucket.DeleteNote(ctx, rollCallNote)
}

// answerRollCall answers who asks whether a server uses the bucket. Of a directory the server
// has a lock.
func (s *server) answerRollCall(ctx context.Context, log *slog.Logger) {
	if _, is := s.blobs.(*disk.Store); is {
		return
	}
	s.tasks.do(ctx, log, "roll call", func(ctx context.Context) (int, error) {
		question, err := readRollCall(s.blobs.Note(ctx, rollCallNote))
		if err != nil || question == "" || strings.Contains(question, " ") {
			return 0, err // nobody asks, or one has answered
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
