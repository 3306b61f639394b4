package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

const (
	finalises = 20 // that are timed, of each number of files
	fewFiles  = 100
	manyFiles = 10_000
)

// drafts publishes into drafts, and into open versions, sixteen files to a version.
func (t *versionsTable) drafts(ctx context.Context) (versionsRow, error) {
	r := versionsRow{what: fmt.Sprintf("publish 4 KiB into a draft x %d", t.o.clients), than: "into an open version", unit: "/s"}
	for i := range t.o.rounds {
		a, err := t.publishing(ctx, fmt.Sprintf("drafts%d", i), "?status=draft")
		if err != nil {
			return r, err
		}
		b, err := t.publishing(ctx, fmt.Sprintf("open%d", i), "")
		if err != nil {
			return r, err
		}
		r.first, r.second = append(r.first, a), append(r.second, b)
	}
	return r, nil
}

// publishing is how many files of a few thousand are published a second.
func (t *versionsTable) publishing(ctx context.Context, name, query string) (float64, error) {
	files := t.many() / 5
	paths := make([]string, files)
	for i := range paths {
		paths[i] = fmt.Sprintf("%s%s/1.%d.0/file%d.bin%s", t.s.prefix, name, i/16, i%16, query)
	}
	begun := time.Now()
	err := t.publish(ctx, paths, smallSize, t.o.clients)
	return float64(files) / time.Since(begun).Seconds(), err
}

// finals prints the median times of a finalise of few files and of many.
func (t *versionsTable) finals(ctx context.Context, w io.Writer) error {
	few, err := t.finalise(ctx, "final", finalises, fewFiles)
	if err != nil {
		return err
	}
	many, err := t.finalise(ctx, "large", 1, min(manyFiles, t.many()))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "finalise of %d files: p50 %.2f ms; of %d: %.1f ms\n", fewFiles, few, min(manyFiles, t.many()), many)
	return err
}

// finalise makes versions with that many files final, and returns the median time in ms.
func (t *versionsTable) finalise(ctx context.Context, name string, versions, files int) (float64, error) {
	var paths []string
	for v := range versions {
		for i := range files {
			paths = append(paths, fmt.Sprintf("%s%s/1.%d.0/file%d.bin?status=draft", t.s.prefix, name, v, i))
		}
	}
	if err := t.publish(ctx, paths, smallSize, t.o.clients); err != nil {
		return 0, err
	}
	c, err := dial(ctx, t.s.host, t.s.token)
	if err != nil {
		return 0, err
	}
	defer c.close()
	var times []float64
	for v := range versions {
		begun := time.Now()
		status, err := c.post(fmt.Sprintf("%s%s/1.%d.0", t.s.prefix, name, v))
		if err == nil && status != 201 {
			err = fmt.Errorf("POST of a version: status %d", status)
		}
		if err != nil {
			return 0, err
		}
		times = append(times, time.Since(begun).Seconds()*1000)
	}
	return median(times), nil
}
