package api

import (
	"iter"
	"net/http"
	"strconv"
	"time"

	"granary/internal/page"
	"granary/internal/registry"
	"granary/internal/wire"
)

// packageType is the only type of packages here.
const packageType = "generic"

func packageTypes() []string {
	return []string{"maven", "npm", "conan", "nuget", "pypi", "composer", packageType, "golang", "debian", "rubygems",
		"helm", "terraform_module", "rpm", "ml_model"}
}

// packageFilter reads the filter of a list, and which page.
func (c *call) packageFilter(orders ...string) (f registry.PackageFilter, ask page.Request, err error) {
	p := c.params
	if t := p.choice("package_type", packageTypes()...); t != "" && t != packageType {
		f.None = true
	}
	f.Version = registry.Version(p.str("package_version"))
	f.Status = registry.Status(p.choice("status", "default", "hidden", "processing", "error", "pending_destruction", "deprecated", "draft"))
	p.boolean("include_versionless") // every package here has a version
	ask = c.page(false, append([]string{"created_at", "name", "version", "type", registry.BySemver}, orders...)...)
	if f.Name, err = registry.ParseNameFilter(p.str("package_name")); err != nil {
		p.fail(err.Error())
	}
	if ask.OrderBy == registry.BySemver && len(f.Name.Terms) == 0 {
		p.fail("order_by=semver needs package_name")
	}
	return f, ask, p.err()
}

func listPackages(c *call) error {
	f, ask, err := c.packageFilter()
	if err != nil {
		return err
	}
	found, err := c.s.Registry.ListPackages(c.r.Context(), c.actor, c.path("id"), f, ask)
	return listed(c, ask, found, err, c.packageRow)
}

func listGroupPackages(c *call) error {
	f, ask, err := c.packageFilter("project_path")
	below := !c.params.boolean("exclude_subgroups")
	if err == nil {
		err = c.params.err()
	}
	if err != nil {
		return err
	}
	found, err := c.s.Registry.GroupPackages(c.r.Context(), c.actor, c.path("id"), below, f, ask)
	return listed(c, ask, found, err, func(p registry.Package) wire.Package {
		w := c.packageRow(p)
		w.ProjectID, w.ProjectPath = p.ProjectID, p.ProjectPath
		return w
	})
}

func getPackage(c *call) error {
	id, err := c.id("package_id")
	if err != nil {
		return err
	}
	p, others, err := c.s.Registry.Package(c.r.Context(), c.actor, c.path("id"), id)
	if err != nil {
		return err
	}
	a, err := c.begin(http.StatusOK, 0)
	if err != nil {
		return err
	}
	return a.run(func() error {
		w := c.packageRow(p)
		w.Versions = &[]wire.PackageVersion{}
		return a.assemble(w, part{`"versions":[`, func() error { return c.versions(a, others) }})
	})
}

// versions adds versions as they are read. If there are many, it reserves memory before
// it reads on.
func (c *call) versions(a *answerWriter, others iter.Seq2[[]registry.Package, error]) error {
	comma := ""
	for found, err := range others {
		if err != nil {
			return err
		}
		for _, o := range found {
			a.raw(comma)
			comma = ","
			err := a.value(wire.PackageVersion{
				ID: o.ID, Version: string(o.Version), CreatedAt: wire.Time(o.CreatedAt), Tags: []struct{}{}, Pipeline: c.pipeline(o.Pipeline),
			})
			if err != nil {
				return err
			}
		}
		if err := a.flush(smallAnswer); err != nil {
			return err
		}
	}
	return nil
}

func deletePackage(c *call) error {
	id, err := c.id("package_id")
	if err != nil {
		return err
	}
	if err := c.s.Registry.DeletePackage(c.r.Context(), c.actor, c.path("id"), id, unmodifiedSince(c.r)); err != nil {
		return err
	}
	return c.noContent()
}

// unmodifiedSince is the precondition of a removal (RFC 9110 13.1.4), nil if none was
// sent. A malformed date is ignored.
func unmodifiedSince(r *http.Request) *time.Time {
	t, err := http.ParseTime(r.Header.Get("If-Unmodified-Since"))
	if err != nil {
		return nil
	}
	return &t
}

func (c *call) packageRow(p registry.Package) wire.Package {
	w := wire.Package{
		ID: p.ID, Name: string(p.Name), Version: string(p.Version), PackageType: packageType, Status: string(p.Status),
		CreatedAt: wire.Time(p.CreatedAt), LastDownloadedAt: wire.OptionalTime(p.LastDownloadedAt), Downloads: p.Downloads, Tags: []struct{}{},
		Pipeline: c.pipeline(p.Pipeline),
	}
	id := strconv.FormatInt(p.ID, 10)
	if p.Status.Shown() {
		w.Links.WebPath = pathOf(c.base()) + "/" + p.ProjectPath + "/-/packages/" + id
	}
	if p.MayDelete {
		w.Links.DeleteAPIPath = c.base() + prefix + "/projects/" + strconv.FormatInt(p.ProjectID, 10) + "/packages/" + id
	}
	if p.CreatorID != 0 {
		w.CreatorID = &p.CreatorID
	}
	if p.Pipeline != nil {
		w.Pipelines = &[]struct{}{}
	}
	return w
}
