package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"granary/internal/client"
	"granary/internal/wire"
)

// checks look, before the first byte, for what a project would refuse of the files
// that are due there: files of one version (push), or of several of a name (copy).
type checks struct {
	client  *client.Client
	project string
	name    string // of the package
	files   []due
	jobs    int
	dryRun  bool   // the token's scope and role are checked, too
	named   bool   // the server has accepted the name and its one version
	nothing string // what is said of a refusal's end: "nothing was sent"
}

// due is a file that is to be published.
type due struct {
	*planned
	at    client.Coordinates
	label string // what messages call it
}

// run returns nil if the checks found no fault.
func (c *checks) run(ctx context.Context) error {
	if len(c.files) == 0 {
		return nil
	}
	if err := c.checkNames(ctx); err != nil {
		return err
	}
	caller := caller{c.client, c.project}
	if c.dryRun {
		if err := caller.checkRole(ctx, "publishing to "+c.project, "developer"); err != nil {
			return err
		}
	}
	project, err := c.client.Project(ctx, c.project)
	if err != nil {
		return ctx.Err() // some tokens may publish but not read: publishing will show
	}
	if most := project.GenericPackagesMaxFileSize; most != nil && *most > 0 {
		for _, f := range c.files {
			if f.Size > *most {
				return refused("%s has %d bytes, and %s accepts %d at most; %s", f.label, f.Size, c.project, *most, c.nothing)
			}
		}
	}
	if err := c.checkDuplicates(ctx, project); err != nil {
		return err
	}
	least := func(r wire.ProtectionRule) *string { return r.MinimumAccessLevelForPush }
	if err := caller.checkRules(ctx, project, "publishing "+c.name+" to "+c.project, c.name, least); err != nil {
		return fmt.Errorf("%w; %s", err, c.nothing)
	}
	return nil
}

// checkDuplicates refuses what a project that accepts no duplicate files would refuse
// after other files are sent. If the token cannot see the setting, or the server does
// not show it (as GitLab), the publish decides.
func (c *checks) checkDuplicates(ctx context.Context, project wire.Project) error {
	beside := slices.DeleteFunc(slices.Clone(c.files), func(f due) bool { return !f.beside })
	if len(beside) == 0 {
		return nil
	}
	var group struct {
		Allowed   *bool   `json:"generic_duplicates_allowed"`
		Exception *string `json:"generic_duplicate_exception_regex"`
	}
	allowed, exception := project.GenericDuplicatesAllowed, project.GenericDuplicateException
	if (allowed == nil || exception == nil) && project.Namespace.Kind == "group" {
		if err := c.client.Call(ctx, http.MethodGet, named("groups", project.Namespace.FullPath)+"?with_projects=false", nil, &group); err != nil {
			return ctx.Err()
		}
	}
	allowed, exception = cmp.Or(allowed, group.Allowed), cmp.Or(exception, group.Exception, new(string))
	if allowed == nil {
		return nil
	}
	version, names := "", []string(nil) // of the first version that is refused
	for _, f := range beside {
		excepted := matchesWhole(*exception, c.name) || matchesWhole(*exception, f.at.Version)
		if *allowed == excepted && (names == nil || f.at.Version == version) {
			version, names = f.at.Version, append(names, f.Path)
		}
	}
	if names == nil {
		return nil
	}
	return refused("%s accepts no duplicate files, and %s %s has other bytes under %s; %s\ngive the package a new version",
		c.project, c.name, version, firstOf(names), c.nothing)
}

// matchesWhole is for exceptions: the empty one matches nothing.
func matchesWhole(expression, text string) bool {
	whole, err := regexp.Compile(`\A(?:` + expression + `)\z`)
	return err == nil && expression != "" && whole.MatchString(text)
}

// checkNames asks the server whether it takes the names: it refuses to look for one
// that it would not take. Of names that are plain one speaks for all.
func (c *checks) checkNames(ctx context.Context) error {
	var ask []due
	asked := map[string]bool{}
	if c.named { // then it accepts a plain path as well
		asked["version "+versionKind(c.files[0].at.Version)], asked["path "] = true, true
	}
	for _, f := range c.files {
		version, path := "version "+versionKind(f.at.Version), "path "+pathKind(f.Path)
		if f.fresh && !(asked[version] && asked[path]) {
			asked[version], asked[path] = true, true
			ask = append(ask, f)
		}
	}
	wrong := make([]error, len(ask))
	err := parallel(ctx, cmp.Or(c.jobs, filesAtOnce), len(ask), func(ctx context.Context, i int) error {
		err := c.client.Probe(ctx, ask[i].at)
		if client.KindOf(err) == client.Refused {
			wrong[i] = fmt.Errorf("%s: %w", ask[i].label, err)
			return nil
		}
		if _, answered := errors.AsType[*client.Error](err); answered {
			return nil // the file does not exist, or is not visible to this token: publishing will show
		}
		return err
	})
	if err != nil {
		return err
	}
	wrong = slices.DeleteFunc(wrong, func(err error) bool { return err == nil })
	if len(wrong) == 0 {
		return nil
	}
	const most = 5
	return fmt.Errorf("%w\n%s", errors.Join(wrong[:min(most, len(wrong))]...), c.nothing)
}

// pathKind is the same for paths that every naming takes or refuses alike.
func pathKind(path string) string {
	odd := strings.ContainsFunc(path, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-/", r))
	})
	steps := slices.ContainsFunc(strings.Split(path, "/"), func(p string) bool { return p == "" || p == "." || p == ".." })
	switch {
	case odd || steps || len(path) > 255:
		return path
	case strings.Contains(path, "/"):
		return "/"
	}
	return ""
}

// versionKind is the same for versions that every naming takes: X.Y.Z.
func versionKind(version string) string {
	parts := strings.Split(version, ".")
	odd := slices.ContainsFunc(parts, func(p string) bool { return p == "" || len(p) > 9 || strings.Trim(p, "0123456789") != "" })
	if len(parts) == 3 && !odd {
		return ""
	}
	return version
}
