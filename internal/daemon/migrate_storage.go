package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"granary/internal/blob"
	"granary/internal/blob/disk"
	"granary/internal/config"
)

// MigrateStorage copies the blobs of one store to another, beside a running
// server or without: see blob.Copy. from and to are settings, of which only
// those of the store count. It tells progress now and then.
func MigrateStorage(ctx context.Context, from, to config.Config, verify bool, progress io.Writer) error {
	if from.Blobs == to.Blobs {
		return fmt.Errorf("the blobs are in %s already; --to names another place", from.Blobs)
	}
	source, err := openSource(ctx, from)
	if err != nil {
		return fmt.Errorf("cannot open the blobs in %s: %w", from.Blobs, err)
	}
	defer closeStore(source)
	var locks server // the lock on the target, as a server on it would have
	defer func() { _ = locks.unlock() }()
	if to.Blobs.Scheme == "file" {
		if err := os.MkdirAll(to.Blobs.Path, 0o700); err != nil {
			return fmt.Errorf("cannot make the directory %s: %w", to.Blobs.Path, plain(err))
		}
		if err := locks.lock(to.Blobs.Path); err != nil {
			return err
		}
	}
	target, err := openBlobs(ctx, to, hooks{})
	if err != nil {
		return fmt.Errorf("cannot open the blobs in %s: %w", to.Blobs, err)
	}
	defer closeStore(target)
	if err := checkTarget(ctx, target, source); err != nil {
		return fmt.Errorf("nothing was copied to %s: %w", to.Blobs, err)
	}
	return copyBlobs(ctx, target, source, verify, progress)
}

// openSource opens a store that a server may be running on.
func openSource(ctx context.Context, cfg config.Config) (blob.Source, error) {
	if cfg.Blobs.Scheme == "file" {
		return disk.View(cfg.Blobs.Path)
	}
	return openBlobs(ctx, cfg, hooks{})
}

// closeStore lets go of a store; nothing of it is left to be written.
func closeStore(s any) {
	if c, ok := s.(io.Closer); ok {
		_ = c.Close()
	}
}

const (
	reportEvery  = 5 * time.Second
	damagedShown = 10
)

func copyBlobs(ctx context.Context, to blob.Store, from blob.Source, verify bool, progress io.Writer) error {
	var blobs, bytes int64
	for info, err := range from.List(ctx) {
		if err != nil {
			return err
		}
		blobs, bytes = blobs+1, bytes+info.Size
	}
	fmt.Fprintf(progress, "%d blobs, %s\n", blobs, humanSize(bytes))

	began, told := time.Now(), time.Now()
	done, err := blob.Copy(ctx, to, from, blob.CopyOptions{Verify: verify, Report: func(c blob.Copied) {
		if time.Since(told) < reportEvery {
			return
		}
		told = time.Now()
		rate := float64(c.Bytes) / time.Since(began).Seconds()
		fmt.Fprintf(progress, "%d of %d blobs, %s copied, %s/s\n", c.Blobs+c.Present, blobs, humanSize(c.Bytes), humanSize(int64(rate)))
	}})
	fmt.Fprintf(progress, "copied %d blobs, %s; %d were there already\n", done.Blobs, humanSize(done.Bytes), done.Present)
	if err != nil {
		return fmt.Errorf("%w; run it again to go on", err)
	}
	if err := passMark(ctx, to, from); err != nil {
		return fmt.Errorf("all is copied but the identity of the store: %w; run it again", err)
	}
	return damaged(done.Damaged)
}

// damaged tells which blobs were left out.
func damaged(digests []blob.Digest) error {
	if len(digests) == 0 {
		return nil
	}
	var names []string
	for _, d := range digests[:min(len(digests), damagedShown)] {
		names = append(names, d.String())
	}
	if len(digests) > damagedShown {
		names = append(names, "...")
	}
	return errors.New(fmt.Sprint(len(digests)) + " blobs are damaged where they are, and were not copied: " + strings.Join(names, ", "))
}

// humanSize is a number of bytes as people read it.
func humanSize(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	v, i := float64(n), 0
	for v >= 1024 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[i])
}
