package registry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"granary/internal/blob"
)

// Checking reads the records that a Check compares with a store.
type Checking interface {
	// CountRecords returns how many files, versions and blobs are on record.
	CountRecords(ctx context.Context) (RecordCounts, error)
	// BlobRows returns up to limit blobs from one digest to another, both included, in the
	// order of digests.
	BlobRows(ctx context.Context, from, to blob.Digest, limit int) ([]BlobRow, error)
	// Miscounted looks at up to limit blobs after an id, in the order of ids, and returns
	// the digests of those whose rows count other files than there are, and the last id; 0
	// after the last of all.
	Miscounted(ctx context.Context, after int64, limit int) (wrong []blob.Digest, last int64, err error)
	// KeptBlob returns the blob of a digest. NotFound if none is on record.
	KeptBlob(ctx context.Context, d blob.Digest) (KeptBlob, error)
	// BlobUses returns up to limit files and uploads, that were not removed, with the bytes
	// of the blob with this id: files first, the newest first.
	BlobUses(ctx context.Context, blobID int64, limit int) ([]Use, error)
	// MendContent puts right bytes in the place of those that the database keeps for a
	// digest. NotFound if it keeps none.
	MendContent(ctx context.Context, d blob.Digest, content []byte) error
	// CountAnew counts the files and uploads of a blob, and corrects its row. It does nothing
	// if there is none. Others may publish and delete meanwhile.
	CountAnew(ctx context.Context, d blob.Digest) error
}

// RecordCounts is how much is on record.
type RecordCounts struct{ Files, Versions, Blobs int64 }

// BlobRow is what all blobs are compared by.
type BlobRow struct {
	Digest blob.Digest
	Size   int64 // bytes
	Inline int64 // how many bytes of it the database keeps; -1: it keeps none, the store does
	Used   bool  // it has a file or an upload, or its row says so
}

// inline reports whether a reader gets the bytes from the database.
func (b BlobRow) inline() bool { return b.Inline >= 0 }

// KeptBlob is all that is known of a blob.
type KeptBlob struct {
	BlobRow
	ID    int64 // of the row; another one if the blob was swept and published again
	Files int64 // how many files and uploads the row says it has
	Uses  int64 // how many there are, with those that were removed and are not purged yet
}

// Use is a file that has the bytes of a blob.
type Use struct {
	Project          string // full path
	Package, Version string // "" for an upload
	File             string // its path
}

// FindingKind is a way in which records and store disagree.
type FindingKind string

// The kinds of findings. All but Unread and Stray are damage, and Stray is bytes that
// somebody may miss.
const (
	MissingBytes FindingKind = "missing"  // a file has no bytes
	OtherSize    FindingKind = "size"     // its bytes are more or fewer, and not those
	WrongBytes   FindingKind = "wrong"    // its bytes are others
	WrongRecord  FindingKind = "record"   // its bytes are right, their number on record is not
	WrongUses    FindingKind = "uses"     // a blob's number of files is not right
	Stray        FindingKind = "stray"    // bytes without a record
	Unread       FindingKind = "unread"   // the store or its disk did not answer: nothing is known
	Database     FindingKind = "database" // the database's file is damaged, or its tables contradict each other
	Derived      FindingKind = "derived"  // a number or a list, made from other records, is not what they say
	NoIdentity   FindingKind = "identity" // the store has lost its identity
	LostRecords  FindingKind = "records"  // the records in the store are damaged, or some are missing
)

// Finding is one thing that is not as it should be.
type Finding struct {
	Kind        FindingKind
	Digest      blob.Digest  // not of Database, Derived, NoIdentity and LostRecords
	Size        int64        // bytes on record; of Stray, in the store
	InDatabase  bool         // the bytes are in the database, not in the store
	FoundSize   int64        // bytes there are, of OtherSize and WrongRecord
	FoundDigest *blob.Digest // SHA-256 of what there is, of OtherSize and WrongBytes
	Counted     int64        // what the row says, of WrongUses
	Written     time.Time    // of Stray
	Reason      string       // in words, of Unread, Database, Derived, NoIdentity and LostRecords
	Uses        []Use        // the first of them; none of Stray, Database, Derived, NoIdentity and LostRecords
	AllUses     int64        // how many files and uploads have the bytes

	Mended   bool   // it was put right
	From     string // where right bytes were in the place they came from; "" if there is no more to say
	Refusal  string // why it was not, if that was tried
	Aside    bool   // the blob is marked, and the store has no wrong bytes of it: they are no longer served
	NotAside string // why not, if that was tried
}

// Checked is what a Check has seen so far.
type Checked struct {
	RecordCounts
	Seen       int64 // blobs on record that were looked at
	InDatabase int64 // of these, whose bytes are in the database
	There      int64 // of these, whose bytes are there, in the size on record

	Read, ReadBytes int64 // blobs that were read back
	Found           map[FindingKind]int64
	Mended          map[FindingKind]int64 // of those found
	StrayBytes      int64
	LeftUploads     int // that were cut short, and are old
}

// Damaged reports whether something is not as it should be, and was not put right.
func (c Checked) Damaged() bool {
	for kind, n := range c.Found {
		if kind != Unread && n > c.Mended[kind] {
			return true
		}
	}
	return false
}

// Unread is how many blobs the store did not give, and are not repaired.
func (c Checked) Unread() int64 { return c.Found[Unread] - c.Mended[Unread] }

// Check compares the records of all blobs with the bytes, where a reader of a file would
// look for them. It changes nothing but what Mend and Adopt ask for, and never deletes.
// Publishers and the sweep may work meanwhile: what they make or remove is no finding. For
// that rows are read before the list of the store, and each blob that looks wrong is looked at
// once more.
//
// Memory is bounded by the rows of a 128th of all blobs.
type Check struct {
	Records Records
	Store   blob.Source
	Read    Subset        // which bytes are read back
	Age     time.Duration // bytes without a record that are not so old are left out
	Now     func() time.Time
	Mend    *Mend // what is repaired; nil: nothing is
	Adopt   bool  // give bytes without a record one without files: the sweep takes them after its grace

	Tell     func(Finding) error // called for each finding, never twice at once; its error ends the check
	Progress func(Checked)       // called now and then, never twice at once; may be nil
}

// Run checks all blobs. Its error is that of the database, of the list of the store, or of
// Tell: then not all was looked at. What was seen until then is in Checked.
func (c Check) Run(ctx context.Context) (Checked, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	run := &checkRun{Check: c, buffers: make(chan []byte, checkReaders)}
	run.done.Found, run.done.Mended = map[FindingKind]int64{}, map[FindingKind]int64{}
	err := run.all(ctx)
	return run.done, err
}

type checkRun struct {
	Check

	buffers chan []byte // to read blobs with, that nobody uses now

	mu         sync.Mutex // of what follows, and of Tell and Progress
	done       Checked
	unanswered int // reads in a row
}

func (c *checkRun) all(ctx context.Context) (err error) {
	if c.done.RecordCounts, err = c.Records.CountRecords(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var counting sync.WaitGroup
	counting.Go(func() {
		if err := c.counts(ctx); err != nil {
			stop(err)
		}
	})
	err = c.rounds(ctx)
	if err != nil {
		stop(err)
	}
	counting.Wait()
	if err = context.Cause(ctx); err != nil {
		return err
	}
	if t, ok := c.Store.(blob.Tidier); ok {
		c.done.LeftUploads, err = t.Left(ctx, c.Now().Add(-Grace))
	}
	return err
}

// counts looks for blobs whose rows count other files than there are.
func (c *checkRun) counts(ctx context.Context) error {
	for after := int64(0); ; {
		wrong, last, err := c.Records.Miscounted(ctx, after, rowsStep)
		if err != nil {
			return err
		}
		for _, d := range wrong {
			if err := c.doubtCount(ctx, d); err != nil {
				return err
			}
		}
		if last == 0 {
			return nil
		}
		after = last
	}
}

// mostUnanswered is after how many reads in a row that the store did not answer a check asks
// whether it is away.
const mostUnanswered = 16

var errUnanswered = errors.New("the store has not answered for too long")

// answered notes whether the store answered a read of a blob. Its error says that the store
// is away, and ends the check.
func (c *checkRun) answered(ctx context.Context, d blob.Digest, yes bool) error {
	c.mu.Lock()
	if c.unanswered++; yes {
		c.unanswered = 0
	}
	many := c.unanswered >= mostUnanswered
	c.mu.Unlock()
	if !many {
		return nil
	}
	if err := blob.Answers(ctx, c.Store, d); err != nil {
		return fmt.Errorf("%w: %w", errUnanswered, err)
	}
	return c.answered(ctx, d, true)
}

// tell counts a finding and passes it on.
func (c *checkRun) tell(f Finding) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done.Found[f.Kind]++
	if f.Mended {
		c.done.Mended[f.Kind]++
	}
	if f.Kind == Stray {
		c.done.StrayBytes += f.Size
	}
	return c.Tell(f)
}

// add counts, and tells how far the check is.
func (c *checkRun) add(count func(*Checked)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	count(&c.done)
	if c.Progress != nil {
		c.Progress(c.done)
	}
}
