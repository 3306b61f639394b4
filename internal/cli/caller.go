package cli

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"

	"granary/internal/client"
	"granary/internal/wire"
)

// caller is the owner of the token, as a project sees it. It says whether an operation
// there, such as "deleting in acme/tools", would be refused. What the token cannot see
// is left to the operation.
type caller struct {
	client  *client.Client
	project string
}

// checkRole refuses a caller without a token, with a scope that is too small, or with
// a role below least.
func (c caller) checkRole(ctx context.Context, deed, least string) error {
	if c.client.Credential().Kind() == "" {
		return refused("%s would be refused: %w", deed, nobodyError{c.client.Server()})
	}
	if token, err := c.client.Token(ctx); err == nil && !slices.Contains(token.Scopes, "api") {
		return refused("%s would be refused: it needs a token with the scope api, and this one has %s", deed, strings.Join(token.Scopes, ", "))
	}
	if level, known := c.role(ctx); known && level < roles()[least] {
		return refused("%s would be refused: it needs the role %s, and yours is %s", deed, least, roleName(level))
	}
	return ctx.Err()
}

// role is the caller's role on the project, from the project or a group. It is not
// known if the caller is no member, has no user's token, or is an administrator, who
// needs no role.
func (c caller) role(ctx context.Context) (level int, known bool) {
	user, err := c.client.User(ctx)
	if err != nil || user.IsAdmin != nil && *user.IsAdmin {
		return 0, false
	}
	member, err := c.client.Member(ctx, c.project, user.ID)
	return member.AccessLevel, err == nil && member.AccessLevel > 0
}

// checkRules refuses what a protection rule would refuse: a rule that matches the name
// and requires a higher role, which least returns. Only maintainers can read the rules,
// so others do not ask.
func (c caller) checkRules(ctx context.Context, project wire.Project, deed, name string, least func(wire.ProtectionRule) *string) error {
	if level := ownLevel(project); 0 < level && level < roles()["maintainer"] {
		return nil
	}
	rules, err := c.client.ProtectionRules(ctx, c.project)
	if err != nil {
		return ctx.Err()
	}
	rules = slices.DeleteFunc(rules, func(r wire.ProtectionRule) bool {
		return r.PackageType != "generic" || levelOf(least(r)) == 0 || !matchesPattern(r.PackageNamePattern, name)
	})
	if len(rules) == 0 {
		return nil
	}
	level, known := c.role(ctx)
	strictest := slices.MaxFunc(rules, func(a, b wire.ProtectionRule) int { return cmp.Compare(levelOf(least(a)), levelOf(least(b))) })
	if !known || level >= levelOf(least(strictest)) {
		return ctx.Err()
	}
	return refused("%s would be refused: Package protected. The rule %s requires the role %s, and yours is %s",
		deed, strictest.PackageNamePattern, *least(strictest), roleName(level))
}

// ownLevel is the caller's role that the project's answer has, 0 for none. It does not
// include a role from a group that the project is shared with.
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

// levelOf is the role that a word of a rule takes, 0 for no word. Of administrators no
// role is known.
func levelOf(word *string) int {
	const above = 60 // any role
	switch {
	case word == nil:
		return 0
	case *word == "admin":
		return above
	}
	return roles()[*word]
}

// matchesPattern compares a whole name with a rule's pattern, in which * is any run of
// characters, and case does not matter.
func matchesPattern(pattern, name string) bool {
	return matchesWhole("(?is)"+strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*"), name)
}

// readsNoLists reports whether the token cannot read lists but may still publish, as
// opposed to a project that does not exist: deploy tokens, and on some routes job
// tokens, get the answers of anonymous callers.
func (c caller) readsNoLists(err error) bool {
	kind := c.client.Credential().Kind()
	machine := kind == client.DeployToken("").Kind() || kind == client.JobToken("").Kind()
	return statusOf(err) == 403 || machine && (statusOf(err) == 401 || statusOf(err) == 404)
}
