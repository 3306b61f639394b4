package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"sync"

	"granary/internal/wire"
)

// expectSize is the body above which the server is asked first whether it wants
// it, so that a refused caller is spared the upload.
const expectSize = 1 << 20

// Upload is a file to be published.
type Upload struct {
	Coordinates
	Open     func() (io.ReadCloser, error) // the bytes from the start; called for every attempt
	Size     int64                         // of the bytes
	SHA256   string                        // in hex, declared to the server; "" to find it out while sending
	Create   bool                          // only if no file has this name; a server that knows no conditions ignores it
	Progress func(delta int64)             // bytes sent, negative if an attempt is repeated; may be nil
}

// Stored is what a publish came to.
type Stored struct {
	SHA256    string // of what was sent, in hex
	Confirmed bool   // the server returned the same digest
	Theirs    bool   // another publisher sent the same bytes before
	Draft     bool   // it is in a draft; false if the version is final and had these bytes
}

// Publish sends a file. If it returns no error, the server has the file with these
// bytes, perhaps from an earlier attempt or from another publisher. If two callers
// publish different bytes under one name at the same time with Create, one is Refused;
// without Create only if the server refuses duplicates.
//
// If the bytes do not have the declared digest, the error is Local: Publish holds the
// last bytes back, so that the server publishes nothing. If the server stored other
// bytes than were sent, the error is Damaged.
func (c *Client) Publish(ctx context.Context, u Upload) (Stored, error) {
	path, err := u.path()
	if err != nil {
		return Stored{}, err
	}
	if u.Progress == nil {
		u.Progress = func(int64) {}
	}
	var sent attempt
	var stored Stored
	attempts := 0
	err = c.retry(ctx, func(n int) error {
		attempts = n + 1
		if n > 0 && sent.whole {
			if there, err := c.digest(ctx, u.Coordinates); err == nil && there == sent.sha256 {
				stored = Stored{SHA256: there, Confirmed: true, Draft: u.Draft}
				return nil // only the answer was lost
			}
			u.Progress(-u.Size)
		}
		sent, err = c.put(ctx, path, u)
		stored = Stored{SHA256: sent.sha256, Confirmed: sent.confirmed, Draft: sent.draft}
		return err
	})
	if status(err, http.StatusBadRequest) || status(err, http.StatusPreconditionFailed) {
		// The name may be taken by this very file, from an attempt whose answer was
		// lost or from another publisher.
		if same, sum, drafted := c.isThere(ctx, u, sent.sha256); same {
			return Stored{SHA256: sum, Confirmed: true, Theirs: attempts == 1, Draft: drafted}, nil
		}
	}
	return stored, err
}

// isThere reports whether the server has this very file already, and whether in the draft:
// that may have become final meanwhile. sum is the digest of its bytes, "" if they were not
// read to the end.
func (c *Client) isThere(ctx context.Context, u Upload, sum string) (same bool, digest string, drafted bool) {
	at := u.Coordinates
	there, err := c.digest(ctx, at)
	if at.Draft && KindOf(err) == NotFound {
		at.Draft = false
		there, err = c.digest(ctx, at)
	}
	if err != nil || there == "" {
		return false, sum, false
	}
	if sum == "" {
		file, err := u.Open()
		if err != nil {
			return false, sum, false
		}
		defer file.Close()
		h := sha256.New()
		if _, err := io.Copy(h, file); err != nil {
			return false, sum, false
		}
		sum = hex.EncodeToString(h.Sum(nil))
	}
	return there == sum, sum, at.Draft
}

// attempt is what one PUT came to.
type attempt struct {
	sha256    string // "" where not all bytes were read
	whole     bool   // all bytes were sent
	confirmed bool
	draft     bool // they are in a draft
}

func (c *Client) put(ctx context.Context, path string, u Upload) (attempt, error) {
	ctx, watch := c.watch(ctx)
	defer watch.stop()
	file, err := u.Open()
	if err != nil {
		return attempt{}, local(err)
	}
	b := &body{file: file, left: u.Size, declared: u.SHA256, sum: sha256.New(), progress: u.Progress, watch: watch, closed: make(chan struct{}),
		most: c.rate.most, wait: func(n int) error { return c.rate.wait(ctx, n) }}
	q := call{method: http.MethodPut, path: path, query: u.query(), header: http.Header{}, length: u.Size}
	q.query.Set("select", "package_file")
	if u.Size > 0 { // net/http closes no body that is empty
		q.body = b
	} else {
		q.body = http.NoBody
		b.finish()
	}
	if u.SHA256 != "" {
		q.header.Set("X-Checksum-SHA256", u.SHA256)
	}
	if u.Create {
		q.header.Set("If-None-Match", "*")
	}
	if u.Size > expectSize {
		q.header.Set("Expect", "100-continue")
	}
	resp, err := c.send(ctx, q)
	var row wire.PackageFileRow
	draft := false
	if err == nil {
		draft = resp.Header.Get("X-Package-Status") == statusDraft
		err = c.readRow(ctx, resp, &row)
	}
	if err != nil {
		watch.cancel(err) // ends the sending, if it still runs
	}
	<-b.closed
	a := b.attempt()
	a.draft = draft
	if b.err != nil {
		err = local(b.err)
	}
	if err != nil && !a.whole {
		u.Progress(-b.sent)
	}
	got := digestOf(row.FileSHA256)
	if err != nil || got == "" {
		return a, err
	}
	if a.confirmed = got == a.sha256; !a.confirmed {
		return a, &failure{Damaged, fmt.Errorf("the server stored other bytes than were sent: SHA-256 %s, want %s", got, a.sha256)}
	}
	return a, nil
}

// readRow reads the record of a stored file. A server that does not know
// select=package_file answers with a message, and row stays empty.
func (c *Client) readRow(ctx context.Context, resp *http.Response, row *wire.PackageFileRow) error {
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return c.broken(ctx, err)
	}
	if err := json.Unmarshal(text, row); err != nil {
		return c.unreadable(err)
	}
	return nil
}

// digest is the SHA-256 of a file on the server, "" if unknown: from the header of
// GitLab 18 and granary, else from the package's list.
func (c *Client) digest(ctx context.Context, at Coordinates) (string, error) {
	f, err := c.Stat(ctx, at)
	if err != nil || f.SHA256 != "" || at.Draft {
		return f.SHA256, err
	}
	packages, err := c.Packages(ctx, at.Project, at.Name, at.Version)
	if err != nil || len(packages) == 0 {
		return "", err
	}
	files, err := c.Files(ctx, at.Project, packages[0].ID)
	if err != nil {
		return "", err
	}
	for _, f := range files {
		if f.Path == at.Path {
			return f.SHA256, nil
		}
	}
	return "", nil
}

// body is a file on its way out. net/http reads and closes it in a goroutine of
// its own; what it has found is to be read after closed.
type body struct {
	file     io.ReadCloser
	left     int64
	sent     int64
	declared string
	sum      hash.Hash
	progress func(int64)
	watch    *watchdog
	most     func(could int) int
	wait     func(n int) error
	err      error
	once     sync.Once
	closed   chan struct{}
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.file.Read(p[:b.most(int(min(int64(len(p)), b.left)))])
	b.sum.Write(p[:n])
	switch {
	case err == io.EOF && b.left > int64(n):
		b.err = errors.New("the file shrank while it was sent")
	case err != nil && err != io.EOF:
		b.err = err
	case b.left == int64(n) && b.declared != "" && hex.EncodeToString(b.sum.Sum(nil)) != b.declared:
		b.err = errors.New("the file changed while it was sent")
	}
	if b.err != nil {
		return 0, b.err // without its end the server publishes nothing
	}
	if err := b.wait(n); err != nil {
		return 0, err
	}
	b.left -= int64(n)
	b.sent += int64(n)
	b.progress(int64(n))
	b.watch.moved()
	if b.left == 0 {
		b.watch.sent()
	}
	return n, nil
}

// Close ends the sending.
func (b *body) Close() error {
	b.finish()
	return nil
}

func (b *body) finish() {
	b.once.Do(func() {
		_ = b.file.Close() // it was only read
		close(b.closed)
	})
}

// attempt is what is known once the body is closed.
func (b *body) attempt() attempt {
	a := attempt{whole: b.left == 0, sha256: b.declared}
	if a.whole {
		a.sha256 = hex.EncodeToString(b.sum.Sum(nil))
	}
	return a
}
