package daemon

import (
	"context"
	"log/slog"
	"strings"

	"granary/internal/metadb"
)

// whileCurrent is ctx, done as soon as this granary is too old for the database:
// its cause then is a metadb.ErrOutdated. stop lets go of it.
func (s *server) whileCurrent(ctx context.Context) (current context.Context, stop func()) {
	current, end := context.WithCancelCause(ctx)
	go func() {
		select {
		case err := <-s.db.Outdated():
			end(err)
		case <-current.Done():
		}
	}()
	return current, func() { end(nil) }
}

// greet tells the log who else runs on the database, and Prometheus how many run
// in all.
func (s *server) greet(ctx context.Context, log *slog.Logger) {
	nodes, err := s.db.Nodes(ctx)
	if err != nil {
		log.Warn("cannot list the other nodes on the database", "error", err)
		return
	}
	s.tasks.count(nodes)
	var others []string
	for _, n := range nodes {
		if n.ID != s.db.NodeID() {
			others = append(others, n.String())
		}
	}
	if len(others) > 0 {
		log.Info("other nodes run on the database", "nodes", strings.Join(others, ", "))
	}
}

// countNodes tells Prometheus how many nodes of which version run. While the
// database is away it is not known, and none are told.
func (s *server) countNodes(ctx context.Context) {
	nodes, _ := s.db.Nodes(ctx)
	s.tasks.count(nodes)
}

// count tells of these nodes and no others.
func (t *tasks) count(nodes []metadb.Node) {
	t.nodes.Reset()
	for _, n := range nodes {
		t.nodes.WithLabelValues(n.Version).Inc()
	}
}
