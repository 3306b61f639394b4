package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"granary/internal/access"
	"granary/internal/api"
	"granary/internal/auth"
	"granary/internal/blob"
	"granary/internal/config"
	"granary/internal/httpd"
	"granary/internal/metadb"
	"granary/internal/naming"
	"granary/internal/projects"
	"granary/internal/records"
	"granary/internal/registry"
	"granary/internal/releases"
	"granary/internal/sqldb"
	"granary/internal/throttle"
	"granary/internal/trail"
	"granary/internal/webhooks"
)

// server is the rooms, wired together.
type server struct {
	locks    []*os.File
	db       *metadb.DB
	blobs    store
	auth     *auth.Service
	projects *projects.Service
	registry *registry.Registry
	audit    *trail.Service
	webhooks *webhooks.Service
	api      *api.Server
	tasks    *tasks
	service  *service
	damage   *damage
	scrub    *scrub
	sizes    sizes
	backup   *lastBackup
	space    *space
	looks    struct{ database, blobs look }

	records      *recordKeeper
	recordsPoint func(point string) // crashPoints.records
}

// open takes the locks and opens what the settings name, creating what is
// missing.
func open(ctx context.Context, cfg config.Config, version string, log *slog.Logger, at crashPoints) (*server, error) {
	s := &server{tasks: newTasks(), service: newService(log), damage: newDamage(log), scrub: newScrub(cfg), sizes: newSizes(), backup: newLastBackup(cfg, log), records: newRecordKeeper(cfg), recordsPoint: at.records}
	var err error
	if s.space, err = newSpace(cfg); err != nil {
		return nil, err
	}
	if err := s.openStores(ctx, cfg, version, log, at); err != nil {
		return nil, errors.Join(err, s.release())
	}
	s.furnish(cfg, version)
	s.registry.Damaged = s.damage.tell
	if s.space.reserve != nil {
		s.registry.Full = s.space.reserve.isOut
	}
	return s, nil
}

// furnish builds the services on the database, and on the blobs if there are any.
func (s *server) furnish(cfg config.Config, version string) {
	rules := access.Rules{GuestsReadPackages: cfg.GuestsMayReadPackages, AnyonePulls: cfg.AllowAnyoneToPull}
	s.projects = &projects.Service{
		Records: s.db, Rules: rules, Now: time.Now,
	}
	s.auth = &auth.Service{
		Records: s.db, Places: s.projects, Rules: rules, Now: time.Now, Logins: throttle.NewLogins(time.Now),
	}
	s.registry = &registry.Registry{
		Records: s.db, Groups: s.projects, Blobs: s.blobs, Rules: rules, Naming: naming.Grammar(cfg.Naming),
		Drafts: registry.DraftMode(cfg.Drafts), DraftTTL: cfg.DraftTTL,
		MaxFileSize: cfg.MaxFileSize, InlineMax: cfg.InlineMax, Now: time.Now,
	}
	s.registry.Links, _ = s.blobs.(blob.Linker)
	s.audit = &trail.Service{Store: s.db, Places: s.projects, Rules: rules, Now: time.Now}
	s.webhooks = &webhooks.Service{
		Records: s.db, Places: s.projects, Rules: rules, Guard: webhooks.Guard{Allow: cfg.WebhookAllowNetworks}, Now: time.Now,
	}
	s.api = &api.Server{
		Auth: s.auth, Projects: s.projects, Registry: s.registry, Audit: s.audit,
		Releases:    &releases.Service{Store: s.db, Places: s.projects, Now: time.Now},
		ExternalURL: cfg.ExternalURL, Version: version, Note: httpd.Note, Redirect: redirect(cfg), ClientIP: httpd.ClientIP,
		Answers:     throttle.NewBudget(api.AnswersMemory, api.AnswersEach),
		Compression: throttle.NewBudget(api.CompressionMemory, api.CompressionEach),
		Bodies:      throttle.NewBudget(api.BodiesMemory, api.BodiesEach),
		Rates: auth.Rates{
			Anonymous:     throttle.New("throttle_unauthenticated_packages_api", throttle.Rate(cfg.RateLimitAnonymous), time.Now),
			Authenticated: throttle.New("throttle_authenticated_packages_api", throttle.Rate(cfg.RateLimitAuthenticated), time.Now),
			Writes:        throttle.New("throttle_writes", throttle.Rate(cfg.RateLimitWrites), time.Now),
		},
	}
}

func (s *server) openStores(ctx context.Context, cfg config.Config, version string, log *slog.Logger, at crashPoints) error {
	options := sqldb.Options{
		Node: version, CrashPoint: at.commit, Log: log, MaxConnections: cfg.DatabaseMaxConnections,
		Upgrading: s.service.upgrading,
		WhenLost:  func() string { return WayBack(s.records.written.Load()) },
	}
	if err := s.openDatabase(ctx, cfg, options); err != nil {
		return err
	}
	s.db.LimitCaches(cfg.CacheMemory)
	hasKey, err := s.useKeyThere(ctx, cfg)
	if err != nil {
		return err
	}
	if err := s.lookAtStore(ctx, cfg.Blobs); err != nil {
		return fmt.Errorf("cannot use the blob store: %w", err)
	}
	if cfg.Blobs.Scheme == "file" {
		if err := s.takeStore(cfg); err != nil { // a second time, if it was locked before
			return err
		}
	}
	if s.blobs, err = openBlobs(ctx, cfg, at); err != nil {
		return fmt.Errorf("cannot open the blob store: %w", err)
	}
	if err := s.checkStore(ctx, cfg.Blobs); err != nil {
		return fmt.Errorf("cannot use the blob store: %w", err)
	}
	newest, err := records.Newest(ctx, s.blobs)
	if err != nil {
		return fmt.Errorf("cannot use the blob store: %w", err)
	}
	s.records.written.Store(newest != 0)
	if !hasKey { // after the store: no key is made beside one that is refused
		if err := s.useNewKey(ctx, cfg); err != nil {
			return err
		}
	}
	if cfg.RecordsEvery == 0 {
		return nil
	}
	if err := refusePublic(ctx, cfg.Blobs, s.blobs); err != nil {
		return fmt.Errorf("%w, or set records-every to 0 and move its folder records away", err)
	}
	return nil
}

// openDatabase locks the directories that are this server's alone, and opens
// the database. Nodes that share a database may share the blobs' directory too.
func (s *server) openDatabase(ctx context.Context, cfg config.Config, o sqldb.Options) error {
	if cfg.Database.Scheme == "postgres" {
		if err := s.ownDirectory(cfg.DataDir, dataDirFlag); err != nil {
			return err
		}
		var err error
		s.db, err = metadb.OpenPostgres(ctx, cfg.Database.URL.Reveal(), o)
		if err != nil {
			return fmt.Errorf("cannot open the %w", err)
		}
		return nil
	}
	database, err := sqliteFile(cfg)
	if err != nil {
		return err
	}
	if err := s.ownDirectory(cfg.DataDir, dataDirFlag); err != nil {
		return err
	}
	if err := s.ownDirectory(filepath.Dir(database), databaseFlag(cfg)); err != nil {
		return err
	}
	if cfg.Blobs.Scheme == "file" && takenBefore(cfg.Blobs.Path, database) {
		if err := s.ownDirectory(cfg.Blobs.Path, blobsFlag(cfg)); err != nil {
			return err
		}
	}
	if err := logAlone(cfg); err != nil {
		return explainLost(ctx, cfg, err)
	}
	s.space.reserve = newReserve(filepath.Dir(database), cfg.DiskReserve, o.Log)
	s.space.reserve.keep()
	o.Reserve = s.space.reserve.draw
	if s.db, err = metadb.OpenSQLite(ctx, database, o); err != nil {
		return explainLost(ctx, cfg, fmt.Errorf("cannot open the %w", err))
	}
	return nil
}

// sqliteFile is where the database is. Two names of one file are one database:
// SQLite follows links too.
func sqliteFile(cfg config.Config) (string, error) {
	database, err := filepath.Abs(cfg.Database.Path)
	if err != nil {
		return "", fmt.Errorf("database %s: %w", cfg.Database, err)
	}
	if file, err := filepath.EvalSymlinks(database); err == nil {
		database = file
	}
	return database, nil
}

// ownDirectory makes a directory if it is missing, and keeps other servers away. by is what
// chooses it.
func (s *server) ownDirectory(dir, by string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the directory %s: %w; %s chooses another directory", dir, plain(err), by)
	}
	return s.lock(dir, by)
}

// takeStore keeps a rebuild or restore, and other servers but nodes of the same database, away
// from a directory of blobs.
func (s *server) takeStore(cfg config.Config) error {
	if cfg.Database.Scheme == "sqlite" {
		return s.ownDirectory(cfg.Blobs.Path, blobsFlag(cfg))
	}
	if err := os.MkdirAll(cfg.Blobs.Path, 0o700); err != nil {
		return fmt.Errorf("cannot make the directory %s: %w; %s chooses another directory", cfg.Blobs.Path, plain(err), blobsFlag(cfg))
	}
	return s.share(cfg.Blobs.Path, blobsFlag(cfg))
}

// release gives back what open took.
func (s *server) release() error {
	var err error
	if s.db != nil {
		err = s.db.Close()
	}
	if store, ok := s.blobs.(io.Closer); ok {
		err = errors.Join(err, store.Close())
	}
	return errors.Join(err, s.unlock())
}

// close records what was gathered in memory and lets go of the files.
func (s *server) close(log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s.flush(ctx, log)
	if err := s.release(); err != nil {
		log.Error("closing", "error", err)
	}
}

// plain strips the operation and the path that os puts before a reason.
func plain(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}

// reachable is the URL that people on this machine can call. With certificates by ACME it
// has a name that is in one.
func reachable(cfg config.Config, listening string) string {
	if cfg.ExternalURL != "" {
		return cfg.ExternalURL
	}
	scheme := cfg.Scheme() + "://"
	at, err := netip.ParseAddrPort(listening)
	switch {
	case err != nil:
		return scheme + listening
	case len(cfg.ACME) > 0:
		return scheme + withPort(cfg.ACME[0], at.Port())
	case at.Addr().IsUnspecified():
		return scheme + fmt.Sprintf("localhost:%d", at.Port())
	}
	return scheme + at.String()
}
