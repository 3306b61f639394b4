package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"granary/internal/client"
	"granary/internal/wire"
)

// check looks for what the server would refuse, before anything is sent.
func (p *push) check(ctx context.Context, files []pushed) error {
	if err := p.checkFit(files); err != nil {
		return err
	}
	if err := p.checkNames(ctx, files); err != nil {
		return err
	}
	project, err := p.client.Project(ctx, p.at.Project)
	if err != nil {
		return ctx.Err() // some tokens publish and may not look: publishing will tell
	}
	if most := project.GenericPackagesMaxFileSize; most != nil && *most > 0 {
		for _, f := range files {
			if f.Action == "upload" && f.Size > *most {
				return refused("%s has %d bytes, and %s takes %d at most; nothing was sent", f.source, f.Size, p.at.Project, *most)
			}
		}
	}
	if err := p.checkDuplicates(ctx, project, files); err != nil {
		return err
	}
	if p.dryRun {
		if err := p.checkRole(ctx); err != nil {
			return err
		}
	}
	return p.checkProtection(ctx, project, files)
}

// checkFit refuses new names that pull takes on no system, and tells of those that
// some system cannot have, or that cannot be beside what the package has.
func (p *push) checkFit(files []pushed) error {
	names, fresh := slices.Collect(maps.Keys(p.shelf.listed)), false
	for _, f := range files {
		if !f.fresh {
			continue
		}
		if why := unfit(f.Path); why != "" {
			return refused("%s would be %q in the package, which %s, so that pull would install nothing of it; nothing was sent", shortened(f.source.String()), shortened(f.Path), why)
		}
		names, fresh = append(names, f.Path), true
	}
	if !fresh || p.quiet {
		return nil
	}
	slices.Sort(names)
	for _, why := range []string{clash(names), strange("windows", names)} {
		if why != "" {
			p.env.notice("not everybody can install the whole package: it has %s", onOneLine(why))
		}
	}
	return nil
}

// checkDuplicates refuses what a project that takes no second file of a name would
// refuse after other files are sent. What the token cannot see, or the server does not
// have (GitLab tells no such setting here), is left to the publish.
func (p *push) checkDuplicates(ctx context.Context, project wire.Project, files []pushed) error {
	var names []string
	for _, f := range files {
		if f.Action == "upload" && f.beside {
			names = append(names, f.Path)
		}
	}
	if len(names) == 0 {
		return nil
	}
	var group struct {
		Allowed   *bool   `json:"generic_duplicates_allowed"`
		Exception *string `json:"generic_duplicate_exception_regex"`
	}
	allowed, exception := project.GenericDuplicatesAllowed, project.GenericDuplicateException
	if (allowed == nil || exception == nil) && project.Namespace.Kind == "group" {
		if err := p.client.Call(ctx, http.MethodGet, named("groups", project.Namespace.FullPath)+"?with_projects=false", nil, &group); err != nil {
			return ctx.Err()
		}
	}
	allowed, exception = cmp.Or(allowed, group.Allowed), cmp.Or(exception, group.Exception, new(string))
	if allowed == nil || *allowed != (matchesWhole(*exception, p.at.Name) || matchesWhole(*exception, p.at.Version)) {
		return nil
	}
	return refused("%s takes no second file of a name, and %s %s has other bytes under %s; nothing was sent\ngive the package a new version",
		p.at.Project, p.at.Name, p.at.Version, firstOf(names))
}

// matchesWhole is for exceptions: the empty one matches nothing.
func matchesWhole(expression, text string) bool {
	whole, err := regexp.Compile(`\A(?:` + expression + `)\z`)
	return err == nil && expression != "" && whole.MatchString(text)
}

// checkRole says what a publish would be told of the token. What the token cannot see
// of itself is left to the publish.
func (p *push) checkRole(ctx context.Context) error {
	if err := checkScope(ctx, p.client, "publishing"); err != nil {
		return err
	}
	if level, known := p.role(ctx); known && level < roles()["developer"] {
		return refused("publishing to %s would be refused: it takes the role of a developer, and yours is below", p.at.Project)
	}
	return ctx.Err()
}

// checkProtection refuses what a protection rule would: one that matches the name and
// takes a higher role for a push. Maintainers read the rules, so others are not asked
// for; what the token cannot see is left to the publish.
func (p *push) checkProtection(ctx context.Context, project wire.Project, files []pushed) error {
	sends := slices.ContainsFunc(files, func(f pushed) bool { return f.Action == "upload" })
	if level := ownLevel(project); !sends || 0 < level && level < roles()["maintainer"] {
		return nil
	}
	rules, err := p.client.ProtectionRules(ctx, p.at.Project)
	if err != nil {
		return ctx.Err()
	}
	rules = slices.DeleteFunc(rules, func(r wire.ProtectionRule) bool {
		return r.PackageType != "generic" || pushLevel(r) == 0 || !matchesPattern(r.PackageNamePattern, p.at.Name)
	})
	if len(rules) == 0 {
		return nil
	}
	level, known := p.role(ctx)
	strictest := slices.MaxFunc(rules, func(a, b wire.ProtectionRule) int { return cmp.Compare(pushLevel(a), pushLevel(b)) })
	if !known || level >= pushLevel(strictest) {
		return ctx.Err()
	}
	return refused("publishing %s to %s would be refused: Package protected. The rule %s takes the role %s, and yours is %s; nothing was sent",
		p.at.Name, p.at.Project, strictest.PackageNamePattern, *strictest.MinimumAccessLevelForPush, roleName(level))
}

// ownLevel is the role that the project itself tells the caller: 0 where it tells none.
// A role that a group lends to the project is not among it.
func ownLevel(project wire.Project) (level int) {
	if given := project.Permissions; given != nil {
		for _, a := range []*wire.AccessLevel{given.ProjectAccess, given.GroupAccess} {
			if a != nil {
				level = max(level, a.AccessLevel)
			}
		}
	}
	return level
}

// role is the caller's on the project, wherever it comes from. It is not known of who
// is no member or shows no user's token, nor of an administrator, who needs none.
func (p *push) role(ctx context.Context) (level int, known bool) {
	user, err := p.client.User(ctx)
	if err != nil || user.IsAdmin != nil && *user.IsAdmin {
		return 0, false
	}
	member, err := p.client.Member(ctx, p.at.Project, user.ID)
	return member.AccessLevel, err == nil && member.AccessLevel > 0
}

// pushLevel is the role that a rule takes for a push, 0 where it says none. Of
// administrators no role is known.
func pushLevel(r wire.ProtectionRule) int {
	const above = 60 // any role
	switch word := r.MinimumAccessLevelForPush; {
	case word == nil:
		return 0
	case *word == "admin":
		return above
	default:
		return roles()[*word]
	}
}

// matchesPattern compares a whole name with a rule's pattern, in which * is any run of
// characters, and case does not matter.
func matchesPattern(pattern, name string) bool {
	return matchesWhole("(?is)"+strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*"), name)
}

// checkNames asks the server whether it takes the names: it refuses to look for one
// that it would not take. Of names that are plain one speaks for all.
func (p *push) checkNames(ctx context.Context, files []pushed) error {
	var ask []*pushed
	asked := map[string]bool{}
	for i := range files {
		f := &files[i]
		kind := nameKind(f.Path)
		if f.fresh && !asked[kind] {
			asked[kind] = true
			ask = append(ask, f)
		}
	}
	wrong := make([]error, len(ask))
	err := parallel(ctx, cmp.Or(p.jobs, filesAtOnce), len(ask), func(ctx context.Context, i int) error {
		at := p.at
		at.Path = ask[i].Path
		err := p.client.Probe(ctx, at)
		if client.KindOf(err) == client.Refused {
			wrong[i] = fmt.Errorf("%s: %w", ask[i].source, err)
			return nil
		}
		if _, answered := errors.AsType[*client.Error](err); answered {
			return nil // the file is not there, or not for this token: publishing it will tell
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
	return fmt.Errorf("%w\nnothing was sent", errors.Join(wrong[:min(most, len(wrong))]...))
}

// nameKind is the same for names that every naming takes or refuses alike.
func nameKind(path string) string {
	odd := strings.ContainsFunc(path, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("._-/", r))
	})
	switch {
	case odd || len(path) > 255:
		return path
	case strings.Contains(path, "/"):
		return "/"
	}
	return ""
}
