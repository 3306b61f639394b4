package projects

import (
	"slices"
	"strings"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/naming"
)

// DraftMode is a project's generic_package_drafts: when a publish makes a draft. Package
// registry knows what each means.
type DraftMode string

// DraftModes are the modes that a project may have.
func DraftModes() []DraftMode { return []DraftMode{"on_request", "always", "release", "job"} }

// Finalisers are the values of generic_package_finalisers.
func Finalisers() []access.Finalisers {
	return []access.Finalisers{access.Publishers, access.Maintainers, access.People}
}

func checkProject(p Project) error {
	if err := checkName(p.Name); err != nil {
		return err
	}
	if err := checkPath(p.Path); err != nil {
		return err
	}
	if err := checkDescription(p.Description); err != nil {
		return err
	}
	if len(p.DefaultBranch) > maxName || strings.ContainsFunc(p.DefaultBranch, isControl) {
		return fault.Field("default_branch", "must be one line of at most 255 characters")
	}
	if p.Naming != nil && *p.Naming != naming.Strict && *p.Naming != naming.Relaxed {
		return fault.New(fault.Invalid, "generic_package_naming does not have a valid value")
	}
	if p.Drafts != nil && !slices.Contains(DraftModes(), *p.Drafts) {
		return fault.New(fault.Invalid, "generic_package_drafts does not have a valid value")
	}
	if p.Finalisers != nil && !slices.Contains(Finalisers(), *p.Finalisers) {
		return fault.New(fault.Invalid, "generic_package_finalisers does not have a valid value")
	}
	if p.MaxFileSize != nil && *p.MaxFileSize < 0 {
		return fault.Field("generic_packages_max_file_size", "must be greater than or equal to 0")
	}
	if len(p.Topics) > 20 || slices.ContainsFunc(p.Topics, badTopic) {
		return fault.Field("topics", "can have at most 20 entries, each of at most 255 characters without commas or line breaks")
	}
	return naming.CheckException(p.Duplicates.Exception)
}

func badTopic(t string) bool {
	return t == "" || len(t) > 255 || slices.ContainsFunc([]rune(t), func(r rune) bool { return isControl(r) || r == ',' })
}

// taken is GitLab's answer to a path that is taken.
func taken(err error) error {
	if !fault.Is(err, fault.Conflict) {
		return err
	}
	return &fault.Error{Kind: fault.Rejected, Fields: map[string][]string{
		"name": {"has already been taken"},
		"path": {"has already been taken"},
	}}
}
