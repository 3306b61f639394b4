package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// errNoRanges is a server that answers a request for a range with the whole file.
var errNoRanges = errors.New("the server sends only whole files")

// torn is a transfer that broke after some bytes were written, and that cannot be
// resumed, only restarted.
type torn struct{ error }

func (t torn) Unwrap() error { return t.error }

// facts is what a server's headers say of a whole file.
type facts struct {
	size   int64  // in bytes; -1 if unknown
	tag    string // the ETag if it is strong, for If-Range
	sha256 string // in hex; "" where it does not say
}

// content is a file, or a part of it, on its way in.
type content struct {
	io.ReadCloser
	facts
}

// part is a range of a file: from a byte up to and without another, to < 0 for the
// file's end. With a tag or a size (of the whole file; < 0 if unknown) any other
// content is an error.
type part struct {
	from, to int64
	tag      string
	size     int64
	digest   bool // of the whole file is known, and shows at the end what was mixed
}

// open asks for a part of a file. One attempt.
func (c *Client) open(ctx context.Context, at Coordinates, p part) (*content, error) {
	path, err := at.path()
	if err != nil {
		return nil, err
	}
	q := call{method: http.MethodGet, path: path, query: at.query(), header: http.Header{}}
	ranged := p.from > 0 || p.to >= 0
	if ranged {
		last := ""
		if p.to >= 0 {
			last = strconv.FormatInt(p.to-1, 10)
		}
		q.header.Set("Range", "bytes="+strconv.FormatInt(p.from, 10)+"-"+last)
		if p.tag != "" {
			q.header.Set("If-Range", p.tag)
		}
	}
	resp, err := c.send(ctx, q)
	if err != nil {
		return nil, err
	}
	got := &content{resp.Body, facts{size: resp.ContentLength, sha256: digestOf(resp.Header.Get("X-Checksum-SHA256"))}}
	if tag := resp.Header.Get("ETag"); strings.HasPrefix(tag, `"`) {
		got.tag = tag
	}
	switch {
	case p.tag != "" && got.tag != "" && got.tag != p.tag:
		err = &failure{Damaged, fmt.Errorf("%s was replaced on the server while it was being downloaded", at)}
	case !ranged:
	case resp.StatusCode != http.StatusPartialContent:
		err = errNoRanges
	default:
		if got.size, err = rangeSize(resp.Header.Get("Content-Range"), p.from); err != nil {
			err = c.discreet(err)
		}
	}
	if err != nil {
		_ = resp.Body.Close() // nothing of it is used
		return nil, err
	}
	return got, nil
}

// digestOf is a digest in lower-case hex, "" if the text is not one. Every digest of a
// server passes through it.
func digestOf(told string) string {
	if raw, err := hex.DecodeString(told); err != nil || len(raw) != sha256.Size {
		return ""
	}
	return strings.ToLower(told)
}

// rangeSize reads the size of the whole file from "bytes FROM-TO/SIZE", and checks
// that the answer begins where it should. "*" is an unknown size: -1.
func rangeSize(text string, from int64) (int64, error) {
	span, size, ok := strings.Cut(strings.TrimPrefix(text, "bytes "), "/")
	begin, _, _ := strings.Cut(span, "-")
	at, err := strconv.ParseInt(begin, 10, 64)
	if !ok || err != nil || at != from {
		return 0, fmt.Errorf("the server answered with another range than requested: Content-Range %q", text)
	}
	if size == "*" {
		return -1, nil
	}
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("the server answered with Content-Range %q", text)
	}
	return n, nil
}

// copyPart writes a part of a file to w in order, and resumes after a broken
// connection. It returns what the server said of the file. The count of attempts
// restarts whenever bytes have moved.
//
// It returns errNoRanges if the server knows no ranges, as torn if bytes were written.
func (c *Client) copyPart(ctx context.Context, at Coordinates, p part, w io.Writer) (said facts, err error) {
	said.size = -1
	begin := p.from
	var buffer []byte
	for attempt := 0; ; attempt++ {
		before := p.from
		err = c.copyOnce(ctx, at, &p, w, &buffer, &said)
		if err == nil || p.to >= 0 && p.from == p.to && KindOf(err) != Damaged {
			return said, nil
		}
		if p.from > begin {
			err = c.goesOn(at, p, said, err)
		}
		if p.from > before {
			attempt = 0
		}
		if _, ended := errors.AsType[torn](err); ended || ctx.Err() != nil || !c.pause(ctx, attempt, err) {
			return said, err
		}
	}
}

// goesOn returns torn if a broken transfer cannot be resumed.
func (c *Client) goesOn(at Coordinates, p part, said facts, err error) error {
	switch kind := KindOf(err); {
	case errors.Is(err, errNoRanges):
		return torn{&failure{Broken, fmt.Errorf("%s: the connection broke, and %w: %s cannot be resumed, only restarted", c.api.Host, err, at)}}
	case kind != Broken && kind != Busy:
	case p.tag == "" && !p.digest && said.sha256 == "":
		return torn{fmt.Errorf("%w; the server gives no digest and no ETag of %s, so the rest could be of another file: it cannot be resumed, only restarted", err, at)}
	}
	return err
}

// copyOnce is one attempt. It moves the part's beginning with every byte that
// is written, and notes what the server says of the file. The buffer is made here
// when it is known what comes, and is for the next attempt, too.
func (c *Client) copyOnce(ctx context.Context, at Coordinates, p *part, w io.Writer, buffer *[]byte, said *facts) error {
	ctx, watch := c.watch(ctx)
	defer watch.stop()
	in, err := c.open(ctx, at, *p)
	if err != nil {
		return err
	}
	defer in.Close()
	*said, p.tag = in.facts, in.tag
	if p.size >= 0 && in.size >= 0 && in.size != p.size {
		return wrongSize(at, in.size, p.size)
	}
	if p.to < 0 {
		p.to = in.size
	}
	if p.to < 0 {
		p.to = p.size // more is refused with the first byte of it
	}
	if *buffer == nil {
		*buffer = make([]byte, bufferSize(p.to-p.from))
	}
	for {
		if ctx.Err() != nil { // also if much has arrived and waits to be read
			return c.broken(ctx, ctx.Err())
		}
		n, err := in.Read((*buffer)[:c.rate.most(len(*buffer))])
		if n > 0 {
			if werr := c.rate.wait(ctx, n); werr != nil {
				return c.broken(ctx, werr)
			}
			watch.moved()
			if p.to >= 0 && p.from+int64(n) > p.to {
				return &failure{Damaged, fmt.Errorf("the server sent more bytes of %s than it has", at)}
			}
			if _, werr := w.Write((*buffer)[:n]); werr != nil {
				return local(werr)
			}
			p.from += int64(n)
		}
		if err == io.EOF && (p.to < 0 || p.from == p.to) {
			return nil
		}
		if err != nil {
			return c.broken(ctx, err)
		}
	}
}

// bufferSize is how much is read at once of n bytes, n < 0 for unknown: for small files
// a large buffer would cost more than their bytes.
func bufferSize(n int64) int64 {
	const most = 256 << 10
	if n < 0 || n >= most {
		return most
	}
	return n + 1 // with room to see that more comes
}

// Copy writes a whole file to w as it arrives, and at the end checks its digest:
// f.SHA256 if known, else that in the answer's header. It returns whether there was
// one. A body of another size than f.Size is Damaged, and ends at the first byte too
// many. Bytes written before an error stay written. progress may be nil.
func (c *Client) Copy(ctx context.Context, at Coordinates, f File, w io.Writer, progress func(int64)) (verified bool, err error) {
	sum := &summed{w: w, hash: sha256.New(), progress: progress}
	said, err := c.copyPart(ctx, at, part{to: -1, size: f.Size, digest: f.SHA256 != ""}, sum)
	if err != nil {
		return false, err
	}
	return checkSum(at, sum.hash, f.SHA256, said.sha256)
}

// wrongSize is a file that is not the one of the package's list.
func wrongSize(at Coordinates, got, want int64) error {
	return &failure{Damaged, fmt.Errorf("%s has %d bytes, but %d in the package's list", at, got, want)}
}

// summed passes bytes on, hashing and counting them.
type summed struct {
	w        io.Writer
	hash     hash.Hash
	progress func(int64) // may be nil
}

func (s *summed) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.hash.Write(p[:n])
	if s.progress != nil {
		s.progress(int64(n))
	}
	return n, err
}

// checkSum compares with the first digest that is known, and reports whether
// there is one.
func checkSum(at Coordinates, sum hash.Hash, known ...string) (verified bool, err error) {
	got := hex.EncodeToString(sum.Sum(nil))
	for _, want := range known {
		if want != "" && want != got {
			return false, &failure{Damaged, fmt.Errorf("%s arrived damaged: SHA-256 %s, want %s", at, got, want)}
		}
		if want != "" {
			return true, nil
		}
	}
	return false, nil
}
