package api

import (
	"net/http"
	"strconv"
	"strings"

	"granary/internal/access"
	"granary/internal/fault"
	"granary/internal/registry"
	"granary/internal/wire"
)

// getPackageVersion answers with a version and its files. The address may have a selector.
func getPackageVersion(c *call) error {
	v, err := c.findVersion()
	if err != nil {
		return err
	}
	if v.Selected {
		c.saysVersion(string(v.Version), c.versionURL(v.PackageVersion))
	}
	return c.wholeVersion(http.StatusOK, v)
}

// listNameVersions answers with a page of the versions of a name.
func listNameVersions(c *call) error {
	after, err := c.versionCursor()
	if err != nil {
		return err
	}
	all, err := c.s.Registry.ListNameVersions(c.r.Context(), c.actor, c.ref, c.raw.Name, after, c.refused)
	if err != nil {
		return err
	}
	w := wire.NameVersions{Name: string(all.Name), ProjectID: all.ProjectID, Channels: []wire.Channel{}, Versions: []wire.NameVersion{}}
	for _, channel := range all.Channels {
		w.Channels = append(w.Channels, c.channelRow(channel))
	}
	for _, v := range all.Versions {
		w.Versions = append(w.Versions, c.nameVersion(v))
	}
	if all.Next != nil {
		q := c.openQuery()
		q.Set("cursor", strconv.FormatInt(all.Next.ID, 10)+":"+string(all.Next.Version))
		if err := c.setNextAt(c.nameURL(all.ProjectID, all.Name), q); err != nil {
			return err
		}
	}
	return c.ok(w)
}

// maxCursor is how many characters a cursor may have: an id, a colon and a version.
const maxCursor = 300

// versionCursor reads the parameter cursor, which the Link header of a page has.
func (c *call) versionCursor() (*registry.VersionCursor, error) {
	c.readQuery()
	text := c.params.upTo(maxCursor).str("cursor")
	if err := c.params.err(); err != nil || text == "" {
		return nil, err
	}
	number, version, ok := strings.Cut(text, ":")
	id, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || id <= 0 || badText(version) {
		return nil, fault.New(fault.Invalid, "cursor is invalid, want one of a Link header")
	}
	return &registry.VersionCursor{ID: id, Version: registry.Version(version)}, nil
}

// editPackageVersion yanks, deprecates or hides a version, or undoes that.
func editPackageVersion(c *call) error {
	if err := c.noTag(); err != nil {
		return err
	}
	p := c.params.upTo(registry.MaxReason)
	edit := registry.VersionEdit{Yanked: p.optionalBoolean("yanked"), Reason: p.given("reason"), Deprecated: p.optional("deprecated")}
	if edit.Deprecated != nil && *edit.Deprecated == "false" { // JSON false, as for yanked
		edit.Deprecated = new("")
	}
	if status := registry.Status(p.choice("status", "default", "hidden")); status != "" {
		edit.Status = &status
	}
	if err := p.err(); err != nil {
		return err
	}
	v, err := c.s.Registry.EditVersion(c.r.Context(), c.actor, c.ref, c.raw, edit)
	if err != nil {
		return err
	}
	return c.wholeVersion(http.StatusOK, v)
}

// noTag is Precondition if a request requires an entity tag of a version: it has none.
func (c *call) noTag() error {
	if tag := header(c.r.Header, "If-Match"); tag != "" && tag != "*" {
		return fault.New(fault.Precondition, "a version has no ETag")
	}
	return nil
}

// deletePackageVersion removes a version, or with status=draft a draft alone.
func deletePackageVersion(c *call) error {
	if err := c.noTag(); err != nil {
		return err
	}
	draft := c.params.choice("status", "draft") != ""
	if _, sent := c.params.values["status"]; sent && !draft { // an empty variable in a script
		c.params.fail("status is empty, want draft, or no status to delete the published version")
	}
	if err := c.params.err(); err != nil {
		return err
	}
	if draft {
		if err := c.s.Registry.DiscardDraft(c.r.Context(), c.actor, c.ref, c.raw); err != nil {
			return err
		}
		return c.noContent()
	}
	if c.actor.Kind == access.DeployToken { // it counts for drafts alone, as in the Packages API
		c.actor = access.Actor{}
	}
	if err := c.s.Registry.DeleteVersion(c.r.Context(), c.actor, c.ref, c.raw, unmodifiedSince(c.r)); err != nil {
		return err
	}
	return c.noContent()
}

// setChannel makes a channel lead to a version. If-Match has the version, in quotes, that
// it must lead to now, or "*" for any; "If-None-Match: *" wants a new channel.
func setChannel(c *call) error {
	move := registry.ChannelMove{Version: c.params.required("version")}
	if err := c.params.err(); err != nil {
		return err
	}
	move.OnlyNew = header(c.r.Header, "If-None-Match") == "*"
	if tag := header(c.r.Header, "If-Match"); tag == "*" {
		move.If = &tag
	} else if tag != "" {
		version, quoted := strings.CutPrefix(tag, `"`)
		version, ended := strings.CutSuffix(version, `"`)
		if !quoted || !ended || version == "" || strings.ContainsAny(version, `", `) {
			return fault.New(fault.Refused, `If-Match is invalid: want the channel's present version in quotes, such as "1.4.1"`)
		}
		move.If = &version
	}
	v, isNew, err := c.s.Registry.MoveChannel(c.r.Context(), c.actor, c.ref, c.raw, move)
	if err != nil {
		return err
	}
	if isNew {
		return c.wholeVersion(http.StatusCreated, v)
	}
	return c.wholeVersion(http.StatusOK, v)
}

func removeChannel(c *call) error {
	if err := c.s.Registry.RemoveChannel(c.r.Context(), c.actor, c.ref, c.raw, ""); err != nil {
		return err
	}
	return c.noContent()
}

// wholeVersion answers with a version. The files are written one by one.
func (c *call) wholeVersion(status int, v registry.WholeVersion) error {
	at, query := c.versionURL(v.PackageVersion), ""
	if v.Status == registry.StatusDraft {
		query = draftQuery
	}
	a, err := c.begin(status, int64(len(v.Files))*int64(len(at)+fileRowSize))
	if err != nil {
		return err
	}
	w := wire.WholeVersion{
		NameVersion: c.nameVersion(v.PackageVersion), Size: v.Size(), FilesCount: len(v.Files), Files: []wire.VersionFile{},
		Links: wire.VersionLinks{
			Sums: at + "/@SHA256SUMS" + query, Tar: at + "/@all.tar" + query, Zip: at + "/@all.zip" + query, TarZstd: at + "/@all.tar.zst" + query,
		},
	}
	return a.run(func() error {
		return a.assemble(w, part{`"files":[`, func() error {
			comma := ""
			for _, f := range v.Files {
				a.raw(comma)
				comma = ","
				path := f.Name.Path()
				err := a.value(wire.VersionFile{Path: path, Size: f.Size, SHA256: f.Digest.String(), URL: at + "/" + escapedPath(path) + query})
				if err != nil {
					return err
				}
			}
			return nil
		}})
	})
}

// fileRowSize is about how many bytes a file's row has besides the address of its
// version.
const fileRowSize = 200

func (c *call) nameVersion(v registry.PackageVersion) wire.NameVersion {
	w := wire.NameVersion{
		Name: string(v.Name), Version: string(v.Version), ProjectID: v.ProjectID, PackageID: v.ID, Status: string(v.Status),
		CreatedAt: wire.Time(v.CreatedAt), UpdatedAt: wire.Time(v.UpdatedAt), FinalAt: wire.OptionalTime(v.FinalAt), ExpiresAt: wire.OptionalTime(c.s.Registry.ExpiresAt(v)),
		Yanked: v.YankedAt != nil, YankReason: wire.OptionalText(v.YankReason), Deprecated: wire.OptionalText(v.Deprecation),
		Channels: append([]string{}, v.Channels...), Pipeline: c.pipeline(v.Pipeline), URL: c.versionURL(v),
	}
	if v.Status == registry.StatusDraft {
		w.URL += draftQuery
	}
	if v.Manifest != nil {
		w.ManifestSHA256 = new(v.Manifest.String())
	}
	if v.Creator != "" {
		w.By = &wire.VersionAuthor{UserID: v.CreatorID, Username: v.Creator}
	}
	return w
}

func (c *call) channelRow(channel registry.Channel) wire.Channel {
	return wire.Channel{
		Name: channel.Name, Version: string(channel.Version), MovedAt: wire.Time(channel.MovedAt),
		URL: c.nameURL(channel.ProjectID, channel.Package) + "/@" + channel.Name,
	}
}

// nameURL is the address of a package's versions.
func (c *call) nameURL(projectID int64, name registry.Name) string {
	return c.base() + prefix + "/projects/" + strconv.FormatInt(projectID, 10) + "/packages/generic/" + escapedPath(string(name))
}

// versionURL is the exact address of a version.
func (c *call) versionURL(v registry.PackageVersion) string {
	return c.nameURL(v.ProjectID, v.Name) + "/" + escapedPath(string(v.Version))
}

// escapedPath escapes every byte of a path that is not unreserved (RFC 3986), but for the
// slashes: proxies treat the others differently.
func escapedPath(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = extValue(parts[i])
	}
	return strings.Join(parts, "/")
}
