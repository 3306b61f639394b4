package records

import (
	"context"
	"io"
)

// Copy copies the rows of a database that o asks for into an empty one, of any kind, and
// compares what it wrote. After an error nothing is left in it.
func Copy(ctx context.Context, from Source, to Target, o ExportOptions) (Summary, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read, write := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, err := Export(ctx, write, from, o)
		_ = write.CloseWithError(err) // it never fails; nil is io.EOF
	}()
	s, err := Replay(ctx, to, []File{{Name: "the records", Open: func() (io.ReadCloser, error) { return read, nil }}})
	cancel()
	_ = read.Close() // it never fails; a Replay that failed may not have read all
	<-ended
	return s, err
}
