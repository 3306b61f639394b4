package ui

import (
	"cmp"
	"net/url"
	"strconv"

	"granary/internal/fault"
	"granary/internal/registry"
)

// deletePage is the data of the page that says what a deletion does.
type deletePage struct {
	registry.Consequences
	What     string // "sonde 2.4.1"
	Draft    bool   // a draft is discarded, which nobody misses
	Expect   string // to type; "" if the button is enough
	Back     string
	Action   string
	IDs      []int64
	Name     string
	Package  string // of which something is deleted
	FileID   int64
	Until    int64 // when the newest of the versions was changed, in microseconds
	Shared   []link
	Refusals []string
}

// doomed is what the address, or the form, wants to delete.
func doomed(q url.Values) (d registry.Doomed, err error) {
	d.Name = registry.Name(q.Get("name"))
	for _, text := range q["ids"] {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil || id <= 0 {
			return d, fault.New(fault.Invalid, "ids must be numbers of versions")
		}
		d.IDs = append(d.IDs, id)
	}
	if text := q.Get("file"); text != "" {
		if d.FileID, err = strconv.ParseInt(text, 10, 64); err != nil || d.FileID <= 0 {
			return d, fault.New(fault.Invalid, "file must be the number of a file")
		}
	}
	if d.Name == "" && len(d.IDs) == 0 {
		return d, fault.New(fault.Invalid, "Choose at least one version")
	}
	return d, nil
}

func showDelete(v *visit) error {
	d, err := doomed(v.r.URL.Query())
	if err != nil {
		return err
	}
	return v.showDelete(d)
}

// showDelete says what deleting does, before anything is deleted.
func (v *visit) showDelete(d registry.Doomed) error {
	c, err := v.s.Registry.Consequences(v.r.Context(), v.actor, number(v.project.ID), d)
	if err != nil {
		return err
	}
	full := v.project.FullPath
	p := deletePage{
		Consequences: c, IDs: d.IDs, Name: string(d.Name), Package: string(c.Versions[0].Name), FileID: d.FileID, Until: until(c),
		Action: v.s.in(full, "packages", "delete"), Back: v.s.in(full, "packages", "generic", string(c.Versions[0].Name)),
	}
	first := c.Versions[0]
	p.Draft = len(c.Versions) == 1 && first.Status == registry.StatusDraft && d.FileID == 0
	switch {
	case d.FileID != 0:
		p.What = "a file of " + string(first.Name) + " " + string(first.Version)
	case d.Name != "":
		p.What, p.Expect = string(d.Name), string(d.Name)
	case len(c.Versions) == 1:
		p.What = string(first.Name) + " " + string(first.Version)
		p.Back = v.s.in(full, "packages", "generic", string(first.Name), string(first.Version))
	default:
		p.What = plural(int64(len(c.Versions)), "version", "versions") + " of " + string(first.Name)
	}
	for _, s := range c.Stored.Shared {
		p.Shared = append(p.Shared, link{string(s.Name) + " " + string(s.Version), v.s.in(full, "packages", "generic", string(s.Name), string(s.Version))})
	}
	for _, r := range c.Refused {
		p.Refusals = append(p.Refusals, string(r.Name)+" "+string(r.Version)+": "+r.Why)
	}
	return v.show(screen{name: "delete", title: "Delete " + p.What, tab: "packages", crumbs: v.packageCrumbs(), data: p})
}

// until is when the newest of the versions was changed, so that the form deletes no more
// than its page showed.
func until(c registry.Consequences) (newest int64) {
	for _, k := range c.Versions {
		newest = max(newest, k.UpdatedAt.UnixMicro())
	}
	return newest
}

// deletePackages deletes what the page showed, unless it changed meanwhile.
func deletePackages(v *visit) error {
	d, err := doomed(v.form.values)
	if err != nil {
		return err
	}
	ctx, project := v.r.Context(), number(v.project.ID)
	again := func(v *visit) error { return v.showDelete(d) }
	if d.Name != "" && v.form.values.Get("confirm") != string(d.Name) {
		return v.again(again, fault.Field("confirm", "is not "+string(d.Name)))
	}
	c, err := v.s.Registry.Consequences(ctx, v.actor, project, d)
	if err != nil {
		return err
	}
	if strconv.FormatInt(until(c), 10) != v.sent("until") || strconv.Itoa(len(c.Versions)) != v.sent("count") {
		return v.again(again, fault.New(fault.Precondition, ""))
	}
	if d.FileID != 0 {
		k := c.Versions[0]
		if err := v.s.Registry.DeletePackageFile(ctx, v.actor, project, k.ID, d.FileID, nil); err != nil {
			return v.again(again, err)
		}
		return v.see(v.s.in(v.project.FullPath, "packages", "generic", string(k.Name), string(k.Version)), "deleted")
	}
	for i, k := range c.Versions {
		err := v.s.Registry.DeletePackage(ctx, v.actor, project, k.ID, k.Shown())
		if err != nil && !absent(err) {
			return v.stopped(again, i, len(c.Versions), k, err)
		}
	}
	return v.see(v.s.in(v.project.FullPath, "packages"), "deleted")
}

// stopped says how far a deletion of several versions came.
func (v *visit) stopped(again func(*visit) error, done, all int, k registry.Package, err error) error {
	e, ok := fault.As(err, fault.KindOf(err))
	if done == 0 || !ok {
		return v.again(again, err)
	}
	why := cmp.Or(e.Msg, "it changed while you looked")
	return fault.Wrap(fault.Unprocessable, strconv.Itoa(done)+" of "+strconv.Itoa(all)+" versions are deleted. "+string(k.Version)+" is not: "+why, err)
}
