package deliver

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"granary/internal/webhooks"
	"granary/internal/wire"
)

// payload is the body for an event. base is the server's own address.
func payload(e webhooks.Event, base string) (string, error) {
	p := e.Project
	web := base + "/" + p.FullPath
	body := wire.PackageHook{
		ObjectKind: "package", EventName: eventName(e.Action),
		Project: wire.HookProject{
			ID: p.ID, Name: p.Name, Description: p.Description, WebURL: web, Homepage: web, Namespace: p.Namespace,
			VisibilityLevel: p.Visibility, PathWithNamespace: p.FullPath, DefaultBranch: p.DefaultBranch,
		},
		Package: wire.PackageHookPackage{
			ID: e.Package.ID, ProjectID: p.ID, Name: e.Package.Name, Version: e.Package.Version, PackageType: "generic",
			Status: e.Package.Status, CreatedAt: wire.Time(e.Package.CreatedAt), UpdatedAt: wire.Time(e.Package.UpdatedAt),
			Action: string(e.Action), ActionAt: wire.Time(e.At),
			URL: web + "/-/packages/" + strconv.FormatInt(e.Package.ID, 10), PackageFiles: []wire.PackageHookFile{},
		},
	}
	if u := e.User; u != nil {
		body.User = &wire.HookUser{ID: u.ID, Name: u.Name, Username: u.Username, Email: redacted}
	}
	if e.Action.OfVersion() {
		body.Package.PackageHookVersion = &wire.PackageHookVersion{
			Channel: wire.OptionalText(e.Channel), Yanked: e.Package.Yanked,
			YankReason: wire.OptionalText(e.Package.YankReason), Deprecated: wire.OptionalText(e.Package.Deprecation),
			ManifestSHA256: wire.OptionalText(e.Package.Manifest),
		}
	}
	if e.Action == webhooks.VersionFinal {
		body.Package.FilesCount = &e.FilesCount
	}
	files := e.Files
	if e.File != nil {
		files = append(files, *e.File)
	}
	for _, f := range files {
		body.Package.PackageFiles = append(body.Package.PackageFiles, wire.PackageHookFile{
			ID: f.ID, FileName: f.Name, Size: f.Size, FileSHA256: f.SHA256, CreatedAt: wire.Time(f.CreatedAt),
			URL: base + "/api/v4/projects/" + strconv.FormatInt(p.ID, 10) + "/packages/generic/" +
				url.PathEscape(e.Package.Name) + "/" + url.PathEscape(e.Package.Version) + "/" + escapePath(f.Name),
		})
	}
	text, err := json.Marshal(body)
	return string(text), err
}

func eventName(a webhooks.Action) string {
	switch a {
	case webhooks.FileDeleted:
		return "package_file_deleted"
	case webhooks.PackageDeleted:
		return "package_deleted"
	case webhooks.VersionYanked:
		return "package_yanked"
	case webhooks.VersionUnyanked:
		return "package_unyanked"
	case webhooks.VersionDeprecated:
		return "package_deprecated"
	case webhooks.VersionUndeprecated:
		return "package_undeprecated"
	case webhooks.VersionHidden, webhooks.VersionShown:
		return "package_status_updated"
	case webhooks.ChannelSet:
		return "package_channel_set"
	case webhooks.ChannelRemoved:
		return "package_channel_removed"
	case webhooks.VersionFinal:
		return "package_finalised"
	}
	return "package_file_published"
}

// escapePath escapes all but the slashes: a file may be in a directory.
func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
