package registry

import (
	"context"
	"errors"
	"strings"

	"granary/internal/access"
	"granary/internal/fault"
)

// What one release may make final: drafts, and their files together. They are one
// transaction, for which others wait.
const (
	MostFinals     = 100
	MostFinalFiles = 20_000
)

// Finals are the drafts that a release makes final: all of its versions in a project. If
// one of them cannot become final, none does, and there is no release.
type Finals struct {
	Versions []Version
	Judge    Judge
}

// ReleaseFinals returns what the release of a tag makes final: the drafts of version V, if
// the tag is V or vV. It returns nil for none: the project has another setting of drafts, or
// no packages. The drafts are judged when the release is made, as the actor.
func (r *Registry) ReleaseFinals(ctx context.Context, a access.Actor, project, tag string) (*Finals, error) {
	p, err := r.enter(ctx, a, project, access.PublishRelease, door{noun: "Project", jobs: true, follows: true})
	if err != nil {
		return nil, err
	}
	if r.draftMode(p) != DraftsAtRelease || !p.FlagOn || p.Standing.Packages == access.PackagesDisabled {
		return nil, nil
	}
	all := []Version{Version(tag)}
	if version, ok := strings.CutPrefix(tag, "v"); ok {
		all = append(all, Version(version))
	}
	judge := r.judgeOf(a, p, FinaliseOptions{})
	return &Finals{all, func(v PackageVersion, files []VersionFile) (Final, error) {
		if err := r.maySettle(a, p, v.Name, access.FinalisePackage); err != nil {
			return Final{}, err
		}
		return judge(v, files)
	}}, nil
}

// ReleaseTags are the two tags of which a release makes the drafts of a version final; empty
// ones are none.
type ReleaseTags [2]string

func releaseTags(v Version) ReleaseTags { return ReleaseTags{string(v), "v" + string(v)} }

// Refusal is the fault of a release that would have made v final, for err.
func (f Finals) Refusal(v PackageVersion, err error) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Kind == fault.Unavailable || e.Kind == fault.Internal {
		return err
	}
	text := "the release would make the draft " + v.words() + " final: " + strings.TrimPrefix(e.Msg, conflictWords)
	if e.Kind == fault.Conflict {
		text = conflictWords + text
	}
	return fault.Wrap(e.Kind, text, err)
}

// TooManyFinals is the fault of a release with more than MostFinals or MostFinalFiles.
func TooManyFinals() error {
	return fault.New(fault.Unprocessable, "the release would make more than 100 drafts or 20000 files final; finalise some of the drafts before")
}
