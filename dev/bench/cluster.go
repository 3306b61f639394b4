package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"granary/dev/cluster"
	"granary/dev/servers"
)

const (
	mostNodes = 3

	clusterTable = "cluster"         // one node and several
	directTable  = "PostgreSQL + S3" // one node, and what it stands on
)

// clusterScenarios are asked of one embedded node, and of a cluster of 1, 2 and 3
// nodes behind nginx.
func clusterScenarios(o options) []scenario {
	return o.chosen(clusterTable, []scenario{
		{large: true, clients: o.uploads}, {publish: true, large: true, clients: o.uploads},
		{clients: o.clients}, {publish: true, clients: o.clients},
	})
}

// directScenarios are asked of one node over PostgreSQL and S3, and of PostgreSQL
// or S3 themselves.
func directScenarios(o options) []scenario {
	return o.chosen(directTable, []scenario{
		{publish: true, large: true, clients: 1}, {publish: true, large: true, clients: o.uploads},
		{publish: true, clients: o.clients},
	})
}

// compareClusters prints both tables, of which each may take the whole limit.
func compareClusters(ctx context.Context, d *driver, o options) (err error) {
	if len(clusterScenarios(o))+len(directScenarios(o)) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 4*o.limit)
	defer cancel()
	t, err := startTeam(ctx, d, o)
	defer func() {
		if err != nil && t.Cluster != nil {
			for _, node := range t.Nodes {
				printLog(os.Stderr, node.Log)
			}
		}
		err = errors.Join(err, t.stop())
	}()
	if err != nil {
		return err
	}
	results, err := t.measureMany(ctx, d, o)
	if err = errors.Join(err, printMany(os.Stdout, results)); err != nil {
		return err
	}
	results, err = t.measureDirect(ctx, d, o)
	return errors.Join(err, printDirect(os.Stdout, results))
}

// team is all that is compared, on one disk.
type team struct {
	embedded *server // SQLite and disk
	*cluster.Cluster
	parts []part // of the cluster, without balancers
}

// startTeam starts it. The caller must call stop, whatever the error.
func startTeam(ctx context.Context, d *driver, o options) (t *team, err error) {
	t = &team{}
	data := filepath.Join(d.dir, "embedded")
	if t.embedded, err = startGranary(ctx, data, o); err != nil {
		return t, err
	}
	t.embedded.name, t.embedded.data = "embedded", "embedded"
	t.embedded.token, t.embedded.prefix = o.token, o.packages()
	t.embedded.parts[0].name, t.embedded.blobs = "granary", filepath.Join(data, "blobs")
	t.Cluster, err = cluster.Start(ctx, cluster.Options{Nodes: mostNodes, Token: o.token, Dir: d.dir, Granary: o.granary})
	if err != nil {
		return t, err
	}
	for _, node := range t.Nodes {
		t.parts = append(t.parts, part{"granary", node.Pid()})
	}
	t.parts = append(t.parts, part{"PostgreSQL", t.Database.Pid()}, part{"S3", t.Objects.Pid()})
	return t, nil
}

func (t *team) stop() error {
	if t.embedded != nil {
		t.embedded.stop()
	}
	if t.Cluster == nil {
		return nil
	}
	return t.Stop()
}

// nodes is the first so many nodes as one server, at an address.
func (t *team) nodes(n int, name, address string, o options) *server {
	s := &server{
		name: name, host: address, prefix: o.packages(), token: o.token,
		parts: t.parts, data: "cluster", blobs: t.Objects.Dir,
	}
	for _, node := range t.Nodes[:n] {
		s.nodes = append(s.nodes, node.Pid())
	}
	return s
}

func (t *team) measureMany(ctx context.Context, d *driver, o options) ([]result, error) {
	list := clusterScenarios(o)
	if len(list) == 0 {
		return nil, nil
	}
	all := []*server{t.embedded}
	for n := 1; n <= mostNodes; n++ {
		address, err := servers.FreeAddress(ctx)
		if err != nil {
			return nil, err
		}
		balancer, err := t.Balance(ctx, address, n)
		if err != nil {
			return nil, err
		}
		s := t.nodes(n, fmt.Sprintf("%d node%s", n, strings.Repeat("s", min(1, n-1))), address, o)
		s.parts = append(slices.Clip(s.parts), part{"nginx", balancer.Pid()})
		all = append(all, s)
	}
	return measure(ctx, d, o, list, all)
}

func (t *team) measureDirect(ctx context.Context, d *driver, o options) ([]result, error) {
	list := directScenarios(o)
	if len(list) == 0 {
		return nil, nil
	}
	s3, err := straight(t.Objects, t.parts)
	if err != nil {
		return nil, err
	}
	statements, err := t.pgbench(ctx, d, o)
	if err != nil {
		return nil, err
	}
	node := t.nodes(1, "granary", t.Addresses[0], o)
	o.limit /= time.Duration(len(list))
	var results []result
	for _, sc := range list {
		against := []*server{node, s3}
		if !sc.large {
			against = append(against, statements)
		}
		got, err := measure(ctx, d, o, []scenario{sc}, against)
		results = append(results, got...)
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

// partNames are those of the tables, in the order of their columns.
func partNames() []string { return []string{"granary", "PostgreSQL", "S3", "nginx", ownPart} }

func printMany(w io.Writer, results []result) error {
	err := printParts(w, clusterTable, "to embedded (min..max)", partNames(), results,
		func(r result, i int) string { return r.ratio(i, 0) })
	if err == nil && len(results) > 0 {
		_, err = fmt.Fprintf(w, `embedded: SQLite and disk, no balancer. All of it shares this machine's %d cores: where busy is near 100%%, more
nodes share what there is, and the columns of CPU say who takes it; below, the wait is for the disk or for each other.
`, runtime.NumCPU())
	}
	return err
}

// printDirect turns the ratio round: how much of what is below is left above.
func printDirect(w io.Writer, results []result) error {
	err := printParts(w, directTable, "granary to it (min..max)", partNames(), results,
		func(r result, i int) string { return r.ratio(0, i) })
	if err == nil && len(results) > 0 {
		_, err = fmt.Fprintln(w, `S3 PUT: minio-go's PutObject with its defaults, signed: one PUT up to 16 MiB, above it parts of 16 MiB, four at once.
pgbench: what a node sends to record a publication, as PostgreSQL logged it, prepared, a connection for each client.`)
	}
	return err
}
