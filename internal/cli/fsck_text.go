package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"granary/internal/daemon"
)

// fsckText prints for people: a line for each finding, and the numbers at the end.
type fsckText struct{ printer }

func (p *fsckText) finding(f daemon.Finding) error {
	p.printf("%-9s %s%s\n", strings.ToUpper(string(f.Kind)), describe(f), outcome(f))
	return p.err
}

// describe says what is wrong with what.
func describe(f daemon.Finding) string {
	switch f.Kind {
	case daemon.MissingBytes:
		return bytesOf(f) + ": no bytes"
	case daemon.OtherSize:
		return fmt.Sprintf("%s: has %d bytes, not %d", bytesOf(f), f.FoundSize, f.Size)
	case daemon.WrongBytes:
		return bytesOf(f) + ": reads as " + f.FoundDigest.String()
	case daemon.WrongRecord:
		return fmt.Sprintf("%s: the bytes are right, and are %d", bytesOf(f), f.FoundSize)
	case daemon.WrongUses:
		return fmt.Sprintf("%s: has %d files, not %d", bytesOf(f), f.AllUses, f.Counted)
	case daemon.Stray:
		return fmt.Sprintf("sha256 %s, %s, of %s: no record", f.Digest, formatBytes(f.Size), formatTime(f.Written))
	case daemon.Unread:
		return bytesOf(f) + ": " + f.Reason
	}
	return f.Reason
}

// bytesOf names the files that have a blob's bytes, and the blob.
func bytesOf(f daemon.Finding) string {
	blob := fmt.Sprintf("sha256 %s, %s", f.Digest, formatBytes(f.Size))
	if f.InDatabase {
		blob += ", in the database"
	}
	if len(f.Uses) == 0 {
		return blob
	}
	first := f.Uses[0]
	others := f.AllUses - 1
	for _, u := range f.Uses[1:] {
		if u.Project != first.Project || u.Package != first.Package || u.Version != first.Version {
			blob += "; also in " + placeOf(u, first.Project)
			others--
			break
		}
	}
	if others > 0 && f.Kind != daemon.WrongUses {
		blob += fmt.Sprintf(" and %d more", others)
	}
	return fmt.Sprintf("%s %s (%s)", placeOf(first, ""), first.File, blob)
}

// placeOf is where a file is: project, package and version, without the project if that is
// known.
func placeOf(u daemon.Use, known string) string {
	where := u.Package + "/" + u.Version
	if u.Package == "" {
		where = "uploads"
	}
	if u.Project == known {
		return where
	}
	return u.Project + " " + where
}

// outcome says what became of a finding.
func outcome(f daemon.Finding) (text string) {
	switch {
	case f.Mended && f.Kind == daemon.Stray:
		return "; adopted"
	case f.Mended && f.From != "":
		return "; repaired from " + f.From
	case f.Mended:
		return "; repaired"
	case f.Refusal != "":
		text = "; not repaired: " + f.Refusal
	}
	switch {
	case f.Aside && (f.InDatabase || f.Kind == daemon.MissingBytes):
		text += "; marked as damaged"
	case f.Aside:
		text += "; set aside, and no longer served"
	case f.NotAside != "":
		text += "; not set aside: " + f.NotAside
	}
	return text
}

// end prints the numbers, of what was seen until a failure, too.
func (p *fsckText) end(done daemon.Checked, kept *daemon.Kept, failed error) error {
	if failed != nil && done.Seen == 0 {
		return p.err // the error says all
	}
	counts := "counters right"
	if n := done.Found[daemon.WrongUses] + done.Found[daemon.Derived]; n > 0 {
		counts = grouped(n) + " counters wrong"
	}
	if n := done.Found[daemon.WrongRecord]; n > 0 {
		counts += ", " + grouped(n) + " sizes wrong"
	}
	p.printf("records   %s files of %s versions, %s blobs; %s\n", grouped(done.Files), grouped(done.Versions), grouped(done.Blobs), counts)
	line := fmt.Sprintf("%s there, %s missing, %s of another size", grouped(done.There), grouped(done.Found[daemon.MissingBytes]), grouped(done.Found[daemon.OtherSize]))
	if done.Read > 0 {
		line += fmt.Sprintf("; %s read back (%s): %s wrong", grouped(done.Read), formatBytes(done.ReadBytes), grouped(done.Found[daemon.WrongBytes]))
	}
	if n := done.Found[daemon.Unread]; n > 0 {
		line += "; " + grouped(n) + " not readable"
	}
	if n := done.Found[daemon.Stray]; n > 0 {
		line += fmt.Sprintf("; %s stray (%s, older than a day)", grouped(n), formatBytes(done.StrayBytes))
	}
	if done.LeftUploads > 0 {
		line += fmt.Sprintf("; the rests of %s uploads, which the sweep removes", grouped(int64(done.LeftUploads)))
	}
	p.printf("bytes     %s\n", line)
	if done.Found[daemon.Database] > 0 {
		p.printf("database  stop the server, %s\n", daemon.AwayAnd(kept != nil && kept.Journal))
	}
	if kept != nil {
		p.kept(*kept, time.Now())
	}
	if failed != nil {
		p.printf("not whole: the check ended early, or could not read everything\n")
	}
	return p.err
}

// grouped is a number with commas between thousands.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var parts []string
	for len(digits) > 3 {
		parts = append([]string{digits[len(digits)-3:]}, parts...)
		digits = digits[:len(digits)-3]
	}
	return strings.Join(append([]string{digits}, parts...), ",")
}

// fsckLine is the progress, on a terminal only.
type fsckLine struct {
	w     io.Writer // nil: there is no terminal
	drawn time.Time
}

func newFsckLine(env Env) *fsckLine {
	if _, ok := terminal(env.Stderr); ok {
		return &fsckLine{w: raw(env.Stderr)}
	}
	return &fsckLine{}
}

func (l *fsckLine) draw(c daemon.Checked) {
	if l.w == nil || time.Since(l.drawn) < redrawEvery {
		return
	}
	l.drawn = time.Now()
	fmt.Fprintf(l.w, "%schecked %s of %s blobs, read %s", clearLine, grouped(c.Seen), grouped(c.Blobs), formatBytes(c.ReadBytes))
}

func (l *fsckLine) clear() {
	if l.w != nil && !l.drawn.IsZero() {
		fmt.Fprint(l.w, clearLine)
		l.drawn = time.Time{}
	}
}
