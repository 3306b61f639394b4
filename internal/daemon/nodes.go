package daemon

import (
	"context"
	"log/slog"
	"strings"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/naming"
	"granary/internal/sqldb"
)

// whileCurrent is ctx, done as soon as this granary is too old for the database:
// its cause then is a sqldb.ErrOutdated. end ends it for another reason, too.
func (s *server) whileCurrent(ctx context.Context) (current context.Context, end func(why error)) {
	current, end = context.WithCancelCause(ctx)
	go func() {
		select {
		case err := <-s.db.Outdated():
			end(err)
		case <-current.Done():
		}
	}()
	return current, end
}

// greet logs the other nodes on the database, and sets the metric of all nodes.
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

// nameReserved names users and groups of older servers whose paths the program has now.
func (s *server) nameReserved(ctx context.Context, log *slog.Logger) {
	for _, path := range naming.ReservedPaths() {
		g, err := s.db.FindGroup(ctx, path, access.Actor{}) // a user's namespace is one, too
		switch {
		case err == nil && naming.Reserved(g.FullPath): // no former path
			log.Warn("a group or user has a path that the pages need; rename it, or find its page below /groups/", "path", path)
		case err != nil && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Hidden):
			log.Warn("cannot look for paths that the pages need", "path", path, "error", err)
		}
	}
}

// countNodes sets the metric of running nodes by version. If the database does not
// answer, the metric has no values.
func (s *server) countNodes(ctx context.Context) {
	nodes, _ := s.db.Nodes(ctx)
	s.tasks.count(nodes)
}

// count sets the metric to these nodes.
func (t *tasks) count(nodes []sqldb.Node) {
	t.nodes.Reset()
	for _, n := range nodes {
		t.nodes.WithLabelValues(n.Version).Inc()
	}
}
