package daemon

import (
	"context"
	"slices"
	"strings"
	"time"

	"granary/internal/config"
	"granary/internal/httpd"
	"granary/internal/ui"
)

// servePages puts the pages behind the API, unless the settings leave them out.
func (s *server) servePages(cfg config.Config, version string) error {
	if !cfg.Pages {
		return nil
	}
	pages := &ui.Server{
		Auth: s.auth, Projects: s.projects, Registry: s.registry, Releases: s.api.Releases, Audit: s.audit, Hooks: s.webhooks,
		Instance: &instance{s, cfg}, ExternalURL: cfg.ExternalURL, Version: version, Now: time.Now,
		Base: s.api.Base, Note: httpd.Note, ClientIP: httpd.ClientIP, Rates: s.api.Rates,
	}
	handler, err := pages.Handler()
	if err != nil {
		return err
	}
	s.api.Pages = handler
	s.api.Session = pages.Session
	return nil
}

// instance is what administrators see of this process, for the pages.
type instance struct {
	s   *server
	cfg config.Config
}

// Tasks implements ui.Instance.
func (i *instance) Tasks() (all []ui.Task) {
	for name, run := range i.s.tasks.lastRuns() {
		all = append(all, ui.Task{Name: name, Last: run.ended, Took: run.took.Round(time.Millisecond), Failure: run.failure})
	}
	slices.SortFunc(all, func(a, b ui.Task) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Health implements ui.Instance.
func (i *instance) Health(ctx context.Context) []ui.Part {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	part := func(name string, err error) ui.Part {
		if err != nil {
			return ui.Part{Name: name, Text: err.Error()}
		}
		return ui.Part{Name: name, Healthy: true}
	}
	return []ui.Part{
		part("database", i.s.looks.database.ask(ctx, i.s.db.Ping)),
		part("store", i.s.looks.blobs.ask(ctx, i.s.findNothing)),
		part("disk", i.s.space.full(ctx)),
	}
}

// Settings implements ui.Instance.
func (i *instance) Settings() (all []ui.Setting) {
	for _, s := range i.cfg.Settings() {
		all = append(all, ui.Setting{Name: s.Name, Value: s.Value, From: s.From, Secret: s.Secret})
	}
	return all
}

// Nodes implements ui.Instance.
func (i *instance) Nodes(ctx context.Context) (all []ui.Node, err error) {
	found, err := i.s.db.Nodes(ctx)
	for _, n := range found {
		all = append(all, ui.Node{ID: n.ID, Version: n.Version, Seen: time.Now().Add(-max(n.Unseen, 0)), Upkeep: n.ID == i.s.db.NodeID() && i.s.tasks.leading()})
	}
	return all, err
}
