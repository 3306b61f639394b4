package daemon

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"granary/internal/metadb"
	"granary/internal/registry"
)

// sizes shows how much is published, on the node that does the upkeep for all. A scrape reads
// what the task counters has summed last.
type sizes struct {
	bytes, files, versions *prometheus.GaugeVec // by state
}

// The states of what was published.
const (
	keptState    = "kept"
	trashedState = "trashed" // removed, and not purged yet
)

func newSizes() sizes {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: name, Help: help + ", by state: kept, trashed (removed, and not purged yet). Only on the node that runs the upkeep for all nodes.",
		}, []string{"state"})
	}
	return sizes{
		bytes:    gauge("granary_published_bytes", "Bytes of all files of packages, whoever else has the same bytes"),
		files:    gauge("granary_published_files", "Number of files of packages"),
		versions: gauge("granary_published_versions", "Number of versions of packages"),
	}
}

func (s sizes) collectors() []prometheus.Collector {
	return []prometheus.Collector{s.bytes, s.files, s.versions}
}

// sum shows what all projects keep now.
func (s sizes) sum(ctx context.Context, db *metadb.DB) error {
	u, err := db.InstanceSize(ctx)
	if err != nil {
		return err
	}
	for state, size := range map[string]registry.Size{keptState: u.Kept, trashedState: u.Trashed} {
		s.bytes.WithLabelValues(state).Set(float64(size.Bytes))
		s.files.WithLabelValues(state).Set(float64(size.Files))
		s.versions.WithLabelValues(state).Set(float64(size.Versions))
	}
	return nil
}

// forget ends what is shown: another node does the upkeep.
func (s sizes) forget() {
	for _, g := range []*prometheus.GaugeVec{s.bytes, s.files, s.versions} {
		g.Reset()
	}
}
