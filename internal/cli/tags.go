package cli

import (
	"context"
	"os/exec"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// versionFromTag is the tag that CI runs for, else git's tag of this commit.
func versionFromTag(ctx context.Context, env Env) (string, error) {
	tag := env.getenv("CI_COMMIT_TAG")
	var err error
	if tag == "" {
		if tag, err = tagOfCommit(ctx, env); err == nil && tag == "" {
			err = usagef("CI_COMMIT_TAG is not set, and git knows no tag of this commit")
		}
	}
	if err != nil {
		return "", usagef("--version-from-tag: %w", err)
	}
	return withoutV(tag), nil
}

// tagOfCommit is git's tag of this commit, "" if there is none. Of several it is the
// highest version, and a notice says so; if none is a version, it is the tag of git
// describe, with an error.
func tagOfCommit(ctx context.Context, env Env) (string, error) {
	tags := strings.Fields(git(ctx, env, "tag", "--points-at", "HEAD"))
	if len(tags) <= 1 {
		return strings.Join(tags, ""), nil
	}
	var highest *semver.Version
	tag := ""
	for _, t := range tags {
		if v, err := semver.NewVersion(withoutV(t)); err == nil && (highest == nil || v.GreaterThan(highest)) {
			highest, tag = v, t
		}
	}
	if highest == nil {
		tag = git(ctx, env, "describe", "--tags", "--exact-match", "HEAD")
		return tag, usagef("this commit has the tags %s, and none is a version", strings.Join(tags, ", "))
	}
	env.notice("this commit has the tags %s; %s is taken", strings.Join(tags, ", "), tag)
	return tag, nil
}

func withoutV(tag string) string {
	if len(tag) > 1 && tag[0] == 'v' && tag[1] >= '0' && tag[1] <= '9' {
		return tag[1:]
	}
	return tag
}

// git is what git prints, "" if it fails.
func git(ctx context.Context, env Env, args ...string) string {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Env = withoutSecrets(env.Environ)
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
