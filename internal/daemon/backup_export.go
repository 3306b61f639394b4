package daemon

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"granary/internal/records"
)

// export writes the records of one snapshot to a spool.
func (b *backup) export(ctx context.Context) (err error) {
	if b.spool, err = records.NewSpool(); err != nil {
		return err
	}
	sum := sha256.New()
	s, err := records.Export(ctx, io.MultiWriter(b.spool, sum), b.admin.server.db, records.ExportOptions{Kind: records.KindBase})
	size := int64(0)
	if err == nil {
		size, err = b.spool.Seek(0, io.SeekEnd)
	}
	if err != nil {
		return errors.Join(explainDamage(ctx, b.admin.cfg, exportFailed(b.spool.Name(), err)), b.spool.Close())
	}
	m := &b.done.Manifest
	m.Schema = s.Schema
	m.Records = records.FileInBackup{Bytes: size, SHA256: fmt.Sprintf("%x", sum.Sum(nil)), Rows: s.Rows()}
	for _, t := range s.Tables {
		if t.Name == records.BlobsTable {
			b.progress.Of = t.Checksum.Rows
		}
	}
	return nil
}

// exportFailed says what to do about an error of the temporary file.
func exportFailed(spool string, err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok && e.Path == spool {
		return fmt.Errorf("writing the records to a temporary file, %s: %w; TMPDIR names another directory", spool, err)
	}
	return fmt.Errorf("reading the records: %w", err)
}
